package relayed

import (
	"encoding/json"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

func frame(t *testing.T, out bool, m Message) tape.Frame {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return tape.NewFrame(time.Now(), out, text)
}

// A recording gives each event once, also where a connection broke off and what was not acknowledged came again.
func TestARecordingGivesEachEventOnce(t *testing.T) {
	event := func(seq uint64, kind cti.EventType, number string) Message {
		return Message{T: TEvent, Seq: seq, Event: &cti.Event{V: 1, Type: kind, Remote: cti.Remote{Number: cti.Number{Raw: number}}}}
	}
	frames := []tape.Frame{
		frame(t, true, Message{T: THello, Hello: &Hello{Version: 1}}),
		frame(t, false, Message{T: TWelcome, Welcome: &Welcome{Head: 41}}),
		frame(t, false, event(0, cti.Snapshot, "")),
		frame(t, false, event(42, cti.Delivered, "13800138000\r\n")),
		frame(t, true, Message{T: TCommand, ID: 1, Command: &Command{Instruction: cti.Instruction{Command: cti.CommandAnswer}}}),
		frame(t, false, Message{T: TReply, ID: 1}),
		frame(t, false, event(43, cti.Established, "13800138000")),
		frame(t, false, Message{T: TWelcome, Welcome: &Welcome{Head: 44}}),
		frame(t, false, event(43, cti.Established, "13800138000")),
		frame(t, false, event(44, cti.Cleared, "13800138000")),
		frame(t, false, event(45, cti.Delivered, "13900139000")),
		frame(t, false, Message{T: TBeat}),
	}
	events, err := Replay(frames, "1001")
	if err != nil {
		t.Fatal(err)
	}
	want := []cti.EventType{cti.Snapshot, cti.Delivered, cti.Established, cti.Cleared, cti.Delivered}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(events), len(want), events)
	}
	for i, e := range events {
		if e.Type != want[i] {
			t.Errorf("event %d is %s, want %s", i, e.Type, want[i])
		}
	}
	if raw := events[1].Remote.Raw; raw != "13800138000" {
		t.Errorf("a number came uncleaned: %q", raw)
	}
	for _, text := range []string{"", "{}", "[]", "CALL_INCOMING"} {
		if _, err := Replay([]tape.Frame{tape.NewFrame(time.Now(), false, []byte(text))}, "1001"); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q is taken for a message: %v", text, err)
		}
	}
}
