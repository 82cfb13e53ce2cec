package outbox

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// pause holds back everything, because the CRM and not an item is the reason. It is in memory only.
type pause struct {
	until  time.Duration
	kind   cti.Kind
	denied []*lane // different ones that were refused in a row
}

// probing: after so many refusals one at a time is sent until one succeeds, so that each pause costs one item's parking.
func (p *pause) probing() bool { return len(p.denied) >= deniedLanes }

func (p *pause) hold(until time.Duration, kind cti.Kind) {
	if until > p.until {
		p.until, p.kind = until, kind
	}
}

// refused counts a refusal.
func (p *pause) refused(l *lane, now time.Duration) {
	known := false
	for _, other := range p.denied {
		known = known || other == l
	}
	if !known && len(p.denied) < deniedLanes {
		p.denied = append(p.denied, l)
	}
	if p.probing() {
		p.hold(now+deniedPause, cti.Denied)
	}
}

// succeeded: the CRM is there and lets us in, so there is no reason to wait, unless it asked for that; and whatever waited for nothing
// else is due.
func (o *Outbox) succeeded() {
	now := o.clock.now()
	o.pause.denied = nil
	if o.pause.kind != cti.Limited {
		o.pause.until = 0
	}
	o.schedule.cameBack(now, false)
}

// wakeJitter spreads what many agents do when their network comes back in one moment.
const wakeJitter = 5 * time.Second

// Wake is to be called when the computer has slept or its network has changed: whatever waits for the CRM to come back is due, within a
// few seconds.
func (o *Outbox) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.now()
	at := now + time.Duration(o.random()*float64(wakeJitter))
	if o.pause.kind == cti.Offline {
		o.pause.until = min(o.pause.until, at)
	}
	o.schedule.cameBack(at, true)
	o.nudge()
}

// watchClock notices that the wall's clock was moved, or that the computer slept: then waiting may have been long enough. What is due
// by our own clock neither comes early nor late because of the other.
func (o *Outbox) watchClock() {
	o.mu.Lock()
	by := o.clock.jumped()
	if by > 0 {
		o.pause.until -= min(by, max(0, o.pause.until-o.clock.now()))
	}
	o.mu.Unlock()
	if by != 0 {
		o.log.Warn("the clock jumped", "by", by)
	}
	if by > 0 {
		o.Wake()
	}
}
