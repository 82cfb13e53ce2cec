package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"ringside.dev/ringside/app/cti"
)

// takeLock makes this process the only one with the store in a folder. bbolt's own lock on the index is the second line: this one
// covers the journal too, and the time in which there is no index.
func takeLock(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, 50*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) || err == nil && !ok {
		return nil, inUse(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the store %s: %w", dir, err)
	}
	return lock, nil
}

func inUse(dir string) error {
	return cti.Errorf(cti.Conflict, "another Ringside of this user is running with the same store "+dir+": stop it, or name another --state folder", nil)
}

// makeDir makes the store's folder, which only this user may read. The journal, which lies in it, makes its name durable.
func makeDir(dir string) error {
	if dir == "" || !local(dir) {
		return cti.Errorf(cti.Invalid, fmt.Sprintf("the store cannot be in %q: it must be a folder on a disk of this computer", dir), nil)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the store: %w", err)
	}
	return nil
}
