// Package phonetest starts real baresip phones on loopback, for tests and for the demo: it owns their configuration, ports and
// processes, and a small remote control for the phones that play the other party.
// It must not know the call source under test: its control speaks ctrl_tcp by itself, so that both cannot be wrong in the same way.
package phonetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// The times of a phone's life.
const (
	startTimeout = 10 * time.Second       // a phone is up in about 30 ms; CI machines stall
	pollEvery    = 10 * time.Millisecond  // baresip has no signal for "ready" but that its port accepts
	stopGrace    = 500 * time.Millisecond // to say BYE; it would take 32 s if the far end is gone
)

// ErrNotInstalled means there is no baresip here; Debian and Ubuntu have it in the package baresip-core.
var ErrNotInstalled = errors.New("baresip is not installed (Debian and Ubuntu: apt-get install --no-install-recommends baresip-core)")

// Phone says which phone to start; only User is required.
type Phone struct {
	User        string // user part of its address: letters, digits and _.+-
	Display     string // the name it shows to others; no quotes, backslashes, semicolons or angle brackets
	Also        string // user part of a second account, as User
	Meter       bool   // it measures what it hears: see AwaitMuted
	BrokenAudio bool   // its microphone does not work: it accepts an answer, and nothing follows
	Binary      string // default: baresip, from PATH
	Modules     string // folder of its modules; default: the usual places
}

// Running is a started phone. Its methods may be called concurrently, but Kill and Revive only by themselves.
type Running struct {
	phone Phone
	slot  *Slot
	dir   string
	cmd   *exec.Cmd
	log   *record
	ended chan struct{}
	err   error // of the process; valid once ended

	control *control
	stop    sync.Once
	stopErr error
}

// Start starts a phone and returns when its ctrl_tcp accepts connections, after 10 s at most. The phone is killed when ctx ends;
// Stop must be called all the same. The error wraps ErrNotInstalled when there is no baresip.
func Start(ctx context.Context, p Phone) (*Running, error) {
	if p.Binary == "" {
		p.Binary = "baresip"
	}
	if _, err := exec.LookPath(p.Binary); err != nil {
		return nil, fmt.Errorf("phonetest: %w: %w", ErrNotInstalled, err)
	}
	lib, err := modules(p.Modules)
	if err != nil {
		return nil, err
	}
	s, err := Reserve()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ringside-phone-")
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r := &Running{phone: p, slot: s, dir: dir, log: &record{}, ended: make(chan struct{})}
	r.control = &control{address: r.Address()}
	c := config{Phone: p, Poll: "poll", Modules: lib, SIP: s.First, Control: s.First + ctlOffset, RTPFrom: rtpFrom, RTPTo: rtpTo}
	if runtime.GOOS == "linux" {
		c.Poll = "epoll"
	}
	if err := c.write(dir); err != nil {
		return nil, errors.Join(err, r.cleanUp())
	}
	if err := r.run(ctx); err != nil {
		return nil, errors.Join(err, r.cleanUp())
	}
	if err := r.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("phonetest: start %s: %w; its log: %s", p.User, err, r.Log()), r.Stop())
	}
	return r, nil
}

func (r *Running) run(ctx context.Context) error {
	r.cmd = exec.CommandContext(ctx, r.phone.Binary, "-f", r.dir) //nolint:gosec // the test names the phone
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.Dir = r.dir
	if err := r.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, ended chan<- struct{}) { // ends with the process, which Stop waits for
		r.err = cmd.Wait()
		close(ended)
	}(r.cmd, r.ended)
	return nil
}

// ready waits until the control port accepts, and until it is this phone that answers there.
func (r *Running) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		conn, err := net.Dial("tcp", r.Address())
		if err == nil {
			return r.isMine(ctx, conn)
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it ended at once: %w", r.err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-again.C:
		}
	}
}

func (r *Running) isMine(ctx context.Context, conn net.Conn) error {
	s := newSession(conn)
	defer s.close()
	data, err := s.command(ctx, "reginfo", "")
	if err == nil && !bytes.Contains([]byte(data), []byte(r.AOR())) {
		err = errors.New("another phone answers on its port")
	}
	return err
}

// Address is where its ctrl_tcp listens. It serves one client: a phone that is the agent's must not be driven by the methods here
// while a call source is connected to it.
func (r *Running) Address() string { return addr(r.slot.First + ctlOffset) }

// SIPAddress is where it takes SIP, over UDP and TCP.
func (r *Running) SIPAddress() string { return addr(r.slot.First) }

// AOR is its SIP address, to be dialled by others.
func (r *Running) AOR() string { return "sip:" + r.phone.User + "@" + r.SIPAddress() }

// Log is what the phone printed so far, its last 64 KiB.
func (r *Running) Log() string { return r.log.String() }

// Kill ends the phone in the middle of whatever it does, and waits for its end.
func (r *Running) Kill() error {
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-r.ended
	r.control.close()
	return nil
}

// Revive starts a phone that was killed again, at the same address; ctx is as in Start.
func (r *Running) Revive(ctx context.Context) error {
	r.ended = make(chan struct{})
	if err := r.run(ctx); err != nil {
		close(r.ended)
		return fmt.Errorf("phonetest: start %s again: %w", r.phone.User, err)
	}
	if err := r.ready(ctx); err != nil {
		return fmt.Errorf("phonetest: start %s again: %w; its log: %s", r.phone.User, err, r.Log())
	}
	return nil
}

// Stop ends the phone, kills it after half a second, waits for it and removes its folder. A second call gives the same result.
func (r *Running) Stop() error {
	r.stop.Do(func() {
		if r.cmd.Process.Signal(syscall.SIGTERM) == nil {
			grace := time.NewTimer(stopGrace)
			defer grace.Stop()
			select {
			case <-r.ended:
			case <-grace.C:
			}
		}
		if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			r.stopErr = err
		}
		<-r.ended         // how it ended does not matter: it was killed
		r.control.close() // only now: who waits for a ring has been told by the end of the phone
		r.stopErr = errors.Join(r.stopErr, r.cleanUp())
	})
	return r.stopErr
}

func (r *Running) cleanUp() error {
	return errors.Join(r.slot.Close(), os.RemoveAll(filepath.Clean(r.dir)))
}

// record keeps the end of a phone's log.
type record struct {
	mu   sync.Mutex
	text []byte
}

const maxLog = 64 << 10

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	if extra := len(r.text) - maxLog; extra > 0 {
		r.text = append([]byte(nil), r.text[extra:]...)
	}
	return len(p), nil
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text)
}
