package bria

import (
	"cmp"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// grave is what is kept of an ended call. One that could not be transferred comes back under its id.
type grave struct {
	times       int // it ended
	dir         cti.Direction
	established time.Time
}

// gift is a transfer that was asked for. Bria tells its success by the call's end, and its failure by nothing or by the call's return.
type gift struct {
	kind  cti.TransferKind
	to    string
	until time.Time
}

// giftFor is how long a transfer may take: the target rings a minute and a half at most. What ends later ended for another reason.
const giftFor = 90 * time.Second

// end takes a call out of the live ones and tells why it ended, as far as that is known.
func (i *interpreter) end(k *known, failed bool, at time.Time) cti.Event {
	i.live = slices.DeleteFunc(i.live, func(o *known) bool { return o == k })
	i.bury(k)
	return i.event(k, at, k.ending(failed, at))
}

func (i *interpreter) bury(k *known) {
	g := i.over[k.id]
	if g.times == 0 {
		i.order = append(i.order, k.id)
	}
	i.over[k.id] = grave{times: g.times + 1, dir: cmp.Or(k.dir, g.dir), established: firstTime(g.established, k.established)}
	if len(i.order) > maxOver {
		delete(i.over, i.order[0])
		i.order = i.order[1:]
	}
}

// ending: the wire tells neither who ended a call nor why, so that only what the agent commanded is known.
func (k *known) ending(failed bool, at time.Time) cti.Event {
	cause := cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
	typ := cti.Cleared
	if k.hungUp {
		cause.By = cti.ByLocal
	}
	switch {
	case k.state == stateConnected && k.given != nil && at.Before(k.given.until) && !k.hungUp:
		cause = cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal}
		return cti.Event{Type: cti.Transferred, Cause: &cause, Transfer: &cti.Transfer{Kind: k.given.kind, Role: cti.Transferrer, To: k.given.to}}
	case k.state == stateConnected:
		cause.Code = cti.CauseNormal
	case k.dir == cti.Out && k.hungUp:
		cause.Code = cti.CauseAbandoned
	case k.dir == cti.Out:
		typ = cti.Failed
	case k.hungUp:
		cause.Code = cti.CauseRejected
	default:
		cause.Code = cti.CauseAbandoned
	}
	if failed {
		cause.Raw = stateFailed
	}
	return cti.Event{Type: typ, Cause: &cause}
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}
