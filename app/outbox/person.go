package outbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What a person at the desk, or with ringctl, may do with an item. All of it is on the disk before it counts.

// Retry makes an item that waits or needs a person due now, and ends what holds back all. One that may be in the CRM is looked up once
// more where the CRM can be asked; where it cannot, this is the person's word that it is missing there.
func (o *Outbox) Retry(seq uint64) error {
	o.resume()
	return o.retry(seq)
}

func (o *Outbox) retry(seq uint64) error {
	it, err := o.Get(seq)
	if err != nil {
		return err
	}
	defer o.keys.lock(it.WriteBack.Key)()
	e, err := o.hold(seq)
	if e == nil {
		return err
	}
	defer o.letGo(e)
	if it, err = o.load(seq); err != nil {
		return fmt.Errorf("read item %d: %w", seq, err)
	}
	return o.again(e, it)
}

// hold claims an item that a person wants tried again; none when nothing is to be done for that.
func (o *Outbox) hold(seq uint64) (*entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.schedule.entries[seq]
	switch {
	case e == nil:
		return nil, cti.Errorf(cti.NotFound, fmt.Sprintf("there is no unfinished item %d in the outbox: see ringctl outbox list", seq), nil)
	case e.is(unclear):
		return nil, cti.Errorf(cti.Conflict, "several customers share this number: pick the customer first", nil)
	case e.is(held):
		return nil, cti.Errorf(cti.Conflict, "an earlier item of the same call has to be settled first: retry or discard that one", nil)
	case e.is(sending):
		return nil, nil
	}
	o.schedule.claim(e)
	return e, nil
}

// letGo ends a claim.
func (o *Outbox) letGo(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.schedule.release(e)
	o.nudge()
}

// again makes due what a person wants tried again.
func (o *Outbox) again(e *entry, it Item) error {
	if it.State == Reconcile {
		o.hurry(e)
		return nil
	}
	a := attempt{Outbox: o, entry: e, item: it}
	what, err := a.resolve()
	trusted := it.State == Review && err == nil && what == ask
	if trusted {
		it.Begun = time.Time{}
	}
	if last := it.LastTry(); it.State == Review && last.Kind == cti.Conflict && last.Current != nil {
		it.WriteBack.Was = last.Current // the person was shown what is there, and wants theirs; another value by then is another conflict
	}
	it.State, it.Due = Queued, o.clock.today()
	if err := o.commit(Edited, it); err != nil {
		return fmt.Errorf("save item %d: %w", it.Seq, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e.set(absent, e.is(absent) || trusted)
	e.set(network|damaged|settled, false)
	if it.Begun.IsZero() {
		delete(o.begun, it.Seq)
	}
	o.schedule.put(e, Queued, o.clock.now(), it.LastTry().Kind)
	o.news = append(o.news, Progress{Item: it})
	return nil
}

// hurry makes due what waits for its time; but the time that the CRM needs to show what it wrote is not cut short.
func (o *Outbox) hurry(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.stand() != Reconcile || e.is(looked) {
		o.schedule.put(e, e.stand(), min(e.due, o.clock.now()), kinds[e.kind])
	}
}

// resume: a person knows better than whatever holds back all.
func (o *Outbox) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pause = pause{}
	o.nudge()
}

// retriers is how many items RetryAll brings to the disk at once: the store writes them as one group.
const retriers = 64

// RetryAll is Retry for all items in a state, but those of unclear customers. It gives how many; the error is the first one.
func (o *Outbox) RetryAll(state State) (int, error) {
	o.resume()
	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		done    int
		first   error
		pending = make(chan uint64)
	)
	for range retriers {
		group.Go(func() {
			for seq := range pending {
				err := o.retry(seq)
				if cti.KindOf(err) == cti.NotFound { // delivered meanwhile
					err = nil
				}
				mu.Lock()
				if err == nil {
					done++
				} else if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	seqs := o.choose(Filter{States: []State{state}}, func(e *entry) bool { return !e.is(sending | unclear | held) })
	for _, seq := range seqs {
		pending <- seq
	}
	close(pending)
	group.Wait()
	return done, first
}

// Edit replaces what the agent said about the call: in an unsent item, or as an update behind one that was sent or may have been.
func (o *Outbox) Edit(seq uint64, wrap cti.WrapUp) error {
	return o.rewrite(seq, Edited, func(w *cti.WriteBack) { w.Record.WrapUp = wrap })
}

// Attach says whose call it was. Of a record that is in the CRM this makes an update that moves it.
func (o *Outbox) Attach(seq uint64, customerID string) error {
	if customerID == "" {
		return cti.Errorf(cti.Invalid, "name the customer: --customer with the id that the CRM has for them", nil)
	}
	return o.rewrite(seq, Attached, func(w *cti.WriteBack) { w.CustomerID, w.Identity = customerID, cti.IdentityKnown })
}

// rewrite gives the newest item with the same key another content.
func (o *Outbox) rewrite(seq uint64, what Change, edit func(*cti.WriteBack)) error {
	it, err := o.Get(seq)
	if err != nil {
		return err
	}
	defer o.keys.lock(it.WriteBack.Key)()
	latest, err := o.latest(it.WriteBack.Leg, it.WriteBack.Key)
	if err != nil {
		return fmt.Errorf("read item %d: %w", seq, err)
	}
	edit(&latest.WriteBack)
	p, err := o.prepare(latest.WriteBack)
	if err != nil || !p.news {
		return err
	}
	defer o.leave([]place{p})
	if p.item.Seq == 0 {
		return o.accept(cti.Call{}, latest.WriteBack.Record.WrapUp, []place{p})
	}
	if err := o.commit(what, p.item); err != nil {
		o.doubt([]place{p})
		return fmt.Errorf("save item %d: %w", p.item.Seq, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.admit(p.item)
	o.news = append(o.news, Progress{Item: p.item})
	return nil
}

// Discard decides that the CRM shall not have an item, nor the updates that wait behind it. A later edit of the call makes a new item.
func (o *Outbox) Discard(seq uint64, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return cti.Errorf(cti.Invalid, "say why it is discarded: the reason is kept with it", nil)
	}
	it, err := o.Get(seq)
	if err != nil {
		return err
	}
	defer o.keys.lock(it.WriteBack.Key)()
	chain, err := o.holdToDiscard(seq)
	if err != nil {
		return err
	}
	defer o.letGo(chain[0])
	if err := o.discardUnknown(it.WriteBack.Leg, it.WriteBack.Key, reason); err != nil {
		return err
	}
	for _, e := range slices.Backward(chain) { // the last first, so that none is left alone
		if err := o.discard(e, reason); err != nil {
			return err
		}
	}
	return nil
}

// holdToDiscard claims an item; it gives that and the updates behind it. There are several when the index was rebuilt between them.
func (o *Outbox) holdToDiscard(seq uint64) (chain []*entry, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.schedule.entries[seq]
	switch {
	case e == nil:
		return nil, cti.Errorf(cti.Conflict, fmt.Sprintf("item %d is final: the CRM has it, or it was discarded", seq), nil)
	case e.is(sending):
		return nil, cti.Errorf(cti.Conflict, "it is being sent just now: try again in half a minute", nil)
	}
	o.schedule.claim(e)
	for ; e != nil; e = o.schedule.updates[e.seq] {
		chain = append(chain, e)
	}
	return chain, nil
}

// discardUnknown discards the update that the disk refused and kept all the same: left alone it would be sent before what the discarded
// one waited for.
func (o *Outbox) discardUnknown(leg, key, reason string) error {
	latest, err := o.latest(leg, key)
	if err != nil {
		return fmt.Errorf("look for an update: %w", err)
	}
	o.mu.Lock()
	known := o.schedule.entries[latest.Seq] != nil
	o.mu.Unlock()
	if known || latest.Seq == 0 || latest.State.Final() {
		return nil
	}
	_, err = o.drop(latest, reason)
	return err
}

// drop writes down that an item is discarded.
func (o *Outbox) drop(it Item, reason string) (Item, error) {
	it.State, it.Reason, it.DoneAt = Discarded, reason, o.clock.today()
	if err := o.commit(Dropped, it); err != nil {
		return it, fmt.Errorf("save item %d: %w", it.Seq, err)
	}
	return it, nil
}

func (o *Outbox) discard(e *entry, reason string) error {
	it, err := o.load(e.seq)
	if err != nil {
		return fmt.Errorf("read item %d: %w", e.seq, err)
	}
	if it, err = o.drop(it, reason); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.schedule.remove(e)
	delete(o.begun, it.Seq)
	o.news = append(o.news, Progress{Item: it})
	return nil
}
