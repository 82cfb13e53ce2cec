package outbox

import (
	"fmt"

	"ringside.dev/ringside/app/cti"
)

// Accept makes a call and its write-backs durable; when it returns nil they will be delivered, whatever happens. A write-back whose
// key is still unsent replaces that item; one whose key was sent, or may have been, becomes an update behind it; one that says nothing
// new is dropped. Of several with one key the last counts.
func (o *Outbox) Accept(call cti.Call, wrap cti.WrapUp, writes []cti.WriteBack) error {
	newest := map[string]cti.WriteBack{}
	var names []string
	for _, w := range writes {
		if _, again := newest[w.Key]; !again {
			names = append(names, w.Key)
		}
		newest[w.Key] = w
	}
	defer o.keys.lock(names...)()
	var places []place
	defer func() { o.leave(places) }()
	for _, name := range names {
		p, err := o.prepare(newest[name])
		if err != nil {
			return err
		}
		places = append(places, p)
	}
	return o.accept(call, wrap, places)
}

// place is where a write-back goes.
type place struct {
	item    Item
	news    bool   // false: the newest item with its key says the same already
	claimed *entry // the one that it replaces
}

// prepare finds the place of a write-back whose key is locked. The caller leaves it.
func (o *Outbox) prepare(w cti.WriteBack) (place, error) {
	latest, err := o.latest(w.Leg, w.Key)
	if err != nil {
		return place{}, fmt.Errorf("look for an earlier write-back: %w", err)
	}
	after := o.before(latest)
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.schedule.entries[latest.Seq]
	if latest.Seq != 0 && latest.WriteBack.Equal(w) && (e != nil && !e.is(doubtful) || latest.State.Final()) { // a store may have kept what it refused
		return place{}, nil
	}
	p := place{news: true, item: Item{Lane: laneOf(w), CreatedAt: o.clock.today()}}
	switch {
	case latest.Seq == 0:
	case latest.State.Final(), latest.frozen(), e != nil && e.is(sending):
		p.item.Lane, p.item.After = latest.Lane, after // behind the earlier one, even when the customer was corrected since
	default:
		p.item = latest
		if e != nil {
			o.schedule.claim(e)
			p.claimed = e
		}
	}
	p.item.WriteBack, p.item.State, p.item.Due, p.item.Steps = w, Queued, o.clock.today(), "" // another content is another way
	if w.Identity == cti.IdentityUnclear {
		p.item.State = Review
	}
	return p, nil
}

// before gives the item that a new one with the same key comes after: the newest, or what that waited for when it was discarded.
func (o *Outbox) before(latest Item) uint64 {
	for it := latest; it.State == Discarded && it.After != 0; {
		earlier, err := o.load(it.After)
		if err != nil || earlier.Seq >= it.Seq {
			break
		}
		if !earlier.State.Final() {
			return earlier.Seq
		}
		it = earlier
	}
	return latest.Seq
}

func (o *Outbox) leave(places []place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range places {
		if p.claimed != nil {
			o.schedule.release(p.claimed)
		}
	}
	o.nudge()
}

// accept writes down and takes into the memory what has its place.
func (o *Outbox) accept(call cti.Call, wrap cti.WrapUp, places []place) error {
	var items, stored []Item
	for _, p := range places {
		if p.news {
			items = append(items, p.item)
		}
	}
	err := o.afterUnsaved(func() (err error) {
		stored, err = o.store.Accept(call, wrap, items)
		return err
	}, items...)
	if err != nil {
		o.doubt(places)
		return fmt.Errorf("write the call down: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range stored {
		o.admit(it)
	}
	return nil
}

// doubt: what the disk refused may be on it all the same, so the next time it is not taken for old news.
func (o *Outbox) doubt(places []place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range places {
		if p.claimed != nil {
			p.claimed.set(doubtful, true)
		}
	}
}

// admit takes an accepted item into the memory, or its new content.
func (o *Outbox) admit(it Item) {
	now := o.clock.now()
	e := o.schedule.entries[it.Seq]
	if e == nil {
		o.schedule.add(it.Standing(), now)
		return
	}
	e.set(unclear, it.WriteBack.Identity == cti.IdentityUnclear)
	e.set(network|damaged|doubtful, false)
	o.schedule.put(e, it.State, now, it.LastTry().Kind)
}

// latest is the store's newest item of a leg with a key, as it stands now.
func (o *Outbox) latest(leg, key string) (Item, error) {
	it, err := o.store.Latest(leg, key)
	if err != nil || it.Seq == 0 {
		return it, err
	}
	return o.asItStands(it), nil
}

// load gives an item whole, as it stands now.
func (o *Outbox) load(seq uint64) (Item, error) {
	o.mu.Lock()
	it, ok := o.unsaved.items[seq]
	o.mu.Unlock()
	if !ok {
		var err error
		if it.Item, err = o.store.Item(seq); err != nil {
			return Item{}, err
		}
		if it.Seq != seq {
			return Item{}, cti.Errorf(cti.Internal, "the store gave another item than was asked for", nil)
		}
	}
	return o.asItStands(it.Item), nil
}

// asItStands: where the disk lags behind, the memory is right.
func (o *Outbox) asItStands(it Item) Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	if newer, ok := o.unsaved.items[it.Seq]; ok {
		it = newer.Item
	}
	if e := o.schedule.entries[it.Seq]; e != nil {
		it.State = e.stand()
		it.Due = o.clock.at(e.due)
	}
	return it
}
