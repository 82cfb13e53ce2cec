// Package store keeps calls and outbox items in one bbolt file. It implements what app/outbox and the call list ask for and must
// not know what an item means or when it is sent. A nil error from a write means flushed to the disk.
//
// Not here yet: the journal before bbolt, sealing of every value, compaction, quarantine.
package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// fileName is the database's name in its folder.
const fileName = "outbox.db"

// schemaVersion is the layout of the buckets below. A file with a higher one is refused: a newer Ringside wrote it.
const schemaVersion = 1

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// maxSize bounds the file, in bytes: a runaway must not fill the disk. 100,000 waiting items take about 150 MB.
const maxSize = 4 << 30

// The buckets.
var (
	bucketMeta   = []byte("meta")     // name → value
	bucketCalls  = []byte("calls")    // leg → LoggedCall
	bucketByTime = []byte("calls_at") // start time be8 + leg → leg
	bucketItems  = []byte("items")    // seq be8 → outbox.Item
	bucketKeys   = []byte("keys")     // idempotency key → seq be8 of its newest item
	keySchema    = []byte("schema")
)

// Store is safe for concurrent use.
type Store struct {
	db *bbolt.DB
}

// LoggedCall is a finished call with its wrap-up, as the call list shows it.
type LoggedCall struct {
	Call   cti.Call   `json:"call"`
	WrapUp cti.WrapUp `json:"wrapup"`
}

// Open opens or makes the store in a folder, which only this user may read. A store that another process holds is kind conflict.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the store: %w", err)
	}
	path := filepath.Join(dir, fileName)
	// The freelist is synced: without it a damaged file can kill the process inside Open.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, MaxSize: maxSize})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, cti.Errorf(cti.Conflict, "another Ringside of this user is running with the same store "+dir+": stop it, or name another --state folder", nil)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	s := &Store{db: db}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) prepare() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketCalls, bucketByTime, bucketItems, bucketKeys} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if v := meta.Get(keySchema); v != nil {
			if len(v) != 8 {
				return cti.Errorf(cti.Invalid, "the store is damaged: its schema cannot be read", nil)
			}
			if got := be(v); got > schemaVersion {
				return cti.Errorf(cti.Invalid, fmt.Sprintf("the store was written by a newer Ringside (schema %d, this one knows %d): install the newer version again", got, schemaVersion), nil)
			}
			return nil
		}
		return meta.Put(keySchema, bytes8(schemaVersion))
	})
}

// Close waits for running transactions and closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Accept implements outbox.Store.
func (s *Store) Accept(call cti.Call, wrap cti.WrapUp, items []outbox.Item) ([]outbox.Item, error) {
	stored := make([]outbox.Item, 0, len(items))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		stored = stored[:0]
		if err := putCall(tx, LoggedCall{Call: call, WrapUp: wrap}); err != nil {
			return err
		}
		for _, it := range items {
			if it.Seq == 0 {
				seq, err := tx.Bucket(bucketItems).NextSequence()
				if err != nil {
					return err
				}
				it.Seq = seq
			}
			if err := putItem(tx, it); err != nil {
				return err
			}
			stored = append(stored, it)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// Save implements outbox.Store.
func (s *Store) Save(it outbox.Item) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return putItem(tx, it) })
}

// Unfinished implements outbox.Store.
func (s *Store) Unfinished() ([]outbox.Item, error) {
	return s.items(func(it outbox.Item) bool { return it.State != outbox.Done })
}

// Items gives all items, done ones too, by Seq.
func (s *Store) Items() ([]outbox.Item, error) {
	return s.items(func(outbox.Item) bool { return true })
}

func (s *Store) items(want func(outbox.Item) bool) ([]outbox.Item, error) {
	var items []outbox.Item
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketItems).ForEach(func(k, v []byte) error {
			var it outbox.Item
			if err := json.Unmarshal(v, &it); err != nil {
				return fmt.Errorf("item %d cannot be read: %w", be(k), err)
			}
			if want(it) {
				items = append(items, it)
			}
			return nil
		})
	})
	return items, err
}

// Latest implements outbox.Store.
func (s *Store) Latest(key string) (outbox.Item, error) {
	var it outbox.Item
	err := s.db.View(func(tx *bbolt.Tx) error {
		seq := tx.Bucket(bucketKeys).Get([]byte(key))
		if seq == nil {
			return nil
		}
		return json.Unmarshal(tx.Bucket(bucketItems).Get(seq), &it)
	})
	return it, err
}

// Calls gives the newest finished calls, newest first, at most limit.
func (s *Store) Calls(limit int) ([]LoggedCall, error) {
	var calls []LoggedCall
	err := s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketByTime).Cursor()
		for k, leg := c.Last(); k != nil && len(calls) < limit; k, leg = c.Prev() {
			logged, err := getCall(tx, leg)
			if err != nil {
				return err
			}
			calls = append(calls, logged)
		}
		return nil
	})
	return calls, err
}

// Call gives one finished call; kind notfound if there is none with this leg.
func (s *Store) Call(leg string) (LoggedCall, error) {
	var logged LoggedCall
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		logged, err = getCall(tx, []byte(leg))
		return err
	})
	return logged, err
}

func getCall(tx *bbolt.Tx, leg []byte) (LoggedCall, error) {
	v := tx.Bucket(bucketCalls).Get(leg)
	if v == nil {
		return LoggedCall{}, cti.Errorf(cti.NotFound, fmt.Sprintf("there is no finished call %q: see ringctl calls list", leg), nil)
	}
	var logged LoggedCall
	if err := json.Unmarshal(v, &logged); err != nil {
		return LoggedCall{}, fmt.Errorf("call %s cannot be read: %w", leg, err)
	}
	return logged, nil
}

func putCall(tx *bbolt.Tx, logged LoggedCall) error {
	value, err := json.Marshal(logged)
	if err != nil {
		return err
	}
	leg := []byte(logged.Call.Leg)
	if v := tx.Bucket(bucketCalls).Get(leg); v != nil {
		var before LoggedCall
		if err := json.Unmarshal(v, &before); err != nil {
			return fmt.Errorf("call %s cannot be read: %w", leg, err)
		}
		if err := tx.Bucket(bucketByTime).Delete(byTime(before.Call)); err != nil {
			return err
		}
	}
	if err := tx.Bucket(bucketByTime).Put(byTime(logged.Call), leg); err != nil {
		return err
	}
	return tx.Bucket(bucketCalls).Put(leg, value)
}

// byTime is a call's key in the list by time.
func byTime(c cti.Call) []byte {
	return append(bytes8(uint64(max(0, c.StartedAt.UnixNano()))), c.Leg...) // not negative
}

func putItem(tx *bbolt.Tx, it outbox.Item) error {
	value, err := json.Marshal(it)
	if err != nil {
		return err
	}
	if err := tx.Bucket(bucketItems).Put(bytes8(it.Seq), value); err != nil {
		return err
	}
	key, keys := []byte(it.WriteBack.Key), tx.Bucket(bucketKeys)
	if newest := keys.Get(key); newest != nil && be(newest) > it.Seq {
		return nil
	}
	return keys.Put(key, bytes8(it.Seq))
}

// bytes8 is big-endian, so that the keys' order is the numbers' order.
func bytes8(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// be reads bytes8; what is not that is damaged and gives 0, which is no item's number.
func be(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
