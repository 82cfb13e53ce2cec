package app

import (
	"errors"

	"golang.org/x/sys/windows"
)

// readOnly tells whether the disk takes no writes at all.
func readOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }
