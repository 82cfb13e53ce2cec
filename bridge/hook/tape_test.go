package hook_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/hook/mailbox"
	"ringside.dev/ringside/bridge/sourcetest"
	"ringside.dev/ringside/bridge/tape"
)

// A recording made while the agent took the calls makes the same events when it is played again, masked or not.
func TestARecordingMakesTheEventsItWasMadeOf(t *testing.T) {
	withPhone(t, "microsip", func(d *desk, _ *told) {
		listening, stop := d.source.Tape().Listen()
		defer stop()
		ring := d.tell(mailbox.Event{Event: "ring", Number: "13800138000", Name: "Chen", Data: map[string]string{"order_id": "A-1"}})
		if err := d.source.Phone().Answer(d.t.Context(), call(ring[0])); err != nil {
			t.Fatal(err)
		}
		d.tell(answer)
		d.tell(anEnd)
		var frames []tape.Frame
		for len(listening) > 0 {
			frames = append(frames, <-listening)
		}
		if len(frames) != 4 || !frames[1].Out || frames[1].Text != "/answer" {
			t.Fatalf("recorded %+v", frames)
		}
		events, err := hook.Replay(frames, "1001")
		if diff := cmp.Diff(d.told()[1:], events); diff != "" || err != nil || len(events) != 3 {
			t.Errorf("played again: %v (-live +replay)\n%s", err, diff)
		}
		m, err := tape.NewMasker()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frames {
			if frames[i], err = m.Frame(f); err != nil || strings.Contains(frames[i].Text, "13800138000") {
				t.Errorf("masked: %s, %v", frames[i].Text, err)
			}
		}
		masked, err := hook.Replay(frames, "1001")
		if got := types(masked); err != nil || !slices.Equal(got, story[1:]) {
			t.Errorf("masked: %q, %v", got, err)
		}
	})
}

func TestAForeignRecordingIsRefusedByItsFrame(t *testing.T) {
	for text, why := range map[string]string{"Event: Hangup": "frame 2 of the recording is no event that a phone left", `{"v":2}`: "frame 2 of the recording is of a later Ringside"} {
		frames := []tape.Frame{tape.NewFrame(time.Unix(1e9, 0), true, []byte("/answer")), tape.NewFrame(time.Unix(1e9, 0), false, []byte(text))}
		if _, err := hook.Replay(frames, "1001"); cti.KindOf(err) != cti.Invalid || cti.MessageOf(err) != why {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is measured is from before the file is written until the agent has the event.
func TestLatency(t *testing.T) {
	sourcetest.Latency(t, func(t *testing.T) sourcetest.Rig {
		t.Helper()
		d := newDesk(t, t.TempDir())
		n := 13800000000
		leave := func(event, number string) {
			if _, err := d.box.Put(mailbox.Event{At: time.Now(), Source: "microsip", Event: event, Number: number}); err != nil {
				t.Error(err)
			}
			d.source.Look()
		}
		return sourcetest.Rig{Source: d.source, Ring: func(*testing.T, string) sourcetest.Caller {
			n++
			number := strconv.Itoa(n)
			leave("ring", number)
			return sourcetest.Caller{Number: number, Hangup: func(*testing.T) { leave("end", number) }}
		}}
	})
}
