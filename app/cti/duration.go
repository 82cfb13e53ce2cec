package cti

import "time"

// Durations are the parts of a call, kept apart because reports and CRMs mean different things by "duration". None is negative.
type Durations struct {
	Ring  time.Duration // from the first ring to the answer or the end
	Queue time.Duration // waited in a queue before it rang
	Talk  time.Duration // from the answer to the end, without hold
	Hold  time.Duration // on hold, by whoever
	Wrap  time.Duration // from the end until the agent was done
}

// maxWait bounds what a queue says about its waiting time: nobody waits longer, and more than that in milliseconds is no time at all.
const maxWait = 24 * time.Hour

// Durations tells the parts as they stand at now; once the call is cleared only Wrap still grows, until it is ended.
func (c Call) Durations(now time.Time) Durations {
	now = now.UTC()
	end := firstTime(c.ClearedAt, now)
	var d Durations
	if !c.DeliveredAt.IsZero() {
		d.Ring = positive(firstTime(c.EstablishedAt, end).Sub(c.DeliveredAt))
	}
	if c.Queue != nil {
		d.Queue = time.Duration(min(max(c.Queue.WaitMS, 0), maxWait.Milliseconds())) * time.Millisecond
	}
	if d.Queue == 0 && !c.QueuedAt.IsZero() {
		d.Queue = positive(firstTime(c.DeliveredAt, c.EstablishedAt, end).Sub(c.QueuedAt))
	}
	d.Hold = c.HeldFor
	if !c.HeldSince.IsZero() {
		d.Hold += positive(end.Sub(c.HeldSince))
	}
	if !c.EstablishedAt.IsZero() {
		d.Talk = positive(end.Sub(c.EstablishedAt) - d.Hold)
	}
	if !c.ClearedAt.IsZero() {
		d.Wrap = positive(firstTime(c.WrapEndedAt, now).Sub(c.ClearedAt))
	}
	return d
}

// EndWrap notes that the agent is done with a cleared call; a second time changes nothing.
func (c Call) EndWrap(at time.Time) Call {
	if c.State == StateClosed && c.WrapEndedAt.IsZero() {
		c.WrapEndedAt = later(at.UTC(), c.ClearedAt)
	}
	return c
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func positive(d time.Duration) time.Duration { return max(0, d) }

// Ending is how a call ended, technically. What came of it is the WrapUp's outcome: the two are never one field.
type Ending string

// The endings.
const (
	EndAnswered          Ending = "answered"
	EndMissed            Ending = "missed"             // rang here, nobody answered
	EndAbandoned         Ending = "abandoned"          // rang here, the caller gave up
	EndRejected          Ending = "rejected"           // the agent refused it, or the far end refused ours
	EndAnsweredElsewhere Ending = "answered_elsewhere" // a colleague answered
	EndTransferred       Ending = "transferred"        // answered, then given away
	EndBusy              Ending = "busy"
	EndNoAnswer          Ending = "no_answer" // our attempt was not answered
	EndFailed            Ending = "failed"
)

// Missed is derived: cleared from alerting, inbound, and not answered elsewhere.
func (c Call) Missed() bool {
	return c.State == StateClosed && c.Direction == In && c.EstablishedAt.IsZero() && !c.DeliveredAt.IsZero() &&
		c.Cause != nil && c.Cause.Code != CauseAnsweredElsewhere
}

// Ending tells how a cleared call ended; "" while it is live.
func (c Call) Ending() Ending {
	if c.State != StateClosed || c.Cause == nil {
		return ""
	}
	switch {
	case c.Cause.Code == CauseTransferred && !c.EstablishedAt.IsZero():
		return EndTransferred
	case !c.EstablishedAt.IsZero():
		return EndAnswered
	}
	switch c.Cause.Code {
	case CauseAnsweredElsewhere:
		return EndAnsweredElsewhere
	case CauseRejected:
		return EndRejected
	case CauseBusy:
		return EndBusy
	case CauseUnreachable, CauseNotFound, CauseNetwork, CauseMedia:
		return EndFailed
	case CauseAbandoned:
		if c.Direction == In {
			return EndAbandoned
		}
	case CauseNormal, CauseNoAnswer, CauseTransferred, CauseUnknown:
	}
	if c.Direction == Out {
		return EndNoAnswer
	}
	return EndMissed
}
