package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The names in the store's folder.
const (
	indexName      = "outbox.db"
	freshName      = "outbox.db.new"     // an index being made
	compactName    = "outbox.db.compact" // one being compacted
	journalName    = "journal"
	quarantineName = "quarantine"
	lockName       = "LOCK"
	ballastName    = "BALLAST"
)

// lockWait is how long Open waits for another process to let go.
const lockWait = time.Second

// fileHandle is the open index. The indexer replaces it; readers hold it while they read.
type fileHandle struct {
	mu sync.RWMutex
	db *bbolt.DB
	os *os.File // the one that db uses
}

// notItsFault are the errors of opening a file that say nothing about what is in it.
var notItsFault = []error{errDamaged, berrors.ErrTimeout, berrors.ErrMaxSizeReached, fs.ErrPermission, fs.ErrNotExist, syscall.ENOMEM, syscall.EMFILE,
	syscall.ENFILE, syscall.ENOSPC}

// openFile opens or makes a bbolt file. What a damaged one does to bbolt comes back as an error.
func openFile(path string, o bbolt.Options) (db *bbolt.DB, f *os.File, err error) {
	o.Timeout, o.FreelistType = lockWait, bbolt.FreelistMapType
	// The freelist is synced (NoFreelistSync is false): without it a damaged file can kill the process inside bbolt.Open, and a large
	// one takes long to open.
	o.OpenFile = func(name string, flag int, perm os.FileMode) (*os.File, error) {
		var err error
		f, err = os.OpenFile(name, flag, perm)
		return f, err
	}
	if err := checkLength(path); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	if err == nil {
		return db, f, nil
	}
	if f != nil {
		_ = f.Close() // after a panic nobody else does
	}
	if !slices.ContainsFunc(notItsFault, func(other error) bool { return errors.Is(err, other) }) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil, nil, fmt.Errorf("open %s: %w", path, err)
}

// guarded runs what reads a mapped file. A page that is not what it should be makes bbolt panic, one that cannot be read is a fault: both
// come back as errDamaged.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return f()
}

// view reads. It must not be called inside itself: a waiting swap would stop both.
func (h *fileHandle) view(f func(tx *bbolt.Tx) error) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.db == nil {
		return errClosed
	}
	return guarded(func() error { return h.db.View(f) })
}

// update is one transaction. After an error the handle must not be written to any more.
func (h *fileHandle) update(f func(tx *bbolt.Tx) error) error {
	if h.db == nil {
		return errClosed
	}
	return guarded(func() error { return h.db.Update(f) })
}

// swap closes what is open and opens a path instead, after move put it there. If move fails the old file is opened again.
func (h *fileHandle) swap(path string, maxSize int, move func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.closeLocked() // what is wrong with the old one is why it goes
	moved := move()
	db, f, err := openFile(path, bbolt.Options{MaxSize: maxSize})
	if err != nil {
		return errors.Join(moved, err)
	}
	h.db, h.os = db, f
	return moved
}

// stat tells which file is open.
func (h *fileHandle) stat() (os.FileInfo, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.os == nil {
		return nil, errClosed
	}
	return h.os.Stat()
}

func (h *fileHandle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closeLocked()
}

// closeLocked does not wait for ever: a commit that failed may have left bbolt's own locks taken.
func (h *fileHandle) closeLocked() error {
	if h.db == nil {
		return nil
	}
	db, done := h.db, make(chan error, 1)
	h.db, h.os = nil, nil
	go func() { done <- guarded(db.Close) }()
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return errors.New("the index did not close: a transaction hangs")
	}
}

// replace puts a file in the place of another and makes that durable. An antivirus program on Windows may hold either for a moment.
func replace(from, to string) error {
	wait := 10 * time.Millisecond
	for i := 0; ; i++ {
		err := os.Rename(from, to)
		if err == nil {
			return syncDir(filepath.Dir(to))
		}
		if runtime.GOOS != "windows" || i == 9 {
			return err
		}
		time.Sleep(wait)
		wait += wait / 2
	}
}

// quarantine moves an index file out of the way, for whoever wants to look into what happened to it.
func quarantine(dir, name string) (string, error) {
	folder := filepath.Join(dir, quarantineName)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(folder, name+"."+time.Now().UTC().Format("20060102T150405.000000000Z"))
	err := replace(filepath.Join(dir, name), to)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return to, syncDir(dir)
}
