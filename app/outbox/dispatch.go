package outbox

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// result is how one attempt ended.
type result struct {
	item    Item
	receipt cti.Receipt
	err     error
	at      time.Time
	took    time.Duration
}

// Run sends until ctx ends; it returns after every attempt has ended. What was not finished stays in the store.
func (o *Outbox) Run(ctx context.Context) error {
	results := make(chan result)
	running := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		for _, it := range o.take(parallel - running) {
			o.progress(Progress{Item: it, Sending: true})
			running++
			go func() { results <- o.attempt(ctx, it) }()
		}
		timer.Reset(o.untilNext(running < parallel))
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
			o.saveDone()
		case r := <-results:
			running--
			o.settle(ctx, r)
		}
	}
	for ; running > 0; running-- {
		o.settle(ctx, <-results)
	}
	o.saveDone()
	return nil
}

// take marks up to n items as sending: due, first in their lane, nothing of the lane on its way.
func (o *Outbox) take(n int) []Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.paused) {
		return nil
	}
	var taken []Item
	for _, it := range o.heads() {
		if len(taken) == n {
			break
		}
		if !it.Due.After(now) {
			o.sending[it.Seq] = true
			taken = append(taken, it)
		}
	}
	return taken
}

// heads gives the first open item of each lane with nothing on its way, by Seq; items for review do not block their lane.
func (o *Outbox) heads() []Item {
	busy := map[string]bool{}
	for seq := range o.sending {
		busy[o.items[seq].Lane] = true
	}
	first := map[string]Item{}
	for _, it := range o.items {
		head, ok := first[it.Lane]
		if it.open() && !busy[it.Lane] && (!ok || it.Seq < head.Seq) {
			first[it.Lane] = it
		}
	}
	return slices.SortedFunc(maps.Values(first), bySeq)
}

// untilNext tells how long nothing is to be done; at most a minute, so that a clock set back is noticed. With no room to send, the
// end of an attempt is what is waited for.
func (o *Outbox) untilNext(room bool) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := time.Minute
	if len(o.unsaved) > 0 {
		wait = saveAgain
	}
	if !room {
		return wait
	}
	for _, it := range o.heads() {
		wait = min(wait, max(0, time.Until(it.Due), time.Until(o.paused)))
	}
	return wait
}

// attempt sends one item; a panic in a connector is a failed attempt, not the end of the agent.
func (o *Outbox) attempt(ctx context.Context, it Item) (r result) {
	r = result{item: it, at: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	defer func() {
		r.took = time.Since(r.at)
		if p := recover(); p != nil {
			r.err = cti.Errorf(cti.Internal, "the connector failed", fmt.Errorf("panic: %v", p))
		}
	}()
	r.receipt, r.err = o.sender.Send(ctx, it.WriteBack)
	return r
}

// settle books how an attempt ended.
func (o *Outbox) settle(ctx context.Context, r result) {
	if r.err != nil && ctx.Err() != nil {
		o.release(r.item.Seq) // we were stopped: that is not the item's fault
		return
	}
	it, ok := o.book(r)
	if !ok {
		return
	}
	o.progress(Progress{Item: it})
}

func (o *Outbox) release(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sending, seq)
}

func (o *Outbox) book(r result) (Item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sending, r.item.Seq)
	it, ok := o.items[r.item.Seq]
	if !ok {
		return Item{}, false
	}
	if r.err == nil {
		it.State, it.Receipt, it.DoneAt = Done, r.receipt, time.Now().UTC()
		o.finish(it)
		o.cameBack()
		if update, ok := o.behind(it); ok {
			return update, true // it speaks for the record now
		}
		return it, true
	}
	it = o.fail(it, r)
	o.items[it.Seq] = it
	if err := o.store.Save(it); err != nil {
		// After a restart the item is as it was before this attempt, and is sent again.
		o.log.Error("outbox item not saved", "seq", it.Seq, "state", it.State, "err", err)
	}
	return it, true
}

// behind gives the update of an item, if there is one: it came while the item was on its way.
func (o *Outbox) behind(it Item) (Item, bool) {
	for _, other := range o.items {
		if other.WriteBack.Key == it.WriteBack.Key && other.Seq > it.Seq {
			return other, true
		}
	}
	return Item{}, false
}

// finish takes a done item out of the memory and writes it down.
func (o *Outbox) finish(it Item) {
	delete(o.items, it.Seq)
	o.unsaved = append(o.unsaved, it)
	o.flush()
}

// saveDone asks the disk again to take down what is done.
func (o *Outbox) saveDone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
}

// flush saves what is done. When the disk refuses it is kept and tried again: nothing is sent twice in this run, and after a restart
// it is sent again with its key, which changes nothing in the CRM.
func (o *Outbox) flush() {
	for len(o.unsaved) > 0 {
		if err := o.store.Save(o.unsaved[0]); err != nil {
			o.log.Error("delivered item not saved", "seq", o.unsaved[0].Seq, "waiting", len(o.unsaved), "err", err)
			return
		}
		o.unsaved = o.unsaved[1:]
	}
}

// fail books a failure and gives the item that has to be sent now: the same, or the update behind it. Sent after that one had
// reached the CRM, the older content would undo it.
func (o *Outbox) fail(it Item, r result) Item {
	kind := cti.KindOf(r.err)
	v := judge(kind, cti.RetryAfter(r.err), it.Attempts, rand.Float64()) //nolint:gosec // jitter, not a secret
	o.log.Warn("write-back failed", "seq", it.Seq, "op", it.WriteBack.Op, "kind", kind, "state", v.state, "wait", v.wait, "err", r.err)
	if v.pause {
		o.paused = r.at.Add(r.took + v.wait)
	}
	failed := it.failed(v, Try{At: r.at, Took: r.took, Kind: kind, Message: cti.MessageOf(r.err)})
	update, ok := o.behind(it)
	if !ok {
		return failed
	}
	o.finish(it.replaced())
	update.Attempts, update.Tries = failed.Attempts, failed.Tries
	if update.State == Queued && failed.State == Retry {
		update.State, update.Due = Retry, failed.Due
	}
	return update
}

// cameBack: one success shows that the CRM is there again, so whatever only waited for that is due now.
func (o *Outbox) cameBack() {
	now := time.Now().UTC()
	for seq, it := range o.items {
		if kind := it.LastTry().Kind; it.State == Retry && !o.sending[seq] && (kind == cti.Offline || kind == cti.Uncertain) && it.Due.After(now) {
			it.Due = now
			o.items[seq] = it
		}
	}
}
