package window_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// line is the network between the window and the CRM: it can be cut and restored.
type line struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	address, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, to: address.Host, conns: map[net.Conn]bool{}}
	l.all.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(true)
		l.all.Wait()
	})
	return l
}

func (l *line) url() string { return "http://" + l.listener.Addr().String() }

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // the test is over
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil || !l.keep(near, far) {
			_ = near.Close()
			if err == nil {
				_ = far.Close()
			}
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			l.all.Go(func() {
				_, _ = io.Copy(pair[0], pair[1]) // whatever ends one direction ends both
				_ = near.Close()
				_ = far.Close()
			})
		}
	}
}

func (l *line) keep(near, far net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.conns[near], l.conns[far] = true, true
	}
	return !l.cut
}

// set cuts or restores the line. What was on it when it was cut is lost.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut = cut; !cut {
		return
	}
	for c := range l.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	clear(l.conns)
}

// flaps cuts and restores the line until ctx ends, and leaves it whole; the token ends all the while and is renewed now and then.
func (l *line) flaps(ctx context.Context, crm *sandbox.Server) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		l.set(n%3 == 0)
		if n%7 == 0 {
			crm.RenewToken("")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	l.set(false)
}

// talk takes a call that rings to its end and wraps it up, while the network does what it wants.
func (d *desktop) talk(leg, note string) {
	d.t.Helper()
	for _, step := range []struct {
		command cti.Command
		state   cti.State
	}{{cti.CommandAnswer, cti.Connected}, {cti.CommandHangup, cti.StateClosed}} {
		if err := d.Command(d.t.Context(), leg, cti.Instruction{Command: step.command}); err != nil {
			d.t.Fatal(err)
		}
		d.until("the call is "+string(step.state), func() bool {
			s, err := d.Snapshot(d.t.Context())
			if err != nil {
				d.t.Fatal(err)
			}
			return slices.ContainsFunc(s.Cards, func(c wire.Card) bool { return c.Leg == leg && c.State == step.state })
		})
	}
	if err := d.WrapUp(d.t.Context(), leg, wire.WrapUpRequest{Outcome: "Done", Note: note}); err != nil {
		d.t.Fatal(err)
	}
}

// TestOfflineTheWindowAnswersAndNothingIsLost: ring, talk and wrap-up with a network that comes and goes and a token that ends, while
// somebody types. Each card is painted, no key is taken, and in the end the CRM has each record once.
func TestOfflineTheWindowAnswersAndNothingIsLost(t *testing.T) {
	crm, err := sandbox.Start(context.Background(), sandbox.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crm.Close(); err != nil {
			t.Error(err)
		}
	})
	way := newLine(t, crm.URL())
	d := openDesktopAt(t, "en", way.url())
	if err := crm.SetTraits(sandbox.Traits{TokenMS: 700}); err != nil {
		t.Fatal(err)
	}
	work, typed := d.typist()
	ctx, settle := context.WithCancel(t.Context())
	settled := make(chan struct{})
	go func() { defer close(settled); way.flaps(ctx, crm) }()
	done, notes := d.typing(prose), map[string]string{}
	for running := true; running; {
		id := strconv.Itoa(len(notes))
		leg := d.ring(id) // waits until it is painted
		if now := d.active(); now != work {
			t.Errorf("call %s: the focus went from %s to %s", id, work, now)
		}
		notes[leg] = "call " + id
		d.talk(leg, notes[leg])
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
	}
	settle()
	<-settled
	d.until("all that was typed has arrived", func() bool { return len(typed()) >= len(prose) })
	if got := typed(); got != prose {
		t.Errorf("typed %q, arrived %q", prose, got)
	}
	if err := crm.SetTraits(sandbox.Traits{}); err != nil {
		t.Fatal(err)
	}
	d.emptied()
	d.recorded(crm, notes)
	t.Logf("%d calls while %d keys were typed; %d sign-ins refused", len(notes), len(prose), crm.Stats().Unauthorized)
}

// emptied waits until everything has reached the CRM: one that was away is asked again after half a minute at the latest, and a person
// may end a pause before.
func (d *desktop) emptied() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 90*time.Second)
	defer cancel()
	for {
		if _, err := d.RetryAll(ctx); err != nil {
			d.t.Fatal(err)
		}
		if s, err := d.Status(ctx); err == nil && s.Outbox == (wire.Outbox{}) {
			return
		}
		select {
		case <-ctx.Done():
			items, err := d.Outbox(d.t.Context(), wire.OutboxQuery{Limit: 3})
			d.t.Fatalf("the outbox is not empty: %+v, %v", items, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// recorded checks that the CRM has each call once, in order, with its note.
func (d *desktop) recorded(crm *sandbox.Server, notes map[string]string) {
	d.t.Helper()
	l := crm.Ledger()
	if l.Keys != len(notes) || l.Duplicates != 0 || l.Reordered != 0 || len(notes) < 3 {
		d.t.Errorf("of %d calls the CRM has %d, with %d duplicates, %d out of order", len(notes), l.Keys, l.Duplicates, l.Reordered)
	}
	for _, r := range crm.Calls() {
		want, ours := notes[r.Leg]
		if ours && (r.Note == nil || *r.Note != want || r.Ending != "answered") {
			d.t.Errorf("the record of %s is %+v, want the note %q", r.Leg, r, want)
		}
	}
}
