//go:build unix

package loopback_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
)

// shortDir: a test's own folder may have a longer name than a socket's path may.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestTheSocketIsThisUsersOnly(t *testing.T) {
	path := filepath.Join(shortDir(t), "new", "folder", "agent.sock")
	l := listen(t, path)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	answers(t, l, path)
	old := syscall.Umask(0o022)
	if old = syscall.Umask(old); old != 0o022 {
		t.Errorf("the process's mask was %o afterwards", old)
	}
}

func TestAStaleSocketIsTakenOver(t *testing.T) {
	path := filepath.Join(shortDir(t), "agent.sock")
	killed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	answers(t, listen(t, path), path)
}

func TestALivingAgentIsConflictAndKeepsItsSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "agent.sock")
	first := listen(t, path)
	_, err := loopback.Listen(path)
	if cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), path) {
		t.Errorf("the second agent gets %v", err)
	}
	if conn, err := first.Accept(); err != nil { // the second one knocked
		t.Error(err)
	} else if err := conn.Close(); err != nil {
		t.Error(err)
	}
	answers(t, first, path)
}

// An agent so busy that its queue of connections is full does not answer, but lives.
func TestABusyAgentIsNotTakenForDead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a full queue from a dead socket")
	}
	path := filepath.Join(shortDir(t), "agent.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	fillQueue(t, path)
	if _, err := loopback.Listen(path); cti.KindOf(err) != cti.Conflict {
		t.Errorf("the second agent gets %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("and the first one's socket is gone: %v", err)
	}
}

func fillQueue(t *testing.T, path string) {
	t.Helper()
	for {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"file":         func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"folder":       func(path string) error { return os.Mkdir(path, 0o700) },
		"link":         func(path string) error { return os.Symlink("/nowhere", path) },
		"link to file": func(path string) error { return os.Symlink("/etc/hosts", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "agent.sock")
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = loopback.Listen(path)
			if cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), path+" is there and is not a socket: name another --socket") {
				t.Errorf("the error is %v", err)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() {
				t.Errorf("it was not left alone: %v, %v", after, err)
			}
		})
	}
}

func TestATooLongPathIsRefusedBeforeAnythingIsMade(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, strings.Repeat("x", 103), "agent.sock")
	_, err := loopback.Listen(path)
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "at most 103") || !strings.Contains(err.Error(), "--socket") {
		t.Errorf("the error is %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v were made (%v)", entries, err)
	}
	longest := dir + "/" + strings.Repeat("y", 103-len(dir)-1)
	answers(t, listen(t, longest), longest)
}

func TestDiallingNobodyIsOfflineAndSaysWhatToDo(t *testing.T) {
	path := filepath.Join(shortDir(t), "agent.sock")
	_, err := loopback.Dial(t.Context(), path)
	if cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), path+": start it, or name its --socket") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheEnvironmentNamesTheEndpoint(t *testing.T) {
	t.Setenv("RINGSIDE_SOCKET", "/run/mine.sock")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got := loopback.DefaultEndpoint(); got != "/run/mine.sock" {
		t.Errorf("the endpoint is %s", got)
	}
	t.Setenv("RINGSIDE_SOCKET", "")
	if got := loopback.DefaultEndpoint(); runtime.GOOS == "linux" && got != "/run/user/7/ringside/agent.sock" {
		t.Errorf("the endpoint is %s", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("XDG_CONFIG_HOME", "/home/x/.config")
	if got := loopback.DefaultEndpoint(); runtime.GOOS == "linux" && got != "/home/x/.config/ringside/agent.sock" {
		t.Errorf("the endpoint is %s", got)
	}
}

func TestAnotherUsersConnectionIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a program as somebody else")
	}
	dir := shortDir(t)
	path, program := filepath.Join(dir, "agent.sock"), filepath.Join(dir, "stranger")
	l := listen(t, path)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "welcome") // the child tells what it heard
			_ = conn.Close()
		}
	}()
	copyProgram(t, program)
	// Open to all: what keeps the stranger out is the kernel's word for who it is, whatever the modes say.
	for _, name := range []string{dir, path} {
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	for _, test := range []struct {
		as   *syscall.Credential
		want string
	}{{nil, `heard "welcome" <nil>`}, {&syscall.Credential{Uid: nobody, Gid: nobody}, `heard ""`}} {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = []string{dialVariable + "=" + path}
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: test.as}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), test.want) {
			t.Errorf("as %v: %q, %v; want %q", test.as, out, err, test.want)
		}
	}
}

// A service runs as a user of its own, and its computer's administrator speaks to it; other users still do not.
func TestAServiceIsSpokenToByTheAdministrator(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a program as somebody else")
	}
	dir := shortDir(t)
	path, program := filepath.Join(dir, "relay.sock"), filepath.Join(dir, "program")
	copyProgram(t, program)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	as := func(uid uint32, variable string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env, cmd.Dir = []string{variable + "=" + path}, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		return cmd
	}
	const service, nobody = 65533, 65534
	serving := as(service, serveVariable)
	in, err := serving.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := serving.StdoutPipe()
	if err == nil {
		err = serving.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "listens <nil>\n" {
		t.Fatalf("the service says %q, %v", line, err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // as above
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: `heard "welcome" <nil>`, service: `heard "welcome" <nil>`, nobody: `heard ""`} {
		out, err := as(uid, dialVariable).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("as user %d: %q, %v; want %q", uid, out, err, want)
		}
	}
	if err := errors.Join(in.Close(), serving.Wait()); err != nil {
		t.Error(err)
	}
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(to, data, 0o755) // the stranger must be able to run it
	}
	if err != nil {
		t.Fatal(err)
	}
}
