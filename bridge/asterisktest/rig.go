package asterisktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// World is an Asterisk with real phones: the agent's at extension 1001, a colleague's at 1002, and one for everybody outside.
type World struct {
	*Asterisk
	Agent, Colleague, Outside *phonetest.Running
}

// The numbers of a World.
const (
	AgentExtension     = "1001"
	ColleagueExtension = "1002"
	OutsideNumber      = "13900139000"
)

// NewWorld starts one, as o says otherwise.
func NewWorld(t *testing.T, o Options) *World {
	t.Helper()
	installed(t)
	w := &World{Agent: phone(t, AgentExtension), Colleague: phone(t, ColleagueExtension), Outside: phone(t, OutsideNumber)}
	o.Phones = map[string]string{AgentExtension: w.Agent.SIPAddress(), ColleagueExtension: w.Colleague.SIPAddress()}
	o.Trunk = w.Outside.SIPAddress()
	w.Asterisk = Start(t, o)
	return w
}

func phone(t *testing.T, user string) *phonetest.Running {
	t.Helper()
	p, err := phonetest.Start(t.Context(), phonetest.Phone{User: user})
	if errors.Is(err, phonetest.ErrNotInstalled) && !strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "phones") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Rig is the world around a call source of Asterisk's at the agent's extension, which reaches the exchange through the line. What the agent does that no source
// can command is done at the phone.
func (w *World) Rig(source sourcetest.Source, line *sourcetest.Line) sourcetest.Rig {
	var callers atomic.Int32
	ring := func(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
		t.Helper()
		c := w.Call(t, r.Number, r.Name, AgentExtension, r.Data)
		return sourcetest.Caller{Number: r.Number, Hangup: c.Hangup, FarEnd: sourcetest.FarEnd{Heard: c.Heard, AwaitMuted: c.AwaitMuted}}
	}
	return sourcetest.Rig{
		Source: handset{source, w.Agent},
		Ring: func(t *testing.T, name string) sourcetest.Caller {
			t.Helper()
			return ring(t, sourcetest.Ringer{Number: fmt.Sprintf("1380013800%d", callers.Add(1)), Name: name})
		},
		RingWith: func(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
			t.Helper()
			c := ring(t, r)
			c.Data = map[string]string{"order_id": r.Data["X-Order-Id"], "level": r.Data["X-Level"]}
			return c
		},
		Reachable: func(*testing.T) sourcetest.Callee {
			return sourcetest.Callee{Target: OutsideNumber, Number: OutsideNumber,
				Answer: at(w.Outside.Answer),
				Refuse: func(t *testing.T) { t.Helper(); at(w.Outside.AwaitRing)(t); at(w.Outside.Hangup)(t) },
				Hangup: at(w.Outside.Hangup)}
		},
		Recorded: w.recorded,
		Break:    line.Cut, Restore: line.Restore, Garbage: line.Inject,
		Kill: func(t *testing.T) {
			t.Helper()
			w.Kill(t)
			line.Cut(t)
			at(w.Agent.Hangup)(t) // whose call is dead
		},
		Revive: func(t *testing.T) {
			t.Helper()
			w.Revive(t)
			line.Restore(t)
		},
		Agent: sourcetest.Agent{
			Answer: func(t *testing.T, _ cti.Call) { t.Helper(); at(w.Agent.Answer)(t) },
			Hold:   func(t *testing.T, c cti.Call) { t.Helper(); w.pick(t, c); at(w.Agent.Hold)(t) },
			Resume: func(t *testing.T, c cti.Call) { t.Helper(); w.pick(t, c); at(w.Agent.Resume)(t) },
		},
	}
}

// pick chooses one of the calls at the agent's phone.
func (w *World) pick(t *testing.T, c cti.Call) {
	t.Helper()
	at(func(ctx context.Context) error { return w.Agent.Select(ctx, c.Refs[cti.RefSIPCallID]) })(t)
}

// handset takes up the agent's phone where a source rings it first, before it dials.
type handset struct {
	sourcetest.Source
	phone *phonetest.Running
}

func (h handset) Phone() cti.Phone {
	can := h.Source.Phone()
	if dial := can.Dial; dial != nil {
		can.Dial = func(ctx context.Context, number string) error {
			if err := dial(ctx, number); err != nil {
				return err
			}
			return h.phone.Answer(ctx)
		}
	}
	return can
}

// recorded gives the name of the newest recording: MixMonitor records every call to the agent's extension.
func (w *World) recorded(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(w.dir, "spool", "monitor", "*.wav"))
	if err != nil || len(all) == 0 {
		t.Fatalf("there is no recording: %v", err)
	}
	return filepath.Base(slices.Max(all)) // their names begin with the time
}

// at does something at a phone.
func at(do func(ctx context.Context) error) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
