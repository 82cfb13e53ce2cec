package relayed

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// session is one connection to the relay.
type session struct {
	link *Link
	gone chan struct{} // closed when it is over

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]question // without an answer; nil once over
}

// question is somebody who waits for an answer, until left is closed.
type question struct {
	to   chan Message
	left chan struct{}
}

// connect serves one connection from dialling to its end, and tells how long it lived and why it ended.
func (r *run) connect(ctx context.Context) (lived time.Duration, err error) {
	s := r.source
	id, err := load(s.Keep, s.Address)
	if err != nil {
		return 0, err
	}
	config, err := id.config()
	if err != nil {
		return 0, err
	}
	raw, err := s.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer hangUp(raw)
	stop := context.AfterFunc(ctx, func() { hangUp(raw) })
	defer stop()
	if err := raw.SetDeadline(time.Now().Add(HelloWithin)); err != nil {
		return 0, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return 0, err
	}
	link := NewLink(conn, MaxDown)
	link.tape = &s.tape
	s.mu.Lock()
	hello := Hello{Version: Version, Stream: s.stream, After: r.seen}
	s.mu.Unlock()
	welcome, err := r.greet(link, hello)
	if err != nil {
		return 0, err
	}
	if err := r.agree(&id, *welcome); err != nil {
		return 0, err
	}
	began := time.Now()
	err = r.serve(ctx, link, *welcome, id)
	return time.Since(began), err
}

// greet says hello and measures how far apart the clocks are.
func (r *run) greet(link *Link, hello Hello) (*Welcome, error) {
	asked := time.Now()
	hello.Host = hostname()
	if err := link.Write(Message{T: THello, Hello: &hello}); err != nil {
		return nil, err
	}
	m, err := link.Read(HelloWithin)
	switch {
	case err != nil:
		return nil, err
	case m.Refusal != nil:
		return nil, m.Refusal.Err()
	case m.Welcome == nil:
		return nil, cti.Errorf(cti.Internal, "the relay began with something else than a welcome", nil)
	case m.Welcome.Version > Version:
		return nil, cti.Errorf(cti.Invalid, "the relay is newer than this Ringside: update Ringside", nil)
	}
	r.measure(asked, time.Now(), m.Welcome.At)
	return m.Welcome, nil
}

// Clocks that differ by less than clockSlack are taken to be the same: the times of an event stay what the relay wrote, however often it is
// sent. A person is told when they differ by more than ClockWarns.
const (
	clockSlack = time.Second
	ClockWarns = 30 * time.Second
)

// measure notes the difference of the clocks, taking the way there to be as long as the way back.
func (r *run) measure(asked, answered, relay time.Time) {
	s := r.source
	half := asked.Add(answered.Sub(asked) / 2)
	offset := meant(relay, half).Sub(half)
	s.mu.Lock()
	defer s.mu.Unlock()
	if apart := (offset - s.offset).Abs(); apart >= clockSlack+answered.Sub(asked)/2 {
		s.offset = offset
	}
	if s.offset.Abs() > ClockWarns {
		s.log.Warn(clockWords(s.offset), "offset", s.offset)
	}
}

func clockWords(offset time.Duration) string {
	way := "behind"
	if offset < 0 {
		way = "ahead of"
	}
	return fmt.Sprintf("the clock of this computer is %v %s the relay's: let both take the time from the network (NTP)", offset.Abs().Round(time.Second), way)
}

// agree checks that the relay means this extension, and keeps what it grants. Another stream means that the relay lost its numbers.
func (r *run) agree(id *identity, w Welcome) error {
	s := r.source
	if err := s.mine(w); err != nil {
		return err
	}
	w.Can = known(w.Can)
	s.mu.Lock()
	if s.stream != w.Stream {
		s.stream, r.seen = w.Stream, 0
		s.done.Store(0)
	}
	changed := !sameGrant(s.grant, w.Grant)
	s.grant = w.Grant
	s.mu.Unlock()
	if !changed {
		return nil
	}
	id.Grant = w.Grant
	return id.save(s.Keep)
}

// mine checks that a relay means this extension.
func (s *Source) mine(w Welcome) error {
	if w.Extension == s.Extension {
		return nil
	}
	return cti.Errorf(cti.Invalid, "this computer is enrolled for the extension "+cti.Clean(w.Extension, cti.MaxText)+", and the profile says "+s.Extension+
		": correct phone.extension, or enrol again", nil)
}

// known keeps of what a relay says can be done what this Ringside knows: the rest is of a later one, or none.
func known(can []cti.Command) []cti.Command {
	return slices.DeleteFunc(slices.Clone(can), func(c cti.Command) bool { return !slices.Contains(everything, c) })
}

// serve reads until the connection ends. The writer acknowledges and beats; it has stopped when serve returns.
func (r *run) serve(ctx context.Context, link *Link, w Welcome, id identity) error {
	c := &session{link: link, gone: make(chan struct{}), waiting: map[uint64]question{}}
	var writer sync.WaitGroup
	writer.Go(func() { r.write(c) })
	renewing := r.renew(c, id)
	defer renewing.Wait()
	defer writer.Wait()
	r.source.use(c)
	defer r.source.use(nil)
	defer c.end()
	if w.Up {
		r.setUp(ctx)
	} else {
		r.down(ctx, "the relay "+r.source.Address+" is there, but has no connection to the exchange")
	}
	for {
		m, err := link.Read(SilentFor)
		if err != nil {
			return err
		}
		switch m.T {
		case TEvent:
			r.take(ctx, m, w.Head)
		case TReply, TPast:
			c.answered(m)
		case TRefuse:
			return m.Refusal.Err()
		default: // a beat, or something of a later version
		}
	}
}

// take queues an event. What the relay tells of the exchange up to Head is old: the welcome said how things are.
func (r *run) take(ctx context.Context, m Message, head uint64) {
	if m.Event == nil || m.Seq != 0 && m.Seq <= r.seen {
		return
	}
	e := r.source.timed(m.Event.Clean())
	if m.Seq != 0 {
		r.seen = m.Seq
	}
	if e.Type == cti.SourceUp || e.Type == cti.SourceDown {
		switch {
		case m.Seq <= head:
		case e.Type == cti.SourceUp:
			r.setUp(ctx)
		default:
			r.down(ctx, "the relay "+r.source.Address+" lost its connection to the exchange")
		}
		r.skip(ctx, m.Seq)
		return
	}
	r.source.can.note(e, known(m.Can))
	r.push(ctx, item{e, m.Seq})
}

// skip acknowledges an event that is not passed on, in its turn.
func (r *run) skip(ctx context.Context, seq uint64) {
	r.push(ctx, item{cti.Event{}, seq})
}

// timed gives an event the time of this computer's clock. Nothing happened in the future, and a time that nobody can have meant is none.
func (s *Source) timed(e cti.Event) cti.Event {
	s.mu.Lock()
	offset := s.offset
	s.mu.Unlock()
	now := time.Now().UTC()
	e.SourceAt = meant(e.At, now.Add(offset))
	e.At = earlier(e.SourceAt.Add(-offset), now)
	for i, leg := range e.Legs {
		if !leg.At.IsZero() {
			e.Legs[i].SourceAt = meant(leg.At, now.Add(offset))
			e.Legs[i].At = earlier(e.Legs[i].SourceAt.Add(-offset), now)
		}
	}
	return e
}

// meant gives a time that is farther than a century from now, which some readers cannot even write, as now.
func meant(at, now time.Time) time.Time {
	const century = 100 * 365 * 24 * time.Hour
	if at.Sub(now).Abs() > century {
		return now
	}
	return at.UTC()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// write acknowledges what emit took, and beats.
func (r *run) write(c *session) {
	beat := time.NewTicker(BeatEvery)
	defer beat.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-beat.C:
		case <-r.acked:
		}
		if err := c.link.Write(Message{T: TBeat, Ack: r.source.done.Load()}); err != nil {
			c.link.Close() // the reader ends with the reason
			return
		}
	}
}

// renew gets the next certificate while this one is good, and keeps it for the next connection. Failing is no reason to hang up: it is tried
// at every connection and once an hour.
func (r *run) renew(c *session, id identity) *sync.WaitGroup {
	var renewing sync.WaitGroup
	renewing.Go(func() {
		again := time.NewTicker(time.Hour)
		defer again.Stop()
		for {
			if id.due(time.Now()) {
				next, err := c.renewed(id)
				if err == nil {
					err = next.save(r.source.Keep)
				}
				if err != nil {
					r.source.log.Warn("certificate not renewed", "err", err)
				} else {
					r.source.log.Info("certificate renewed")
					id = next
				}
			}
			select {
			case <-c.gone:
				return
			case <-again.C:
			}
		}
	})
	return &renewing
}

func (c *session) renewed(id identity) (identity, error) {
	key, csr, err := newKey()
	if err != nil {
		return id, err
	}
	m, err := c.ask(context.Background(), Message{T: TRenew, CSR: csr}, nil)
	if err != nil {
		return id, err
	}
	id.Key, id.Cert = key, m.Cert
	return id, id.fits()
}

func (s *Source) use(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = c
}

// end makes everybody who waits for an answer learn that none will come.
func (c *session) end() {
	c.mu.Lock()
	c.waiting = nil
	c.mu.Unlock()
	close(c.gone)
	c.link.Close()
}

func (c *session) answered(m Message) {
	c.mu.Lock()
	q, asked := c.waiting[m.ID]
	c.mu.Unlock()
	if !asked {
		return
	}
	select {
	case q.to <- m:
	case <-q.left:
	}
}

// ask sends a question and waits for its reply, CommandWithin at most; each gets the messages before that, and may be nil where there are none.
func (c *session) ask(ctx context.Context, m Message, each func(Message) error) (Message, error) {
	q := question{make(chan Message), make(chan struct{})}
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return Message{}, offline()
	}
	c.last++
	m.ID = c.last
	c.waiting[m.ID] = q
	c.mu.Unlock()
	defer func() {
		close(q.left)
		c.mu.Lock()
		delete(c.waiting, m.ID)
		c.mu.Unlock()
	}()
	if err := c.link.Write(m); err != nil {
		return Message{}, cti.Errorf(cti.Offline, "the connection to the relay broke off", err)
	}
	timeout := time.NewTimer(CommandWithin)
	defer timeout.Stop()
	for {
		select {
		case a := <-q.to:
			if a.T == TReply {
				return a, a.Problem.Err()
			}
			if each == nil {
				continue
			}
			if err := each(a); err != nil {
				return Message{}, err
			}
			timeout.Reset(CommandWithin)
		case <-c.gone:
			return Message{}, cti.Errorf(cti.Uncertain, "the connection to the relay broke off before its answer", nil)
		case <-timeout.C:
			return Message{}, cti.Errorf(cti.Uncertain, "the relay did not answer", nil)
		case <-ctx.Done():
			return Message{}, cti.Errorf(cti.Uncertain, "the relay did not answer in time", ctx.Err())
		}
	}
}

func offline() error { return cti.Errorf(cti.Offline, "the relay is not connected", nil) }
