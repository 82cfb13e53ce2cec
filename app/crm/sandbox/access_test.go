package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func setTraits(t *testing.T, s *Server, traits Traits) {
	t.Helper()
	if err := s.SetTraits(traits); err != nil {
		t.Fatal(err)
	}
}

func TestStrictRolesKeepAgentsFromDeletingContacts(t *testing.T) {
	s := begin(t, Options{Traits: Traits{StrictRoles: true}})
	c := dial(t, s)
	p := wantRefusal(t, c.do(http.StatusForbidden, "DELETE", "/api/contacts/c_000001", ""), "forbidden", "")
	if p.Message != "the role agent may not delete contacts" {
		t.Errorf("it says %q", p.Message)
	}
	c.do(http.StatusOK, "GET", "/api/contacts/c_000001", "")
	lead(t, s).do(http.StatusOK, "DELETE", "/api/contacts/c_000001", "")
	setTraits(t, s, Traits{})
	c.do(http.StatusOK, "DELETE", "/api/contacts/c_000002", "")
}

// written are the records whose editing can be forbidden, each with what makes one and a change.
var written = []struct{ path, make, change string }{
	{"/api/calls", callBody, `{"note":"changed"}`}, {"/api/tickets", kinds[1].make, `{"subject":"changed"}`},
	{"/api/tasks", kinds[2].make, `{"subject":"changed"}`}, {"/api/notes", kinds[0].make, `{"text":"changed"}`},
}

func TestWhatMayBeEditedDependsOnWhoMadeIt(t *testing.T) {
	for _, one := range written {
		t.Run(one.path, func(t *testing.T) {
			s := begin(t, Options{})
			mine, boss := dial(t, s), lead(t, s)
			theirs := as(t, s, User{Name: "Other Agent", Email: "other@ringside.example", Token: "other-token"})
			id := read[row](t, mine.do(http.StatusCreated, "PUT", one.path+"/by-key/k", one.make)).ID
			for editing, want := range map[string][3]int{EditAll: {200, 200, 200}, "": {200, 200, 200}, EditOwn: {200, 403, 200}, EditNone: {403, 403, 200}} {
				setTraits(t, s, Traits{Editing: editing})
				for i, c := range []*client{mine, theirs, boss} {
					for method, path := range map[string]string{"PATCH": one.path + "/" + id, "PUT": one.path + "/by-key/k"} {
						r := c.do(want[i], method, path, one.change)
						if want[i] == http.StatusForbidden {
							if p := wantRefusal(t, r, "forbidden", ""); p.ID != id || !strings.HasPrefix(p.Message, "the role agent may not edit a ") {
								t.Errorf("%s %s: the refusal is %+v", editing, method, p)
							}
						}
					}
				}
				theirs.do(http.StatusCreated, "PUT", one.path+"/by-key/of-"+editing+"them", one.make) // creating is always allowed
			}
		})
	}
}

func TestWritesAreMadeAsWhoeverSignedIn(t *testing.T) {
	s := begin(t, Options{})
	c := as(t, s, User{Name: "Other Agent", Email: "other@ringside.example", Token: "other-token"})
	for _, one := range written {
		got := read[struct {
			CreatedBy Agent `json:"created_by"`
			Agent     Agent `json:"agent"`
		}](t, c.do(http.StatusCreated, "PUT", one.path+"/by-key/k", one.make))
		if who := got.CreatedBy; who.Email != "other@ringside.example" && got.Agent.Email != "other@ringside.example" {
			t.Errorf("%s: made by %+v", one.path, got)
		}
	}
	if got := read[contactView](t, c.do(http.StatusCreated, "POST", "/api/contacts", `{"name":"A"}`)); got.Owner.Name != "Other Agent" {
		t.Errorf("the contact is owned by %+v", got.Owner)
	}
}

// A right that is taken away is refused, and so told beforehand.
func TestDeniedOperationsAreRefusedAndToldInPermissions(t *testing.T) {
	requests := map[string]struct{ method, path, body string }{
		"whoami": {"GET", "/api/whoami", ""}, "lookup": {"GET", "/api/contacts?phone=13800138000", ""}, "search": {"GET", "/api/contacts?q=a", ""},
		"get": {"GET", "/api/contacts/c_000001", ""}, "changes": {"GET", "/api/contacts/changes", ""}, "history": {"GET", "/api/contacts/c_000001/calls", ""},
		"list_tickets": {"GET", "/api/contacts/c_000001/tickets", ""}, "list_orders": {"GET", "/api/contacts/c_000001/orders", ""},
		"list_options": {"GET", "/api/options/queue", ""}, "describe": {"GET", "/api/fields/call", ""}, "log_call": {"PUT", "/api/calls/by-key/k", callBody},
		"create_contact": {"PUT", "/api/contacts/by-key/k", `{"name":"A"}`}, "update_contact": {"PATCH", "/api/contacts/c_000001", `{"name":"A"}`},
		"add_number": {"PUT", "/api/contacts/c_000001/phones/123456", ""}, "add_note": {"PUT", "/api/notes/by-key/k", kinds[0].make},
		"create_ticket": {"PUT", "/api/tickets/by-key/k", kinds[1].make}, "update_ticket": {"PATCH", "/api/tickets/t_000001", `{"subject":"A"}`},
		"set_status": {"PATCH", "/api/tickets/t_000001", `{"status":"pending"}`}, "add_tags": {"PUT", "/api/contacts/c_000001/tags/a", ""},
		"remove_tags": {"DELETE", "/api/contacts/c_000001/tags/a", ""}, "create_task": {"PUT", "/api/tasks/by-key/k", kinds[2].make},
		"attach_recording": {"PUT", "/api/calls/call_000001/recording", `{"url":"https://a.example"}`},
	}
	s := begin(t, Options{})
	c, boss := dial(t, s), lead(t, s)
	for _, op := range operations {
		r, known := requests[op]
		if !known {
			t.Fatalf("no request for %s", op)
		}
		setTraits(t, s, Traits{Denied: op})
		if p := wantRefusal(t, c.do(http.StatusForbidden, r.method, r.path, r.body), "forbidden", ""); !strings.Contains(p.Message, strings.ReplaceAll(op, "_", " ")) {
			t.Errorf("%s: it says %q", op, p.Message)
		}
		told := read[permissions](t, c.do(http.StatusOK, "GET", "/api/permissions", ""))
		for other, may := range told.Operations {
			if may == (other == op) {
				t.Errorf("%s is denied, and of %s it tells %t", op, other, may)
			}
		}
		if len(told.Operations) != len(operations) {
			t.Errorf("it tells of %d operations", len(told.Operations))
		}
		if got, err := boss.try(r.method, r.path, r.body); err != nil || got.status > 201 {
			t.Errorf("%s by a lead: %d %s, %v", op, got.status, got.body, err)
		}
	}
	if err := s.SetTraits(Traits{Denied: "log_call,dance"}); err == nil || !strings.Contains(err.Error(), `"dance"`) {
		t.Errorf("an operation that is none is taken: %v", err)
	}
}

func TestPermissionsTellTheRightsOfARole(t *testing.T) {
	s := begin(t, Options{})
	c, boss := dial(t, s), lead(t, s)
	for _, one := range []struct {
		c      *client
		traits Traits
		role   string
		more   []string
	}{
		{c, Traits{}, roleAgent, []string{rightDelete, rightOthers}}, {c, Traits{StrictRoles: true}, roleAgent, []string{rightOthers}},
		{c, Traits{StrictRoles: true, Editing: EditOwn}, roleAgent, []string{}}, {boss, Traits{StrictRoles: true, Editing: EditNone, Denied: "log_call"}, roleLead, extras},
	} {
		setTraits(t, s, one.traits)
		got := read[permissions](t, one.c.do(http.StatusOK, "GET", "/api/permissions", ""))
		if got.Role != one.role || !slices.Equal(got.More, one.more) || got.Operations["log_call"] == (one.role == roleAgent && one.traits.Denied != "") {
			t.Errorf("with %+v: %+v, want %s with %v", one.traits, got, one.role, one.more)
		}
	}
}
