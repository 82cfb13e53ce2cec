//go:build !linux

package storetest

import "os"

// datasync is what the store's journal does.
func datasync(f *os.File) error { return f.Sync() }
