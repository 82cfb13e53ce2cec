package sim_test

import (
	"context"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/sourcetest"
)

func rig(*testing.T) sourcetest.Rig { return rigOf(sim.New("1001")) }

func rigOf(s *sim.Source) sourcetest.Rig {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dialled := func(t *testing.T) string {
		t.Helper()
		calls := s.Live()
		if len(calls) != 1 || calls[0].Direction != cti.Out {
			t.Fatalf("live calls %+v, want the dialled one", calls)
		}
		return calls[0].Refs[sim.Ref]
	}
	return sourcetest.Rig{
		Source: s,
		Ring: func(_ *testing.T, name string) sourcetest.Caller {
			ref := s.Ring("13800138000", name)
			return sourcetest.Caller{Number: "13800138000", Hangup: func(t *testing.T) {
				for _, c := range s.Live() {
					if c.Refs[sim.Ref] == ref && c.EstablishedAt.IsZero() {
						must(t, s.Abandon(ref))
						return
					}
				}
				must(t, s.RemoteHangup(ref))
			}}
		},
		Reachable: func(*testing.T) sourcetest.Callee {
			return sourcetest.Callee{Target: "600", Number: "600",
				Answer: func(t *testing.T) { must(t, s.RemoteAnswer(dialled(t))) },
				Refuse: func(t *testing.T) { must(t, s.RemoteRefuse(dialled(t), "")) },
				Hangup: func(t *testing.T) { must(t, s.RemoteHangup(dialled(t))) }}
		},
		Break:   func(*testing.T) { s.Disconnect() },
		Restore: func(*testing.T) { s.Reconnect() },
	}
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

func TestScriptedRefusalAndStaleCommands(t *testing.T) {
	s := sim.New("1001")
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
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
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
