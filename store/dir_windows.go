package store

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// syncDir: Windows does not let a folder be flushed; NTFS journals renames.
func syncDir(string) error { return nil }

// freeSpace is what this user may still write to the disk of a folder, in bytes.
func freeSpace(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, 1<<62)), nil //nolint:gosec // fits
}

// isFull tells that an error means: no room.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// local tells whether a folder may hold a store: one on another computer (\\server\share) flushes when it likes.
func local(dir string) bool {
	full, err := filepath.Abs(dir)
	return err == nil && (!strings.HasPrefix(full, `\\`) || strings.HasPrefix(full, `\\?\`) && !strings.HasPrefix(full, `\\?\UNC\`))
}
