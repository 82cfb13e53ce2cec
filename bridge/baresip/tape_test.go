package baresip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// A recording made while the agent took the call makes the same events when it is played again.
func TestARecordingMakesTheEventsItWasMadeOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: works}
		var frames []tape.Frame
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			listening, stop := f.source.Tape().Listen()
			defer stop()
			for _, typ := range []string{"CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED"} {
				if err := f.say(fmt.Sprintf(`{"event":true,"type":%q,"class":"call","accountaor":"sip:1001@pbx","direction":"incoming","peeruri":"sip:13800138000@pbx","peerdisplayname":"Zhang San","id":"a1","param":"Connection reset by peer"}`, typ)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			if err := p.Answer(ctx, call("a1")); err != nil {
				t.Error(err)
			}
			for len(listening) > 0 {
				frames = append(frames, <-listening)
			}
		})
		if last := frames[len(frames)-1]; !strings.Contains(last.Text, "response") {
			t.Errorf("the last frame is %+v, want the reply to our command", last)
		}
		events, err := Replay(frames, "1001")
		if err != nil {
			t.Fatal(err)
		}
		var got []cti.EventType
		for _, e := range events {
			got = append(got, e.Type)
		}
		want := f.types()[2:] // without source.up and the first snapshot
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 3 {
			t.Errorf("played again (-live +replay):\n%s", diff)
		}
	})
}

func TestAForeignRecordingIsRefusedByItsFrame(t *testing.T) {
	_, err := Replay([]tape.Frame{tape.NewFrame(time.Unix(1e9, 0), false, []byte("Event: Hangup"))}, "1001")
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "frame 1") {
		t.Errorf("%v", err)
	}
}
