package store

import (
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
	o, err := s.missing(func(f func(*bbolt.Tx) error) error { return guarded(func() error { return db.View(f) }) })
	if err != nil {
		return err
	}
	s.opt.Log.Warn("journal is behind the index", "carried", len(o.records))
	return s.appendAll(o.records)
}

// missing gives what the index has from records that are not in the journal.
func (s *Store) missing(view func(func(*bbolt.Tx) error) error) (*op, error) {
	there := map[uint64]bool{}
	if _, err := readChanges(s.log, journal.Position{}, func(c change, _ journal.Position) error {
		there[c.number] = true
		return nil
	}, func(error) {}); err != nil {
		return nil, err
	}
	o := newOp()
	return o, view(func(tx *bbolt.Tx) error {
		return (&index{tx: tx, keys: s.opt.Keys}).carry(o, wanted{
			call: func(c storedCall) bool { return !there[c.number] },
			live: func(l liveCall) bool { return !there[l.Number] },
			item: func(st itemState) bool { return !there[st.number] },
		})
	})
}

// saveJournal notices that somebody deleted the journal, or a part of it, while it was in use. What the newest part held it writes again itself;
// the index gives back the rest.
func (s *Store) saveJournal() error {
	rescued := false
	err := s.alone(func() (err error) {
		if rescued, err = s.log.Check(); err != nil || !rescued {
			return err
		}
		o, err := s.missing(s.file.view)
		if err != nil || len(o.records) == 0 {
			return err
		}
		return s.append([]*op{o})
	})
	if rescued {
		s.opt.alarm(Alarm{Kind: AlarmRebuilt, Err: err, Msg: "a part of the store's journal was deleted while it was in use, and was written again: nothing is lost"})
	}
	return err
}

// wanted says what is to be written to the journal anew.
type wanted struct {
	call func(c storedCall) bool
	live func(l liveCall) bool
	item func(st itemState) bool
}

// carry adds what is wanted. A call comes before its items, and before what ends it.
func (x *index) carry(o *op, want wanted) error {
	now := time.Now().UTC()
	if err := x.eachLogged(func(place uint64, l logged) error {
		if l.call == nil || !want.call(storedCall{place, l.number, *l.call}) {
			return nil
		}
		return o.add(kindCarry, entry{At: now, Call: &l.call.Call, WrapUp: &l.call.WrapUp, Ends: l.call.Call.Leg, Place: place})
	}); err != nil {
		return err
	}
	if err := x.each(bucketLive, func(k []byte) error {
		var l liveCall
		if _, err := x.getJSON(bucketLive, k, &l); err != nil || !want.live(l) {
			return err
		}
		return o.add(kindLive, entry{At: now, Live: &l.LoggedCall})
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
