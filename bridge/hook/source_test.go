package hook_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// desk is a source whose mailbox this test fills, in fake time.
type desk struct {
	t      *testing.T
	box    mailbox.Mailbox
	source *hook.Source
	mu     sync.Mutex // the source's goroutine wakes by its clock, not by this test
	events []cti.Event
	end    func()
}

// atDesk runs f with a source that does not run yet.
func atDesk(t *testing.T, f func(d *desk)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hooks")
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(newDesk(t, dir))
	})
}

func newDesk(t *testing.T, dir string) *desk {
	t.Helper()
	s, err := hook.New("microsip", dir, "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, box: mailbox.At(dir), source: s, end: func() {}}
}

// start runs the source until stop, or the test's end.
func (d *desk) start() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- d.source.Run(ctx, func(e cti.Event) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.events = append(d.events, e)
		})
	}()
	d.end = func() {
		d.end = func() {}
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("Run: %v", err)
		}
	}
	d.t.Cleanup(func() { d.end() })
	synctest.Wait()
}

func (d *desk) stop() { d.end() }

// told is what was told so far.
func (d *desk) told() []cti.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

// forget drops what was told so far.
func (d *desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = nil
}

// left puts an event into the mailbox, as the program does, and no more.
func (d *desk) left(e mailbox.Event) string {
	d.t.Helper()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if e.Source == "" {
		e.Source = "microsip"
	}
	name, err := d.box.Put(e)
	if err != nil {
		d.t.Fatal(err)
	}
	pass(time.Nanosecond)
	return name
}

// tell leaves an event, knocks, and gives what comes of it.
func (d *desk) tell(e mailbox.Event) []cti.Event {
	d.t.Helper()
	before := len(d.told())
	d.left(e)
	d.source.Look()
	synctest.Wait()
	return d.told()[before:]
}

func pass(by time.Duration) {
	time.Sleep(by) //nolint:forbidigo // fake time
	synctest.Wait()
}

func (d *desk) waiting() []string {
	d.t.Helper()
	names, err := d.box.List()
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}

func types(events []cti.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, string(e.Type))
	}
	return all
}

var (
	aRing  = mailbox.Event{Event: "ring", Number: "13800138000"}
	answer = mailbox.Event{Event: "answer", Number: "13800138000"}
	anEnd  = mailbox.Event{Event: "end", Number: "13800138000"}
	story  = []string{"source.up", "call.delivered", "call.established", "call.cleared"}
)

func TestAnEventNobodyKnockedForIsTakenAllTheSame(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		d.left(aRing) // and the program was killed
		synctest.Wait()
		if got := types(d.told()); !slices.Equal(got, story[:1]) {
			t.Errorf("without a knock: %q", got)
		}
		pass(2 * time.Second)
		if got := types(d.told()); !slices.Equal(got, story[:2]) {
			t.Errorf("after two seconds: %q", got)
		}
	})
}

func TestWhatWasLeftWhileTheAgentWasAwayIsToldInItsOrderAndOnce(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.left(aRing)
		pass(5 * time.Second)
		d.left(answer)
		pass(time.Minute)
		d.left(anEnd)
		pass(16 * time.Second)
		recent := d.left(mailbox.Event{Event: "ring", Number: "600"})
		pass(time.Second)
		began := time.Now()
		d.start()
		if got := types(d.told()); !slices.Equal(got, append(slices.Clone(story), "call.delivered")) {
			t.Fatalf("told %q", got)
		}
		for i, ago := range []time.Duration{0, 82 * time.Second, 77 * time.Second, 17 * time.Second, time.Second} {
			if e := d.told()[i]; began.Sub(e.At).Round(time.Second) != ago || e.Past != (ago > 15*time.Second) {
				t.Errorf("%s: %v ago, past %v", e.Type, began.Sub(e.At), e.Past)
			}
		}
		pass(10 * time.Second)
		if n := len(d.waiting()); n != 0 {
			t.Errorf("%d events are still in the mailbox", n)
		}
		d.stop()
		d.forget()
		d.start()
		pass(10 * time.Second)
		if got := types(d.told()); !slices.Equal(got, story[:1]) {
			t.Errorf("the second time: %q", got)
		}
		// The call that was open is the same one still.
		end := d.tell(mailbox.Event{Event: "end", Number: "600"})
		if len(end) != 1 || end[0].Call.Refs["hook_call"] != strings.TrimSuffix(recent, ".json") {
			t.Errorf("its end: %+v", end)
		}
	})
}

func TestAfterACrashTheSameEventsAreToldAgainWithTheSameReferences(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		d.tell(mailbox.Event{Event: "ring", Number: "1"})
		pass(10 * time.Second) // taken for good
		d.tell(aRing)
		d.tell(answer)
		crashed := filepath.Join(t.TempDir(), "hooks")
		if err := os.CopyFS(crashed, os.DirFS(d.box.Dir())); err != nil {
			t.Fatal(err)
		}
		again := newDesk(d.t, crashed)
		again.start()
		if diff := cmp.Diff(d.told()[2:], again.told()[1:]); diff != "" || len(again.told()) != 3 {
			t.Errorf("told again (-before +after)\n%s", diff)
		}
		if end := again.tell(mailbox.Event{Event: "end", Number: "1"}); len(end) != 1 || end[0].Call.Refs["hook_call"] != d.told()[1].Call.Refs["hook_call"] {
			t.Errorf("the call from before: %+v", end)
		}
	})
}

func TestACrashBetweenWritingDownAndRemovingTellsNothingTwice(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		name := d.left(aRing)
		text, err := os.ReadFile(filepath.Join(d.box.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		d.tell(answer)
		pass(10 * time.Second)
		d.stop()
		if err := os.WriteFile(filepath.Join(d.box.Dir(), name), text, 0o600); err != nil { // it was not removed
			t.Fatal(err)
		}
		d.forget()
		d.start()
		if got := types(d.told()); !slices.Equal(got, story[:1]) || len(d.waiting()) != 0 {
			t.Errorf("told %q, %d in the mailbox", got, len(d.waiting()))
		}
	})
}

func TestAnEventTheAgentMayNotHaveIsToldAgain(t *testing.T) {
	for i, typ := range []cti.EventType{cti.Delivered, cti.Established, cti.Cleared} {
		atDesk(t, func(d *desk) {
			for _, e := range []mailbox.Event{aRing, answer, anEnd} {
				d.left(e)
			}
			ctx, cancel := context.WithCancel(context.Background())
			err := d.source.Run(ctx, func(e cti.Event) {
				if d.events = append(d.events, e); e.Type == typ {
					cancel() // the agent ends while it has it in its hand
				}
			})
			first := d.told()
			if got := types(first); err != nil || !slices.Equal(got, story[:i+2]) {
				t.Fatalf("told %q, %v", got, err)
			}
			d.forget()
			d.start()
			again := d.told()
			if want := append([]string{"source.up"}, story[i+1:]...); !slices.Equal(types(again), want) {
				t.Fatalf("then %q, want %q", types(again), want)
			}
			for _, e := range again[1:] {
				if e.Call.Refs["hook_call"] != first[1].Call.Refs["hook_call"] {
					t.Errorf("%s is of another call", e.Type)
				}
			}
		})
	}
}

func TestWhatIsNoEventOrTooOldIsDroppedAndWhatIsLaterStays(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.left(mailbox.Event{Event: "ring", Number: "7", At: time.Now().Add(-7*24*time.Hour - time.Second)})
		garbage, later := d.left(aRing), d.left(aRing)
		for name, text := range map[string]string{garbage: "{", later: `{"v":2}`} {
			if err := os.WriteFile(filepath.Join(d.box.Dir(), name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.left(mailbox.Event{Event: "ring", Number: "8", At: time.Now().Add(-7*24*time.Hour + time.Second)})
		d.left(mailbox.Event{Event: "no such event", Number: "8"})
		d.start()
		pass(10 * time.Second)
		if got := types(d.told()); !slices.Equal(got, story[:2]) || d.told()[1].Remote.Raw != "8" {
			t.Errorf("told %q", got)
		}
		if got := d.waiting(); !slices.Equal(got, []string{later}) {
			t.Errorf("left %q, want %q", got, later)
		}
	})
}

func TestAnEventFromTheFutureIsOfNow(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		got := d.tell(mailbox.Event{Event: "ring", Number: "1", At: time.Now().Add(time.Hour)})
		if len(got) != 1 || got[0].At.After(time.Now()) {
			t.Errorf("%+v", got)
		}
	})
}

func TestAMailboxThatCannotBeReadIsDownAndComesBack(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		ring := d.tell(aRing) // not written down yet
		aside := d.box.Dir() + "-aside"
		if err := errors.Join(os.Rename(d.box.Dir(), aside), os.WriteFile(d.box.Dir(), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		d.forget()
		pass(time.Minute)
		if len(d.told()) != 1 || d.told()[0].Type != cti.SourceDown || !strings.HasPrefix(d.told()[0].Cause.Raw, "the phone's mailbox cannot be read: ") ||
			strings.Contains(d.told()[0].Cause.Raw, d.box.Dir()) {
			t.Fatalf("told %+v", d.told())
		}
		if err := errors.Join(os.Remove(d.box.Dir()), os.Rename(aside, d.box.Dir())); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		d.tell(anEnd)
		if got := types(d.told()); !slices.Equal(got, []string{"source.down", "source.up", "call.delivered", "call.cleared"}) {
			t.Fatalf("told %q", got)
		}
		for _, e := range d.told()[2:] {
			if e.Call.Refs["hook_call"] != ring[0].Call.Refs["hook_call"] {
				t.Errorf("%s is of another call", e.Type)
			}
		}
	})
}

func TestWithoutWhatTheLastRunKnewItGoesOn(t *testing.T) {
	for _, known := range []string{"", "{", `{"v":9}`, "\x00"} {
		atDesk(t, func(d *desk) {
			if err := errors.Join(os.MkdirAll(d.box.Dir(), 0o755), os.WriteFile(filepath.Join(d.box.Dir(), "calls"), []byte(known), 0o600)); err != nil {
				t.Fatal(err)
			}
			d.left(aRing)
			d.start()
			if got := types(d.told()); !slices.Equal(got, story[:2]) {
				t.Errorf("%q: told %q", known, got)
			}
			if info, err := os.Stat(d.box.Dir()); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
			}
		})
	}
}
