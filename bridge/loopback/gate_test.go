package loopback_test

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// What no answer and no log line may repeat.
const (
	aToken  = "s3cret-token"
	aNumber = "13800138000"
)

var forbidden = []string{aToken, aNumber, "00138000"}

// scenario is one request to the gate and what must come back; forbidden substrings are the same for all.
type scenario struct {
	name    string
	method  string
	path    string
	host    string // "" is the right one
	headers map[string]string
	body    string

	status  int
	kind    cti.Kind
	message string // a part of it
}

func TestTheGateLetsInOnlyWhatItKnows(t *testing.T) {
	events, dial := "/v1/events", "/v1/dial"
	for _, s := range []scenario{
		{name: "a right request", method: "POST", path: dial, body: `{"number":"` + aNumber + `"}`, status: 200},
		{name: "no host of ours", method: "GET", path: "/v1/status", host: "127.0.0.1:8080", status: 403, kind: cti.Denied, message: "not a web server"},
		{name: "a host that only begins like ours", method: "GET", path: "/v1/status", host: "ringside.evil.example", status: 403, kind: cti.Denied},
		{name: "our host with a port", method: "GET", path: "/v1/status", host: "ringside:80", status: 403, kind: cti.Denied},
		{name: "a web page of another origin", method: "POST", path: dial, headers: map[string]string{"Origin": "https://evil.example"},
			body: `{"number":"` + aNumber + `"}`, status: 403, kind: cti.Denied, message: "web pages"},
		{name: "a sandboxed frame", method: "GET", path: "/v1/status", headers: map[string]string{"Origin": "null"}, status: 403, kind: cti.Denied},
		{name: "a form, which sends no origin", method: "POST", path: dial, headers: map[string]string{"Sec-Fetch-Site": "cross-site"},
			status: 403, kind: cti.Denied, message: "web pages"},
		{name: "the same site", method: "GET", path: "/v1/snapshot", headers: map[string]string{"Sec-Fetch-Site": "same-origin"}, status: 403, kind: cti.Denied},
		{name: "host before route", method: "GET", path: "/nowhere", host: "x", status: 403, kind: cti.Denied},
		{name: "a body beyond the limit", method: "POST", path: dial, body: `{"number":"` + strings.Repeat(aNumber, 24<<10) + `"}`,
			status: 422, kind: cti.Invalid, message: "larger than 256 KiB"},
		{name: "a second value beyond the limit", method: "POST", path: dial, body: `{"number":"1"}` + strings.Repeat(" ", 256<<10),
			status: 422, kind: cti.Invalid},
		{name: "an unknown field is named", method: "POST", path: dial, body: `{"nummer":"` + aNumber + `"}`, status: 422, kind: cti.Invalid, message: "nummer"},
		{name: "a number as a field", method: "POST", path: dial, body: `{"` + aNumber + `":1}`, status: 422, kind: cti.Invalid, message: "unknown field"},
		{name: "two values", method: "POST", path: dial, body: `{"number":"1"}{"number":"` + aNumber + `"}`, status: 422, kind: cti.Invalid, message: "more than one"},
		{name: "words after the value", method: "POST", path: dial, body: `{"number":"1"} ` + aToken, status: 422, kind: cti.Invalid, message: "more than one"},
		{name: "nothing", method: "POST", path: dial, status: 422, kind: cti.Invalid, message: "empty"},
		{name: "half a value", method: "POST", path: dial, body: `{"number":"` + aNumber, status: 422, kind: cti.Invalid, message: "ends"},
		{name: "no JSON", method: "POST", path: dial, body: aToken, status: 422, kind: cti.Invalid, message: "byte 1"},
		{name: "a wrong type is named with its field", method: "POST", path: dial, body: `{"number":` + aNumber + `}`, status: 422, kind: cti.Invalid, message: "number"},
		{name: "a number that does not fit", method: "POST", path: events, body: `{"seq":-` + aNumber + `}`, status: 422, kind: cti.Invalid, message: "seq"},
		{name: "a number for a time", method: "POST", path: events, body: `{"at":"` + aNumber + `"}`, status: 422, kind: cti.Invalid, message: "RFC 3339"},
		{name: "an unknown route", method: "GET", path: "/v1/" + aNumber, status: 404, kind: cti.NotFound, message: "no such route"},
		{name: "the root", method: "GET", path: "/", status: 404, kind: cti.NotFound},
		{name: "another version", method: "GET", path: "/v2/status", status: 404, kind: cti.NotFound, message: "another version"},
		{name: "a wrong method", method: "POST", path: "/v1/status", status: 404, kind: cti.NotFound},
		{name: "reading what only takes", method: "GET", path: dial, status: 404, kind: cti.NotFound},
		{name: "deleting", method: "DELETE", path: "/v1/calls/x", status: 404, kind: cti.NotFound},
		{name: "a limit that is no number", method: "GET", path: "/v1/calls?limit=" + aToken, status: 422, kind: cti.Invalid, message: "1 to 1000"},
		{name: "a limit of none", method: "GET", path: "/v1/calls?limit=0", status: 422, kind: cti.Invalid},
		{name: "a limit too high", method: "GET", path: "/v1/calls?limit=1001", status: 422, kind: cti.Invalid},
		{name: "an item that is no number", method: "POST", path: "/v1/outbox/" + aToken + "/retry", status: 422, kind: cti.Invalid, message: "ringctl outbox list"},
		{name: "an item of no number is not shown", method: "GET", path: "/v1/outbox/" + aToken, status: 422, kind: cti.Invalid, message: "ringctl outbox list"},
		{name: "the number is looked at before the body", method: "POST", path: "/v1/outbox/" + aToken + "/discard", body: aToken, status: 422, kind: cti.Invalid,
			message: "ringctl outbox list"},
		{name: "an edit with a field too many", method: "POST", path: "/v1/outbox/1/edit", body: `{"outcome":"","note":"","seq":2}`, status: 422, kind: cti.Invalid,
			message: `unknown field "seq"`},
		{name: "a list of a state nobody can be in", method: "GET", path: "/v1/outbox?state=" + aToken, status: 422, kind: cti.Invalid, message: "waiting"},
		{name: "a list of no state there is", method: "GET", path: "/v1/outbox?state=lost", status: 422, kind: cti.Invalid, message: "review"},
		{name: "a list that begins nowhere", method: "GET", path: "/v1/outbox?after=-1", status: 422, kind: cti.Invalid, message: "after"},
		{name: "a list too long", method: "GET", path: "/v1/outbox?limit=1001", status: 422, kind: cti.Invalid, message: "1 to 1000"},
		{name: "an export of another format", method: "GET", path: "/v1/outbox/export?format=" + aToken, status: 422, kind: cti.Invalid, message: "csv or json"},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t) })
	}
}

func (s scenario) run(t *testing.T) {
	var log recorder
	r := httptest.NewRequestWithContext(t.Context(), s.method, s.path, strings.NewReader(s.body))
	r.Host = loopback.Host
	if s.host != "" {
		r.Host = s.host
	}
	r.Header.Set("Authorization", "Bearer "+aToken)
	for name, value := range s.headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	loopback.NewServer(fake(), log.log()).Handler().ServeHTTP(w, r)
	if w.Code != s.status {
		t.Errorf("the status is %d, want %d: %s", w.Code, s.status, w.Body)
	}
	for _, f := range forbidden {
		if strings.Contains(w.Body.String()+log.String(), f) {
			t.Errorf("%q is repeated: %s\n%s", f, w.Body, &log)
		}
	}
	if s.kind == "" {
		return
	}
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the refusal is not a problem: %v: %s", err, w.Body)
	}
	if p.Kind != s.kind || !strings.Contains(p.Message, s.message) || p.Message == "" {
		t.Errorf("the refusal is %+v, want %s with %q", p, s.kind, s.message)
	}
}

// ask sends one command to an agent whose answer is err.
func ask(t *testing.T, log *recorder, err error) (int, wire.Problem) {
	t.Helper()
	a := fake()
	a.Command = func(context.Context, string, cti.Instruction) error { return err }
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/calls/leg/command", strings.NewReader(`{"command":"answer"}`))
	r.Host = loopback.Host
	w := httptest.NewRecorder()
	loopback.NewServer(a, log.log()).Handler().ServeHTTP(w, r)
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	return w.Code, p
}

func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[cti.Kind]int{cti.Invalid: 422, cti.Auth: 401, cti.Denied: 403, cti.NotFound: 404, cti.Conflict: 409, cti.Limited: 429,
		cti.Offline: 503, cti.Uncertain: 504, cti.Internal: 500}
	for _, kind := range kinds(t) {
		status, p := ask(t, new(recorder), &cti.Error{Kind: kind, Msg: "what to do", RetryAfter: 1500 * time.Millisecond})
		if status != want[kind] || p.Kind != kind || p.RetryAfterMS != 1500 {
			t.Errorf("%s is answered %d %+v, want %d", kind, status, p, want[kind])
		}
		if shown := p.Message == "what to do"; shown != (kind != cti.Internal) {
			t.Errorf("%s is answered with the message %q", kind, p.Message)
		}
	}
}

func TestAnErrorWithoutAKnownKindIsInternalAndHidden(t *testing.T) {
	for name, err := range map[string]error{
		"plain":        errors.New("the token is " + aToken),
		"unknown kind": cti.Errorf("later", "the token is "+aToken, nil),
		"no kind":      &cti.Error{Msg: "the token is " + aToken},
	} {
		t.Run(name, func(t *testing.T) {
			status, p := ask(t, new(recorder), err)
			if status != http.StatusInternalServerError || p.Kind != cti.Internal || strings.Contains(p.Message, aToken) || p.Message == "" {
				t.Errorf("answered %d %+v", status, p)
			}
		})
	}
}

func TestARequestThatClosingEndedIsOffline(t *testing.T) {
	var log recorder
	status, p := ask(t, &log, context.Canceled)
	if status != http.StatusServiceUnavailable || p.Kind != cti.Offline || strings.Contains(log.String(), "ERROR") {
		t.Errorf("answered %d %+v, logged %s", status, p, &log)
	}
}

// kinds reads the domain's source, so that a kind added there cannot be forgotten here.
func kinds(t *testing.T) []cti.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../app/cti/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []cti.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) == 0 {
			return true
		}
		kind, isNamed := spec.Type.(*ast.Ident)
		text, isLiteral := spec.Values[0].(*ast.BasicLit)
		if isNamed && isLiteral && kind.Name == "Kind" {
			value, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, cti.Kind(value))
		}
		return true
	})
	if len(found) < 9 {
		t.Fatalf("only %v were found", found)
	}
	return found
}
