package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/user"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"ringside.dev/ringside/app/cti"
)

// listen makes the first instance of the pipe, with full access for this user's SID, for administrators if they may, and for nobody else.
func listen(name string, admins bool) (net.Listener, error) {
	u, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find out who is signed in: %w", err)
	}
	access := "D:P(A;;GA;;;" + u.Uid + ")"
	if admins {
		access += "(A;;GA;;;BA)"
	}
	l, err := winio.ListenPipe(name, &winio.PipeConfig{SecurityDescriptor: access})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, cti.Errorf(cti.Conflict, "another Ringside of this user is running at "+name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the pipe %s: %w", name, err)
	}
	return l, nil
}

func dial(ctx context.Context, name string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, name)
}
