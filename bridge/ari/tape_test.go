package ari

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
	"ringside.dev/ringside/bridge/tape"
)

// retold is what of events a replay must give again: all but the clock, and the exchange's name.
func retold(events []cti.Event) []cti.Event {
	all := []cti.Event{}
	for _, e := range events {
		e.At, e.SourceAt, e.Source = time.Time{}, time.Time{}, cti.Source{}
		if len(e.Legs) > 0 {
			e.Legs = retold(e.Legs)
		}
		all = append(all, e)
	}
	return all
}

// What is recorded of a live exchange, from before it connects, replays to the events it made; the password is not in it.
func TestARecordingReplaysToTheEventsItMade(t *testing.T) {
	server := aritest.Start(t)
	before := server.Incoming("13800138001", "Li Si", "600", nil)
	server.Answer(server.Dial(before, "PJSIP/1001")[0])
	x := exchange(t, server, func(c *Config) { c.Variables = []string{"X-Order-Id"} })
	frames, stop := x.Tape().Listen()
	defer stop()
	phone := x.Phone("1001")
	h := start(t, x)
	await := func(typ cti.EventType) cti.Event { // the trunk's own channels are told too
		t.Helper()
		return h.await(string(typ), func(e told) bool { return e.extension == "1001" && e.event.Type == typ }).event
	}
	h.await("the list", func(e told) bool { return e.extension == "1001" && len(e.event.Legs) == 1 })
	server.Hangup(before)
	await(cti.Cleared)
	server.Answer(server.Dial(server.Incoming("13800138000", "Zhang San", "600", map[string]string{"X-Order-Id": "A-17"}), "PJSIP/1001")[0])
	talk := await(cti.Established)
	if err := phone.Hangup(t.Context(), cti.Call{Refs: talk.Call.Refs}); err != nil {
		t.Fatal(err)
	}
	if err := phone.Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	dialled := await(cti.Originated)
	if err := phone.Hangup(t.Context(), cti.Call{Refs: dialled.Call.Refs}); err != nil {
		t.Fatal(err)
	}
	h.await("the end of what was dialled", func(e told) bool { return e.extension == "1001" && e.event.Call.ClickToDial && e.event.Cause != nil })

	var recording []tape.Frame
	for len(frames) > 0 {
		f := <-frames
		if strings.Contains(f.Text, aritest.Password) || strings.Contains(f.Text, "Basic ") {
			t.Errorf("the password is on the tape: %q", f.Text)
		}
		recording = append(recording, f)
	}
	replayed, err := Replay(recording, "1001")
	if err != nil {
		t.Fatal(err)
	}
	var live []cti.Event
	h.mu.Lock()
	for _, e := range h.all {
		if e.extension == "1001" {
			live = append(live, e.event)
		}
	}
	h.mu.Unlock()
	if diff := cmp.Diff(retold(live), retold(replayed)); diff != "" {
		t.Errorf("live - and replayed +:\n%s", diff)
	}
}

// A recording that begins in the middle replays what is in it.
func TestARecordingOfEventsAloneReplays(t *testing.T) {
	for _, name := range []string{"answered", "conference", "attended-transfer", "supervisor-through-snoop"} {
		sent := lines(wire(scenarios[name]))
		var frames []tape.Frame
		for _, line := range sent {
			m, err := parse(line)
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, tape.NewFrame(stamp(m.Timestamp), false, line))
		}
		got, err := Replay(frames, "1001")
		if err != nil {
			t.Fatal(err)
		}
		in := newInterpreter(cti.Source{}, newDevices(nil), newWanted([]string{"X-*"}))
		var want []cti.Event
		for _, e := range interpreted(t, in, sent).Events {
			if e.Extension == "1001" {
				want = append(want, e.Event)
			}
		}
		if diff := cmp.Diff(retold(want), retold(got)); diff != "" || len(want) == 0 {
			t.Errorf("%s: %d events; played - and replayed +:\n%s", name, len(want), diff)
		}
	}
}

func TestWhatIsNoRecordingOfARIIsRefused(t *testing.T) {
	at := time.Now()
	for name, f := range map[string]tape.Frame{"another phone's": tape.NewFrame(at, false, []byte("CALL_INCOMING 13800138000")),
		"half an event": tape.NewFrame(at, false, []byte(`{"type":"Dial","peer":{"caller":{"number":"13800138000`)),
		"a click cut":   tape.NewFrame(at, true, []byte("POST /ari/channels\n{13800138000")), "no text": {At: at, Base64: "!"}} {
		_, err := Replay([]tape.Frame{f}, "1001")
		if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "frame 1") || strings.Contains(err.Error(), "138") {
			t.Errorf("%s: %v; want kind invalid, which frame, and nothing of it", name, err)
		}
	}
	orphans := []tape.Frame{tape.NewFrame(at, false, []byte("[]")), tape.NewFrame(at, false, []byte("HTTP offline")), tape.NewFrame(at, false, []byte(`{"value":"1"}`))}
	if events, err := Replay(orphans, "1001"); err != nil || len(events) != 0 { // the recording began after the requests
		t.Errorf("%v, %v", events, err)
	}
	listed := []tape.Frame{tape.NewFrame(at, true, []byte("GET /ari/channels")), tape.NewFrame(at, false, bytes.Repeat([]byte("["), 5))}
	if _, err := Replay(listed, "1001"); cti.KindOf(err) != cti.Invalid {
		t.Errorf("a list that is none: %v", err)
	}
}
