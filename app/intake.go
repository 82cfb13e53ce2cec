package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/recording"
)

// intake is what every event passes on its way to the loop, whatever its source: cleaned of what a caller may have put in, numbered,
// timed in UTC, its number in all three forms.
type intake struct {
	flow      *flow.Flow
	plan      *number.Plan
	extension string
	data      []string // the call data that is kept
	policy    recording.Policy
	files     *files
	log       *eventLog
	warn      *slog.Logger
	seq       atomic.Uint64
}

func (in *intake) book(ctx context.Context, e cti.Event) cti.Event {
	e = in.ready(e)
	for i, leg := range e.Legs {
		e.Legs[i] = in.ready(leg)
	}
	in.log.note(e)
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
	e.Data = in.declared(e.Data)
	e.Recording = in.recording(e)
	switch {
	case e.Remote.Raw != "" || e.Remote.Asserted != "":
		e.Remote.Number = in.party(e)
	case e.Type == cti.Delivered && e.Side != cti.SideRemote: // it rings and nobody says who (reducer rule 9)
		e.Remote.Withheld, e.Remote.Class = true, cti.ClassWithheld
	}
	return e
}

// party is the other party's number. Who is called may be told as dialled.
func (in *intake) party(e cti.Event) cti.Number {
	if e.Call.Direction == cti.Out || e.Type == cti.Originated || e.Type == cti.Delivered && e.Side == cti.SideRemote {
		return in.plan.Callee(e.Remote.Raw, e.Remote.Asserted)
	}
	return in.plan.Caller(e.Remote.Raw, e.Remote.Asserted)
}

// declared is the call data that the profile wants, the rest is dropped: a caller may send anything.
func (in *intake) declared(data map[string]string) map[string]string {
	kept := map[string]string{}
	for _, name := range in.data {
		v, may := in.policy.Data(data[name])
		if !may {
			in.warn.Warn("call data held an address with a credential and was dropped", "name", name)
		}
		if v != "" {
			kept[name] = v
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// recording is the reference that an event brings, as far as the site's policy lets it pass: nobody after this sees more of it.
func (in *intake) recording(e cti.Event) *cti.Recording {
	if e.Recording == nil {
		return nil
	}
	r := in.policy.Admit(*e.Recording)
	var err error
	if r.File, err = in.files.note(*e.Recording); err != nil { // the reference is told all the same
		in.warn.Error("the file of a recording is not fetched: it could not be written down where it is", "err", err)
	}
	return &r
}

// directions is what may be concluded when a source tells only this of a call: a record without direction is one that no CRM takes.
// What is known of the call already stays.
var directions = map[cti.EventType]cti.Direction{cti.Queued: cti.In, cti.Diverted: cti.In, cti.Cleared: cti.In, cti.Failed: cti.Out}
