package cti_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

// The numbers of the rules are those of the reducer rules in the protocol reference.

func TestRule1AgentsLegOnly_queueAndInfoTeachFactsAndRingNothing(t *testing.T) {
	info := event(cti.Info, 10)
	info.Remote.Name = "Zhang San"
	call := play(t, queued(0), info)
	if call.State != cti.Null || call.Remote.Name != "Zhang San" || call.Queue.Name != "support" {
		t.Errorf("got %+v, want a call in no state that knows name and queue", call)
	}
	if live := play(t, ring(0), answer(100), event(cti.Info, 200)); live.State != cti.Connected {
		t.Errorf("information took the call to %q", live.State)
	}
}

func TestRule2GapsAreLegal(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []cti.Event
		state  cti.State
		ending cti.Ending
	}{
		{"established without delivered", []cti.Event{answer(0)}, cti.Connected, ""},
		{"cleared without established", []cti.Event{ring(0), hangup(500)}, cti.StateClosed, cti.EndMissed},
		{"cleared without anything", []cti.Event{hangup(0)}, cti.StateClosed, cti.EndMissed},
		{"hold without answer", []cti.Event{ring(0), hold(500, cti.ByLocal)}, cti.OnHold, ""},
		{"retrieve without hold and answer", []cti.Event{ring(0), retrieve(500, cti.ByLocal)}, cti.Connected, ""},
		{"conference without answer", []cti.Event{ring(0), event(cti.Conferenced, 500)}, cti.Connected, ""},
		{"far end rings without originated", []cti.Event{farRing(0)}, cti.Initiated, ""},
		{"hold without retrieve", []cti.Event{answer(0), hold(10, cti.ByRemote), hangup(20)}, cti.StateClosed, cti.EndAnswered},
	} {
		call := play(t, test.events...)
		if call.State != test.state || call.Ending() != test.ending {
			t.Errorf("%s: state %q, ending %q; want %q, %q", test.name, call.State, call.Ending(), test.state, test.ending)
		}
	}
}

func TestRule2HoldWithoutAnswerAnswers(t *testing.T) {
	call := play(t, ring(0), hold(500, cti.ByLocal))
	if !call.EstablishedAt.Equal(at(500)) || !call.HeldSince.Equal(at(500)) {
		t.Errorf("established %v, held %v; want both at 500 ms", call.EstablishedAt, call.HeldSince)
	}
}

func TestRule2DeliveredAfterEstablishedFillsInTheRing(t *testing.T) {
	call := play(t, answer(150), ring(0), hangup(10_150))
	if !call.DeliveredAt.Equal(at(0)) || !call.StartedAt.Equal(at(0)) {
		t.Errorf("delivered %v, started %v; want both at 0", call.DeliveredAt, call.StartedAt)
	}
	if d := call.Durations(at(10_150)); d.Ring != 150*time.Millisecond || d.Talk != 10*time.Second {
		t.Errorf("durations %+v, want 150 ms ring and 10 s talk", d)
	}
}

func TestRule2RingStampedAfterTheAnswerIsNoRing(t *testing.T) {
	if call := play(t, answer(0), ring(100)); call.State != cti.Connected || !call.DeliveredAt.IsZero() {
		t.Errorf("state %q, delivered %v; want connected, never rang", call.State, call.DeliveredAt)
	}
}

func TestRule2QueuedAfterDeliveredFillsInTheWait(t *testing.T) {
	call := play(t, ring(2000), queued(0))
	if d := call.Durations(at(2000)); d.Queue != 2*time.Second {
		t.Errorf("queue %v, want 2 s", d.Queue)
	}
}

func TestRule2ClearedIsTerminal(t *testing.T) {
	closed := play(t, ring(0), answer(100), hangup(200))
	for _, late := range []cti.Event{ring(300), answer(300), hold(300, cti.ByLocal), event(cti.Info, 300), clearCall(300, cti.CauseBusy, cti.ByLocal)} {
		if got, changed := closed.Apply(late); changed {
			t.Errorf("%s after cleared changed the call:\n%s", late.Type, cmp.Diff(closed, got))
		}
	}
}

func TestRule3OnlyEstablishedConnects(t *testing.T) {
	for _, e := range []cti.Event{queued(5), originate(5), farRing(5), event(cti.Info, 5)} {
		if call := play(t, originate(0), e); call.State != cti.Initiated || !call.EstablishedAt.IsZero() {
			t.Errorf("%s: state %q, established %v; want initiated, not established", e.Type, call.State, call.EstablishedAt)
		}
	}
	if call := play(t, originate(0), farRing(5), answer(9)); call.State != cti.Connected {
		t.Errorf("established: state %q, want connected", call.State)
	}
}

func TestRule4AbilitiesAreWhatThePhoneHas(t *testing.T) {
	if can := (cti.Phone{}).Abilities(); len(can) != 0 {
		t.Errorf("a phone without functions can %v", can)
	}
	p := cti.Phone{Answer: nopCall, Reject: nopCall, Hangup: nopCall, Dial: nopDial}
	want := []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandDial}
	if diff := cmp.Diff(want, p.Abilities()); diff != "" {
		t.Error(diff)
	}
}

func TestRule5HoldBySides(t *testing.T) {
	const local, remote, unknown = cti.ByLocal, cti.ByRemote, cti.ByUnknown
	for _, test := range []struct {
		name   string
		events []cti.Event
		by     []cti.Party
		held   time.Duration
	}{
		{"never invented", nil, nil, 0},
		{"not undone by a repeated answer", []cti.Event{hold(100, local), answer(200)}, []cti.Party{local}, 900 * time.Millisecond},
		{"retrieved", []cti.Event{hold(100, local), retrieve(300, local)}, nil, 200 * time.Millisecond},
		{"both sides hold, one retrieves", []cti.Event{hold(100, remote), hold(200, local), retrieve(300, remote)}, []cti.Party{local}, 900 * time.Millisecond},
		{"both sides hold, both retrieve", []cti.Event{hold(100, remote), hold(200, local), retrieve(300, remote), retrieve(400, local)}, nil, 300 * time.Millisecond},
		{"the other side cannot retrieve", []cti.Event{hold(100, remote), retrieve(300, local)}, []cti.Party{remote}, 900 * time.Millisecond},
		{"by whom not said", []cti.Event{hold(100, ""), retrieve(300, "")}, nil, 200 * time.Millisecond},
		{"by unknown, a side retrieves", []cti.Event{hold(100, unknown), retrieve(300, local)}, nil, 200 * time.Millisecond},
		{"by a side, unknown retrieves", []cti.Event{hold(100, local), retrieve(300, unknown)}, nil, 200 * time.Millisecond},
		{"by whom is said later", []cti.Event{hold(100, unknown), hold(150, local), retrieve(300, local)}, nil, 200 * time.Millisecond},
		{"by whom was said before", []cti.Event{hold(100, local), hold(150, unknown), retrieve(300, local)}, nil, 200 * time.Millisecond},
		{"twice", []cti.Event{hold(100, local), retrieve(300, local), hold(400, remote), retrieve(600, remote)}, nil, 400 * time.Millisecond},
		{"a conference ends it", []cti.Event{hold(100, local), event(cti.Conferenced, 300)}, nil, 200 * time.Millisecond},
	} {
		call := play(t, append([]cti.Event{answer(0)}, test.events...)...)
		state := cti.Connected
		if len(test.by) > 0 {
			state = cti.OnHold
		}
		if d := call.Durations(at(1000)); call.State != state || !cmp.Equal(test.by, call.HeldBy, emptyIsNil) || d.Hold != test.held || d.Talk+d.Hold != time.Second {
			t.Errorf("%s: state %q by %v, %+v; want %q by %v, hold %v of 1 s", test.name, call.State, call.HeldBy, d, state, test.by, test.held)
		}
	}
}

func TestTransferEndsOnlyTheCallOfWhoGaveItAway(t *testing.T) {
	for role, want := range map[cti.TransferRole]cti.State{cti.Transferrer: cti.StateClosed, cti.Transferee: cti.Connected, cti.Target: cti.Connected} {
		e := event(cti.Transferred, 500)
		e.Transfer = &cti.Transfer{Kind: cti.Blind, Role: role, To: "1003"}
		e.Remote.Number = cti.Number{Raw: "02079460123", E164: "+442079460123"}
		call := play(t, ring(0), answer(100), e)
		if call.State != want {
			t.Errorf("%s: state %q, want %q", role, call.State, want)
		}
		if changed := call.Remote.Raw == "02079460123"; changed != (role != cti.Transferrer) {
			t.Errorf("%s: the far end is %q", role, call.Remote.Raw)
		}
	}
	if call := play(t, ring(0), answer(100), event(cti.Transferred, 500)); call.Ending() != cti.EndTransferred {
		t.Errorf("ending %q, want transferred", call.Ending())
	}
}

func TestLateFactsReplaceOnlyWithBetterOnes(t *testing.T) {
	other := answer(100)
	other.Remote.Raw, other.Remote.Name = "600", "Queue support"
	better := event(cti.Info, 200)
	better.Remote.Raw, better.Remote.Name = "+8613800138000", "Zhang San"
	hidden := event(cti.Info, 300)
	hidden.Remote.Number = cti.Number{Raw: "anonymous", Withheld: true}
	first := ring(0)
	first.Remote.Name = "Li Si"
	for _, test := range []struct {
		name         string
		events       []cti.Event
		number, text string
	}{
		{"a later event does not", []cti.Event{first, other}, "13800138000", "Li Si"},
		{"information does", []cti.Event{first, better}, "+8613800138000", "Zhang San"},
		{"a number is not replaced by none", []cti.Event{first, better, hidden}, "+8613800138000", "Zhang San"},
		{"none is replaced by a number", []cti.Event{answer(0), other}, "600", "Queue support"},
	} {
		if r := play(t, test.events...).Remote; r.Raw != test.number || r.Name != test.text || r.Withheld {
			t.Errorf("%s: got %+v, want %s, %s", test.name, r, test.number, test.text)
		}
	}
}

func TestQueueKeepsItsNameAndWait(t *testing.T) {
	wait := event(cti.Info, 100)
	wait.Queue = &cti.Queue{WaitMS: 2000}
	name := event(cti.Info, 200)
	name.Queue = &cti.Queue{Name: "support"}
	if call := play(t, queued(0), wait, name); *call.Queue != (cti.Queue{Name: "support", WaitMS: 2000}) {
		t.Errorf("got %+v, want support and 2 s", *call.Queue)
	}
}

func TestConferencePartiesAreListedOnce(t *testing.T) {
	join := event(cti.Conferenced, 200)
	join.Remote.Raw = "1003"
	same := event(cti.Conferenced, 300)
	same.Remote.Raw = "13800138000"
	call := play(t, ring(0), answer(100), join, same, join)
	if !cmp.Equal(call.Parties, []string{"1003"}) || call.Remote.Raw != "13800138000" {
		t.Errorf("parties %v of %s, want 1003 alone and the customer unchanged", call.Parties, call.Remote.Raw)
	}
}

func TestApplyLeavesItsInputAlone(t *testing.T) {
	before := play(t, ring(0), answer(10), hold(20, cti.ByLocal))
	copied := before
	copied.Refs = map[string]string{cti.RefSIPCallID: "a1"}
	copied.HeldBy = []cti.Party{cti.ByLocal}
	e := hold(30, cti.ByRemote)
	e.Call.Refs["vendor"] = "7"
	before.Apply(e)
	before.Apply(hangup(40))
	if diff := cmp.Diff(copied, before); diff != "" {
		t.Errorf("Apply changed the call it was asked of:\n%s", diff)
	}
}

func TestTheFirstEventTellsDirectionAndState(t *testing.T) {
	bare := event(cti.Delivered, 0)
	bare.Side = cti.SideLocal
	sideless := event(cti.Delivered, 0)
	told := answer(0)
	told.Call.Direction = cti.Out
	for _, test := range []struct {
		name      string
		events    []cti.Event
		direction cti.Direction
		state     cti.State
	}{
		{"rings here", []cti.Event{bare}, cti.In, cti.Alerting},
		{"rings, side not said", []cti.Event{sideless}, cti.In, cti.Alerting},
		{"rings there", []cti.Event{farRing(0)}, cti.Out, cti.Initiated},
		{"originated", []cti.Event{originate(0)}, cti.Out, cti.Initiated},
		{"originated after it rang there", []cti.Event{farRing(0), originate(0)}, cti.Out, cti.Initiated},
		{"answered", []cti.Event{answer(0)}, cti.In, cti.Connected},
		{"answered, direction said", []cti.Event{told}, cti.Out, cti.Connected},
		{"originated, answered", []cti.Event{originate(0), answer(10)}, cti.Out, cti.Connected},
		{"waits in a queue", []cti.Event{queued(0)}, "", cti.Null},
	} {
		if call := play(t, test.events...); call.Direction != test.direction || call.State != test.state {
			t.Errorf("%s: %q, %q; want %q, %q", test.name, call.Direction, call.State, test.direction, test.state)
		}
	}
}

func TestFactsAreLearntOnce(t *testing.T) {
	first, second := ring(0), answer(100)
	first.Local.Account, first.Dialled, first.Remote.URI = "sip:1001@pbx", "600", "sip:13800138000@pbx"
	second.Local.Account, second.Dialled, second.Remote.URI = "sip:x@pbx", "601", "sip:x@pbx"
	call := play(t, first, second)
	if call.Local.Account != "sip:1001@pbx" || call.Dialled != "600" || call.Remote.URI != "sip:13800138000@pbx" {
		t.Errorf("got %+v, dialled %s, %s; want the first word on each", call.Local, call.Dialled, call.Remote.URI)
	}
}

func TestTheEndEndsAHold(t *testing.T) {
	call := play(t, answer(0), hold(100, cti.ByRemote), hold(200, cti.ByLocal))
	if !cmp.Equal(call.HeldBy, []cti.Party{cti.ByLocal, cti.ByRemote}) {
		t.Errorf("held by %v, want both in order", call.HeldBy)
	}
	closed, _ := call.Apply(clearCall(500, cti.CauseNormal, ""))
	if closed.HeldFor != 400*time.Millisecond || len(closed.HeldBy) != 0 || !closed.HeldSince.IsZero() || closed.Cause.By != cti.ByUnknown {
		t.Errorf("held %v, now by %v since %v, cause by %q; want 400 ms, nobody, unknown", closed.HeldFor, closed.HeldBy, closed.HeldSince, closed.Cause.By)
	}
	if unsaid := play(t, answer(0), hold(100, "")); !cmp.Equal(unsaid.HeldBy, []cti.Party{cti.ByUnknown}) {
		t.Errorf("held by %v, want unknown", unsaid.HeldBy)
	}
}

func TestTheTransferIsKept(t *testing.T) {
	e := event(cti.Transferred, 500)
	e.Transfer = &cti.Transfer{Kind: cti.Consult, Role: cti.Transferrer, To: "1003"}
	call := play(t, ring(0), answer(100), e)
	if call.Transfer == nil || *call.Transfer != *e.Transfer || call.Transfer == e.Transfer {
		t.Errorf("got %+v, want a copy of %+v", call.Transfer, e.Transfer)
	}
}

func TestPartiesOfAnEarlierCopyStay(t *testing.T) {
	joins := func(who string, ms int) cti.Event {
		e := event(cti.Conferenced, ms)
		e.Remote.Raw = who
		return e
	}
	call := play(t, ring(0), joins("1", 10), joins("2", 20), joins("3", 30))
	one, _ := call.Apply(joins("4", 40))
	other, _ := call.Apply(joins("5", 40))
	if one.Parties[3] != "4" || other.Parties[3] != "5" {
		t.Errorf("parties %v and %v", one.Parties, other.Parties)
	}
}
