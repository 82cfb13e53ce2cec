package store

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ballast is a file that only takes room. It is deleted when the disk is full, so that what waits can still be delivered and marked, and
// made again when there is room. Its content is random: file systems that compress would make room out of zeros.
type ballast struct {
	mu   sync.Mutex
	path string
	size int64
}

func newBallast(dir string, size int64) ballast {
	return ballast{path: filepath.Join(dir, ballastName), size: size}
}

// release gives the room back; false: there was none.
func (b *ballast) release() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return os.Remove(b.path) == nil
}

// ensure makes it, if it is not there whole.
func (b *ballast) ensure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if info, err := os.Stat(b.path); err == nil && info.Size() == b.size {
		return nil
	}
	if err := b.write(); err != nil {
		if gone := os.Remove(b.path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	return nil
}

func (b *ballast) write() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	piece := make([]byte, min(b.size, 1<<20))
	for left := b.size; left > 0 && err == nil; left -= int64(len(piece)) {
		_, _ = rand.Read(piece) // never fails
		_, err = f.Write(piece[:min(left, int64(len(piece)))])
	}
	return errors.Join(err, f.Sync(), f.Close())
}
