package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
)

// Check reads the whole file: bbolt's own structure, and ours — every value can be read, every item's call is there, every key
// names its newest item, every call is in the list by time. It joins all it finds wrong.
func (s *Store) Check() error {
	return s.db.View(func(tx *bbolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		newest, err := checkItems(tx)
		errs = append(errs, err, checkKeys(tx, newest), checkCalls(tx))
		return errors.Join(errs...)
	})
}

func checkItems(tx *bbolt.Tx) (newest map[string]uint64, err error) {
	newest = map[string]uint64{}
	var errs []error
	err = tx.Bucket(bucketItems).ForEach(func(k, v []byte) error {
		var it outbox.Item
		if err := json.Unmarshal(v, &it); err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", be(k), err))
			return nil
		}
		if it.Seq != be(k) {
			errs = append(errs, fmt.Errorf("item %d calls itself %d", be(k), it.Seq))
		}
		if tx.Bucket(bucketCalls).Get([]byte(it.WriteBack.Leg)) == nil {
			errs = append(errs, fmt.Errorf("item %d has no call %s", it.Seq, it.WriteBack.Leg))
		}
		newest[it.WriteBack.Key] = it.Seq
		return nil
	})
	return newest, errors.Join(append(errs, err)...)
}

func checkKeys(tx *bbolt.Tx, newest map[string]uint64) error {
	var errs []error
	err := tx.Bucket(bucketKeys).ForEach(func(k, v []byte) error {
		if newest[string(k)] != be(v) {
			errs = append(errs, fmt.Errorf("key %s names item %d, the newest is %d", k, be(v), newest[string(k)]))
		}
		delete(newest, string(k))
		return nil
	})
	for key, seq := range newest {
		errs = append(errs, fmt.Errorf("item %d has key %s, which is not indexed", seq, key))
	}
	return errors.Join(append(errs, err)...)
}

func checkCalls(tx *bbolt.Tx) error {
	listed := map[string]bool{}
	err := tx.Bucket(bucketByTime).ForEach(func(_, leg []byte) error {
		listed[string(leg)] = true
		return nil
	})
	errs := []error{err}
	err = tx.Bucket(bucketCalls).ForEach(func(leg, v []byte) error {
		var logged LoggedCall
		if err := json.Unmarshal(v, &logged); err != nil {
			errs = append(errs, fmt.Errorf("call %s: %w", leg, err))
		}
		if !listed[string(leg)] {
			errs = append(errs, fmt.Errorf("call %s is not in the list by time", leg))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}
