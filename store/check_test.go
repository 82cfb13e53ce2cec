package store_test

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// Each fault is planted past the store; a check that finds nothing proves nothing.
func TestCheckFindsEachFault(t *testing.T) {
	bucket := func(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
	for _, test := range []struct {
		name  string
		plant func(tx *bbolt.Tx) error
		want  string
	}{
		{"nothing", func(*bbolt.Tx) error { return nil }, ""},
		{"item that cannot be read", func(tx *bbolt.Tx) error { return bucket(tx, "items").Put(be8(1), []byte("{")) }, "item 1: unexpected end"},
		{"item under another number", func(tx *bbolt.Tx) error {
			return bucket(tx, "items").Put(be8(2), bucket(tx, "items").Get(be8(1)))
		}, "calls itself 1"},
		{"item under no number", func(tx *bbolt.Tx) error {
			return bucket(tx, "items").Put([]byte("x"), bucket(tx, "items").Get(be8(1)))
		}, "item 78 calls itself 1"},
		{"item without its call", func(tx *bbolt.Tx) error { return bucket(tx, "calls").Delete([]byte("a")) }, "item 1 has no call a"},
		{"item in no state", func(tx *bbolt.Tx) error {
			text := strings.Replace(string(bucket(tx, "items").Get(be8(1))), `"queued"`, `"lost"`, 1)
			return bucket(tx, "items").Put(be8(1), []byte(text))
		}, `in state "lost"`},
		{"number to be given out again", func(tx *bbolt.Tx) error { return bucket(tx, "items").SetSequence(0) }, "never given out"},
		{"key of no item", func(tx *bbolt.Tx) error { return bucket(tx, "keys").Put([]byte("key x"), be8(7)) }, "key key x names item 7"},
		{"key without a number", func(tx *bbolt.Tx) error { return bucket(tx, "keys").Put([]byte("key x"), nil) }, "key key x names item 0"},
		{"key of an older item", func(tx *bbolt.Tx) error { return bucket(tx, "keys").Put([]byte("key b"), be8(2)) }, "the newest is 3"},
		{"item without its key", func(tx *bbolt.Tx) error { return bucket(tx, "keys").Delete([]byte("key a")) }, "not indexed"},
		{"call that cannot be read", func(tx *bbolt.Tx) error { return bucket(tx, "calls").Put([]byte("a"), []byte("{")) }, "call a: unexpected end"},
		{"call under another leg", func(tx *bbolt.Tx) error {
			return bucket(tx, "calls").Put([]byte("z"), bucket(tx, "calls").Get([]byte("a")))
		}, "call z calls itself a"},
		{"call that is not listed", func(tx *bbolt.Tx) error {
			k, _ := bucket(tx, "calls_at").Cursor().First()
			return bucket(tx, "calls_at").Delete(k)
		}, "is not in the list by time"},
		{"call that is listed twice", func(tx *bbolt.Tx) error { return bucket(tx, "calls_at").Put(append(be8(7), 'a'), []byte("a")) }, "call a is in the list by time twice"},
		{"list that names no call", func(tx *bbolt.Tx) error { return bucket(tx, "calls_at").Put(append(be8(7), 'x'), []byte("x")) }, "names call x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, test.plant)
			s, err := store.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Check()
			if closed := s.Close(); closed != nil {
				t.Error(closed)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("found %v, want %q", err, test.want)
			}
		})
	}
}

// plant changes a store by raw bbolt. A new one gets two calls first: a with item 1, b with items 2 and 3 of one key.
func plant(t *testing.T, dir string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	if files, _ := filepath.Glob(filepath.Join(dir, "*.db")); len(files) == 0 {
		s, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, leg := range []string{"a", "b", "b"} {
			call, it := storetest.Call(leg)
			call.StartedAt = start
			if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := bbolt.Open(filepath.Join(dir, "outbox.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func be8(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
