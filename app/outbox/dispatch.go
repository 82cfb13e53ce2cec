package outbox

import (
	"context"
	"time"
)

// report is what an attempt tells Run: news, or that it is over.
type report struct {
	news  Progress
	ended bool
}

// Run sends until ctx ends; it returns after every attempt has ended. What was not finished stays in the store.
//
//	take ─▶ deliver: load ─▶ resolve ─▶ begin ─▶ Send ─▶ settle
//	                              └──────────────▶ Find ─┘
func (o *Outbox) Run(ctx context.Context) error {
	reports := make(chan report)
	running := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		o.watchClock()
		for _, e := range o.take(parallel - running) {
			running++
			go func() {
				o.deliver(ctx, e, func(p Progress) { reports <- report{news: p} })
				reports <- report{ended: true}
			}()
		}
		o.tellNews()
		timer.Reset(o.untilNext(running < parallel))
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
			if err := o.saveAll(); err != nil {
				o.log.Error("outbox items still not saved", "waiting", o.countUnsaved(), "err", err)
			}
		case r := <-reports:
			running -= o.hear(r)
		}
	}
	for running > 0 {
		running -= o.hear(<-reports)
	}
	if err := o.saveAll(); err != nil {
		o.log.Error("outbox items not saved at the end", "waiting", o.countUnsaved(), "err", err)
	}
	return nil
}

// hear takes a report and gives how many attempts it ended.
func (o *Outbox) hear(r report) int {
	if r.ended {
		return 1
	}
	o.progress(r.news)
	return 0
}

func (o *Outbox) tellNews() {
	o.mu.Lock()
	news := o.news
	o.news = nil
	o.mu.Unlock()
	for _, p := range news {
		o.progress(p)
	}
}

// take marks up to n items as sending: due, first in their lane, nothing of the lane on its way.
func (o *Outbox) take(n int) []*entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.now()
	if now < o.pause.until {
		return nil
	}
	if o.pause.probing() {
		n = min(n, 1-o.schedule.busy)
	}
	var taken []*entry
	for len(taken) < n {
		e := o.schedule.take(now)
		if e == nil {
			break
		}
		taken = append(taken, e)
	}
	return taken
}

// Busy tells that something is being sent, or is due and may be.
func (o *Outbox) Busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.now()
	return o.schedule.busy > 0 || o.pause.until <= now && o.schedule.next() <= now
}

// Due makes a write-back due that waits for its time, if it does: whoever sends it has news for it.
func (o *Outbox) Due(leg, key string) error {
	it, err := o.latest(leg, key)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.schedule.entries[it.Seq]; e != nil && e.stand() == Retry && !e.is(sending|held) && o.clock.now() < e.due {
		o.schedule.put(e, Retry, o.clock.now(), kinds[e.kind])
		o.nudge()
	}
	return nil
}

// untilNext tells how long nothing is to be done; at most a minute, so that a clock that jumps is noticed. With no room to send, the
// end of an attempt is what is waited for.
func (o *Outbox) untilNext(room bool) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := time.Minute
	if len(o.unsaved.items) > 0 {
		wait = saveAgain
	}
	if room && (!o.pause.probing() || o.schedule.busy == 0) {
		wait = min(wait, max(0, o.schedule.next()-o.clock.now(), o.pause.until-o.clock.now()))
	}
	return wait
}
