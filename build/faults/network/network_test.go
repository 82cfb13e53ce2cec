// Package network_test has the whole agent deliver over bad lines, through other people's servers, and through the sleep of its computer.
package network_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/build/faults/hostile/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// items is how many calls and edits go over each line.
const items = 300

// soak is how many times as much "make soak" does.
func soak() int {
	if os.Getenv("RINGSIDE_SOAK") != "" {
		return 10
	}
	return 1
}

// world is a CRM, a line to it and an agent at the other end.
type world struct {
	crm   *sandbox.Server
	line  *line
	agent *rig.Agent
	load  *rig.Load
}

// newWorld: the CRM creates a record for each request that it gets, but for those with a key that it knows. A line that doubles or cuts
// anything shows at once.
func newWorld(t *testing.T, note int) *world {
	t.Helper()
	w := &world{}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var err error
	if w.crm, err = sandbox.Start(context.Background(), sandbox.Options{Traits: sandbox.Traits{PlainPosts: true}, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.crm.Close(); err != nil {
			t.Error(err)
		}
	})
	w.line = lineTo(t, w.crm)
	w.load = &rig.Load{Lanes: 12, Note: note, Seed: seed, More: func(accepted int) bool { return accepted < items*soak() }, Edits: func() bool { return true }}
	w.load.Customers(t, w.crm)
	return w
}

// patient is a time-out that no busy machine lets run out.
const patient = "timeout: 4s"

func (w *world) start(t *testing.T, oldNew ...string) {
	t.Helper()
	w.agent = rig.Start(t, rig.Connector(t, rig.Header, append([]string{"timeout: " + rig.Timeout, patient}, oldNew...)...), map[string]string{"base_url": w.line.url(), "token": sandbox.DefaultToken})
	w.load.Agent = w.agent
}

// deliver brings the load and judges what arrived.
func (w *world) deliver(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(soak())*2*rig.Patience)
	defer cancel()
	w.load.Run(ctx)
	w.arrived(ctx, t)
}

func (w *world) arrived(ctx context.Context, t *testing.T) {
	t.Helper()
	w.agent.Emptied(ctx)
	v := w.load.Judge(w.crm)
	t.Log(v)
	if !v.Good() {
		t.Errorf("not as it must be: %v", v.Problems)
	}
}

// Fault 42: slow lines.
// Fault 43: connections that hang, and ends of connections that are never seen.
func TestEverythingArrivesOnceOverABadLine(t *testing.T) {
	t.Parallel()
	const up, down = "upstream", "downstream"
	for name, test := range map[string]struct {
		toxics []toxic
		note   int
		midway bool // it comes upon connections that were good, and goes again
		fails  bool // attempts must have failed, or the line was not bad
	}{
		"latency with jitter": {toxics: []toxic{{Type: "latency", Stream: down, Toxicity: 1, Attributes: map[string]int{"latency": 60, "jitter": 50}}}},
		"one megabit": {note: 2000, toxics: []toxic{
			{Type: "bandwidth", Stream: up, Toxicity: 1, Attributes: map[string]int{"rate": 125}}, {Type: "bandwidth", Stream: down, Toxicity: 1, Attributes: map[string]int{"rate": 125}}}},
		"closing slowly":      {fails: true, toxics: []toxic{{Type: "slow_close", Stream: down, Toxicity: 1, Attributes: map[string]int{"delay": 2000}}, {Type: "limit_data", Stream: down, Toxicity: 1, Attributes: map[string]int{"bytes": 9000}}}},
		"answers that hang":   {fails: true, midway: true, toxics: []toxic{{Type: "timeout", Stream: down, Toxicity: 1, Attributes: map[string]int{"timeout": 0}}}},
		"questions that hang": {fails: true, midway: true, toxics: []toxic{{Type: "timeout", Stream: up, Toxicity: 1, Attributes: map[string]int{"timeout": 0}}}},
		"resets":              {fails: true, midway: true, toxics: []toxic{{Type: "reset_peer", Stream: down, Toxicity: 1, Attributes: map[string]int{"timeout": 30}}}},
		"answers cut short":   {fails: true, toxics: []toxic{{Type: "limit_data", Stream: down, Toxicity: 1, Attributes: map[string]int{"bytes": 5000}}}},
		"questions cut short": {fails: true, toxics: []toxic{{Type: "limit_data", Stream: up, Toxicity: 1, Attributes: map[string]int{"bytes": 6000}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.note)
			if !test.midway {
				w.line.spoil(test.toxics...)
			}
			w.start(t)
			if test.midway {
				go w.hangs(t, test.toxics)
			}
			w.deliver(t)
			if failed := w.agent.Failures(); test.fails && failed == 0 {
				t.Error("no attempt failed: the line was not bad")
			}
		})
	}
}

// hangs spoils the line once it is in use, until some attempts have failed.
func (w *world) hangs(t *testing.T, toxics []toxic) {
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	rig.Wait(ctx, func() bool { return w.crm.Stats().Writes > 50 })
	w.line.spoil(toxics...)
	rig.Wait(ctx, func() bool { return w.agent.Failures() >= 3 })
	w.line.mend()
}

// The line goes up and down every 200 ms. When it has settled, everything arrives as soon as the CRM is tried again.
func TestEverythingArrivesOnceOverALineThatFlaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.start(t)
	flapped := make(chan struct{})
	go func() {
		defer close(flapped)
		w.line.flap(t.Context(), 200*time.Millisecond, time.Duration(soak())*4*time.Second)
	}()
	w.deliver(t)
	<-flapped
}
