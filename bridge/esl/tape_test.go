package esl_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/esl/esltest"
	"ringside.dev/ringside/bridge/tape"
)

// told is what of an event a replay must give again.
type told struct {
	typ    cti.EventType
	number string
	cause  cti.CauseCode
	by     cti.Party
	legs   int
}

func gist(e cti.Event) told {
	g := told{typ: e.Type, number: e.Remote.Raw, legs: len(e.Legs)}
	if e.Cause != nil {
		g.cause, g.by = e.Cause.Code, e.Cause.By
	}
	return g
}

// What is recorded of a live exchange, from before it connects, replays to the events it made; the password is not in it.
func TestARecordingReplaysToTheEventsItMade(t *testing.T) {
	server := esltest.Start(t, nil)
	server.Desk = true
	before := server.Incoming("13800138001", "Li Si", "600", nil)
	server.Answer(server.Dial(before, extension)[0])
	x, err := esl.New(esl.Config{Address: server.Address(), Password: esltest.Password, Context: "default"})
	if err != nil {
		t.Fatal(err)
	}
	frames, stop := x.Tape().Listen()
	defer stop()
	phone := x.Phone(extension)
	var live []cti.Event
	events := make(chan cti.Event, 100)
	ended := make(chan error, 1)
	ctx := t.Context()
	go func() {
		ended <- x.Run(ctx, func(e string, ev cti.Event) {
			if e == extension {
				events <- ev
			}
		})
	}()
	await := func(typ cti.EventType) cti.Event {
		t.Helper()
		for {
			select {
			case e := <-events:
				live = append(live, e)
				if e.Type == typ {
					return e
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("no %s; %v", typ, live)
			}
		}
	}
	await(cti.Snapshot)
	server.Hangup(before)
	await(cti.Cleared)
	c := server.Incoming("13800138000", "Zhang San", "600", map[string]string{"X-Order-Id": "A-17"})
	server.Answer(server.Dial(c, extension)[0])
	talking := await(cti.Established)
	if err := phone.Transfer(ctx, cti.Call{Refs: talking.Call.Refs}, "1002"); err != nil {
		t.Fatal(err)
	}
	await(cti.Transferred)
	if err := phone.Dial(ctx, "13900139000"); err != nil {
		t.Fatal(err)
	}
	dialled := await(cti.Originated)
	if err := phone.Hangup(ctx, cti.Call{Refs: dialled.Call.Refs}); err != nil {
		t.Fatal(err)
	}
	await(cti.Cleared)

	var recording []tape.Frame
	for len(frames) > 0 {
		f := <-frames
		if strings.Contains(f.Text, esltest.Password) {
			t.Errorf("the password is on the tape: %q", f.Text)
		}
		recording = append(recording, f)
	}
	replayed, err := esl.Replay(recording, extension)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []told
	for _, e := range live {
		want = append(want, gist(e))
	}
	for _, e := range replayed {
		got = append(got, gist(e))
	}
	if !slices.Equal(want, got) {
		t.Errorf("replayed\n%v, want\n%v", got, want)
	}
	if i := slices.IndexFunc(replayed, func(e cti.Event) bool { return e.Type == cti.Delivered }); i < 0 || replayed[i].Data["order_id"] != "A-17" {
		t.Error("the call data is not replayed")
	}
}

func TestWhatIsNoRecordingOfAnEventSocketIsRefused(t *testing.T) {
	at := time.Now()
	for name, f := range map[string]tape.Frame{"another phone's": tape.NewFrame(at, false, []byte(`{"event":true}`)),
		"half a frame": tape.NewFrame(at, false, []byte("Content-Length: 100\n\nabc")), "no event": tape.NewFrame(at, false, []byte("Content-Length: 5\nContent-Type: text/event-plain\n\nabcde")),
		"an Asterisk's": tape.NewFrame(at, false, []byte("Event: Hangup\r\nCause: 16\r\n\r\n")), "no text": {At: at, Base64: "!"}} {
		if _, err := esl.Replay([]tape.Frame{f}, extension); cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "frame 1") {
			t.Errorf("%s: %v; want kind invalid and which frame", name, err)
		}
	}
	orphan := tape.NewFrame(at, false, []byte("Content-Type: command/reply\nReply-Text: +OK\n\n")) // the recording began after its command
	if events, err := esl.Replay([]tape.Frame{orphan}, extension); err != nil || len(events) != 0 {
		t.Errorf("%v, %v", events, err)
	}
}
