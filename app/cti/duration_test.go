package cti_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"ringside.dev/ringside/app/cti"
)

var emptyIsNil = cmpopts.EquateEmpty()

func nopCall(context.Context, cti.Call) error { return nil }
func nopDial(context.Context, string) error   { return nil }

func TestDurationsAreKeptApart(t *testing.T) {
	call := play(t, queued(0), ring(3000), answer(5000), hold(8000, cti.ByLocal), retrieve(12_000, cti.ByLocal), hangup(20_000))
	want := cti.Durations{Queue: 3 * time.Second, Ring: 2 * time.Second, Talk: 11 * time.Second, Hold: 4 * time.Second}
	if got := call.Durations(at(20_000)); got != want {
		t.Errorf("at the end %+v, want %+v", got, want)
	}
	want.Wrap = 7 * time.Second
	if got := call.Durations(at(27_000)); got != want {
		t.Errorf("7 s later %+v, want %+v", got, want)
	}
	if got := call.EndWrap(at(27_000)).EndWrap(at(40_000)).Durations(at(50_000)); got != want {
		t.Errorf("when the agent was done %+v, want %+v", got, want)
	}
}

func TestDurationsOfALiveCallGrow(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []cti.Event
		want   cti.Durations
	}{
		{"ringing", []cti.Event{ring(0)}, cti.Durations{Ring: 10 * time.Second}},
		{"waiting", []cti.Event{queued(0)}, cti.Durations{Queue: 10 * time.Second}},
		{"talking", []cti.Event{ring(0), answer(4000)}, cti.Durations{Ring: 4 * time.Second, Talk: 6 * time.Second}},
		{"on hold", []cti.Event{answer(0), hold(4000, cti.ByRemote)}, cti.Durations{Talk: 4 * time.Second, Hold: 6 * time.Second}},
		{"rang out", []cti.Event{ring(0), hangup(7000)}, cti.Durations{Ring: 7 * time.Second, Wrap: 3 * time.Second}},
	} {
		if got := play(t, test.events...).Durations(at(10_000)); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestTheQueuesOwnWordOnTheWaitWins(t *testing.T) {
	told := ring(3000)
	told.Queue = &cti.Queue{Name: "support", WaitMS: 2500}
	if d := play(t, queued(0), told).Durations(at(3000)); d.Queue != 2500*time.Millisecond {
		t.Errorf("queue %v, want 2.5 s", d.Queue)
	}
}

// A workstation's clock is set back by an hour during a call.
func TestClockSetBackMakesNothingNegative(t *testing.T) {
	const hour = 3_600_000
	call := play(t, ring(0), answer(5000-hour), hold(6000-hour, cti.ByLocal), retrieve(7000-hour, cti.ByLocal), hangup(9000-hour))
	d := call.Durations(at(9000 - hour))
	if d != (cti.Durations{}) {
		t.Errorf("durations %+v, want none: the clock tells nothing", d)
	}
	if !call.StartedAt.Equal(at(0)) || call.ClearedAt.Before(call.StartedAt) {
		t.Errorf("started %v, cleared %v; want the start as it was first seen, and no end before it", call.StartedAt, call.ClearedAt)
	}
	if done := call.EndWrap(at(-hour)); done.WrapEndedAt.Before(done.ClearedAt) {
		t.Errorf("wrap-up ended %v before the call %v", done.WrapEndedAt, done.ClearedAt)
	}
}

func TestQueueWaitOutOfRangeIsNoDuration(t *testing.T) {
	for _, wait := range []int64{-1, math.MinInt64, math.MaxInt64, math.MaxInt64 / 1000} {
		e := ring(0)
		e.Queue = &cti.Queue{Name: "support", WaitMS: wait}
		for name, e := range map[string]cti.Event{"raw": e, "clean": e.Clean()} {
			if d := play(t, e).Durations(at(0)); d.Queue < 0 || d.Queue > 48*time.Hour {
				t.Errorf("%s wait of %d ms gives %v", name, wait, d.Queue)
			}
		}
	}
}

func TestEndWrapOnlyAfterTheEnd(t *testing.T) {
	if live := play(t, ring(0)).EndWrap(at(10)); !live.WrapEndedAt.IsZero() {
		t.Errorf("a live call was wrapped up at %v", live.WrapEndedAt)
	}
}

func TestEndings(t *testing.T) {
	type row struct {
		code               cti.CauseCode
		in, out            cti.Ending // not answered
		missed             bool       // in, not answered
		inTalked, outAfter cti.Ending // answered
	}
	const answered = cti.EndAnswered
	for _, r := range []row{
		{cti.CauseNormal, cti.EndMissed, cti.EndNoAnswer, true, answered, answered},
		{cti.CauseUnknown, cti.EndMissed, cti.EndNoAnswer, true, answered, answered},
		{cti.CauseNoAnswer, cti.EndMissed, cti.EndNoAnswer, true, answered, answered},
		{cti.CauseTransferred, cti.EndMissed, cti.EndNoAnswer, true, cti.EndTransferred, cti.EndTransferred},
		{cti.CauseAbandoned, cti.EndAbandoned, cti.EndNoAnswer, true, answered, answered},
		{cti.CauseAnsweredElsewhere, cti.EndAnsweredElsewhere, cti.EndAnsweredElsewhere, false, answered, answered},
		{cti.CauseRejected, cti.EndRejected, cti.EndRejected, true, answered, answered},
		{cti.CauseBusy, cti.EndBusy, cti.EndBusy, true, answered, answered},
		{cti.CauseUnreachable, cti.EndFailed, cti.EndFailed, true, answered, answered},
		{cti.CauseNotFound, cti.EndFailed, cti.EndFailed, true, answered, answered},
		{cti.CauseNetwork, cti.EndFailed, cti.EndFailed, true, answered, answered},
		{cti.CauseMedia, cti.EndFailed, cti.EndFailed, true, answered, answered},
	} {
		end := clearCall(900, r.code, cti.ByRemote)
		for _, c := range []struct {
			call   cti.Call
			ending cti.Ending
			missed bool
		}{
			{play(t, ring(0), end), r.in, r.missed},
			{play(t, originate(0), farRing(10), end), r.out, false},
			{play(t, ring(0), answer(10), end), r.inTalked, false},
			{play(t, originate(0), answer(10), end), r.outAfter, false},
		} {
			name := fmt.Sprintf("%s %s, established %v", c.call.Direction, r.code, !c.call.EstablishedAt.IsZero())
			if c.call.Ending() != c.ending || c.call.Missed() != c.missed {
				t.Errorf("%s: ending %q, missed %v; want %q, %v", name, c.call.Ending(), c.call.Missed(), c.ending, c.missed)
			}
		}
	}
}

func TestCausesWhereTheSourceNamesNone(t *testing.T) {
	for eventType, want := range map[cti.EventType]cti.Cause{
		cti.Cleared:     {Code: cti.CauseNormal, By: cti.ByUnknown},
		cti.Failed:      {Code: cti.CauseUnknown, By: cti.ByUnknown},
		cti.Diverted:    {Code: cti.CauseAnsweredElsewhere, By: cti.BySystem},
		cti.Transferred: {Code: cti.CauseTransferred, By: cti.ByLocal},
	} {
		if call := play(t, ring(0), event(eventType, 100)); call.Cause == nil || *call.Cause != want || !call.ClearedAt.Equal(at(100)) {
			t.Errorf("%s: cause %+v at %v, want %+v", eventType, call.Cause, call.ClearedAt, want)
		}
	}
	if live := play(t, ring(0)); live.Ending() != "" || live.Missed() {
		t.Errorf("a ringing call has ending %q, missed %v", live.Ending(), live.Missed())
	}
}
