package cti

import "context"

// A write of several steps is a small saga: when it breaks off in the middle, the steps that the CRM took are not made again. How far it came is
// a text in the connector's own words. Who sends keeps it with the write-back and gives it back as WriteBack.Steps.

type stepsKey struct{}

// WithSteps has a connector tell how far a write came, each time the CRM took one step of several. What keep could not write down is made again
// after an interruption.
func WithSteps(ctx context.Context, keep func(steps string)) context.Context {
	return context.WithValue(ctx, stepsKey{}, keep)
}

// StepsDone tells how far a write came, if anybody keeps that.
func StepsDone(ctx context.Context, steps string) {
	if keep, ok := ctx.Value(stepsKey{}).(func(string)); ok {
		keep(steps)
	}
}
