//go:build unix

package app

import (
	"errors"
	"syscall"
)

// readOnly tells whether the disk takes no writes at all.
func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
