//go:build linux

package hook_test

import (
	"context"
	"errors"
	"fmt"
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
	program, err := exec.LookPath("twinkle")
	if err != nil {
		missing(t, "twinkle is not installed (Debian and Ubuntu: apt-get install --no-install-recommends twinkle)")
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
	cmd := exec.CommandContext(context.Background(), program, "-c", "-f", "agent") //nolint:gosec // the phone under test
	cmd.Env = append(os.Environ(), asHook+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the programs it runs end with it
	if _, err := cmd.StdinPipe(); err != nil { // open until it ends, or it would end at once
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-ended
		if said, err := os.ReadFile(filepath.Join(home, ".twinkle", "twinkle.log")); t.Failed() {
			t.Logf("Twinkle's log (%v):\n%s", err, said)
		}
	})
	awaitSocket(t, filepath.Join(home, ".twinkle", ".cmdsock"))
	return s, fmt.Sprintf("sip:agent@127.0.0.1:%d", port)
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

// freePort finds a SIP port, and two for sound, that nobody has.
func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	addr, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		t.Fatal("a UDP port without an address")
	}
	return addr.Port
}

func writeConfig(t *testing.T, home string, port int, other *phonetest.Running) {
	t.Helper()
	domain := "127.0.0.1"
	if other != nil {
		domain = other.SIPAddress() // Twinkle completes what is dialled, and where a call goes, by it
	}
	profile := "user_name=agent\nuser_domain=" + domain + "\nuser_display=Agent Zhao\nregister_at_startup=no\nsip_transport=udp\n"
	system := fmt.Sprintf("dev_ringtone=alsa:null\ndev_speaker=alsa:null\ndev_mic=alsa:null\nvalidate_audio_dev=no\nplay_ringtone=no\nplay_ringback=no\n"+
		"gui_use_systray=no\ngui_auto_show_incoming=no\ncall_waiting=yes\nstart_user_profile=agent\nsip_port=%d\nrtp_port=%d\n"+
		"sip_max_udp_size=65535\nsip_max_tcp_size=1000000\nshow_display=yes\n", port, 32000+port%8000*3)
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
