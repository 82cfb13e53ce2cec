package store

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// mode tells what can be done with the index.
type mode string

const (
	// healthy: changes go into it.
	healthy mode = "healthy"
	// doubtful: in: a commit failed, the file is gone, or a value cannot be read. It is made anew; reads wait. Out: healthy or broken.
	doubtful mode = "doubtful"
	// broken: in: it could not be made anew. Changes stay pending, reads make do with what there is. It is tried again now and then.
	broken mode = "broken"
)

// task is something that must be alone with the index.
type task struct {
	run  func() error
	done chan error
}

// attend is the indexer goroutine.
func (s *Store) attend() {
	defer close(s.ended)
	t := s.opt.tune
	tick := time.NewTicker(min(t.watch, t.again, t.idle))
	defer tick.Stop()
	c := caretaker{Store: s, watched: time.Now(), busy: time.Now()}
	for {
		select {
		case <-s.wake:
			s.settleAll()
			c.busy, c.tidied = time.Now(), false
		case t := <-s.tasks:
			s.settleAll()
			t.done <- t.run()
		case <-tick.C:
			c.look()
		case <-s.queue.stop:
			s.settleAll()
			return
		}
	}
}

// withIndex runs a task in the indexer, after everything acknowledged so far is in the index.
func (s *Store) withIndex(run func() error) error {
	t := task{run, make(chan error, 1)}
	select {
	case s.tasks <- t:
		return <-t.done
	case <-s.ended:
		return errClosed
	}
}

// settleAll brings in what is pending.
func (s *Store) settleAll() {
	for {
		s.mu.Lock()
		groups, m := s.pending.head(groupSize), s.mode
		s.mu.Unlock()
		if m == doubtful {
			s.renew()
			continue
		}
		if m == broken || len(groups) == 0 {
			return
		}
		if err := s.settle(groups); err != nil {
			s.doubt(err)
		}
	}
}

// settle brings groups in, as one transaction.
func (s *Store) settle(groups []group) error {
	h := s.head
	h.Clean = false
	err := s.file.update(func(tx *bbolt.Tx) error {
		x := &index{tx: tx, keys: s.opt.Keys, head: &h}
		for _, g := range groups {
			if err := x.applyGroup(g); err != nil {
				return err
			}
		}
		return x.saveHead()
	})
	if err != nil {
		return err
	}
	s.head = h
	s.mu.Lock()
	s.pending.settled(h.Number)
	s.changed.Broadcast()
	s.mu.Unlock()
	return nil
}

// applyGroup: within a group only its ends are known as places in the journal.
func (x *index) applyGroup(g group) error {
	begin := x.head.Position
	for _, c := range g.changes {
		if err := x.apply(c, begin, begin); err != nil {
			return err
		}
	}
	x.head.Position = g.end
	return nil
}

// doubt stops all use of the index until it is made anew: after a commit that failed nobody knows what is on the disk, and going on with the
// handle, or opening the file again, was measured to lose data.
func (s *Store) doubt(cause error) {
	s.opt.Log.Warn("index in doubt", "error", cause)
	s.mu.Lock()
	if s.mode == healthy {
		s.mode, s.cause = doubtful, cause
	}
	s.mu.Unlock()
	s.poke()
}

// renew makes the index anew, and says how it went. While it is broken it is tried again by the caretaker.
func (s *Store) renew() {
	s.mu.Lock()
	cause, was := s.cause, s.mode
	s.mu.Unlock()
	err := s.rebuild(cause)
	if noRoom(err) && !s.lean {
		s.lean = true
		err = s.rebuild(cause)
	}
	now := healthy
	if err != nil {
		now = broken
	}
	s.mu.Lock()
	s.mode = now
	if err != nil {
		s.cause = errors.Join(cause, err)
	} else {
		s.cause = nil
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.tellRenewed(was, cause, err)
}

func (s *Store) tellRenewed(was mode, cause, err error) {
	switch {
	case err != nil && was != broken:
		s.opt.alarm(Alarm{Kind: AlarmIndex, Err: errors.Join(cause, err),
			Msg: "the store's index cannot be written: free room on the disk, or have it looked at. What was saved is kept and goes on being delivered"})
	case err == nil && was == broken:
		s.opt.alarm(Alarm{Kind: AlarmIndex, Over: true, Msg: "the store's index can be written again"})
	case err == nil && errors.Is(cause, errDamaged):
		s.opt.alarm(Alarm{Kind: AlarmRebuilt, Err: cause, Msg: "the store's index was damaged and was made anew from the journal: nothing is lost"})
	}
}

// noRoom tells whether a lean index could help.
func noRoom(err error) bool { return isFull(err) || errors.Is(err, berrors.ErrMaxSizeReached) }
