package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// rest is how long the window stays hidden between two pops, as in the floor: long enough for the web view's display timer to stop, as
// it has between two real calls (with 150 ms it still runs, and the floor is half as high as any first paint can be).
const rest = 800 * time.Millisecond

// popTimes are the times of one run, in milliseconds.
type popTimes struct{ floor, pop, fill, crm spread }

func (r popTimes) popRatio() float64  { return r.pop.p99 / r.floor.p99 }
func (r popTimes) fillRatio() float64 { return (r.fill.p99 - r.crm.p99) / r.floor.p99 }

// popRun measures the floor, pops of a cached customer, and pops of customers who must be asked for.
func popRun(ctx context.Context, n int) (popTimes, error) {
	floor, err := floorRun(ctx, n)
	if err != nil {
		return popTimes{}, err
	}
	a, err := startAgent(ctx, "build/bin/ringside")
	if err != nil {
		return popTimes{}, err
	}
	defer a.stop()
	numbers, err := a.numbers(ctx, n)
	if err != nil {
		return popTimes{}, err
	}
	const warm = 3
	var pops, fills []float64
	for i := -warm; i < n; i++ {
		t, err := a.pop(ctx, "13800138000")
		if err != nil {
			return popTimes{}, err
		}
		if i >= 0 {
			pops = append(pops, t.PaintedMS)
		}
	}
	for _, number := range numbers {
		t, err := a.pop(ctx, number)
		if err != nil {
			return popTimes{}, err
		}
		fills = append(fills, t.FilledMS)
	}
	var asked []float64
	for _, d := range a.crm.AnswerTimes()["GET /api/contacts"] {
		asked = append(asked, float64(d.Microseconds())/1000)
	}
	if len(asked) == 0 {
		return popTimes{}, fmt.Errorf("the sandbox was never asked for a number")
	}
	return popTimes{floor: spreadOf(floor), pop: spreadOf(pops), fill: spreadOf(fills), crm: spreadOf(asked)}, nil
}

// floorRun shows and paints an empty window n times.
func floorRun(ctx context.Context, n int) ([]float64, error) {
	out, err := exec.CommandContext(ctx, "build/bin/floor", "-n", strconv.Itoa(n), "-rest", rest.String()).Output() //nolint:gosec // numbers of ours
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	var times []float64
	for line := range strings.Lines(string(out)) {
		ms, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if err != nil {
			return nil, fmt.Errorf("floor: %w", err)
		}
		times = append(times, ms)
	}
	return times, nil
}

// pop rings, waits for the paint with the customer, lets the caller give up and hides the window.
func (a *agent) pop(ctx context.Context, number string) (t timing, err error) {
	leg, err := a.ring(ctx, number)
	if err != nil {
		return t, err
	}
	if err := until(ctx, "the customer is painted", func() (bool, error) {
		t, err = a.client.Timing(ctx, leg)
		return err == nil && t.FilledMS >= 0, err
	}); err != nil {
		card, cardErr := a.client.Snapshot(ctx)
		if cardErr != nil || len(card.Cards) == 0 {
			return t, errors.Join(err, cardErr)
		}
		return t, fmt.Errorf("call %d: %w: search %s, %d matches, timing %+v", a.calls, err, card.Cards[0].Search, len(card.Cards[0].Matches), t)
	}
	if err := a.feed(ctx, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}}); err != nil {
		return t, err
	}
	if err := exec.CommandContext(ctx, "wmctrl", "-c", "Ringside").Run(); err != nil {
		return t, fmt.Errorf("hide the window: %w", err)
	}
	time.Sleep(rest)
	return t, nil
}
