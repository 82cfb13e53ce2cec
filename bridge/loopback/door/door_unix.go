//go:build unix

package door

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Default is the socket of this user's agent: in the runtime folder where there is one, else beside the user's settings.
func Default() string {
	if path := os.Getenv("RINGSIDE_SOCKET"); path != "" {
		return path
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && runtime.GOOS != "darwin" {
		return filepath.Join(dir, "ringside", "agent.sock")
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("ringside-%d", os.Getuid()))
	}
	return filepath.Join(dir, "ringside", "agent.sock")
}

// answerLimit is how long a Mac is waited for: it no longer tells who a client was that has gone already.
const answerLimit = 50_000 // microseconds

// send uses the system's calls: package net would double the time the program takes. A socket that does not block refuses when the agent
// has too many waiting (EAGAIN), instead of waiting with them.
func send(path string) bool {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(fd) }() // what was written is the agent's
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return false
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return false
	}
	if n, err := syscall.Write(fd, []byte(knock)); err != nil || n != len(knock) {
		return false
	}
	if runtime.GOOS == "darwin" {
		return answered(fd)
	}
	return true
}

func answered(fd int) bool {
	limit := syscall.Timeval{Usec: answerLimit}
	if syscall.SetNonblock(fd, false) != nil || syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit) != nil {
		return false
	}
	n, err := syscall.Read(fd, make([]byte, 1))
	return err == nil && n > 0
}
