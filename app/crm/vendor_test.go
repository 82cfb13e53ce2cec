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
}

// RoundTrip implements http.RoundTripper.

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.asks = append(v.asks, ask{time.Now(), r.Method != http.MethodGet})
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

// Fault 33: a 429 (or a 503 with Retry-After) pauses the whole endpoint until then, whichever way the time is written; what is asked

// meanwhile is refused at once with the time that is left, and nothing is sent.

// Fault 33: what the connector declares is used up to at least 95 %, and no window of its length sees more.

// pass lets the bubble's time pass.

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
}

// drain writes n times from six places at once, as the outbox does, and obeys RetryAfter.

// Fault 33: without a declared rate the refusals teach one.

// Fault 36: hours of failures cost the CRM two requests a minute, and what is asked meanwhile is refused at once with the time left.

// Fault 34: a refused sign-in concerns the outbox, not the endpoint: the next request is sent at once, with whatever sign-in holds then.

// A look-up that waits for two allowances does not lose the one to a write while it waits for the other; a write that needs neither goes on.

// A turn that comes in the moment in which its waiter gives up is not lost.

// Fault 38: "this key is being worked on" is told by a rule of the connector: this record is tried again soon, the endpoint goes on.

// Asked by its key, a CRM that answers 404 has no such record: that is an answer and no failure.

// Whatever order requests come, fail and are given up in, the gate's places are all free afterwards.
