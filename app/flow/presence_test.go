package flow_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func (r *rig) state() flow.Presence {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.states) == 0 {
		r.t.Fatal("no state was shown")
	}
	return r.states[len(r.states)-1]
}

func agent(state cti.Presence, reason string) cti.Event {
	e := event(cti.AgentState, "")
	e.Agent = &cti.AgentStatus{State: state, Reason: reason}
	return e
}

// told makes a phone that can be told the agent's state, and gives what it was told.
func (r *rig) told() *[]cti.AgentStatus {
	var all []cti.AgentStatus
	r.phone.Presence = func(_ context.Context, s cti.AgentStatus) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		all = append(all, s)
		return nil
	}
	return &all
}

func TestAfterCallWorkEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		told := r.told()
		r.start().tell(agent(cti.Ready, ""), ring("a"), answer("a"), hangup("a"))
		if s := r.state(); s.State != cti.AfterCall || !s.Until.Equal(time.Now().UTC().Add(30*time.Second)) || s.Owed != "" {
			t.Fatalf("%+v, want after-call work for 30 s", s)
		}
		pass(29 * time.Second)
		if s := r.state(); s.State != cti.AfterCall {
			t.Fatalf("%+v a second before the end", s)
		}
		pass(time.Second)
		if s := r.state(); s.State != cti.Ready || !s.Until.IsZero() {
			t.Errorf("%+v, want ready", s)
		}
		if want := []cti.AgentStatus{{State: cti.NotReady, Reason: "after-call work"}, {State: cti.Ready}}; !slices.Equal(*told, want) {
			t.Errorf("the phone was told %+v, want %+v", *told, want)
		}
		last := r.journal[len(r.journal)-1]
		if len(r.journal) != 3 || last.LastedMS != 30_000 || last.By != cti.ByTimer || last.Before != cti.AfterCall || last.Leg != "a" {
			t.Errorf("journal %+v", r.journal)
		}
	})
}

func TestACompulsoryOutcomeKeepsTheAgentFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true}
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		if s := r.state(); s.Owed != "a" {
			t.Fatalf("%+v, want the outcome of a", s)
		}
		if err := r.flow.SetPresence(t.Context(), cti.AgentStatus{State: cti.Ready}); cti.KindOf(err) != cti.Conflict {
			t.Errorf("ready without an outcome: %v", err)
		}
		r.delivered("a")
		if err := r.flow.Dismiss(t.Context(), "a"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("the card went away without an outcome: %v", err)
		}
		pass(time.Hour)
		if s := r.state(); s.State != cti.AfterCall {
			t.Errorf("%+v: the time is over, the outcome is still owed", s)
		}
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "no outcome"}, false))
		if s := r.state(); s.State != cti.AfterCall {
			t.Errorf("%+v: a note is no outcome", s)
		}
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Outcome: "sale", Note: "no outcome"}, false))
		if s := r.state(); s.State != cti.Ready || s.Owed != "" {
			t.Errorf("%+v, want ready", s)
		}
	})
}

func TestTheDefaultOutcomeIsSavedWithWhatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true, Default: "not stated"}
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "half a sen"}, true))
		pass(30 * time.Second)
		w := r.lastAccepted()
		if w.wrap.Outcome != "not stated" || w.wrap.Note != "half a sen" || r.state().State != cti.Ready {
			t.Errorf("%+v, %+v", w.wrap, r.state())
		}
	})
}

func TestASecondCallDuringAfterCallWorkOwesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true}
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		pass(20 * time.Second)
		r.tell(ring("b"), answer("b"), hangup("b"))
		pass(15 * time.Second)
		if s := r.state(); s.State != cti.AfterCall || s.Owed != "a" {
			t.Fatalf("%+v, want after-call work of b, and a's outcome first", s)
		}
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Outcome: "x"}, false))
		if s := r.state(); s.State != cti.AfterCall || s.Owed != "b" {
			t.Fatalf("%+v, want b's outcome", s)
		}
		must(t, r.flow.SaveWrapUp(t.Context(), "b", cti.WrapUp{Outcome: "x"}, false))
		if s := r.state(); s.State != cti.Ready {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoWasNotReadyIsNotReadyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		told := r.told()
		r.start().tell(agent(cti.NotReady, "Training"), ring("a"), answer("a"), hangup("a"))
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Note: "x"}, false))
		if s := r.state(); s.State != cti.NotReady || s.Reason != "Training" || len(*told) != 0 {
			t.Errorf("%+v, told %+v; want not ready as before, and nothing told", s, *told)
		}
	})
}

func TestMissedCallsAndConsultationsHaveNoAfterCallWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true}
		past := answer("d")
		past.Past = true
		over := hangup("d")
		over.Past = true
		r.start().tell(ring("a"), hangup("a"), ring("b"), answer("b"), colleague("c"), past, over)
		if len(r.states) != 0 {
			t.Errorf("%+v", r.states)
		}
	})
}

func TestAStateIsSetAtThePhoneFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Reasons: []string{"Lunch"}}
		refused := cti.Errorf(cti.Denied, "the exchange does not let you pause", nil)
		r.phone.Presence = func(context.Context, cti.AgentStatus) error { return refused }
		r.start()
		for _, s := range []cti.AgentStatus{{State: cti.NotReady, Reason: "Nap"}, {State: cti.LoggedOff}, {State: cti.AfterCall}} {
			if err := r.flow.SetPresence(t.Context(), s); cti.KindOf(err) != cti.Invalid {
				t.Errorf("%+v: %v", s, err)
			}
		}
		if err := r.flow.SetPresence(t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "Lunch"}); !errors.Is(err, refused) || len(r.journal) != 0 {
			t.Errorf("%v, journal %+v; want what the phone said, and nothing changed", err, r.journal)
		}
	})
}

func TestAPhoneWithoutStatesOffersNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		if err := r.flow.SetPresence(t.Context(), cti.AgentStatus{State: cti.Ready}); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%v", err)
		}
		r.tell(ring("a"), answer("a"), hangup("a"))
		if len(r.states) != 0 {
			t.Errorf("%+v", r.states)
		}
	})
}

func TestTheTimerOfAnEarlierCallEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		pass(20 * time.Second)
		r.tell(ring("b"), answer("b"), hangup("b"))
		pass(29 * time.Second)
		if s := r.state(); s.State != cti.AfterCall {
			t.Fatalf("%+v: the after-call work of b has a second left", s)
		}
		pass(time.Second)
		if s := r.state(); s.State != cti.Ready {
			t.Errorf("%+v", s)
		}
	})
}

// slowPhone answers each time it is told a state only when the test says so.
type slowPhone struct {
	asked  chan cti.AgentStatus
	answer chan error
}

func (r *rig) slow() slowPhone {
	p := slowPhone{make(chan cti.AgentStatus, 8), make(chan error, 8)}
	r.phone.Presence = func(ctx context.Context, s cti.AgentStatus) error {
		p.asked <- s
		select {
		case err := <-p.answer:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p
}

func TestThePhoneHearsStatesOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		phone := r.slow()
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		must(t, r.save("", "done at once"))
		if s := <-phone.asked; s.State != cti.NotReady || len(phone.asked) != 0 {
			t.Fatalf("told %+v and %d more, want not ready alone until it answered", s, len(phone.asked))
		}
		phone.answer <- nil
		synctest.Wait()
		if s := <-phone.asked; s.State != cti.Ready {
			t.Errorf("then told %+v", s)
		}
		phone.answer <- nil
	})
}

func TestAnAgentWhomTheExchangeKeepsFromCallsIsNotShownAsReady(t *testing.T) {
	offline := cti.Errorf(cti.Offline, "the exchange is out of reach", nil)
	for name, test := range map[string]struct {
		pause, ready error
		want         cti.Presence
	}{"it paused and does not go on": {nil, offline, cti.NotReady}, "it never paused": {offline, offline, cti.Ready}, "it does both": {nil, nil, cti.Ready}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.presence = flow.PresenceConfig{Seconds: 30}
			r.phone.Presence = func(_ context.Context, s cti.AgentStatus) error {
				if s.State == cti.Ready {
					return test.ready
				}
				return test.pause
			}
			r.start().tell(ring("a"), answer("a"), hangup("a"))
			pass(31 * time.Second)
			if s := r.state(); s.State != test.want {
				t.Errorf("%s: shown as %s, want %s", name, s.State, test.want)
			}
		})
	}
}

func TestReadyThatCrossesACallsEndDoesNotSkipItsAfterCallWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true, Reasons: []string{"Lunch"}}
		phone := r.slow()
		r.start().tell(agent(cti.NotReady, "Lunch"), ring("a"), answer("a"))
		said := make(chan error, 1)
		go func() { said <- r.flow.SetPresence(context.Background(), cti.AgentStatus{State: cti.Ready}) }()
		synctest.Wait()
		r.tell(hangup("a"))
		phone.answer <- nil
		if err := <-said; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := r.state(); s.State != cti.AfterCall || s.Owed != "a" {
			t.Fatalf("%+v, want after-call work with the outcome owed", s)
		}
		if first, then := <-phone.asked, <-phone.asked; first.State != cti.Ready || then.State != cti.NotReady {
			t.Errorf("the phone was told %+v and %+v, want ready and then that it is not so yet", first, then)
		}
		phone.answer <- nil
		must(t, r.save("sale", ""))
		phone.answer <- nil
		if s := r.state(); s.State != cti.Ready {
			t.Errorf("%+v, want ready, as was asked for", s)
		}
	})
}

func TestTheExchangesOwnAfterCallWorkEndsWhereItBegan(t *testing.T) {
	for _, before := range []cti.AgentStatus{{State: cti.Ready}, {State: cti.NotReady, Reason: "Training"}, {State: cti.LoggedOff}} {
		for name, events := range map[string][]cti.EventType{"before the call's end": {cti.AgentState, cti.Cleared}, "after it": {cti.Cleared, cti.AgentState}} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.presence = flow.PresenceConfig{Seconds: 30}
				r.start().tell(agent(before.State, before.Reason), ring("a"), answer("a"))
				for _, kind := range events {
					if kind == cti.AgentState {
						r.tell(agent(cti.AfterCall, ""))
					} else {
						r.tell(hangup("a"))
					}
				}
				if s := r.state(); s.State != cti.AfterCall || s.Until.IsZero() {
					t.Fatalf("%s: %+v, want after-call work with its end", name, s)
				}
				pass(30 * time.Second)
				if s := r.state(); s.State != before.State || s.Reason != before.Reason {
					t.Errorf("%s: %q %q, want %+v as before", name, s.State, s.Reason, before)
				}
			})
		}
	}
}

func TestAReasonStaysWhenThePhoneKnowsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Reasons: []string{"Lunch"}}
		r.told()
		r.start()
		must(t, r.flow.SetPresence(t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "Lunch"}))
		r.tell(agent(cti.NotReady, ""))
		if s := r.state(); s.Reason != "Lunch" || len(r.journal) != 1 {
			t.Errorf("%+v, journal %+v; want lunch, once", s, r.journal)
		}
	})
}

func TestWhoIsTakenOutDuringAfterCallWorkIsNotMadeReadyByItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		told := r.told()
		r.start().tell(agent(cti.Ready, ""), ring("a"), answer("a"), hangup("a"), agent(cti.NotReady, "after-call work"), agent(cti.NotReady, "Meeting"))
		pass(30 * time.Second)
		if s := r.state(); s.State != cti.NotReady || s.Reason != "Meeting" || len(*told) != 1 {
			t.Errorf("%+v, told %+v; want not ready as the exchange said, and nothing told against it", s, *told)
		}
	})
}

func TestAnOutcomeThatWasChosenAndNotSavedBeatsTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true, Default: "not stated"}
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		must(t, r.flow.SaveWrapUp(t.Context(), "a", cti.WrapUp{Outcome: "do not call", Note: "angry"}, true))
		pass(30 * time.Second)
		if w := r.lastAccepted(); w.wrap.Outcome != "do not call" || len(w.writes) != 1 || w.writes[0].Record.WrapUp.Outcome != "do not call" || r.state().State != cti.Ready {
			t.Errorf("%+v, %+v; want what the agent chose", w.wrap, r.state())
		}
	})
}

// A relay tells after a break what happened meanwhile; a call of yesterday ends when Ringside starts.
func TestACallThatEndedLongAgoHasHadItsAfterCallWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		told := r.told()
		r.start().tell(agent(cti.Ready, ""), ring("a"), answer("a"))
		over := hangup("a")
		pass(31 * time.Second)
		r.tell(over)
		if s := r.state(); s.State != cti.Ready || len(*told) != 0 || len(r.writes()) != 1 {
			t.Errorf("%+v, told %v, %d records; want a record, and the agent as ready as before", s, *told, len(r.writes()))
		}
	})
}

func TestACallThatEndedAMomentAgoHasTheRestOfItsAfterCallWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30}
		r.start().tell(ring("a"), answer("a"))
		over := hangup("a")
		pass(10 * time.Second)
		r.tell(over)
		pass(20 * time.Second)
		if s := r.state(); s.State != cti.Ready {
			t.Errorf("%+v, 30 s after the end", s)
		}
	})
}

func TestAnOutcomeIsOwedHoweverLateTheEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Seconds: 30, Required: true}
		r.start().tell(ring("a"), answer("a"))
		over := hangup("a")
		pass(time.Hour)
		r.tell(over)
		if s := r.state(); s.State != cti.AfterCall || s.Owed != "a" || !s.Until.After(time.Now()) {
			t.Errorf("%+v, want the outcome owed, and time to choose it", s)
		}
	})
}

func TestTheDefaultOutcomeIsSavedAlsoWhenTheStateBecameAnother(t *testing.T) {
	for name, becomes := range map[string]func(r *rig){
		"by the exchange": func(r *rig) { r.tell(agent(cti.Ready, "")) },
		"by the agent": func(r *rig) {
			must(r.t, r.flow.SetPresence(r.t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "Lunch"}))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.presence = flow.PresenceConfig{Seconds: 30, Required: true, Default: "not stated"}
			r.start().tell(ring("a"), answer("a"), hangup("a"))
			pass(10 * time.Second)
			becomes(r)
			now := r.state()
			pass(20 * time.Second)
			if w := r.lastAccepted(); w.wrap.Outcome != "not stated" || r.state().Owed != "" || r.state().State != now.State {
				t.Errorf("%s: outcome %q, %+v; want the default, nothing owed, and the state as it became", name, w.wrap.Outcome, r.state())
			}
		})
	}
}

func TestAStartDoesNotGetRoundAnOutcomeThatIsOwed(t *testing.T) {
	begun := func(r *rig, outcome string) {
		u := unfinished(cti.IdentityKnown, "c1", flow.Write{State: flow.WriteDelivered})
		u.WriteBack.Record.WrapUp.Outcome = outcome
		r.earlier = []flow.Unfinished{u}
		r.owing = &cti.PresenceChange{State: cti.AfterCall, Leg: "a", At: u.Call.ClearedAt, Before: cti.Ready}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Required: true}
		told := r.told()
		begun(r, "")
		r.start()
		synctest.Wait()
		if s := r.state(); s.State != cti.AfterCall || s.Owed != "a" || !s.Since.Equal(r.owing.At) {
			t.Fatalf("%+v, want the after-call work to go on", s)
		}
		if err := r.flow.SetPresence(t.Context(), cti.AgentStatus{State: cti.Ready}); cti.KindOf(err) != cti.Conflict {
			t.Errorf("ready without an outcome: %v", err)
		}
		must(t, r.save("sale", ""))
		synctest.Wait()
		if s := r.state(); s.State != cti.Ready || s.Owed != "" || !slices.Equal(*told, []cti.AgentStatus{{State: cti.Ready}}) {
			t.Errorf("%+v, and the phone was told %+v; want ready", s, *told)
		}
	})
	synctest.Test(t, func(t *testing.T) { // the default comes after a start, too
		r := newRig(t)
		r.presence = flow.PresenceConfig{Required: true, Seconds: 30, Default: "none"}
		begun(r, "")
		r.start()
		pass(31 * time.Second)
		if s := r.state(); s.State != cti.Ready || r.card().WrapUp.Outcome != "none" {
			t.Errorf("%+v with outcome %q, want ready with the default", s, r.card().WrapUp.Outcome)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.presence = flow.PresenceConfig{Required: true}
		begun(r, "sale")
		r.start()
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.states) > 0 {
			t.Errorf("%+v, and the outcome was chosen", r.states)
		}
	})
}
