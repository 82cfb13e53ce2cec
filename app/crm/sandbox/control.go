package sandbox

import (
	"mime"
	"net/http"
)

// controlHandler serves the fault control. It has no bearer: being on this machine under a loopback name is the
// permission, and the content type keeps other web pages from sending a PUT without the browser asking first.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Fault()) })
	mux.HandleFunc("PUT /fault", s.putFault)
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) { s.steer(w, Fault{}) })
	mux.HandleFunc("GET /chaos", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Chaos()) })
	mux.HandleFunc("PUT /chaos", steered(s, "chaos", s.SetChaos, s.Chaos))
	mux.HandleFunc("DELETE /chaos", func(w http.ResponseWriter, _ *http.Request) {
		s.dice.set(Chaos{})
		writeJSON(w, http.StatusOK, s.Chaos())
	})
	mux.HandleFunc("GET /traits", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Traits()) })
	mux.HandleFunc("PUT /traits", steered(s, "traits", s.SetTraits, s.Traits))
	mux.HandleFunc("DELETE /traits", func(w http.ResponseWriter, _ *http.Request) {
		s.nature.set(Traits{})
		writeJSON(w, http.StatusOK, s.Traits())
	})
	mux.HandleFunc("PUT /token", steered(s, "token", func(t fresh) error { s.RenewToken(t.Token); return nil }, func() fresh { return fresh{s.RenewToken("")} }))
	mux.HandleFunc("PUT /users", s.putUser)
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Ledger()) })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Stats()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, noRoute(mux, r)) })
	return onlyLoopback(mux)
}

func (s *Server) putFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if s.readControl(w, r, "fault", &f) {
		s.steer(w, f)
	}
}

// readControl reads a body, or answers what is wrong with it.
func (s *Server) readControl(w http.ResponseWriter, r *http.Request, what string, into any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeProblem(w, &problem{Status: http.StatusUnsupportedMediaType, Code: "content_type", Message: "send application/json"})
		return false
	}
	body, err := readBody(r)
	if err != nil {
		s.fail(w, err)
		return false
	}
	if err := strictly(body, into); err != nil {
		writeProblem(w, invalid(what, err.Error()))
		return false
	}
	return true
}

func (s *Server) putUser(w http.ResponseWriter, r *http.Request) {
	var u User
	if !s.readControl(w, r, "user", &u) {
		return
	}
	a, err := s.AddUser(u)
	if err != nil {
		writeProblem(w, invalid("user", err.Error()))
		return
	}
	writeJSON(w, http.StatusOK, a)
}

// fresh is the body of PUT /token: {} renews the token there is.
type fresh struct {
	Token string `json:"token"`
}

// steered is the handler of a PUT that replaces one setting and answers it.
func steered[T any](s *Server, what string, set func(T) error, get func() T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		if !s.readControl(w, r, what, &v) {
			return
		}
		if err := set(v); err != nil {
			writeProblem(w, invalid(what, err.Error()))
			return
		}
		writeJSON(w, http.StatusOK, get())
	}
}

func (s *Server) steer(w http.ResponseWriter, f Fault) {
	if err := f.check(); err != nil {
		writeProblem(w, invalid("fault", err.Error()))
		return
	}
	if err := s.SetFault(f); err != nil {
		s.log.Error("fault not set", "error", err)
		writeProblem(w, &problem{Status: http.StatusInternalServerError, Code: "listener", Message: err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s.Fault())
}
