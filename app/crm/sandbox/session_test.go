package sandbox

import (
	"net/http"
	"testing"
	"time"
)

const login = `{"user":"lin.yue@ringside.example","password":"sandbox-token"}`

func TestALoginGivesATokenThatWorksUntilLogout(t *testing.T) {
	s := begin(t, Options{Users: []User{{Name: "Ann", Email: "ann@ringside.example", Role: roleLead, Token: "ann", Password: "secret"}}})
	c := dial(t, s)
	for body, want := range map[string]string{login: "u_01", `{"user":"u_01","password":"sandbox-token"}`: "u_01", `{"user":"ann@ringside.example","password":"secret"}`: "u_06"} {
		c.token = ""
		in := read[session](t, c.do(http.StatusCreated, "POST", "/api/session", body))
		if in.ExpiresIn != 3600 || in.UserID != want {
			t.Errorf("the session is %+v", in)
		}
		c.token = in.Token
		if got := read[whoamiView](t, c.do(http.StatusOK, "GET", "/api/whoami", "")); got.ID != want {
			t.Errorf("it is %+v", got)
		}
		other := dial(t, s)
		other.token = read[session](t, c.do(http.StatusCreated, "POST", "/api/session", body)).Token
		c.do(http.StatusOK, "DELETE", "/api/session", "")
		wantRefusal(t, c.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "unauthorized", "")
		other.do(http.StatusOK, "GET", "/api/whoami", "")
	}
	for _, own := range []string{DefaultToken, "ann"} { // a token that is no session's stays
		c.token = own
		c.do(http.StatusOK, "DELETE", "/api/session", "")
		c.do(http.StatusOK, "GET", "/api/whoami", "")
	}
}

func TestAWrongLoginIsRefusedAsTheTraitSays(t *testing.T) {
	s := begin(t, Options{Users: []User{{Name: "Ann", Email: "ann@ringside.example", Token: "ann", Password: "secret"}}})
	c := dial(t, s)
	wrong := []string{`{"user":"u_01","password":"x"}`, `{"user":"ann@ringside.example","password":"ann"}`, `{"user":"u_02","password":""}`,
		`{"user":"u_02","password":"sandbox-token"}`, `{"user":"ann@ringside.example","password":"sandbox-token"}`, `{"user":"","password":"sandbox-token"}`}
	for _, body := range wrong {
		wantRefusal(t, c.do(http.StatusUnauthorized, "POST", "/api/session", body), "unauthorized", "")
	}
	setTraits(t, s, Traits{SoftRefusals: true})
	for _, body := range wrong {
		if got := read[map[string]any](t, c.do(http.StatusOK, "POST", "/api/session", body)); got["error"] != "user or password is wrong" || got["token"] != nil {
			t.Errorf("softly refused it is %v", got)
		}
	}
	c.do(http.StatusCreated, "POST", "/api/session", login)
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", "/api/session", `{"user":"u_01"}`), "invalid", "password")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", "/api/session", `{"user":"u_01","password":7}`), "invalid", "user")
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/session", `no`), "bad_json", "")
}

func TestASessionEndsByItself(t *testing.T) {
	s := begin(t, Options{Traits: Traits{SessionMS: 1}})
	c := dial(t, s)
	in := read[session](t, c.do(http.StatusCreated, "POST", "/api/session", login))
	if in.ExpiresIn != 1 {
		t.Errorf("it says %d seconds, want them rounded up", in.ExpiresIn)
	}
	for made := time.Now(); time.Since(made) <= time.Millisecond; { // the shortest session there is passes
	}
	c.token = in.Token
	wantRefusal(t, c.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "token_expired", "")
}

func TestExpiredTokensAreForgottenAfterAWhile(t *testing.T) {
	g, at := newGrants(), time.Now()
	token := g.issue("", grant{user: "u"}, time.Minute, at)
	if _, p := g.holder(token, at.Add(time.Minute)); p != errExpired {
		t.Errorf("an expired token is refused as %v", p)
	}
	g.issue("", grant{user: "u"}, time.Minute, at.Add(keepExpired+2*time.Minute))
	if _, p := g.holder(token, at.Add(keepExpired+2*time.Minute)); p != errNoToken || len(g.tokens) != 1 {
		t.Errorf("an hour later it is refused as %v, %d tokens are kept", p, len(g.tokens))
	}
}
