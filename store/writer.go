package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/store/journal"
)

var errClosed = fmt.Errorf("the store is closed: %w", fs.ErrClosed)

// queue is what waits to be written. No goroutine waits for it: whoever finds that nobody is writing writes what waits, and a goroutine goes
// on for those that came meanwhile. So the op of a single caller goes to the disk without being handed over to anybody.
type queue struct {
	mu      sync.Mutex
	waiting []*op
	writing bool // somebody has the journal
	closed  bool
	stop    chan struct{} // closed when nothing will be written any more
}

// do brings an op to the disk, in a group with those that wait, and in the order in which they came.
func (s *Store) do(o *op) error {
	first, err := s.queue.enter(o)
	if err != nil {
		return err
	}
	if first {
		if s.writeAll(s.queue.take()); !s.queue.rest() {
			go s.write()
		}
	}
	return <-o.done
}

// enter tells whether the caller has to write.
func (q *queue) enter(o *op) (first bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, errClosed
	}
	q.waiting = append(q.waiting, o)
	first = !q.writing
	q.writing = true
	return first, nil
}

// take gives the next group: what is there, without waiting for more.
func (q *queue) take() []*op {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, records := 0, 0
	for n < len(q.waiting) && records < groupSize {
		records += len(q.waiting[n].records)
		n++
	}
	ops := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil // lets the memory go
	}
	return ops
}

// rest lets go of the journal, unless there is more to write.
func (q *queue) rest() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		return false
	}
	q.writing = false
	if q.closed {
		close(q.stop)
	}
	return true
}

// close refuses what comes from now on; false: it was closed already.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	if !q.writing {
		close(q.stop)
	}
	return true
}

// write goes on until nothing waits.
func (s *Store) write() {
	for done := false; !done; done = s.queue.rest() {
		s.writeAll(s.queue.take())
	}
}

// alone runs something while nothing is appended to the journal. It is for the indexer, which outlives the writing.
func (s *Store) alone(f func() error) error {
	o := newOp()
	o.alone = f
	if err := s.do(o); !errors.Is(err, errClosed) {
		return err
	}
	<-s.queue.stop
	return f()
}

// roomForCall refuses new calls while they could not be kept, and waits while the index lags behind.
func (s *Store) roomForCall() error {
	if s.full.Load() {
		return errFull(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.mode == broken && s.pending.count >= backlogBroken:
			return cti.Errorf(cti.Offline, "the store takes no more calls, because its index cannot be written: free room on the disk, or look at its health; "+
				"what was taken is kept and goes on being delivered", s.cause)
		case s.mode == broken || s.pending.count < backlog:
			return nil
		}
		s.changed.Wait()
	}
}

func errFull(err error) error {
	return cti.Errorf(cti.Offline, "the disk is full: this was not saved. Free some room, then try again; what was saved before is kept and goes on being delivered", err)
}

// writeAll keeps the order: what must be alone is a border between groups.
func (s *Store) writeAll(ops []*op) {
	for len(ops) > 0 {
		n := 0
		for n < len(ops) && ops[n].alone == nil {
			n++
		}
		if n == 0 {
			ops[0].done <- ops[0].alone()
			ops = ops[1:]
			continue
		}
		s.writeGroup(ops[:n])
		ops = ops[n:]
	}
}

// writeGroup appends and answers. On a full disk the ballast makes room, for what must be written to get rid of what waits.
func (s *Store) writeGroup(ops []*op) {
	err := s.append(ops)
	if err == nil {
		return
	}
	if !isFull(err) {
		answer(ops, cti.Errorf(cti.Offline, "the disk did not take it: this was not saved. Try again, and have the disk looked at", err))
		return
	}
	s.disksFull(err)
	var must, rest []*op
	for _, o := range ops {
		if o.must {
			must = append(must, o)
		} else {
			rest = append(rest, o)
		}
	}
	answer(rest, errFull(err))
	if len(must) == 0 {
		return
	}
	if err := s.append(must); err != nil {
		answer(must, errFull(err))
	}
}

// append writes ops as one group and, if the journal has it, acknowledges them all.
func (s *Store) append(ops []*op) error {
	var records []journal.Record
	flush := false
	for _, o := range ops {
		records = append(records, o.records...)
		flush = flush || o.flush
	}
	end, err := s.log.Append(records, flush)
	if err != nil {
		return err
	}
	g := group{changes: make([]change, 0, len(records)), end: end}
	for _, o := range ops {
		for i := range o.changes {
			o.changes[i].numbered(records[len(g.changes)].Number)
			g.changes = append(g.changes, o.changes[i])
		}
	}
	s.mu.Lock()
	s.pending.add(g)
	s.mu.Unlock()
	answer(ops, nil)
	s.poke()
	return nil
}

func answer(ops []*op, err error) {
	for _, o := range ops {
		o.done <- err
	}
}

// poke wakes the indexer.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// disksFull sacrifices the ballast. From now on new calls are refused, until there is room to make it again.
func (s *Store) disksFull(err error) {
	s.ballast.release()
	if !s.full.Swap(true) {
		s.opt.alarm(Alarm{Kind: AlarmFull, Err: err,
			Msg: "the disk is full: new calls cannot be saved. Free some room; what waits is kept and goes on being delivered"})
	}
}
