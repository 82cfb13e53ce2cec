package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
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
	if c.call != nil {
		if err := x.putCall(storedCall{c.number, *c.call}); err != nil {
			return err
		}
	}
	if c.item != nil {
		if err := x.putItem(c.number, *c.item, c.bare); err != nil {
			return err
		}
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
func (x *index) putItem(number uint64, it outbox.Item, bare bool) error {
	old, err := x.state(it.Seq)
	if err != nil {
		return err
	}
	if old != nil && old.number >= number || bare && old == nil {
		return nil
	}
	if it.State.Final() && it.DoneAt.Before(x.forget) {
		return x.removeItem(it.Seq)
	}
	st, err := encodeState(number, it)
	if err != nil {
		return err
	}
	if err := x.put(bucketState, bytes8(it.Seq), st); err != nil {
		return err
	}
	if !bare {
		if err := x.putContent(bytes8(it.Seq), it.WriteBack, old == nil); err != nil {
			return err
		}
		if err := x.putIdem(it.WriteBack.Key, it.Seq); err != nil {
			return err
		}
	}
	if old != nil {
		if err := x.uncount(*old); err != nil {
			return err
		}
	}
	if !it.State.Final() {
		x.head.Unfinished++
		return nil
	}
	return x.putRaw(bucketDone, doneKey(it.DoneAt, it.Seq), present)
}

// putContent writes the large part of an item, if it is not the same already.
func (x *index) putContent(key []byte, w cti.WriteBack, first bool) error {
	content, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if !first {
		have, err := x.get(bucketItems, key)
		if err != nil {
			return err
		}
		if bytes.Equal(have, content) {
			return nil
		}
	}
	return x.put(bucketItems, key, content)
}

// putIdem notes a key's newest item.
func (x *index) putIdem(key string, seq uint64) error {
	mac := x.mac(key)
	have, err := x.get(bucketIdem, mac)
	if err != nil || be(have) >= seq {
		return err
	}
	return x.put(bucketIdem, mac, bytes8(seq))
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

// removeItem forgets an item and, unless a newer one has it, its key.
func (x *index) removeItem(seq uint64) error {
	it, err := x.item(seq)
	if err != nil || it.Seq == 0 {
		return err
	}
	st, err := x.state(seq)
	if err != nil {
		return err
	}
	if err := x.uncount(*st); err != nil {
		return err
	}
	mac := x.mac(it.WriteBack.Key)
	newest, err := x.get(bucketIdem, mac)
	if err != nil {
		return err
	}
	if be(newest) == seq {
		if err := x.delete(bucketIdem, mac); err != nil {
			return err
		}
	}
	return errors.Join(x.delete(bucketItems, bytes8(seq)), x.delete(bucketState, bytes8(seq)))
}

func (x *index) putCall(c storedCall) error {
	mac := x.mac(c.Call.Leg)
	key := byTime(c.Call, mac)
	old, found, err := x.call(mac)
	if err != nil {
		return err
	}
	if found {
		if old.Number >= c.Number {
			return nil
		}
		if before := byTime(old.Call, mac); !bytes.Equal(before, key) {
			if err := x.delete(bucketByTime, before); err != nil {
				return err
			}
		}
	}
	if err := x.put(bucketCalls, mac, key[:8]); err != nil {
		return err
	}
	return x.putJSON(bucketByTime, key, c)
}

// putLive: what is over does not come alive again.
func (x *index) putLive(number uint64, call cti.Call) error {
	mac := x.mac(call.Leg)
	if x.has(bucketCalls, mac) {
		return nil
	}
	return x.putJSON(bucketLive, mac, liveCall{number, call})
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
