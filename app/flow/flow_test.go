package flow_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func TestRunReturnsAfterAllItStartedHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		asking := 0
		r.find = func(ctx context.Context, _ cti.Number) ([]cti.Match, error) {
			asking++
			<-ctx.Done()
			time.Sleep(time.Second) //nolint:forbidigo // fake time: it takes a while to let go
			asking--
			return nil, ctx.Err()
		}
		r.start().tell(ring("a"))
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
		before := r.shown()
		r.end()
		if asking != 0 {
			t.Error("a look-up outlived Run")
		}
		if r.shown() != before {
			t.Errorf("%d cards were shown while stopping, the last %+v", r.shown()-before, r.card())
		}
	})
}

func TestAskedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start().tell(ring("a"))
		r.end()
		for name, err := range map[string]error{
			"command": r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}), "dial": r.flow.Dial(t.Context(), "600"), "pick": r.flow.Pick(t.Context(), "a", "c1"),
			"wrap-up": r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{}, false), "dismiss": r.flow.Dismiss(t.Context(), "a"),
		} {
			if cti.KindOf(err) != cti.Offline {
				t.Errorf("%s gave %v, want offline", name, err)
			}
		}
		r.flow.Event(t.Context(), ring("b")) // neither blocks
		r.flow.Progress(flow.Progress{Leg: "a"})
	})
}

func TestAskedBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flow.New(flow.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Event(ctx, ring("a"))
		if err := f.Pick(ctx, "a", "c1"); err == nil {
			t.Error("no error")
		}
	})
}

func TestDialEndsWithRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start()
		ended := make(chan error, 1)
		go func() { ended <- r.flow.Dial(context.Background(), "600") }()
		synctest.Wait()
		r.end()
		if err := <-ended; cti.KindOf(err) != cti.Offline {
			t.Errorf("got %v", err)
		}
	})
}

func TestOldCardsArePutAwayAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("old"), hangup("old"), ring("live"))
		r.delivered("old")
		pass(time.Hour)
		if len(r.dropped) != 0 {
			t.Errorf("dropped %v within the hour", r.dropped)
		}
		r.tell(ring("new"), hangup("new"))
		pass(2 * time.Minute)
		if !slices.Equal(r.dropped, []string{"old"}) {
			t.Errorf("dropped %v, want only the old one", r.dropped)
		}
		if err := r.flow.Dismiss(t.Context(), "old"); cti.KindOf(err) != cti.NotFound {
			t.Errorf("the old card is still there: %v", err)
		}
	})
}

func TestNoMoreThanFiftyFinishedCardsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		for i := range 53 {
			leg := fmt.Sprintf("%02d", i)
			r.tell(ring(leg), hangup(leg))
			r.delivered(leg)
			pass(time.Millisecond)
		}
		pass(time.Minute)
		if !slices.Equal(r.dropped, []string{"00", "01", "02"}) {
			t.Errorf("dropped %v, want the three oldest", r.dropped)
		}
	})
}

func TestARecordUnderWayKeepsItsCardHoweverLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("old"), hangup("old"))
		pass(72 * time.Hour)
		if len(r.dropped) != 0 {
			t.Errorf("dropped %v while the record was on its way", r.dropped)
		}
		r.delivered("old")
		pass(2 * time.Minute)
		if !slices.Equal(r.dropped, []string{"old"}) {
			t.Errorf("dropped %v, want the delivered one", r.dropped)
		}
	})
}

// News of what was sent before must not hide that the newest content is not on the disk.
func TestProgressDoesNotHideThatTheDiskRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.full.Store(true)
		r.tell(ring("a"), hangup("a"))
		r.flow.Progress(flow.Progress{Leg: "a", Write: flow.Write{State: flow.WriteRetrying}})
		synctest.Wait()
		if got := r.card().Write.State; got != flow.WriteUnsaved {
			t.Errorf("the card says %q", got)
		}
		r.full.Store(false)
		pass(3 * time.Second)
		if got := r.card().Write.State; got != flow.WriteQueued {
			t.Errorf("after the disk came back the card says %q", got)
		}
	})
}

func TestRule8AGhostIsWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"))
		pass(12*time.Hour + 2*time.Minute)
		if w := r.writes(); len(w) != 1 || w[0].Record.Cause != string(cti.CauseUnknown) {
			t.Errorf("written %+v, want the call once, cause unknown", w)
		}
	})
}

// Cards belong to whoever gets them: a reader must not see them change.
func TestCardsAreCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		r.phone = deaf()
		r.start().tell(ring("a"))
		mine := r.card()
		mine.Matches[0].Customer.ID, mine.Commands[0] = "x", "x"
		r.tell(answer("a"))
		if c := r.card(); c.Matches[0].Customer.ID != "c1" {
			t.Errorf("card %+v", c)
		}
		if mine.Call.State != cti.Alerting {
			t.Errorf("the earlier card is %s now", mine.Call.State)
		}
	})
}
