package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
)

// stage is what the demo plays on: a training CRM, a phone, and an agent with or without its window.
type stage struct {
	dir    string
	crm    *sandbox.Server
	token  string
	keys   secret.Ring
	client *client.Client
	caller caller
	ended  <-chan struct{}

	stop func() error // ends the agent and waits for it
	log  *syncBuffer
	off  []func() error

	err io.Writer // for what goes wrong while it is struck

	mu     sync.Mutex
	cards  []wire.Card // every one the agent showed, so that no state is missed however short it was
	next   int         // the card that await looks at first: the one it found last
	outbox wire.Outbox
	told   chan struct{} // closed and made anew at each change
	lost   error         // the watching ended
}

// caller is the other end of the line.
type caller struct {
	ring    func(ctx context.Context) error
	profile string // the phone section of the profile
}

// raise starts everything and waits until the agent is there and its phone is up. Strike the stage also after an error.
func (e *env) raise(ctx context.Context, o demoOptions) (*stage, error) {
	s := &stage{token: rand.Text(), log: &syncBuffer{}, err: e.Err, told: make(chan struct{})}
	var err error
	if s.keys, err = secret.NewRing(); err != nil {
		return s, err
	}
	if s.dir, err = os.MkdirTemp("", "ringside-demo-"); err != nil {
		return s, err
	}
	s.off = append(s.off, func() error { return os.RemoveAll(s.dir) })
	log := slog.New(slog.NewTextHandler(s.log, nil))
	if s.crm, err = sandbox.Start(ctx, sandbox.Options{Token: s.token, Log: log.With("of", "sandbox")}); err != nil {
		return s, err
	}
	s.off = append(s.off, s.crm.Close)
	if err := s.phones(ctx, o.phone); err != nil {
		return s, err
	}
	run := RunOptions{Profile: filepath.Join(s.dir, "profile.yaml"), State: filepath.Join(s.dir, "state"), Socket: s.endpoint()}
	if err := os.WriteFile(run.Profile, []byte(s.profile(e.language)), 0o600); err != nil {
		return s, err
	}
	if err := s.start(ctx, o, run); err != nil {
		return s, err
	}
	s.client = client.New(run.Socket)
	return s, s.settle(ctx, o)
}

// endpoint is one of this run's own.
func (s *stage) endpoint() string {
	if runtime.GOOS == "windows" {
		return `\\.\pipe\` + filepath.Base(s.dir)
	}
	return filepath.Join(s.dir, "agent.sock")
}

func (s *stage) profile(l language) string {
	return fmt.Sprintf(`version: 1
tenant: %s
language: %s
agent: {name: Lin Yue, email: lin.yue@ringside.example}
phone: %s
region: CN
own_numbers: ["021-6555 0100"]
crm:
  connector: sandbox
  params: {base_url: %q, token: "keychain:demo-crm"}
wrapup:
  outcomes: [%s, "Question answered", "Complaint", "Wrong number"]
`, demoTenant, l, s.caller.profile, s.crm.URL(), demoOutcome)
}

// secrets gives the agent its token by the environment, so that the demo leaves nothing in the keychain.
func (s *stage) secrets() map[string]string {
	return map[string]string{"RINGSIDE_KEYCHAIN": "env", "RINGSIDE_SECRET_DEMO_CRM": s.token, secret.EnvName("store-key"): s.keys.Text()}
}

// start runs the agent: inside this process, or as the window's own.
func (s *stage) start(ctx context.Context, o demoOptions, run RunOptions) error {
	if o.headless {
		return s.startInside(ctx, run)
	}
	program := o.window
	if program == "" {
		var err error
		if program, err = beside("ringside" + map[bool]string{true: ".exe"}[runtime.GOOS == "windows"]); err != nil {
			return err
		}
	}
	return s.startWindow(program, run)
}

func (s *stage) startInside(ctx context.Context, run RunOptions) error {
	secrets := s.secrets()
	agent, err := NewAgent(run, func(name string) string { return secrets[name] }, s.log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		failed = agent.Run(ctx)
		agent.Close()
	}()
	s.ended = ended
	s.stop = func() error {
		cancel()
		<-ended
		return failed
	}
	return nil
}

func (s *stage) startWindow(program string, run RunOptions) error {
	cmd := exec.Command(program, "-profile", run.Profile, "-state", run.State, "-socket", run.Socket) //nolint:gosec // our own window, or the one the user names
	cmd.Env = os.Environ()
	for name, value := range s.secrets() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the window: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			_, _ = fmt.Fprintln(s.log, "the window's program ended:", err) // into memory
		}
	}()
	s.ended = ended
	s.stop = func() error {
		if runtime.GOOS == "windows" || cmd.Process.Signal(syscall.SIGTERM) != nil {
			_ = cmd.Process.Kill() // it may have ended by itself
		}
		select {
		case <-ended:
			return nil
		case <-time.After(5 * time.Second):
			err := errors.Join(errors.New("the window did not end and was killed"), cmd.Process.Kill())
			<-ended
			return err
		}
	}
	return nil
}

// settle waits until the agent answers, its phone is up and it has signed in to the CRM; then it watches the cards.
func (s *stage) settle(ctx context.Context, o demoOptions) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		status, err := s.client.Status(ctx)
		if err == nil && status.Phone.State == wire.LinkUp && status.CRM.State == wire.LinkUp && (status.Window || o.headless) {
			s.watch()
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("the agent ended before it was ready:\n" + s.said())
		default:
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("the agent was not ready within 30 s (phone %s, CRM %s, window %v): %w\n%s", status.Phone.State, status.CRM.State, status.Window, err, s.said())
		}
	}
}

// watch keeps the cards as the agent shows them.
func (s *stage) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.client.Watch(ctx, func(first wire.Snapshot) error {
			s.change(func() { s.cards, s.outbox = append(s.cards, first.Cards...), first.Outbox })
			return nil
		}, func(d wire.Delta) error {
			s.change(func() {
				if d.Card != nil {
					s.cards = append(s.cards, *d.Card)
				}
				if d.Outbox != nil {
					s.outbox = *d.Outbox
				}
			})
			return nil
		})
		s.change(func() { s.lost = errors.Join(errors.New("the agent is gone"), err) })
	}()
	s.off = append(s.off, func() error { cancel(); <-done; s.client.Close(); return nil })
}

func (s *stage) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.told)
	s.told = make(chan struct{})
}

// await waits until a card is as wanted, beginning with the one the last await found.
func (s *stage) await(ctx context.Context, what string, wanted func(wire.Card) bool) (card wire.Card, err error) {
	err = s.until(ctx, what, func() bool {
		for ; s.next < len(s.cards); s.next++ {
			if card = s.cards[s.next]; wanted(card) {
				return true
			}
		}
		return false
	})
	if err != nil {
		err = fmt.Errorf("%w: state %s, search %s, write %+v", err, card.State, card.Search, card.Write)
	}
	return card, err
}

// until waits until ok, which is called with the lock held, at most 15 s.
func (s *stage) until(ctx context.Context, what string, ok func() bool) error {
	timeout := time.NewTimer(15 * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		done, told, lost := ok(), s.told, s.lost
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case lost != nil:
			return lost
		}
		select {
		case <-told:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("%s did not come within 15 s", what)
		}
	}
}

// phones makes the two ends of the line.
func (s *stage) phones(ctx context.Context, kind string) error {
	switch kind {
	case "sim":
		s.caller = caller{profile: `{source: sim, extension: "1001"}`, ring: func(ctx context.Context) error {
			return s.client.Feed(ctx, cti.Event{Type: cti.Delivered, Side: cti.SideLocal,
				Call:   cti.CallRef{Direction: cti.In, Refs: map[string]string{cti.RefSIPCallID: rand.Text() + "@demo"}},
				Remote: cti.Remote{Number: cti.Number{Raw: demoNumber}, Name: "Chen Lihua"}})
		}}
		return nil
	case "baresip":
		return s.realPhones(ctx)
	}
	return cti.Errorf(cti.Invalid, "--phone is sim or baresip", nil)
}

func (s *stage) realPhones(ctx context.Context) error {
	agent, err := phonetest.Start(ctx, phonetest.Phone{User: "1001", Display: "Lin Yue"})
	if err != nil {
		return err
	}
	s.off = append(s.off, agent.Stop)
	customer, err := phonetest.Start(ctx, phonetest.Phone{User: demoNumber, Display: "Chen Lihua"})
	if err != nil {
		return err
	}
	s.off = append(s.off, customer.Stop)
	s.caller = caller{profile: fmt.Sprintf(`{source: baresip, address: %q, extension: "1001"}`, agent.Address()),
		ring: func(ctx context.Context) error { return customer.Dial(ctx, agent.AOR()) }}
	return nil
}

// The CRM's faults.
func (s *stage) loseNextAnswer() error {
	return s.crm.SetFault(sandbox.Fault{DropAnswer: true, Count: 1, Match: "/api/calls"})
}
func (s *stage) refuse() error { return s.crm.SetFault(sandbox.Fault{Refuse: true}) }
func (s *stage) mend() error   { return s.crm.SetFault(sandbox.Fault{}) }

// said is the agent's log, for when something goes wrong.
func (s *stage) said() string { return "--- the agent's log ---\n" + s.log.String() }

// strike ends everything, the last started first.
func (s *stage) strike() {
	if s.stop != nil {
		if err := s.stop(); err != nil {
			_, _ = fmt.Fprintln(s.err, "demo:", err) // nobody else to tell
		}
	}
	for i := len(s.off) - 1; i >= 0; i-- {
		if err := s.off[i](); err != nil {
			_, _ = fmt.Fprintln(s.err, "demo:", err) // nobody else to tell
		}
	}
}

// syncBuffer is a log in memory that two goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
