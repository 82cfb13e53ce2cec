package sandbox

import (
	"fmt"
	"sync"
)

// record is what a table holds: a value that is replaced, never changed in place.
type record interface {
	ident() string
	key() string // external key, unique when not "", but for calls where the traits allow plain posts; then the oldest has it
}

// table keeps records in order of creation.
type table[T record] struct {
	rows   []T
	byID   map[string]int
	byKeys map[string]int
}

func newTable[T record](rows []T) (table[T], error) {
	t := table[T]{byID: map[string]int{}, byKeys: map[string]int{}}
	for _, row := range rows {
		if _, taken := t.byID[row.ident()]; taken {
			return t, fmt.Errorf("id %s occurs twice", row.ident())
		}
		t.place(row)
	}
	return t, nil
}

// uniqueKeys: only calls may have one key twice, and only where the traits allow plain posts.
func uniqueKeys[T record](rows []T) error {
	seen := map[string]bool{"": false}
	for _, row := range rows {
		if seen[row.key()] {
			return fmt.Errorf("the external key of %s occurs twice", row.ident())
		}
		seen[row.key()] = row.key() != ""
	}
	return nil
}

func (t *table[T]) get(id string) (row T, found bool) {
	i, found := t.byID[id]
	if found {
		row = t.rows[i]
	}
	return row, found
}

func (t *table[T]) getByKey(key string) (row T, found bool) {
	i, found := t.byKeys[key]
	if found {
		row = t.rows[i]
	}
	return row, found
}

func (t *table[T]) where(match func(T) bool) []T {
	var out []T
	for _, row := range t.rows {
		if match(row) {
			out = append(out, row)
		}
	}
	return out
}

// nextID counts: nothing is ever taken out of a table.
func (t *table[T]) nextID(prefix string) string { return fmt.Sprintf("%s_%06d", prefix, len(t.rows)+1) }

func (t *table[T]) place(row T) {
	i, exists := t.byID[row.ident()]
	if !exists {
		i = len(t.rows)
		t.rows = append(t.rows, row)
		t.byID[row.ident()] = i
	} else {
		t.unkey(i)
		t.rows[i] = row
	}
	if _, taken := t.byKeys[row.key()]; row.key() != "" && !taken {
		t.byKeys[row.key()] = i
	}
}

// unkey forgets a row's key, unless it is that of an older row.
func (t *table[T]) unkey(i int) {
	if key := t.rows[i].key(); t.byKeys[key] == i {
		delete(t.byKeys, key)
	}
}

func (t *table[T]) removeLast() {
	last := t.rows[len(t.rows)-1]
	delete(t.byID, last.ident())
	t.unkey(len(t.rows) - 1)
	t.rows = t.rows[:len(t.rows)-1]
}

// book is all that the made-up company knows.
type book struct {
	seed      uint64
	users     []Agent
	roles     map[string]string // by user id
	companies table[company]
	contacts  table[contact]
	changed   int64 // the newest contact.Changed
	orders    table[order]
	tickets   table[ticket]
	tasks     table[task]
	calls     table[Call]
	notes     table[note]
	custom    table[customField]

	ledger []Entry  // since Start; not in the file
	undo   []func() // of the change under way
}

// put writes a record within store.change.
func put[T record](b *book, t *table[T], row T) {
	old, existed := t.get(row.ident())
	t.place(row)
	b.undo = append(b.undo, func() {
		if existed {
			t.place(old)
			return
		}
		t.removeLast()
	})
}

// store guards the book. A change is all or nothing: what cannot be persisted is taken back and not answered as done.
type store struct {
	mu     sync.RWMutex
	book   *book
	file   string // "" = memory only
	writes int64
}

func (s *store) read(fn func(b *book)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fn(s.book)
}

// change runs fn alone and persists what it put. When either fails, nothing was changed.
func (s *store) change(fn func(b *book) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.undo = nil
	err := fn(s.book)
	if err == nil && len(s.book.undo) == 0 {
		return nil
	}
	if err == nil {
		err = s.save()
	}
	if err != nil {
		for i := len(s.book.undo) - 1; i >= 0; i-- {
			s.book.undo[i]()
		}
		return err
	}
	s.writes++
	return nil
}
