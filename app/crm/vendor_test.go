package crm_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
)

// vendor is a CRM without a network, so that its time can be that of a bubble.
type vendor struct {
	say func(r *http.Request) (status int, headers []string) // 0: the connection breaks

	mu   sync.Mutex
	asks []ask
}

// ask is one request that reached the vendor.
type ask struct {
	at    time.Time
	write bool
	path  string
}

// RoundTrip implements http.RoundTripper.
func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.asks = append(v.asks, ask{time.Now(), r.Method != http.MethodGet, r.URL.Path})
	v.mu.Unlock()
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	status, headers := v.say(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	res := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"id":"r1","name":"Ada","items":[]}`))}
	for i := 0; i+1 < len(headers); i += 2 {
		res.Header.Set(headers[i], headers[i+1])
	}
	return res, nil
}

func (v *vendor) asked() []ask {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asks)
}

// says is a vendor that always answers the same.
func says(status int, headers ...string) *vendor {
	return &vendor{say: func(*http.Request) (int, []string) { return status, headers }}
}

// engine opens the plain connector, changed by pairs of old and new, for a vendor.
func (v *vendor) engine(t *testing.T, gates *crm.Gates, oldNew ...string) *crm.Engine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plain.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldNew...).Replace(plain)), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: file, Params: map[string]string{"base_url": "https://crm.example", "token": testToken}, Region: "GB",
		HTTP: &http.Client{Transport: v}, Gates: gates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

const limitsAt = "errors: []" // where a test writes its limits:

// both asks once as a look-up and once as a write and gives the two errors.
func both(t *testing.T, e *crm.Engine) []error {
	t.Helper()
	_, read := e.Whoami(t.Context())
	_, write := e.Write(t.Context(), someWrite())
	return []error{read, write}
}

// pass lets the bubble's time pass.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
}
