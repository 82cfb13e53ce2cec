// Package customers keeps customers on this computer, so that a known caller pops without a network. It is a cache in a file of its
// own: no journal, and when it is damaged it is deleted and synchronised again. Every value is sealed, and customers are found by keyed
// hashes of their numbers, so that the file tells nobody's. It must not know a CRM, nor how numbers are compared.
package customers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/secret"
)

// FileName is the index beside the store.
const FileName = "index.db"

// The limits of the index.
const (
	// defaultMost is how many customers there are at most: about 150 MB. The oldest go first.
	defaultMost = 200_000
	// mostKnown is how many customers one number finds: more do not share one, it is a switchboard's.
	mostKnown = 50
	// longest is how long a transaction may write before it is ended and another begun, so that a look-up during a synchronisation
	// never waits longer for the disk.
	longest = 25 * time.Millisecond
	// lockWait is how long another process may take to let go of the file.
	lockWait = time.Second
)

// Options say where the index is. Path, Keys and Log are required.
type Options struct {
	Path string
	Keys secret.Ring
	Most int // 0: 200,000 customers
	Log  *slog.Logger
}

// Index is safe for concurrent use. Until Vet has returned it finds nothing.
type Index struct {
	o       Options
	vetted  atomic.Bool
	longest atomic.Int64 // nanoseconds of the longest transaction

	mu sync.RWMutex // held for writing while the file is replaced
	db *bbolt.DB
}

var _ identify.Index = (*Index)(nil)

var (
	metaBucket     = []byte("meta")
	customerBucket = []byte("customer") // hash of the id → sealed record
	foundBucket    = []byte("found")    // hash of a key or of a tail, hash of the id → nothing
	ageBucket      = []byte("age")      // time, hash of the id → nothing

	cleanKey    = []byte("clean")    // there while nobody has the index open: it was closed
	ringKey     = []byte("ring")     // tells whether the hashes are those of our key
	progressKey = []byte("progress") // sealed
)

// hash is a name that tells nothing.
type hash [16]byte

// mac hashes a text; of tells what kind of text it is.
func (x *Index) mac(of byte, text string) hash {
	return x.o.Keys.Mac([]byte("index " + string(of) + text))
}

func joined(a, b hash) []byte { return append(a[:len(a):len(a)], b[:]...) }

func ageKey(at time.Time, id hash) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(max(0, at.UnixNano()))), id[:]...)
}

// Known implements identify.Index.
func (x *Index) Known(keys, tails []string) ([]identify.Record, error) {
	if !x.vetted.Load() {
		return nil, nil
	}
	var found []identify.Record
	err := x.view(func(tx *bbolt.Tx) error {
		seen := map[hash]bool{}
		for _, name := range x.names(keys, tails) {
			c := tx.Bucket(foundBucket).Cursor()
			for k, _ := c.Seek(name[:]); len(k) == 2*len(name) && hash(k[:len(name)]) == name; k, _ = c.Next() {
				id := hash(k[len(name):])
				if seen[id] || len(found) >= mostKnown {
					continue
				}
				seen[id] = true
				r, err := x.record(tx, id)
				if err != nil {
					return err
				}
				found = append(found, r)
			}
		}
		return nil
	})
	return found, err
}

// names are the hashes by which keys and tails are found.
func (x *Index) names(keys, tails []string) []hash {
	var names []hash
	for _, k := range keys {
		names = append(names, x.mac('k', k))
	}
	for _, t := range tails {
		names = append(names, x.mac('t', t))
	}
	return names
}

// record opens a sealed record; one that is not there, or cannot be opened, is damage.
func (x *Index) record(tx *bbolt.Tx, id hash) (r identify.Record, err error) {
	sealed := tx.Bucket(customerBucket).Get(id[:])
	if sealed == nil {
		return r, fmt.Errorf("%w: a customer is missing", errDamaged)
	}
	plain, err := x.o.Keys.Open(sealed, id[:])
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(plain, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return r, nil
}

// Keep implements identify.Index.
func (x *Index) Keep(records []identify.Record) error {
	for len(records) > 0 {
		done := 0
		err := x.update(func(tx *bbolt.Tx) error {
			done = 0
			begun := time.Now()
			for done < len(records) && (done == 0 || time.Since(begun) < longest) {
				if err := x.keep(tx, records[done]); err != nil {
					return err
				}
				done++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("keep customers: %w", err)
		}
		records = records[done:]
	}
	return x.shrink()
}

func (x *Index) keep(tx *bbolt.Tx, r identify.Record) error {
	id := x.mac('c', r.Customer.ID)
	if err := x.drop(tx, id); err != nil {
		return err
	}
	plain, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := tx.Bucket(customerBucket).Put(id[:], x.o.Keys.Seal(plain, id[:])); err != nil {
		return err
	}
	for _, name := range x.names(r.Keys, r.Tails) {
		if err := tx.Bucket(foundBucket).Put(joined(name, id), nil); err != nil {
			return err
		}
	}
	return errors.Join(tx.Bucket(ageBucket).Put(ageKey(r.At, id), nil), count(tx, 1))
}

// count keeps how many customers there are, in the bucket's sequence: counting them takes seconds.
func count(tx *bbolt.Tx, more int) error {
	b := tx.Bucket(customerBucket)
	return b.SetSequence(uint64(int(b.Sequence()) + more)) //nolint:gosec // never negative: what is taken out was counted
}

// drop takes a customer out, if it is there.
func (x *Index) drop(tx *bbolt.Tx, id hash) error {
	if tx.Bucket(customerBucket).Get(id[:]) == nil {
		return nil
	}
	was, err := x.record(tx, id)
	if err != nil {
		return err
	}
	for _, name := range x.names(was.Keys, was.Tails) {
		if err := tx.Bucket(foundBucket).Delete(joined(name, id)); err != nil {
			return err
		}
	}
	return errors.Join(tx.Bucket(ageBucket).Delete(ageKey(was.At, id)), tx.Bucket(customerBucket).Delete(id[:]), count(tx, -1))
}

// Remove implements identify.Index.
func (x *Index) Remove(ids []string) error {
	err := x.update(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if err := x.drop(tx, x.mac('c', id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove customers: %w", err)
	}
	return nil
}

// RemoveBefore implements identify.Index.
func (x *Index) RemoveBefore(at time.Time, stays func(cti.Customer) bool) (int, error) {
	limit := ageKey(at, hash{})
	return x.removeOldest(stays, func(age []byte, _ int) bool { return bytes.Compare(age, limit) < 0 })
}

// shrink takes out the oldest customers when there are too many.
func (x *Index) shrink() error {
	size, err := x.Size()
	if err != nil || size.Customers <= x.o.Most {
		return err
	}
	nobody := func(cti.Customer) bool { return false }
	_, err = x.removeOldest(nobody, func(_ []byte, removed int) bool { return size.Customers-removed > x.o.Most })
	return err
}

// removeOldest takes customers out, the oldest first, while more says so; those who stay are passed over.
func (x *Index) removeOldest(stays func(cti.Customer) bool, more func(age []byte, removed int) bool) (removed int, err error) {
	var seen []byte // of the age bucket, so far
	for over := false; !over; {
		at, batch := seen, 0
		err := x.update(func(tx *bbolt.Tx) error {
			at, batch = seen, 0
			begun := time.Now()
			for time.Since(begun) < longest {
				age, _ := after(tx.Bucket(ageBucket).Cursor(), at)
				if over = age == nil || !more(age, removed+batch); over {
					return nil
				}
				at = bytes.Clone(age)
				id := hash(age[len(age)-len(hash{}):])
				r, err := x.record(tx, id)
				if err != nil {
					return err
				}
				if stays(r.Customer) {
					continue
				}
				if err := x.drop(tx, id); err != nil {
					return err
				}
				batch++
			}
			return nil
		})
		if err != nil {
			return removed, fmt.Errorf("remove old customers: %w", err)
		}
		seen, removed = at, removed+batch
	}
	return removed, nil
}

// after gives the first entry behind a key; of no key, the first.
func after(c *bbolt.Cursor, key []byte) (k, v []byte) {
	if key == nil {
		return c.First()
	}
	if k, v = c.Seek(key); bytes.Equal(k, key) {
		return c.Next()
	}
	return k, v
}

// Progress implements identify.Index.
func (x *Index) Progress() (p identify.Progress, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(metaBucket).Get(progressKey)
		if sealed == nil {
			return nil
		}
		plain, err := x.o.Keys.Open(sealed, progressKey)
		if err != nil {
			return err
		}
		return json.Unmarshal(plain, &p)
	})
	return p, err
}

// SetProgress implements identify.Index.
func (x *Index) SetProgress(p identify.Progress) error {
	plain, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return x.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(progressKey, x.o.Keys.Seal(plain, progressKey))
	})
}

// Size implements identify.Index.
func (x *Index) Size() (s identify.Size, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		s = identify.Size{Customers: int(tx.Bucket(customerBucket).Sequence()), Bytes: tx.Size()} //nolint:gosec // never so many
		return nil
	})
	return s, err
}

// Clear implements identify.Index.
func (x *Index) Clear() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if db := x.db; db != nil {
		x.db = nil
		if err := db.Close(); err != nil {
			return cti.Errorf(cti.Internal, "the customer index cannot be closed", err)
		}
	}
	if _, err := x.replace(); err != nil {
		return fmt.Errorf("clear the customer index: %w", err)
	}
	x.vetted.Store(true)
	return nil
}
