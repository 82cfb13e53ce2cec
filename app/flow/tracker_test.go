package flow_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func TestALiveCallIsOnTheDiskUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"))
		if c := r.onDisk()["a"].Call; c.State != cti.Alerting || !c.SeenAt.Equal(time.Now()) {
			t.Errorf("on the disk: %+v, want it ringing, seen now", c)
		}
		r.tell(answer("a"))
		if c := r.onDisk()["a"].Call; c.State != cti.Connected {
			t.Errorf("on the disk it is %q, want connected", c.State)
		}
		pass(61 * time.Second)
		if c := r.onDisk()["a"].Call; time.Since(c.SeenAt) > 30*time.Second {
			t.Errorf("it was seen %v ago, want at most 30 s", time.Since(c.SeenAt))
		}
		r.tell(hangup("a"))
		pass(time.Minute)
		if live := r.onDisk(); len(live) != 0 {
			t.Errorf("on the disk still live: %+v", live)
		}
	})
}

// The last word before an orderly end is that it still lives: its talk time counts until then.
func TestTheEndOfRingsideIsTheLastSignOfALiveCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"))
		pass(29 * time.Second)
		r.end()
		if c := r.onDisk()["a"].Call; !c.SeenAt.Equal(time.Now()) {
			t.Errorf("it was seen %v before the end", time.Since(c.SeenAt))
		}
	})
}

func TestADiskThatRefusedALiveCallHearsOfItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.full.Store(true)
		r.start()
		r.tell(ring("a"))
		if len(r.onDisk()) != 0 {
			t.Fatal("a full disk took it")
		}
		r.full.Store(false)
		pass(31 * time.Second)
		if len(r.onDisk()) != 1 {
			t.Error("it is not on the disk")
		}
	})
}

func live(id string, state cti.State) flow.Earlier {
	at := time.Now().UTC().Add(-time.Hour)
	c := cti.Call{Leg: id, Case: id, Direction: cti.In, State: state, Source: cti.Source{Adapter: "sim", Instance: "sim"},
		Refs: map[string]string{cti.RefSIPCallID: id}, StartedAt: at, DeliveredAt: at, EstablishedAt: at.Add(time.Second), LastAt: at.Add(time.Second), SeenAt: at.Add(time.Minute)}
	c.Remote.Number = number(customersNumber)
	return flow.Earlier{Call: c}
}

// Fault 49: a call that was live.
func TestACallThatEndedWhileRingsideWasDeadIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		r.calls = []flow.Earlier{live("a", cti.Connected), live("b", cti.Connected)}
		r.start()
		synctest.Wait()
		if got := len(r.writes()); got != 0 {
			t.Fatalf("%d records before the phone said anything", got)
		}
		up := event(cti.Snapshot, "")
		up.Call, up.Legs = cti.CallRef{}, []cti.Event{answer("b")}
		r.tell(up, up)
		writes := r.writes()
		if len(writes) != 1 || writes[0].Leg != "a" || writes[0].CustomerID != "c1" {
			t.Fatalf("written: %+v, want the record of a for c1, once", writes)
		}
		if talk := writes[0].Record.TalkMS; talk != 59_000 {
			t.Errorf("talk time %d ms, want until it was last seen", talk)
		}
		r.tell(hangup("b"))
		if writes := r.writes(); len(writes) != 2 || writes[1].Leg != "b" || writes[1].Record.TalkMS != (time.Hour-time.Second).Milliseconds() {
			t.Errorf("written: %+v, want b with all of its talk time", writes)
		}
	})
}

func TestARestoredLiveCallHasItsCardButDoesNotPop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		r.calls = []flow.Earlier{live("a", cti.Connected)}
		r.start()
		synctest.Wait()
		if c := r.card(); c.Call.Leg != "a" || c.Pop || c.Picked != "c1" {
			t.Errorf("card of %q, pop %v, customer %q; want a, no pop, c1", c.Call.Leg, c.Pop, c.Picked)
		}
	})
}

func TestAnEndedCallOfAnEarlierRunIsNotBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.calls = []flow.Earlier{live("a", cti.StateClosed)}
		r.start()
		r.tell(ring("a"), answer("a"), hangup("a"))
		if r.shown() != 0 || len(r.writes()) != 0 {
			t.Errorf("%d cards, %d records; want none", r.shown(), len(r.writes()))
		}
	})
}

func TestACallFromTheHistoryIsWrittenButDoesNotPop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		for _, e := range []cti.Event{ring("a"), answer("a"), hangup("a")} {
			e.Past, e.At = true, e.At.Add(-time.Hour)
			r.tell(e)
		}
		if c := r.card(); c.Pop || c.Call.State != cti.StateClosed {
			t.Errorf("pop %v, state %q; want a quiet card of a finished call", c.Pop, c.Call.State)
		}
		if len(r.writes()) != 1 {
			t.Errorf("%d records, want 1", len(r.writes()))
		}
		r.tell(ring("b"))
		if !r.card().Pop {
			t.Error("the next call does not pop")
		}
	})
}

// What was typed during a call that Ringside did not see the end of is neither lost nor, unless it was saved, sent.
func TestWhatWasTypedDuringALiveCallSurvives(t *testing.T) {
	for _, draft := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).start()
			r.tell(ring("a"), answer("a"))
			must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "call back"}, draft))
			r.end()
			again := newRig(t)
			again.calls = []flow.Earlier{r.onDisk()["a"]}
			again.start()
			gone := event(cti.Snapshot, "")
			gone.Call = cti.CallRef{}
			again.tell(gone)
			if c := again.card(); c.WrapUp.Note != "call back" {
				t.Errorf("draft %v: the card's note is %q", draft, c.WrapUp.Note)
			}
			if sent := again.writes()[0].Record.WrapUp.Note; (sent == "call back") == draft {
				t.Errorf("draft %v: the record's note is %q", draft, sent)
			}
		})
	}
}
