//go:build !linux

package journal

import "os"

// datasync asks the drive itself to write: on macOS (F_FULLFSYNC) and on Windows (FlushFileBuffers).
func datasync(f *os.File) error { return f.Sync() }
