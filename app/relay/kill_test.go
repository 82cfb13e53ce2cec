package relay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/relayed"
)

// childVariable makes the test binary a relay with that state folder; addressVariable says where it listens.
const (
	childVariable   = "RELAY_TEST_STATE"
	addressVariable = "RELAY_TEST_ADDRESS"
)

// child runs a relay until it is killed; it prints its address.
func child(state string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s := full()
	s.State = state
	l, err := net.Listen("tcp", os.Getenv(addressVariable))
	fail(err)
	control, err := loopback.Listen(relay.Endpoint(state))
	fail(err)
	r, err := relay.New(relay.Config{Settings: s, Log: slog.New(slog.DiscardHandler), Listener: l, Control: control})
	fail(err)
	fmt.Println(l.Addr())
	fail(r.Run(context.Background()))
}

// process is a relay in a process of its own.
type process struct {
	t       *testing.T
	state   string
	address string
	cmd     *exec.Cmd
}

func newProcess(t *testing.T) *process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the path of the state folder is the name of a socket here")
	}
	state, err := os.MkdirTemp("", "rs") // a test's own folder may have a longer name than a socket's path may
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, state: state, address: "127.0.0.1:0"}
	t.Cleanup(func() {
		p.kill()
		if err := os.RemoveAll(state); err != nil {
			t.Error(err)
		}
	})
	p.start()
	return p
}

func (p *process) start() {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+p.state, addressVariable+"="+p.address)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = cmd
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	p.address = strings.TrimSpace(line)
}

func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // SIGKILL: nothing is written any more
	_ = p.cmd.Wait()         // says that it was killed
	p.cmd = nil
}

func (p *process) ask(o relay.Order) relay.Report {
	p.t.Helper()
	report, err := relay.Ask(p.t.Context(), p.state, o)
	if err != nil {
		p.t.Fatal(err)
	}
	return report
}

func (p *process) happens(e cti.Event, ref string) {
	p.t.Helper()
	e.Call.Refs = map[string]string{"sim_call": ref}
	p.ask(relay.Order{Verb: "event", What: "1001", Event: &e})
}

func (p *process) enrol() *memory {
	p.t.Helper()
	keep := &memory{}
	if _, err := relayed.Enrol(p.t.Context(), relayed.Options{Address: p.address, Keep: keep}, p.ask(relay.Order{Verb: "enrol", What: "1001"}).Code); err != nil {
		p.t.Fatal(err)
	}
	return keep
}

func (p *process) source(keep *memory) *relayed.Source {
	p.t.Helper()
	return (&world{t: p.t}).through(p.address, "1001", keep)
}

var ring = cti.Event{Type: cti.Delivered, Side: cti.SideLocal, Remote: cti.Remote{Number: cti.Number{Raw: "13800138000"}}}

// The relay is killed in the middle of a call while the workstation is away; the end of the call was told before. When all are back the
// workstation has the call from ring to end, once.
func TestARelayThatIsKilledTellsWhatItHadHeard(t *testing.T) {
	p := newProcess(t)
	keep, witness := p.enrol(), p.enrol()
	away := (&world{t: t}).station(p.source(keep))
	seen := (&world{t: t}).station(p.source(witness))
	away.awaitEvents(cti.Snapshot, 1)
	p.happens(ring, "a")
	away.awaitCall("13800138000", cti.Alerting)
	away.stop()
	p.happens(cti.Event{Type: cti.Established}, "a")
	p.happens(cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}}, "a")
	other := ring
	other.Remote.Raw = "13900139000"
	p.happens(other, "b")
	seen.awaitCall("13800138000", cti.StateClosed)
	seen.awaitCall("13900139000", cti.Alerting)
	p.kill()
	p.start()
	away.run()
	first := away.awaitCall("13800138000", cti.StateClosed)
	if first.Cause.Code != cti.CauseNormal || first.Cause.By != cti.ByRemote || first.EstablishedAt.IsZero() {
		t.Errorf("the call that ended before the relay was killed: %+v", first)
	}
	second := away.awaitCall("13900139000", cti.StateClosed) // the simulated exchange died with the relay, and has no calls
	if second.Cause.Code != cti.CauseUnknown || second.DeliveredAt.IsZero() {
		t.Errorf("the call that was lost with the exchange: %+v", second)
	}
	seen.awaitCall("13900139000", cti.StateClosed)
	for _, s := range []*station{away, seen} {
		s.mu.Lock()
		if n := count(s.events, cti.Delivered); n != 2 || len(s.calls) != 2 {
			t.Errorf("%d rings and %d calls, want 2 of each: %v", n, len(s.calls), types(s.events))
		}
		s.mu.Unlock()
	}
	p.happens(ring, "c")
	away.await("a call after it", func() bool { return len(away.calls) == 3 })
}

// Numbers are never given twice, not even those that were lost with the power: here the whole journal is.
func TestARelayThatLostItsJournalSaysSo(t *testing.T) {
	p := newProcess(t)
	s := (&world{t: t}).station(p.source(p.enrol()))
	s.awaitEvents(cti.Snapshot, 1)
	for _, ref := range []string{"a", "b", "c"} {
		p.happens(ring, ref)
	}
	s.await("three calls", func() bool { return len(s.calls) == 3 })
	p.kill()
	if err := os.RemoveAll(p.state + "/events"); err != nil {
		t.Fatal(err)
	}
	p.start()
	s.awaitEvents(cti.SourceUp, 2)
	other := ring
	other.Remote.Raw = "13900139000"
	p.happens(other, "d")
	s.awaitCall("13900139000", cti.Alerting) // its number would have been one that the workstation has
}

func TestTheStateIsSealedAndThisUsersAlone(t *testing.T) {
	p := newProcess(t)
	s := (&world{t: t}).station(p.source(p.enrol()))
	p.happens(ring, "a")
	s.awaitCall("13800138000", cti.Alerting)
	err := walk(p.state, func(path string, info os.FileInfo, text string) {
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got&^want != 0 && info.Mode().IsRegular() || info.IsDir() && path == p.state && got != want {
			t.Errorf("%s has mode %o", path, got)
		}
		if strings.Contains(text, "13800138000") || strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s is in clear text", path)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func walk(dir string, each func(path string, info os.FileInfo, text string)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	each(dir, info, "")
	for _, e := range entries {
		path := dir + "/" + e.Name()
		if e.IsDir() {
			if err := walk(path, each); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := []byte(nil)
		if info.Mode().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		each(path, info, string(text))
	}
	return nil
}

func TestTwoRelaysDoNotShareAState(t *testing.T) {
	w := newWorld(t, full())
	cfg := w.cfg
	_, err := relay.New(cfg)
	if cti.KindOf(err) != cti.Conflict || !strings.Contains(cti.MessageOf(err), "another relay runs") {
		t.Errorf("a second relay with the same state: %v", err)
	}
}

func TestALostKeyIsSaidAndNotReplaced(t *testing.T) {
	w := newWorld(t, full())
	w.stop()
	key := w.cfg.Settings.State + "/key"
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := relay.New(w.cfg); cti.KindOf(err) != cti.Auth || !strings.Contains(cti.MessageOf(err), "is gone") {
		t.Errorf("without its key: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := errors.Join(os.WriteFile(key, text, 0o600), os.Chmod(key, 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, err := relay.New(w.cfg); cti.KindOf(err) != cti.Denied || !strings.Contains(fmt.Sprint(err), "others may read it") {
			t.Errorf("with a key that others may read: %v", err)
		}
	}
	if err := os.WriteFile(key, []byte("SGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGU="), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := relay.New(w.cfg); cti.KindOf(err) != cti.Auth || !strings.Contains(cti.MessageOf(err), "sealed with another key") {
		t.Errorf("with another key: %v", err)
	}
}
