package ami_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
	"ringside.dev/ringside/bridge/tape"
)

// retold is what of the events a replay must give again: who, which, what and why, without the clock.
func retold(events []cti.Event) []string {
	var all []string
	for _, e := range events {
		line := fmt.Sprintf("%s %s %s %+v %+v %s %v", e.Type, e.Side, e.By, e.Call, e.Remote, e.Dialled, e.Data)
		for _, l := range e.Legs {
			line += fmt.Sprintf(" [%s %s %v]", l.Type, l.Remote.Raw, l.Call.Refs)
		}
		if e.Cause != nil {
			line += fmt.Sprintf(" %+v", *e.Cause)
		}
		if e.Agent != nil {
			line += fmt.Sprintf(" %+v", *e.Agent)
		}
		all = append(all, line)
	}
	return all
}

func drain(frames <-chan tape.Frame) []tape.Frame {
	var all []tape.Frame
	for len(frames) > 0 {
		all = append(all, <-frames)
	}
	return all
}

// What is recorded of a live exchange, from before it connects, replays to the events it made; the secret is not in it.
func TestARecordingReplaysToTheEventsItMade(t *testing.T) {
	s := amitest.Start(t, amitest.Options{})
	s.Member("support", "1001")
	s.Member("support", "1002")
	before := s.Ring("1001", amitest.Caller{Number: "13800138001", Name: "Li Si"})
	before.Answer()
	c := config(s)
	c.RecordingVariable = ""
	x := exchange(t, c)
	frames, stop := x.Tape().Listen()
	defer stop()
	phone := x.Phone("1001")
	w := run(t, x)
	w.awaitCount("1001", cti.Snapshot, 1)
	w.call("1001", 0, cti.Connected)
	before.Peer().Hangup()
	w.call("1001", 0, cti.StateClosed)
	agent := s.Ring("1001", amitest.Caller{Number: "13800138000", Name: "Zhang San", Vars: map[string]string{"SIP_HEADER(X-Order-Id)": "A-17"}})
	agent.Answer()
	if err := phone.Hangup(t.Context(), w.call("1001", 1, cti.Connected)); err != nil {
		t.Fatal(err)
	}
	w.call("1001", 1, cti.StateClosed)
	if err := phone.Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	w.call("1001", 2, cti.Initiated)
	if err := phone.Hangup(t.Context(), w.call("1001", 2, cti.Initiated)); err != nil {
		t.Fatal(err)
	}
	w.call("1001", 2, cti.StateClosed)

	recording := drain(frames)
	for _, f := range recording {
		if strings.Contains(f.Text, amitest.Secret) || strings.Contains(f.Text, "Key:") {
			t.Errorf("what signs in is on the tape: %q", f.Text)
		}
	}
	replayed, err := ami.Replay(recording, "1001")
	if err != nil {
		t.Fatal(err)
	}
	var live []cti.Event
	w.mu.Lock()
	for _, e := range w.events {
		if e.extension == "1001" {
			live = append(live, e.Event)
		}
	}
	w.mu.Unlock()
	if diff := cmp.Diff(retold(live), retold(replayed)); diff != "" {
		t.Errorf("live - and replayed +:\n%s", diff)
	}
	if i := slices.IndexFunc(replayed, func(e cti.Event) bool { return e.Data["order_id"] == "A-17" }); i < 0 {
		t.Error("the call data is not replayed")
	}
}

// A recording that begins in the middle replays what is in it: the sessions that were recorded of a real Asterisk have no questions of ours.
func TestARecordedSessionReplays(t *testing.T) {
	session := amitest.Load(t, "session")
	for _, name := range []string{"S1", "S2", "S4", "Q1"} {
		var frames []tape.Frame
		for _, b := range session.Scene(t, name).Blocks {
			frames = append(frames, tape.NewFrame(ami.Began.Add(b.At), false, b.Bytes()))
		}
		got, err := ami.Replay(frames, "1001")
		if err != nil {
			t.Fatal(err)
		}
		want := gists(playedAs(t, session.Scene(t, name)).Events)["1001"]
		if diff := cmp.Diff(want, gists(map[string][]cti.Event{"1001": got})["1001"]); diff != "" || len(want) == 0 {
			t.Errorf("%s: %d calls; played - and replayed +:\n%s", name, len(want), diff)
		}
	}
}

func TestWhatIsNoRecordingOfAManagerInterfaceIsRefused(t *testing.T) {
	at := time.Now()
	for name, f := range map[string]tape.Frame{"another phone's": tape.NewFrame(at, false, []byte(`{"event":true}`)), "half a block": tape.NewFrame(at, false, []byte("Event: Hangup\r\n")),
		"a FreeSWITCH's": tape.NewFrame(at, false, []byte("Content-Length: 7\nContent-Type: text/event-plain\n\nA: b\n\n\n")), "no text": {At: at, Base64: "!"}} {
		if _, err := ami.Replay([]tape.Frame{f}, "1001"); cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "frame 1") {
			t.Errorf("%s: %v; want kind invalid and which frame", name, err)
		}
	}
}
