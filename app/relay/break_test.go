package relay_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/relayed"
)

// pipes is a network without a network, for virtual time: it can be cut.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newPipes() *pipes {
	return &pipes{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return nil, io.ErrUnexpectedEOF
	}
	here, there := net.Pipe()
	select {
	case p.incoming <- there:
		p.conns = append(p.conns, here)
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for _, c := range p.conns {
		_ = c.Close() // cut
	}
	p.conns = nil
}

// inVirtualTime runs a relay over pipes.
func inVirtualTime(t *testing.T, do func(t *testing.T, w *world, p *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		w := newWorldAt(t, full(), p)
		do(t, w, p)
	})
}

func (w *world) piped(p *pipes, keep *memory) *relayed.Source {
	w.t.Helper()
	s, err := relayed.New(relayed.Options{Address: "relay.example.com:8470", Extension: "1001", Keep: keep, Log: logger(w.t), Dial: p.dial})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// enrolPiped enrols over the pipes.
func (w *world) enrolPiped(p *pipes) *memory {
	w.t.Helper()
	code, err := w.relay.Enrol("1001")
	if err != nil {
		w.t.Fatal(err)
	}
	keep, err := enrolOver(w.t, p, code)
	if err != nil {
		w.t.Fatal(err)
	}
	return keep
}

func enrolOver(t *testing.T, p *pipes, code string) (*memory, error) {
	keep := &memory{}
	_, err := relayed.Enrol(t.Context(), relayed.Options{Address: "relay.example.com:8470", Keep: keep, Dial: p.dial}, code)
	return keep, err
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// fiveMinutes is what happens at the exchange in a break: the first call goes on and ends, one is missed, one is answered and goes on.
func fiveMinutes(t *testing.T, w *world, first string) {
	t.Helper()
	phone := w.exchange.Extension("1001")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pass(time.Minute)
	must(phone.RemoteHangup(first))
	pass(time.Minute)
	missed := phone.Ring("13900139000", "Li Si")
	pass(20 * time.Second)
	must(phone.Abandon(missed))
	pass(time.Minute)
	phone.Ring("13700137000", "Wang Wu")
	pass(10 * time.Second)
	for _, c := range phone.Live() {
		must(phone.Phone().Answer(t.Context(), c))
	}
	pass(90 * time.Second)
}

// wantFiveMinutes checks that all of it arrived, each thing once, when it happened.
func wantFiveMinutes(t *testing.T, s *station, began time.Time) {
	t.Helper()
	first := s.awaitCall("13800138000", cti.StateClosed)
	missed := s.awaitCall("13900139000", cti.StateClosed)
	last := s.awaitCall("13700137000", cti.Connected)
	if first.Cause.Code != cti.CauseNormal || first.Cause.By != cti.ByRemote || first.ClearedAt.Sub(began) != time.Minute {
		t.Errorf("the first call ended %+v after %v; want by the caller after a minute", first.Cause, first.ClearedAt.Sub(began))
	}
	if !missed.Missed() || missed.DeliveredAt.Sub(began) != 2*time.Minute || missed.ClearedAt.Sub(missed.DeliveredAt) != 20*time.Second {
		t.Errorf("the missed call: %+v", missed)
	}
	if last.DeliveredAt.Sub(began) != 200*time.Second || last.EstablishedAt.Sub(last.DeliveredAt) != 10*time.Second {
		t.Errorf("the last call: %+v", last)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events { // what pops when the network is back is what can still be taken
		if over := e.Remote.Raw == "13900139000"; e.Type == cti.Delivered && e.Past != over && e.At.After(began) {
			t.Errorf("the ring of %s is past: %v", e.Remote.Raw, e.Past)
		}
	}
	if n := count(s.events, cti.Cleared); n != 2 || len(s.calls) != 3 {
		t.Errorf("%d ends and %d calls, want 2 and 3: %v", n, len(s.calls), types(s.events))
	}
}

func TestNothingIsLostInABreakOfTheNetworkOfFiveMinutes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		s := w.station(w.piped(p, w.enrolPiped(p)))
		s.awaitEvents(cti.SourceUp, 1)
		first := w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
		if err := s.source.Phone().Answer(t.Context(), s.awaitCall("13800138000", cti.Alerting)); err != nil {
			t.Fatal(err)
		}
		s.awaitCall("13800138000", cti.Connected)
		p.set(true)
		s.awaitEvents(cti.SourceDown, 1)
		began := time.Now()
		fiveMinutes(t, w, first)
		p.set(false)
		s.awaitEvents(cti.SourceUp, 2)
		wantFiveMinutes(t, s, began)
	})
}

func TestNothingIsLostWhileTheWorkstationIsOffForFiveMinutes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		keep := w.enrolPiped(p)
		s := w.station(w.piped(p, keep))
		first := w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
		if err := s.source.Phone().Answer(t.Context(), s.awaitCall("13800138000", cti.Alerting)); err != nil {
			t.Fatal(err)
		}
		s.awaitCall("13800138000", cti.Connected)
		synctest.Wait() // what was told is acknowledged, too
		s.stop()
		began := time.Now()
		fiveMinutes(t, w, first)
		s.source = w.piped(p, keep) // another process: it knows no numbers
		s.run()
		wantFiveMinutes(t, s, began)
	})
}

// A workstation that crashed right after it acknowledged gets that once more.
func TestWhatWasAcknowledgedJustBeforeACrashIsToldAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		keep := w.enrolPiped(p)
		s := w.station(w.piped(p, keep))
		phone := w.exchange.Extension("1001")
		old := phone.Ring("13900139000", "Li Si")
		s.awaitCall("13900139000", cti.Alerting)
		pass(time.Minute)
		if err := phone.Abandon(old); err != nil {
			t.Fatal(err)
		}
		s.awaitCall("13900139000", cti.StateClosed)
		synctest.Wait()
		s.stop()
		again := w.station(w.piped(p, keep)) // a computer that has nothing on its disk
		again.awaitEvents(cti.Cleared, 1)
		again.mu.Lock()
		defer again.mu.Unlock()
		if n := count(again.events, cti.Delivered); n != 0 {
			t.Errorf("what was acknowledged a minute before was told again: %v", types(again.events))
		}
	})
}

// What is not kept any more is told from the history, and a call that goes on by the snapshot.
func TestABreakTooLongForWhatIsKeptIsFilledFromTheHistory(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		s := w.station(w.piped(p, w.enrolPiped(p)))
		s.awaitEvents(cti.SourceUp, 1)
		p.set(true)
		s.awaitEvents(cti.SourceDown, 1)
		phone := w.exchange.Extension("1001")
		const calls = 250
		for n := range calls {
			ref := phone.Ring(fmt.Sprintf("1390000%04d", n), "Li Si")
			for range 5 {
				if err := phone.Feed(cti.Event{Type: cti.Info, Call: cti.CallRef{Refs: map[string]string{"sim_call": ref}}, Data: map[string]string{"note": strings.Repeat("x", 1000)}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := phone.Abandon(ref); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		phone.Ring("13700137000", "Wang Wu")
		synctest.Wait()
		p.set(false)
		s.awaitCall("13700137000", cti.Alerting)
		s.await("all calls", func() bool { return len(s.calls) == calls+1 })
		s.mu.Lock()
		defer s.mu.Unlock()
		past := 0
		for _, e := range s.events {
			if e.Past {
				past++
			}
		}
		if past == 0 {
			t.Error("nothing was told from the history")
		}
		for _, c := range s.calls {
			if c.State == cti.StateClosed && (c.Cause == nil || c.Cause.Code != cti.CauseAbandoned) {
				t.Fatalf("a call of the gap ended %+v", c.Cause)
			}
		}
	})
}
