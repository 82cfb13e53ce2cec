//go:build !windows

package store

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes renames in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isFull tells that an error means: no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// local tells whether a folder may hold a store. A network folder cannot be told by its name here.
func local(string) bool { return true }
