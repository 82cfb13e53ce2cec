// Package bria is the call source for the softphone Bria over its Desktop API: it owns that wire (messages that resemble HTTP in WebSocket
// frames), the connection, and what Bria's lists of calls mean in canonical events. Bria only says that something changed; what it was is
// found by asking for the list and comparing it with the one before.
// It must not know what becomes of the events, other sources, or who gives commands.
//
// Written from the facts of the wire, with no code of CounterPath's. Their terms ask for Notice to be shown.
//
// The API's public name resolves to this machine, and its certificate lies in every Bria, so that it proves little. The source therefore
// asks no name server and connects to this machine only.
package bria

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Notice is what CounterPath's terms of use (2b) ask a program to show that uses the API.
const Notice = "This product uses the CounterPath API but is not endorsed or certified by CounterPath."

// Where the API is.
const (
	DefaultAddress = "127.0.0.1:9002"
	apiName        = "cpclientapi.softphone.com"
	apiURL         = "wss://" + apiName + ":9002/counterpath/socketapi/v1/"
)

// The back-off between connections: doubling from backoffFirst to backoffMost, a random part of up to a quarter taken off, never
// shorter than backoffFirst. A connection that ends before it lived for provenAfter counts as a failed attempt.
const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 15 * time.Second
	provenAfter  = 10 * time.Second
	dialTimeout  = 5 * time.Second
)

// lookEvery is how often the calls are asked for without a notice: a notice may be lost, and a phone that hangs is found out.
const lookEvery = 5 * time.Second

// shutOutFor is how long Bria is left alone after it did not let us in: its user may be asked each time.
const shutOutFor = 15 * time.Second

// eventQueue is how many events may wait for emit before the phone is no longer read: replies to commands must get through while emit blocks.
const eventQueue = 1024

// Source is one Bria. Make it with New.
type Source struct {
	address  string
	log      *slog.Logger
	roots    *x509.CertPool // nil: the system's
	dial     func(ctx context.Context) (net.Conn, error)
	commands chan struct{} // holds one token: one command at a time
	tape     tape.Deck

	mu      sync.Mutex
	running bool
	link    *link // nil while not connected
	in      *interpreter
	version version
	fills   bool // dialling only fills in the number
}

// New makes the source for the Bria on this machine; address is DefaultAddress if empty. extension is the agent's own; log may be nil. It
// does not connect yet. The error's kind is invalid when the address is no host:port or not this machine's.
func New(address, extension string, log *slog.Logger) (*Source, error) {
	if address == "" {
		address = DefaultAddress
	}
	host, port, err := net.SplitHostPort(address)
	n, numErr := strconv.ParseUint(port, 10, 16)
	ip, ipErr := netip.ParseAddr(host)
	if err != nil || numErr != nil || n == 0 || host != "localhost" && (ipErr != nil || !ip.IsLoopback()) {
		return nil, cti.Errorf(cti.Invalid, "Bria's address must be on this machine, such as "+DefaultAddress+"; leave it out for that one", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	source := cti.Source{Adapter: "bria", Instance: address, Confidence: cti.Polled}
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Source{address: address, dial: func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) },
		log: log.With("source", "bria", "address", address), commands: make(chan struct{}, 1),
		in: newInterpreter(source, extension)}, nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has
// stopped, and emit is not called any more. emit may block, and must let go when ctx ends. On every connection comes source.up and
// source.snapshot, as soon as Bria lets us in and its account is registered; when either ends, source.down. It runs once at a time: a second
// Run beside the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return cti.Errorf(cti.Conflict, "run the phone's source: it runs already", nil)
	}
	s.running = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
	}()
	s.log.Info("licence notice", "text", Notice)

	queue := make(chan cti.Event, eventQueue)
	var emitter sync.WaitGroup
	emitter.Go(func() { deliver(ctx, queue, emit) })
	defer emitter.Wait()
	(&session{source: s, queue: queue}).reconnect(ctx)
	return nil
}

// deliver passes events on in order until ctx ends.
func deliver(ctx context.Context, queue <-chan cti.Event, emit func(cti.Event)) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-queue:
			if ctx.Err() != nil {
				return
			}
			emit(e)
		}
	}
}

// open connects to this machine under the API's public name.
func (s *Source) open(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
		TLSClientConfig: &tls.Config{ServerName: apiName, RootCAs: s.roots, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return errStrange }}
	conn, _, err := websocket.Dial(ctx, apiURL, &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"User-Agent": {agent}}}) //nolint:bodyclose // the library does
	return conn, unreached(err)
}

// unreached says what to do about a connection that could not be made.
func unreached(err error) error {
	var untrusted *tls.CertificateVerificationError
	var failed *net.OpError
	switch {
	case errors.As(err, &untrusted):
		return cti.Errorf(cti.Offline, "Bria's certificate is not trusted: update Bria, and let this computer reach the internet once for the certificate's chain", untrusted.Err)
	case errors.As(err, &failed) && failed.Op == "dial":
		return cti.Errorf(cti.Offline, "Bria does not answer: is it running, and does its licence include the Desktop API", err)
	}
	return err
}

// session is what one Run keeps across its connections.
type session struct {
	source *Source
	queue  chan<- cti.Event

	// What source.up stands for; all but saidDown are of the present connection.
	let, registered bool // Bria lets us in, and its account can be called
	account         string
	said            bool // source.up was said
	saidDown        bool

	// The list of calls is asked for once at a time.
	asking, again, owed bool // owed: the next list is a snapshot
	asked               time.Time
}

// reconnect is the loop that never is a tight one: every turn but the one after a proven connection waits longer than the last.
func (c *session) reconnect(ctx context.Context) {
	wait := backoffFirst
	for ctx.Err() == nil {
		lived, err := c.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		c.down(ctx, why(err))
		if lived >= provenAfter {
			wait = backoffFirst
		}
		pause := max(backoffFirst, wait-mathrand.N(wait/4)) //nolint:gosec // jitter
		wait = min(2*wait, backoffMost)
		c.source.log.Warn("phone not connected", "error", err, "lived", lived, "retry_in", pause)
		if !sleep(ctx, pause) {
			return
		}
	}
}

// why says what a lost connection means.
func why(err error) string {
	if websocket.CloseStatus(err) >= 0 || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "Bria closed the connection: it ended, or its user signed out"
	}
	return err.Error()
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect serves one connection from dialling to its end, and tells how long it lived and why it ended.
func (c *session) connect(ctx context.Context) (time.Duration, error) {
	conn, err := c.source.open(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	l := newLink(conn, &c.source.tape)
	c.source.use(l)
	defer c.source.use(nil)
	c.let, c.registered, c.said, c.asking, c.again, c.owed = false, true, false, false, false, true
	c.greet(ctx, l)
	err = l.run(ctx, func(m message) { c.notice(ctx, l, m.notice) }, func(err error) {
		c.source.log.Warn("message of the phone skipped", "error", err)
	}, lookEvery, func() error { return c.look(ctx, l) })
	return time.Since(began), err
}

func (s *Source) use(l *link) {
	s.mu.Lock()
	s.link = l
	s.mu.Unlock()
}

// greet asks for all that is to be known at the beginning. Old versions do not know all of it and refuse.
func (c *session) greet(ctx context.Context, l *link) {
	c.source.mu.Lock()
	c.source.version, c.source.fills = version{}, false
	c.source.mu.Unlock()
	c.ask(l, "systemInformation", func(m message) {
		c.source.mu.Lock()
		c.source.version = parseVersion(m.doc.Version)
		c.source.mu.Unlock()
		c.source.log.Info("phone connected", "version", cti.Clean(m.doc.Version, 40))
	})
	c.ask(l, "systemSettings", func(m message) {
		c.source.mu.Lock()
		c.source.fills = m.doc.AtOnce == "false"
		c.source.mu.Unlock()
	})
	for _, of := range []string{"audioProperties", "phone", "call"} {
		c.notice(ctx, l, of)
	}
}

// ask sends a question whose reply is taken if it is a yes.
func (c *session) ask(l *link, of string, answered func(message)) {
	if _, err := l.send("status", status(of), func(m message) {
		if refusal(m) == nil {
			answered(m)
		}
	}); err != nil {
		c.source.log.Warn("phone not asked", "about", of, "error", err)
	}
}

// notice is what Bria sends when something changed: it is asked what.
func (c *session) notice(ctx context.Context, l *link, of string) {
	switch of {
	case "call":
		c.calls(ctx, l)
	case "phone", "authentication":
		c.ask(l, "phone", func(m message) { c.phone(ctx, l, m.doc) })
	case "audioProperties":
		c.ask(l, of, func(m message) {
			if on := m.doc.Mute == "enabled"; on || m.doc.Mute == "disabled" {
				c.tell(ctx, func(in *interpreter, at time.Time) []cti.Event { return in.mute(on, at) })
			}
		})
	}
}

// calls asks for the list of calls. While a list is on its way it is asked for again afterwards: it may be older than the notice.
func (c *session) calls(ctx context.Context, l *link) {
	if c.asking {
		c.again = true
		return
	}
	_, err := l.send("status", status("call"), func(m message) {
		c.asking = false
		c.listed(ctx, m)
		if c.again {
			c.again = false
			c.calls(ctx, l)
		}
	})
	if err != nil {
		c.source.log.Warn("phone not asked for its calls", "error", err)
		return
	}
	c.asking, c.asked = true, time.Now()
}

// look asks for the calls without a notice; an error if the phone did not even answer the last question.
func (c *session) look(ctx context.Context, l *link) error {
	since := time.Since(c.asked)
	if c.asking && since > replyTimeout {
		return unanswered()
	}
	if c.let || since >= shutOutFor {
		c.calls(ctx, l)
	}
	return nil
}

func (c *session) listed(ctx context.Context, m message) {
	if err := refusal(m); err != nil {
		c.let = false
		c.down(ctx, cti.MessageOf(err))
		return
	}
	c.let = true
	c.up(ctx)
	if c.owed && !c.said {
		return
	}
	snapshot := c.owed
	c.owed = false
	c.tell(ctx, func(in *interpreter, at time.Time) []cti.Event {
		if snapshot {
			return in.snapshot(m.doc.Calls, at)
		}
		return in.list(m.doc.Calls, at)
	})
}

// phone takes the state of Bria's account: while that cannot be called, the phone is down, though commands may still work.
func (c *session) phone(ctx context.Context, l *link, d doc) {
	c.account = cti.Clean(d.State+" "+d.Account, cti.MaxText)
	switch d.Account {
	case "failureContactingServer", "failureAtServer", "disabled":
		c.registered = false
	case "connecting": // on its way from one to the other
	default:
		c.registered = d.State != "notReady"
	}
	if !c.registered {
		c.down(ctx, "Bria's account is not registered: "+c.account)
		return
	}
	if !c.said && !c.asking { // it may let us in now, too
		c.calls(ctx, l)
	}
}

func (c *session) up(ctx context.Context) {
	if c.said || !c.let || !c.registered {
		return
	}
	c.said, c.saidDown, c.owed = true, false, true
	c.push(ctx, c.event(cti.SourceUp, nil))
}

// down says source.down, once. What happens meanwhile is found out by the snapshot.
func (c *session) down(ctx context.Context, why string) {
	c.said = false
	if c.saidDown {
		return
	}
	c.saidDown = true
	c.push(ctx, c.event(cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: why}))
}

func (c *session) event(t cti.EventType, cause *cti.Cause) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: c.source.in.source, Cause: cause}
}

// tell passes on what the interpreter makes of something.
func (c *session) tell(ctx context.Context, what func(in *interpreter, at time.Time) []cti.Event) {
	c.source.mu.Lock()
	events := what(c.source.in, time.Now().UTC())
	c.source.mu.Unlock()
	for _, e := range events {
		c.push(ctx, e)
	}
}

func (c *session) push(ctx context.Context, e cti.Event) {
	select {
	case c.queue <- e:
	case <-ctx.Done():
	}
}
