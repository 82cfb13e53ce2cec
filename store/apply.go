package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/journal"
)

// apply brings one change in. What the index has already it leaves as it is.
func (x *index) apply(c change, before, behind journal.Position) error {
	if err := x.mark(c.at, before); err != nil {
		return err
	}
	if c.live != nil {
		if err := x.putLive(c.number, *c.live); err != nil {
			return err
		}
	}
	d := draft{index: x}
	if c.call != nil {
		if err := d.putCall(cmp.Or(c.place, c.number), c.number, *c.call); err != nil {
			return err
		}
	}
	if c.item != nil {
		if err := d.putItem(c.number, *c.item, c.bare); err != nil {
			return err
		}
	}
	if err := d.save(); err != nil {
		return err
	}
	if c.ends != "" {
		if err := x.delete(bucketLive, x.mac(c.ends)); err != nil {
			return err
		}
	}
	x.head.Number, x.head.Position = max(x.head.Number, c.number), behind
	return nil
}

// putItem brings an item in. Of a bare one, without its write-back, that is there already, or it was damaged: then nothing can be told of it
// any more, and nothing must be done.
func (d *draft) putItem(number uint64, it outbox.Item, bare bool) error {
	old, err := d.state(it.Seq)
	if err != nil {
		return err
	}
	if old != nil && old.number >= number || bare && old == nil {
		return nil
	}
	if it.State.Final() && it.DoneAt.Before(d.forget) {
		return d.removeItem(it.Seq)
	}
	st, err := encodeState(number, it)
	if err != nil {
		return err
	}
	if err := d.put(bucketState, bytes8(it.Seq), st); err != nil {
		return err
	}
	if !bare {
		if err := d.putWrite(it.Seq, it.WriteBack); err != nil {
			return err
		}
	}
	if old != nil {
		if err := d.uncount(*old); err != nil {
			return err
		}
	}
	if !it.State.Final() {
		d.head.Unfinished++
		return nil
	}
	return d.putRaw(bucketDone, doneKey(it.DoneAt, it.Seq), present)
}

// uncount takes back what an item's old state counted for.
func (x *index) uncount(old itemState) error {
	if !old.State.Final() {
		x.head.Unfinished--
		return nil
	}
	var r rest
	if err := json.Unmarshal(old.rest, &r); err != nil {
		return fmt.Errorf("%w: history of item %d: %w", errDamaged, old.Seq, err)
	}
	return x.delete(bucketDone, doneKey(r.DoneAt, old.Seq))
}

// removeItem forgets an item.
func (d *draft) removeItem(seq uint64) error {
	st, err := d.state(seq)
	if err != nil || st == nil {
		return err
	}
	if err := d.uncount(*st); err != nil {
		return err
	}
	if err := d.removeWrite(seq); err != nil {
		return err
	}
	return d.delete(bucketState, bytes8(seq))
}

// putLive: what is over does not come alive again.
func (x *index) putLive(number uint64, l LoggedCall) error {
	mac := x.mac(l.Call.Leg)
	if over, err := x.over(mac); err != nil || over {
		return err
	}
	return x.putJSON(bucketLive, mac, liveCall{number, l})
}

// mark notes where a day begins.
func (x *index) mark(at time.Time, before journal.Position) error {
	day := dayOf(at)
	if day <= x.head.Day {
		return nil
	}
	x.head.Day = day
	return x.putJSON(bucketMarks, bytes4(day), mark{before, x.head.Number})
}
