package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const formType = "application/x-www-form-urlencoded"

func TestAFormWritesWhatJSONWrites(t *testing.T) {
	s := begin(t, Options{})
	lead(t, s).do(http.StatusCreated, "POST", "/api/fields/call", `{"name":"n","type":"int"}`)
	c := dial(t, s)
	form := url.Values{
		"direction": {"in"}, "number": {"13800138000"}, "contact_id": {"c_000001"}, "started_at": {"2026-11-02T08:00:00.5+08:00"}, "ring_ms": {"4000"},
		"answered_at": {""}, "note": {"123"}, "outcome": {"true"}, "fields": {`{"n":7}`},
	}.Encode()
	got := read[Call](t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/form", form, "Content-Type", formType))
	if got.RingMS != 4000 || deref(got.Note) != "123" || deref(got.Outcome) != "true" || got.AnsweredAt != nil || fmt.Sprint(got.Fields["n"]) != "7" || deref(got.ContactID) != "c_000001" {
		t.Errorf("the call is %+v", got)
	}
	person := read[contactView](t, c.do(http.StatusCreated, "POST", "/api/contacts", "name=A+%26+B&tags=%5B%22x%22%2C%22y%22%5D", "Content-Type", formType+"; charset=utf-8"))
	if person.Name != "A & B" || !slices.Equal(person.Tags, []string{"x", "y"}) {
		t.Errorf("the contact is %+v", person)
	}
	todo := read[task](t, c.do(http.StatusCreated, "POST", "/api/tasks", "subject=A&done=true&owner=", "Content-Type", formType))
	if !todo.Done || todo.Owner != nil {
		t.Errorf("the task is %+v", todo)
	}
	in := read[session](t, c.do(http.StatusCreated, "POST", "/api/session", "user=u_01&password=sandbox-token", "Content-Type", formType))
	if in.Token == "" {
		t.Error("a login by form gives no token")
	}
}

func TestWrongFormsAreRefused(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/tickets", "subject=%zz", "Content-Type", formType), "bad_form", "")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", "/api/tickets", "subject=A&colour=red", "Content-Type", formType), "unknown_field", "colour")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/calls/by-key/k", "direction=in&started_at=2026-11-02T08:00:00Z&ring_ms=four", "Content-Type", formType), "invalid", "ring_ms")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", "/api/tickets", "", "Content-Type", formType), "invalid", "subject")
	p := wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/tickets", `{"subject":"A"}`, "Content-Type", formType), "bad_form", "")
	if !strings.Contains(p.Message, "application/json") {
		t.Errorf("of JSON that is sent as a form it says %q", p.Message)
	}
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/tickets", "subject=A"), "bad_json", "") // a form that does not say so
}
