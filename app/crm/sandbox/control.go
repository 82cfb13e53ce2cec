package sandbox

import (
	"encoding/json"
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
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Stats()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, noRoute(mux, r)) })
	return onlyLoopback(mux)
}

func (s *Server) putFault(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeProblem(w, &problem{Status: http.StatusUnsupportedMediaType, Code: "content_type", Message: "send application/json"})
		return
	}
	body, err := readBody(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	var f Fault
	if err := json.Unmarshal(body, &f); err != nil {
		writeProblem(w, invalid("fault", err.Error()))
		return
	}
	s.steer(w, f)
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
