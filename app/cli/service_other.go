//go:build !windows

package cli

import (
	"context"
	"io"

	"ringside.dev/ringside/app/cti"
)

// asService is for Windows alone: systemd and launchd want nothing from a program.
func asService(func(ctx context.Context, log io.Writer, started func()) error) error {
	return cti.Errorf(cti.Invalid, "--service is for Windows: here the system's own service manager runs the program as it is", nil)
}
