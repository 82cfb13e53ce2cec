//go:build unix

package settings

import (
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
)

// PolicyFile is where a computer's policy is.
func PolicyFile() string {
	if runtime.GOOS == "darwin" {
		return "/Library/Application Support/Ringside/policy.yaml"
	}
	return "/etc/ringside/policy.yaml"
}

// administrators checks that a policy file is root's, and that nobody else may write it.
func administrators(_ string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errOthers(fmt.Sprintf("it has mode %o", info.Mode().Perm()))
	}
	if s, known := info.Sys().(*syscall.Stat_t); known && s.Uid != 0 {
		return errOthers(fmt.Sprintf("it belongs to user %d", s.Uid))
	}
	return nil
}
