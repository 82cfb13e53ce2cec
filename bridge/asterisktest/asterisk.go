// Package asterisktest starts a real Asterisk on loopback, for tests: it owns its configuration, ports and process, a customer who calls over
// SIP, and the rig that lets a call source of Asterisk's run the conformance suite against it with real phones.
// It must not know the sources under test.
//
// Debian 12 has no Asterisk, so build/install.sh fetches the packages of another release into build/bin/asterisk and nothing is installed;
// RINGSIDE_ASTERISK names another such folder.
package asterisktest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/baresip/phonetest"
)

const (
	// Username is the manager's and ARI's user.
	Username = "ringside"

	// startTimeout is for all of a start: Asterisk is up in about 250 ms; CI machines stall.
	startTimeout = 20 * time.Second
	ready        = "Asterisk Ready"
)

// Options says what the Asterisk knows. The zero value knows nobody.
type Options struct {
	Phones map[string]string // extensions, 10XX, and the SIP addresses of their phones
	Trunk  string            // SIP address of the phone that plays everybody outside
	Secret string            // of the manager's and of ARI's user; empty: a random one
	Read   string            // what the manager's user may read; empty: call,agent,user,dialplan
	Write  string            // what they may command; empty: call,originate,agent,reporting,system

	ReadOnly    bool   // ARI's user may only look
	Certificate string // a file with the manager's certificate and key: there is an encrypted port, too
}

// Asterisk is a running Asterisk.
type Asterisk struct {
	Secret string // of the manager's and of ARI's user

	options Options
	program []string
	dir     string
	slot    *phonetest.Slot
	said    *log
	cmd     *exec.Cmd
	killed  time.Time
	ended   chan struct{}
}

// Start starts an Asterisk that is stopped when the test ends. Without one on this machine the test is skipped, unless RINGSIDE_REQUIRE names asterisk
// and it can be had: it is fetched for Linux on amd64 alone.
func Start(t *testing.T, o Options) *Asterisk {
	t.Helper()
	root := installed(t)
	slot, err := phonetest.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "asterisk-") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	a := &Asterisk{Secret: cmp.Or(o.Secret, rand.Text()), options: o, dir: dir, slot: slot, said: &log{}}
	t.Cleanup(func() {
		a.Kill(t)
		if err := errors.Join(os.RemoveAll(dir), slot.Close()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("Asterisk said:\n%s", a.said)
		}
	})
	libraries := filepath.Join(root, "usr", "lib", "x86_64-linux-gnu")
	a.program = []string{filepath.Join(libraries, "ld-linux-x86-64.so.2"), "--library-path", libraries, filepath.Join(root, "usr", "sbin", "asterisk"),
		"-C", filepath.Join(dir, "etc", "asterisk.conf")}
	if err := a.configure(root); err != nil {
		t.Fatal(err)
	}
	a.Revive(t)
	return a
}

// installed finds the folder with Asterisk's files.
func installed(t *testing.T) string {
	t.Helper()
	root := os.Getenv("RINGSIDE_ASTERISK")
	if root == "" {
		root = filepath.Join(project(), "build", "bin", "asterisk")
	}
	if _, err := os.Stat(filepath.Join(root, "usr", "sbin", "asterisk")); err != nil { //nolint:gosec // whoever runs the test names it
		const message = "there is no Asterisk here (build/install.sh asterisk)"
		if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "asterisk") && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return root
}

// project is the folder of the module that is tested; "" where there is none.
func project() string {
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(here, "go.mod")); err == nil {
			return here
		}
		up := filepath.Dir(here)
		if up == here {
			return ""
		}
		here = up
	}
}

// The ports, from the first of the slot.
const (
	portSIP = iota
	portAMI
	portAMIS
	portARI
)

func (a *Asterisk) address(port int) string { return fmt.Sprintf("127.0.0.1:%d", a.slot.First+port) }

// AMI is where the manager interface listens.
func (a *Asterisk) AMI() string { return a.address(portAMI) }

// AMIS is where it listens encrypted, with a Certificate.
func (a *Asterisk) AMIS() string { return a.address(portAMIS) }

// ARI is where the REST interface listens.
func (a *Asterisk) ARI() string { return a.address(portARI) }

// SIP is where phones and customers reach it, over UDP.
func (a *Asterisk) SIP() string { return a.address(portSIP) }

// URI is how a phone dials a number.
func (a *Asterisk) URI(number string) string { return "sip:" + number + "@" + a.SIP() }

// Kill ends Asterisk in the middle of whatever it does.
func (a *Asterisk) Kill(t *testing.T) {
	t.Helper()
	if a.cmd == nil {
		return
	}
	if err := a.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-a.ended
	a.killed = time.Now()
}

// Revive starts it again, in the same place, but not in the second in which it was killed: the ids of its channels are the time in seconds and a
// counter, so that they would be those of before.
func (a *Asterisk) Revive(t *testing.T) {
	t.Helper()
	<-time.After(time.Until(a.killed.Truncate(time.Second).Add(time.Second)))
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	up := a.said.await(ready)
	a.cmd = exec.Command(a.program[0], append(a.program[1:], "-f")...) //nolint:gosec // the program of this test
	a.cmd.Stdout, a.cmd.Stderr, a.cmd.Dir = a.said, a.said, a.dir
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan<- struct{}) { // ends with the process, which Kill waits for
		_ = cmd.Wait() // it is killed
		close(ended)
	}(a.cmd, a.ended)
	select {
	case <-up:
	case <-a.ended:
		t.Fatalf("Asterisk ended at once:\n%s", a.said)
	case <-ctx.Done():
		t.Fatalf("Asterisk did not start:\n%s", a.said)
	}
	if refused := a.said.find("declined to load", "Error loading module"); refused != "" {
		t.Fatalf("Asterisk is not whole: %s", refused)
	}
	a.said.forget() // the modules
	for _, port := range []int{portAMI, portARI} {
		conn, err := net.Dial("tcp", a.address(port))
		if err != nil {
			t.Fatalf("%v\n%s", err, a.said)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// CLI gives a command to Asterisk's console, and gives what it answers.
func (a *Asterisk) CLI(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, a.program[0], append(a.program[1:], "-rx", command)...).CombinedOutput() //nolint:gosec // the program of this test
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// log keeps the end of what Asterisk said, and watches for a line.
type log struct {
	mu     sync.Mutex
	text   []byte
	wanted string
	seen   chan struct{}
}

const maxLog = 256 << 10

// await gives a channel that is closed when this is said from now on.
func (l *log) await(text string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted, l.seen = text, make(chan struct{})
	return l.seen
}

func (l *log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = nil
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if l.wanted != "" && bytes.Contains(l.text, []byte(l.wanted)) {
		l.wanted = ""
		close(l.seen)
	}
	if extra := len(l.text) - maxLog; extra > 0 {
		l.text = append([]byte(nil), l.text[extra:]...)
	}
	return len(p), nil
}

// find gives the first line with one of these in it.
func (l *log) find(texts ...string) string {
	for line := range strings.Lines(l.String()) {
		for _, text := range texts {
			if strings.Contains(line, text) {
				return line
			}
		}
	}
	return ""
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
