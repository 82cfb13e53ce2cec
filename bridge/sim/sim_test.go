package sim_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/sourcetest"
)

func rig(*testing.T) sourcetest.Rig { return rigOf(sim.New("1001")) }

func rigOf(s *sim.Source) sourcetest.Rig {
	w := world{s}
	return sourcetest.Rig{
		Source: s,
		Ring: func(_ *testing.T, name string) sourcetest.Caller {
			return w.caller(s.Ring("13800138000", name), "13800138000", nil)
		},
		RingWith: w.ringWith, Reachable: w.reachable, Join: w.join, Recorded: w.recorded,
		Break: func(*testing.T) { s.Disconnect() }, Restore: func(*testing.T) { s.Reconnect() },
		Kill: func(*testing.T) { s.Crash() }, Revive: func(*testing.T) { s.Reconnect() },
		Garbage: func(t *testing.T, raw []byte) {
			if err := s.Feed(cti.Event{Type: cti.EventType(raw)}); cti.KindOf(err) != cti.Invalid {
				t.Errorf("fed with %q: %v, want kind invalid", raw, err)
			}
		},
		Disorder:     func(*testing.T) { s.SetScript(sim.Script{Disorder: true}) },
		TellsFarHold: true, TellsMute: true,
	}
}

// world is everybody but the agent.
type world struct{ *sim.Source }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// live gives the one live call of a kind.
func (w world) live(t *testing.T, kind func(cti.Call) bool) cti.Call {
	t.Helper()
	calls := slices.DeleteFunc(w.Live(), func(c cti.Call) bool { return !kind(c) })
	if len(calls) != 1 {
		t.Fatalf("%d such calls among %+v, want one", len(calls), w.Live())
	}
	return calls[0]
}

func (w world) caller(ref, number string, data map[string]string) sourcetest.Caller {
	mine := func(c cti.Call) bool { return c.Refs[sim.Ref] == ref }
	return sourcetest.Caller{Number: number, Data: data,
		Hangup: func(t *testing.T) {
			if w.live(t, mine).EstablishedAt.IsZero() {
				must(t, w.Abandon(ref))
				return
			}
			must(t, w.RemoteHangup(ref))
		},
		FarEnd: w.farEnd(func(*testing.T) string { return ref })}
}

func (w world) farEnd(ref func(*testing.T) string) sourcetest.FarEnd {
	heard := 0
	return sourcetest.FarEnd{
		Heard: func(t *testing.T, digits string) {
			all := w.Heard(ref(t))
			if got := all[heard:]; got != digits {
				t.Errorf("the far end heard %q, want %q", got, digits)
			}
			heard = len(all)
		},
		AwaitHold: func(t *testing.T, held bool) {
			id := ref(t)
			if by := w.live(t, func(c cti.Call) bool { return c.Refs[sim.Ref] == id }).HeldBy; slices.Contains(by, cti.ByLocal) != held {
				t.Errorf("held by %v, want by the agent: %v", by, held)
			}
		},
		AwaitMuted: func(t *testing.T, muted bool) {
			id := ref(t)
			if got := w.live(t, func(c cti.Call) bool { return c.Refs[sim.Ref] == id }).Muted; got != muted {
				t.Errorf("muted is %v, want %v", got, muted)
			}
		},
		Hold: func(t *testing.T, held bool) { must(t, w.RemoteHold(ref(t), held)) },
	}
}

func (w world) ringWith(_ *testing.T, r sourcetest.Ringer) sourcetest.Caller {
	data := map[string]string{}
	for header, value := range r.Data {
		if name := cti.DataName(header); name != "" {
			data[name] = value
		}
	}
	return w.caller(w.RingWith(sim.Incoming{Number: r.Number, Name: r.Name, Data: data}), r.Number, data)
}

func (w world) reachable(*testing.T) sourcetest.Callee {
	dialled := func(t *testing.T) string {
		return w.live(t, func(c cti.Call) bool { return c.Direction == cti.Out }).Refs[sim.Ref]
	}
	return sourcetest.Callee{Target: "600", Number: "600",
		Answer: func(t *testing.T) {
			if len(w.Live()) > 0 { // a call that was given to this callee is none of the agent's any more
				must(t, w.RemoteAnswer(dialled(t)))
			}
		},
		Refuse: func(t *testing.T) { must(t, w.RemoteRefuse(dialled(t), "")) },
		Hangup: func(t *testing.T) { must(t, w.RemoteHangup(dialled(t))) },
		FarEnd: w.farEnd(dialled)}
}

func (w world) join(t *testing.T) string {
	must(t, w.Join(w.live(t, func(cti.Call) bool { return true }).Refs[sim.Ref], "10086"))
	return "10086"
}

func (w world) recorded(t *testing.T) string {
	past, err := w.Phone().History(t.Context(), time.Time{})
	must(t, err)
	must(t, w.Record(past[len(past)-1].Call.Refs[sim.Ref], cti.Recording{ID: "rec-1", URL: "https://pbx.example/rec-1.wav"}))
	return "rec-1"
}

func TestConformance(t *testing.T) { sourcetest.Run(t, rig) }

func TestPhoneThatAnswersSilently(t *testing.T) {
	s := sim.New("1001")
	s.SetScript(sim.Script{AnswerSilently: true})
	sourcetest.Silent(t, rigOf(s))
}

// collect runs s until want events came.
func collect(t *testing.T, s *sim.Source, want int) []cti.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []cti.Event
	err := s.Run(ctx, func(e cti.Event) {
		if got = append(got, e); len(got) == want {
			cancel()
		}
	})
	if err != nil || len(got) != want {
		t.Fatalf("%d events and error %v, want %d", len(got), err, want)
	}
	return got
}

func TestWhatIsFedBeforeRunIsNotLost(t *testing.T) {
	s := sim.New("1001")
	for _, e := range []cti.Event{
		{Type: cti.Delivered, Side: cti.SideLocal, Call: cti.CallRef{Refs: map[string]string{"x": "1"}}},
		{Type: cti.Delivered, Side: cti.SideLocal, Call: cti.CallRef{Refs: map[string]string{"x": "2"}}},
		{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"x": "1"}}},
	} {
		if err := s.Feed(e); err != nil {
			t.Fatal(err)
		}
	}
	got := collect(t, s, 5)
	want := []cti.EventType{cti.SourceUp, cti.Delivered, cti.Delivered, cti.Cleared, cti.Snapshot}
	for i, typ := range want {
		if got[i].Type != typ {
			t.Errorf("event %d is %s, want %s", i, got[i].Type, typ)
		}
	}
	if legs := got[4].Legs; len(legs) != 1 || legs[0].Call.Refs["x"] != "2" || legs[0].Side != cti.SideLocal {
		t.Errorf("snapshot lists %+v, want the ringing call 2", legs)
	}
	if got[1].Source.Adapter != "sim" || got[1].Local.Extension != "1001" || got[1].V != cti.EnvelopeVersion {
		t.Errorf("source, extension or version not filled in: %+v", got[1])
	}
}

func TestWhatCannotBeFedIsRefused(t *testing.T) {
	s := sim.New("1001")
	for name, e := range map[string]cti.Event{
		"unknown type":  {Type: "call.exploded"},
		"later version": {Type: cti.Delivered, V: cti.EnvelopeVersion + 1},
	} {
		if err := s.Feed(e); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s: %v, want kind invalid", name, err)
		}
	}
	for n := 0; ; n++ {
		if err := s.Feed(cti.Event{Type: cti.AgentState}); err != nil {
			if cti.KindOf(err) != cti.Limited || n < 1000 {
				t.Errorf("after %d events: %v, want kind limited later", n, err)
			}
			return
		}
	}
}

// running runs s until the test ends, and returns once it is up.
func running(t *testing.T, s *sim.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	up := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(e cti.Event) {
			if e.Type == cti.SourceUp {
				close(up)
			}
		})
	}()
	<-up
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestScriptedRefusalAndStaleCommands(t *testing.T) {
	s := sim.New("1001")
	running(t, s)
	ctx := t.Context()
	ref := s.Ring("", "")
	call := s.Live()[0]
	if !call.Remote.Withheld {
		t.Errorf("a ring without a number is %+v, want withheld", call.Remote)
	}
	s.SetScript(sim.Script{Refuse: true})
	if err := s.Phone().Answer(ctx, call); cti.KindOf(err) != cti.Invalid {
		t.Errorf("refused answer: %v, want kind invalid", err)
	}
	s.SetScript(sim.Script{})
	if err := s.Phone().Answer(ctx, call); err != nil {
		t.Error(err)
	}
	if err := s.Phone().Reject(ctx, call); cti.KindOf(err) != cti.Conflict {
		t.Errorf("reject of an answered call: %v, want kind conflict", err)
	}
	if err := s.RemoteHangup(ref); err != nil {
		t.Error(err)
	}
	if err := s.RemoteHangup(ref); cti.KindOf(err) != cti.NotFound {
		t.Errorf("second hang-up: %v, want kind notfound", err)
	}
}

func TestCommandsThatDoNotFitTheCallAreRefused(t *testing.T) {
	s := sim.New("1001")
	running(t, s)
	ctx, p := t.Context(), s.Phone()
	ref := s.Ring("13800138000", "")
	find := func() cti.Call {
		t.Helper()
		return world{s}.live(t, func(c cti.Call) bool { return c.Refs[sim.Ref] == ref })
	}
	want := func(what string, kind cti.Kind, err error) {
		t.Helper()
		if cti.KindOf(err) != kind {
			t.Errorf("%s: %v, want kind %q", what, err, kind)
		}
	}
	want("hold while it rings", cti.Conflict, p.Hold(ctx, find()))
	want("transfer while it rings", cti.Conflict, p.Transfer(ctx, find(), "600"))
	must(t, p.Answer(ctx, find()))
	want("resume without hold", cti.Conflict, p.Resume(ctx, find()))
	must(t, p.Hold(ctx, find()))
	want("hold twice", cti.Conflict, p.Hold(ctx, find()))
	want("letters as tones", cti.Invalid, p.DTMF(ctx, find(), "12x"))
	want("transfer to nobody", cti.Invalid, p.Transfer(ctx, find(), " \x00"))
	must(t, p.Consult(ctx, find(), "600"))
	want("a second consultation", cti.Conflict, p.Consult(ctx, find(), "601"))
	want("complete before the colleague answered", cti.Conflict, p.Complete(ctx, find()))
	want("log on", cti.Invalid, p.Presence(ctx, cti.AgentStatus{State: cti.LoggedOn}))
	aside := world{s}.live(t, func(c cti.Call) bool { return c.Purpose == cti.Consultation })
	if aside.MainLeg != find().Leg || aside.Direction != cti.Out {
		t.Errorf("the consultation is %+v, want one about %s", aside, find().Leg)
	}
	must(t, p.Hangup(ctx, aside))
	must(t, p.Consult(ctx, find(), "601")) // after the first is over
}

// What a listener that comes late is told: a snapshot with all that is known, and in the history what came after the end.
func TestSnapshotAndHistoryTellWhatIsKnown(t *testing.T) {
	s := sim.New("1001")
	ref := s.RingWith(sim.Incoming{Number: "13800138000", Dialled: "600", Queue: &cti.Queue{Name: "Support"}, Data: map[string]string{"order_id": "A-17"}})
	gone := s.Ring("13900139000", "")
	running(t, s)
	must(t, s.Phone().Answer(t.Context(), s.Live()[0]))
	must(t, s.Phone().Mute(t.Context(), s.Live()[0], true))
	must(t, s.Divert(gone))
	must(t, s.Record(gone, cti.Recording{ID: "rec-2"}))
	if err := s.Record("nobody", cti.Recording{ID: "rec-3"}); cti.KindOf(err) != cti.NotFound {
		t.Errorf("the recording of an unknown call: %v, want kind notfound", err)
	}
	past, err := s.Phone().History(t.Context(), time.Time{})
	if err != nil || len(past) != 3 || past[1].Type != cti.Diverted || past[2].Recording.ID != "rec-2" {
		t.Errorf("history %+v, %v; want ring, diverted and the recording", past, err)
	}
	must(t, s.RemoteTransfer(ref, "10086", "Li Si"))
	if c := s.Live()[0]; c.State != cti.Connected || c.Remote.Raw != "10086" || c.Data["order_id"] != "A-17" || !c.Muted || c.Queue.Name != "Support" {
		t.Errorf("the call is %+v", c)
	}
	second := sim.New("1001")
	second.RingWith(sim.Incoming{Number: "13800138000", Data: map[string]string{"order_id": "A-18"}})
	leg := collect(t, second, 3)[2].Legs[0]
	if leg.Data["order_id"] != "A-18" || leg.Call.Direction != cti.In {
		t.Errorf("the snapshot lists %+v", leg)
	}
}
