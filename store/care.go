package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// caretaker does what is due when nothing else is to be done. The indexer runs it.
type caretaker struct {
	*Store
	watched time.Time // when the file was last looked at
	busy    time.Time // when there was last something to do
	tried   time.Time // when a broken index was last tried
	tidied  bool      // since then
}

func (c *caretaker) look() {
	now := time.Now()
	if now.Sub(c.watched) >= c.opt.tune.watch {
		c.watched = now
		c.watchFile()
		c.refillBallast()
	}
	if c.is(broken) && now.Sub(c.tried) >= c.opt.tune.again {
		c.renew()
		c.tried = time.Now()
		c.settleAll()
	}
	if !c.tidied && c.is(healthy) && now.Sub(c.busy) >= c.opt.tune.idle {
		c.tidied = true
		c.tidy(now)
	}
}

func (s *Store) is(m mode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode == m
}

// watchFile notices that somebody deleted or replaced the files: what is written to them then goes nowhere.
func (s *Store) watchFile() {
	if !s.is(healthy) {
		return
	}
	if err := s.saveJournal(); err != nil {
		s.opt.Log.Warn("journal not looked after", "error", err)
	}
	if err := s.sameFile(); err != nil {
		s.doubt(err)
		s.settleAll()
	}
}

func (s *Store) sameFile() error {
	ours, err := s.file.stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(filepath.Join(s.opt.Dir, indexName))
	if err == nil && os.SameFile(ours, there) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: its file is gone: %w", errDamaged, err)
	}
	return fmt.Errorf("%w: another file is in its place", errDamaged)
}

// refillBallast makes the ballast when there is room for it, and takes calls again.
func (s *Store) refillBallast() {
	if err := s.ballast.ensure(); err != nil {
		s.opt.Log.Warn("no ballast", "error", err)
		return
	}
	if s.full.Swap(false) {
		s.opt.alarm(Alarm{Kind: AlarmFull, Over: true, Msg: "there is room on the disk again: new calls are saved"})
	}
}

// tidy prunes and compacts. What goes wrong is tried again after the next change.
func (s *Store) tidy(now time.Time) {
	if err := s.prune(now); err != nil {
		s.opt.Log.Warn("store not pruned", "error", err)
		return
	}
	if !s.worthCompacting() {
		return
	}
	if err := s.compact(); err != nil {
		s.opt.Log.Warn("store not compacted", "error", err)
	}
}
