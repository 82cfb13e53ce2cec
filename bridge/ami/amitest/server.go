// Package amitest is a small Asterisk for tests: its manager interface, with sign-in, classes of rights, actions and their replies, and behind it
// either a recorded session or an exchange of its own making, in which tests let callers ring and agents talk. What it tells in which
// order is taken from the recorded sessions; where it is not (attended transfer, conference, an action that hangs up a ringing leg), it is
// constructed from the documentation of Asterisk, and says so.
// It must not know what a client makes of it.
package amitest

import (
	"bufio"
	"crypto/md5" //nolint:gosec // what the protocol's challenge is made of
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The manager user of the server. A test's secret is no secret.
const (
	Username = "ringside"
	Secret   = "s3cret"
)

// bound is how long anything may take that is waited for.
const bound = 20 * time.Second

// Options are what a server is like; the zero value has all rights, chan_sip, and no TLS.
type Options struct {
	// Read and Write are the classes of manager.conf; empty: all.
	Read, Write []string
	// Technology is SIP or PJSIP; empty: SIP.
	Technology string
	// TLS, when set, encrypts.
	TLS *tls.Config
	// Secret is another than the constant, where a test wants one.
	Secret string
	// SlowGetvar delays the answers to Getvar.
	SlowGetvar time.Duration
	// Scene is a recording to play on the first connection; nil: the server is an exchange of its own.
	Scene *Scene
}

// Server is the interface and what is behind it.
type Server struct {
	t       testing.TB
	options Options
	address string

	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	listener net.Listener
	clients  map[*client]bool
	serving  sync.WaitGroup
	signIns  int
	disorder bool
	got      []Block // the actions that came, with the secret left out
	world
}

// Start makes a server that ends with the test.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	if options.Technology == "" {
		options.Technology = "SIP"
	}
	if options.Secret == "" {
		options.Secret = Secret
	}
	s := &Server{t: t, options: options, address: "127.0.0.1:0", changed: make(chan struct{}), clients: map[*client]bool{}, world: newWorld()}
	s.listen()
	t.Cleanup(func() {
		s.Cut()
		s.serving.Wait()
	})
	return s
}

// Address is where it listens, the same after Restore.
func (s *Server) Address() string { return s.address }

func (s *Server) listen() {
	s.t.Helper()
	s.await("the address is free", func() bool {
		l, err := net.Listen("tcp", s.address)
		if err != nil {
			return false
		}
		s.address = l.Addr().String()
		if s.options.TLS != nil {
			l = tls.NewListener(l, s.options.TLS)
		}
		s.listener = l
		return true
	})
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(conn) })
		}
	})
}

// Cut ends all connections and takes no new ones; the calls go on.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ignoreClosed(s.listener.Close())
	for c := range s.clients {
		c.in = false
		s.ignoreClosed(c.conn.Close())
	}
}

// ignoreClosed takes what Close says of something that may be closed already.
func (s *Server) ignoreClosed(error) {}

// Restore ends a Cut.
func (s *Server) Restore() { s.listen() }

// Kill is a Cut in which the exchange loses all its calls, as when it is started anew.
func (s *Server) Kill() {
	s.Cut()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels, s.bridges = nil, map[string][]*Channel{}
}

// await waits for a state of things; ready is called with the lock held.
func (s *Server) await(what string, ready func() bool) {
	s.t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		s.mu.Lock()
		ok, changed := ready(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-again.C:
		case <-timeout.C:
			s.t.Fatalf("%s: did not happen within %v", what, bound)
		}
	}
}

func (s *Server) touched() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Connected tells whether anybody is signed in.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signedIn()
}

func (s *Server) signedIn() bool {
	for c := range s.clients {
		if c.in {
			return true
		}
	}
	return false
}

// Actions gives the actions with a name that came so far.
func (s *Server) Actions(name string) []Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.got), func(b Block) bool { return b.Get("Action") != name })
}

// AwaitAction waits until n actions with a name came, and gives the nth.
func (s *Server) AwaitAction(name string, n int) Block {
	s.t.Helper()
	var all []Block
	s.await(fmt.Sprintf("%d × %s", n, name), func() bool {
		all = slices.DeleteFunc(slices.Clone(s.got), func(b Block) bool { return b.Get("Action") != name })
		return len(all) >= n
	})
	return all[n-1]
}

// SetDisorder has everything told twice from now on, and each two neighbours in the wrong order.
func (s *Server) SetDisorder() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disorder = true
}

// Raw sends bytes to whoever is signed in, and waits until somebody is.
func (s *Server) Raw(raw []byte) {
	s.t.Helper()
	s.await("somebody is signed in", s.signedIn)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.send(raw)
	}
}

// client is one connection.
type client struct {
	conn net.Conn
	out  chan []byte
	in   bool
	mask []string // classes it asked for; nil: all
}

func (c *client) send(raw []byte) {
	select {
	case c.out <- raw:
	default: // it does not read: as Asterisk, we drop it
		_ = c.conn.Close() // whatever it says, it is over
	}
}

// serve holds one connection.
func (s *Server) serve(conn net.Conn) {
	c := &client{conn: conn, out: make(chan []byte, 1<<17)}
	done := make(chan struct{})
	s.mu.Lock()
	s.clients[c] = true
	s.touched()
	s.mu.Unlock()
	s.serving.Go(func() {
		for {
			select {
			case <-done:
				return
			case raw := <-c.out:
				if _, err := conn.Write(raw); err != nil {
					return
				}
			}
		}
	})
	defer func() {
		close(done)
		s.ignoreClosed(conn.Close())
		s.mu.Lock()
		delete(s.clients, c)
		s.touched()
		s.mu.Unlock()
	}()
	c.send([]byte("Asterisk Call Manager/9.0.0\r\n"))
	in := bufio.NewReader(conn)
	challenge := ""
	for {
		a, err := readAction(in)
		if err != nil {
			return
		}
		if !s.signIn(c, a, &challenge) {
			return
		}
	}
}

func readAction(in *bufio.Reader) (Block, error) {
	var b Block
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return b, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if len(b.Fields) == 0 {
				continue
			}
			return b, nil
		}
		key, value, _ := strings.Cut(line, ":")
		b.Fields = append(b.Fields, Field{key, strings.TrimPrefix(value, " ")})
	}
}

// signIn takes the two actions of signing in, and passes others on once that is done; false ends the connection.
func (s *Server) signIn(c *client, a Block, challenge *string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, a)
	defer s.touched()
	name, id := a.Get("Action"), a.Get("ActionID")
	switch {
	case name == "Challenge":
		*challenge = "840415273"
		c.send(reply(id, "Success", "Challenge", *challenge))
	case name == "Login":
		sum := md5.Sum([]byte(*challenge + s.options.Secret)) //nolint:gosec // as the protocol asks
		if a.Get("Username") != Username || a.Get("Key") != hex.EncodeToString(sum[:]) || *challenge == "" {
			c.send(reply(id, "Error", "Message", "Authentication failed"))
			s.serving.Go(func() { s.hangUpSoon(c) })
			return true
		}
		c.in = true
		if mask := a.Get("Events"); mask != "" && mask != "on" {
			c.mask = strings.Split(mask, ",")
		}
		c.send(reply(id, "Success", "Message", "Authentication accepted"))
		s.signIns++
		if s.options.Scene != nil && s.signIns == 1 {
			s.play()
		}
	case !c.in:
		c.send(reply(id, "Error", "Message", "Authentication Required"))
	default:
		s.act(c, name, id, a)
	}
	return true
}

// hangUpSoon ends a connection when what was sent is on its way.
func (s *Server) hangUpSoon(c *client) {
	for range 100 {
		if len(c.out) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	s.ignoreClosed(c.conn.Close())
}

// play sends what the exchange said in a scene, without the replies to whoever it was recorded from.
func (s *Server) play() {
	for _, b := range s.options.Scene.Blocks {
		if b.Get("Event") != "" && b.Get("ActionID") == "" {
			s.event(b)
		}
	}
}

// event sends a block to all who may see it; the lock is held.
func (s *Server) event(b Block) {
	class, _, _ := strings.Cut(b.Get("Privilege"), ",")
	raw := b.Bytes()
	for c := range s.clients {
		may := func(classes []string) bool { return len(classes) == 0 || slices.Contains(classes, class) }
		if c.in && may(s.options.Read) && may(c.mask) {
			c.send(raw)
		}
	}
}

func reply(id, response string, more ...string) []byte {
	b := Block{Fields: []Field{{"Response", response}, {"ActionID", id}}}
	for i := 0; i+1 < len(more); i += 2 {
		b.Fields = append(b.Fields, Field{more[i], more[i+1]})
	}
	return b.Bytes()
}
