package sourcetest

import (
	"context"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Run runs every story against rigs that fresh makes, one after the other. A rig is used by one story and must be cleaned up by
// t.Cleanup, after which nothing of it may go on.
func Run(t *testing.T, fresh func(t *testing.T) Rig) {
	for _, story := range []struct {
		name string
		tell func(t *testing.T, rig Rig)
	}{
		{"a ring is an alerting call with number, name and extension", ringing},
		{"an answer connects by event, not by command", answering},
		{"a rejected call is cleared as rejected by the agent", rejecting},
		{"a caller who gives up leaves a missed call", abandoning},
		{"the agent hangs up", agentHangsUp},
		{"the caller hangs up", callerHangsUp},
		{"an outbound call is one call from dialling to its end", dialling},
		{"an outbound call that is refused fails and never connects", dialRefused},
		{"an outbound call the agent gives up is cleared by the agent", dialGivenUp},
		{"a waiting call is answered by its id, the first goes on", callWaiting},
		{"the first call is hung up by its id while a second rings", hangupBehind},
		{"two calls are swapped", swapping},
		{"hold and resume are told where the source reports them, and never invented", holding},
		{"a call that is hung up while on hold is over", heldToTheEnd},
		{"the far end's hold is told where the source reports it", heldByTheFarEnd},
		{"mute says what is wanted and is no toggle", muting},
		{"digits reach the far end", sendingDigits},
		{"a blind transfer ends the call as transferred", blindTransfer},
		{"a completed consultation ends both calls as transferred", consultCompleted},
		{"a consultation that is given up leaves the customer", consultGivenUp},
		{"without a consultation there is nothing to complete", completeWithoutConsult},
		{"a third party joins", conferring},
		{"a recording is told after the call's end", recording},
		{"the agent's state is set and told", agentStates},
		{"a call that vanished while disconnected is cleared by the snapshot", vanished},
		{"a call that lived on while disconnected stays the same call", survived},
		{"the history tells the true end of a call that ended while disconnected", remembered},
		{"a phone that is killed in mid-call and started again works, and the call is cleared", killed},
		{"everything told twice and out of order is the same one call", disorder},
		{"garbage in mid-call is survived", garbage},
		{"a name made of hostile bytes arrives clean", hostileName},
		{"a number made of hostile bytes arrives clean", hostileNumber},
		{"a caller's name made of hostile bytes arrives clean", hostileCaller},
		{"call data made of hostile bytes arrive clean", hostileData},
		{"call data arrives under its canonical names", callData},
		{"a command about an unknown call is not found", unknownCall},
		{"commands before Run and after it are offline", commandsOffline},
		{"commands while disconnected are offline", commandsDisconnected},
		{"a command is answered while emit blocks", emitBlocks},
		{"nothing is emitted after Run returned, and Run again knows the call", runAgain},
		{"two Runs at a time are refused", runTwice},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, fresh(t)) })
	}
}

// Silent is the story of a phone that accepts the answer, with nothing following (reducer rule 4). The rig's phone must be like that.
func Silent(t *testing.T, rig Rig) {
	w := start(t, rig)
	caller := rig.Ring(t, "Zhang San")
	call := w.awaitCall(0, cti.Alerting)
	w.answer(call)
	caller.Hangup(t)
	call = w.awaitCall(0, cti.StateClosed)
	w.wantStates(call, cti.Alerting, cti.StateClosed)
	w.wantCause(call, cti.ByRemote, cti.CauseAbandoned)
}

func ringing(t *testing.T, rig Rig) {
	w := start(t, rig)
	caller := rig.Ring(t, "Zhang San")
	c := w.awaitCall(0, cti.Alerting)
	if c.Direction != cti.In || c.Remote.Raw != caller.Number || c.Remote.Name != "Zhang San" || c.Remote.Withheld {
		t.Errorf("direction %q, remote %+v; want in, %q, Zhang San", c.Direction, c.Remote, caller.Number)
	}
	if c.Local.Extension == "" || c.DeliveredAt.IsZero() || c.Leg == "" {
		t.Errorf("extension %q, delivered at %v, leg %q: one is missing", c.Local.Extension, c.DeliveredAt, c.Leg)
	}
}

// connected tells the beginning most stories share.
func connected(t *testing.T, rig Rig) (*watch, Caller, cti.Call) {
	t.Helper()
	w := start(t, rig)
	caller := rig.Ring(t, "Zhang San")
	w.answer(w.awaitCall(0, cti.Alerting))
	return w, caller, w.awaitCall(0, cti.Connected)
}

func answering(t *testing.T, rig Rig) {
	w, _, c := connected(t, rig)
	w.wantStates(c, cti.Alerting, cti.Connected)
	if c.EstablishedAt.IsZero() {
		t.Error("the time of the answer is missing")
	}
}

func rejecting(t *testing.T, rig Rig) {
	w := start(t, rig)
	rig.Ring(t, "Zhang San")
	c := w.awaitCall(0, cti.Alerting)
	w.act("reject", rig.Agent.Reject, rig.Source.Phone().Reject, c)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseRejected)
	w.wantStates(c, cti.Alerting, cti.StateClosed)
}

func abandoning(t *testing.T, rig Rig) {
	w := start(t, rig)
	caller := rig.Ring(t, "Zhang San")
	w.awaitCall(0, cti.Alerting)
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseAbandoned)
	if !c.Missed() || c.Ending() != cti.EndAbandoned {
		t.Errorf("missed %v, ending %q; want a missed call that was abandoned", c.Missed(), c.Ending())
	}
}

func agentHangsUp(t *testing.T, rig Rig) {
	w, _, c := connected(t, rig)
	w.hangup(c)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseNormal)
	w.wantStates(c, cti.Alerting, cti.Connected, cti.StateClosed)
}

func callerHangsUp(t *testing.T, rig Rig) {
	w, caller, _ := connected(t, rig)
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	if c.Missed() || c.Ending() != cti.EndAnswered {
		t.Errorf("missed %v, ending %q; want an answered call", c.Missed(), c.Ending())
	}
}

func dial(t *testing.T, rig Rig) (*watch, Callee, cti.Call) {
	t.Helper()
	if rig.Reachable == nil || rig.Source.Phone().Dial == nil {
		t.Skip("this source cannot dial")
	}
	w := start(t, rig)
	callee := rig.Reachable(t)
	w.do("dial", func(ctx context.Context) error { return rig.Source.Phone().Dial(ctx, callee.Target) })
	c := w.awaitCall(0, cti.Initiated)
	if c.Direction != cti.Out || c.Remote.Raw != callee.Number {
		t.Errorf("direction %q, remote %+v; want out, %q", c.Direction, c.Remote, callee.Number)
	}
	return w, callee, c
}

func dialling(t *testing.T, rig Rig) {
	w, callee, _ := dial(t, rig)
	callee.Answer(t)
	w.awaitCall(0, cti.Connected)
	callee.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantStates(c, cti.Initiated, cti.Connected, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	if w.legs() != 1 {
		t.Errorf("one dialled call became %d", w.legs())
	}
}

func dialRefused(t *testing.T, rig Rig) {
	w, callee, _ := dial(t, rig)
	callee.Refuse(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantStates(c, cti.Initiated, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseRejected, cti.CauseBusy)
	if w.count(cti.Failed) != 1 {
		t.Errorf("%d × %s, want 1", w.count(cti.Failed), cti.Failed)
	}
}

func dialGivenUp(t *testing.T, rig Rig) {
	w, _, c := dial(t, rig)
	w.hangup(c)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantStates(c, cti.Initiated, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseAbandoned)
}

func callWaiting(t *testing.T, rig Rig) {
	w, first, _ := connected(t, rig)
	rig.Ring(t, "Li Si")
	second := w.awaitCall(1, cti.Alerting)
	w.answer(second)
	second = w.awaitCall(1, cti.Connected)
	w.hangup(second)
	second = w.awaitCall(1, cti.StateClosed)
	w.wantCause(second, cti.ByLocal, cti.CauseNormal)
	first.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	if w.legs() != 2 {
		t.Errorf("two calls became %d", w.legs())
	}
}

func hangupBehind(t *testing.T, rig Rig) {
	w, _, first := connected(t, rig)
	waiting := rig.Ring(t, "Li Si")
	w.awaitCall(1, cti.Alerting)
	w.hangup(first)
	first = w.awaitCall(0, cti.StateClosed)
	w.wantCause(first, cti.ByLocal, cti.CauseNormal)
	waiting.Hangup(t)
	second := w.awaitCall(1, cti.StateClosed)
	w.wantCause(second, cti.ByRemote, cti.CauseAbandoned)
	w.wantStates(second, cti.Alerting, cti.StateClosed)
}

func breakable(t *testing.T, rig Rig) {
	t.Helper()
	if rig.Break == nil || rig.Restore == nil {
		t.Skip("this source cannot be cut off its phone")
	}
}

func vanished(t *testing.T, rig Rig) {
	breakable(t, rig)
	w, caller, _ := connected(t, rig)
	rig.Break(t)
	w.awaitEvent(cti.SourceDown, 1)
	caller.Hangup(t)
	rig.Restore(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByUnknown, cti.CauseUnknown)
	if w.count(cti.SourceUp) < 2 {
		t.Error("the call was cleared, but source.up did not come again")
	}
}

func survived(t *testing.T, rig Rig) {
	breakable(t, rig)
	w, caller, before := connected(t, rig)
	rig.Break(t)
	w.awaitEvent(cti.SourceDown, 1)
	snapshots := w.count(cti.Snapshot) // not before: the first connection's own may be late
	rig.Restore(t)
	w.awaitEvent(cti.Snapshot, snapshots+1)
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	if c.Leg != before.Leg || w.legs() != 1 || !c.EstablishedAt.Equal(before.EstablishedAt) {
		t.Errorf("%d calls, answered at %v, want one answered at %v", w.legs(), c.EstablishedAt, before.EstablishedAt)
	}
}

func remembered(t *testing.T, rig Rig) {
	history := rig.Source.Phone().History
	if history == nil {
		t.Skip("this source has no history")
	}
	breakable(t, rig)
	began := time.Now().UTC()
	w, caller, before := connected(t, rig)
	rig.Break(t)
	w.awaitEvent(cti.SourceDown, 1)
	caller.Hangup(t)
	rig.Restore(t)
	w.awaitCall(0, cti.StateClosed)
	rig.Ring(t, "Li Si")
	w.awaitCall(1, cti.Alerting)
	past, err := history(t.Context(), began)
	if err != nil {
		t.Fatal(err)
	}
	ledger, calls := cti.NewLedger("test"), map[string]cti.Call{}
	for _, e := range past {
		w.inspectAlone(e)
		for _, c := range ledger.Apply(e.Clean()) {
			calls[c.After.Leg] = c.After
		}
	}
	c := calls[before.Leg]
	if len(calls) != 1 || c.State != cti.StateClosed || c.Remote.Raw != caller.Number || !c.EstablishedAt.Equal(before.EstablishedAt) {
		t.Errorf("the history tells of %+v; want the one ended call, answered at %v", calls, before.EstablishedAt)
	}
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	if later, err := history(t.Context(), time.Now().UTC().Add(time.Hour)); err != nil || len(later) != 0 {
		t.Errorf("since the future: %d events, %v; want none", len(later), err)
	}
}
