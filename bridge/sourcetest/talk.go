package sourcetest

import (
	"context"
	"slices"
	"testing"

	"ringside.dev/ringside/app/cti"
)

// The stories of what is done with a call while it goes on.

func (w *watch) phone() cti.Phone { return w.rig.Source.Phone() }

func (w *watch) setHold(c cti.Call, held bool) {
	w.t.Helper()
	if held {
		w.act("hold", w.rig.Agent.Hold, w.phone().Hold, c)
		return
	}
	w.act("resume", w.rig.Agent.Resume, w.phone().Resume, c)
}

func canHold(t *testing.T, rig Rig) {
	t.Helper()
	if p := rig.Source.Phone(); rig.Agent.Hold == nil && (p.Hold == nil || p.Resume == nil) {
		t.Skip("this source cannot hold")
	}
}

// awaitHold waits for the hold of a call to be told, where the source tells it, and to be seen at the far end, where that can tell.
func (w *watch) awaitHold(n int, far FarEnd, held bool) {
	w.t.Helper()
	if w.phone().TellsHold {
		w.awaitCall(n, map[bool]cti.State{true: cti.OnHold, false: cti.Connected}[held])
	}
	if far.AwaitHold != nil {
		far.AwaitHold(w.t, held)
	}
}

// held gives the states of an answered call with a hold in it, as the source can tell them.
func (w *watch) held(tells bool) []cti.State {
	if tells {
		return []cti.State{cti.Alerting, cti.Connected, cti.OnHold, cti.Connected, cti.StateClosed}
	}
	return []cti.State{cti.Alerting, cti.Connected, cti.StateClosed} // a hold is never invented (reducer rule 5)
}

func holding(t *testing.T, rig Rig) {
	canHold(t, rig)
	w, caller, c := connected(t, rig)
	w.setHold(c, true)
	w.awaitHold(0, caller.FarEnd, true)
	if now := w.awaitCall(0, map[bool]cti.State{true: cti.OnHold, false: cti.Connected}[w.phone().TellsHold]); w.phone().TellsHold &&
		!slices.Equal(now.HeldBy, []cti.Party{cti.ByLocal}) {
		t.Errorf("held by %v, want the agent", now.HeldBy)
	}
	w.setHold(c, false)
	w.awaitHold(0, caller.FarEnd, false)
	caller.Hangup(t)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	w.wantStates(c, w.held(w.phone().TellsHold)...)
}

func heldToTheEnd(t *testing.T, rig Rig) {
	canHold(t, rig)
	w, caller, c := connected(t, rig)
	w.setHold(c, true)
	w.awaitHold(0, caller.FarEnd, true)
	w.hangup(c)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseNormal)
	if tells := w.phone().TellsHold; tells != slices.Contains(w.went(c.Leg), cti.OnHold) {
		t.Errorf("the call went %v, though the source says TellsHold is %v", w.went(c.Leg), tells)
	}
}

func heldByTheFarEnd(t *testing.T, rig Rig) {
	w, caller, c := connected(t, rig)
	if caller.Hold == nil {
		t.Skip("the far end of this source cannot hold")
	}
	caller.Hold(t, true)
	if rig.TellsFarHold {
		if c = w.awaitCall(0, cti.OnHold); !slices.Equal(c.HeldBy, []cti.Party{cti.ByRemote}) {
			t.Errorf("held by %v, want the far end", c.HeldBy)
		}
	}
	caller.Hold(t, false)
	if rig.TellsFarHold {
		w.awaitCall(0, cti.Connected)
	}
	caller.Hangup(t)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	w.wantStates(c, w.held(rig.TellsFarHold)...)
}

func swapping(t *testing.T, rig Rig) {
	canHold(t, rig)
	w, first, one := connected(t, rig)
	second := rig.Ring(t, "Li Si")
	w.setHold(one, true)
	w.awaitHold(0, first.FarEnd, true)
	two := w.awaitCall(1, cti.Alerting)
	w.answer(two)
	w.awaitCall(1, cti.Connected)
	w.setHold(two, true)
	w.awaitHold(1, second.FarEnd, true)
	w.setHold(one, false)
	w.awaitHold(0, first.FarEnd, false)
	w.hangup(one)
	w.wantCause(w.awaitCall(0, cti.StateClosed), cti.ByLocal, cti.CauseNormal)
	second.Hangup(t)
	w.wantCause(w.awaitCall(1, cti.StateClosed), cti.ByRemote, cti.CauseNormal)
	if w.legs() != 2 {
		t.Errorf("two calls became %d", w.legs())
	}
}

func muting(t *testing.T, rig Rig) {
	mute := rig.Source.Phone().Mute
	if mute == nil {
		t.Skip("this source cannot mute")
	}
	w, caller, c := connected(t, rig)
	for _, on := range []bool{true, false} {
		w.do("mute", func(ctx context.Context) error { return mute(ctx, c, on) })
		w.do("mute again", func(ctx context.Context) error { return mute(ctx, c, on) }) // it says what is wanted, it is no toggle
		if rig.TellsMute {
			w.awaitMuted(on)
		}
		if caller.AwaitMuted != nil {
			caller.AwaitMuted(t, on)
		}
	}
	caller.Hangup(t)
	w.wantStates(w.awaitCall(0, cti.StateClosed), cti.Alerting, cti.Connected, cti.StateClosed)
}

func (w *watch) awaitMuted(on bool) {
	w.t.Helper()
	w.await("the agent is muted or heard", func() bool { return w.calls[w.order[0]].Muted == on })
}

func sendingDigits(t *testing.T, rig Rig) {
	dtmf := rig.Source.Phone().DTMF
	if dtmf == nil {
		t.Skip("this source cannot send digits")
	}
	w, caller, c := connected(t, rig)
	all := rig.Digits
	if all == nil {
		all = []string{"5", "12*0#", "AD"}
	}
	for _, digits := range all {
		w.do("send "+digits, func(ctx context.Context) error { return dtmf(ctx, c, digits) })
		if caller.Heard != nil {
			caller.Heard(t, digits)
		}
	}
	caller.Hangup(t)
	w.wantStates(w.awaitCall(0, cti.StateClosed), cti.Alerting, cti.Connected, cti.StateClosed)
}

func conferring(t *testing.T, rig Rig) {
	if rig.Join == nil {
		t.Skip("nobody can join a call of this source")
	}
	w, _, c := connected(t, rig)
	number := rig.Join(t)
	w.await("a third party joins", func() bool { return slices.Contains(w.calls[c.Leg].Parties, number) })
	w.hangup(c)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseNormal)
	w.wantStates(c, cti.Alerting, cti.Connected, cti.StateClosed)
	if w.legs() != 1 {
		t.Errorf("one conference became %d calls", w.legs())
	}
}

func recording(t *testing.T, rig Rig) {
	if rig.Recorded == nil {
		t.Skip("this source knows of no recordings")
	}
	w, caller, c := connected(t, rig)
	caller.Hangup(t)
	w.awaitCall(0, cti.StateClosed)
	want := rig.Recorded(t)
	w.await("the recording is told", func() bool { return w.recordings[c.Leg] != (cti.Recording{}) })
	w.mu.Lock()
	got := w.recordings[c.Leg]
	w.mu.Unlock()
	if got.ID != want && got.URL != want {
		t.Errorf("recording %+v, want %q", got, want)
	}
}

func agentStates(t *testing.T, rig Rig) {
	set := rig.Source.Phone().Presence
	if set == nil {
		t.Skip("this source does not set the agent's state")
	}
	w := start(t, rig)
	for _, want := range []cti.AgentStatus{{State: cti.NotReady, Reason: "lunch"}, {State: cti.Ready}} {
		w.do("set "+string(want.State), func(ctx context.Context) error { return set(ctx, want) })
		w.await("the agent's state is told", func() bool { return w.agent.State == want.State })
		w.mu.Lock()
		got := w.agent
		w.mu.Unlock()
		if got.Reason != "" && got.Reason != want.Reason {
			t.Errorf("told %+v, want %+v", got, want)
		}
	}
}
