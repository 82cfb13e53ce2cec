package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// After a long outage the file is mostly free pages, and bbolt writes the whole list of them in every commit: a tenfold cost was measured. A
// compaction takes milliseconds then and undoes it. A full file gains nothing.
const (
	compactLive  = 10_000   // unfinished items, at most
	compactFree  = 16 << 20 // bytes in free pages, at least
	compactShare = 3        // the free pages are one in so many, at least
	// compactStep is how much goes into one transaction.
	compactStep = 16 << 20
)

func (s *Store) worthCompacting() bool {
	if s.head.Unfinished >= compactLive {
		return false
	}
	stats := s.file.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(s.file.db.Info().PageSize)
	info, err := s.file.stat()
	return err == nil && free > s.opt.tune.compact && free > info.Size()/compactShare
}

// Compact makes the index as small as it can be. It happens on its own when the store is idle and it is worth it.
func (s *Store) Compact() error { return s.withIndex(s.compact) }

// compact copies the index beside itself and puts the copy in its place. Until then nothing has changed.
func (s *Store) compact() error {
	if !s.is(healthy) {
		return nil // it will be made anew anyway
	}
	path := filepath.Join(s.opt.Dir, compactName)
	if err := s.copyTo(path); err != nil {
		return errors.Join(fmt.Errorf("compact the index: %w", err), os.RemoveAll(path))
	}
	s.opt.tune.step("compacted")
	to := filepath.Join(s.opt.Dir, indexName)
	err := s.file.swap(to, s.opt.tune.maxSize, func() error { return replace(path, to) })
	if s.file.db == nil {
		s.doubt(fmt.Errorf("%w: after a compaction: %w", errDamaged, err))
		s.settleAll()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("compact the index: %w", err), os.RemoveAll(path))
	}
	s.opt.tune.step("swapped")
	return nil
}

func (s *Store) copyTo(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	to, _, err := openFile(path, bbolt.Options{MaxSize: s.opt.tune.maxSize, NoSync: true, NoGrowSync: true}) // flushed once, at the end
	if err != nil {
		return err
	}
	err = guarded(func() error { return bbolt.Compact(to, s.file.db, compactStep) })
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}
