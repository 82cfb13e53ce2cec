package bria

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
)

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

// why says what a lost connection means.
func why(err error) string {
	if websocket.CloseStatus(err) >= 0 || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "Bria closed the connection: it ended, or its user signed out"
	}
	return err.Error()
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
