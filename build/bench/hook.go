package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// hookTimes is how long a phone waits for the program it runs at each event, p95 in milliseconds: beside a program that does nothing, with an
// agent that takes the events at once, and without one.
type hookTimes struct{ empty, running, away float64 }

func (h hookTimes) worst() float64 { return max(h.running, h.away) }
func (h hookTimes) ratio() float64 { return h.worst() / h.empty }

// hookRun runs the three in turn, so that whatever else the machine does meets all of them.
func hookRun(ctx context.Context, n int) (hookTimes, error) {
	dir, err := os.MkdirTemp("", "ringside-bench-hooks-")
	if err != nil {
		return hookTimes{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	taken, waiting := filepath.Join(dir, "taken"), filepath.Join(dir, "waiting")
	if err := os.Setenv("RINGSIDE_HOOKS", taken); err != nil { // the agent's own
		return hookTimes{}, err
	}
	a, err := startAgentAt(ctx, `{source: hook, program: other, extension: "1001"}`, "build/bin/ringctl", "run")
	if err != nil {
		return hookTimes{}, err
	}
	defer a.stop()
	var empty, running, away []float64
	for i := range n {
		event := []string{"--source", "other", "--event", []string{"ring", "end"}[i%2], "--number", "13800138000", "--call-id", strconv.Itoa(i / 2)}
		for _, one := range []struct {
			times   *[]float64
			program string
			args    []string
			box     string
			socket  string
		}{
			{&empty, "build/bin/empty", nil, taken, ""},
			{&running, "build/bin/ringhook", event, taken, filepath.Join(a.dir, "a.sock")},
			{&away, "build/bin/ringhook", event, waiting, filepath.Join(dir, "nobody")},
		} {
			cmd := exec.CommandContext(ctx, one.program, one.args...) //nolint:gosec // programs that make built
			cmd.Env = append(os.Environ(), "RINGSIDE_HOOKS="+one.box, "RINGSIDE_SOCKET="+one.socket)
			began := time.Now()
			out, err := cmd.CombinedOutput()
			if err != nil || len(out) > 0 {
				return hookTimes{}, fmt.Errorf("%s: %w, it said %q", one.program, err, out)
			}
			*one.times = append(*one.times, float64(time.Since(began).Microseconds())/1000)
		}
	}
	if left, err := os.ReadDir(waiting); err != nil || len(left) != n {
		return hookTimes{}, fmt.Errorf("%d of %d events wait for an agent that is away: %w", len(left), n, err)
	}
	return hookTimes{p95(empty), p95(running), p95(away)}, until(ctx, "the agent has taken all", func() (bool, error) {
		s, err := a.client.Status(ctx)
		return err == nil && s.LiveCalls == 0, err
	})
}

// p95 is the nearest rank.
func p95(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[(len(values)*95+99)/100-1]
}
