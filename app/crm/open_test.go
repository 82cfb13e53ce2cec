package crm_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

const testToken = "s3cret-token-value"

// plain is a connector for any HTTP server: three operations, one of them a write with an Idempotency-Key.
const plain = `apiVersion: ringside.dev/v1
kind: Connector
metadata: {id: plain, name: Plain}
params:
  - {name: base_url, type: url, required: true}
  - {name: token, type: secret, required: true}
network: {allow_hosts: ["${host(param.base_url)}"], timeout: 5s}
auth: {type: bearer, headers: {Authorization: "Bearer ${param.token}"}}
errors: []
operations:
  whoami:
    steps: [{id: me, request: {url: "${param.base_url}/me"}}]
    output: {name: "${res.json.name}"}
  lookup:
    steps: [{id: l, request: {url: "${param.base_url}/people", query: {phone: "${input.phone.national}"}}, items: "${res.json.items}"}]
    map: {id: "${item.id}", name: "${item.name}", phones: "${item.phones}"}
  log_call:
    idempotency: {strategy: header, window: 24h}
    steps: [{id: w, request: {method: POST, url: "${param.base_url}/calls", headers: {Idempotency-Key: "${input.key}"}, json: {key: "${input.key}", note: "${input.call.note}"}}}]
    output: {id: "${res.json?.id}"}
deep_link: {contact: "${param.base_url}/people/${input.id}?tab=${input.id}"}
`

// open loads a connector text, changed by pairs of old and new, for a server.
func open(t *testing.T, base string, oldNew ...string) *crm.Engine {
	t.Helper()
	e, err := tryOpen(t, base, nil, oldNew...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func tryOpen(t *testing.T, base string, log *slog.Logger, oldNew ...string) (*crm.Engine, error) {
	t.Helper()
	text := strings.NewReplacer(oldNew...).Replace(plain)
	if len(oldNew) > 0 && text == plain {
		t.Fatal("the connector was not changed: the old text is not in it")
	}
	file := filepath.Join(t.TempDir(), "plain.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: file, Params: map[string]string{"base_url": base, "token": testToken}, Region: "GB", Log: log})
	if err == nil {
		t.Cleanup(e.Close)
	}
	return e, err
}

// serve answers every request with h.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answer is a handler that always says the same.
func answer(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil {
			panic(err)
		}
	}
}

const testNumber = "+442079460123"

func someNumber() cti.Number { return number.Parse(testNumber, "GB") }

func someWrite() cti.WriteBack {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	return cti.WriteBack{Op: cti.LogCall, Key: "8d1f0c52-0000-5000-8000-000000000001", Identity: cti.IdentityKnown, CustomerID: "c1",
		Record: cti.Record{Number: someNumber(), Direction: cti.In, Ending: "answered", StartedAt: at, EndedAt: at.Add(time.Minute), WrapUp: cti.WrapUp{Note: "hello"}}}
}

// wantKind checks an error's kind and that it shows neither the secret nor the number.
func wantKind(t *testing.T, err error, want cti.Kind) {
	t.Helper()
	if cti.KindOf(err) != want {
		t.Errorf("the error is %v (%s), want %s", err, cti.KindOf(err), want)
	}
	if err == nil {
		return
	}
	for _, hidden := range []string{testToken, "2079460123", "79460123"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error shows %q: %v", hidden, err)
		}
	}
}
