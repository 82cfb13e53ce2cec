package app

import (
	"context"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/number"
)

// intake is what every event passes on its way to the loop, whatever its source: cleaned of what a caller may have put in, numbered,
// timed in UTC, its number in all three forms.
type intake struct {
	flow      *flow.Flow
	plan      *number.Plan
	extension string
	missed    *missed
	seq       atomic.Uint64
}

func (in *intake) take(ctx context.Context, e cti.Event) {
	e = in.book(ctx, e)
	if e.Type == cti.SourceUp || e.Type == cti.SourceDown {
		in.missed.heard(ctx, e)
	}
}

func (in *intake) book(ctx context.Context, e cti.Event) cti.Event {
	e = in.ready(e)
	for i, leg := range e.Legs {
		e.Legs[i] = in.ready(leg)
	}
	in.flow.Event(ctx, e)
	return e
}

func (in *intake) ready(e cti.Event) cti.Event {
	e = e.Clean()
	e.V = cti.EnvelopeVersion
	e.Seq = in.seq.Add(1)
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC()
	if e.Local.Extension == "" {
		e.Local.Extension = in.extension
	}
	if e.Call.Direction == "" {
		e.Call.Direction = directions[e.Type]
	}
	switch {
	case e.Remote.Raw != "" || e.Remote.Asserted != "":
		e.Remote.Number = in.plan.Caller(e.Remote.Raw, e.Remote.Asserted)
	case e.Type == cti.Delivered && e.Side != cti.SideRemote: // it rings and nobody says who (reducer rule 9)
		e.Remote.Withheld, e.Remote.Class = true, cti.ClassWithheld
	}
	return e
}

// directions is what may be concluded when a source tells only this of a call: a record without direction is one that no CRM takes.
// What is known of the call already stays.
var directions = map[cti.EventType]cti.Direction{cti.Queued: cti.In, cti.Diverted: cti.In, cti.Cleared: cti.In, cti.Failed: cti.Out}
