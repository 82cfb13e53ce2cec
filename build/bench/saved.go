package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// savedTimes is how long a saved wrap-up takes until the CRM shows it, and how long the CRM itself takes to answer, in milliseconds.
type savedTimes struct{ readable, crm spread }

// savedRun ends calls and saves a wrap-up for each, online.
func savedRun(ctx context.Context, n int) (savedTimes, error) {
	a, err := startAgent(ctx, "build/bin/ringctl", "run")
	if err != nil {
		return savedTimes{}, err
	}
	defer a.stop()
	var times []float64
	for i := range n {
		took, err := a.saved(ctx, fmt.Sprintf("1390013%04d", i), fmt.Sprintf("note %d", i))
		if err != nil {
			return savedTimes{}, err
		}
		times = append(times, float64(took.Microseconds())/1000)
	}
	var answers []float64
	for _, d := range a.crm.AnswerTimes()["PUT /api/calls/by-key/{key}"] {
		answers = append(answers, float64(d.Microseconds())/1000)
	}
	if len(answers) == 0 {
		return savedTimes{}, fmt.Errorf("the sandbox was never told of a call")
	}
	return savedTimes{readable: spreadOf(times), crm: spreadOf(answers)}, nil
}

func (a *agent) saved(ctx context.Context, number, note string) (time.Duration, error) {
	if err := a.wholeCall(ctx, number); err != nil {
		return 0, err
	}
	s, err := a.client.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	leg := s.Cards[slices.IndexFunc(s.Cards, func(c wire.Card) bool { return c.Number.Raw == number })].Leg
	began := time.Now()
	if err := a.client.WrapUp(ctx, leg, wire.WrapUpRequest{Outcome: "Done", Note: note}); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		if slices.ContainsFunc(a.crm.Calls(), func(c sandbox.Call) bool { return c.Note != nil && *c.Note == note }) {
			return time.Since(began), nil
		}
		time.Sleep(time.Millisecond) // a bench may; it is the error of the figure
	}
	return 0, cti.Errorf(cti.Offline, "the wrap-up did not arrive", ctx.Err())
}
