package ami_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/tape"
)

// What a call centre does all day, with a real Asterisk and real phones.

const (
	agent     = asterisktest.AgentExtension
	colleague = asterisktest.ColleagueExtension
	outside   = asterisktest.OutsideNumber
	customer  = "13800138000"
)

// floor is an Asterisk with its phones, watched by both extensions.
type floor struct {
	*asterisktest.World
	*watch

	exchange *ami.Exchange
}

func newFloor(t *testing.T) floor {
	t.Helper()
	a := asterisktest.NewWorld(t, asterisktest.Options{})
	x := ofReal(t, a.Asterisk, a.AMI())
	frames, stop := x.Tape().Listen()
	x.Phone(agent)
	x.Phone(colleague)
	w := run(t, x)
	t.Cleanup(func() {
		stop()
		if *record && !t.Failed() {
			keepRecording(t, drain(frames))
		}
	})
	w.awaitCount("", cti.SourceUp, 1)
	w.awaitCount(colleague, cti.AgentState, 1) // the lists came
	return floor{a, w, x}
}

// record is how the files of recordings come about.
var record = flag.Bool("record", false, "keep what the real Asterisk sends, for tests without one")

const recordings = "testdata/recorded"

func keepRecording(t *testing.T, frames []tape.Frame) {
	t.Helper()
	var text bytes.Buffer
	packed, err := gzip.NewWriterLevel(&text, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewEncoder(packed)
	for _, f := range frames {
		err = errors.Join(err, lines.Encode(f))
	}
	if err := errors.Join(err, packed.Close()); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(t.Name(), "TestReal_")
	if err := os.WriteFile(filepath.Join(recordings, name+".jsonl.gz"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What an Asterisk 20.6 sent in the scenarios below comes to the same events and calls, also where there is none: go test -run TestReal_ -record, then
// go test -run TestWhatWasRecorded -update.
func TestWhatWasRecordedOfARealAsterisk(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recordings, "*.jsonl.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		t.Run(name, func(t *testing.T) {
			raw, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = raw.Close() }() // it was read
			text, err := gzip.NewReader(raw)
			if err != nil {
				t.Fatal(err)
			}
			var frames []tape.Frame
			if err := tape.Read(text, func(f tape.Frame) error { frames = append(frames, f); return nil }); err != nil {
				t.Fatal(err)
			}
			events := map[string][]cti.Event{}
			for _, extension := range []string{agent, colleague} {
				if events[extension], err = ami.Replay(frames, extension); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, filepath.Join("recorded", name), events)
		})
	}
}

// do lets somebody do something at their phone.
func (f floor) do(what string, command func(context.Context) error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), bound)
	defer cancel()
	if err := command(ctx); err != nil {
		f.t.Fatalf("%s: %v", what, err)
	}
}

func (f floor) dial(p *phonetest.Running, number string) {
	f.t.Helper()
	f.do("dial "+number, func(ctx context.Context) error { return p.Dial(ctx, f.URI(number)) })
}

func (f floor) tones(p *phonetest.Running, digits string) {
	f.t.Helper()
	f.do("send "+digits, func(ctx context.Context) error { return p.Tones(ctx, digits) })
}

// connected is a customer's call that the agent answered.
func connected(t *testing.T) (floor, *asterisktest.Caller) {
	t.Helper()
	f := newFloor(t)
	c := f.Call(t, customer, "Zhang San", agent, nil)
	f.call(agent, 0, cti.Alerting)
	f.do("answer", f.Agent.Answer)
	f.call(agent, 0, cti.Connected)
	return f, c
}

func TestReal_queue(t *testing.T) {
	f := newFloor(t)
	c := f.Call(t, customer, "Zhang San", "600", nil)
	ring := f.call(agent, 0, cti.Alerting)
	if ring.Queue == nil || ring.Queue.Name != "support" || ring.Dialled != "600" || ring.Remote.Raw != customer || ring.Remote.Name != "Zhang San" {
		t.Errorf("queue %+v, dialled %q, from %+v", ring.Queue, ring.Dialled, ring.Remote)
	}
	f.do("answer", f.Agent.Answer)
	f.call(agent, 0, cti.Connected)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)

	f.Call(t, "13700137000", "Li Si", "600", nil)
	f.do("answer", f.Agent.Answer)
	f.call(agent, 1, cti.Connected)
	f.do("hang up", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)

	c = f.Call(t, "13600136000", "Wang Wu", "600", nil)
	f.call(agent, 2, cti.Alerting)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 2, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)
}

func TestReal_queueGoesOnToAColleague(t *testing.T) {
	f := newFloor(t)
	f.Call(t, customer, "Zhang San", "600", nil)
	first := f.call(agent, 0, cti.Alerting)
	f.call(colleague, 0, cti.Alerting) // when its time is over
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
	f.do("answer", f.Colleague.Answer)
	if c := f.call(colleague, 0, cti.Connected); c.Queue == nil || c.Queue.Name != "support" || c.Case != first.Case {
		t.Errorf("queue %+v, case %s, want support, %s", c.Queue, c.Case, first.Case)
	}
	f.await("the first learns that it was answered elsewhere", func() bool {
		return f.calls[agent][first.Leg].Cause.Code == cti.CauseAnsweredElsewhere
	})
}

// As FreePBX has it: the queue's members are Local channels, a piece of dialplan each.
func TestReal_queueOfLocalMembers(t *testing.T) {
	f := newFloor(t)
	c := f.Call(t, customer, "Zhang San", "601", nil)
	ring := f.call(agent, 0, cti.Alerting)
	if ring.Queue == nil || ring.Queue.Name != "sales" || ring.Dialled != "601" || ring.Remote.Raw != customer || ring.Remote.Name != "Zhang San" {
		t.Errorf("queue %+v, dialled %q, from %+v", ring.Queue, ring.Dialled, ring.Remote)
	}
	f.do("answer", f.Agent.Answer)
	f.call(agent, 0, cti.Connected)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)

	c = f.Call(t, "13700137000", "Li Si", "601", nil)
	f.call(agent, 1, cti.Alerting)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)

	f.Call(t, "13600136000", "Wang Wu", "601", nil)
	first := f.call(agent, 2, cti.Alerting)
	f.call(colleague, 0, cti.Alerting) // when its time is over
	wantEnd(t, f.call(agent, 2, cti.StateClosed), cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
	f.do("answer", f.Colleague.Answer)
	if c := f.call(colleague, 0, cti.Connected); c.Queue == nil || c.Queue.Name != "sales" || c.Remote.Raw != "13600136000" {
		t.Errorf("queue %+v, from %+v", c.Queue, c.Remote)
	}
	f.await("the first learns that it was answered elsewhere", func() bool {
		return f.calls[agent][first.Leg].Cause.Code == cti.CauseAnsweredElsewhere
	})
	f.do("hang up", f.Colleague.Hangup)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)

	if err := f.exchange.Phone(agent).Presence(t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "lunch"}); err != nil {
		t.Fatal(err)
	}
	f.await("the agent is paused", func() bool {
		last := f.events[len(f.events)-1]
		return last.extension == agent && last.Agent != nil && last.Agent.State == cti.NotReady && last.Agent.Reason == "lunch"
	})
	f.Call(t, "13500135000", "Zhao Liu", "601", nil)
	f.call(colleague, 1, cti.Alerting)
	if len(f.order[agent]) != 3 {
		t.Error("it rang at an agent who is paused")
	}
}

func TestReal_ringGroupOfLocalMembers(t *testing.T) {
	f := newFloor(t)
	c := f.Call(t, customer, "Zhang San", "701", nil)
	ring := f.call(agent, 0, cti.Alerting)
	f.call(colleague, 0, cti.Alerting)
	if ring.Dialled != "701" || ring.Remote.Raw != customer {
		t.Errorf("dialled %q, from %+v", ring.Dialled, ring.Remote)
	}
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	c.Hangup(t)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)

	c = f.Call(t, customer, "Zhang San", "701", nil)
	f.call(agent, 1, cti.Alerting)
	f.call(colleague, 1, cti.Alerting)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)
	wantEnd(t, f.call(colleague, 1, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)

	f.Call(t, customer, "Zhang San", "701", nil) // who waits on after that it rang for two seconds
	wantEnd(t, f.call(agent, 2, cti.StateClosed), cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
	wantEnd(t, f.call(colleague, 2, cti.StateClosed), cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
}

func TestReal_ringGroup(t *testing.T) {
	f := newFloor(t)
	c := f.Call(t, customer, "Zhang San", "700", nil)
	f.call(agent, 0, cti.Alerting)
	f.call(colleague, 0, cti.Alerting)
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	c.Hangup(t)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)

	c = f.Call(t, customer, "Zhang San", "700", nil)
	f.call(agent, 1, cti.Alerting)
	f.call(colleague, 1, cti.Alerting)
	f.do("refuse", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndRejected, cti.CauseRejected, cti.ByLocal)
	f.call(colleague, 1, cti.Alerting)
	c.Hangup(t)
	wantEnd(t, f.call(colleague, 1, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)
}

// given is what becomes of a call that the agent gave to the colleague.
func (f floor) given(t *testing.T, kind cti.TransferKind) {
	t.Helper()
	c := f.call(agent, 0, cti.StateClosed)
	wantEnd(t, c, cti.EndTransferred, cti.CauseTransferred, cti.ByLocal)
	if c.Transfer == nil || c.Transfer.Kind != kind || c.Transfer.Role != cti.Transferrer || c.Transfer.To != colleague {
		t.Errorf("transfer %+v, want %s to %s", c.Transfer, kind, colleague)
	}
	if c.Remote.Raw != customer || c.Purpose != "" {
		t.Errorf("the agent's call is with %q, purpose %q", c.Remote.Raw, c.Purpose)
	}
	f.await("the colleague has the customer", func() bool {
		if len(f.order[colleague]) != 1 {
			return false
		}
		c := f.calls[colleague][f.order[colleague][0]]
		return c.State == cti.Connected && c.Remote.Raw == customer && c.Transfer != nil && c.Transfer.Kind == kind && c.Transfer.Role == cti.Target
	})
}

func TestReal_blindTransferByThePhone(t *testing.T) {
	f, _ := connected(t)
	f.do("transfer", func(ctx context.Context) error { return f.Agent.Transfer(ctx, f.URI(colleague)) })
	f.call(colleague, 0, cti.Alerting)
	f.do("answer", f.Colleague.Answer)
	f.given(t, cti.Blind)
}

func TestReal_blindTransferByFeatureCode(t *testing.T) {
	f, _ := connected(t)
	f.tones(f.Agent, "#1")
	f.tones(f.Agent, colleague)
	f.call(colleague, 0, cti.Alerting)
	f.do("answer", f.Colleague.Answer)
	f.given(t, cti.Blind)
}

func TestReal_attendedTransferByFeatureCode(t *testing.T) {
	f, c := connected(t)
	f.tones(f.Agent, "*2")
	f.tones(f.Agent, colleague)
	f.call(colleague, 0, cti.Alerting)
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	f.do("complete by hanging up", f.Agent.Hangup)
	f.given(t, cti.Consult)
	c.Hangup(t)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
}

func TestReal_attendedTransferOfACallTheAgentMade(t *testing.T) {
	f := newFloor(t)
	f.dial(f.Agent, outside)
	f.do("answer", f.Outside.Answer)
	f.call(agent, 0, cti.Connected)
	f.tones(f.Agent, "*2")
	f.tones(f.Agent, colleague)
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	f.do("complete by hanging up", f.Agent.Hangup)
	c := f.call(agent, 0, cti.StateClosed)
	wantEnd(t, c, cti.EndTransferred, cti.CauseTransferred, cti.ByLocal)
	if c.Remote.Raw != outside || c.Purpose != "" || c.Direction != cti.Out {
		t.Errorf("the agent's call is %s, with %q, purpose %q", c.Direction, c.Remote.Raw, c.Purpose)
	}
	f.await("the colleague has the customer", func() bool {
		c := f.calls[colleague][f.order[colleague][0]]
		return c.State == cti.Connected && c.Dialled == colleague && c.Remote.Raw == outside && c.Transfer != nil && c.Transfer.Role == cti.Target
	})
}

func TestReal_attendedTransferGivenUp(t *testing.T) {
	f, c := connected(t)
	f.tones(f.Agent, "*2")
	f.tones(f.Agent, colleague)
	f.call(colleague, 0, cti.Alerting)
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	f.do("the colleague hangs up", f.Colleague.Hangup)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
	if c := f.call(agent, 0, cti.Connected); c.Remote.Raw != customer {
		t.Errorf("the agent is back with %q", c.Remote.Raw)
	}
	c.Hangup(t)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	if len(f.order[agent]) > 2 {
		t.Errorf("the agent had %d calls", len(f.order[agent]))
	}
}

func TestReal_theCustomerGivesUpDuringAnAttendedTransfer(t *testing.T) {
	f, c := connected(t)
	f.tones(f.Agent, "*2")
	f.tones(f.Agent, colleague)
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	c.Hangup(t)
	end := f.call(agent, 0, cti.StateClosed)
	wantEnd(t, end, cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	if end.Remote.Raw != customer {
		t.Errorf("the agent's call was with %q", end.Remote.Raw)
	}
	f.do("hang up", f.Agent.Hangup)
	f.call(colleague, 0, cti.StateClosed)
	f.Call(t, "13700137000", "Li Si", agent, nil)
	f.call(agent, 1, cti.Alerting)
}

func TestReal_consultationByThePhone(t *testing.T) {
	f, c := connected(t)
	f.do("hold", f.Agent.Hold)
	f.call(agent, 0, cti.OnHold)
	f.dial(f.Agent, colleague)
	f.do("answer", f.Colleague.Answer)
	aside := f.call(agent, 1, cti.Connected)
	if aside.Purpose != cti.Consultation || aside.Direction != cti.Out || aside.Remote.Raw != colleague {
		t.Errorf("purpose %q, direction %s, with %q", aside.Purpose, aside.Direction, aside.Remote.Raw)
	}
	f.do("the colleague holds", f.Colleague.Hold)
	f.await("the agent is held by the colleague", func() bool { return f.calls[agent][aside.Leg].State == cti.OnHold })
	f.do("and lets go", f.Colleague.Resume)
	f.call(agent, 1, cti.Connected)
	f.do("the colleague hangs up", f.Colleague.Hangup)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	f.do("resume", f.Agent.Resume)
	f.call(agent, 0, cti.Connected)
	c.Hangup(t)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
}

func TestReal_conference(t *testing.T) {
	f := newFloor(t)
	f.dial(f.Agent, "900")
	f.Call(t, customer, "Zhang San", "900", nil).AwaitAnswer(t)
	c := f.call(agent, 0, cti.Connected)
	f.Call(t, "13700137000", "Li Si", "900", nil).AwaitAnswer(t)
	f.await("a third joins", func() bool { return len(f.calls[agent][c.Leg].Parties) > 0 })
	f.do("hang up", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
	if len(f.order[agent]) != 1 {
		t.Errorf("a conference is %d calls", len(f.order[agent]))
	}
}

func TestReal_supervisorListens(t *testing.T) {
	f, c := connected(t)
	f.dial(f.Colleague, "555"+agent)
	f.await("the supervisor's call is known for listening", func() bool {
		for _, c := range f.calls[colleague] {
			return c.Purpose == cti.Monitoring
		}
		return false
	})
	if p := f.call(agent, 0, cti.Connected).Parties; len(p) != 0 {
		t.Errorf("the agent's call became a conference with %v", p)
	}
	c.Hangup(t)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
}

func TestReal_pickUp(t *testing.T) {
	f := newFloor(t)
	f.Call(t, customer, "Zhang San", agent, nil)
	f.call(agent, 0, cti.Alerting)
	f.dial(f.Colleague, "*8"+agent)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	if c := f.call(colleague, 0, cti.Connected); c.Remote.Raw != customer {
		t.Errorf("the colleague talks to %q", c.Remote.Raw)
	}
}

func TestReal_parking(t *testing.T) {
	f, _ := connected(t)
	f.tones(f.Agent, "*7")
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
	f.dial(f.Colleague, "71")
	f.await("the colleague has the customer", func() bool {
		for _, c := range f.calls[colleague] {
			return c.State == cti.Connected && c.Remote.Raw == customer
		}
		return false
	})
}

func TestReal_withheld(t *testing.T) {
	f := newFloor(t)
	f.Call(t, "anonymous", "Anonymous", agent, nil)
	if c := f.call(agent, 0, cti.Alerting); !c.Remote.Withheld {
		t.Errorf("from %+v, want a withheld number", c.Remote)
	}
}

// The exchange knows who it is, and may tell nobody.
func TestReal_withheldButKnown(t *testing.T) {
	f := newFloor(t)
	hidden := map[string]string{"Privacy": "id", "P-Asserted-Identity": `"Zhang San" <sip:` + customer + `@carrier.example>`}
	for n, dialled := range []string{agent, "600", "601"} {
		c := f.Call(t, "anonymous", "Anonymous", dialled, hidden)
		f.call(agent, n, cti.Alerting)
		f.do("answer", f.Agent.Answer)
		f.call(agent, n, cti.Connected)
		c.Hangup(t)
		f.call(agent, n, cti.StateClosed)
	}
	for _, e := range f.events {
		if e.Remote.Raw != "" || e.Remote.Name != "" || e.Call.Direction == cti.In && !e.Remote.Withheld {
			t.Errorf("%s tells %+v", e.Type, e.Remote)
		}
	}
}

func TestReal_attempts(t *testing.T) {
	f := newFloor(t)
	f.dial(f.Agent, outside)
	c := f.call(agent, 0, cti.Initiated)
	if c.Direction != cti.Out || c.Remote.Raw != outside {
		t.Errorf("direction %s, to %q", c.Direction, c.Remote.Raw)
	}
	f.do("ring", f.Outside.AwaitRing)
	f.do("refuse", f.Outside.Hangup)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndBusy, cti.CauseBusy, cti.ByRemote)

	f.dial(f.Agent, outside)
	f.do("ring", f.Outside.AwaitRing)
	f.call(agent, 1, cti.Initiated)
	f.do("give up", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndNoAnswer, cti.CauseAbandoned, cti.ByLocal)
}

func TestReal_clickToDial(t *testing.T) {
	f := newFloor(t)
	dial := func() {
		f.do("dial", func(ctx context.Context) error { return f.exchange.Phone(agent).Dial(ctx, outside) })
	}
	dial()
	c := f.call(agent, 0, cti.Initiated)
	if !c.ClickToDial || c.Direction != cti.Out || c.Remote.Raw != outside {
		t.Errorf("click %v, direction %s, to %q", c.ClickToDial, c.Direction, c.Remote.Raw)
	}
	f.do("answer", f.Agent.Answer)
	f.do("answer", f.Outside.Answer)
	f.call(agent, 0, cti.Connected)
	f.do("hang up", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)

	dial()
	f.do("ring", f.Agent.AwaitRing)
	f.do("refuse", f.Agent.Hangup)
	wantEnd(t, f.call(agent, 1, cti.StateClosed), cti.EndRejected, cti.CauseRejected, cti.ByLocal)

	dial()
	f.do("answer", f.Agent.Answer)
	f.do("ring", f.Outside.AwaitRing)
	f.do("refuse", f.Outside.Hangup)
	wantEnd(t, f.call(agent, 2, cti.StateClosed), cti.EndBusy, cti.CauseBusy, cti.ByRemote)
	if len(f.order[agent]) != 3 {
		t.Errorf("three clicks made %d calls", len(f.order[agent]))
	}
}

func TestReal_colleague(t *testing.T) {
	f := newFloor(t)
	f.dial(f.Agent, colleague)
	c := f.call(colleague, 0, cti.Alerting)
	if c.Direction != cti.In || c.Remote.Raw != agent {
		t.Errorf("direction %s, from %q", c.Direction, c.Remote.Raw)
	}
	f.do("answer", f.Colleague.Answer)
	f.call(colleague, 0, cti.Connected)
	f.call(agent, 0, cti.Connected)
	f.do("hang up", f.Colleague.Hangup)
	wantEnd(t, f.call(agent, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	wantEnd(t, f.call(colleague, 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
}

// What a phone answers and what Asterisk makes of it: DialEnd says NOANSWER of everything that is neither busy nor congestion nor a way that is not there.
func TestReal_refusals(t *testing.T) {
	for _, test := range []struct {
		status string
		out    cti.CauseCode // the agent dials it
		by     cti.Party
		in     cti.Ending // it is the agent's phone
	}{
		{"486 Busy Here", cti.CauseBusy, cti.ByRemote, cti.EndRejected},
		{"603 Decline", cti.CauseRejected, cti.ByRemote, cti.EndRejected},
		{"404 Not Found", cti.CauseNotFound, cti.BySystem, cti.EndMissed},
		{"480 Temporarily Unavailable", cti.CauseNoAnswer, cti.ByRemote, cti.EndMissed},
		{"503 Service Unavailable", cti.CauseNetwork, cti.BySystem, cti.EndFailed},
	} {
		t.Run(test.status, func(t *testing.T) {
			refuser := asterisktest.Refuser(t, test.status)
			a := asterisktest.Start(t, asterisktest.Options{Phones: map[string]string{agent: refuser}, Trunk: refuser})
			x := ofReal(t, a, a.AMI())
			w := run(t, x)
			w.awaitCount("", cti.SourceUp, 1)
			a.Call(t, customer, "Zhang San", agent, nil)
			if c := w.call(agent, 0, cti.StateClosed); c.Ending() != test.in {
				t.Errorf("a phone of the agent's that says so: %s, %+v, want %s", c.Ending(), c.Cause, test.in)
			}
			a.Call(t, agent, "Agent", outside, nil)
			if c := w.call(agent, 1, cti.StateClosed); c.Cause.Code != test.out || c.Cause.By != test.by {
				t.Errorf("a phone outside that says so: %+v, want %s by %s", c.Cause, test.out, test.by)
			}
		})
	}
}

// The number is shown at the agent's phone, and who is called sees the agent's.
func TestReal_clickToDialCallsInTheAgentsName(t *testing.T) {
	f := newFloor(t)
	f.do("dial", func(ctx context.Context) error { return f.exchange.Phone(agent).Dial(ctx, outside) })
	shows := func(p *phonetest.Running, number string) {
		t.Helper()
		f.do("ring", p.AwaitRing)
		f.do("look", func(ctx context.Context) error {
			calls, err := p.Calls(ctx)
			if !strings.Contains(calls, "sip:"+number+"@") {
				t.Errorf("a phone shows %q, want %s", calls, number)
			}
			return err
		})
	}
	shows(f.Agent, outside)
	f.do("answer", f.Agent.Answer)
	shows(f.Outside, agent)
}
