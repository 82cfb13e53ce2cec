package sourcetest

import (
	"context"
	"testing"

	"ringside.dev/ringside/app/cti"
)

// The stories of calls that are given to somebody else.

func (w *watch) wantGivenAway(c cti.Call, kind cti.TransferKind) {
	w.t.Helper()
	w.wantCause(c, cti.ByLocal, cti.CauseTransferred)
	if c.Transfer == nil || c.Transfer.Kind != kind || c.Transfer.Role != cti.Transferrer || c.Ending() != cti.EndTransferred {
		w.t.Errorf("transfer %+v, ending %q; want %s by the agent", c.Transfer, c.Ending(), kind)
	}
}

func blindTransfer(t *testing.T, rig Rig) {
	transfer := rig.Source.Phone().Transfer
	if rig.Reachable == nil || transfer == nil {
		t.Skip("this source cannot transfer blindly")
	}
	w, _, c := connected(t, rig)
	callee := rig.Reachable(t)
	w.do("transfer", func(ctx context.Context) error { return transfer(ctx, c, callee.Target) })
	callee.Answer(t)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantGivenAway(c, cti.Blind)
	if w.legs() != 1 {
		t.Errorf("a transfer made %d calls of one", w.legs())
	}
	rig.Ring(t, "Li Si") // the agent is free again
	w.awaitCall(1, cti.Alerting)
}

// consulting tells the beginning of every consultation: the customer holds, the colleague answered.
func consulting(t *testing.T, rig Rig) (w *watch, customer Caller, colleague Callee, main, aside cti.Call) {
	t.Helper()
	consult := rig.Source.Phone().Consult
	if rig.Reachable == nil || consult == nil {
		t.Skip("this source cannot consult")
	}
	w, customer, main = connected(t, rig)
	colleague = rig.Reachable(t)
	w.do("consult", func(ctx context.Context) error { return consult(ctx, main, colleague.Target) })
	w.awaitHold(0, customer.FarEnd, true)
	w.await("the consultation begins", func() bool { return len(w.order) > 1 })
	colleague.Answer(t)
	aside = w.awaitCall(1, cti.Connected)
	if aside.Purpose != cti.Consultation || aside.Direction != cti.Out || aside.Remote.Raw != colleague.Number {
		t.Errorf("purpose %q, direction %q, remote %+v; want a consultation, out, with %q", aside.Purpose, aside.Direction, aside.Remote, colleague.Number)
	}
	if aside.MainLeg != "" && aside.MainLeg != main.Leg {
		t.Errorf("the consultation is about %q, want %q", aside.MainLeg, main.Leg)
	}
	return w, customer, colleague, main, aside
}

func consultCompleted(t *testing.T, rig Rig) {
	complete := rig.Source.Phone().Complete
	if complete == nil {
		t.Skip("this source cannot complete a consultation")
	}
	w, _, _, main, _ := consulting(t, rig)
	w.do("complete", func(ctx context.Context) error { return complete(ctx, main) })
	w.wantGivenAway(w.awaitCall(0, cti.StateClosed), cti.Consult)
	w.wantGivenAway(w.awaitCall(1, cti.StateClosed), cti.Consult)
	if w.legs() != 2 {
		t.Errorf("a call and a consultation became %d calls", w.legs())
	}
}

func consultGivenUp(t *testing.T, rig Rig) {
	w, customer, _, main, aside := consulting(t, rig)
	w.hangup(aside)
	w.wantCause(w.awaitCall(1, cti.StateClosed), cti.ByLocal, cti.CauseNormal)
	if !w.phone().TellsHold || w.state(main.Leg) == cti.OnHold { // some phones take the customer back by themselves
		w.setHold(main, false)
	}
	w.awaitHold(0, customer.FarEnd, false)
	customer.Hangup(t)
	w.wantCause(w.awaitCall(0, cti.StateClosed), cti.ByRemote, cti.CauseNormal)
	if w.legs() != 2 {
		t.Errorf("a call and a consultation became %d calls", w.legs())
	}
}

func completeWithoutConsult(t *testing.T, rig Rig) {
	complete := rig.Source.Phone().Complete
	if complete == nil {
		t.Skip("this source cannot complete a consultation")
	}
	w, caller, c := connected(t, rig)
	wantKind(t, cti.Conflict, map[cti.Command]func(context.Context) error{
		cti.CommandComplete: func(ctx context.Context) error { return complete(ctx, c) }})
	caller.Hangup(t)
	w.wantStates(w.awaitCall(0, cti.StateClosed), cti.Alerting, cti.Connected, cti.StateClosed)
}
