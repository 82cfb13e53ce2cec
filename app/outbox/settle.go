package outbox

import (
	"context"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What a person is told where the server said nothing.
const (
	partlyThere = "the CRM has this record, but not all that belongs to it may have been done: complete it there, then discard this"
	mayBeThere  = "the CRM may have this record already, and cannot be asked: look there. Retry if it is missing, discard if it is there"
	tooOld      = "it could not be delivered for 30 days: retry, or discard it"
	unreadable  = "the stored record cannot be read: see ringctl store check, then retry"
)

// delivered books that the CRM has it.
func (a *attempt) delivered(receipt cti.Receipt) {
	defer a.keys.lock(a.item.WriteBack.Key)()
	it := a.item
	if receipt.ID == "" {
		receipt.ID = a.write.RecordID
	}
	it.State, it.Receipt, it.DoneAt, it.Steps = Done, receipt, a.clock.today(), ""
	a.record(Finished, it)
	a.mu.Lock()
	update := a.schedule.updates[it.Seq]
	a.schedule.remove(a.entry)
	delete(a.begun, it.Seq)
	a.succeeded()
	a.mu.Unlock()
	if update != nil { // it speaks for the record now
		if newer, err := a.load(update.seq); err == nil {
			it = newer
		}
	}
	a.tell(Progress{Item: it})
}

// failed books a failed attempt: the policy decides.
func (a *attempt) failed(ctx context.Context, err error, at time.Time) {
	kind := cti.KindOf(err)
	v := judge(kind, cti.RetryAfter(err), a.item.Attempts, a.random())
	try := Try{At: at, Took: max(0, a.clock.today().Sub(at)), Kind: kind, Message: cti.MessageOf(err), Current: cti.CurrentOf(err)}
	defer a.keys.lock(a.item.WriteBack.Key)()
	partly := a.item.Steps != "" // then the CRM has something of it, whatever it said to the last step
	if !v.wrote && !partly {
		a.item.Begun = a.before
	}
	if ctx.Err() != nil {
		a.interrupted(v.wrote)
		return
	}
	a.log.Warn("write-back failed", "seq", a.item.Seq, "op", a.item.WriteBack.Op, "kind", kind, "wait", v.wait, "err", err)
	if v.pause {
		a.heldBack(v, try)
		return
	}
	due := a.clock.now() + v.wait
	a.item.State = v.state
	switch {
	case v.wrote && partly && at.Sub(a.item.CreatedAt) <= oldest:
		a.item.State = Retry // it goes on behind the last step that the CRM took: nothing is to be looked for
	case v.wrote && !a.repeat.Safe:
		a.item.State, due = Reconcile, a.clock.now()+a.repeat.Settle
		if !a.repeat.Find || a.write.RecordID != "" {
			a.item.State, try.Message = Review, also(mayBeThere, try.Message)
		}
	case v.state == Retry && try.At.Sub(a.item.CreatedAt) > oldest:
		a.item.State, try.Message = Review, also(tooOld, try.Message)
	case (kind == cti.Invalid || kind == cti.NotFound) && !partly: // a CRM that had it under its key would have said so
		a.item.Begun = time.Time{}
	}
	a.book(due, try, v)
}

// book writes an attempt down that counts.
func (a *attempt) book(due time.Duration, try Try, v verdict) {
	a.item = a.item.noted(try)
	a.item.Attempts++
	a.item.Due = a.clock.at(due)
	if first := a.clock.today().Add(-a.age(a.item)); !a.item.Begun.IsZero() && first.Before(a.item.Begun) {
		a.item.Begun = first // as the clock goes now: it was set back
	}
	if a.item.State == Review && try.Kind == cti.Denied {
		a.mu.Lock()
		a.pause.refused(a.entry.lane, a.clock.now())
		a.mu.Unlock()
	}
	if a.tookPlace(due, v) {
		return
	}
	a.record(Tried, a.item)
	a.keep(due, v)
	a.tell(Progress{Item: a.item})
}

// keep brings the entry to where the item stands.
func (a *attempt) keep(due time.Duration, v verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entry
	e.set(settled, a.item.State == Reconcile)
	e.set(looked, v.state == Reconcile)
	e.set(absent, e.is(absent) && !v.wrote)
	e.set(network, v.network && !e.is(rescued) && (a.item.State == Retry || v.state == Reconcile))
	e.epoch = a.schedule.epoch
	if a.item.Begun.IsZero() {
		delete(a.begun, e.seq)
	}
	a.schedule.put(e, a.item.State, due, a.item.LastTry().Kind)
}

// tookPlace lets the update behind a failed item take its place, if there is one and nothing of the item can be in the CRM: sent after
// the update had reached it, the older content would undo it.
func (a *attempt) tookPlace(due time.Duration, v verdict) bool {
	a.mu.Lock()
	update := a.schedule.updates[a.item.Seq]
	a.mu.Unlock()
	if update == nil || a.item.frozen() {
		return false
	}
	newer, err := a.load(update.seq)
	if err != nil {
		return false
	}
	newer.Attempts, newer.Tries = a.item.Attempts, a.item.Tries
	at := a.clock.now()
	if newer.State == Queued && a.item.State == Retry {
		newer.State, newer.Due, at = Retry, a.item.Due, due
	}
	a.record(Finished, a.item.replaced(a.clock.today()))
	a.record(Tried, newer)
	a.mu.Lock()
	a.schedule.remove(a.entry)
	update.set(network, v.network && newer.State == Retry)
	update.epoch = a.schedule.epoch
	a.schedule.put(update, newer.State, at, newer.LastTry().Kind)
	a.mu.Unlock()
	a.tell(Progress{Item: newer})
	return true
}

// gaveWay lets an update take the place of an item that was not sent yet, or whose sending is harmless to forget.
func (o *Outbox) gaveWay(e *entry, it Item) bool {
	defer o.keys.lock(it.WriteBack.Key)()
	o.mu.Lock()
	update := o.schedule.updates[e.seq]
	o.mu.Unlock()
	if update == nil || it.frozen() {
		return false
	}
	o.record(Finished, it.replaced(o.clock.today()))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.schedule.remove(e)
	return true
}

// heldBack: everything waits, and the item has lost nothing. Only a mark that is on the disk is taken back there.
func (a *attempt) heldBack(v verdict, try Try) {
	if a.marked {
		a.record(Tried, a.item)
	}
	a.mu.Lock()
	now := a.clock.now()
	a.pause.hold(now+v.wait, try.Kind)
	a.schedule.put(a.entry, a.item.State, a.entry.due, try.Kind)
	if a.item.Begun.IsZero() {
		delete(a.begun, a.item.Seq)
	}
	a.mu.Unlock()
	shown := a.item.noted(try)
	if shown.State == Queued {
		shown.State = Retry
	}
	shown.Due = a.clock.at(now + v.wait)
	a.tell(Progress{Item: shown})
}

// interrupted: we were stopped, and that is not the item's fault. What may have arrived is looked up after the next start.
func (a *attempt) interrupted(wrote bool) {
	switch {
	case a.marked && !wrote:
	case !a.item.Begun.IsZero() && wrote && !a.repeat.Safe:
		a.item.State = Reconcile
	default:
		return
	}
	a.record(Tried, a.item)
}

// found books that a look-up found it. Where an earlier content may have been what was found, this one is sent over it.
func (a *attempt) found(receipt cti.Receipt) {
	switch {
	case a.repeat.Partial && a.repeat.LooksFirst:
		a.requeue(a.clock.now() + backoff(a.item.Attempts-1, a.random()))
		return
	case a.repeat.Partial:
		a.park(cti.Uncertain, partlyThere)
		return
	}
	if a.item.After == 0 || receipt.ID == "" {
		a.delivered(receipt)
		return
	}
	a.item.Receipt = receipt
	a.requeue(a.clock.now())
}

// missing books that the CRM has it not: it is sent again, a little later each time.
func (a *attempt) missing() {
	a.flag(absent, true)
	a.item.Steps = ""
	a.requeue(a.clock.now() + backoff(a.item.Attempts-1, a.random()))
}

func (a *attempt) requeue(due time.Duration) {
	defer a.keys.lock(a.item.WriteBack.Key)()
	a.item.State, a.item.Begun, a.item.Due = Queued, time.Time{}, a.clock.at(due)
	a.record(Tried, a.item)
	a.keep(due, verdict{})
	a.tell(Progress{Item: a.item})
}

// notAsked books a look-up that failed.
func (a *attempt) notAsked(err error, at time.Time) {
	kind := cti.KindOf(err)
	v := judge(kind, cti.RetryAfter(err), a.item.Attempts, a.random())
	try := Try{At: at, Took: max(0, a.clock.today().Sub(at)), Kind: kind, Message: cti.MessageOf(err)}
	a.log.Warn("look-up of a write-back failed", "seq", a.item.Seq, "kind", kind, "wait", v.wait, "err", err)
	defer a.keys.lock(a.item.WriteBack.Key)()
	v.wrote = false
	switch {
	case v.pause:
		a.heldBack(v, try)
		return
	case v.state == Review:
		a.item.State, try.Message = Review, also(mayBeThere, try.Message)
	case try.At.Sub(a.item.CreatedAt) > oldest:
		a.item.State, try.Message = Review, also(tooOld, try.Message)
	default:
		a.item.State, v.state = Reconcile, Reconcile
	}
	a.book(a.clock.now()+v.wait, try, v)
}

// park leaves the item to a person.
func (a *attempt) park(kind cti.Kind, words string) {
	defer a.keys.lock(a.item.WriteBack.Key)()
	last := a.item.LastTry()
	a.item = a.item.noted(Try{At: a.clock.today(), Kind: kind, Message: also(words, last.Message)})
	a.item.State = Review
	a.record(Tried, a.item)
	a.keep(a.clock.now(), verdict{})
	a.tell(Progress{Item: a.item})
}

// unreadable parks an item whose content the store cannot give, in memory only: after a restart it is tried again. A store that is only
// busy is asked again soon.
func (o *Outbox) unreadable(e *entry, err error, tell func(Progress)) {
	kind := cti.KindOf(err)
	o.log.Error("outbox item not read", "seq", e.seq, "kind", kind, "err", err)
	o.mu.Lock()
	if kind == cti.Offline || kind == cti.Limited {
		o.schedule.put(e, e.stand(), o.clock.now()+saveAgain, kind)
		o.mu.Unlock()
		return
	}
	e.set(damaged, true)
	o.schedule.put(e, Review, o.clock.now(), cti.Internal)
	stub := o.stub(e)
	o.mu.Unlock()
	tell(Progress{Item: stub})
}

// stub is what is known of an item that cannot be read.
func (o *Outbox) stub(e *entry) Item {
	return Item{Seq: e.seq, State: e.stand(), CreatedAt: time.UnixMilli(e.created).UTC(),
		Tries: []Try{{At: o.clock.today(), Kind: cti.Internal, Message: unreadable}}}
}

func also(words, said string) string {
	if said == "" || strings.HasPrefix(said, words) {
		return words
	}
	return words + " (" + said + ")"
}
