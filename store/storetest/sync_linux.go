package storetest

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync is what the store's journal does.
func datasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
