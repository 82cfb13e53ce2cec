// Package baresip is the call source for the softphone baresip, versions 1.0.0 to 4, over its ctrl_tcp module: it owns that wire
// (netstrings of JSON), the connection, and what the phone's texts mean in canonical events.
// It must not know what becomes of the events, other sources, or who gives commands.
//
// ctrl_tcp has no password and serves one client: a second one silently evicts the first. So the address must be this machine's,
// and a lost connection is taken up again slowly, or two agents at one phone would fight for it.
package baresip

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

const dialTimeout = 5 * time.Second

// backoff between connections: the interface of one client is fought for where two agents are at one phone.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 15 * time.Second, Proven: 10 * time.Second}

// eventQueue is how many events may wait for emit before the phone is no longer read: replies to commands must get through while
// emit blocks.
const eventQueue = 1024

// Source is one baresip phone. Make it with New.
type Source struct {
	address, extension string
	log                *slog.Logger
	dial               func(ctx context.Context) (net.Conn, error)
	commands           chan struct{} // holds one token: one command at a time
	tape               tape.Deck

	once running.Once
	mu   sync.Mutex
	link *link // nil while not connected
}

// New makes the source for the phone whose ctrl_tcp listens at address ("127.0.0.1:4444"); extension is the agent's own, used
// where the phone does not name its account; log may be nil. It does not connect yet. The error's kind is invalid when the address
// is no host:port or not this machine's.
func New(address, extension string, log *slog.Logger) (*Source, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Source{
		address: address, extension: extension, log: log.With("source", "baresip", "address", address),
		dial:     func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) },
		commands: make(chan struct{}, 1),
	}, nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || n == 0 {
		return cti.Errorf(cti.Invalid, "the phone's address must be host:port, for instance 127.0.0.1:4444", err)
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return cti.Errorf(cti.Invalid, "the phone's address must be on this machine, because ctrl_tcp has no password: write "+
			"\"ctrl_tcp_listen 127.0.0.1:4444\" in baresip's config and use that address here", nil)
	}
	return nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has
// stopped, and emit is not called any more. emit may block, and must let go when ctx ends. On every connection comes source.up and,
// as soon as the phone can name all its calls, source.snapshot; when the connection is lost, source.down. It runs once at a time: a second
// Run beside the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	end, err := s.once.Begin()
	if err != nil {
		return err
	}
	defer end()

	queue := make(chan cti.Event, eventQueue)
	var emitter sync.WaitGroup
	emitter.Go(func() { running.Deliver(ctx, queue, emit) })
	defer emitter.Wait()

	source := cti.Source{Adapter: "baresip", Instance: s.address, Confidence: cti.Signalled}
	mint := func() string { return "dial-" + rand.Text() }
	c := &session{source: s, in: newInterpreter(source, s.extension, mint), queue: queue}
	backoff.Again(ctx, c.connect, nil, func(err error, lived, pause time.Duration) {
		c.lost(ctx, err)
		s.log.Warn("phone not connected", "error", err, "lived", lived, "retry_in", pause)
	})
	return nil
}

// session is what one Run keeps across its connections.
type session struct {
	source *Source
	in     *interpreter
	queue  chan<- cti.Event
	down   bool // source.down was said
	snap   snapshotter

	looking, lookAgain bool // for holds
}

// connect serves one connection from dialling to its end, and tells how long it lived and why it ended.
func (c *session) connect(ctx context.Context) (time.Duration, error) {
	conn, err := c.source.dial(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	l := newLink(conn)
	l.tape = &c.source.tape
	l.muted = func(id string, on bool) {
		for _, e := range c.in.muted(id, on, time.Now().UTC()) {
			c.push(ctx, e)
		}
	}
	c.source.use(l)
	defer c.source.use(nil)
	c.in.connected(l.plans)
	c.down = false
	c.push(ctx, c.sourceEvent(cti.SourceUp, nil))
	c.source.log.Info("phone connected")
	c.snap, c.looking = snapshotter{}, false
	c.ask(ctx, l)
	err = l.run(ctx, func(m message) { c.handle(ctx, l, m) }, func(err error) {
		c.source.log.Warn("message of the phone skipped", "error", err)
	})
	return time.Since(began), err
}

func (s *Source) use(l *link) {
	s.mu.Lock()
	s.link = l
	s.mu.Unlock()
}

func (c *session) handle(ctx context.Context, l *link, m message) {
	events := c.in.events(m, time.Now().UTC())
	for _, e := range events {
		c.push(ctx, e)
	}
	if c.in.mayHold(m) {
		c.look(ctx, l)
	}
	if m.Type == "TRANSFER_FAILED" {
		c.afterTransfer(ctx, l, m)
	}
	if c.snap.saw(m.Type, len(events) > 0) {
		c.ask(ctx, l)
	}
}

// afterTransfer looks whether the phone still has a call that could not be transferred: 1.0.0 drops it and says no more.
func (c *session) afterTransfer(ctx context.Context, l *link, failed message) {
	if failed.ID == "" {
		return
	}
	_, err := l.send("uafind", failed.Account, func(message) {}) // callfind may look among the calls of one account only
	if err == nil {
		_, err = l.send("callfind", failed.ID, func(m message) {
			if chosen(m, failed.ID) {
				return
			}
			for _, e := range c.in.lost(failed.ID, failed.Param, time.Now().UTC()) {
				c.push(ctx, e)
			}
		})
	}
	if err != nil {
		c.source.log.Warn("phone not asked for a call that could not be transferred", "error", err)
	}
}

func (c *session) lost(ctx context.Context, err error) {
	if c.down {
		return
	}
	c.down = true
	raw := err.Error()
	if read := new(net.OpError); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &read) && read.Op == "read" {
		raw = "the phone closed the connection: it ended, or another program took its place" // a reset is that too, with a command on its way
	}
	c.push(ctx, c.sourceEvent(cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: raw}))
}

func (c *session) sourceEvent(t cti.EventType, cause *cti.Cause) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: c.in.source, Cause: cause}
}

func (c *session) push(ctx context.Context, e cti.Event) {
	select {
	case c.queue <- e:
	case <-ctx.Done():
	}
}
