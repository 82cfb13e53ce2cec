package relay

import (
	"context"
	"crypto/x509"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/relayed"
)

// The limits of one workstation.
const (
	maxAsking    = 8  // questions under way
	maxPerSecond = 50 // questions: far more than a person, and than the flow after a bad moment
	// maxBytes is what may come in a second: room for an acknowledgement of each of 4,096 events, and for all those questions.
	maxBytes = 512 << 10
	// overhead is what a message has beside its event, at most.
	overhead = 4 << 10
)

// conn is one connected workstation.
type conn struct {
	relay  *Relay
	link   *relayed.Link
	line   *line
	device Device
	from   net.Addr
	asking chan struct{} // holds a token for each question under way
	ended  chan struct{} // closed when the reader has ended

	once   sync.Once
	over   atomic.Bool // refused: nothing is told to it and nothing is taken from it any more
	second time.Time   // in which asked questions and so many bytes came; for the reader
	asked  int
	heard  int
}

// workstation serves a workstation with a genuine certificate, until one side ends it; leave is called when it is let in.
func (r *Relay) workstation(ctx context.Context, link *relayed.Link, cert *x509.Certificate, from net.Addr, leave func()) {
	c := &conn{relay: r, link: link, from: from, asking: make(chan struct{}, maxAsking), ended: make(chan struct{})}
	hello, before, err := c.admit(cert)
	if err != nil {
		r.log.Warn("workstation refused", "from", from, "extension", cti.Clean(cert.Subject.CommonName, cti.MaxText), "serial", hex(cert.SerialNumber), "err", err)
		c.turnAway(err)
		return
	}
	if hello.Probe {
		c.greetOnly()
		return
	}
	leave()
	defer r.leave(c)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	for _, old := range before {
		r.log.Warn("a workstation came a second time: its older connection ends", "extension", c.line.extension, "device", c.device.ID, "from", from, "before", old.from)
		helpers.Go(func() { old.refuse(replaced()) })
	}
	p := c.line.resume(c.device.ID, r.keep.stream, *hello, r.longest(), time.Now())
	if err := link.Write(c.welcome(p.head, p.up)); err != nil {
		return
	}
	r.log.Info("workstation connected", "extension", c.line.extension, "device", c.device.ID, "from", from, "gap", p.gap)
	end := time.AfterFunc(time.Until(cert.NotAfter), func() { c.refuse(outOfTime(cert, time.Now())) })
	defer end.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer link.Close()
	defer cancel()
	helpers.Go(func() {
		c.write(ctx, p)
		if !c.over.Load() {
			link.Close() // the reader then ends
		}
	})
	err = c.read(ctx, &helpers)
	r.log.Info("workstation gone", "extension", c.line.extension, "device", c.device.ID, "err", err)
}

func (c *conn) welcome(head uint64, up bool) relayed.Message {
	return relayed.Message{T: relayed.TWelcome, Welcome: &relayed.Welcome{Version: relayed.Version, Name: c.relay.cfg.Settings.Name, Stream: c.relay.keep.stream,
		Head: head, Up: up, At: time.Now().UTC(), Grant: c.line.grant()}}
}

// greetOnly tells somebody who only tries the way how things are; the other side hangs up when it has read it.
func (c *conn) greetOnly() {
	c.line.mu.Lock()
	up := c.line.up
	c.line.mu.Unlock()
	if c.link.Write(c.welcome(0, up)) == nil {
		_, _ = c.link.Read(relayed.PartingWithin) // whatever it still says
	}
}

// replaced ends a connection whose workstation came again. Where two take turns at it, one certificate is on two computers.
func replaced() error {
	return cti.Errorf(cti.Conflict, "another connection with this computer's certificate took the place of this one: if its folder was copied to a second computer, "+
		"enrol that one by itself (ringctl relay enrol)", nil)
}

// admit hears the hello and looks the certificate up; before are older connections of this workstation. From here on a revocation finds the
// connection; it is looked up once more, since one may have come between.
func (c *conn) admit(cert *x509.Certificate) (hello *relayed.Hello, before []*conn, err error) {
	r := c.relay
	m, err := c.link.Read(relayed.HelloWithin)
	if err != nil {
		return nil, nil, cti.Errorf(cti.Invalid, "no hello came", err)
	}
	if c.device, err = r.devices.admit(cert, time.Now()); err != nil {
		return nil, nil, err
	}
	if c.line = r.lineOf(c.device.Extension); c.line == nil {
		return nil, nil, cti.Errorf(cti.NotFound, "no exchange of the relay has this computer's extension any more: tell IT", nil)
	}
	if m.T != relayed.THello || m.Hello == nil || m.Hello.Version < 1 {
		return nil, nil, cti.Errorf(cti.Invalid, "the workstation began with something else than a hello", nil)
	}
	if m.Hello.Probe {
		return m.Hello, nil, nil
	}
	before = r.enter(c)
	if _, err := r.devices.admit(cert, time.Now()); err != nil {
		r.leave(c)
		return nil, nil, err
	}
	return m.Hello, before, nil
}

// enter notes a connection, and gives those that its workstation had.
func (r *Relay) enter(c *conn) (before []*conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old := range r.conns {
		if old.device.ID == c.device.ID {
			before = append(before, old)
		}
	}
	r.conns[c] = true
	return before
}

func (r *Relay) leave(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// turnAway says why somebody is not let in; the other side hangs up when it has read it.
func (c *conn) turnAway(err error) {
	if c.link.Write(relayed.Message{T: relayed.TRefuse, Refusal: relayed.Refuse(err)}) == nil {
		_, _ = c.link.Read(relayed.PartingWithin) // whatever it still says
	}
}

// refuse says why somebody who was let in must go, and hangs up. From its beginning on nothing passes either way any more.
func (c *conn) refuse(err error) {
	c.once.Do(func() {
		c.over.Store(true)
		if c.link.Write(relayed.Message{T: relayed.TRefuse, Refusal: relayed.Refuse(err)}) == nil {
			select { // the other side hangs up when it has read why
			case <-c.ended:
			case <-time.After(relayed.PartingWithin):
			}
		}
		c.link.Close()
	})
}

// write sends what happened since the place, a snapshot, and then what happens.
func (c *conn) write(ctx context.Context, p place) {
	if p.gap && !c.tellPast(ctx, p.since) {
		return
	}
	cursor, snapshot := p.cursor, true
	beat := time.NewTicker(relayed.BeatEvery)
	defer beat.Stop()
	for {
		b := c.line.next(c.device.ID, cursor, snapshot)
		if b.lost {
			c.relay.log.Warn("workstation too slow: it begins anew with the history", "extension", c.line.extension, "device", c.device.ID)
			return
		}
		for _, e := range b.entries {
			if c.send(e.seq, e.event) != nil {
				return
			}
			cursor = e.seq
		}
		for _, e := range b.snapshots {
			if c.send(0, e) != nil {
				return
			}
		}
		snapshot = snapshot && !b.done
		if len(b.entries) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
		case <-beat.C:
			if c.link.Write(relayed.Message{T: relayed.TBeat}) != nil {
				return
			}
		}
	}
}

// tellPast tells of the calls that ended in a gap.
func (c *conn) tellPast(ctx context.Context, since time.Time) bool {
	events, err := c.history(ctx, since.Add(-time.Minute))
	if err != nil {
		c.relay.log.Warn("history not told after a gap", "extension", c.line.extension, "err", err)
	}
	for _, e := range events {
		e.Past = true
		if c.send(0, e) != nil {
			return false
		}
	}
	return true
}

// send sends an event with what can be done with its call now. One that a caller made too large goes without the call data.
func (c *conn) send(seq uint64, e cti.Event) error {
	if c.over.Load() {
		return net.ErrClosed
	}
	m := relayed.Message{T: relayed.TEvent, Seq: seq, Event: &e, Can: c.line.can(e)}
	b, err := relayed.Encode(m)
	if err != nil {
		return err
	}
	if len(b) > relayed.MaxDown-overhead {
		slim := e
		slim.Data, slim.Legs = nil, nil
		for _, leg := range e.Legs {
			leg.Data = nil
			slim.Legs = append(slim.Legs, leg)
		}
		m.Event = &slim
		if b, err = relayed.Encode(m); err != nil {
			return err
		}
	}
	return c.link.Send(b)
}

// read takes what the workstation says until the connection ends.
func (c *conn) read(ctx context.Context, helpers *sync.WaitGroup) error {
	defer close(c.ended)
	for {
		m, err := c.link.Read(relayed.SilentFor)
		if err != nil {
			return err
		}
		if c.over.Load() {
			continue // until the other side hangs up, or refuse does
		}
		c.tick(time.Now())
		if c.heard += c.link.Size(); c.heard > maxBytes {
			return cti.Errorf(cti.Limited, "the workstation said more in a second than there is to say", nil)
		}
		if m.Ack != 0 {
			c.line.ack(c.device.ID, m.Ack, time.Now())
		}
		if m.T != relayed.TCommand && m.T != relayed.THistory && m.T != relayed.TRenew {
			continue
		}
		if err := c.within(); err != nil {
			c.reply(m.ID, relayed.Message{}, err)
			continue
		}
		helpers.Go(func() {
			defer func() { <-c.asking }()
			answer, err := c.answer(ctx, m)
			if c.over.Load() {
				return
			}
			c.reply(m.ID, answer, err)
		})
	}
}

// tick begins a second.
func (c *conn) tick(now time.Time) {
	if now.Sub(c.second) >= time.Second || now.Before(c.second) {
		c.second, c.asked, c.heard = now, 0, 0
	}
}

// within keeps a workstation's questions within their limits; it takes a token of asking.
func (c *conn) within() error {
	busy := &cti.Error{Kind: cti.Limited, Msg: "too many commands at a time: wait a second", RetryAfter: time.Second}
	if c.asked++; c.asked > maxPerSecond {
		return busy
	}
	select {
	case c.asking <- struct{}{}:
		return nil
	default:
		return busy
	}
}

func (c *conn) reply(id uint64, answer relayed.Message, err error) {
	answer.T, answer.ID, answer.Problem = relayed.TReply, id, relayed.Refuse(err)
	if err := c.link.Write(answer); err != nil {
		c.link.Close() // the reader then ends
	}
}

// answer is the one table of what a workstation may ask.
func (c *conn) answer(ctx context.Context, m relayed.Message) (relayed.Message, error) {
	switch m.T {
	case relayed.TRenew:
		return c.renew(m.CSR, time.Now())
	case relayed.THistory:
		return relayed.Message{}, c.tell(ctx, m)
	default:
		return relayed.Message{}, c.command(ctx, m.Command)
	}
}

// renew gives the workstation its next certificate, for the same extension.
func (c *conn) renew(csr []byte, now time.Time) (relayed.Message, error) {
	if _, err := checkRequest(csr); err != nil {
		return relayed.Message{}, err
	}
	if c.relay.devices.until(c.device.ID).Sub(now) > relayed.RenewBefore+relayed.Backdated {
		return relayed.Message{}, cti.Errorf(cti.Conflict, "this computer's certificate is good for long yet", nil)
	}
	cert, err := c.relay.authority.certify(csr, c.device.Extension, now)
	if err != nil {
		return relayed.Message{}, err
	}
	if err := c.relay.devices.renew(c.device.ID, cert, now); err != nil {
		return relayed.Message{}, err
	}
	c.relay.log.Info("certificate renewed", "extension", c.device.Extension, "device", c.device.ID, "serial", hex(cert.SerialNumber))
	return relayed.Message{Cert: cert.Raw}, nil
}

// history tells a workstation of the calls that ended since a time, but of none from before it was enrolled: the extension may have been
// somebody else's.
func (c *conn) history(ctx context.Context, since time.Time) ([]cti.Event, error) {
	if since.Before(c.device.EnrolledAt) {
		since = c.device.EnrolledAt
	}
	return c.line.history(ctx, since)
}

func (c *conn) tell(ctx context.Context, m relayed.Message) error {
	events, err := c.history(ctx, m.Since)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := c.link.Write(relayed.Message{T: relayed.TPast, ID: m.ID, Event: &e}); err != nil {
			return err
		}
	}
	return nil
}
