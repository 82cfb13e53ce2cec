package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
)

// attempt brings one item a step further. While it lasts nobody else changes the item.
type attempt struct {
	*Outbox
	entry  *entry
	item   Item
	write  cti.WriteBack // as it is sent: with the id of the record that it updates
	repeat cti.Repeat
	before time.Time // Begun, before this attempt
	marked bool      // this attempt brought Begun to the disk
	tell   func(Progress)
}

// deliver does what the item's turn is for.
func (o *Outbox) deliver(ctx context.Context, e *entry, tell func(Progress)) {
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.schedule.rest(e)
	}()
	it, err := o.load(e.seq)
	if err != nil {
		o.unreadable(e, err, tell)
		return
	}
	if o.gaveWay(e, it) {
		return
	}
	a := &attempt{Outbox: o, entry: e, item: it, before: it.Begun}
	defer a.tellAll(tell)()
	what, err := a.resolve()
	switch {
	case ctx.Err() != nil:
	case err != nil && it.frozen():
		a.notAsked(err, a.clock.today())
	case err != nil:
		a.failed(ctx, err, a.clock.today())
	case what == send:
		a.send(ctx)
	case what == lookUp:
		a.lookUp(ctx)
	default:
		a.park(cti.Uncertain, mayBeThere)
	}
}

// tellAll makes what is told wait until no key is locked: whoever hears it may be waiting for that key. It gives the function that tells
// the rest.
func (a *attempt) tellAll(tell func(Progress)) (rest func()) {
	var news []Progress
	rest = func() {
		for _, p := range news {
			tell(p)
		}
		news = nil
	}
	a.tell = func(p Progress) {
		news = append(news, p)
		if p.Sending { // the CRM is about to be asked, without any lock
			rest()
		}
	}
	return rest
}

// resolve decides what to do. A connector that fails here has sent nothing.
func (a *attempt) resolve() (what move, err error) {
	var sure bool
	a.write = a.item.WriteBack
	a.write.RecordID, sure = a.recordOf(a.item)
	a.write.Steps = a.item.Steps
	err = guard(func() error {
		a.repeat = a.sender.Repeat(a.write)
		return nil
	})
	if err != nil {
		a.repeat = cti.Repeat{Safe: true}
		return "", err
	}
	may := a.item.frozen() || !sure && !a.entry.is(absent)
	return nextMove(may, a.age(a.item), a.write, a.repeat), nil
}

// recordOf gives the id of the record that an item updates, if something with its key was delivered before. Sure is false when it may
// have been and the id is not known.
func (o *Outbox) recordOf(it Item) (id string, sure bool) {
	sure = true
	for it.Receipt.ID == "" && it.After != 0 {
		earlier, err := o.load(it.After)
		if err != nil || earlier.Seq >= it.Seq {
			return "", false
		}
		if it = earlier; it.frozen() { // final or not: what waited for it may have been discarded since, or not known to wait
			sure = it.Receipt.ID != ""
		}
	}
	return it.Receipt.ID, sure || it.Receipt.ID != ""
}

// send sends the item; where a repetition might write it twice, it is on the disk first that it may be there.
func (a *attempt) send(ctx context.Context) {
	if (!a.repeat.Safe || a.repeat.Window > 0) && a.item.Begun.IsZero() && !a.begin() {
		return
	}
	a.flag(settled, false)
	a.tell(Progress{Item: a.item, Sending: true})
	at := a.clock.today()
	receipt, err := a.ask(cti.WithSteps(ctx, a.stepped), a.sender.Send)
	if err != nil {
		a.failed(ctx, err, at)
		return
	}
	a.delivered(receipt)
}

// stepped brings to the disk how far the item came.
func (a *attempt) stepped(steps string) {
	it := a.item
	it.Steps = steps
	if err := a.commit(Started, it); err != nil {
		a.log.Warn("how far an outbox item came was not saved", "seq", it.Seq, "err", err)
		return
	}
	a.item = it
}

func (a *attempt) begin() bool {
	it := a.item
	it.Begun = a.clock.today()
	now := a.clock.now()
	if err := a.commit(Started, it); err != nil {
		a.log.Error("outbox item not sent: its beginning was not saved", "seq", it.Seq, "err", err)
		a.flag(network, false)
		a.put(a.item.State, now+saveAgain, it.LastTry().Kind)
		return false
	}
	a.item, a.marked = it, true
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun[it.Seq] = now
	return true
}

// lookUp asks the CRM whether it has the item, once it has had the time to show it. When the last attempt was in an earlier run, or
// another clock's time, that time begins now.
func (a *attempt) lookUp(ctx context.Context) {
	if !a.entry.is(settled) {
		a.flag(network, false)
		a.flag(settled, true)
		was := a.item.State
		a.put(Reconcile, a.clock.now()+a.repeat.Settle, a.item.LastTry().Kind)
		a.item.State, a.item.Due = Reconcile, a.clock.today().Add(a.repeat.Settle)
		if was != Reconcile {
			a.record(Tried, a.item)
			a.tell(Progress{Item: a.item})
		}
		if a.repeat.Settle > 0 {
			return
		}
	}
	a.tell(Progress{Item: a.item, Sending: true})
	at := a.clock.today()
	receipt, err := a.ask(ctx, a.sender.Find)
	switch {
	case err == nil:
		a.found(receipt)
	case cti.KindOf(err) == cti.NotFound:
		a.missing()
	case ctx.Err() == nil:
		a.notAsked(err, at)
	}
}

// ask speaks to the CRM. An answer that did not come in time may have been a yes.
func (a *attempt) ask(ctx context.Context, say func(context.Context, cti.WriteBack) (cti.Receipt, error)) (receipt cti.Receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	err = guard(func() error {
		receipt, err = say(ctx, a.write)
		return err
	})
	if known := (*cti.Error)(nil); err != nil && ctx.Err() != nil && !errors.As(err, &known) {
		err = cti.Errorf(cti.Uncertain, "the CRM did not answer in time", err)
	}
	return receipt, err
}

// guard makes a panic in a connector a failed attempt, not the end of the agent.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = cti.Errorf(cti.Internal, "the connector failed", fmt.Errorf("panic: %v", p))
		}
	}()
	return f()
}

func (a *attempt) flag(f flags, on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.set(f, on)
}

func (a *attempt) put(to State, due time.Duration, kind cti.Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.schedule.put(a.entry, to, due, kind)
}

// age tells for how long an item may have been in the CRM. Our own clock does not jump, the wall's goes on while the computer sleeps: the
// longer one counts. A clock that must have been set back since then tells nothing: it may be as old as anything.
func (o *Outbox) age(it Item) time.Duration {
	if it.Begun.IsZero() {
		return unknownAge
	}
	now, today := o.clock.now(), o.clock.today()
	age := today.Sub(it.Begun)
	o.mu.Lock()
	defer o.mu.Unlock()
	since, known := o.begun[it.Seq]
	if !known {
		if age < 0 || it.LastTry().At.After(today) {
			age = ancient
		}
		since = now - age
		o.begun[it.Seq] = since
	}
	return max(age, now-since)
}
