package crm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// office is a CRM with sessions, for one test each.
type office struct {
	*httptest.Server
	mu     sync.Mutex
	logins int
	valid  string
	refuse bool                                                   // logins
	asked  []string                                               // method and path of what came with a valid session
	say    func(w http.ResponseWriter, r *http.Request) (ok bool) // false: 404
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/session" {
		o.logins++
		if o.refuse {
			fmt.Fprint(w, `{"error":"wrong password"}`)
			return
		}
		o.valid = fmt.Sprint("session-", o.logins)
		fmt.Fprintf(w, `{"token":%q,"expires_in":3600}`, o.valid)
		return
	}
	if r.Header.Get("X-Token") != o.valid || o.valid == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	o.asked = append(o.asked, r.Method+" "+r.URL.RequestURI())
	if o.say == nil || !o.say(w, r) {
		w.WriteHeader(http.StatusNotFound)
	}
}

func (o *office) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.valid = "another"
}

func (o *office) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

const officeHead = `apiVersion: ringside.dev/v1
kind: Connector
metadata: {id: office, name: Office}
params: [{name: base_url, type: url, required: true}, {name: password, type: secret, required: true}]
network: {allow_hosts: ["${host(param.base_url)}"]}
`

const officeSession = `errors: [{when: "${res.json?.error != nil}", class: auth, message: "${res.json.error}"}]
auth:
  type: session
  login: [{id: in, request: {method: POST, url: "${param.base_url}/session", form: {password: "${param.password}"}}}]
  save: {token: "${res.json.token}"}
  expires_in: "${res.json.expires_in}"
  headers: {X-Token: "${auth.token}"}
`

const officeOps = `operations:
  whoami:
    steps: [{id: me, request: {url: "${param.base_url}/me"}}]
    output: {name: "${res.json.name}"}
  lookup:
    steps: [{id: l, request: {url: "${param.base_url}/people", query: {phone: "${input.phone.candidate}"}}, items: "${res.json}"}]
    map: {id: "${item.id}", name: "${item.name}", phones: "${item.phones}"}
  log_call:
    idempotency: {strategy: upsert}
    steps: [{id: w, request: {method: PUT, url: "${param.base_url}/calls/${input.key}", json: {note: "${input.call.note}"}}}]
    output: {id: "${res.json.id}"}
`

// open opens a connector made of the office's head, more of the file, and its operations and further ones.
func (o *office) open(t *testing.T, more, ops string) *crm.Engine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(officeHead+more+officeOps+ops), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: file, Region: "GB", Params: map[string]string{"base_url": o.URL, "password": "pass-word-1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func sayJSON(w http.ResponseWriter, v any) bool {
	return json.NewEncoder(w).Encode(v) == nil
}

func TestManyRequestsBeginOneSession(t *testing.T) {
	o := newOffice(t)
	o.say = func(w http.ResponseWriter, _ *http.Request) bool { return sayJSON(w, map[string]any{"name": "Ada"}) }
	e := o.open(t, officeSession, "")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if who, err := e.Whoami(t.Context()); err != nil || who.Name != "Ada" {
				t.Errorf("Whoami() = %+v, %v", who, err)
			}
		})
	}
	all.Wait()
	if o.logins != 1 {
		t.Errorf("%d logins, want 1", o.logins)
	}
}

func TestASessionThatEndedIsBegunAnewAndTheWriteIsMadeOnce(t *testing.T) {
	o := newOffice(t)
	o.say = func(w http.ResponseWriter, _ *http.Request) bool {
		return sayJSON(w, map[string]any{"id": "r1", "name": "Ada"})
	}
	e := o.open(t, officeSession, "")
	if _, err := e.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.expire()
	receipt, err := e.Write(t.Context(), someWrite())
	if err != nil || receipt.ID != "r1" {
		t.Fatalf("Write() = %+v, %v", receipt, err)
	}
	if got := o.requests(); o.logins != 2 || len(got) != 2 {
		t.Errorf("%d logins, requests %v; want 2, and each request once", o.logins, got)
	}
}

func TestARefusedLoginIsAuthAndNotRepeatedAtOnce(t *testing.T) {
	o := newOffice(t)
	o.refuse = true
	e := o.open(t, officeSession, "")
	for range 5 {
		_, err := e.Whoami(t.Context())
		wantKind(t, err, cti.Auth)
		if err == nil || !strings.Contains(err.Error(), "wrong password") || strings.Contains(err.Error(), "pass-word-1") {
			t.Errorf("the error is %v, want the CRM's words and no secret", err)
		}
	}
	if o.logins != 1 {
		t.Errorf("%d logins, want 1: accounts get locked", o.logins)
	}
}

func TestAWriteWhoseSessionCannotBeBegunAnewIsNotUncertain(t *testing.T) {
	o := newOffice(t)
	o.say = func(w http.ResponseWriter, _ *http.Request) bool { return sayJSON(w, map[string]any{"name": "Ada"}) }
	e := o.open(t, officeSession, "")
	if _, err := e.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.expire()
	o.mu.Lock()
	o.refuse = true
	o.mu.Unlock()
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Auth)
}
