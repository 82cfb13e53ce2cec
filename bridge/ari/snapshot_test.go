package ari

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
)

// What goes on when the relay starts is listed for each extension, as far as Asterisk's own lists say it.
func TestCallsThatBeganBeforeTheConnectionAreListed(t *testing.T) {
	server := aritest.Start(t)
	answered := server.Incoming("13800138001", "Zhang San", "600", nil)
	server.Queue(answered, "support")
	server.Answer(server.Dial(answered, "Local/1001@agents")[0])
	server.Dial(server.Incoming("13800138002", "Li Si", "600", nil), "PJSIP/1002")
	server.Dial(server.Outgoing("1003", "013900139000"), "PJSIP/trunk")
	server.Click("ringside-before", "PJSIP/1004", "13900139000")
	server.TakeUp(server.Channel("ringside-before"))
	server.Spy("1009", answered)

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
		{"1009", "*222", cti.Originated, cti.Out, false, cti.Monitoring},
	} {
		got := list(want.extension)
		if got.Type != want.typ || got.Remote.Raw != want.number || got.Call.Direction != want.direction ||
			got.Call.ClickToDial != want.click || got.Call.Purpose != want.purpose || got.Local.Extension != want.extension {
			t.Errorf("%s: %+v; want %+v", want.extension, got, want)
		}
	}
	if got := list("1001").Call.Refs; got[cti.RefJourney] != answered.ID || got[cti.RefSIPCallID] == "" {
		t.Errorf("references %v; want the journey %s and a SIP Call-ID", got, answered.ID)
	}
}

func TestAnExtensionThatIsAskedForLaterGetsItsListThen(t *testing.T) {
	server := aritest.Start(t)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	x.Phone("1007")
	e := h.await("the list", func(e told) bool { return e.extension == "1007" && e.event.Type == cti.Snapshot })
	if e.event.Legs == nil || len(e.event.Legs) != 0 {
		t.Errorf("legs %v, want an empty list", e.event.Legs)
	}
}

// A hold that was told stays one over a broken connection: nothing in Asterisk's lists tells of it.
func TestAHoldIsRememberedOverABrokenConnection(t *testing.T) {
	server := aritest.Start(t)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	leg := server.Dial(server.Incoming("13800138000", "Zhang San", "600", nil), "PJSIP/1001")[0]
	server.Answer(leg)
	server.Hold(leg, true)
	h.awaitType(cti.Held)
	server.Break(t)
	h.awaitType(cti.SourceDown)
	server.Restore(t)
	e := h.await("the list", func(e told) bool { return e.extension == "1001" && e.event.Type == cti.Snapshot })
	if len(e.event.Legs) != 1 || e.event.Legs[0].Type != cti.Held || e.event.Legs[0].By != cti.ByLocal {
		t.Errorf("legs %+v, want one that the agent holds", e.event.Legs)
	}
}
