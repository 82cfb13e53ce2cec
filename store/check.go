package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
)

// Check reads the whole file: bbolt's own structure, and ours — every value can be read, every item is in a state there is, has its
// call and a number that was given out, every key names its newest item, every call is in the list by time once. It joins all it
// finds wrong.
func (s *Store) Check() error {
	return s.db.View(func(tx *bbolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		newest, err := checkItems(tx)
		errs = append(errs, err, checkKeys(tx, newest), checkCalls(tx), checkByTime(tx))
		return errors.Join(errs...)
	})
}

func checkItems(tx *bbolt.Tx) (newest map[string]uint64, err error) {
	newest = map[string]uint64{}
	var errs []error
	given := tx.Bucket(bucketItems).Sequence()
	err = tx.Bucket(bucketItems).ForEach(func(k, v []byte) error {
		var it outbox.Item
		if err := json.Unmarshal(v, &it); err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", be(k), err))
			return nil
		}
		if it.Seq == 0 || it.Seq != be(k) {
			errs = append(errs, fmt.Errorf("item %x calls itself %d", k, it.Seq))
		}
		if it.Seq > given {
			errs = append(errs, fmt.Errorf("item %d was never given out: the newest number is %d", it.Seq, given))
		}
		switch it.State {
		case outbox.Queued, outbox.Retry, outbox.Review, outbox.Done:
		default:
			errs = append(errs, fmt.Errorf("item %d is in state %q, which there is not", it.Seq, it.State))
		}
		if tx.Bucket(bucketCalls).Get([]byte(it.WriteBack.Leg)) == nil {
			errs = append(errs, fmt.Errorf("item %d has no call %s", it.Seq, it.WriteBack.Leg))
		}
		newest[it.WriteBack.Key] = max(newest[it.WriteBack.Key], it.Seq)
		return nil
	})
	return newest, errors.Join(append(errs, err)...)
}

func checkKeys(tx *bbolt.Tx, newest map[string]uint64) error {
	var errs []error
	err := tx.Bucket(bucketKeys).ForEach(func(k, v []byte) error {
		if seq := be(v); seq == 0 || newest[string(k)] != seq {
			errs = append(errs, fmt.Errorf("key %s names item %d, the newest is %d", k, seq, newest[string(k)]))
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
	var errs []error
	err := tx.Bucket(bucketCalls).ForEach(func(leg, v []byte) error {
		var logged LoggedCall
		if err := json.Unmarshal(v, &logged); err != nil {
			errs = append(errs, fmt.Errorf("call %s: %w", leg, err))
			return nil
		}
		if logged.Call.Leg != string(leg) {
			errs = append(errs, fmt.Errorf("call %s calls itself %s", leg, logged.Call.Leg))
		}
		if !bytes.Equal(tx.Bucket(bucketByTime).Get(byTime(logged.Call)), leg) {
			errs = append(errs, fmt.Errorf("call %s is not in the list by time", leg))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func checkByTime(tx *bbolt.Tx) error {
	var errs []error
	seen := map[string]bool{}
	err := tx.Bucket(bucketByTime).ForEach(func(_, leg []byte) error {
		if tx.Bucket(bucketCalls).Get(leg) == nil {
			errs = append(errs, fmt.Errorf("the list by time names call %s, which there is not", leg))
		}
		if seen[string(leg)] {
			errs = append(errs, fmt.Errorf("call %s is in the list by time twice", leg))
		}
		seen[string(leg)] = true
		return nil
	})
	return errors.Join(append(errs, err)...)
}
