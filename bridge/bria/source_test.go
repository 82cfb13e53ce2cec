package bria_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/bria"
	"ringside.dev/ringside/bridge/bria/briatest"
	"ringside.dev/ringside/bridge/tape"
)

// wire connects a source and a phone inside a bubble, where time is virtual.
type wire struct {
	mu    sync.Mutex
	conns chan net.Conn
	dials []time.Time
	dead  bool // connections are taken, and nobody reads
}

var errCut = errors.New("cut")

func (w *wire) listen(string) (net.Listener, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = make(chan net.Conn)
	return &pipes{conns: w.conns, closed: make(chan struct{})}, nil
}

func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	w.mu.Lock()
	w.dials = append(w.dials, time.Now())
	conns, dead := w.conns, w.dead
	w.mu.Unlock()
	if conns == nil {
		return nil, &net.OpError{Op: "dial", Err: errCut}
	}
	ours, theirs := net.Pipe()
	if dead {
		return ours, nil
	}
	select {
	case conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9002} }

// heard is what a source told.
type heard struct {
	mu     sync.Mutex
	events []cti.Event
}

func (h *heard) emit(e cti.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *heard) types() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.events {
		all = append(all, string(e.Type))
	}
	return all
}

func (h *heard) last() cti.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[len(h.events)-1]
}

// bubble runs a source against a phone in virtual time; do runs beside it.
func bubble(t *testing.T, how func(*briatest.Options), do func(t *testing.T, s *bria.Source, p *briatest.Server, w *wire, h *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, h := &wire{}, &heard{}
		p, err := briatest.StartOn(w.listen)
		must(t, err)
		defer p.Close()
		p.Set(how)
		s, err := bria.New("", "1001", nil)
		must(t, err)
		s.Trust(p.Roots)
		s.DialWith(w.dial)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx, h.emit); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		do(t, s, p, w, h)
		cancel()
		running.Wait()
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want(t *testing.T, what string, h *heard, events ...string) {
	t.Helper()
	if diff := cmp.Diff(events, h.types()); diff != "" {
		t.Errorf("%s: want - got +:\n%s", what, diff)
	}
}

func TestReconnectsSlowerAndSlower(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, _ *bria.Source, p *briatest.Server, w *wire, h *heard) {
		w.mu.Lock()
		w.conns = nil
		w.mu.Unlock()
		p.Cut()
		pass(2 * time.Minute)
		if n := len(w.dials); n < 8 || n > 16 {
			t.Errorf("%d attempts in two minutes", n)
		}
		for n, last := 2, time.Duration(0); n < len(w.dials); n++ {
			gap := w.dials[n].Sub(w.dials[n-1])
			if gap < 500*time.Millisecond || gap > 15*time.Second || gap <= last && last < 11*time.Second {
				t.Errorf("pause %d was %v after %v", n, gap, last)
			}
			last = gap
		}
		want(t, "cut off", h, "source.up", "source.snapshot", "source.down")
		must(t, p.Restore())
		pass(15 * time.Second)
		want(t, "back", h, "source.up", "source.snapshot", "source.down", "source.up", "source.snapshot")
	})
}

func TestSomethingElseAtTheAddressIsTriedSlowly(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, _ *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		pass(time.Minute) // a proven connection
		for range 21 {
			must(t, p.Say(t.Context(), []byte("hello")))
		}
		pass(time.Second)
		if e := h.events[2]; e.Type != cti.SourceDown || !strings.Contains(e.Cause.Raw, "does not speak Bria's interface") {
			t.Errorf("after 21 frames of nothing: %s, %+v", e.Type, e.Cause)
		}
		want(t, "afterwards", h, "source.up", "source.snapshot", "source.down", "source.up", "source.snapshot")
	})
}

func TestAPhoneThatHangsIsGivenUp(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, s *bria.Source, p *briatest.Server, w *wire, h *heard) {
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
		p.Hang(true)
		began := time.Now()
		if err := s.Phone().Dial(t.Context(), "10086"); cti.KindOf(err) != cti.Offline || time.Since(began) != 3*time.Second {
			t.Errorf("a command to it: %v after %v, want offline after 3 s", err, time.Since(began))
		}
		pass(7 * time.Second) // two looks at the most
		if !slices.Contains(h.types(), "source.down") {
			t.Errorf("events %v, want source.down", h.types())
		}
	})
}

func TestQuestionsThatAreNotAnsweredDoNotPileUp(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, _ *heard) {
		p.Hang(true)
		for range 1000 {
			must(t, p.Say(t.Context(), []byte("POST /statusChange\r\n\r\n<event type=\"phone\"></event>")))
			synctest.Wait()
		}
		if n := s.Waiting(); n < 100 || n > 256 {
			t.Errorf("%d questions wait after 1000 notices, want some and 256 at most", n)
		}
	})
}

func TestALostNoticeIsMadeUpFor(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, _ *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		p.Set(func(o *briatest.Options) { o.Mute = true })
		p.Ring("13800138000", "Zhang San")
		pass(5 * time.Second)
		want(t, "5 s after a ring without a notice", h, "source.up", "source.snapshot", "call.delivered")
	})
}

// A list that was on its way when something changed is older than the change.
func TestAChangeWhileAListIsOnItsWayIsAskedForAfterwards(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, _ *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		p.Delay(100 * time.Millisecond)
		id := p.Ring("13800138000", "Zhang San")
		pass(50 * time.Millisecond)
		must(t, p.FarHangsUp(id))
		pass(200 * time.Millisecond)
		want(t, "a quarter of a second after the ring", h, "source.up", "source.snapshot", "call.delivered", "call.cleared")
	})
}

func TestWhoIsNotLetInSaysWhatToDoAndIsNoPest(t *testing.T) {
	bubble(t, func(o *briatest.Options) { o.ShutOut = true }, func(t *testing.T, s *bria.Source, p *briatest.Server, w *wire, h *heard) {
		pass(time.Minute)
		want(t, "shut out", h, "source.down")
		if e := h.last(); !strings.Contains(e.Cause.Raw, "click Allow Access") {
			t.Errorf("cause %+v does not say what to do", e.Cause)
		}
		if n := p.Asked("call"); n > 5 || len(w.dials) != 1 {
			t.Errorf("asked for the calls %d times in a minute over %d connections, want some and one", n, len(w.dials))
		}
		if err := s.Phone().Dial(t.Context(), "10086"); cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "Allow Access") {
			t.Errorf("a command: %v", err)
		}
		p.Set(func(o *briatest.Options) { o.ShutOut = false })
		synctest.Wait()
		want(t, "let in", h, "source.down", "source.up", "source.snapshot")
		p.Set(func(o *briatest.Options) { o.ShutOut = true })
		pass(6 * time.Second)
		want(t, "shut out again", h, "source.down", "source.up", "source.snapshot", "source.down")
	})
}

func TestAnAccountThatIsNotRegisteredIsAPhoneThatIsDown(t *testing.T) {
	bubble(t, func(o *briatest.Options) { o.Account = "failureContactingServer" }, func(t *testing.T, _ *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		account := func(word string) {
			p.Set(func(o *briatest.Options) { o.Account = word })
			synctest.Wait()
		}
		want(t, "at the beginning", h, "source.down")
		account("connecting")
		want(t, "on its way", h, "source.down")
		account("connected")
		want(t, "registered", h, "source.down", "source.up", "source.snapshot")
		id := p.Ring("13800138000", "Zhang San")
		synctest.Wait()
		account("failureAtServer")
		must(t, p.FarHangsUp(id))
		synctest.Wait()
		want(t, "lost in mid-call", h, "source.down", "source.up", "source.snapshot", "call.delivered", "source.down", "call.cleared")
		account("disabled")
		account("connected")
		want(t, "and back", h, "source.down", "source.up", "source.snapshot", "call.delivered", "source.down", "call.cleared", "source.up", "source.snapshot")
	})
}

func TestABriaThatOnlyFillsInTheNumberIsBroughtToTheFront(t *testing.T) {
	for fills, want := range map[bool]string{true: "false", false: "true"} {
		bubble(t, func(o *briatest.Options) { o.Fills = fills }, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, _ *heard) {
			must(t, s.Phone().Dial(t.Context(), "10086"))
			if got := p.Suppressed(); got != want {
				t.Errorf("it fills in the number only: %v; suppressMainWindow %q, want %q", fills, got, want)
			}
		})
	}
}

func TestCommandsThatDoNotFitAreRefusedBeforeTheyAreSent(t *testing.T) {
	bubble(t, func(o *briatest.Options) { o.Version = "5.8.4" }, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		phone := s.Phone()
		p.Ring("13800138000", "Zhang San")
		synctest.Wait()
		c := cti.Call{Refs: h.last().Call.Refs, Leg: "leg-1"}
		ctx := t.Context()
		kinds := func(what string, want cti.Kind, errs ...error) {
			t.Helper()
			for n, err := range errs {
				if cti.KindOf(err) != want {
					t.Errorf("%s, %d: %v, want %s", what, n+1, err, want)
				}
			}
		}
		kinds("while it rings", cti.Conflict, phone.Hold(ctx, c), phone.Resume(ctx, c), phone.Mute(ctx, c, true), phone.DTMF(ctx, c, "1"), phone.Transfer(ctx, c, "2001"),
			phone.Consult(ctx, c, "2001"), phone.Complete(ctx, c))
		must(t, phone.Answer(ctx, c))
		synctest.Wait()
		kinds("twice", cti.Conflict, phone.Answer(ctx, c))
		kinds("what cannot be", cti.Invalid, phone.DTMF(ctx, c, "A"), phone.DTMF(ctx, c, ""), phone.Transfer(ctx, c, "20 01"), phone.Consult(ctx, c, ""), phone.Dial(ctx, "a\r\nb"),
			phone.Dial(ctx, strings.Repeat("1", cti.MaxText+1)))
		must(t, phone.Consult(ctx, c, "2001"))
		kinds("before they answered", cti.Conflict, phone.Complete(ctx, c))
		must(t, p.Answers(ctx, "2001"))
		synctest.Wait()
		kinds("in an old Bria", cti.Conflict, phone.Complete(ctx, c))
		kinds("to a call on hold", cti.Conflict, phone.DTMF(ctx, c, "1"))
		if slices.Contains(phone.Can(c), cti.CommandComplete) || !slices.Contains(phone.Can(c), cti.CommandConsult) {
			t.Errorf("an old Bria offers %v", phone.Can(c))
		}
	})
}

// A consultation that cannot be dialled leaves the customer as they were.
func TestAConsultationThatFailsIsTakenBack(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		p.Ring("13800138000", "Zhang San")
		synctest.Wait()
		c := cti.Call{Refs: h.last().Call.Refs, Leg: "leg-1"}
		must(t, s.Phone().Answer(t.Context(), c))
		synctest.Wait()
		p.Refuse("call")
		if err := s.Phone().Consult(t.Context(), c, "2001"); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%v, want invalid", err)
		}
		synctest.Wait()
		want(t, "afterwards", h, "source.up", "source.snapshot", "call.delivered", "call.established", "call.held", "call.retrieved")
		p.Refuse("")
		must(t, s.Phone().Dial(t.Context(), "10086"))
		synctest.Wait()
		if e := h.last(); e.Type != cti.Originated || e.Call.Purpose != "" {
			t.Errorf("the next attempt is %s of purpose %q, want a call of its own", e.Type, e.Call.Purpose)
		}
		p.Refuse("endCall")
		if err := s.Phone().Hangup(t.Context(), c); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%v, want invalid", err)
		}
		must(t, p.FarHangsUp(c.Refs["bria_call"]))
		synctest.Wait()
		if e := h.last(); e.Type != cti.Cleared || e.Cause.By != cti.ByUnknown {
			t.Errorf("%s, %+v: a refused command ended nothing", e.Type, e.Cause)
		}
	})
}

// A consultation that never became a call does not make one of a later attempt.
func TestAConsultationIsForgottenAfterTwentySeconds(t *testing.T) {
	bubble(t, func(o *briatest.Options) { o.Fills = true }, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		p.Ring("13800138000", "Zhang San")
		synctest.Wait()
		c := cti.Call{Refs: h.last().Call.Refs, Leg: "leg-1"}
		must(t, s.Phone().Answer(t.Context(), c))
		synctest.Wait()
		must(t, s.Phone().Consult(t.Context(), c, "2001"))
		pass(21 * time.Second)
		p.Set(func(o *briatest.Options) { o.Fills = false })
		must(t, s.Phone().Dial(t.Context(), "10086"))
		synctest.Wait()
		if e := h.last(); e.Type != cti.Originated || e.Call.Purpose != "" || e.Call.MainLeg != "" {
			t.Errorf("%s of purpose %q, about %q", e.Type, e.Call.Purpose, e.Call.MainLeg)
		}
	})
}

func TestALongHistoryIsAskedForUntilItReachesBack(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, _ *heard) {
		began := time.Now()
		for range 150 {
			must(t, p.FarHangsUp(p.Ring("13800138000", "Zhang San")))
			pass(10 * time.Second)
		}
		for since, want := range map[time.Time]int{began: 150, began.Add(1000 * time.Second): 50, time.Now(): 0} {
			asked := p.Asked("callHistory")
			events, err := s.Phone().History(t.Context(), since)
			must(t, err)
			calls := 0
			for n, e := range events {
				if n > 0 && e.At.Before(events[n-1].At) {
					t.Fatalf("event %d is older than the one before", n)
				}
				if e.Type == cti.Cleared {
					calls++
				}
			}
			if calls != want {
				t.Errorf("since %v: %d calls, want %d", since.Sub(began), calls, want)
			}
			if n := p.Asked("callHistory") - asked; n != map[bool]int{true: 2, false: 1}[want == 150] {
				t.Errorf("since %v: asked %d times", since.Sub(began), n)
			}
		}
	})
}

// A recording made while the agent took a call makes the same events when it is played again, but for what the agent commanded.
func TestARecordingMakesTheEventsItWasMadeOf(t *testing.T) {
	bubble(t, func(*briatest.Options) {}, func(t *testing.T, s *bria.Source, p *briatest.Server, _ *wire, h *heard) {
		listening, stop := s.Tape().Listen()
		defer stop()
		id := p.Ring("13800138000", "Zhang San")
		synctest.Wait()
		c := cti.Call{Refs: h.last().Call.Refs}
		must(t, s.Phone().Answer(t.Context(), c))
		synctest.Wait()
		must(t, s.Phone().Mute(t.Context(), c, true))
		synctest.Wait()
		must(t, p.FarHangsUp(id))
		synctest.Wait()
		var frames []tape.Frame
		for len(listening) > 0 {
			frames = append(frames, <-listening)
		}
		events, err := bria.Replay(frames, "1001")
		must(t, err)
		var got []string
		for _, e := range events {
			got = append(got, string(e.Type))
		}
		if diff := cmp.Diff(h.types()[2:], got); diff != "" || len(got) != 4 {
			t.Errorf("played again (-live +replay):\n%s", diff)
		}
	})
	_, err := bria.Replay([]tape.Frame{tape.NewFrame(time.Unix(1e9, 0), false, []byte("Event: Hangup"))}, "1001")
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "frame 1") {
		t.Errorf("a foreign recording: %v", err)
	}
}

// The certificate must be trusted, and for the API's name: anybody on this machine may listen at the port.
func TestAnotherCertificateIsNoBria(t *testing.T) {
	p := phone(t)
	s, err := bria.New(p.Address(), "1001", nil)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var first cti.Event
	must(t, s.Run(ctx, func(e cti.Event) { first = e; cancel() }))
	if first.Type != cti.SourceDown || !strings.Contains(first.Cause.Raw, "certificate is not trusted: update Bria") {
		t.Errorf("%s, %+v", first.Type, first.Cause)
	}
	if p.Asked("call") != 0 {
		t.Error("it was spoken to all the same")
	}
}

func TestOnlyThisMachinesBriaIsConnectedTo(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:9002", "localhost:9002", "[::1]:9002", "127.0.0.2:1"} {
		if s, err := bria.New(address, "1001", nil); s == nil || err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"cpclientapi.softphone.com:9002", "10.0.0.1:9002", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", ":9002", "0.0.0.0:9002"} {
		if s, err := bria.New(address, "1001", nil); s != nil || cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "127.0.0.1:9002") {
			t.Errorf("%q: %v, want kind invalid and what to write", address, err)
		}
	}
}
