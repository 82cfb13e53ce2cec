//go:build unix

package loopback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxSocketPath is the shortest limit among the systems: sun_path has 104 bytes on macOS, 108 on Linux, one of them for the end.
const maxSocketPath = 103

func listen(path string, admins bool) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("the socket's path is %d bytes long, at most %d are allowed: name a shorter --socket", len(path), maxSocketPath), nil)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the socket %s: %w", path, err)
	}
	// Who connects in the instant before this is turned away too: each connection's user is checked.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the socket %s to this user: %w", path, err), l.Close())
	}
	return peerChecked{l, admins}, nil
}

// removeStale takes away a socket whose owner is gone, which is what a refused connection means; anything else at that path is left
// alone, also an agent too busy to answer.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return cti.Errorf(cti.Conflict, path+" is there and is not a socket: name another --socket", nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := dial(ctx, path)
	if err == nil {
		return errors.Join(cti.Errorf(cti.Conflict, "another Ringside of this user is running at "+path, nil), conn.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went away meanwhile
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return cti.Errorf(cti.Conflict, "another Ringside of this user may be running at "+path+": stop it, or name another --socket", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the old socket: %w", err)
	}
	return nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// peerChecked lets in only processes of this user, and of root if it may, whatever the file's mode says.
type peerChecked struct {
	net.Listener
	root bool
}

func (l peerChecked) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(conn)
		if err == nil && (uid == os.Getuid() || l.root && uid == 0) {
			return conn, nil
		}
		slog.Warn("connection of another user refused", "uid", uid, "err", err)
		if err := conn.Close(); err != nil {
			slog.Debug("refused connection not closed", "err", err)
		}
	}
}

// control runs ask on the connection's descriptor.
func control(conn net.Conn, ask func(fd int) error) error {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("not a Unix socket: %T", conn)
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return err
	}
	var asked error
	if err := raw.Control(func(fd uintptr) { asked = ask(int(fd)) }); err != nil {
		return err
	}
	return asked
}
