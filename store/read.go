package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// page is how many entries a list reads in one transaction: a long one would keep pages from being used again, and stop a swap.
const page = 1000

// view reads the index. A value that is damaged is read once more after the index was made anew.
func (s *Store) view(f func(x *index) error) error {
	read := func() error {
		return s.file.view(func(tx *bbolt.Tx) error { return f(&index{tx: tx, keys: s.opt.Keys}) })
	}
	s.awaitCertainty()
	err := read()
	if !errors.Is(err, errDamaged) || s.is(broken) {
		return err
	}
	s.doubt(err)
	s.awaitCertainty()
	return read()
}

func (s *Store) awaitCertainty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mode == doubtful {
		s.changed.Wait()
	}
}

// Item implements outbox.Store.
func (s *Store) Item(seq uint64) (outbox.Item, error) {
	it, err := s.item(seq)
	if err != nil {
		return outbox.Item{}, fmt.Errorf("read item %d: %w", seq, err)
	}
	if it.Seq == 0 {
		return it, cti.Errorf(cti.NotFound, fmt.Sprintf("there is no item %d in the outbox: see ringctl outbox list", seq), nil)
	}
	return it, nil
}

func (s *Store) item(seq uint64) (it outbox.Item, err error) {
	s.mu.Lock()
	p, ok := s.pending.items[seq]
	s.mu.Unlock()
	if ok {
		return p.value, nil
	}
	err = s.view(func(x *index) error {
		it, err = x.item(seq)
		return err
	})
	return it, err
}

// Latest implements outbox.Store.
func (s *Store) Latest(leg, key string) (outbox.Item, error) {
	s.mu.Lock()
	waiting := s.pending.keys[legKey{leg, key}].value
	s.mu.Unlock()
	var settled uint64
	err := s.view(func(x *index) (err error) {
		settled, err = x.latest(leg, key)
		return err
	})
	if err != nil {
		return outbox.Item{}, fmt.Errorf("look for a key: %w", err)
	}
	newest := max(waiting, settled)
	if newest == 0 {
		return outbox.Item{}, nil
	}
	it, err := s.item(newest)
	if err != nil {
		return outbox.Item{}, fmt.Errorf("read item %d: %w", newest, err)
	}
	return it, nil
}

// Standings implements outbox.Store. It may be slow in each, but what changes meanwhile may be given as it was or as it is.
func (s *Store) Standings(each func(outbox.Standing) error) error {
	return s.states(0, func(st itemState) error {
		if st.State.Final() {
			return nil
		}
		return each(st.Standing)
	})
}

// states gives all states behind a number, pending ones too, by Seq. each is called outside of any transaction.
func (s *Store) states(after uint64, each func(itemState) error) error {
	for {
		waiting := s.pendingItems()
		var got []itemState
		if err := s.view(func(x *index) (err error) {
			got, err = x.states(after, page)
			return err
		}); err != nil {
			return fmt.Errorf("read the outbox: %w", err)
		}
		full := len(got) == page
		got = overlay(got, waiting, after, full)
		for _, st := range got {
			if err := each(st); err != nil {
				return err
			}
			after = st.Seq
		}
		if !full {
			return nil
		}
	}
}

func (s *Store) pendingItems() map[uint64]numbered[outbox.Item] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.pending.items)
}

// overlay lays what is pending over one page of states. If more pages follow, what lies behind this one is left to them.
func overlay(got []itemState, waiting map[uint64]numbered[outbox.Item], after uint64, more bool) []itemState {
	if len(waiting) == 0 {
		return got
	}
	last := uint64(0)
	if len(got) > 0 {
		last = got[len(got)-1].Seq
	}
	for i, st := range got {
		p, ok := waiting[st.Seq]
		if ok && p.number > st.number {
			got[i] = itemState{Standing: p.value.Standing(), number: p.number}
		}
		delete(waiting, st.Seq)
	}
	for seq, p := range waiting {
		if seq > after && (!more || seq < last) {
			got = append(got, itemState{Standing: p.value.Standing(), number: p.number})
		}
	}
	slices.SortFunc(got, func(a, b itemState) int { return cmp.Compare(a.Seq, b.Seq) })
	return got
}

// states gives the states behind a number, at most so many.
func (x *index) states(after uint64, limit int) ([]itemState, error) {
	b, err := x.bucket(bucketState)
	if err != nil {
		return nil, err
	}
	var got []itemState
	c := b.Cursor()
	for k, v := c.Seek(bytes8(after + 1)); k != nil && len(got) < limit; k, v = c.Next() {
		plain, err := x.open(bucketState, k, v)
		if err != nil {
			return nil, err
		}
		st, err := decodeState(be(k), plain)
		if err != nil {
			return nil, err
		}
		got = append(got, st)
	}
	return got, nil
}

// Filter says which items a list shows. The zero Filter: all, the first 1,000.
type Filter struct {
	States []outbox.State // empty: any
	After  uint64         // those with a higher Seq: that of the last one of the page before
	Limit  int            // at most so many; 0: 1,000
}

// Items gives items by Seq.
func (s *Store) Items(f Filter) ([]outbox.Item, error) {
	limit := cmp.Or(f.Limit, page)
	var items []outbox.Item
	err := s.states(f.After, func(st itemState) error {
		if len(f.States) > 0 && !slices.Contains(f.States, st.State) {
			return nil
		}
		it, err := s.item(st.Seq)
		if err != nil {
			return fmt.Errorf("read item %d: %w", st.Seq, err)
		}
		if it.Seq == 0 {
			return nil // pruned since
		}
		items = append(items, it)
		if len(items) == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return items, err
}
