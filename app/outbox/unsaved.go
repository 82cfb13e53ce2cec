package outbox

import "errors"

// unsaved is what happened and the disk refused to take down. It is kept in order, and written before anything newer, so that nothing
// is sent twice in this run; after a restart what was delivered is sent again with its key, or looked up.
type unsaved struct {
	order []uint64
	items map[uint64]record
}

// errEarlier: with the newer on the disk and the older not, a restart would send the older content again, over the newer.
var errEarlier = errors.New("what happened to the item before it is not saved yet")

type record struct {
	Item
	change Change
}

// keptTries is how many failed attempts are kept for a disk that refuses them: what is done is always kept, an attempt may be lost.
const keptTries = 1000

func (u *unsaved) keep(change Change, it Item) {
	if u.items == nil {
		u.items = map[uint64]record{}
	}
	if _, there := u.items[it.Seq]; !there {
		if change != Finished && len(u.items) >= keptTries {
			return
		}
		u.order = append(u.order, it.Seq)
	}
	u.items[it.Seq] = record{Item: it, change: change}
}

func (u *unsaved) drop(seq uint64) { delete(u.items, seq) }

// first gives the one that has to be written next.
func (u *unsaved) first() (record, bool) {
	for ; len(u.order) > 0; u.order = u.order[1:] {
		if r, there := u.items[u.order[0]]; there {
			return r, true
		}
	}
	return record{}, false
}

// putOff lets the others go before the first: one that is refused for ever must not keep them all.
func (u *unsaved) putOff() { u.order = append(u.order[1:], u.order[0]) }

// record writes down what has happened. A disk that refuses is asked again later; what came after the refused, with the same key, waits.
func (o *Outbox) record(change Change, it Item) {
	err := errEarlier
	if !o.isUnsaved(it.After) || o.saveAll() == nil {
		err = o.commit(change, it)
	}
	if err != nil {
		o.log.Error("outbox item not saved", "seq", it.Seq, "change", change, "state", it.State, "err", err)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.unsaved.keep(change, it)
	}
}

// commit writes down what has not happened before it is written.
func (o *Outbox) commit(change Change, it Item) error {
	return o.afterUnsaved(func() error { return o.store.Save(change, it) }, it)
}

// afterUnsaved writes after all that the disk refused before; what it writes takes the place of what was refused of the same items.
// What is unsaved of an item is only added by whoever may write it, so it cannot come back once it is seen to be gone.
func (o *Outbox) afterUnsaved(write func() error, items ...Item) error {
	if o.countUnsaved() == 0 {
		return write()
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	if err := o.writeUnsaved(); err != nil {
		o.log.Error("outbox items still not saved", "waiting", o.countUnsaved(), "err", err)
	}
	if err := write(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range items {
		o.unsaved.drop(it.Seq)
	}
	return nil
}

func (o *Outbox) countUnsaved() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unsaved.items)
}

func (o *Outbox) isUnsaved(seq uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, there := o.unsaved.items[seq]
	return there
}

// saveAll asks the disk again.
func (o *Outbox) saveAll() error {
	o.saving.Lock()
	defer o.saving.Unlock()
	return o.writeUnsaved()
}

func (o *Outbox) writeUnsaved() error {
	for {
		o.mu.Lock()
		r, ok := o.unsaved.first()
		o.mu.Unlock()
		if !ok {
			return nil
		}
		err := errEarlier
		if !o.isUnsaved(r.After) {
			err = o.store.Save(r.change, r.Item)
		}
		o.mu.Lock()
		if err == nil {
			o.unsaved.drop(r.Seq)
		} else {
			o.unsaved.putOff()
		}
		o.mu.Unlock()
		if err != nil {
			return err
		}
	}
}
