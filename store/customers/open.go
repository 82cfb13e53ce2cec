package customers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"ringside.dev/ringside/app/secret"
)

// Open opens the index, or makes one. What cannot be read as one is replaced.
func Open(o Options) (*Index, error) {
	if o.Most == 0 {
		o.Most = defaultMost
	}
	x := &Index{o: o}
	clean, err := x.open()
	if err != nil && !errors.Is(err, berrors.ErrTimeout) && !errors.Is(err, fs.ErrPermission) {
		x.o.Log.Warn("the customer index cannot be read and is made anew", "err", err)
		clean, err = x.replace()
	}
	if err != nil {
		return nil, fmt.Errorf("open the customer index %s: %w", o.Path, err)
	}
	x.vetted.Store(clean)
	return x, nil
}

// open opens the file. It is clean when it was closed, and then needs no check.
func (x *Index) open() (clean bool, err error) {
	defer recovered(&err)()
	db, err := bbolt.Open(x.o.Path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return false, err
	}
	err = guarded(func() error { return db.Update(x.prepare(&clean)) })
	if err != nil {
		return false, errors.Join(err, guarded(db.Close))
	}
	x.db = db
	return clean, nil
}

// prepare makes the buckets, says that the file is open now, and tells whether it was closed the last time.
func (x *Index) prepare(clean *bool) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		ours := x.mac('r', "")
		if was := meta.Get(ringKey); was != nil && !bytes.Equal(was, ours[:]) {
			return errors.New("it was made with another key")
		}
		*clean = meta.Get(cleanKey) != nil || meta.Get(ringKey) == nil
		for _, name := range [][]byte{customerBucket, foundBucket, ageBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put(ringKey, ours[:]), meta.Delete(cleanKey))
	}
}

// replace deletes the file and begins another. The caller has the index for itself.
func (x *Index) replace() (clean bool, err error) {
	if err := os.Remove(x.o.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return x.open()
}

// Vet checks the whole file if the index was not closed the last time, and replaces it when it is damaged. It may take seconds.
func (x *Index) Vet() error {
	if x.vetted.Load() {
		return nil
	}
	err := x.view(func(tx *bbolt.Tx) error {
		var damage error
		for err := range tx.Check() { // to the end: it writes into a channel
			damage = cmp.Or(damage, err)
		}
		return damage
	})
	if err != nil {
		return err // view has replaced it
	}
	x.vetted.Store(true)
	return nil
}

// Close says that the index was closed well.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil {
		return nil // it could not be opened again
	}
	var err error
	if x.vetted.Load() {
		err = x.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(cleanKey, []byte{1}) })
	}
	return errors.Join(err, x.db.Close())
}

// view reads. Whatever goes wrong in it means that the file is damaged: it is replaced then.
func (x *Index) view(read func(*bbolt.Tx) error) error {
	x.mu.RLock()
	db := x.db
	err := guarded(func() error { return on(db, (*bbolt.DB).View, read) })
	x.mu.RUnlock()
	return x.damaged(db, err)
}

// took notes how long a transaction was, with its flush.
func (x *Index) took(d time.Duration) {
	for {
		was := x.longest.Load()
		if int64(d) <= was || x.longest.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// Longest gives the longest transaction so far.
func (x *Index) Longest() time.Duration { return time.Duration(x.longest.Load()) }

// update writes. An error of the disk is no damage: the transaction was not made.
func (x *Index) update(write func(*bbolt.Tx) error) error {
	x.mu.RLock()
	db := x.db
	begun := time.Now()
	err := guarded(func() error { return on(db, (*bbolt.DB).Update, write) })
	x.took(time.Since(begun))
	x.mu.RUnlock()
	if errors.Is(err, errDamaged) || errors.Is(err, secret.ErrDamaged) {
		return x.damaged(db, err)
	}
	return err
}

// on runs a transaction. Without a file it is damage, so that opening one is tried again.
func on(db *bbolt.DB, run func(*bbolt.DB, func(*bbolt.Tx) error) error, do func(*bbolt.Tx) error) error {
	if db == nil {
		return errDamaged
	}
	return run(db, do)
}

var errDamaged = errors.New("the customer index is damaged")

// damaged replaces the file after an error, once however many saw it.
func (x *Index) damaged(db *bbolt.DB, err error) error {
	if err == nil || errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db != db {
		return fmt.Errorf("%w: %w", errDamaged, err) // another one has replaced it
	}
	x.o.Log.Warn("the customer index is damaged and is synchronised anew", "err", err)
	var closing error
	if x.db = nil; db != nil {
		closing = guarded(db.Close)
	}
	_, opening := x.replace()
	if opening != nil {
		return errors.Join(err, closing, opening)
	}
	x.vetted.Store(true)
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// guarded makes a panic, or a fault in the memory the file is mapped into, an error: a damaged file must not end the agent.
func guarded(do func() error) (err error) {
	defer recovered(&err)()
	return do()
}

func recovered(err *error) func() {
	was := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(was)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w: panic: %v", errDamaged, p)
		}
	}
}
