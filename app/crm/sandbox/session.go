package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"
)

// session is the answer to a login.
type session struct {
	Token     string `json:"token"`
	ExpiresIn int64  `json:"expires_in"` // seconds, rounded up
	UserID    string `json:"user_id"`
}

// login is POST /api/session: an e-mail (or id) and a password for a token that ends. A login is no request of the API: it needs no
// token and counts against no rate.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	out, err := s.signIn(r)
	if err == nil {
		writeJSON(w, http.StatusCreated, out)
		return
	}
	if p, refused := err.(*problem); refused && p.Status == http.StatusUnauthorized && s.nature.get().SoftRefusals { //nolint:errorlint // our own, never wrapped
		writeJSON(w, http.StatusOK, map[string]string{"error": p.Message})
		return
	}
	s.fail(w, err)
}

func (s *Server) signIn(r *http.Request) (session, error) {
	in, err := parseBody(r)
	if err != nil {
		return session{}, err
	}
	if err := in.need("user", "password"); err != nil {
		return session{}, err
	}
	var given struct{ user, password string }
	if json.Unmarshal(in.values["user"], &given.user) != nil || json.Unmarshal(in.values["password"], &given.password) != nil {
		return session{}, invalid("user", "user and password must be strings")
	}
	who, found := s.user(given.user)
	if !found || !s.passwordFits(who.ID, given.password) {
		s.stats.unauthorized.Add(1)
		return session{}, &problem{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "user or password is wrong"}
	}
	life := lifeOf(s.nature.get().SessionMS, defaultSession)
	token := s.grants.issue("ses_", grant{user: who.ID}, life, time.Now())
	return session{token, wholeSeconds(life), who.ID}, nil
}

// passwordFits: the first agent's password is the bearer token, besides one that AddUser may have given.
func (s *Server) passwordFits(user, password string) bool {
	first := user == s.agent.ID && subtle.ConstantTimeCompare([]byte(password), []byte(s.nature.bearer())) == 1
	return first || s.grants.knows(user, password)
}

// logout ends the session whose token it was sent with.
func (s *Server) logout(r *http.Request) (answer, error) {
	s.grants.forget(bearerOf(r))
	return ok(map[string]bool{"ended": true}), nil
}

func lifeOf(ms int64, otherwise time.Duration) time.Duration {
	if ms == 0 {
		return otherwise
	}
	return time.Duration(ms) * time.Millisecond
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
