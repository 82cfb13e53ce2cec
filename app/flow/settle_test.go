package flow_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

// undecided is a flow of two sources with a call that stopped ringing a moment ago.
func undecided(t *testing.T) *rig {
	r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
	r.several = true
	r.start().tell(ring("a"), abandoned("a"))
	return r
}

func TestACardThatIsPutAwayBeforeItsCallIsDecidedLeavesItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := undecided(t).knows(nil)
		must(t, r.flow.Dismiss(t.Context(), "a"))
		if !slices.Contains(r.dropped, "a") || len(r.writes()) != 0 {
			t.Fatalf("dropped %v, %d records; want the card away and nothing decided", r.dropped, len(r.writes()))
		}
		pass(cti.SettleFor)
		if w := r.writes(); len(w) != 1 || w[0].Record.Ending != cti.EndAbandoned {
			t.Errorf("%+v, want one record of the missed call", w)
		}
	})
}

func TestACardThatWasPutAwayComesBackWhenTheDiskRefusesItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := undecided(t).knows(nil)
		must(t, r.flow.Dismiss(t.Context(), "a"))
		r.full.Store(true)
		shown := r.shown()
		pass(cti.SettleFor)
		if c := r.card(); r.shown() == shown || c.Notice != flow.NotSaved {
			t.Errorf("notice %q, want it on the screen that the record is not on the disk", c.Notice)
		}
		r.full.Store(false)
		pass(3 * time.Second)
		if n := len(r.writes()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestNothingTheAgentDoesWithAnUndecidedCallMakesARecordOfOneThatAColleagueAnswered(t *testing.T) {
	for name, does := range map[string]func(*rig) error{
		"saves a note": func(r *rig) error {
			return r.flow.SaveWrapUp(r.t.Context(), "a", cti.WrapUp{Note: "call back"}, false)
		},
		"picks": func(r *rig) error { return r.flow.Pick(r.t.Context(), "a", "c1") },
		"picks, and takes it back": func(r *rig) error {
			if err := r.flow.Pick(r.t.Context(), "a", "c1"); err != nil {
				return err
			}
			return r.flow.Wrong(r.t.Context(), "a")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := undecided(t)
			must(t, does(r))
			if n := len(r.writes()); n != 0 {
				t.Errorf("%s: %d records of a call that is not decided", name, n)
			}
			r.tell(other(event(cti.Diverted, "a")))
			pass(cti.SettleFor)
			if n := len(r.writes()); n != 0 {
				t.Errorf("%s: %d records of a call that a colleague answered", name, n)
			}
		})
	}
}

func TestWhatIsSavedOfAnUndecidedCallIsInItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := undecided(t)
		must(t, r.flow.Pick(t.Context(), "a", "c1"))
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "call back"}, false))
		if kept := r.onDisk()["a"]; kept.WrapUp.Note != "call back" {
			t.Errorf("on the disk: %+v, want the note with the call", kept.WrapUp)
		}
		pass(cti.SettleFor)
		if w := r.writes(); len(w) != 1 || w[0].CustomerID != "c1" || w[0].Record.WrapUp.Note != "call back" {
			t.Errorf("%+v, want one record for c1 with the note", w)
		}
	})
}

func TestWhatIsLearntLateOfAnEndTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"), hangup("a"))
		pass(time.Second)
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "x"}, false))
		pass(5 * time.Second)
		recording := event(cti.Info, "a")
		recording.Recording = &cti.Recording{ID: "rec-1"}
		r.tell(recording)
		late := other(hangup("a"))
		late.At, late.Cause = late.At.Add(-6*time.Second), &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal}
		r.tell(late)
		last := r.lastAccepted()
		if w := last.writes[0]; w.Record.Ending != cti.EndTransferred || w.Record.WrapMS != 1000 || last.call.Recording == nil || len(last.writes) != 2 {
			t.Errorf("%s, %d ms of after-call work, recording %+v; want the better end and the rest as it was", w.Record.Ending, w.Record.WrapMS, last.call.Recording)
		}
	})
}

// late tells that a leg with a card is a consultation.
func late(main string) cti.Event {
	e := event(cti.Info, "b")
	e.Call.Purpose, e.Call.MainLeg = cti.Consultation, main
	return e
}

func TestAConsultationKnownLateLeavesNoRecordAfterARestartEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"), dialled("b"), late("a"))
		r.end()
		left := r.onDisk()
		again := newRig(t)
		for _, leg := range []string{"a", "b"} {
			again.calls = append(again.calls, left[leg])
		}
		again.start()
		again.tell(event(cti.SourceUp, ""), event(cti.Snapshot, ""))
		pass(time.Second)
		if w := again.writes(); len(w) != 1 || w[0].Leg != "a" || slices.ContainsFunc(again.cards, func(c flow.Card) bool { return c.Call.Leg == "b" }) {
			t.Errorf("%+v, want the record of the main call alone, and its card", w)
		}
		if _, kept := again.onDisk()["b"]; kept || len(again.accepted) != 2 {
			t.Errorf("%d calls are over, on the disk as live: %v; want both over", len(again.accepted), again.onDisk())
		}
	})
}

func TestWhatWasTypedOnAConsultationIsNotLost(t *testing.T) {
	for name, test := range map[string]struct {
		before []cti.Event
		main   string
	}{"the main call is over": {[]cti.Event{hangup("a")}, "a"}, "nobody knows the main call": {nil, ""}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).start()
			r.tell(ring("a"), answer("a"), dialled("b"))
			must(t, r.flow.SaveWrapUp(t.Context(), "b", cti.WrapUp{Note: "asked the depot"}, true))
			for _, e := range test.before {
				e.At = time.Now().UTC()
				r.tell(e)
			}
			r.tell(late(test.main), hangup("b"))
			if !slices.ContainsFunc(r.accepted, func(a accepted) bool { return a.wrap.Note == "asked the depot" }) {
				t.Errorf("%s: the note is on no call on the disk: %+v", name, r.accepted)
			}
		})
	}
}

// The exchange's word came when the record was written already: it is put right, not left as a missed call.
func TestARecordOfAMissedCallIsCorrectedWhenAColleagueTurnsOutToHaveAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := undecided(t)
		elsewhere := other(event(cti.Diverted, "a"))
		pass(cti.SettleFor + time.Second)
		r.tell(elsewhere)
		w := r.writes()
		if len(w) != 2 || w[0].Key != w[1].Key || w[1].Record.Ending != cti.EndAnsweredElsewhere || !slices.Contains(r.dropped, "a") {
			t.Errorf("%d write-backs %+v, dropped %v; want the same record with the true ending, and no card", len(w), w, r.dropped)
		}
	})
}
