package cti_test

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Calls in tests are told as scripts: each step is an event, its first argument the milliseconds since start.

var start = time.Date(2026, 11, 23, 5, 32, 18, 0, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

var phone = cti.Source{Adapter: "sim", Instance: "sim", Confidence: cti.Signalled}

func event(t cti.EventType, ms int) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: at(ms), Source: phone, Local: cti.Local{Extension: "1001"},
		Call: cti.CallRef{Refs: map[string]string{cti.RefSIPCallID: "a1"}}}
}

func ring(ms int) cti.Event {
	e := event(cti.Delivered, ms)
	e.Side, e.Call.Direction, e.Remote.Raw = cti.SideLocal, cti.In, "13800138000"
	return e
}

func farRing(ms int) cti.Event {
	e := event(cti.Delivered, ms)
	e.Side = cti.SideRemote
	return e
}

func originate(ms int) cti.Event { return event(cti.Originated, ms) }

func answer(ms int) cti.Event { return event(cti.Established, ms) }

func hold(ms int, by cti.Party) cti.Event {
	e := event(cti.Held, ms)
	e.By = by
	return e
}

func retrieve(ms int, by cti.Party) cti.Event {
	e := event(cti.Retrieved, ms)
	e.By = by
	return e
}

func clearCall(ms int, code cti.CauseCode, by cti.Party) cti.Event {
	e := event(cti.Cleared, ms)
	e.Cause = &cti.Cause{Code: code, By: by}
	return e
}

func hangup(ms int) cti.Event { return clearCall(ms, cti.CauseNormal, cti.ByRemote) }

func queued(ms int) cti.Event {
	e := event(cti.Queued, ms)
	e.Queue = &cti.Queue{Name: "support"}
	return e
}

func snapshot(ms int, legs ...cti.Event) cti.Event {
	e := event(cti.Snapshot, ms)
	e.Call, e.Legs = cti.CallRef{}, legs
	return e
}

// ref makes the event one of another call.
func ref(e cti.Event, id string) cti.Event {
	e.Call.Refs = map[string]string{cti.RefSIPCallID: id}
	return e
}

// play applies events to a new call and checks on the way that Apply is pure and that a repetition changes nothing (rule 2).
func play(t *testing.T, events ...cti.Event) cti.Call {
	t.Helper()
	call := cti.Call{Leg: "leg"}
	for i, e := range events {
		next, _ := call.Apply(e)
		if again, changed := next.Apply(e); changed {
			t.Errorf("event %d (%s) said something new the second time: %+v, then %+v", i, e.Type, next, again)
		}
		call = next
	}
	return call
}

// book applies events to a ledger and gives all changes.
func book(l *cti.Ledger, events ...cti.Event) []cti.Change {
	var changes []cti.Change
	for _, e := range events {
		changes = append(changes, l.Apply(e)...)
	}
	return changes
}
