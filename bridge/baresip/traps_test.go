package baresip_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/baresip/phonetest"
)

// What real phones do beyond what every source must bear.

// desk runs a source and hands its events out one by one.
type desk struct {
	source *baresip.Source
	events chan cti.Event
	ledger *cti.Ledger
	seen   []cti.EventType
}

func sit(t *testing.T, agent *phonetest.Running) *desk {
	t.Helper()
	s, err := baresip.New(agent.Address(), "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{source: s, events: make(chan cti.Event, 1000), ledger: cti.NewLedger("test")}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(e cti.Event) { d.events <- e }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	d.await(t, cti.SourceUp)
	return d
}

// await gives the next event of a type, and the call as it is by then.
func (d *desk) await(t *testing.T, typ cti.EventType) (cti.Event, cti.Call) {
	t.Helper()
	timeout := time.After(phoneTimeout)
	for {
		select {
		case e := <-d.events:
			d.seen = append(d.seen, e.Type)
			var c cti.Call
			for _, change := range d.ledger.Apply(e.Clean()) {
				c = change.After
			}
			if e.Type == typ {
				return e, c
			}
		case <-timeout:
			t.Fatalf("no %s; there were %v", typ, d.seen)
		}
	}
}

func (d *desk) talk(t *testing.T, agent, caller *phonetest.Running) cti.Call {
	t.Helper()
	act(t, func(ctx context.Context) error { return caller.Dial(ctx, agent.AOR()) })
	_, c := d.await(t, cti.Delivered)
	act(t, func(ctx context.Context) error { return d.source.Phone().Answer(ctx, c) })
	_, c = d.await(t, cti.Established)
	return c
}

// 1.0.0 drops a call that nobody took over, and says no more than that the transfer failed.
func TestRealPhoneLosesACallWhoseTransferIsRefused(t *testing.T) {
	agent, caller, target := phone(t, phonetest.Phone{User: "agent"}), phone(t, phonetest.Phone{User: "13800138000"}), phone(t, phonetest.Phone{User: "600"})
	d := sit(t, agent)
	c := d.talk(t, agent, caller)
	act(t, func(ctx context.Context) error { return d.source.Phone().Transfer(ctx, c, target.AOR()) })
	act(t, target.AwaitRing)
	act(t, target.Hangup)
	e, c := d.await(t, cti.Cleared)
	if c.Cause.By != cti.BySystem || !strings.Contains(e.Cause.Raw, "transfer failed: 486") || c.Ending() != cti.EndAnswered {
		t.Errorf("cause %+v, ending %s; want by the system, for the transfer failed", c.Cause, c.Ending())
	}
	if err := d.source.Phone().Hangup(t.Context(), c); cti.KindOf(err) != cti.NotFound {
		t.Errorf("a hang-up of the lost call: %v, want kind notfound", err)
	}
}

func TestRealPhoneTransfersDigitsToItsOwnDomain(t *testing.T) {
	agent, caller := phone(t, phonetest.Phone{User: "agent"}), phone(t, phonetest.Phone{User: "13800138000"})
	d := sit(t, agent)
	c := d.talk(t, agent, caller)
	act(t, func(ctx context.Context) error { return d.source.Phone().Transfer(ctx, c, "602") })
	e, _ := d.await(t, cti.Cleared) // the domain is the agent's phone itself, which knows no 602: had it been left out there would be no 404
	if !strings.Contains(e.Cause.Raw, "404") {
		t.Errorf("cause %+v, want 404 of the agent's own domain", e.Cause)
	}
}

func TestRealPhoneTellsToWhomACallWasGiven(t *testing.T) {
	agent, caller, target := phone(t, phonetest.Phone{User: "agent"}), phone(t, phonetest.Phone{User: "13800138000"}), phone(t, phonetest.Phone{User: "600"})
	d := sit(t, agent)
	c := d.talk(t, agent, caller)
	act(t, func(ctx context.Context) error { return d.source.Phone().Transfer(ctx, c, target.AOR()) })
	act(t, target.Answer)
	if _, c = d.await(t, cti.Transferred); c.Transfer.To != target.AOR() {
		t.Errorf("given to %q, want %q", c.Transfer.To, target.AOR())
	}
}

// The phone holds the first call by itself when a second is answered, and takes it back when that ends: nobody told Ringside to.
func TestRealPhonesOwnHoldsAreTold(t *testing.T) {
	agent, first, second := phone(t, phonetest.Phone{User: "agent"}), phone(t, phonetest.Phone{User: "13800138000"}), phone(t, phonetest.Phone{User: "13900139000"})
	d := sit(t, agent)
	one := d.talk(t, agent, first)
	two := d.talk(t, agent, second)
	e, c := d.await(t, cti.Held)
	if c.Leg != one.Leg || e.By != cti.ByLocal || e.Source.Confidence != cti.Polled {
		t.Errorf("%+v of call %s; want the agent's hold of the first, %s, as found by asking", e, c.Leg, one.Leg)
	}
	act(t, func(ctx context.Context) error { return d.source.Phone().Hangup(ctx, two) })
	if e, c = d.await(t, cti.Retrieved); c.Leg != one.Leg || e.By != cti.ByLocal || c.State != cti.Connected {
		t.Errorf("%+v of call %s, which is %s; want the first to go on", e, c.Leg, c.State)
	}
}

// Hold, mute and digits harm a call that only rings; a hold that was missed is in the snapshot.
func TestRealPhoneIsSparedWhatDoesNotFitAndTellsAHoldLater(t *testing.T) {
	agent, caller := phone(t, phonetest.Phone{User: "agent"}), phone(t, phonetest.Phone{User: "13800138000"})
	d := sit(t, agent)
	act(t, func(ctx context.Context) error { return caller.Dial(ctx, agent.AOR()) })
	_, c := d.await(t, cti.Delivered)
	p := d.source.Phone()
	for name, err := range map[string]error{"hold": p.Hold(t.Context(), c), "mute": p.Mute(t.Context(), c, true), "digits": p.DTMF(t.Context(), c, "1"),
		"transfer": p.Transfer(t.Context(), c, "600"), "consult": p.Consult(t.Context(), c, "600")} {
		if cti.KindOf(err) != cti.Conflict {
			t.Errorf("%s while it rings: %v, want kind conflict", name, err)
		}
	}
	act(t, func(ctx context.Context) error { return p.Answer(ctx, c) })
	_, c = d.await(t, cti.Established)
	act(t, func(ctx context.Context) error { return caller.AwaitHold(ctx, false) }) // the refused hold left nothing behind
	act(t, func(ctx context.Context) error { return p.Hold(ctx, c) })
	d.await(t, cti.Held)
	later := sit(t, agent) // takes the first one's place
	if e, _ := later.await(t, cti.Snapshot); len(e.Legs) != 1 || e.Legs[0].Type != cti.Held || e.Legs[0].By != cti.ByLocal {
		t.Errorf("the snapshot lists %+v, want the call on hold", e.Legs)
	}
}

// A second program at ctrl_tcp takes the phone away without a word; it is said, and the phone is taken back, but not at once.
func TestRealPhoneIsTakenAwayByASecondClient(t *testing.T) {
	agent := phone(t, phonetest.Phone{User: "agent"})
	d := sit(t, agent)
	other, err := net.Dial("tcp", agent.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := time.Now()
	e, _ := d.await(t, cti.SourceDown)
	if !strings.Contains(e.Cause.Raw, "another program took its place") {
		t.Errorf("cause %+v does not say why", e.Cause)
	}
	d.await(t, cti.SourceUp)
	if took := time.Since(taken); took < 400*time.Millisecond {
		t.Errorf("taken back after %v: two agents would fight", took)
	}
}

// 1.0.0 lists only the calls of the account in front: from that nobody may conclude that the others are over.
func TestRealPhoneWithTwoAccountsGivesNoSnapshotThatForgetsACall(t *testing.T) {
	agent, first, second := phone(t, phonetest.Phone{User: "agent", Also: "sales"}), phone(t, phonetest.Phone{User: "13800138000"}), phone(t, phonetest.Phone{User: "13900139000"})
	d := sit(t, agent)
	one := d.talk(t, agent, first)
	act(t, func(ctx context.Context) error {
		return second.Dial(ctx, strings.Replace(agent.AOR(), "agent", "sales", 1))
	})
	_, two := d.await(t, cti.Delivered)
	if two.Local.Extension != "sales" || one.Local.Extension != "agent" {
		t.Errorf("extensions %q and %q", one.Local.Extension, two.Local.Extension)
	}
	later := sit(t, agent)
	act(t, second.Hangup) // after this the phone would list one call: of one account
	if e, _ := later.await(t, cti.Cleared); e.Call.Refs[cti.RefSIPCallID] != two.Refs[cti.RefSIPCallID] {
		t.Errorf("%v is cleared, want %v", e.Call.Refs, two.Refs)
	}
	act(t, func(ctx context.Context) error { return later.source.Phone().Hangup(ctx, one) })
	if e, _ := later.await(t, cti.Cleared); e.Call.Refs[cti.RefSIPCallID] != one.Refs[cti.RefSIPCallID] {
		t.Errorf("%v is cleared, want %v", e.Call.Refs, one.Refs)
	}
	if slices.Contains(later.seen, cti.Snapshot) {
		t.Errorf("events %v: a snapshot of one account's calls", later.seen)
	}
}
