package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
)

// errNothing rolls back a transaction that changed nothing.
var errNothing = errors.New("nothing changed")

// pruneStep is how many entries go in one transaction, so that nobody waits for long.
const pruneStep = 500

// Prune forgets what is older than the store keeps, as seen from a time. It happens on its own when the store is idle.
func (s *Store) Prune(now time.Time) error {
	return s.withIndex(func() error { return s.prune(now) })
}

func (s *Store) prune(now time.Time) error {
	if !s.is(healthy) {
		return nil
	}
	if err := s.repeat(func(x *index) (bool, error) { return x.pruneDone(now.Add(-keepDone)) }); err != nil {
		return fmt.Errorf("prune items: %w", err)
	}
	o := oldest{cutoff: now.Add(-s.opt.KeepCalls), head: s.head}
	if err := s.file.view(func(tx *bbolt.Tx) error { return o.find(&index{tx: tx, keys: s.opt.Keys}) }); err != nil {
		return fmt.Errorf("look for what is old: %w", err)
	}
	// The journal goes by whole days: what it still has may come back with the next rebuild, and goes again.
	if err := s.pruneJournal(o); err != nil {
		return fmt.Errorf("prune the journal: %w", err)
	}
	if err := s.repeat(o.pruneCalls); err != nil {
		return fmt.Errorf("prune calls: %w", err)
	}
	return nil
}

// pruned says which calls were removed: those that began before a time, and those that were first accepted with a record up to a number.
type pruned struct {
	Before time.Time `json:"before"`
	UpTo   uint64    `json:"up_to"`
}

// has tells whether a call is one of them. The number is for calls whose times are wrong: they go, too, and keep no others.
func (p pruned) has(place uint64, call cti.Call) bool {
	return place <= p.UpTo || call.StartedAt.Before(p.Before)
}

// oldest is what is too old to be kept.
type oldest struct {
	cutoff time.Time
	head   head
	calls  bool            // there may be some
	key    []byte          // of the mark up to which the journal goes; nil: there is none
	mark   mark            // this one
	needed map[string]bool // the legs of unfinished items: their calls stay
}

func (o *oldest) find(x *index) error {
	if err := x.each(bucketMarks, func(k []byte) error {
		if bytes.Compare(k, bytes4(dayOf(o.cutoff))) > 0 {
			return nil
		}
		o.key = bytes.Clone(k)
		_, err := x.getJSON(bucketMarks, k, &o.mark)
		return err
	}); err != nil {
		return err
	}
	if o.key != nil && o.head.Day < dayOf(o.cutoff) { // nothing was written since
		o.mark = mark{o.head.Position, o.head.Number}
	}
	err := x.eachLogged(func(place uint64, l logged) error {
		if l.call == nil {
			return nil
		}
		o.calls = o.tooOld(place, l.call.Call)
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if !o.calls && o.key == nil {
		return nil
	}
	o.needed = map[string]bool{}
	return x.eachState(func(st itemState) error {
		if st.State.Final() {
			return nil
		}
		it, err := x.whole(st)
		o.needed[it.WriteBack.Leg] = true
		return err
	})
}

// gone names the calls that go, if nothing needs them.
func (o *oldest) gone() pruned { return pruned{o.cutoff, max(o.mark.Number, o.head.Pruned.UpTo)} }

func (o *oldest) tooOld(place uint64, call cti.Call) bool {
	return o.gone().has(place, call) && !o.needed[call.Leg]
}

// repeat runs transactions until one says that it was the last. One that changes nothing is not written.
func (s *Store) repeat(step func(x *index) (more bool, err error)) error {
	for more := true; more; {
		h := s.head
		h.Clean = false
		err := s.file.update(func(tx *bbolt.Tx) (err error) {
			x := &index{tx: tx, keys: s.opt.Keys, head: &h}
			if more, err = step(x); err != nil {
				return err
			}
			if !x.changed {
				return errNothing
			}
			return x.saveHead()
		})
		if err == errNothing { //nolint:errorlint // it is ours
			continue
		}
		if err != nil {
			s.doubt(err)
			return err
		}
		s.head = h
	}
	return nil
}

// pruneDone removes items that became final before a time.
func (x *index) pruneDone(before time.Time) (bool, error) {
	b, err := x.bucket(bucketDone)
	if err != nil {
		return false, err
	}
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(keys) < pruneStep && binary.BigEndian.Uint32(k) < dayOf(before); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		d := draft{index: x}
		if err := d.removeItem(be(k[4:])); err != nil {
			return false, err
		}
		if err := d.save(); err != nil {
			return false, err
		}
		if err := x.delete(bucketDone, k); err != nil {
			return false, err
		}
	}
	return len(keys) == pruneStep, nil
}

// pruneCalls removes the calls that are too old.
func (o *oldest) pruneCalls(x *index) (bool, error) {
	if !o.calls {
		return false, nil
	}
	var places []uint64
	err := x.eachLogged(func(place uint64, l logged) error {
		switch {
		case l.call == nil || o.needed[l.call.Call.Leg]:
			return nil
		case !o.tooOld(place, l.call.Call) || len(places) == pruneStep:
			return errEnough
		}
		places = append(places, place)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	for _, place := range places {
		d := draft{index: x}
		if err := d.removeCall(place); err != nil {
			return false, err
		}
		if err := d.save(); err != nil {
			return false, err
		}
		x.head.Pruned = o.gone()
	}
	return len(places) == pruneStep, nil
}

// pruneJournal drops what lies before the mark. What of that is still needed is written anew at the end first.
func (s *Store) pruneJournal(o oldest) error {
	if o.key == nil {
		return nil
	}
	if err := s.alone(func() error {
		if err := s.carryForward(o); err != nil {
			return err
		}
		return s.log.Drop(o.mark.Position)
	}); err != nil {
		return err
	}
	s.opt.tune.step("dropped")
	return s.repeat(func(x *index) (bool, error) { return x.pruneMarks(o.key) })
}

// carryForward writes anew what stays of the records before the mark. What is pending has newer records.
func (s *Store) carryForward(old oldest) error {
	s.mu.Lock()
	items, calls, live := maps.Clone(s.pending.items), maps.Clone(s.pending.calls), maps.Clone(s.pending.live)
	s.mu.Unlock()
	o, last := newOp(), old.mark.Number
	if err := s.file.view(func(tx *bbolt.Tx) error {
		return (&index{tx: tx, keys: s.opt.Keys}).carry(o, wanted{
			call: func(c storedCall) bool {
				return c.number <= last && !old.tooOld(c.place, c.Call) && !in(calls, c.Call.Leg)
			},
			live: func(l liveCall) bool { return l.Number <= last && !in(live, l.Call.Leg) },
			item: func(st itemState) bool { return st.number <= last && !st.State.Final() && !in(items, st.Seq) },
		})
	}); err != nil || len(o.records) == 0 {
		return err
	}
	return s.append([]*op{o})
}

func in[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

// pruneMarks removes marks up to a key.
func (x *index) pruneMarks(last []byte) (bool, error) {
	b, err := x.bucket(bucketMarks)
	if err != nil {
		return false, err
	}
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := x.delete(bucketMarks, k); err != nil {
			return false, err
		}
	}
	return false, nil
}
