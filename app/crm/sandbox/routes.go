package sandbox

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const requestIDHeader = "X-Request-Id"

type apiFunc func(r *http.Request) (answer, error)

// apiRoutes is the whole API. Every one of them needs the bearer token.
func (s *Server) apiRoutes() map[string]apiFunc {
	return map[string]apiFunc{
		"GET /api/whoami":                        s.whoami,
		"GET /api/contacts":                      s.listContacts,
		"POST /api/contacts":                     s.postContact,
		"GET /api/contacts/changes":              s.listChanges,
		"PUT /api/contacts/by-key/{key}":         s.putContactByKey,
		"PUT /api/contacts/{id}/phones/{number}": s.putPhone,
		"GET /api/contacts/{id}":                 s.getContact,
		"DELETE /api/contacts/{id}":              s.deleteContact,
		"PATCH /api/contacts/{id}":               s.patchContact,
		"GET /api/contacts/{id}/calls":           s.callsOfContact,
		"GET /api/contacts/{id}/tickets":         s.ticketsOfContact,
		"GET /api/contacts/{id}/orders":          s.ordersOfContact,
		"GET /api/contacts/{id}/tasks":           s.tasksOfContact,
		"PUT /api/contacts/{id}/tags/{tag}":      s.putTag,
		"DELETE /api/contacts/{id}/tags/{tag}":   s.deleteTag,
		"GET /api/tags":                          s.listTags,
		"GET /api/companies":                     s.listCompanies,
		"GET /api/companies/{id}":                s.getCompany,
		"GET /api/tickets":                       s.listTickets,
		"POST /api/tickets":                      s.postTicket,
		"GET /api/tickets/{id}":                  s.getTicket,
		"PATCH /api/tickets/{id}":                s.patchTicket,
		"GET /api/tasks":                         s.listTasks,
		"POST /api/tasks":                        s.postTask,
		"GET /api/calls":                         s.listCalls,
		"POST /api/calls":                        s.postCall,
		"GET /api/calls/{id}":                    s.getCall,
		"PATCH /api/calls/{id}":                  s.patchCall,
		"PUT /api/calls/by-key/{key}":            s.putCallByKey,
	}
}

func (s *Server) mainHandler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.apiRoutes() {
		mux.Handle(pattern, s.api(h))
	}
	mux.Handle("/api/", s.api(func(r *http.Request) (answer, error) { return answer{}, noRoute(mux, r) }))
	mux.Handle("GET /{$}", onlyLoopback(http.HandlerFunc(s.listPage)))
	mux.Handle("GET /contacts/{id}", onlyLoopback(http.HandlerFunc(s.cardPage)))
	mux.Handle("GET /tickets/{id}", onlyLoopback(s.ownerPage(ticketOwner)))
	mux.Handle("GET /calls/{id}", onlyLoopback(s.ownerPage(callOwner)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, noRoute(mux, r)) })
	return s.faulty(s.timed(mux))
}

// noRoute tells a wrong method from a wrong path.
func noRoute(mux *http.ServeMux, r *http.Request) *problem {
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			return &problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "the path exists, the method does not"}
		}
	}
	return notFound("path")
}

// api is the gate before each handler of the API: token, then work, then one answer.
func (s *Server) api(h apiFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.nature.authorize(r); p != nil {
			s.stats.unauthorized.Add(1)
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, p)
			return
		}
		if p := s.nature.allow(time.Now()); p != nil {
			writeProblem(w, p)
			return
		}
		a, err := s.once(h)(r)
		status := a.status
		if err != nil {
			status = s.fail(w, err)
		} else {
			writeJSON(w, a.status, a.body)
		}
		s.log.Debug("request served", "request_id", w.Header().Get(requestIDHeader), "route", r.Pattern, "status", status)
	})
}

// faulty numbers the request and shows it the fault, if one is set for it, else the trouble that chance deals it.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, "req_"+rand.Text())
		s.stats.requests.Add(1)
		f, hit := s.faults.claim(r)
		if !hit {
			trouble, chaos := s.dice.claim(r)
			f = Fault{Trouble: trouble, Latency: time.Duration(chaos.HangMS) * time.Millisecond, RetryAfter: chaos.RetryAfter}
			hit = trouble != ""
		}
		if hit {
			s.stats.faulted.Add(1)
			s.log.Debug("fault shown", "request_id", w.Header().Get(requestIDHeader))
		}
		if f.Trouble != "" {
			s.show(f.Trouble, f.Latency, f.RetryAfter, w, r, next)
			return
		}
		if !wait(r, f.Latency) {
			panic(http.ErrAbortHandler) // the client or the listener has gone: nothing was applied
		}
		switch {
		case f.Status != 0:
			refuse(w, f.Status, seconds(f.RetryAfter))
		case f.DropAnswer:
			next.ServeHTTP(&sink{header: http.Header{}}, r)
			s.drop(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func seconds(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// codes of refusals; others are unavailable.
var codes = map[int]string{
	http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden", http.StatusConflict: "conflict",
	http.StatusUnprocessableEntity: "invalid", http.StatusTooManyRequests: "rate_limited", http.StatusInternalServerError: "internal",
}

func refuse(w http.ResponseWriter, status int, retryAfter string) {
	code := codes[status]
	if code == "" {
		code = "unavailable"
	}
	writeProblem(w, &problem{Status: status, Code: code, Message: "fault set by the sandbox", after: retryAfter})
}

// drop closes the connection without a byte of answer.
func (s *Server) drop(w http.ResponseWriter) {
	s.stats.dropped.Add(1)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.log.Error("answer not dropped in the open", "error", err)
		panic(http.ErrAbortHandler) // cuts the connection as well
	}
	if err := conn.Close(); err != nil {
		s.log.Warn("dropped connection not closed", "error", err)
	}
}

// sink takes the answer that is going to be dropped, or cut.
type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) Write(b []byte) (int, error) {
	s.body = append(s.body, b...)
	return len(b), nil
}

func (s *sink) WriteHeader(status int) { s.status = status }

// timed measures the server's own work, without the latency of a fault.
func (s *Server) timed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		mux.ServeHTTP(w, r)
		s.times.add(r.Pattern, time.Since(begin))
	})
}

func (s *Server) whoami(*http.Request) (answer, error) {
	role := s.store.book.roles[s.agent.ID]
	return ok(struct {
		Agent
		Role string `json:"role"`
	}{s.agent, role}), nil
}

// newest sorts rows by time, latest first, equal times in order of creation reversed.
func newest[T any](rows []T, at func(T) Stamp) {
	slices.Reverse(rows)
	slices.SortStableFunc(rows, func(a, b T) int { return at(b).Compare(at(a).Time) })
}
