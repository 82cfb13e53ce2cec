package cti_test

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// earlier gives the call that events make in an earlier run.
func earlier(t *testing.T, events ...cti.Event) cti.Call {
	t.Helper()
	changes := book(cti.NewLedger("site"), events...)
	if len(changes) == 0 {
		t.Fatal("the events made no call")
	}
	return changes[len(changes)-1].After
}

func TestARestoredCallThatThePhoneStillListsGoesOn(t *testing.T) {
	was := earlier(t, ring(0), answer(1000))
	l := cti.NewLedger("site")
	l.Restore(was)
	if changes := l.Apply(snapshot(60_000, answer(60_000))); len(changes) != 0 {
		t.Errorf("the snapshot changed it to %+v", changes[0].After)
	}
	changes := l.Apply(hangup(90_000))
	if len(changes) != 1 || !changes[0].Ended() || changes[0].After.Leg != was.Leg || changes[0].After.Durations(at(90_000)).Talk != 89*time.Second {
		t.Errorf("the end gave %+v, want the same call with 89 s of talk", changes)
	}
}

// How long a call went on after Ringside ended nobody can tell: it ends when it was last known to live, not hours later.
func TestARestoredCallThatIsGoneEndedWhenItWasLastSeen(t *testing.T) {
	for _, test := range []struct {
		name string
		seen time.Time
		want time.Time
	}{{"seen after its last event", at(31_000), at(31_000)}, {"never seen again", time.Time{}, at(1000)}} {
		was := earlier(t, ring(0), answer(1000))
		was.SeenAt = test.seen
		l := cti.NewLedger("site")
		l.Restore(was)
		changes := l.Apply(snapshot(50_000_000))
		if len(changes) != 1 || !changes[0].Ended() {
			t.Fatalf("%s: %d changes, want its end", test.name, len(changes))
		}
		after := changes[0].After
		if !after.ClearedAt.Equal(test.want) || after.Cause.Code != cti.CauseUnknown || after.Cause.Raw == "" {
			t.Errorf("%s: it ended at %v with %+v, want %v and a cause that says why", test.name, after.ClearedAt, after.Cause, test.want)
		}
		if more := l.Apply(snapshot(50_001_000)); len(more) != 0 || l.Live() != 0 {
			t.Errorf("%s: it ended twice", test.name)
		}
	}
}

// Once anything was heard of it in this run, it ends when the phone says so.
func TestARestoredCallThatWasHeardOfEndsLikeAnyOther(t *testing.T) {
	was := earlier(t, ring(0), answer(1000))
	was.SeenAt = at(2000)
	l := cti.NewLedger("site")
	l.Restore(was)
	l.Apply(hold(60_000, cti.ByLocal))
	changes := l.Apply(snapshot(90_000))
	if len(changes) != 1 || !changes[0].After.ClearedAt.Equal(at(90_000)) {
		t.Errorf("it ended with %+v, want at the snapshot", changes)
	}
}

func TestARestoredCallOfWhichNothingIsHeardEndsAsAGhost(t *testing.T) {
	was := earlier(t, ring(0), answer(1000))
	was.SeenAt = at(31_000)
	l := cti.NewLedger("site")
	l.Restore(was)
	changes := l.Sweep(at(1000).Add(cti.GhostAfter + time.Second))
	if len(changes) != 1 || !changes[0].After.ClearedAt.Equal(at(31_000)) {
		t.Errorf("the sweep gave %+v, want its end when it was last seen", changes)
	}
}

// A late event, or the phone's own history, must not begin a call again that an earlier run recorded: its record would be overwritten.
func TestARestoredEndedCallSwallowsLateEvents(t *testing.T) {
	was := earlier(t, ring(0), answer(1000), hangup(5000))
	l := cti.NewLedger("site")
	l.Restore(was)
	if changes := book(l, ring(0), answer(1000), hangup(5000), snapshot(6000, answer(6000))); len(changes) != 0 {
		t.Errorf("late events changed it to %+v", changes[0].After)
	}
	l.Sweep(at(5000).Add(cti.TombstoneFor + time.Second))
	if l.Cleared(was.Leg) {
		t.Error("its tombstone is never forgotten")
	}
}
