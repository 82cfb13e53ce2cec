// Package sandbox is the embedded CRM: a real HTTP server with contacts, calls, tickets, tasks and orders over
// state in memory, for the demo, for training and for tests. It owns that made-up company's data, its HTTP API,
// its pages and the faults it can be told to show. It must not know the agent: it imports none of our packages, so
// that a connector meets it as it meets any vendor's CRM, over the wire only.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

const defaultAddr = "127.0.0.1:0"

// DefaultToken is the demo agent's bearer token. It is public: only for a sandbox that this machine alone reaches.
const DefaultToken = "sandbox-token"

// Options configure Start. The zero value works: a free loopback port, the default seed, nothing on disk.
type Options struct {
	// Addr is the main listener; "" means 127.0.0.1 on a free port. An address that other machines can reach
	// needs a Token of its own, because the default one is public.
	Addr string
	// Control is the listener that steers faults; "" means none. Loopback only.
	Control string
	// Seed picks the made-up customers; 0 means the default seed. Ignored when File already exists.
	Seed uint64
	// File holds the state as JSON (mode 0600); "" means memory only. It is loaded when it exists and replaced
	// atomically after each change, before the change is answered. One server per file.
	File string
	// Token is the bearer token of the demo agent; "" means "sandbox-token".
	Token string
	// Users sign in beside that agent: AddUser adds more.
	Users []User
	// Chaos and Traits are there from the start; SetChaos and SetTraits change them.
	Chaos  Chaos
	Traits Traits
	// Log receives ids, routes and statuses, never customer data; nil means slog.Default().
	Log *slog.Logger
}

// Server is a running sandbox. Its methods may be called concurrently, also after Close.
type Server struct {
	log     *slog.Logger
	nature  nature
	agent   Agent
	store   *store
	faults  faultBox
	dice    dice
	replays replays
	uploads uploads
	grants  *grants
	stats   counters
	times   answerTimes
	main    *door
	control *door // nil without a control listener
	pages   *template.Template
	labels  labels

	quit     chan struct{}
	quitOnce sync.Once
	done     chan struct{}
	closeErr error // written before done closes
}

// Start loads or seeds the state, listens and serves until Close is called or ctx ends. It fails when the state
// file cannot be read or written, when an address cannot be bound, or when Control is not a loopback address.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := build(o)
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	if err := s.listen(o.Addr, o.Control); err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	go s.untilTold(ctx)
	return s, nil
}

func build(o Options) (*Server, error) {
	if err := checkAddresses(o); err != nil {
		return nil, err
	}
	s := &Server{log: o.Log, grants: newGrants(), quit: make(chan struct{}), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.nature.token = o.Token; o.Token == "" {
		s.nature.token = DefaultToken
	}
	err := errors.Join(o.Chaos.check(), o.Traits.check())
	if err != nil {
		return nil, err
	}
	s.dice.set(o.Chaos)
	s.nature.set(o.Traits)
	if s.pages, s.labels, err = loadPages(); err != nil {
		return nil, err
	}
	if s.store, err = openStore(o.File, o.Seed); err != nil {
		return nil, err
	}
	s.agent = s.store.book.users[0]
	for _, u := range o.Users {
		if _, err := s.AddUser(u); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func checkAddresses(o Options) error {
	if o.Control != "" && !isLoopback(o.Control) {
		return fmt.Errorf("control listener %q is not a loopback address", o.Control)
	}
	if o.Addr != "" && !isLoopback(o.Addr) && (o.Token == "" || o.Token == DefaultToken) {
		return fmt.Errorf("address %q is open to other machines: set a token of your own", o.Addr)
	}
	return nil
}

func (s *Server) listen(addr, control string) error {
	if addr == "" {
		addr = defaultAddr
	}
	s.main = newDoor(addr, s.mainHandler(), s.log)
	if err := s.main.open(); err != nil {
		return err
	}
	if control == "" {
		return nil
	}
	s.control = newDoor(control, s.controlHandler(), s.log)
	if err := s.control.open(); err != nil {
		return errors.Join(err, s.main.close())
	}
	return nil
}

// untilTold is the one goroutine that ends the server; done closes when nothing of it runs any more.
func (s *Server) untilTold(ctx context.Context) {
	defer close(s.done)
	select {
	case <-ctx.Done():
	case <-s.quit:
	}
	s.quitOnce.Do(func() { close(s.quit) }) // requests that are late do not hold it up
	var control error
	if s.control != nil {
		control = s.control.close()
	}
	s.closeErr = errors.Join(control, s.main.close())
}

// Close stops both listeners, cuts open connections and returns after everything the server started has stopped.
// The second call returns what the first did.
func (s *Server) Close() error {
	s.quitOnce.Do(func() { close(s.quit) })
	<-s.done
	return s.closeErr
}

// URL is the base address without a trailing slash. It stays the same while connections are refused.
func (s *Server) URL() string { return s.main.url() }

// ControlURL is the base address of the control listener, "" when there is none.
func (s *Server) ControlURL() string {
	if s.control == nil {
		return ""
	}
	return s.control.url()
}

// isLoopback tells whether "host", "host:port" or "[::1]:port" names this machine only. An empty host means every
// interface, so it does not.
func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// onlyLoopback refuses requests from other machines and those sent to a name that merely resolves to loopback
// (DNS rebinding).
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) || !isLoopback(r.RemoteAddr) {
			writeProblem(w, &problem{Status: http.StatusForbidden, Code: "forbidden", Message: "open this on the machine that runs it, under a loopback address"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
