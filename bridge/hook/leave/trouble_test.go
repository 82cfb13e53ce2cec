//go:build unix

package leave_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// asHook makes this test's program ringhook; its value is how many bytes of a file there is room for, or nothing to limit.
const (
	asHook = "RINGSIDE_TEST_AS_HOOK"
	roomy  = "roomy"
)

func TestMain(m *testing.M) {
	room := os.Getenv(asHook)
	if room == "" {
		os.Exit(m.Run())
	}
	if room != roomy {
		narrow(room)
	}
	os.Exit(leave.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// narrow makes this process's writes fail beyond so many bytes of a file, as those of a full disk do.
func narrow(room string) {
	n, err := strconv.ParseUint(room, 10, 32)
	signal.Ignore(syscall.SIGXFSZ)
	if err = errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n})); err != nil {
		panic(err)
	}
}

// hang is how long a program may take that must wait for nobody: only one that does wait needs it.
const hang = 20 * time.Second

// ringhook runs this test's program, and fails the test when it waits for somebody.
func ringhook(t *testing.T, room string, args ...string) leaving {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asHook+"="+room, "GORACE=atexit_sleep_ms=0"), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(hang, func() {
		t.Errorf("the phone waited for it for %v", hang)
		_ = cmd.Process.Kill() // it may have ended meanwhile
	})
	err = cmd.Wait()
	late.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return leaving{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

var aRing = []string{"--source", "o", "--event", "ring", "--number", "13800138000"}

// agents are the states an agent may be in that take nothing.
var agents = map[string]func(t *testing.T, socket string){
	"away": func(*testing.T, string) {},
	"dead, its socket still there": func(t *testing.T, socket string) {
		t.Helper()
		l := listen(t, socket)
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	},
	"taking connections and reading nothing": func(t *testing.T, socket string) {
		t.Helper()
		l := listen(t, socket)
		t.Cleanup(func() { _ = l.Close() }) // the test is over
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }() // the test is over
			}
		}()
	},
	"hanging, with as many at its door as there is room for": func(t *testing.T, socket string) {
		t.Helper()
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}), syscall.Listen(fd, 1))
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(fd) }) // the test is over
		for range 100 {
			waiting, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Close(waiting) }) // the test is over
			if err := syscall.SetNonblock(waiting, true); err != nil {
				t.Fatal(err)
			}
			if syscall.Connect(waiting, &syscall.SockaddrUnix{Name: socket}) != nil {
				return // no room any more
			}
		}
		t.Fatal("there is room for a hundred")
	},
	"no agent but a file": func(t *testing.T, socket string) {
		t.Helper()
		if err := os.WriteFile(socket, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	},
	"no agent but a pipe": func(t *testing.T, socket string) {
		t.Helper()
		if err := syscall.Mkfifo(socket, 0o600); err != nil {
			t.Fatal(err)
		}
	},
}

func listen(t *testing.T, socket string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestThePhoneNeverWaitsForAnAgentAndTheEventIsKept(t *testing.T) {
	for name, stand := range agents {
		t.Run(name, func(t *testing.T) {
			box := post(t)
			stand(t, os.Getenv("RINGSIDE_SOCKET"))
			if got := ringhook(t, roomy, aRing...); got != (leaving{}) {
				t.Errorf("%+v, want a silent success", got)
			}
			if events := left(t, box); len(events) != 1 || events[0].Number != "13800138000" {
				t.Errorf("left %+v", events)
			}
		})
	}
}

func TestAnAgentIsToldByOneRequest(t *testing.T) {
	post(t)
	l := listen(t, os.Getenv("RINGSIDE_SOCKET"))
	t.Cleanup(func() { _ = l.Close() }) // the test is over
	if got := ringhook(t, roomy, aRing...); got != (leaving{}) {
		t.Errorf("%+v", got)
	}
	conn, err := l.Accept() // the program has ended: what it wrote is there all the same
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // read whole
	asked, err := io.ReadAll(conn)
	if err != nil || string(asked) != "POST /v1/hook HTTP/1.1\r\nHost: ringside\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" {
		t.Errorf("asked %q, %v", asked, err)
	}
}

func TestADiskWithoutRoomIsToldAndThePhoneGoesOn(t *testing.T) {
	for _, room := range []string{"0", "40"} { // nothing, and half an event
		box := post(t)
		got := ringhook(t, room, aRing...)
		if got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "the event is lost: ") || strings.Contains(got.stderr, "13800138000") {
			t.Errorf("room for %s bytes: %+v", room, got)
		}
		entries, err := os.ReadDir(box.Dir())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.Name() != "hook.log" {
				t.Errorf("room for %s bytes: %s was left", room, entry.Name())
			}
		}
		if got := ringhook(t, roomy, aRing...); got != (leaving{}) || len(left(t, box)) != 1 {
			t.Errorf("with room again: %+v, %d events", got, len(left(t, box)))
		}
	}
}

func TestAFolderThatCannotBeIsToldAndThePhoneGoesOn(t *testing.T) {
	box := post(t)
	if err := os.WriteFile(box.Dir(), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := ringhook(t, roomy, aRing...)
	if got.code != 0 || !strings.Contains(got.stderr, "the event is lost: ") {
		t.Errorf("%+v", got)
	}
}

func TestWhatWentWrongIsInTheLogWithoutTheNumberAndTheLogIsBounded(t *testing.T) {
	box := post(t)
	if problems, err := leave.Problems(box.Dir()); err != nil || problems != nil {
		t.Errorf("without a log: %q, %v", problems, err)
	}
	if err := os.MkdirAll(box.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(box.Dir(), "hook.log")
	if err := os.WriteFile(log, bytes.Repeat([]byte("an old line\n"), 6000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{aRing, {"--source", "o", "--event", "end", "--number", "13800138000"}} {
		if got := ringhook(t, "100", args...); got.code != 0 || !strings.Contains(got.stderr, "the event is lost") {
			t.Fatalf("%+v", got)
		}
	}
	problems, err := leave.Problems(box.Dir())
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], " o ring: the event is lost: ") || strings.Contains(problems[0], "13800138000") {
		t.Errorf("%q, %v", problems, err)
	}
	if info, err := os.Stat(log); err != nil || info.Size() > 100 {
		t.Errorf("the log holds %v, %v", info, err)
	}
}

func TestAnEventIsKeptToThisUser(t *testing.T) {
	box := post(t)
	run(nil, aRing...)
	names, err := box.List()
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	for path, want := range map[string]os.FileMode{box.Dir(): 0o700, filepath.Join(box.Dir(), names[0]): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestAMailboxNobodyEmptiesKeepsTheNewest(t *testing.T) {
	box := post(t)
	old := time.Now().Add(-time.Hour)
	for i := range mailbox.MaxEvents {
		if _, err := box.Put(mailbox.Event{At: old.Add(time.Duration(i) * time.Millisecond), Source: "o", Event: "ring", Number: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := box.List()
	if err != nil {
		t.Fatal(err)
	}
	got := run(nil, aRing...)
	if got.code != 0 || !strings.Contains(got.stderr, "the oldest 1 events are dropped: Ringside has not run for long\n") {
		t.Errorf("%+v", got)
	}
	after, err := box.List()
	if err != nil || len(after) != mailbox.MaxEvents || after[0] != before[1] {
		t.Errorf("%d events, %v", len(after), err)
	}
	if problems, err := leave.Problems(box.Dir()); err != nil || len(problems) != 1 {
		t.Errorf("%q, %v", problems, err)
	}
}
