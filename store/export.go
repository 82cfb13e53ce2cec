package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// line is one line of an export.
type line struct {
	Call       *LoggedCall  `json:"call,omitempty"`
	Live       *LoggedCall  `json:"live,omitempty"`
	Item       *outbox.Item `json:"item,omitempty"`
	Unreadable string       `json:"unreadable,omitempty"`
}

// Export writes what can be read in a store's folder as JSON lines: calls, live calls and unfinished items, and what cannot be read by its
// place. It changes nothing, needs no lock, and reads what a newer Ringside wrote, or what is damaged, as far as it can.
func Export(dir string, keys secret.Ring, w io.Writer) error {
	e := newExporter()
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("export the store: %w", err)
	}
	e.readJournal(journal.Read(journal.Options{Dir: filepath.Join(dir, journalName), Keys: keys}))
	e.readIndex(filepath.Join(dir, indexName), keys)
	if err := e.write(w); err != nil {
		return fmt.Errorf("export the store: %w", err)
	}
	return nil
}

// exporter puts together what journal and index say, the newest of each.
type exporter struct {
	items      map[uint64]numbered[outbox.Item]
	calls      map[string]numbered[LoggedCall]
	live       map[string]numbered[*LoggedCall]
	unreadable []string
}

func newExporter() *exporter {
	return &exporter{items: map[uint64]numbered[outbox.Item]{}, calls: map[string]numbered[LoggedCall]{}, live: map[string]numbered[*LoggedCall]{}}
}

func (e *exporter) cannot(format string, args ...any) {
	e.unreadable = append(e.unreadable, fmt.Sprintf(format, args...))
}

func (e *exporter) readJournal(j *journal.Journal) {
	damage, err := readChanges(j, journal.Position{}, func(c change, _ journal.Position) error {
		e.take(c)
		return nil
	}, func(err error) { e.cannot("%v", err) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.cannot("journal: %v", err)
	}
	if damage != (journal.Damage{}) {
		e.cannot("journal: %d records are damaged, %d are sealed with a key that is not here", damage.Records, damage.UnknownKey)
	}
}

func (e *exporter) take(c change) {
	if c.item != nil { // a bare one is final, and not written
		newer(e.items, c.item.Seq, numbered[outbox.Item]{*c.item, c.number})
	}
	if c.live != nil {
		newer(e.live, c.live.Call.Leg, numbered[*LoggedCall]{c.live, c.number})
	}
	if c.call != nil {
		newer(e.calls, c.call.Call.Leg, numbered[LoggedCall]{*c.call, c.number})
	}
}

func newer[K comparable, T any](m map[K]numbered[T], key K, v numbered[T]) {
	if have, ok := m[key]; !ok || have.number < v.number {
		m[key] = v
	}
}

// readIndex adds what only the index has, or has newer.
func (e *exporter) readIndex(path string, keys secret.Ring) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return // the journal has it
	}
	db, _, err := openFile(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		e.cannot("index: %v", err)
		return
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			e.readBuckets(tx, keys)
			return nil
		})
	})
	if err = errors.Join(err, guarded(db.Close)); err != nil {
		e.cannot("index: %v", err)
	}
}

func (e *exporter) readBuckets(tx *bbolt.Tx, keys secret.Ring) {
	x := &index{tx: tx, keys: keys, schema: schemaVersion}
	if meta := tx.Bucket([]byte(bucketMeta)); meta != nil {
		x.schema = be(meta.Get(keySchema))
	}
	if x.schema == 1 {
		e.readClear(tx)
		return
	}
	e.each(x, bucketLog, func(k []byte) error {
		l, err := x.logged(be(k))
		if err == nil && l.call != nil {
			newer(e.calls, l.call.Call.Leg, numbered[LoggedCall]{*l.call, l.number})
		}
		return err
	})
	e.each(x, bucketLive, func(k []byte) error {
		var l liveCall
		_, err := x.getJSON(bucketLive, k, &l)
		if err == nil {
			newer(e.live, l.Call.Leg, numbered[*LoggedCall]{&l.LoggedCall, l.Number})
		}
		return err
	})
	e.each(x, bucketState, func(k []byte) error {
		st, err := x.state(be(k))
		if err != nil {
			return err
		}
		it, err := x.whole(*st)
		if err == nil {
			newer(e.items, it.Seq, numbered[outbox.Item]{it, st.number})
		}
		return err
	})
}

// readClear reads schema 1.
func (e *exporter) readClear(tx *bbolt.Tx) {
	c, err := readSchema1(tx)
	if err != nil {
		e.cannot("index: %v", err)
	}
	for _, l := range c.calls {
		newer(e.calls, l.Call.Leg, numbered[LoggedCall]{value: l})
	}
	for _, it := range c.items {
		newer(e.items, it.Seq, numbered[outbox.Item]{value: it})
	}
}

func (e *exporter) each(x *index, bucket string, f func(k []byte) error) {
	err := x.each(bucket, func(k []byte) error {
		if err := f(k); err != nil {
			e.cannot("index: %v", err)
		}
		return nil
	})
	if err != nil {
		e.cannot("index: %v", err)
	}
}

func (e *exporter) write(w io.Writer) error {
	out := json.NewEncoder(w)
	for _, leg := range slices.Sorted(maps.Keys(e.calls)) {
		call := e.calls[leg].value
		if err := out.Encode(line{Call: &call}); err != nil {
			return err
		}
	}
	for _, leg := range slices.Sorted(maps.Keys(e.live)) {
		if _, over := e.calls[leg]; over {
			continue
		}
		if err := out.Encode(line{Live: e.live[leg].value}); err != nil {
			return err
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(e.items)) {
		it := e.items[seq].value
		if it.State.Final() {
			continue
		}
		if err := out.Encode(line{Item: &it}); err != nil {
			return err
		}
	}
	for _, what := range e.unreadable {
		if err := out.Encode(line{Unreadable: what}); err != nil {
			return err
		}
	}
	return nil
}

// Export writes calls, live calls and unfinished items of the open store as JSON lines.
func (s *Store) Export(w io.Writer) error {
	e := newExporter()
	if err := s.view(func(x *index) error {
		e.readBuckets(x.tx, s.opt.Keys)
		return nil
	}); err != nil {
		return fmt.Errorf("export the store: %w", err)
	}
	s.mu.Lock()
	for _, g := range s.pending.groups {
		for _, c := range g.changes {
			e.take(c)
		}
	}
	s.mu.Unlock()
	if err := e.write(w); err != nil {
		return fmt.Errorf("export the store: %w", err)
	}
	return nil
}
