package sandbox

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const requestIDHeader = "X-Request-Id"

type apiFunc func(r *http.Request) (answer, error)

// route is a handler with the right it needs; "" for one that everybody has, or that the handler asks for itself.
type route struct {
	right string
	do    apiFunc
}

// apiRoutes is the API, but for signing in. Every one of them needs a bearer token.
func (s *Server) apiRoutes() map[string]route {
	return map[string]route{
		"GET /api/whoami":                        {"whoami", s.whoami},
		"GET /api/version":                       {"", s.getVersion},
		"GET /api/permissions":                   {"", s.getPermissions},
		"DELETE /api/session":                    {"", s.logout},
		"GET /api/contacts":                      {"lookup", s.listContacts},
		"POST /api/contacts":                     {"create_contact", s.postContact},
		"GET /api/contacts/changes":              {"changes", s.listChanges},
		"PUT /api/contacts/by-key/{key}":         {"create_contact", s.putContactByKey},
		"PUT /api/contacts/{id}/phones/{number}": {"add_number", s.putPhone},
		"GET /api/contacts/{id}":                 {"get", s.getContact},
		"DELETE /api/contacts/{id}":              {rightDelete, s.deleteContact},
		"PATCH /api/contacts/{id}":               {"update_contact", s.patchContact},
		"GET /api/contacts/{id}/calls":           {"history", s.callsOfContact},
		"GET /api/contacts/{id}/tickets":         {"list_tickets", tickets.ofContact(s)},
		"GET /api/contacts/{id}/orders":          {"list_orders", s.ordersOfContact},
		"GET /api/contacts/{id}/tasks":           {"history", tasks.ofContact(s)},
		"GET /api/contacts/{id}/notes":           {"history", notes.ofContact(s)},
		"PUT /api/contacts/{id}/tags/{tag}":      {"add_tags", s.putTag},
		"DELETE /api/contacts/{id}/tags/{tag}":   {"remove_tags", s.deleteTag},
		"GET /api/tags":                          {"list_options", s.listTags},
		"GET /api/options/{kind}":                {"list_options", s.listOptions},
		"GET /api/fields/{object}":               {"describe", s.listFields},
		"POST /api/fields/{object}":              {rightFields, s.postField},
		"GET /api/companies":                     {"lookup", s.listCompanies},
		"GET /api/companies/{id}":                {"lookup", s.getCompany},
		"GET /api/tickets":                       {"list_tickets", tickets.list(s)},
		"POST /api/tickets":                      {"create_ticket", tickets.post(s)},
		"PUT /api/tickets/by-key/{key}":          {"create_ticket", tickets.putByKey(s)},
		"GET /api/tickets/{id}":                  {"list_tickets", tickets.get(s)},
		"PATCH /api/tickets/{id}":                {"", s.patchTicket},
		"GET /api/tasks":                         {"history", tasks.list(s)},
		"POST /api/tasks":                        {"create_task", tasks.post(s)},
		"PUT /api/tasks/by-key/{key}":            {"create_task", tasks.putByKey(s)},
		"GET /api/tasks/{id}":                    {"history", tasks.get(s)},
		"PATCH /api/tasks/{id}":                  {"create_task", tasks.patch(s)},
		"GET /api/notes":                         {"history", notes.list(s)},
		"POST /api/notes":                        {"add_note", notes.post(s)},
		"PUT /api/notes/by-key/{key}":            {"add_note", notes.putByKey(s)},
		"GET /api/notes/{id}":                    {"history", notes.get(s)},
		"PATCH /api/notes/{id}":                  {"add_note", notes.patch(s)},
		"GET /api/calls":                         {"history", s.listCalls},
		"POST /api/calls":                        {"log_call", s.postCall},
		"GET /api/calls/{id}":                    {"history", s.getCall},
		"PATCH /api/calls/{id}":                  {"log_call", s.patchCall},
		"PUT /api/calls/by-key/{key}":            {"log_call", s.putCallByKey},
		"PUT /api/calls/{id}/{part}":             {"attach_recording", s.putRecording}, // recording or file: names there would collide with by-key
		"POST /api/calls/{id}/recording":         {"attach_recording", s.postRecording},
		"OPTIONS /api/uploads":                   {"", tusOptions},
		"POST /api/uploads":                      {"attach_recording", s.tus(s.tusCreate)},
		"HEAD /api/uploads/{id}":                 {"attach_recording", s.tus(tusHead)},
		"PATCH /api/uploads/{id}":                {"attach_recording", s.tus(tusPatch)},
		"DELETE /api/uploads/{id}":               {"attach_recording", s.tus(s.tusDelete)},
	}
}

func (s *Server) mainHandler() http.Handler {
	mux := http.NewServeMux()
	for pattern, to := range s.apiRoutes() {
		mux.Handle(pattern, s.api(to))
	}
	mux.Handle("/api/", s.api(route{"", func(r *http.Request) (answer, error) { return answer{}, noRoute(mux, r) }}))
	mux.HandleFunc("POST /api/session", s.login)
	mux.Handle("GET /oauth/authorize", onlyLoopback(http.HandlerFunc(s.authorizeOAuth)))
	mux.HandleFunc("POST /oauth/token", s.tokenOAuth)
	mux.HandleFunc("POST /oauth/revoke", s.revokeOAuth)
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

// api is the gate before each handler of the API: token, rate and right, then work, then one answer.
func (s *Server) api(to route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, p := s.authorize(r)
		if p != nil {
			s.stats.unauthorized.Add(1)
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, p)
			return
		}
		if p := s.nature.allow(time.Now()); p != nil {
			writeProblem(w, p)
			return
		}
		r = signedIn(r, who)
		var a answer
		err := s.permit(r, to.right)
		if err == nil {
			a, err = s.once(to.do)(r)
		}
		status := a.status
		if err != nil {
			status = s.fail(w, err)
		} else {
			maps.Copy(w.Header(), a.header)
			writeJSON(w, a.status, a.body)
		}
		s.log.Debug("request served", "request_id", w.Header().Get(requestIDHeader), "route", r.Pattern, "status", status)
	})
}

// faulty numbers the request and shows it the fault, if one is set for it, else the trouble that chance deals it.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, "req_"+rand.Text())
		w.Header().Set("Date", s.nature.get().clock(time.Now()))
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

// codes of the refusals that a fault makes; others are unavailable.
var codes = map[int]string{
	http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden", http.StatusConflict: "conflict",
	http.StatusNotFound: "not_found", http.StatusPreconditionFailed: "version_conflict", http.StatusUnprocessableEntity: "invalid", http.StatusTooManyRequests: "rate_limited", http.StatusInternalServerError: "internal",
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

// newest sorts rows by time, latest first, equal times in order of creation reversed.
func newest[T any](rows []T, at func(T) Stamp) {
	slices.Reverse(rows)
	slices.SortStableFunc(rows, func(a, b T) int { return at(b).Compare(at(a).Time) })
}
