package flow_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func TestTheRecordIsDurableBeforeTheCardSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		r.start().tell(ring("a"), answer("a"))
		r.happened()
		pass(time.Minute)
		r.tell(hangup("a"))
		if diff := cmp.Diff([]string{"accept", "show queued"}, r.happened()); diff != "" {
			t.Error(diff)
		}
		got := r.lastAccepted()
		if w := got.writes[0]; got.call.State != cti.StateClosed || w.Op != cti.LogCall || w.Leg != "a" || w.CustomerID != "c1" ||
			w.Identity != cti.IdentityKnown || w.Key != cti.WriteKey("site", "a", cti.LogCall, 0) || w.Record.TalkMS != 60_000 {
			t.Errorf("accepted %+v", got)
		}
	})
}

func TestTheEndOfACallIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"), hangup("a"), answer("a"))
		pass(6 * time.Minute)
		r.tell(hangup("a"), ring("a"))
		if n := len(r.accepted); n != 1 {
			t.Errorf("written %d times", n)
		}
	})
}

func TestForWhomARecordIs(t *testing.T) {
	looking := silentCRM
	failing := func(context.Context, cti.Number) ([]cti.Match, error) { return nil, errDisk }
	answering := func(matches ...cti.Match) func(context.Context, cti.Number) ([]cti.Match, error) {
		return func(context.Context, cti.Number) ([]cti.Match, error) { return matches, nil }
	}
	for _, test := range []struct {
		name     string
		find     func(context.Context, cti.Number) ([]cti.Match, error)
		events   []cti.Event
		identity cti.Identity
		customer string
	}{
		{"found", answering(match(cti.Sure, "c1")...), []cti.Event{ring("a"), hangup("a")}, cti.IdentityKnown, "c1"},
		{"nobody has the number", answering(), []cti.Event{ring("a"), hangup("a")}, cti.IdentityKnown, ""},
		{"several", answering(match(cti.Sure, "c1", "c2")...), []cti.Event{ring("a"), hangup("a")}, cti.IdentityUnclear, ""},
		{"still looking", looking, []cti.Event{ring("a"), hangup("a")}, cti.IdentityPending, ""},
		{"look-up failed", failing, []cti.Event{ring("a"), hangup("a")}, cti.IdentityPending, ""},
		{"began and ended in one event", looking, []cti.Event{withNumber(hangup("a"))}, cti.IdentityPending, ""},
		{"the number came with the end", looking, []cti.Event{withoutNumber(ring("a")), withNumber(hangup("a"))}, cti.IdentityPending, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.find = test.find
			r.start().tell(test.events...)
			if w := r.writes(); len(w) != 1 || w[0].Identity != test.identity || w[0].CustomerID != test.customer {
				t.Errorf("%s: written %+v, want once, %s %q", test.name, w, test.identity, test.customer)
			}
		})
	}
}

func withNumber(e cti.Event) cti.Event {
	e.Remote.Number = number(customersNumber)
	return e
}

func withoutNumber(e cti.Event) cti.Event {
	e.Remote.Number = cti.Number{Withheld: true}
	return e
}

func TestAnsweredElsewhereIsKeptButNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), event(cti.Diverted, "a"))
		if n := len(r.accepted); n != 1 || len(r.writes()) != 0 {
			t.Errorf("%d calls with %d write-backs, want the call alone", n, len(r.writes()))
		}
		if c := r.card(); c.Write.State != "" || c.Call.Ending() != cti.EndAnsweredElsewhere {
			t.Errorf("card %+v", c)
		}
		if !slices.Equal(r.dropped, []string{"a"}) {
			t.Errorf("dropped %v: a call that a colleague took stays on the screen", r.dropped)
		}
	})
}

func TestAnsweredElsewhereOnAFullDiskIsKeptLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.full.Store(true)
		r.start().tell(ring("a"), event(cti.Diverted, "a"))
		r.full.Store(false)
		pass(2 * time.Second)
		if c := r.card(); c.Write.State != "" || c.Notice != "" || len(r.accepted) != 1 {
			t.Errorf("write %+v, notice %q, %d calls kept; want nothing to write, the call kept", c.Write, c.Notice, len(r.accepted))
		}
	})
}

func TestALookUpAfterTheEndAddressesTheUnsentRecord(t *testing.T) {
	for state, again := range map[string]bool{flow.WriteQueued: true, flow.WriteRetrying: true, flow.WriteReview: true,
		flow.WriteSending: false, flow.WriteDelivered: false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			slow := make(chan struct{})
			r.find = func(context.Context, cti.Number) ([]cti.Match, error) { <-slow; return match(cti.Sure, "c1"), nil }
			r.start().tell(ring("a"), hangup("a"))
			r.flow.Progress(flow.Progress{Leg: "a", Write: flow.Write{State: state}})
			close(slow)
			synctest.Wait()
			w := r.writes()
			if got := len(w) == 2 && w[1].CustomerID == "c1" && w[1].Identity == cti.IdentityKnown; got != again {
				t.Errorf("%s: written %+v; again: want %v", state, w, again)
			}
		})
	}
}

func TestALookUpAfterTheEndCorrectsWhatWentToAnotherCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow := make(chan struct{})
		r.cached = func(cti.Number) []cti.Match { return match(cti.Sure, "old") }
		r.find = func(context.Context, cti.Number) ([]cti.Match, error) { <-slow; return match(cti.Sure, "new"), nil }
		r.start().tell(ring("a"), hangup("a"))
		r.flow.Progress(flow.Progress{Leg: "a", Write: flow.Write{State: flow.WriteDelivered}})
		close(slow)
		synctest.Wait()
		if w := r.writes(); len(w) != 2 || w[0].CustomerID != "old" || w[1].CustomerID != "new" || w[0].Key != w[1].Key {
			t.Errorf("written %+v, want the same record for old, then for new", w)
		}
	})
}

func TestALookUpAfterTheEndThatBringsNothingLeavesTheCardsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.find = silentCRM
		r.start().tell(ring("a"), hangup("a"))
		retrying := flow.Write{State: flow.WriteRetrying, Attempts: 1}
		r.flow.Progress(flow.Progress{Leg: "a", Write: retrying})
		pass(2 * time.Second)
		if c := r.card(); c.Write != retrying || c.Search != flow.Failed {
			t.Errorf("write %+v, search %s; want it retrying as before", c.Write, c.Search)
		}
	})
}

func TestAFullDiskIsSaidAndTriedAgainUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		r.full.Store(true)
		r.start().tell(ring("a"), hangup("a"))
		if c := r.card(); c.Write.State != flow.WriteUnsaved || c.Notice != flow.NotSaved {
			t.Fatalf("write %+v, notice %q; want unsaved and said", c.Write, c.Notice)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c1")) // refused by the disk as well, and no second timer
		if err := r.flow.Dismiss(t.Context(), "a"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("dismiss gave %v", err)
		}
		r.happened()
		pass(10 * time.Second)
		if diff := cmp.Diff([]string{"refuse", "show unsaved", "refuse", "show unsaved", "refuse", "show unsaved", "refuse", "show unsaved", "refuse", "show unsaved"}, r.happened()); diff != "" {
			t.Error(diff)
		}
		pass(2 * time.Hour) // the sweep leaves it
		if len(r.dropped) != 0 {
			t.Errorf("dropped %v", r.dropped)
		}
		r.full.Store(false)
		pass(2 * time.Second)
		if c := r.card(); c.Write.State != flow.WriteQueued || c.Notice != "" || r.writes()[0].CustomerID != "c1" {
			t.Errorf("write %+v, notice %q, written %+v; want it queued for c1", c.Write, c.Notice, r.writes())
		}
		must(t, r.flow.Dismiss(t.Context(), "a"))
		pass(10 * time.Second)
		if n := len(r.accepted); n != 1 {
			t.Errorf("written %d times", n)
		}
	})
}

func TestProgressIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"))
		sent := flow.Write{State: flow.WriteDelivered, RecordID: "r1"}
		for range 2 { // the second says nothing new
			r.flow.Progress(flow.Progress{Leg: "a", Write: sent})
			synctest.Wait()
		}
		if c := r.card(); c.Write != sent {
			t.Errorf("write %+v", c.Write)
		}
		before := r.shown()
		must(t, r.flow.Dismiss(t.Context(), "a"))
		r.flow.Progress(flow.Progress{Leg: "a", Write: flow.Write{State: flow.WriteQueued}})
		synctest.Wait()
		if r.shown() != before || !cmp.Equal(r.dropped, []string{"a"}) {
			t.Errorf("%d cards shown after the card was dismissed, dropped %v", r.shown()-before, r.dropped)
		}
	})
}

func TestDismiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"))
		if err := r.flow.Dismiss(t.Context(), "a"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("of a live call: %v", err)
		}
		if err := r.flow.Dismiss(t.Context(), "x"); cti.KindOf(err) != cti.NotFound {
			t.Errorf("of no call: %v", err)
		}
	})
}
