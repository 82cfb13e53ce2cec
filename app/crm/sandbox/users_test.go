package sandbox

import (
	"net/http"
	"path/filepath"
	"testing"
)

// whoamiView is what a connector reads of who it is.
type whoamiView struct {
	Agent
	Role    string
	Roles   []string
	Version string
}

func TestAUserThatIsAddedSignsInAndKeepsRoleAndID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crm.json")
	s := begin(t, Options{File: file, Control: "127.0.0.1:0", Users: []User{{Name: "Ann", Email: "ann@ringside.example", Role: roleAdmin, Token: "ann-1"}}})
	ann, control := dial(t, s), dial(t, s)
	ann.token, control.base, control.token = "ann-1", s.ControlURL(), ""
	first := read[whoamiView](t, ann.do(http.StatusOK, "GET", "/api/whoami", ""))
	if first.Name != "Ann" || first.Role != roleAdmin || len(first.Roles) != 1 || first.Roles[0] != roleAdmin || first.Version != Version {
		t.Errorf("she is %+v", first)
	}
	if dial(t, s).do(http.StatusOK, "GET", "/api/whoami", ""); read[whoamiView](t, dial(t, s).do(http.StatusOK, "GET", "/api/whoami", "")).Role != roleAgent {
		t.Error("the first agent's role is another")
	}
	// The same e-mail again changes her, and the old token ends.
	control.do(http.StatusOK, "PUT", "/users", `{"name":"Ann B","email":"ann@ringside.example","role":"lead","token":"ann-2"}`, "Content-Type", "application/json")
	wantRefusal(t, ann.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "unauthorized", "")
	ann.token = "ann-2"
	second := read[whoamiView](t, ann.do(http.StatusOK, "GET", "/api/whoami", ""))
	if second.ID != first.ID || second.Name != "Ann B" || second.Role != roleLead {
		t.Errorf("changed she is %+v", second)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := begin(t, Options{File: file})
	ann.base = again.URL()
	wantRefusal(t, ann.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "unauthorized", "") // tokens are in memory only
	if _, err := again.AddUser(User{Name: "Ann B", Email: "ann@ringside.example", Role: roleLead, Token: "ann-2"}); err != nil {
		t.Fatal(err)
	}
	if got := read[whoamiView](t, ann.do(http.StatusOK, "GET", "/api/whoami", "")); got.ID != first.ID {
		t.Errorf("after a restart she is %+v", got)
	}
}

func TestTheFirstAgentsRoleCanBeChanged(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	me := read[whoamiView](t, c.do(http.StatusOK, "GET", "/api/whoami", ""))
	if _, err := s.AddUser(User{Name: me.Name, Email: me.Email, Role: roleAdmin, Token: "second-token", Password: "pass"}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{DefaultToken, "second-token"} {
		c.token = token
		if got := read[whoamiView](t, c.do(http.StatusOK, "GET", "/api/whoami", "")); got.ID != me.ID || got.Role != roleAdmin {
			t.Errorf("%s is %+v", token, got)
		}
	}
	for _, password := range []string{DefaultToken, "pass"} {
		c.do(http.StatusCreated, "POST", "/api/session", `{"user":"u_01","password":"`+password+`"}`)
	}
}

func TestUsersThatCannotBeAreRefused(t *testing.T) {
	s := begin(t, Options{Control: "127.0.0.1:0"})
	if _, err := s.AddUser(User{Name: "Ann", Email: "ann@ringside.example", Token: "ann"}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	c.base = s.ControlURL()
	for _, body := range []string{
		`{"email":"b@ringside.example","token":"b"}`, `{"name":"B","token":"b"}`, `{"name":"B","email":"b@ringside.example"}`,
		`{"name":"B","email":"b@ringside.example","token":"b","role":"king"}`, `{"name":"B","email":"b@ringside.example","token":"ann"}`,
		`{"name":"B","email":"b@ringside.example","token":"sandbox-token"}`, `{"name":"B","email":"b@ringside.example","token":"b","colour":"red"}`,
	} {
		wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/users", body, "Content-Type", "application/json"), "invalid", "user")
	}
	if _, found := s.user("b@ringside.example"); found {
		t.Error("a refused user is there")
	}
	if _, err := Start(t.Context(), Options{Users: []User{{Name: "B"}}}); err == nil {
		t.Error("it starts with a user who has no token")
	}
}
