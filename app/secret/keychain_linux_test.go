package secret_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/secret"
)

// inside names the test to run in a child process of this test binary, which has a session bus of its own.
const inside = "RINGSIDE_TEST_INSIDE"

// A real gnome-keyring under a session bus of its own, in a home of its own, so that nobody's keyring is touched.
func TestGnomeKeyringKeepsValuesExactly(t *testing.T) {
	if os.Getenv(inside) == "" {
		inSession(t, `printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec "$0" "$@"`)
		return
	}
	k := open(t, os.Getenv)
	for name, value := range awkward() {
		if err := k.Set("real-"+name, value); err != nil {
			t.Errorf("set %s: %v", name, err)
			continue
		}
		got, err := k.Get("real-" + name)
		if err != nil || got != value {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, value)
		}
		if err := k.Delete("real-" + name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
		if _, err := k.Get("real-" + name); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("get %s after delete: %v", name, err)
		}
	}
}

// A secret that was there yesterday must not be told to be missing only because the keyring is locked today.
func TestGnomeKeyringLocked(t *testing.T) {
	if os.Getenv(inside) == "" {
		inSession(t, `printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
			dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets \
				org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
			exec "$0" "$@"`)
		return
	}
	_, err := open(t, os.Getenv).Get("real-token")
	t.Logf("%v", err)
	if !errors.Is(err, secret.ErrLocked) && !errors.Is(err, secret.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// A daemon in which nobody ever made a keyring, as after the first sign-in over ssh.
func TestGnomeKeyringWithoutKeyring(t *testing.T) {
	if os.Getenv(inside) == "" {
		inSession(t, `exec "$0" "$@"`)
		return
	}
	if err := open(t, os.Getenv).Set("a", "b"); !errors.Is(err, secret.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// bareBus is a session bus that can start no service.
const bareBus = `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
	<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// A session bus and no daemon, as on a server or in a container.
func TestSessionWithoutDaemon(t *testing.T) {
	if os.Getenv(inside) == "" {
		config := filepath.Join(t.TempDir(), "bus.conf")
		if err := os.WriteFile(config, []byte(bareBus), 0o600); err != nil {
			t.Fatal(err)
		}
		inSession(t, `exec "$0" "$@"`, "--config-file="+config)
		return
	}
	if _, err := open(t, os.Getenv).Get("a"); !errors.Is(err, secret.ErrNoKeychain) {
		t.Errorf("got %v", err)
	}
}

// inSession runs the calling test again inside dbus-run-session, after the commands of script.
func inSession(t *testing.T, script string, busFlags ...string) {
	t.Helper()
	for _, tool := range []string{"dbus-run-session", "gnome-keyring-daemon", "dbus-send"} {
		if _, err := exec.LookPath(tool); err != nil {
			if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "keychain") {
				t.Fatalf("RINGSIDE_REQUIRE names keychain: %v; install gnome-keyring and dbus", err)
			}
			t.Skipf("no real keychain to test with: %v; install gnome-keyring and dbus", err)
		}
	}
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := slices.Concat(busFlags, []string{"--", "sh", "-c", script, os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v"})
	cmd := exec.CommandContext(ctx, "dbus-run-session", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, inside + "=" + t.Name()}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// A bus that takes the connection and then says nothing.
func TestHungBusTimesOut(t *testing.T) {
	if os.Getenv(inside) != "" {
		_, err := open(t, os.Getenv).Get("a")
		if !errors.Is(err, secret.ErrTimeout) {
			t.Errorf("got %v", err)
		}
		return
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "bus")
	bus, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = []string{"HOME=" + t.TempDir(), "DBUS_SESSION_BUS_ADDRESS=unix:path=" + socket, inside + "=" + t.Name()}
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if took := time.Since(start); took > 15*time.Second || err != nil {
		t.Errorf("after %s: %v\n%s", took, err, out)
	}
}
