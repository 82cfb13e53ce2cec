package esl

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/esl/esltest"
)

// What goes on when the relay starts is listed for each extension, as far as FreeSWITCH's own list says it.
func TestCallsThatBeganBeforeTheConnectionAreListed(t *testing.T) {
	server := esltest.Start(t, nil)
	queued := server.Incoming("13800138001", "Zhang San", "600", nil)
	server.Queue(queued, "support@default")
	answered := server.Offer(queued, "1001")[0]
	server.Answer(answered)
	waiting := server.Incoming("13800138002", "Li Si", "600", nil)
	server.Dial(waiting, "1002")
	server.Dial(server.Outgoing("1003", "013900139000"), "trunk/13900139000")
	server.Originate("before", "1004", "13900139000", "job")
	server.Answer(server.Channel("before"))
	held := server.Dial(server.Incoming("13800138005", "Wang Wu", "600", nil), "1005")[0]
	server.Answer(held)
	server.Hold(held, true)
	server.Spy("1009", answered)
	vain := server.Dial(server.Incoming("13800138006", "Zhao Liu", "600", nil), "1006")[0]

	h := start(t, exchange(t, server, nil))
	list := func(extension string) cti.Event {
		t.Helper()
		e := h.await("the list of "+extension, func(e told) bool { return e.extension == extension && e.event.Type == cti.Snapshot }).event
		if len(e.Legs) != 1 {
			t.Fatalf("%s has %d legs, want 1: %+v", extension, len(e.Legs), e.Legs)
		}
		return e.Legs[0]
	}
	for _, want := range []struct {
		extension, number string
		typ               cti.EventType
		direction         cti.Direction
		click             bool
		purpose           cti.Purpose
	}{
		{"1001", "13800138001", cti.Established, cti.In, false, ""},
		{"1002", "13800138002", cti.Delivered, cti.In, false, ""},
		{"1003", "013900139000", cti.Originated, cti.Out, false, ""},
		{"1004", "13900139000", cti.Originated, cti.Out, true, ""},
		{"1005", "13800138005", cti.Held, cti.In, false, ""},
		{"1006", "13800138006", cti.Delivered, cti.In, false, ""},
		{"1009", "*331001", cti.Originated, cti.Out, false, cti.Monitoring},
	} {
		got := list(want.extension)
		if got.Type != want.typ || got.Remote.Raw != want.number || got.Call.Direction != want.direction ||
			got.Call.ClickToDial != want.click || got.Call.Purpose != want.purpose || got.Local.Extension != want.extension {
			t.Errorf("%s: %+v; want %+v", want.extension, got, want)
		}
	}
	if got := list("1001").Call.Refs; got[cti.RefJourney] != queued.ID || got[cti.RefSIPCallID] != answered.CallID {
		t.Errorf("references %v; want the journey %s and the SIP Call-ID %s", got, queued.ID, answered.CallID)
	}
	if got := list("1006").Dialled; got != "600" {
		t.Errorf("dialled %q, want what the caller dialled", got)
	}
	server.RingOut(vain) // the caller is known, and still there: it goes on elsewhere
	h.await("1006's end", func(e told) bool {
		return e.extension == "1006" && e.event.Type == cti.Diverted && e.event.Cause.Code == cti.CauseNoAnswer
	})
	server.Hangup(waiting)
	end := h.await("1002's end", func(e told) bool { return e.extension == "1002" && e.event.Type == cti.Cleared }).event
	if end.Cause.Code != cti.CauseAbandoned {
		t.Errorf("cause %+v, want abandoned", end.Cause)
	}
}

func TestAnExtensionThatIsAskedForLaterGetsItsListThen(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	x.Phone("1007")
	e := h.await("the list", func(e told) bool { return e.extension == "1007" && e.event.Type == cti.Snapshot })
	if e.event.Legs == nil || len(e.event.Legs) != 0 {
		t.Errorf("legs %v, want an empty list", e.event.Legs)
	}
}

// What happened while the connection was broken is in the next list: an answer, a hold, an end.
func TestWhatHappenedDuringABreakIsInTheNextList(t *testing.T) {
	server := esltest.Start(t, nil)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	gone := server.Incoming(zhang, "Zhang San", "600", nil)
	legs := []*esltest.Channel{server.Dial(gone, "1001")[0], server.Dial(server.Incoming("13800138001", "Li Si", "600", nil), "1002")[0],
		server.Dial(server.Incoming("13800138002", "Li Si", "600", nil), "1003")[0]}
	h.await("all ring", func(e told) bool { return e.extension == "1003" && e.event.Type == cti.Delivered })
	server.Break(t)
	h.awaitType(cti.SourceDown)
	server.Hangup(gone)
	server.Answer(legs[1])
	server.Answer(legs[2])
	server.Hold(legs[2], true)
	server.Restore(t)
	for extension, want := range map[string]cti.EventType{"1002": cti.Established, "1003": cti.Held} {
		e := h.await("the list of "+extension, func(e told) bool { return e.extension == extension && e.event.Type == cti.Snapshot }).event
		if len(e.Legs) != 1 || e.Legs[0].Type != want {
			t.Errorf("%s: %+v, want one that is %s", extension, e.Legs, want)
		}
	}
	if e := h.awaitSnapshotOf("1001"); len(e.Legs) != 0 {
		t.Errorf("1001: %+v, want none", e.Legs)
	}
}
