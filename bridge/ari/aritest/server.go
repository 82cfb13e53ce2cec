package aritest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The user of the test server.
const (
	User     = "ringside"
	Password = "s3cret-of-the-pbx"
)

// Server is a PBX with ARI in front of it, on this machine. It fails the test by itself when it cannot serve.
type Server struct {
	*PBX
	address string

	mu       sync.Mutex
	http     *http.Server
	serving  chan struct{}
	watchers map[*watcher]bool
	running  sync.WaitGroup // WebSockets, which the HTTP server does not wait for
	joined   chan struct{}  // closed when one comes
	asked    []string       // method and path of each request, and its query
	readOnly bool
	variable func() (status int)
	disorder bool
}

// watcher is one WebSocket; its events wait in out.
type watcher struct {
	out   chan []byte
	late  []byte // told again after the next one
	close context.CancelFunc
	wants bool // it is told of what happens
}

// maxWaiting is how many events may wait for a client that does not read.
const maxWaiting = 10_000

// Start makes a server that ends with the test.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{PBX: New(time.Now), address: "127.0.0.1:0", watchers: map[*watcher]bool{}, joined: make(chan struct{})}
	s.Listen(s.pass)
	s.Restore(t)
	t.Cleanup(func() { s.Break(t) })
	return s
}

// URL is where the server is, also while it is broken.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.address
}

// ReadOnly makes the user one that may only read.
func (s *Server) ReadOnly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOnly = true
}

// OnVariable is called before a question about a variable is answered, and says with which status of HTTP.
func (s *Server) OnVariable(f func() (status int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variable = f
}

// Disorder tells everything twice from now on, the second time after what came next.
func (s *Server) Disorder() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disorder = true
}

// Asked lists the requests so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Break cuts all connections and takes no new ones; calls go on.
func (s *Server) Break(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	server, serving := s.http, s.serving
	for w := range s.watchers {
		w.close()
	}
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-serving
	s.running.Wait()
}

// Restore lets clients connect again.
func (s *Server) Restore(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	serving := make(chan struct{})
	s.mu.Lock()
	s.address, s.http, s.serving = l.Addr().String(), server, serving
	s.mu.Unlock()
	go func() {
		defer close(serving)
		_ = server.Serve(l) // ends by Close
	}()
}

// Raw sends bytes as one message to every client, once there is one.
func (s *Server) Raw(t *testing.T, raw []byte) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		for w := range s.watchers {
			w.out <- raw
		}
		n, joined := len(s.watchers), s.joined
		s.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-joined:
		case <-timeout.C:
			t.Fatal("nobody connected to be sent garbage")
		}
	}
}

// pass gives an event to everybody who listens.
func (s *Server) pass(event []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		if !w.wants {
			continue
		}
		w.out <- event
		if s.disorder {
			if w.late != nil {
				w.out <- w.late
			}
			w.late = event
		}
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
	readOnly, variable := s.readOnly, s.variable
	s.mu.Unlock()
	user, password, ok := r.BasicAuth()
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/ari/"), "/")
	switch {
	case !ok || user != User || password != Password:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method != http.MethodGet && readOnly:
		w.WriteHeader(http.StatusForbidden)
	case path[0] == "events":
		s.events(w, r)
	case path[0] == "applications" && r.Method == http.MethodPost:
		s.subscribe(w, r)
	case path[0] == "applications":
		s.filter(w, r)
	case path[0] == "bridges":
		s.list(w, true)
	case path[0] == "channels" && len(path) == 1 && r.Method == http.MethodGet:
		s.list(w, false)
	case path[0] == "channels" && len(path) == 1 && r.Method == http.MethodPost:
		s.originate(w, r)
	case strings.HasSuffix(r.URL.Path, "/variable") && variable != nil:
		if status := variable(); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		s.channel(w, r, path[1:])
	case path[0] == "channels":
		s.channel(w, r, path[1:])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func (s *Server) list(w http.ResponseWriter, bridges bool) {
	s.PBX.mu.Lock()
	defer s.PBX.mu.Unlock()
	all := []fields{}
	if bridges {
		for _, b := range s.bridges {
			all = append(all, b.snap())
		}
	} else {
		for _, c := range s.channels {
			all = append(all, c.snap())
		}
	}
	answer(w, all)
}

// subscribe gives an application that is connected the events it asks for, which are all there are here.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.watchers) == 0:
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Query().Get("eventSource") != "channel:,bridge:":
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		for one := range s.watchers {
			one.wants = true
		}
		answer(w, fields{"name": "ringside"})
	}
}

func (s *Server) filter(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Disallowed []struct {
			Type string `json:"type"`
		} `json:"disallowed"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.PBX.mu.Lock()
	defer s.PBX.mu.Unlock()
	for _, e := range wanted.Disallowed {
		s.filtered[e.Type] = true
	}
	answer(w, fields{"name": "ringside"})
}

func (s *Server) originate(w http.ResponseWriter, r *http.Request) {
	var o struct {
		Endpoint, Extension, Context, ChannelID string
		Variables                               map[string]string
		Priority, Timeout                       int
	}
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil || o.Endpoint == "" || o.Extension == "" || o.Context == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.click(o.ChannelID, o.Endpoint, o.Extension)
	answer(w, fields{"id": o.ChannelID})
}

func (s *Server) channel(w http.ResponseWriter, r *http.Request, path []string) {
	s.PBX.mu.Lock()
	defer s.PBX.mu.Unlock()
	c := s.channels[path[0]]
	switch {
	case c == nil:
		w.WriteHeader(http.StatusNotFound)
	case len(path) == 2 && path[1] == "variable" && r.URL.Query().Get("variable") == "CHANNEL(linkedid)":
		answer(w, fields{"value": c.Linked})
	case len(path) == 2 && path[1] == "variable" && r.URL.Query().Get("variable") == "CALLERID(num-pres)":
		answer(w, fields{"value": c.Presentation})
	case len(path) == 1 && r.Method == http.MethodDelete:
		cause := map[string]int{"busy": 17, "normal": 16}[r.URL.Query().Get("reason")]
		s.hangup(c, cause, true)
		w.WriteHeader(http.StatusNoContent)
	default: // answer, hold, redirect, dtmf: only for channels in a Stasis application
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"message":"Channel not in Stasis application"}`)
	}
}

// events serves one WebSocket until either side ends it.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("app") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // r's ends when the handshake is over
	defer cancel()
	one := &watcher{out: make(chan []byte, maxWaiting), close: cancel, wants: r.URL.Query().Get("subscribeAll") == "true"}
	s.mu.Lock() // before the handshake is answered: nothing that happens from then on is lost, as with Asterisk
	s.watchers[one] = true
	s.running.Add(1)
	close(s.joined)
	s.joined = make(chan struct{})
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, one)
		s.mu.Unlock()
		s.running.Done()
	}()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ari"}})
	if err != nil {
		return // the library answered
	}
	defer conn.CloseNow() //nolint:errcheck // the client may be gone
	ctx = conn.CloseRead(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-one.out:
			if conn.Write(ctx, websocket.MessageText, event) != nil {
				return
			}
		}
	}
}
