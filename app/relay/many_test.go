package relay_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Two hundred workstations connect at once, each gets its own calls and nobody else's; then the relay starts anew under them.
func TestTwoHundredWorkstationsAtOnce(t *testing.T) {
	const desks = 200
	w := newWorld(t, full())
	stations := make([]*station, desks)
	for n := range desks {
		extension := fmt.Sprint(1000 + n)
		stations[n] = w.station(w.source(extension, w.enrol(extension)))
	}
	for _, s := range stations {
		s.awaitEvents(cti.Snapshot, 1)
	}
	began := time.Now()
	for n := range desks {
		w.exchange.Extension(fmt.Sprint(1000+n)).Ring(fmt.Sprintf("1380013%04d", n), "Zhang San")
	}
	for n, s := range stations {
		s.awaitCall(fmt.Sprintf("1380013%04d", n), cti.Alerting)
	}
	t.Logf("%d calls reached %d workstations within %v", desks, desks, time.Since(began))
	w.stop()
	w.start()
	for n := range desks {
		w.exchange.Extension(fmt.Sprint(1000+n)).Ring(fmt.Sprintf("1390013%04d", n), "Li Si")
	}
	for n, s := range stations {
		s.awaitCall(fmt.Sprintf("1390013%04d", n), cti.Alerting)
		s.mu.Lock()
		if len(s.calls) != 2 {
			t.Errorf("workstation %d has %d calls, want its own two", n, len(s.calls))
		}
		s.mu.Unlock()
	}
}

// proxy passes TCP on and can be cut.
type proxy struct {
	net.Listener

	to    string
	fresh chan struct{} // holds a token when there is another connection
	all   sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, fresh: make(chan struct{}, 1)}
	p.all.Go(p.run)
	t.Cleanup(func() {
		_ = l.Close() // ends run
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) run() {
	for {
		here, err := p.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = here.Close() // as if there were no network
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, here, there)
		p.mu.Unlock()
		select {
		case p.fresh <- struct{}{}:
		default:
		}
		for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
			p.all.Go(func() {
				_, _ = io.Copy(way[0], way[1]) // until it is cut
				_ = way[0].Close()
				_ = way[1].Close()
			})
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close() // cut
	}
	p.conns = nil
}

// The network breaks again and again, wherever it happens to: every event arrives once, in order.
func TestEveryEventArrivesOnceThroughANetworkThatBreaks(t *testing.T) {
	w := newWorld(t, full())
	p := newProxy(t, w.address)
	keep := w.enrol("1001")
	st := w.station(w.through(p.Addr().String(), "1001", keep))
	st.awaitEvents(cti.Snapshot, 1)
	phone := w.exchange.Extension("1001")
	ref := phone.Ring("13800138000", "Zhang San")
	const events = 2000
	for n := range events {
		if err := phone.Feed(cti.Event{Type: cti.Info, Call: cti.CallRef{Refs: map[string]string{"sim_call": ref}}, Data: map[string]string{"n": fmt.Sprint(n)}}); err != nil {
			t.Fatal(err)
		}
		if n%400 == 399 {
			heard := n - 100
			st.await("some of it", func() bool { return count(st.events, cti.Info) > heard/2 })
			p.cut()
		}
	}
	st.await("all of it", func() bool { return count(st.events, cti.Info) >= events })
	st.mu.Lock()
	defer st.mu.Unlock()
	var got []string
	for _, e := range st.events {
		if e.Type == cti.Info {
			got = append(got, e.Data["n"])
		}
	}
	want := make([]string, events)
	for n := range want {
		want[n] = fmt.Sprint(n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d events arrived, or not in order", len(got))
	}
	if ups := count(st.events, cti.SourceUp); ups < 3 {
		t.Errorf("the network broke and %d connections were made", ups)
	}
}

func TestACertificateIsRenewedBeforeItsEndAndRefusedInWordsAfterIt(t *testing.T) {
	const day = 24 * time.Hour
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		keep := w.enrolPiped(p)
		first := keep.steal(t)
		visit := func(after time.Duration) *station {
			w.stop()
			pass(after)
			fresh := newPipes()
			w.cfg.Listener = fresh
			w.start()
			s := w.station(w.piped(fresh, keep))
			pass(time.Second)
			s.stop()
			return s
		}
		visit(59 * day)
		if got := keep.steal(t); !bytes.Equal(got.Cert, first.Cert) {
			t.Error("renewed 31 days before its end")
		}
		visit(2 * day)
		second := keep.steal(t)
		if bytes.Equal(second.Cert, first.Cert) || bytes.Equal(second.Key, first.Key) {
			t.Error("not renewed 29 days before its end, with a new key")
		}
		if s := visit(40 * day); count(s.events, cti.SourceUp) != 1 { // the first one has ended
			t.Errorf("with the renewed certificate: %v", types(s.events))
		}
		s := visit(100 * day)
		if count(s.events, cti.SourceUp) != 0 || len(s.events) == 0 {
			t.Fatalf("with one that has ended: %v", types(s.events))
		}
		want := "this computer's certificate is good from 2000-"
		if raw := s.events[0].Cause.Raw; len(raw) < len(want) || raw[:len(want)] != want {
			t.Errorf("it says %q", raw)
		}
		if n := len(w.relay.List()); n != 1 {
			t.Errorf("renewing made %d workstations of one", n)
		}
	})
}

func TestACodeEndsAfterFifteenMinutes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		early, err := w.relay.Enrol("1001")
		if err != nil {
			t.Fatal(err)
		}
		late, err := w.relay.Enrol("1001")
		if err != nil {
			t.Fatal(err)
		}
		pass(14 * time.Minute)
		if _, err := enrolOver(t, p, early); err != nil {
			t.Errorf("after 14 minutes: %v", err)
		}
		pass(2 * time.Minute)
		if _, err := enrolOver(t, p, late); cti.KindOf(err) != cti.Auth {
			t.Errorf("after 16 minutes: %v, want kind auth", err)
		}
	})
}

// A connection that says nothing is not kept, before the handshake or after it.
func TestWhoSaysNothingIsHungUpOn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		silent, err := p.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := silent.Read(make([]byte, 1)); err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		s := w.station(w.piped(p, w.enrolPiped(p)))
		s.awaitEvents(cti.Snapshot, 1)
		pass(time.Hour) // both beat
		if n := count(s.events, cti.SourceDown); n != 0 {
			t.Errorf("an idle connection ended %d times in an hour", n)
		}
	})
}
