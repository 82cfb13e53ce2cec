//go:build unix

package secret

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private admits what only this user, or root, may read and write.
func private(info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w (mode %o)", ErrExposed, info.Mode().Perm())
	}
	if s, known := info.Sys().(*syscall.Stat_t); known && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w (it belongs to user %d)", ErrExposed, s.Uid)
	}
	return nil
}
