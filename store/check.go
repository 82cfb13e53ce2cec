package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// checkName is the file that Check makes from the journal, to compare.
const checkName = "outbox.db.check"

// Check reads everything: bbolt's own structure; that every value opens and fits to the others; and that the journal, read from its
// beginning, gives the same index. It joins all that it finds wrong. Changes go on being acknowledged meanwhile, but wait for the index.
func (s *Store) Check() error {
	return s.withIndex(func() error {
		if !s.is(healthy) {
			return fmt.Errorf("the index is %s: %w", s.mode, s.cause)
		}
		if err := s.file.view(func(tx *bbolt.Tx) error {
			if err := structure(tx); err != nil {
				return err
			}
			return (&index{tx: tx, keys: s.opt.Keys}).check(s.head)
		}); err != nil {
			return err
		}
		return s.checkJournal()
	})
}

// check looks at whether the buckets fit together.
func (x *index) check(h head) error {
	c := checker{x: x, newest: map[string]uint64{}, done: map[string]bool{}}
	c.items(h)
	c.legs()
	c.log()
	c.marksOfDone()
	c.live()
	return errors.Join(c.errs...)
}

type checker struct {
	x      *index
	errs   []error
	newest map[string]uint64 // macs of leg and key → the newest item
	done   map[string]bool   // keys that the bucket done must have
}

func (c *checker) wrong(err error, format string, args ...any) {
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

var states = []outbox.State{outbox.Queued, outbox.Retry, outbox.Reconcile, outbox.Review, outbox.Done, outbox.Discarded}

func (c *checker) items(h head) {
	unfinished := 0
	err := c.x.eachState(func(st itemState) error {
		if !st.State.Final() {
			unfinished++
		}
		if st.Seq == 0 || st.Seq > h.Number || st.number > h.Number {
			c.wrong(nil, "item %d of record %d was never given out: the newest number is %d", st.Seq, st.number, h.Number)
		}
		if !slices.Contains(states, st.State) {
			c.wrong(nil, "item %d is in state %q, which there is not", st.Seq, st.State)
		}
		it, err := c.x.whole(st)
		if err != nil {
			c.wrong(err, "")
			return nil
		}
		c.item(it)
		return nil
	})
	if err != nil {
		c.wrong(err, "")
	}
	if unfinished != h.Unfinished {
		c.wrong(nil, "%d items are unfinished, the index counted %d", unfinished, h.Unfinished)
	}
}

func (c *checker) item(it outbox.Item) {
	leg := c.x.mac(it.WriteBack.Leg)
	key := string(leg) + string(c.x.mac(it.WriteBack.Key))
	c.newest[key] = max(c.newest[key], it.Seq)
	if it.State.Final() {
		c.done[string(doneKey(it.DoneAt, it.Seq))] = true
	} else if over, err := c.x.over(leg); err != nil || !over && it.WriteBack.Op == cti.LogCall { // what is said about a caller comes while the call goes on
		c.wrong(err, "item %d has no call", it.Seq)
	}
}

func (c *checker) each(bucket string, f func(k []byte) error) {
	err := c.x.each(bucket, func(k []byte) error {
		if err := f(k); err != nil {
			c.wrong(err, "")
		}
		return nil
	})
	if err != nil {
		c.wrong(err, "")
	}
}

func (c *checker) legs() {
	c.each(bucketLegs, func(k []byte) error {
		l, err := c.x.leg(k)
		if err != nil {
			return err
		}
		for _, n := range l.newest {
			key := string(k) + n.mac
			if want := c.newest[key]; n.seq == 0 || n.seq != want {
				c.wrong(nil, "a key names item %d, the newest is %d", n.seq, want)
			}
			delete(c.newest, key)
		}
		call, found, err := c.x.call(k)
		if found && !bytes.Equal(c.x.mac(call.Call.Leg), k) {
			err = fmt.Errorf("call %d of the log is known as another leg's", call.place)
		}
		return err
	})
	for _, seq := range c.newest {
		c.wrong(nil, "the key of item %d is not indexed", seq)
	}
}

func (c *checker) log() {
	c.each(bucketLog, func(k []byte) error {
		l, err := c.x.logged(be(k))
		if err != nil {
			return err
		}
		if l.call != nil {
			leg, err := c.x.leg(c.x.mac(l.call.Call.Leg))
			if err != nil || leg.call != be(k) {
				c.wrong(err, "call %d of the log is known at %d", be(k), leg.call)
			}
		}
		if l.write != nil {
			st, err := c.x.state(be(k))
			if err != nil || st == nil {
				c.wrong(err, "content %d of the log has no item", be(k))
			}
		}
		return nil
	})
}

func (c *checker) marksOfDone() {
	c.each(bucketDone, func(k []byte) error {
		if !c.done[string(k)] {
			c.wrong(nil, "the list of what is final names item %d, which is not", be(k[min(4, len(k)):]))
		}
		delete(c.done, string(k))
		return nil
	})
	for k := range c.done {
		c.wrong(nil, "final item %d is not in the list of what is final", be([]byte(k[4:])))
	}
}

func (c *checker) live() {
	c.each(bucketLive, func(k []byte) error {
		var l liveCall
		if _, err := c.x.getJSON(bucketLive, k, &l); err != nil {
			return err
		}
		over, err := c.x.over(k)
		if over {
			err = errors.New("a finished call is live")
		}
		return err
	})
}

// checkJournal makes an index from the journal and compares.
func (s *Store) checkJournal() error {
	b := &builder{Options: &s.opt, path: filepath.Join(s.opt.Dir, checkName), lean: s.head.Lean}
	if err := s.alone(func() error {
		b.journal = s.log.Snapshot()
		return nil
	}); err != nil {
		return err
	}
	s.settleAll() // up to the snapshot, at least
	defer func() { _ = os.Remove(b.path) }()
	if _, err := b.build(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if b.damage.Records > 0 {
		return fmt.Errorf("%d records of the journal cannot be read", b.damage.Records)
	}
	fresh, _, err := openFile(b.path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	err = s.file.view(func(ours *bbolt.Tx) error {
		return fresh.View(func(theirs *bbolt.Tx) error {
			c := comparer{ours: &index{tx: ours, keys: s.opt.Keys}, theirs: &index{tx: theirs, keys: s.opt.Keys},
				upTo: b.journal.Last(), pruned: s.head.Pruned, lean: s.head.Lean}
			return c.compare()
		})
	})
	return errors.Join(err, fresh.Close())
}

// comparer compares the index with one that was made from the journal alone. What came after that is skipped.
type comparer struct {
	ours, theirs *index
	upTo         uint64
	pruned       pruned
	lean         bool
}

func (c *comparer) compare() error {
	return errors.Join(c.items(c.ours, c.theirs, "journal"), c.items(c.theirs, c.ours, "index"),
		c.calls(c.ours, c.theirs, "journal"), c.calls(c.theirs, c.ours, "index"),
		c.live(c.ours, c.theirs, "journal"), c.live(c.theirs, c.ours, "index"))
}

// items finds items of a that b has not, or not the same. Final ones may have been pruned.
func (c *comparer) items(a, b *index, where string) error {
	var errs []error
	err := a.eachState(func(st itemState) error {
		other, err := b.state(st.Seq)
		if err != nil || st.number > c.upTo || other != nil && other.number > c.upTo {
			return err
		}
		if other == nil {
			if where == "journal" || !st.State.Final() {
				errs = append(errs, fmt.Errorf("the %s has no item %d", where, st.Seq))
			}
			return nil
		}
		left, err := a.whole(st)
		if err != nil {
			return err
		}
		right, err := b.whole(*other)
		if err != nil {
			return err
		}
		if !same(left, right) {
			errs = append(errs, fmt.Errorf("the %s has another item %d: record %d, not %d", where, st.Seq, other.number, st.number))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// same compares items; one that was on its way when its index was lost is looked up first.
func same(a, b outbox.Item) bool {
	if !a.Begun.IsZero() && (a.State == outbox.Reconcile || b.State == outbox.Reconcile) {
		a.State = b.State
	}
	return equalJSON(a, b)
}

// calls finds calls of a that b has not, or not the same.
func (c *comparer) calls(a, b *index, where string) error {
	var errs []error
	err := a.eachLogged(func(place uint64, l logged) error {
		if l.call == nil || l.number > c.upTo || where == "index" && (c.lean || c.pruned.has(place, l.call.Call)) {
			return nil
		}
		other, _, err := b.call(b.mac(l.call.Call.Leg))
		if err == nil && (other.number != l.number || !equalJSON(other.LoggedCall, *l.call)) {
			errs = append(errs, fmt.Errorf("the %s has not the same call %d", where, place))
		}
		return err
	})
	return errors.Join(append(errs, err)...)
}

// live finds live calls of a that b has not, or not the same.
func (c *comparer) live(a, b *index, where string) error {
	var errs []error
	err := a.each(bucketLive, func(k []byte) error {
		var left, right liveCall
		if _, err := a.getJSON(bucketLive, k, &left); err != nil || left.Number > c.upTo {
			return err
		}
		_, err := b.getJSON(bucketLive, k, &right)
		if err == nil && !equalJSON(left, right) {
			errs = append(errs, fmt.Errorf("the %s has not the same live call %x", where, k))
		}
		return err
	})
	return errors.Join(append(errs, err)...)
}

func equalJSON(a, b any) bool {
	left, err1 := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(left, right)
}
