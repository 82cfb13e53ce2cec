package crm_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

const officeToken = "auth: {type: none}\n"

// open ones need no session.
func openOffice(t *testing.T, say func(w http.ResponseWriter, r *http.Request) bool) *office {
	t.Helper()
	o := newOffice(t)
	o.valid = "none"
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked = append(o.asked, r.Method+" "+r.URL.RequestURI())
		w.Header().Set("Content-Type", "application/json")
		if !say(w, r) {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	return o
}

// numbered serves 25 options in pages of 10, in each way there is.
func numbered(w http.ResponseWriter, r *http.Request) bool {
	from := 0
	q := r.URL.Query()
	for name, unit := range map[string]int{"offset": 1, "page": 10, "after": 1} {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			from = n * unit
		}
	}
	if q.Has("page") {
		from -= 10
	}
	var items []map[string]any
	for i := from; i < min(from+10, 25); i++ {
		items = append(items, map[string]any{"id": i, "name": fmt.Sprint("option ", i)})
	}
	next := any(nil)
	if from+10 < 25 {
		next = from + 10
		w.Header().Set("Link", fmt.Sprintf(`</options?x=1>; rel="prev", <?after=%d>; rel="next"`, from+10))
	}
	return sayJSON(w, map[string]any{"items": items, "next": next})
}

func TestListsAreReadPageByPage(t *testing.T) {
	for _, one := range []struct{ name, paginate string }{
		{"cursor", `{type: cursor, param: after, next: "${res.json.next}"}`},
		{"token in the request itself", `{type: token, next: "${res.json.next}"}`},
		{"offset", `{type: offset, param: offset, size: 10}`},
		{"page", `{type: page, param: page, size_param: per, size: 10}`},
		{"link", `{type: link}`},
		{"link in the body", `{type: link, next: "${res.json.next != nil ? '/options?after=' + string(res.json.next) : nil}"}`},
	} {
		t.Run(one.name, func(t *testing.T) {
			o := openOffice(t, numbered)
			e := o.open(t, officeToken, `  list_options:
    steps: [{id: a, request: {url: "${param.base_url}/options", query: {after: "${page.cursor}"}}, paginate: `+one.paginate+`, items: "${res.json.items}"}]
    map: {id: "${item.id}", name: "${item.name}"}
`)
			got, err := e.Features().Options(t.Context(), "owner", 100)
			if err != nil || len(got) != 25 || got[24].Name != "option 24" {
				t.Errorf("%d options, %v; want 25", len(got), err)
			}
			if n := len(o.requests()); n != 3 {
				t.Errorf("%d requests, want 3: %v", n, o.requests())
			}
		})
	}
}

func TestNoMorePagesAreReadThanTheFileSays(t *testing.T) {
	o := openOffice(t, numbered)
	e := o.open(t, officeToken, `  list_options:
    steps: [{id: a, request: {url: "${param.base_url}/options"}, paginate: {type: cursor, param: after, next: "${res.json.next}", max_pages: 2}, items: "${res.json.items}"}]
    map: {id: "${item.id}", name: "${item.name}"}
`)
	got, err := e.Features().Options(t.Context(), "owner", 100)
	if err != nil || len(got) != 20 || len(o.requests()) != 2 {
		t.Errorf("%d options in %d requests, %v; want 20 in 2", len(got), len(o.requests()), err)
	}
}

func TestANextPageOnAnotherHostIsRefused(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Link", `<https://elsewhere.example/options>; rel="next"`)
		return sayJSON(w, []any{map[string]any{"id": 1, "name": "a"}})
	})
	e := o.open(t, officeToken, `  list_options:
    steps: [{id: a, request: {url: "${param.base_url}/options"}, paginate: {type: link}, items: "${res.json}"}]
    map: {id: "${item.id}", name: "${item.name}"}
`)
	_, err := e.Features().Options(t.Context(), "owner", 100)
	wantKind(t, err, cti.Invalid)
}

// bodies notes what each request carried.
func bodies(t *testing.T, into *[]string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		said := kind + " "
		if kind == "multipart/form-data" {
			if err := r.ParseMultipartForm(1 << 20); err != nil {
				t.Error(err)
				return false
			}
			said += r.FormValue("tag")
			for _, f := range r.MultipartForm.File["file"] {
				body, err := f.Open()
				if err != nil {
					t.Error(err)
					return false
				}
				text, err := io.ReadAll(body)
				said += fmt.Sprint(" ", f.Filename, " ", f.Header.Get("Content-Type"), " ", string(text), err)
			}
		} else {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			said += string(text)
		}
		*into = append(*into, said)
		return sayJSON(w, map[string]any{"id": "n1"})
	}
}

func TestRequestsCarryFormsFilesAndText(t *testing.T) {
	var said []string
	o := openOffice(t, bodies(t, &said))
	e := o.open(t, officeToken, `  add_note:
    idempotency: {strategy: naturally_idempotent}
    steps:
      - {id: a, request: {method: POST, url: "${param.base_url}/a", form: {text: "${input.note.text}", tag: "${['x', 'y']}", none: "${nil}"}}}
      - {id: b, request: {method: POST, url: "${param.base_url}/b", multipart: {tag: "${input.note.text}", file: {name: "a \"b\".txt", type: text/plain, content: "${input.note.text}!"}}}}
      - {id: c, request: {method: POST, url: "${param.base_url}/c", type: text/csv, raw: "a,${input.note.text}"}}
    output: {id: "${res.json.id}"}
`)
	w := cti.WriteBack{Op: cti.AddNote, Key: "k", Identity: cti.IdentityKnown, CustomerID: "7", Note: cti.Note{Text: "好 & co"}}
	receipt, err := e.Write(t.Context(), w)
	if err != nil || receipt.ID != "n1" {
		t.Fatalf("Write() = %+v, %v", receipt, err)
	}
	want := []string{
		"application/x-www-form-urlencoded tag=x&tag=y&text=%E5%A5%BD+%26+co",
		`multipart/form-data 好 & co a "b".txt text/plain 好 & co!<nil>`,
		"text/csv a,好 & co",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("the bodies differ (-want +got):\n%s", diff)
	}
}

func TestAStepRunsForEachOfAList(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, _ *http.Request) bool { return sayJSON(w, map[string]any{}) })
	e := o.open(t, officeToken, `  add_tags:
    idempotency: {strategy: naturally_idempotent}
    steps: [{id: a, foreach: "${input.tags}", request: {method: PUT, url: "${param.base_url}/p/${input.contact.id}/tags/${each}"}}]
    output: {id: "${input.contact.id}"}
`)
	tags := cti.WriteBack{Op: cti.AddTags, Key: "k", Identity: cti.IdentityKnown, CustomerID: "7", Tags: []string{"vip", "a b"}}
	if _, err := e.Write(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"PUT /p/7/tags/vip", "PUT /p/7/tags/a%20b"}, o.requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 60 {
		tags.Tags = append(tags.Tags, "t")
	}
	_, err := e.Write(t.Context(), tags)
	wantKind(t, err, cti.Invalid)
}

func TestItemsThatAreTheSameAreOne(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, _ *http.Request) bool {
		return sayJSON(w, []any{map[string]any{"id": 1, "name": "a"}, map[string]any{"id": 2, "name": "b"}, map[string]any{"id": 1, "name": "a"}})
	})
	e := o.open(t, officeToken, `  search:
    steps: [{id: a, request: {url: "${param.base_url}/a"}, items: "${res.json}"}, {id: b, request: {url: "${param.base_url}/b"}, items: "${res.json}"}]
    map: {id: "${item.id}", name: "${item.name}"}
    merge_by: "${item.id}"
`)
	found, err := e.Features().Search(t.Context(), "a", 10)
	if err != nil || len(found) != 2 {
		t.Errorf("%d customers, %v; want 2", len(found), err)
	}
}

func TestANumberIsTriedSpelledAsTheFileSaysUntilItIsFound(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("phone") == "+44 20 7946 0123" {
			return sayJSON(w, []any{map[string]any{"id": 1, "name": "Ada", "phones": []string{"+44 20 7946 0123"}}})
		}
		return sayJSON(w, []any{})
	})
	e := o.open(t, officeToken+"phone: {candidates: [e164, tail8, spaced, trunk]}\n", "")
	found, err := e.Lookup(t.Context(), someNumber())
	if err != nil || len(found) != 1 {
		t.Fatalf("%d customers, %v; want 1", len(found), err)
	}
	want := []string{"GET /people?phone=%2B442079460123", "GET /people?phone=79460123", "GET /people?phone=%2B44+20+7946+0123"}
	if diff := cmp.Diff(want, o.requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAWriteWaitsForWhatItNeedsInTheCRM(t *testing.T) {
	there := false
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch r.Method + r.URL.Path {
		case "GET/fields/key":
			return there && sayJSON(w, map[string]any{"name": "key"})
		case "POST/fields":
			there = true
		}
		return sayJSON(w, map[string]any{"id": "r1"})
	})
	e := o.open(t, officeToken+`setup:
  - {id: key, title: "the field key", check: [{id: c, request: {url: "${param.base_url}/fields/key"}}], apply: [{id: a, request: {method: POST, url: "${param.base_url}/fields", json: {name: key}}}]}
`, `  add_note:
    requires: [key]
    idempotency: {strategy: naturally_idempotent}
    steps: [{id: a, request: {method: POST, url: "${param.base_url}/notes", json: {text: "${input.note.text}"}}}]
    output: {id: "${res.json.id}"}
`)
	w := cti.WriteBack{Op: cti.AddNote, Key: "k", Identity: cti.IdentityKnown, CustomerID: "7", Note: cti.Note{Text: "x"}}
	_, err := e.Write(t.Context(), w)
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "ringctl crm setup key") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	if s := e.Setups(t.Context()); len(s) != 1 || s[0].Ready || !s[0].CanApply || s[0].Err != nil || !slices.Contains(s[0].Ops, "add_note") {
		t.Errorf("the setup is %+v", s)
	}
	if err := e.Apply(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), w); err != nil {
		t.Errorf("after the field was made: %v", err)
	}
	if n := len(slices.DeleteFunc(o.requests(), func(r string) bool { return r != "POST /fields" })); n != 1 {
		t.Errorf("the field was made %d times", n)
	}
}

func TestRightsAreAsked(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/secret" {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return sayJSON(w, map[string]any{"calls": true, "delete": true, "export": false})
	})
	e := o.open(t, officeToken+`rights:
  - {id: calls, ops: [log_call], steps: [{id: a, request: {url: "${param.base_url}/rights"}}], allowed: "${res.json.calls}"}
  - {id: secrets, ops: [search], steps: [{id: a, request: {url: "${param.base_url}/secret"}}]}
  - {id: delete, excess: true, steps: [{id: a, request: {url: "${param.base_url}/rights"}}], allowed: "${res.json.delete}"}
  - {id: export, excess: true, steps: [{id: a, request: {url: "${param.base_url}/rights"}}], allowed: "${res.json.export}"}
`, "")
	var got []string
	for _, r := range e.Rights(t.Context()) {
		got = append(got, fmt.Sprint(r.ID, " ", r.Allowed, " ", r.Excess, " ", r.Err))
	}
	want := []string{"calls true false <nil>", "secrets false false <nil>", "delete true true <nil>", "export false true <nil>"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAThrottledRequestHoldsTheOthersUnlessTheFileSaysThatItIsAlone(t *testing.T) {
	for scope, want := range map[string]cti.Kind{"connector": cti.Limited, "op": ""} {
		o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}
			return sayJSON(w, map[string]any{"name": "Ada"})
		})
		e := o.open(t, officeToken+`errors: [{when: "${res.status == 429}", class: throttled, scope: `+scope+"}]\n", "")
		_, err := e.Write(t.Context(), someWrite())
		wantKind(t, err, cti.Limited)
		if cti.RetryAfter(err) < 29*time.Second {
			t.Errorf("%s: the CRM's 30 s became %s", scope, cti.RetryAfter(err))
		}
		if _, err := e.Whoami(t.Context()); cti.KindOf(err) != want {
			t.Errorf("%s: another request is %v, want %q", scope, err, want)
		}
	}
}
