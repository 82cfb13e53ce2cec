package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/journal"
)

// migrations read an index of an older schema whole; the next schema's is then made from the journal. They go forward only.
var migrations = map[uint64]func(tx *bbolt.Tx) (content, error){1: readSchema1}

// The buckets of schema 1.
const (
	calls1 = "calls" // leg → LoggedCall
	items1 = "items" // seq be8 → outbox.Item
)

// content is what a file of an older schema holds.
type content struct {
	calls []LoggedCall
	items []outbox.Item
}

// migrate writes what an older schema's file holds to the journal, makes the new index from that, counts, and only then puts it in the
// place of the old file. Ended in the middle it begins again: the journal then holds everything twice, which changes nothing. No copy of the
// old file stays: schema 1 is in clear text, and what it holds is in the journal.
func (s *Store) migrate() error {
	path := filepath.Join(s.opt.Dir, indexName)
	old, err := readOlder(path)
	if errors.Is(err, errDamaged) {
		return s.renewAtStart(look{bad, err})
	}
	if err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	s.opt.tune.step("read")
	if err := s.journalContent(old); err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	s.opt.tune.step("journaled")
	b := &builder{Options: &s.opt, path: filepath.Join(s.opt.Dir, freshName), journal: s.log, restart: true}
	h, err := b.build()
	if err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	s.opt.tune.step("built")
	if err := verify(b.path, &s.opt, old); err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	if err := s.file.swap(path, s.opt.tune.maxSize, func() error { return s.opt.install(false) }); err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	s.opt.tune.step("installed")
	s.head = h
	s.opt.Log.Info("store migrated", "calls", len(old.calls), "items", len(old.items))
	s.opt.alarmDamage(b.damage)
	return nil
}

func readOlder(path string) (c content, err error) {
	db, _, err := openFile(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return c, err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			for problem := range tx.Check() {
				err = errors.Join(err, problem)
			}
			if err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
			schema := be(tx.Bucket([]byte(bucketMeta)).Get(keySchema))
			read, known := migrations[schema]
			if !known {
				return cti.Errorf(cti.Invalid, fmt.Sprintf("the store has schema %d, which this Ringside cannot read: install an older version first", schema), nil)
			}
			c, err = read(tx)
			return err
		})
	})
	return c, errors.Join(err, guarded(db.Close))
}

// readSchema1 reads a file of schema 1: calls by leg and items by Seq, as JSON in clear text.
func readSchema1(tx *bbolt.Tx) (content, error) {
	var c content
	err := errors.Join(
		eachJSON(tx, calls1, func(l LoggedCall) { c.calls = append(c.calls, l) }),
		eachJSON(tx, items1, func(it outbox.Item) { c.items = append(c.items, it) }))
	return c, err
}

func eachJSON[T any](tx *bbolt.Tx, bucket string, each func(T)) error {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return fmt.Errorf("%w: there is no bucket %s", errDamaged, bucket)
	}
	return b.ForEach(func(_, v []byte) error {
		var value T
		if err := json.Unmarshal(v, &value); err != nil {
			return fmt.Errorf("%w: %s: %w", errDamaged, bucket, err) // the key names a call
		}
		each(value)
		return nil
	})
}

func (s *Store) journalContent(c content) error {
	o, now := newOp(), time.Now().UTC()
	for _, l := range c.calls {
		if err := o.add(kindCarry, entry{At: now, Call: &l.Call, WrapUp: &l.WrapUp, Ends: l.Call.Leg}); err != nil {
			return err
		}
	}
	for _, it := range c.items {
		if err := o.add(kindCarry, entry{At: now, Item: &it}); err != nil {
			return err
		}
	}
	return s.appendAll(o.records)
}

// appendAll writes records before the writer runs.
func (s *Store) appendAll(records []journal.Record) error {
	for len(records) > 0 {
		n := min(groupSize, len(records))
		if _, err := s.log.Append(records[:n], true); err != nil {
			return fmt.Errorf("write to the journal: %w", err)
		}
		records = records[n:]
	}
	return nil
}

// verify tells whether a new file holds what the old one did. Items that became final long ago may be missing, as the new one forgets them.
func verify(path string, o *Options, old content) error {
	db, _, err := openFile(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			x := &index{tx: tx, keys: o.Keys}
			for _, l := range old.calls {
				if _, found, err := x.call(x.mac(l.Call.Leg)); err != nil || !found {
					return errors.Join(errors.New("a call is missing in the new file"), err)
				}
			}
			for _, it := range old.items {
				have, err := x.item(it.Seq)
				if err != nil || have.Seq == 0 && !it.State.Final() {
					return errors.Join(fmt.Errorf("item %d is missing in the new file", it.Seq), err)
				}
			}
			return nil
		})
	})
	return errors.Join(err, guarded(db.Close))
}
