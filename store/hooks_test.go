package store

import (
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
)

// What the tests of this package may reach beyond the exported names.

// Paced makes the caretaker hurry.
func (o Options) Paced(every time.Duration) Options {
	o.tune.watch, o.tune.again, o.tune.idle = every, every, every
	return o
}

// Small bounds the index and shrinks the ballast.
func (o Options) Small(maxSize int, ballast int64) Options {
	o.tune.maxSize, o.tune.ballast = maxSize, ballast
	return o
}

// Tight compacts for the sake of a few pages.
func (o Options) Tight(free int64) Options {
	o.tune.compact = free
	return o
}

// AtStep is called between the steps of what must survive being killed.
func (o Options) AtStep(f func(step string)) Options {
	o.tune.step = f
	return o
}

// BreakFile makes every later commit fail, as a disk does.
func (s *Store) BreakFile() {
	done := make(chan struct{})
	_ = s.withIndex(func() error {
		_ = s.file.os.Close()
		close(done)
		return nil
	})
	<-done
}

// Tidy does what the caretaker does when the store is idle.
func (s *Store) Tidy(now time.Time) error {
	return s.withIndex(func() error {
		s.tidy(now)
		return nil
	})
}

// Refill does what the caretaker does about the ballast.
func (s *Store) Refill() error {
	return s.withIndex(func() error {
		s.refillBallast()
		return nil
	})
}

// Planter changes an index file past the store.
type Planter struct{ x *index }

// Plant opens the index file in a folder.
func Plant(dir string, keys secret.Ring, change func(p Planter) error) error {
	db, err := bbolt.Open(filepath.Join(dir, indexName), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return change(Planter{&index{tx: tx, keys: keys}}) }); err != nil {
		return err
	}
	return db.Close()
}

func (p Planter) Bucket(name string) *bbolt.Bucket { return p.x.tx.Bucket([]byte(name)) }
func (p Planter) Mac(text string) []byte           { return p.x.mac(text) }
func (p Planter) Put(bucket string, key, plain []byte) error {
	return p.x.put(bucket, key, plain)
}
func (p Planter) Get(bucket string, key []byte) []byte {
	plain, _ := p.x.get(bucket, key)
	return plain
}

// Head changes the head.
func (p Planter) Head(change func(unfinished *int, clean *bool)) error {
	var h head
	if _, err := p.x.getJSON(bucketMeta, keyHead, &h); err != nil {
		return err
	}
	change(&h.Unfinished, &h.Clean)
	return p.x.putJSON(bucketMeta, keyHead, h)
}

// Item writes an item as the store would, but under a number of the caller's.
func (p Planter) Item(key uint64, it outbox.Item, number uint64) error {
	st, err := encodeState(number, it)
	if err != nil {
		return err
	}
	if err := p.x.put(bucketState, bytes8(key), st); err != nil {
		return err
	}
	return p.Log(key, func(l *logged) { l.write = &it.WriteBack })
}

// Log changes a value of the log.
func (p Planter) Log(key uint64, change func(*logged)) error {
	l, err := p.x.logged(key)
	if err != nil {
		return err
	}
	change(&l)
	plain, err := l.encode()
	if err != nil {
		return err
	}
	return p.x.put(bucketLog, bytes8(key), plain)
}

// Forget takes the call, or the write-back, out of a value of the log.
func (p Planter) Forget(key uint64, call bool) error {
	return p.Log(key, func(l *logged) {
		if call {
			l.call = nil
		} else {
			l.write = nil
		}
	})
}

// Note changes a call's note.
func (p Planter) Note(key uint64, note string) error {
	return p.Log(key, func(l *logged) { l.call.WrapUp.Note = note })
}

// Leg writes what is known of a leg: where its call is, and the newest items of its keys.
func (p Planter) Leg(name string, call uint64, newestOf map[string]uint64) error {
	l := leg{call: call}
	for key, seq := range newestOf {
		l.newest = append(l.newest, newest{string(p.x.mac(key)), seq})
	}
	return p.x.put(bucketLegs, p.x.mac(name), l.encode())
}

// Recode encodes a state and decodes it again.
func Recode(it outbox.Item) (outbox.Item, outbox.Standing, error) {
	b, err := encodeState(7, it)
	if err != nil {
		return outbox.Item{}, outbox.Standing{}, err
	}
	st, err := decodeState(it.Seq, b)
	if err != nil {
		return outbox.Item{}, outbox.Standing{}, err
	}
	got, err := st.item(it.WriteBack)
	return got, st.Standing, err
}

// RecodeLog encodes a value of the log and decodes it again. It also gives how long it was.
func RecodeLog(call LoggedCall, w cti.WriteBack) (LoggedCall, cti.WriteBack, int, error) {
	b, err := logged{1, &call, &w}.encode()
	if err != nil {
		return LoggedCall{}, w, 0, err
	}
	l, err := decodeLog(b)
	if err != nil {
		return LoggedCall{}, w, 0, err
	}
	return *l.call, *l.write, len(b), nil
}

// EncodeState and DecodeState are for fuzzing and measuring.
func EncodeState(it outbox.Item) ([]byte, error) { return encodeState(7, it) }

// DecodeState reads a whole item out of it, without its write-back.
func DecodeState(b []byte) (outbox.Item, error) {
	st, err := decodeState(1, b)
	if err != nil {
		return outbox.Item{}, err
	}
	return st.item(cti.WriteBack{})
}

// DecodeStanding reads what is read of every item at the start.
func DecodeStanding(b []byte) (outbox.Standing, error) {
	st, err := decodeState(1, b)
	return st.Standing, err
}

// CheckLength is what finds a cut index.
var CheckLength = checkLength
