package flow_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

// other is an event of a second source about a call that both know by its SIP Call-ID.
func other(e cti.Event) cti.Event {
	e.Source = cti.Source{Adapter: "ami", Instance: "pbx-1"}
	e.Call.Leg = ""
	return e
}

func abandoned(id string) cti.Event {
	e := hangup(id)
	e.Cause = &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	return e
}

func TestOfTwoSourcesTheSecondMayKnowThatAColleagueAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.several = true
		r.start().tell(ring("a"), abandoned("a"))
		pass(time.Second)
		if n := len(r.writes()); n != 0 {
			t.Fatalf("%d write-backs: missed was decided before the exchange could say that it was not", n)
		}
		if _, kept := r.onDisk()["a"]; !kept {
			t.Error("a call that is over and not decided is not on the disk")
		}
		r.tell(other(event(cti.Diverted, "a")))
		pass(cti.SettleFor)
		if n := len(r.writes()); n != 0 || len(r.accepted) != 1 || !slices.Contains(r.dropped, "a") {
			t.Errorf("%d write-backs, %d calls kept, dropped %v; want no record, the call in the log, no card", n, len(r.accepted), r.dropped)
		}
	})
}

func TestAMissedCallOfTwoSourcesIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.several = true
		r.start().tell(ring("a"), other(ring("a")), abandoned("a"), other(abandoned("a")))
		pass(cti.SettleFor)
		if w := r.writes(); len(w) != 1 || w[0].Record.Ending != cti.EndAbandoned {
			t.Errorf("%+v, want one record of an abandoned call", w)
		}
		pass(time.Minute)
		if n := len(r.writes()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestOneSourceDecidesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), abandoned("a"))
		if n := len(r.writes()); n != 1 {
			t.Errorf("%d records: nobody else can know better", n)
		}
	})
}

func TestAnAnsweredCallOfTwoSourcesIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.several = true
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		if n := len(r.writes()); n != 1 {
			t.Errorf("%d records, want one without waiting", n)
		}
	})
}

func TestACallThatWasNotDecidedWhenRingsideEndedIsWrittenAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.several = true
		r.start().tell(ring("a"), abandoned("a"))
		r.end()
		left := r.onDisk()["a"]
		again := newRig(t)
		again.calls = []flow.Earlier{{Call: left.Call, WrapUp: left.WrapUp, Unsettled: left.Call.State == cti.StateClosed}}
		again.start()
		pass(time.Millisecond)
		if w := again.writes(); len(w) != 1 || w[0].Record.Ending != cti.EndAbandoned {
			t.Errorf("%+v, want the record of the call that was over", w)
		}
	})
}

func TestThePhoneIsConnectedWhenEverySourceIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		up, down := event(cti.SourceUp, ""), event(cti.SourceDown, "")
		r.tell(up, other(up), down, other(down), up, other(up))
		if want := []bool{true, true, false, false, false, true}; !slices.Equal(r.up, want) {
			t.Errorf("%v, want %v", r.up, want)
		}
	})
}

// colleague is the agent's call to a colleague.
func colleague(id string) cti.Event {
	e := event(cti.Originated, id)
	e.Call.Leg = ""
	e.Remote.Number = cti.Number{Raw: "1003", Key: "1003", Class: cti.ClassInternal}
	return e
}

func TestAConsultationShowsOnTheCardItIsAboutAndLeavesNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		var done []cti.Instruction
		r.phone.Consult = func(_ context.Context, _ cti.Call, to string) error {
			done = append(done, cti.Instruction{Command: cti.CommandConsult, To: to})
			return nil
		}
		r.phone.Complete = func(context.Context, cti.Call) error {
			done = append(done, cti.Instruction{Command: cti.CommandComplete})
			return nil
		}
		r.start().tell(ring("a"), answer("a"))
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandConsult, To: "1003"}))
		r.tell(colleague("b"))
		c := r.card()
		if c.Call.Leg != "a" || c.Consult == nil || c.Consult.Number.Raw != "1003" || slices.Contains(c.Commands, cti.CommandComplete) {
			t.Fatalf("card of %s with %+v and %v, want the customer's with the colleague who rings", c.Call.Leg, c.Consult, c.Commands)
		}
		up := event(cti.Established, "b")
		up.Call.Leg = ""
		r.tell(up)
		if c = r.card(); c.Consult.State != cti.Connected || !slices.Contains(c.Commands, cti.CommandComplete) || slices.Contains(c.Commands, cti.CommandConsult) {
			t.Fatalf("%+v and %v, want the colleague connected, and the transfer to be completed", c.Consult, c.Commands)
		}
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandComplete}))
		for _, id := range []string{"b", "a"} {
			e := event(cti.Transferred, id)
			e.Call.Leg, e.Transfer = "", &cti.Transfer{Kind: cti.Consult, Role: cti.Transferrer, To: "1003"}
			r.tell(e)
		}
		if w := r.writes(); len(w) != 1 || w[0].Leg != "a" || w[0].Record.Ending != cti.EndTransferred || len(done) != 2 {
			t.Errorf("%d records %+v, commands %v; want one, of the customer's call, as transferred", len(w), w, done)
		}
	})
}

func TestACallToAColleagueDuringAnotherIsAConsultationHoweverItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"), colleague("b"))
		if c := r.card(); c.Call.Leg != "a" || c.Consult == nil {
			t.Errorf("card %s, consultation %+v", c.Call.Leg, c.Consult)
		}
		e := event(cti.Cleared, "b")
		e.Call.Leg = ""
		r.tell(e)
		if c := r.card(); c.Consult != nil || len(r.writes()) != 0 {
			t.Errorf("consultation %+v, records %v: it is over and leaves nothing", c.Consult, r.writes())
		}
	})
}

func TestACallToAColleagueAloneIsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(colleague("b"))
		if c := r.card(); c.Consult != nil || c.Call.Remote.Raw != "1003" {
			t.Errorf("card %+v", c.Call)
		}
	})
}

func TestASupervisorsListeningIsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		e := ring("a")
		e.Call.Purpose = cti.Monitoring
		over := hangup("a")
		over.Call.Purpose = cti.Monitoring
		r.tell(e, answer("a"), over)
		if r.shown() != 0 || len(r.accepted) != 0 {
			t.Errorf("%d cards, %d calls kept", r.shown(), len(r.accepted))
		}
	})
}

// An exchange that tells late what a leg was for, as Asterisk does at the end of an attended transfer.
func TestNotesTypedOnAConsultationBelongToTheMainCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"))
		second := dialled("b")
		r.tell(second)
		must(t, r.flow.SaveWrapUp(t.Context(), "b", cti.WrapUp{Note: "asked the depot"}, true))
		late := event(cti.Info, "b")
		late.Call.Purpose, late.Call.MainLeg = cti.Consultation, "a"
		r.tell(late)
		if !slices.Contains(r.dropped, "b") {
			t.Error("the consultation keeps a card of its own")
		}
		r.tell(hangup("b"), hangup("a"))
		if w := r.lastAccepted(); len(r.writes()) != 1 || w.wrap.Note != "asked the depot" {
			t.Errorf("%d records, note %q", len(r.writes()), w.wrap.Note)
		}
	})
}

func TestClickToDialIsNeverAnIncomingPop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone.RingsFirst = true
		r.phone.Dial = func(context.Context, string) error { return nil }
		r.start()
		dialled := make(chan error, 1)
		go func() { dialled <- r.flow.Dial(context.Background(), customersNumber) }()
		synctest.Wait()
		in := ring("a")
		in.Remote.Number = cti.Number{Raw: customersNumber}
		r.tell(in)
		if err := <-dialled; err != nil {
			t.Errorf("dial: %v", err)
		}
		if c := r.card(); c.Call.Direction != cti.Out || c.Call.State != cti.Initiated || slices.Contains(c.Commands, cti.CommandAnswer) {
			t.Errorf("%s, %s, %v; want an outgoing call", c.Call.Direction, c.Call.State, c.Commands)
		}
	})
}

func recording(id string) cti.Event {
	e := event(cti.Info, id)
	e.Recording = &cti.Recording{ID: "rec-1", URL: "https://pbx.example.com/rec-1"}
	return e
}

func TestARecordingIsAStageOfItsOwnWheneverItBecomesKnown(t *testing.T) {
	for name, events := range map[string][]cti.Event{
		"during the call": {ring("a"), answer("a"), recording("a"), hangup("a")},
		"after it":        {ring("a"), answer("a"), hangup("a"), recording("a")},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).start()
			r.tell(events...)
			w := r.writes()
			last := w[len(w)-1]
			if last.Op != cti.AttachRecording || last.Recording.ID != "rec-1" || last.Leg != "a" || w[0].Op != cti.LogCall {
				t.Errorf("%s: %+v", name, w)
			}
			for _, one := range w {
				if one.Op == cti.LogCall && !one.Record.Equal(w[0].Record) {
					t.Errorf("%s: the recording changed the record", name)
				}
			}
		})
	}
}

func TestARecordingAfterTheCardIsGoneGoesToTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"), hangup("a"))
		r.delivered("a")
		must(t, r.flow.Dismiss(t.Context(), "a"))
		r.happened()
		r.tell(recording("a"))
		if got := r.happened(); !slices.Equal(got, []string{"recorded a rec-1"}) {
			t.Errorf("%v", got)
		}
	})
}

// A colleague who asks first rings with their own number; the customer is shown when the exchange says who is there now, and the window comes once more.
func TestAColleagueWhoPassesACallOnIsReplacedByTheCustomerAndPopsOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		e := ring("a")
		e.Remote = colleague("a").Remote
		r.tell(e, answer("a"))
		if c := r.card(); c.Search != flow.Colleague || !c.Pop || c.Again {
			t.Fatalf("%q, pop %v, again %v; want the colleague, popped once", c.Search, c.Pop, c.Again)
		}
		better := event(cti.Info, "a")
		better.Remote.Number = number(customersNumber)
		r.tell(better)
		if c := r.card(); c.Call.Remote.E164 != customersNumber || c.Search == flow.Colleague || !c.Again {
			t.Errorf("%s, %q, again %v; want the customer, popped again", c.Call.Remote.E164, c.Search, c.Again)
		}
		r.tell(hangup("a"))
		if w := r.writes(); len(w) != 1 || w[0].Record.Number.E164 != customersNumber {
			t.Errorf("%+v, want one record with the customer's number", w)
		}
	})
}

// The exchange and the phone show different callers, and the exchange learns the SIP Call-ID a moment late: two cards, then one.
func TestACallOfTwoSourcesThatHadTwoCardsHasOneRecordWithWhatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.several = true
		colleagues := ring("a")
		colleagues.Remote.Number = cti.Number{Raw: "1002", Key: "1002", Class: cti.ClassInternal}
		first := other(ring("b"))
		first.Call.Refs = map[string]string{"vendor_asterisk": "1"}
		r.start().tell(colleagues, first)
		second := r.card().Call.Leg
		if second == "a" {
			t.Fatal("no second card")
		}
		must(t, r.flow.SaveWrapUp(t.Context(), second, cti.WrapUp{Note: "typed on the second"}, true))
		both := other(answer("a"))
		both.Call.Refs = map[string]string{"vendor_asterisk": "1", cti.RefSIPCallID: "a"}
		r.tell(both, hangup("a"))
		pass(cti.SettleFor)
		if w := r.writes(); len(w) != 1 || w[0].Leg != "a" || !slices.Contains(r.dropped, second) || r.card().WrapUp.Note != "typed on the second" {
			t.Errorf("%d records, dropped %v, note %q; want one record, the second card gone, its note on the first", len(w), r.dropped, r.card().WrapUp.Note)
		}
		if _, live := r.onDisk()[second]; live {
			t.Error("the second is live on the disk")
		}
	})
}

// While the phone is asked to dial, its history may be read: a call of this morning is not the one that was asked for.
func TestACallOfTheHistoryIsNotTheOneThatWasDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone.Dial = func(context.Context, string) error { return nil }
		r.start()
		said := make(chan error, 1)
		go func() { said <- r.flow.Dial(context.Background(), customersNumber) }()
		synctest.Wait()
		past := dialled("morning")
		past.Past = true
		r.tell(past)
		pass(5 * time.Second)
		if err := <-said; cti.KindOf(err) != cti.Offline {
			t.Errorf("%v, want that the phone did not answer", err)
		}
	})
}
