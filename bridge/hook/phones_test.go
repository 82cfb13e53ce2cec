//go:build linux

package hook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/hook/setup"
	"ringside.dev/ringside/bridge/sourcetest"
)

// phoneTimeout bounds what one real phone is asked to do.
const phoneTimeout = 10 * time.Second

// asHook makes this test's program ringhook: a real phone runs it.
const asHook = "RINGSIDE_TEST_AS_HOOK"

func TestMain(m *testing.M) {
	if os.Getenv(asHook) != "" {
		os.Exit(leave.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// missing skips a test for want of a phone, unless RINGSIDE_REQUIRE says that phones must be there.
func missing(t *testing.T, why any) {
	t.Helper()
	if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "phones") {
		t.Fatal(why)
	}
	t.Skip(why)
}

// realTwinkle starts Debian's Twinkle without its window, set up by our own setup, with an agent's door that wakes the source. other is the phone
// that takes what is dialled; nil: nobody.
func realTwinkle(t *testing.T, other *phonetest.Running) (s *hook.Source, aor string) {
	t.Helper()
	s, aor, _, out := started(t, other, "twinkle", "-c", "-f", "agent")
	go func() { _, _ = io.Copy(io.Discard, out) }() // or it would wait for a reader
	awaitSocket(t, filepath.Join(os.Getenv("HOME"), ".twinkle", ".cmdsock"))
	return s, aor
}

// started starts one of Debian's two programs of Twinkle, and gives what it reads and says.
func started(t *testing.T, other *phonetest.Running, name string, args ...string) (s *hook.Source, aor string, in io.Writer, out io.Reader) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed (Debian and Ubuntu: apt-get install --no-install-recommends "+name+")")
	}
	home := t.TempDir()
	box := filepath.Join(home, "hooks")
	socket := filepath.Join(t.TempDir(), "s")
	for name, value := range map[string]string{"HOME": home, "RINGSIDE_HOOKS": box, "RINGSIDE_SOCKET": socket, "QT_QPA_PLATFORM": "offscreen"} {
		t.Setenv(name, value)
	}
	if s, err = hook.New("twinkle", "", "1001", nil); err != nil {
		t.Fatal(err)
	}
	openDoor(t, socket, s.Look)
	port := freePort(t)
	writeConfig(t, home, port, other)
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Env = append(os.Environ(), asHook+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the programs it runs end with it
	if in, err = cmd.StdinPipe(); err != nil {            // open until it ends, or it would end at once
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = cmd.Wait()                                      // it was killed
		if said, err := os.ReadFile(filepath.Join(home, ".twinkle", "twinkle.log")); t.Failed() {
			t.Logf("Twinkle's log (%v):\n%s", err, said)
		}
	})
	return s, fmt.Sprintf("sip:agent@127.0.0.1:%d", port), in, out
}

// openDoor is the agent's end of a knock.
func openDoor(t *testing.T, socket string, look func()) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: phoneTimeout, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/hook" || r.Host != "ringside" {
			t.Errorf("the phone's program asked %s %s of %s", r.Method, r.URL.Path, r.Host)
		}
		look()
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), ignoreClosed(<-served)); err != nil {
			t.Error(err)
		}
	})
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// freePort finds a port that nobody has, for SIP over UDP and TCP; it is below those the system lends out.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		port := 10000 + 10*rand.IntN(900)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			err = l.Close()
		}
		if errors.Join(err, u.Close()) == nil {
			return port
		}
	}
	t.Fatal("no free port in 50 tries")
	return 0
}

func writeConfig(t *testing.T, home string, port int, other *phonetest.Running) {
	t.Helper()
	domain := "127.0.0.1"
	if other != nil {
		domain = behind(t, other.SIPAddress()) // Twinkle completes what is dialled, and where a call goes, by it
	}
	profile := "user_name=agent\nuser_domain=" + domain + "\nuser_display=Agent Zhao\nregister_at_startup=no\nsip_transport=udp\n"
	system := fmt.Sprintf("dev_ringtone=alsa:null\ndev_speaker=alsa:null\ndev_mic=alsa:null\nvalidate_audio_dev=no\nplay_ringtone=no\nplay_ringback=no\n"+
		"gui_use_systray=no\ngui_auto_show_incoming=no\ncall_waiting=yes\nstart_user_profile=agent\nsip_port=%d\nrtp_port=%d\n"+
		"sip_max_udp_size=65535\nsip_max_tcp_size=1000000\nshow_display=yes\n", port, port+2)
	dir := filepath.Join(home, ".twinkle")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"agent.cfg": profile, "twinkle.sys": system} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := setup.Of("twinkle", self)
	if err != nil {
		t.Fatal(err)
	}
	file, err := p.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(file); err != nil {
		t.Fatal(err)
	}
}

// awaitSocket waits until Twinkle takes commands: nothing tells when another process begins to listen, so connecting is tried again.
func awaitSocket(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phoneTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close() // it was only to see
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Twinkle did not start: %v", err)
		case <-again.C:
		}
	}
}

var callers atomic.Int64

// phone starts a real phone that plays another party.
func phone(t *testing.T, p phonetest.Phone) *phonetest.Running {
	t.Helper()
	r, err := phonetest.Start(context.Background(), p)
	if errors.Is(err, phonetest.ErrNotInstalled) {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of phone %s:\n%s", p.User, r.Log())
		}
	})
	return r
}

func act(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phoneTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestARealTwinkleConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		six := phone(t, phonetest.Phone{User: "600", Display: "Six Hundred"})
		s, aor := realTwinkle(t, six)
		return sourcetest.Rig{Source: s, NoSnapshot: true,
			Ring: func(t *testing.T, name string) sourcetest.Caller {
				t.Helper()
				if len(name) > 100 {
					t.Skip("no phone sends such a name")
				}
				user := fmt.Sprintf("1380013%04d", callers.Add(1))
				c := phone(t, phonetest.Phone{User: user, Display: name})
				act(t, func(ctx context.Context) error { return c.Dial(ctx, aor) })
				return sourcetest.Caller{Number: user, Hangup: func(t *testing.T) { t.Helper(); act(t, c.Hangup) }}
			},
			Reachable: func(*testing.T) sourcetest.Callee {
				return sourcetest.Callee{Target: "600", Number: "600",
					Answer: func(t *testing.T) { t.Helper(); act(t, six.Answer) },
					Refuse: func(t *testing.T) { t.Helper(); act(t, six.AwaitRing); act(t, six.Hangup) },
					Hangup: func(t *testing.T) { t.Helper(); act(t, six.Hangup) }}
			},
		}
	})
}

// TestARealTwinkleConsoleTellsItsCalls: the program without a window takes commands from its terminal only, so the suite cannot drive it.
func TestARealTwinkleConsoleTellsItsCalls(t *testing.T) {
	six := phone(t, phonetest.Phone{User: "600", Display: "Six Hundred"})
	s, aor, in, out := started(t, six, "twinkle-console", "agent.cfg")
	console := bufio.NewReader(out)
	say := func(command string) {
		t.Helper()
		if _, err := io.WriteString(in, command+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	events := make(chan cti.Event, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(e cti.Event) { events <- e }) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	expect := func(typ cti.EventType, number string, why cti.Cause) {
		t.Helper()
		select {
		case e := <-events:
			got := cti.Cause{}
			if e.Cause != nil {
				got = cti.Cause{Code: e.Cause.Code, By: e.Cause.By}
			}
			if e.Type != typ || number != "" && e.Remote.Raw != number || got != why || typ != cti.SourceUp && e.Call.Refs[cti.RefSIPCallID] == "" {
				t.Errorf("%s of %q, cause %+v; want %s of %q, cause %+v", e.Type, e.Remote.Raw, got, typ, number, why)
			}
		case <-time.After(phoneTimeout):
			t.Fatalf("no %s came", typ)
		}
	}
	expect(cti.SourceUp, "", cti.Cause{})
	for said := ""; !strings.HasSuffix(said, "Twinkle> "); {
		b, err := console.ReadByte()
		if err != nil {
			t.Fatalf("twinkle-console ended: %v; it said %s", err, said)
		}
		said += string(b)
	}
	go func() { _, _ = io.Copy(io.Discard, console) }() // or it would wait for a reader

	caller := phone(t, phonetest.Phone{User: "13800138000", Display: "Chen"})
	act(t, func(ctx context.Context) error { return caller.Dial(ctx, aor) })
	expect(cti.Delivered, "13800138000", cti.Cause{})
	say("answer")
	expect(cti.Established, "13800138000", cti.Cause{})
	act(t, caller.Hangup)
	expect(cti.Cleared, "13800138000", cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote})

	act(t, func(ctx context.Context) error { return caller.Dial(ctx, aor) })
	expect(cti.Delivered, "13800138000", cti.Cause{})
	act(t, caller.Hangup)
	expect(cti.Cleared, "13800138000", cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote})

	act(t, func(ctx context.Context) error { return caller.Dial(ctx, aor) })
	expect(cti.Delivered, "13800138000", cti.Cause{})
	say("reject")
	expect(cti.Cleared, "13800138000", cti.Cause{Code: cti.CauseRejected, By: cti.ByLocal})

	say("call 600")
	expect(cti.Originated, "600", cti.Cause{})
	act(t, six.Answer)
	expect(cti.Established, "600", cti.Cause{})
	say("bye")
	expect(cti.Cleared, "600", cti.Cause{Code: cti.CauseNormal, By: cti.ByLocal})
}
