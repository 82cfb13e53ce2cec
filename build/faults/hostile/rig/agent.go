package rig

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/storetest"
)

// Agent is an agent in a process of its own, started again and again. Launch, Kill and Stop are for one goroutine.
type Agent struct {
	*client.Client
	Params map[string]string // of the connector; from the next Launch on

	t     testing.TB
	setup Setup
	log   *os.File
	stdin io.Closer
	cmd   *exec.Cmd

	mu     sync.Mutex
	news   chan struct{}        // closed and made anew at each change
	run    int                  // how many times it was launched
	up     bool                 // the present process has answered
	cards  map[string]wire.Card // as the present process told them
	outbox wire.Outbox
}

// Start launches an agent. When the test ends it is stopped, and its store is checked.
func Start(t testing.TB, connector string, params map[string]string) *Agent {
	t.Helper()
	short, err := os.MkdirTemp("", "rs") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{t: t, log: log, news: make(chan struct{}), Params: params,
		setup: Setup{Dir: filepath.Join(dir, "state"), Socket: filepath.Join(short, "a.sock"), Connector: connector}}
	a.Client = client.New(a.setup.Socket)
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	t.Cleanup(func() {
		a.Stop()
		cancel()
		<-watched
		a.Close()
		storetest.Check(t, a.setup.Dir)
		if t.Failed() {
			t.Logf("the agent's log ends with\n%s", a.lastWords())
		}
		if err := errors.Join(log.Close(), os.RemoveAll(short)); err != nil {
			t.Error(err)
		}
	})
	a.Launch()
	go func() { defer close(watched); a.watch(ctx) }()
	return a
}

// Launch starts the process; the one before has ended.
func (a *Agent) Launch() {
	a.t.Helper()
	a.setup.Params = a.Params
	text, err := json.Marshal(a.setup)
	if err != nil {
		a.t.Fatal(err)
	}
	a.cmd = exec.Command(os.Args[0]) //nolint:gosec // this program
	a.cmd.Env = append(os.Environ(), envChild+"="+string(text))
	a.cmd.Stderr = a.log
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		a.t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.change(func() { a.run++ })
}

// Kill ends the process as a power cut would, and returns once it is gone.
func (a *Agent) Kill() {
	_ = a.cmd.Process.Kill() // gone already: Wait tells
	_ = a.cmd.Wait()
	a.cmd = nil
	a.change(a.gone)
}

// Stop ends the process well.
func (a *Agent) Stop() {
	if a.cmd == nil {
		return
	}
	late := time.AfterFunc(Patience, func() { _ = a.cmd.Process.Kill() })
	defer late.Stop()
	if err := errors.Join(a.stdin.Close(), a.cmd.Wait()); err != nil {
		a.t.Errorf("the agent did not end well: %v", err)
	}
	a.cmd = nil
	a.change(a.gone)
}

// Signal sends a signal to the process.
func (a *Agent) Signal(s os.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil {
		a.t.Fatal(err)
	}
}

func (a *Agent) gone() { a.up, a.cards, a.outbox = false, nil, wire.Outbox{} }

func (a *Agent) change(do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	do()
	close(a.news)
	a.news = make(chan struct{})
}

// watch keeps what the present process tells. That one accepts connections has no signal: it is asked until it does.
func (a *Agent) watch(ctx context.Context) {
	for ctx.Err() == nil {
		_ = a.Watch(ctx, func(s wire.Snapshot) error {
			a.change(func() {
				a.up, a.outbox, a.cards = true, s.Outbox, map[string]wire.Card{}
				for _, c := range s.Cards {
					a.cards[c.Leg] = c
				}
			})
			return nil
		}, func(d wire.Delta) error {
			if d.Card != nil || d.Outbox != nil {
				a.change(func() { a.take(d) })
			}
			return nil
		}) // whatever ended it: begin anew
		pause(ctx, askAgain)
	}
}

// askAgain is the pause between questions for which there is no signal.
const askAgain = 5 * time.Millisecond

func (a *Agent) take(d wire.Delta) {
	if a.cards == nil { // of a process that is gone
		return
	}
	if d.Card != nil {
		a.cards[d.Card.Leg] = *d.Card
	}
	if d.Outbox != nil {
		a.outbox = *d.Outbox
	}
}

// Until waits until ok, called with the lock held, says so; it gives false when ctx ended first.
func (a *Agent) until(ctx context.Context, ok func() bool) bool {
	for {
		a.mu.Lock()
		done, news := ok(), a.news
		a.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// Up waits until the present process answers; once ctx has ended it does not count any more, so that whoever tries again and again ends.
func (a *Agent) Up(ctx context.Context) bool {
	return a.until(ctx, func() bool { return a.up }) && ctx.Err() == nil
}

// runs is how many times it was launched.
func (a *Agent) runs() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.run
}

// accepted tells of a call of the present process whether its record is on the disk.
func (a *Agent) accepted(leg string) bool {
	c := a.cards[leg]
	return c.State == cti.StateClosed && c.Write.State != "" && c.Write.State != wire.WriteUnsaved
}

// Emptied waits until the agent says that everything has reached the CRM, or fails the test. What failed seven times in a row may wait for two
// minutes until it is tried again.
func (a *Agent) Emptied(ctx context.Context) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*Patience)
	defer cancel()
	var left wire.Outbox
	if a.Up(ctx) && Wait(ctx, func() bool { // not by what it told: that may be older than what was accepted last
		s, err := a.Status(ctx)
		left = s.Outbox
		return err == nil && left.Waiting == 0
	}) && left.Review == 0 {
		return
	}
	items, err := a.Outbox(context.WithoutCancel(ctx), wire.OutboxQuery{Limit: 5})
	a.t.Fatalf("the outbox is not empty: %+v; its first items are %+v, %v", left, items, err)
}

// Failures is how many attempts have failed so far, as the log tells.
func (a *Agent) Failures() int {
	text, err := os.ReadFile(a.log.Name())
	if err != nil {
		a.t.Error(err)
	}
	return strings.Count(string(text), "write-back failed")
}

// lastWords is the end of the log.
func (a *Agent) lastWords() string {
	text, err := os.ReadFile(a.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Patience is how long to wait for anything that must come; only a failing test needs it.
const Patience = 90 * time.Second

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Wait asks every few milliseconds, for what has no signal; it gives false when ctx ended first.
func Wait(ctx context.Context, ok func() bool) bool {
	for !ok() {
		if ctx.Err() != nil {
			return false
		}
		pause(ctx, askAgain)
	}
	return true
}
