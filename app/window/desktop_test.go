package window_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/storetest"
)

// desktop is a real display with a window manager, the built program on it, and its agent's local API.
type desktop struct {
	*client.Client
	t     *testing.T
	dir   string
	start func() *exec.Cmd // the program, once more
}

// openDesktop starts the program against a sandbox. Without what it needs the test is skipped, or fails where it was required.
func openDesktop(t *testing.T, language string) *desktop {
	t.Helper()
	crm, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crm.Close(); err != nil {
			t.Error(err)
		}
	})
	return openDesktopAt(t, language, crm.URL())
}

// openDesktopAt is openDesktop with a CRM of the caller's.
func openDesktopAt(t *testing.T, language, crmURL string) *desktop {
	t.Helper()
	program := os.Getenv("RINGSIDE_WINDOW")
	for _, tool := range []string{"xdotool", "xterm", "wmctrl", "xprop", "xwininfo"} {
		if _, err := exec.LookPath(tool); err != nil || program == "" || os.Getenv("DISPLAY") == "" {
			missing := "needs a display, the built window in RINGSIDE_WINDOW, and " + tool + ": make test sets them up"
			if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "window") {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
	}
	d := &desktop{t: t, dir: t.TempDir()}
	profile := filepath.Join(d.dir, "profile.yaml")
	text := fmt.Sprintf("version: 1\nlanguage: %s\nagent: {name: Lin Yue, email: lin.yue@ringside.example}\nphone: {source: sim, extension: \"1001\"}\n"+
		"region: CN\ncrm: {connector: sandbox, params: {base_url: %q, token: \"keychain:crm\"}}\nwrapup: {outcomes: [Done, Later]}\n", language, crmURL)
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(d.dir, "a.sock")
	d.start = func() *exec.Cmd {
		cmd := exec.Command(program, "-profile", profile, "-state", filepath.Join(d.dir, "state"), "-socket", socket)
		cmd.Env = append(os.Environ(), "RINGSIDE_KEYCHAIN=env", "RINGSIDE_SECRET_CRM="+sandbox.DefaultToken, "RINGSIDE_SECRET_STORE_KEY="+storetest.Keys().Text())
		return cmd
	}
	cmd := d.start()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("the window was gone: %v\n%s", err, log.String())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the window did not end well: %v\n%s", err, log.String())
		}
	})
	d.Client = client.New(socket)
	t.Cleanup(d.Close)
	d.until("the window's page is alive and settled", func() bool {
		s, err := d.Status(t.Context())
		return err == nil && s.Window && s.CRM.State == wire.LinkUp && s.Phone.State == wire.LinkUp
	})
	d.until("the window is hidden", func() bool { return d.visible() == "" })
	return d
}

// until waits for something the desktop has no signal for; X and its window manager tell nothing to strangers.
func (d *desktop) until(what string, done func() bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			d.t.Fatalf("20 s went by and not: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ask runs a program of the desktop's and gives what it prints.
func (d *desktop) ask(name string, args ...string) string {
	out, err := exec.CommandContext(d.t.Context(), name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (d *desktop) do(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.CommandContext(d.t.Context(), name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// visible gives the window's id if it is on the screen.
func (d *desktop) visible() string {
	id, _, _ := strings.Cut(d.ask("xdotool", "search", "--onlyvisible", "--name", "^Ringside$"), "\n")
	return id
}

type geometry struct{ x, y, width, height int }

// geometry gives a window's place on the screen, without its frame.
func (d *desktop) geometry(which ...string) geometry {
	d.t.Helper()
	said := d.ask("xwininfo", which...)
	number := func(label string) int {
		_, rest, _ := strings.Cut(said, label)
		n, err := strconv.Atoi(strings.TrimSpace(rest[:max(0, strings.IndexByte(rest, '\n'))]))
		if err != nil {
			d.t.Fatalf("xwininfo says no %q: %s", label, said)
		}
		return n
	}
	return geometry{number("Absolute upper-left X:"), number("Absolute upper-left Y:"), number("Width:"), number("Height:")}
}

func (d *desktop) active() string { return d.ask("xdotool", "getactivewindow") }

// ring rings a known customer and waits until the window has painted the card.
func (d *desktop) ring(id string) string {
	d.t.Helper()
	event := cti.Event{Type: cti.Delivered, Side: cti.SideLocal, Call: cti.CallRef{Direction: cti.In, Refs: map[string]string{"id": id}},
		Remote: cti.Remote{Number: cti.Number{Raw: "13800138000"}}}
	if err := d.Feed(d.t.Context(), event); err != nil {
		d.t.Fatal(err)
	}
	leg := ""
	d.until("the card of call "+id+" is painted", func() bool {
		s, err := d.Snapshot(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, c := range s.Cards {
			if c.State == cti.Alerting {
				leg = c.Leg
			}
		}
		timing, err := d.Timing(d.t.Context(), leg)
		return err == nil && timing.PaintedMS >= 0
	})
	return leg
}

// abandon lets the caller give up and hides the window.
func (d *desktop) abandon(id string) {
	d.t.Helper()
	event := cti.Event{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"id": id}}, Cause: &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}}
	if err := d.Feed(d.t.Context(), event); err != nil {
		d.t.Fatal(err)
	}
	d.until("call "+id+" is over", func() bool {
		s, err := d.Status(d.t.Context())
		return err == nil && s.LiveCalls == 0
	})
	d.do("wmctrl", "-c", "Ringside")
	d.until("the window is hidden", func() bool { return d.visible() == "" })
}

// typist opens a terminal with the focus and gives its window, and what was typed into it so far.
func (d *desktop) typist() (window string, typed func() string) {
	d.t.Helper()
	file := filepath.Join(d.dir, "typed")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "xterm", "-T", "work", "-geometry", "60x12+40+40", "-e", "sh", "-c", `stty raw -echo; printf . > "$0"; cat >> "$0"`, file)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
	})
	read := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			return ""
		}
		return string(text)
	}
	d.until("the terminal takes what is typed", func() bool { return read() == "." })
	d.until("the terminal is a window", func() bool {
		window = d.ask("xdotool", "search", "--onlyvisible", "--name", "^work$")
		return window != ""
	})
	d.do("xdotool", "windowactivate", "--sync", window)
	d.until("the terminal has the focus", func() bool { return d.active() == window })
	return window, func() string { return strings.TrimPrefix(read(), ".") }
}
