package store

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// schemaVersion is the layout of the buckets below. A file with a higher one is refused: a newer Ringside wrote it.
const schemaVersion = 2

// The buckets. mac is secret.Ring.Mac.
const (
	bucketMeta  = "meta"  // schema → be8, in clear; head → head
	bucketLog   = "log"   // number of a journal record be8 → the call that it brought first and the write-back of the item with this Seq: log.go
	bucketState = "state" // seq be8 → the rest of the item: state.go
	bucketLegs  = "legs"  // mac of the leg → where its call is in the log, and the newest item of each of its keys: leg.go
	bucketLive  = "live"  // mac of the leg → liveCall
	bucketDone  = "done"  // day it became final be4 + seq be8 → one byte
	bucketMarks = "marks" // day be4 → mark
)

var buckets = []string{bucketMeta, bucketLog, bucketState, bucketLegs, bucketLive, bucketDone, bucketMarks}

var (
	keySchema = []byte("schema")
	keyHead   = []byte("head")
	present   = []byte{1} // bbolt documents trouble with empty values
)

// fillAppended leaves little room in pages whose keys only grow: with bbolt's half-filled ones the file is three times as large.
const fillAppended = 0.95

// errDamaged means that the index does not say what was written into it.
var errDamaged = errors.New("the index is damaged")

// head says how far the index is.
type head struct {
	Position   journal.Position `json:"position"` // everything before it is in the index
	Number     uint64           `json:"number"`   // of the newest record
	Unfinished int              `json:"unfinished"`
	Day        uint32           `json:"day"`             // the newest mark
	Ring       string           `json:"ring"`            // the keys that were there when the index was made
	Unknown    int              `json:"unknown"`         // records that none of them opened
	Clean      bool             `json:"clean"`           // nothing was written since Close
	Lean       bool             `json:"lean,omitempty"`  // what is final was left out, for want of room
	Pruned     pruned           `json:"pruned,omitzero"` // calls that were removed
}

// storedCall is a call of the log: its place there, and the number of the journal record that it comes from.
type storedCall struct {
	place  uint64
	number uint64
	LoggedCall
}

// liveCall remembers the number of the journal record that it comes from, too.
type liveCall struct {
	Number uint64 `json:"n"`
	LoggedCall
}

// mark says where in the journal a day begins: the records before it are all older.
type mark struct {
	Position journal.Position `json:"position"`
	Number   uint64           `json:"number"` // of the last record before
}

// index is one transaction of the index file.
type index struct {
	tx   *bbolt.Tx
	keys secret.Ring
	head *head
	// forget drops items that were final before; the zero time drops none.
	forget  time.Time
	schema  uint64 // of the file, if it is not schemaVersion
	changed bool   // something was written
	about   []byte // a buffer
}

// bind is what a value's seal is bound to: it opens in no other place.
func (x *index) bind(bucket string, key []byte) []byte {
	b := x.about[:0]
	b = append(b, "store "...)
	b = strconv.AppendUint(b, cmp.Or(x.schema, schemaVersion), 10)
	b = append(append(b, '|'), bucket...)
	x.about = append(append(b, '|'), key...)
	return x.about
}

func (x *index) bucket(name string) (*bbolt.Bucket, error) {
	b := x.tx.Bucket([]byte(name))
	if b == nil {
		return nil, fmt.Errorf("%w: there is no bucket %s", errDamaged, name)
	}
	switch name {
	case bucketLog, bucketState, bucketDone:
		b.FillPercent = fillAppended
	}
	return b, nil
}

// get gives an opened value; nil if there is none.
func (x *index) get(bucket string, key []byte) ([]byte, error) {
	b, err := x.bucket(bucket)
	if err != nil {
		return nil, err
	}
	sealed := b.Get(key)
	if sealed == nil {
		return nil, nil
	}
	return x.open(bucket, key, sealed)
}

func (x *index) open(bucket string, key, sealed []byte) ([]byte, error) {
	plain, err := x.keys.Open(sealed, x.bind(bucket, key))
	if err != nil {
		return nil, fmt.Errorf("%w: %s %x: %w", errDamaged, bucket, key, err)
	}
	if plain == nil {
		plain = []byte{} // there is one
	}
	return plain, nil
}

func (x *index) put(bucket string, key, plain []byte) error {
	return x.putRaw(bucket, key, x.keys.Seal(plain, x.bind(bucket, key)))
}

func (x *index) putRaw(bucket string, key, value []byte) error {
	b, err := x.bucket(bucket)
	if err != nil {
		return err
	}
	x.changed = true
	return b.Put(key, value)
}

func (x *index) delete(bucket string, key []byte) error {
	b, err := x.bucket(bucket)
	if err != nil {
		return err
	}
	x.changed = true
	return b.Delete(key)
}

// getJSON reads a value into v; false: there is none.
func (x *index) getJSON(bucket string, key []byte, v any) (bool, error) {
	plain, err := x.get(bucket, key)
	if err != nil || plain == nil {
		return false, err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return false, fmt.Errorf("%w: %s %x: %w", errDamaged, bucket, key, err)
	}
	return true, nil
}

func (x *index) putJSON(bucket string, key []byte, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return x.put(bucket, key, plain)
}

func (x *index) mac(text string) []byte {
	mac := x.keys.Mac([]byte(text))
	return mac[:]
}

// create makes the buckets of a new file.
func (x *index) create() error {
	for _, name := range buckets {
		if _, err := x.tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return x.putRaw(bucketMeta, keySchema, bytes8(schemaVersion))
}

func (x *index) saveHead() error { return x.putJSON(bucketMeta, keyHead, x.head) }

// state gives an item's state; nil if there is no such item.
func (x *index) state(seq uint64) (*itemState, error) {
	key := bytes8(seq)
	plain, err := x.get(bucketState, key)
	if err != nil || plain == nil {
		return nil, err
	}
	st, err := decodeState(seq, plain)
	return &st, err
}

// item gives an item whole; Seq 0: there is none.
func (x *index) item(seq uint64) (outbox.Item, error) {
	st, err := x.state(seq)
	if err != nil || st == nil {
		return outbox.Item{}, err
	}
	return x.whole(*st)
}

func (x *index) whole(st itemState) (outbox.Item, error) {
	l, err := x.logged(st.Seq)
	if err != nil {
		return outbox.Item{}, err
	}
	if l.write == nil {
		return outbox.Item{}, fmt.Errorf("%w: item %d has a state and no content", errDamaged, st.Seq)
	}
	return st.item(*l.write)
}

// doneKey orders items by the day on which they became final.
func doneKey(at time.Time, seq uint64) []byte { return append(bytes4(dayOf(at)), bytes8(seq)...) }

// dayOf counts days since 1970.
func dayOf(at time.Time) uint32 { return uint32(max(0, at.Unix()/(24*60*60))) } //nolint:gosec // enough for ten million years

// bytes8 is big-endian, so that the keys' order is the numbers' order.
func bytes8(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func bytes4(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// be reads bytes8; what is not that is damaged and gives 0, which is no item's number.
func be(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
