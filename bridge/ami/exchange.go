// Package ami is the exchange Asterisk, versions 13 to 22, over its manager interface: it owns that wire, the connection, and what the manager's
// events mean for each extension in canonical ones. It runs in the relay, near the exchange, for whoever holds the manager user's secret sees
// every call and can end every call.
// It must not know what becomes of the events, other exchanges, who gives commands, or where the secret is kept.
//
// exchange.go and link.go hold the connection; machine.go is where its blocks go in and canonical events come out, without input, output or
// clock: channel.go keeps what was said, leg.go, ending.go, transfer.go, queue.go and data.go tell what follows from it.
package ami

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// backoff between connections; what waiting does not mend (see refused) waits for the most at once.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 30 * time.Second, Proven: 10 * time.Second}

// maxQueue is how many events may wait for emit. Asterisk drops a manager that does not read within a tenth of a second, so the connection is read
// however slowly the events are taken: 20,000 calls an hour are some 2,000 events a minute. Beyond it the connection is given up, and taken up again with a
// snapshot when the queue is empty.
const maxQueue = 1 << 15

// Exchange is one Asterisk. Make it with New; it is a bridge.Exchange. All methods are safe for concurrent use.
type Exchange struct {
	config Config
	log    *slog.Logger
	dial   func(ctx context.Context) (net.Conn, error)
	tape   tape.Deck
	nudge  chan struct{} // the machine wants to be waked at another time
	once   running.Once

	mu      sync.Mutex // guards the machine and everything below
	machine *machine
	link    *link // nil while not connected
	queue   *queue
}

// New makes the exchange; log may be nil. It does not connect yet. Errors are of kind invalid.
func New(c Config, log *slog.Logger) (*Exchange, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	x := &Exchange{config: c, log: log.With("exchange", "ami", "instance", c.Instance), nudge: make(chan struct{}, 1)}
	x.machine = newMachine(c, x.emit, x.send)
	dialer := &net.Dialer{Timeout: dialTimeout}
	x.dial = func(ctx context.Context) (net.Conn, error) {
		if c.TLS != nil {
			return (&tls.Dialer{NetDialer: dialer, Config: c.TLS}).DialContext(ctx, "tcp", c.Address)
		}
		return dialer.DialContext(ctx, "tcp", c.Address)
	}
	return x, nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has stopped, and
// emit is not called any more. emit may block, and must let go when ctx ends. On every connection come source.up, and a source.snapshot for
// each extension that Phone was asked for or that has calls; when it is lost, source.down. It runs once at a time: a second Run beside
// the first fails with kind conflict.
func (x *Exchange) Run(ctx context.Context, emit func(extension string, e cti.Event)) error {
	end, err := x.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	q := newQueue()
	x.mu.Lock()
	x.queue = q
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.queue = nil
		x.mu.Unlock()
	}()
	var parts sync.WaitGroup
	parts.Go(func() { q.deliver(ctx, emit) })
	parts.Go(func() { x.clock(ctx) })
	defer parts.Wait()
	down := false
	backoff.Again(ctx, func(ctx context.Context) (time.Duration, error) {
		if !q.drained(ctx) { // too many waited: begun anew when they are gone
			return 0, ctx.Err()
		}
		return x.connect(ctx, &down)
	}, refused, func(err error, lived, pause time.Duration) {
		if !down {
			down = true
			x.tell(cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: reason(err)})
		}
		x.log.Warn("exchange not connected", "error", err, "lived", lived, "retry_in", pause)
	})
	return nil
}

// emit is what the machine tells; the lock is held.
func (x *Exchange) emit(extension string, e cti.Event) {
	if x.queue == nil {
		return
	}
	if !x.queue.push(extension, e) && x.link != nil {
		ignoreClosed(x.link.conn) // too many wait: begun anew when they are gone
	}
}

// send is what the machine asks; the lock is held.
func (x *Exchange) send(a action) string {
	if x.link == nil {
		return ""
	}
	id, err := x.link.send(a, nil)
	if err != nil {
		x.log.Warn("question not sent", "action", a.name(), "error", err)
		return ""
	}
	return id
}

// clock wakes the machine when it wants to be waked, and every second besides.
func (x *Exchange) clock(ctx context.Context) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.nudge:
		case <-timer.C:
		}
		x.mu.Lock()
		now := time.Now().UTC()
		x.machine.tick(now)
		next := time.Second
		if at, wanted := x.machine.wake(); wanted {
			next = min(next, max(0, at.Sub(now)))
		}
		x.mu.Unlock()
		timer.Reset(next)
	}
}

// refused tells that trying again soon is of no use, and may lock the account.
func refused(err error) bool {
	kind := cti.KindOf(err)
	return kind == cti.Auth || kind == cti.Denied
}

// reason puts into words why there is no connection, for whoever looks after it.
func reason(err error) string {
	if msg := cti.MessageOf(err); msg != "" {
		return msg
	}
	if errors.Is(err, io.EOF) {
		return "the exchange closed the connection"
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "the exchange did not answer in time"
	}
	return err.Error()
}

// connect serves one connection from dialling to its end, and tells how long it lived and why it ended.
func (x *Exchange) connect(ctx context.Context, down *bool) (time.Duration, error) {
	secret, err := x.config.Secret()
	if err != nil {
		return 0, err
	}
	conn, err := x.dial(ctx)
	if err != nil {
		return 0, err
	}
	l := newLink(conn, &x.tape)
	stop := context.AfterFunc(ctx, func() { ignoreClosed(conn) })
	version, err := l.login(x.config.Username, secret, x.config.events())
	stop()
	if err != nil {
		ignoreClosed(conn)
		return 0, err
	}
	began := time.Now()
	x.log.Info("exchange connected", "version", version)
	*down = false
	x.use(l)
	err = l.run(ctx, x.take)
	x.use(nil)
	return time.Since(began), err
}

// events is which classes of events are asked for: the dialplan's are more than half of all, and only needed to see variables being set.
func (c *Config) events() string {
	if len(c.Variables) > 0 || c.RecordingVariable != "" {
		return "call,agent,user,dialplan"
	}
	return "call,agent,user"
}

func (x *Exchange) use(l *link) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.link = l
	x.machine.now = time.Now().UTC()
	if l == nil {
		x.machine.lost()
		return
	}
	x.say(cti.SourceUp, nil)
	x.machine.connected()
}

func (x *Exchange) take(b block) {
	x.mu.Lock()
	before := len(x.machine.deadlines)
	x.machine.apply(b, time.Now().UTC())
	waits := len(x.machine.deadlines) > before
	x.mu.Unlock()
	if waits {
		select {
		case x.nudge <- struct{}{}:
		default:
		}
	}
}

func (x *Exchange) tell(t cti.EventType, cause *cti.Cause) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.say(t, cause)
}

// say is tell while the lock is held.
func (x *Exchange) say(t cti.EventType, cause *cti.Cause) {
	x.emit("", cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: x.machine.source, Cause: cause})
}

// queue holds events until emit takes them.
type queue struct {
	mu      sync.Mutex
	waiting []told
	more    chan struct{} // holds one token when something waits
	empty   chan struct{} // holds one token when nothing does any more
}

type told struct {
	extension string
	event     cti.Event
}

func newQueue() *queue {
	return &queue{more: make(chan struct{}, 1), empty: make(chan struct{}, 1)}
}

// push adds an event, and tells whether that was not too much. It is added all the same: what ends calls is more than what may wait.
func (q *queue) push(extension string, e cti.Event) bool {
	q.mu.Lock()
	q.waiting = append(q.waiting, told{extension, e})
	fits := len(q.waiting) < maxQueue
	q.mu.Unlock()
	token(q.more)
	return fits
}

func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// deliver passes events on in order until ctx ends.
func (q *queue) deliver(ctx context.Context, emit func(string, cti.Event)) {
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		q.mu.Unlock()
		for _, one := range batch {
			if ctx.Err() != nil {
				return
			}
			emit(one.extension, one.event)
		}
		if len(batch) > 0 {
			continue
		}
		token(q.empty)
		select {
		case <-ctx.Done():
			return
		case <-q.more:
		}
	}
}

// drained waits until fewer events wait than would be too many.
func (q *queue) drained(ctx context.Context) bool {
	for {
		q.mu.Lock()
		few := len(q.waiting) < maxQueue/2
		q.mu.Unlock()
		if few {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-q.empty:
		}
	}
}
