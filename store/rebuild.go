package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/journal"
)

// builder makes an index file from a journal.
type builder struct {
	*Options
	path    string // of the file to make
	journal *journal.Journal
	lean    bool // leaves out what is final
	restart bool // the process that knew what was being sent is gone
	damage  journal.Damage
}

// build makes the file, whole and flushed, under a name of its own: a half-made one is never taken for an index.
func (b *builder) build() (head, error) {
	if err := os.RemoveAll(b.path); err != nil {
		return head{}, err
	}
	db, _, err := openFile(b.path, bbolt.Options{MaxSize: b.room(), NoSync: true, NoGrowSync: true}) // flushed once, at the end
	if err != nil {
		return head{}, err
	}
	h := head{Ring: ringID(b.Keys), Lean: b.lean}
	err = b.fill(db, &h)
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return head{}, errors.Join(err, os.Remove(b.path))
	}
	return h, nil
}

// room is how large the file may become: half of the ballast is left to the journal, which must go on.
func (b *builder) room() int {
	free, err := freeSpace(b.Dir)
	if err != nil {
		return b.tune.maxSize
	}
	return int(min(int64(b.tune.maxSize), max(1<<16, free-b.tune.ballast/2)))
}

func (b *builder) fill(db *bbolt.DB, h *head) error {
	t := transfer{db: db, index: index{keys: b.Keys, head: h, forget: time.Now().Add(-keepDone)}}
	if err := t.update((*index).create); err != nil {
		return err
	}
	if b.lean {
		waits, err := unfinished(b.journal)
		if err != nil {
			return err
		}
		t.only = waits.has
	}
	damage, err := replay(b.journal, journal.Position{}, &t)
	if err != nil {
		return err
	}
	b.damage = damage
	h.Position, h.Unknown = b.journal.End(), damage.UnknownKey
	if b.restart {
		if err := b.reconcile(&t); err != nil {
			return err
		}
	}
	return t.update((*index).saveHead)
}

// reconcile marks what may have been on its way: its end may have been known only to the index that is gone.
func (b *builder) reconcile(t *transfer) error {
	var doubted []uint64
	return t.update(func(x *index) error {
		if err := x.eachState(func(st itemState) error {
			if !st.Begun.IsZero() && (st.State == outbox.Queued || st.State == outbox.Retry) {
				doubted = append(doubted, st.Seq)
			}
			return nil
		}); err != nil {
			return err
		}
		for _, seq := range doubted {
			if err := x.reconcile(seq); err != nil {
				return err
			}
		}
		return nil
	})
}

func (x *index) reconcile(seq uint64) error {
	it, err := x.item(seq)
	if err != nil {
		return err
	}
	st, err := x.state(seq)
	if err != nil {
		return err
	}
	it.State = outbox.Reconcile
	value, err := encodeState(st.number, it)
	if err != nil {
		return err
	}
	return x.put(bucketState, bytes8(seq), value)
}

// transfer brings a replay into an index file, in transactions of some size.
type transfer struct {
	db      *bbolt.DB
	index   index
	only    func(change) bool // nil: all
	waiting []placed
	behind  journal.Position
}

// transferSize is how many records go into one transaction: keys that are MACs touch a page each, so that small ones write every page often.
const transferSize = 10_000

// placed is a change with the place behind the record before it, and behind its own.
type placed struct {
	change
	before, behind journal.Position
}

func (t *transfer) update(f func(*index) error) error {
	return guarded(func() error {
		return t.db.Update(func(tx *bbolt.Tx) error {
			t.index.tx = tx
			return f(&t.index)
		})
	})
}

func (t *transfer) add(c change, behind journal.Position) error {
	t.waiting = append(t.waiting, placed{c, t.behind, behind})
	t.behind = behind
	if len(t.waiting) < transferSize || c.nth < c.of { // what one Accept wrote stays together: a start goes on at the position where this one was cut off
		return nil
	}
	return t.flush()
}

func (t *transfer) flush() error {
	if len(t.waiting) == 0 {
		return nil
	}
	err := t.update(func(x *index) error {
		for _, p := range t.waiting {
			if err := x.apply(p.change, p.before, p.behind); err != nil {
				return err
			}
		}
		return x.saveHead()
	})
	t.waiting = t.waiting[:0]
	return err
}

// replay brings in what the journal has from a position to its Last.
func replay(j *journal.Journal, from journal.Position, t *transfer) (journal.Damage, error) {
	t.behind = from
	damage, err := readChanges(j, from, func(c change, behind journal.Position) error {
		if t.only != nil && !t.only(c) {
			return nil
		}
		return t.add(c, behind)
	}, func(error) {}) // it is counted
	if err != nil {
		return damage, err
	}
	return damage, t.flush()
}

// rebuild makes the index anew while the store runs. Changes go on being acknowledged; they wait.
func (s *Store) rebuild(cause error) error {
	var snapshot *journal.Journal
	if err := s.alone(func() error {
		snapshot = s.log.Snapshot()
		return nil
	}); err != nil {
		return err
	}
	b := &builder{Options: &s.opt, path: filepath.Join(s.opt.Dir, freshName), journal: snapshot, lean: s.lean}
	h, err := b.build()
	if err != nil {
		return fmt.Errorf("make the index anew: %w", err)
	}
	s.opt.tune.step("built")
	keep := errors.Is(cause, errDamaged) || b.damage != (journal.Damage{})
	if err := s.file.swap(filepath.Join(s.opt.Dir, indexName), s.opt.tune.maxSize, func() error { return s.opt.install(keep) }); err != nil {
		return fmt.Errorf("put the new index in its place: %w", err)
	}
	s.head, s.lean = h, false
	s.mu.Lock()
	s.pending.settled(snapshot.Last())
	s.changed.Broadcast()
	s.mu.Unlock()
	s.opt.alarmDamage(b.damage)
	return nil
}

// install puts the new index in the place of the old one. That is kept where something may be found in it that the journal has not.
func (o *Options) install(keep bool) error {
	if keep {
		if _, err := quarantine(o.Dir, indexName); err != nil {
			return err
		}
	}
	o.tune.step("quarantined")
	return replace(filepath.Join(o.Dir, freshName), filepath.Join(o.Dir, indexName))
}

func (o *Options) alarmDamage(d journal.Damage) {
	if d.Records > 0 {
		o.alarm(Alarm{Kind: AlarmDamage, Count: d.Records, Msg: fmt.Sprintf("%d records of the store's journal are damaged and cannot be read: "+
			"have the disk looked at, and compare the call list with the telephone system's", d.Records)})
	}
	if d.UnknownKey > 0 {
		o.alarm(Alarm{Kind: AlarmKeys, Count: d.UnknownKey, Msg: fmt.Sprintf("%d records of the store were sealed with a key that is not in the keychain: "+
			"bring it back (ringctl store recover), and they come back", d.UnknownKey)})
	}
}
