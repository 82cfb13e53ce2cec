package journal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// FlushNames makes the name of a folder durable, and those of all folders on the way to it: whatever was flushed in it, after a power cut
// it is found only if they are. What is in the folder itself is not its business. A folder above that may not be opened, or not be flushed
// at all, was made by somebody else and long ago.
func FlushNames(dir string) error { return flushNames(dir, syncDir) }

func flushNames(dir string, flush func(dir string) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if straight, err := filepath.EvalSymlinks(dir); err == nil { // else the way as it was given
		dir = straight
	}
	for above := filepath.Dir(dir); above != dir; dir, above = above, filepath.Dir(above) {
		if err := flush(above); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
	return nil
}
