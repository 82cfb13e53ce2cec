package store

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/store/journal"
)

// carryLost writes to the journal what only the index has: after a power cut records that were not flushed may be gone from the one and
// be in the other, and somebody may have deleted the journal. From then on the index can be made from the journal again.
func (s *Store) carryLost(db *bbolt.DB) error {
	if s.log.Holds(s.head.Position) {
		return nil
	}
	newest, err := s.newestBefore(s.head.Number)
	if err != nil {
		return err
	}
	s.opt.Log.Warn("journal is behind the index", "journal", newest, "index", s.head.Number)
	o := newOp()
	if err := guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error { return (&index{tx: tx, keys: s.opt.Keys}).carry(o, newerThan(newest)) })
	}); err != nil {
		return err
	}
	return s.appendAll(o.records)
}

// newestBefore gives the newest record that the journal has up to a number.
func (s *Store) newestBefore(number uint64) (uint64, error) {
	newest := uint64(0)
	_, err := s.log.Replay(journal.Position{}, func(r journal.Record, _ journal.Position) error {
		if r.Number > number {
			return errEnough
		}
		newest = r.Number
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return newest, err
}

// wanted says what is to be written to the journal anew.
type wanted struct {
	call func(c storedCall, byTime []byte) bool
	live func(l liveCall) bool
	item func(st itemState) bool
}

// newerThan wants everything that the journal has only up to a number.
func newerThan(number uint64) wanted {
	return wanted{
		call: func(c storedCall, _ []byte) bool { return c.Number > number },
		live: func(l liveCall) bool { return l.Number > number },
		item: func(st itemState) bool { return st.number > number },
	}
}

// carry adds what is wanted. A call comes before its items, and before what ends it.
func (x *index) carry(o *op, want wanted) error {
	now := time.Now().UTC()
	if err := x.each(bucketByTime, func(k []byte) error {
		var c storedCall
		if _, err := x.getJSON(bucketByTime, k, &c); err != nil || !want.call(c, k) {
			return err
		}
		return o.add(kindCarry, entry{At: now, Call: &c.Call, WrapUp: &c.WrapUp, Ends: c.Call.Leg})
	}); err != nil {
		return err
	}
	if err := x.each(bucketLive, func(k []byte) error {
		var l liveCall
		if _, err := x.getJSON(bucketLive, k, &l); err != nil || !want.live(l) {
			return err
		}
		return o.add(kindLive, entry{At: now, Live: &l.Call})
	}); err != nil {
		return err
	}
	return x.eachState(func(st itemState) error {
		if !want.item(st) {
			return nil
		}
		it, err := x.whole(st)
		if err != nil {
			return err
		}
		return o.add(kindCarry, entry{At: now, Item: &it})
	})
}

// each gives the keys of a bucket.
func (x *index) each(bucket string, f func(k []byte) error) error {
	b, err := x.bucket(bucket)
	if err != nil {
		return err
	}
	return b.ForEach(func(k, _ []byte) error { return f(k) })
}

// eachState gives all states.
func (x *index) eachState(f func(itemState) error) error {
	for after := uint64(0); ; {
		states, err := x.states(after, page)
		if err != nil {
			return err
		}
		for _, st := range states {
			after = st.Seq
			if err := f(st); err != nil {
				return err
			}
		}
		if len(states) < page {
			return nil
		}
	}
}
