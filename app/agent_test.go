package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/storetest"
)

// asHook makes this test's program ringhook: a real SIP proxy runs it.
const asHook = "RINGSIDE_TEST_AS_HOOK"

func TestMain(m *testing.M) {
	if os.Getenv(asHook) != "" {
		os.Exit(leave.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	beChild()
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}

// The people and words of the tests. None of them may ever be in a log.
const (
	rightToken    = "right-t0ken-Zq7"
	wrongToken    = "wrong-t0ken-Zq7"
	knownNumber   = "13800138000"
	knownCustomer = "c_000001"
	phoneName     = "Chen from the phone"
	note          = "calls back on Tuesday 周二"
)

var neverLogged = []string{rightToken, wrongToken, knownNumber, "00138000", "陈丽华", "Ashdown", phoneName, note, "2079460999", "lihua.chen"}

// patience is how long a test waits for anything; only a failing one needs it.
const patience = 20 * time.Second

// world is what is around the agent and outlives it: the CRM, the state folder, the keychain, the log.
type world struct {
	crm    *sandbox.Server
	url    string // of the CRM
	state  string
	socket string
	token  string // what the keychain holds
	mask   string // what is hidden of numbers
	site   string // the mapping file
	also   []cti.CRMTarget
	phone  cti.PhoneProfile
	sounds cti.RecordingsProfile
	stops  cti.DiallingProfile
	lines  string // what is dialled for an outside line
	log    *recorder
}

// newWorld checks at the end that the store is whole and that the log says nothing it must not say.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{state: filepath.Join(t.TempDir(), "state"), socket: shortSocket(t), token: rightToken, log: &recorder{}, phone: cti.PhoneProfile{Source: "sim", Extension: "1001"}}
	t.Cleanup(func() {
		storetest.Check(t, w.state)
		w.log.check(t)
	})
	var err error
	if w.crm, err = sandbox.Start(context.Background(), sandbox.Options{Token: rightToken, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	w.url = w.crm.URL()
	t.Cleanup(func() {
		if err := w.crm.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// shortSocket: a test's own folder may have a longer name than a socket's path may.
func shortSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if runtime.GOOS == "windows" {
		return `\\.\pipe\` + filepath.Base(dir)
	}
	return filepath.Join(dir, "a.sock")
}

func (w *world) config() app.Config {
	return app.Config{
		Profile: cti.Profile{Version: 1, Tenant: "test", Language: "en", Agent: cti.Agent{Name: "Lin Yue", Email: "lin.yue@ringside.example"},
			Phone: w.phone, Region: "CN", OwnNumbers: []string{"021-6555 0100"}, Numbers: cti.NumbersProfile{Mask: w.mask, OutsidePrefix: w.lines}, Dialling: w.stops,
			CRM:        cti.CRMProfile{Connector: "sandbox", Params: map[string]string{"base_url": w.url, "token": "keychain:crm-token"}, Mapping: w.site, Also: w.also},
			Recordings: w.sounds, WrapUp: cti.WrapUpProfile{Outcomes: []string{"Sold", "Called back"}}},
		StateDir: w.state, Socket: w.socket,
		Secret: func(string) (string, error) { return w.token, nil },
		Keys:   storetest.Keys(),
		Log:    slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (w *world) fault(t *testing.T, f sandbox.Fault) {
	t.Helper()
	if err := w.crm.SetFault(f); err != nil {
		t.Fatal(err)
	}
}

// records are what the CRM holds of a call, under whatever key and for whichever customer.
func (w *world) records(leg string) []sandbox.Call {
	var found []sandbox.Call
	for _, c := range w.crm.Calls() {
		if c.Leg == leg {
			found = append(found, c)
		}
	}
	return found
}

// agent is a running agent with somebody at its desk.
type agent struct {
	*app.App
	*desk
	client *client.Client
	stop   func() // ends Run, then lets go of the store
}

// start runs an agent and returns when its phone is up and the CRM has answered, or could not.
func (w *world) start(t *testing.T) *agent {
	t.Helper()
	a, err := app.New(w.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	first, deltas, unsubscribe := a.Board().Subscribe()
	go func() { ran <- a.Run(ctx) }()
	for first.Phone.State != wire.LinkUp || first.CRM.State == wire.LinkUnknown {
		d := <-deltas
		if d.Phone != nil {
			first.Phone = *d.Phone
		}
		if d.CRM != nil {
			first.CRM = *d.CRM
		}
	}
	unsubscribe()
	g := &agent{App: a, client: client.New(w.socket), desk: newDesk(w.log)}
	watched := make(chan struct{})
	go func() { defer close(watched); g.watch(ctx, g.client) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		<-watched
		g.client.Close()
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(g.stop)
	return g
}

// ring lets a number ring and gives the call's leg.
func (a *agent) ring(t *testing.T, ref, number string) string {
	t.Helper()
	return a.feed(t, delivered(ref, number))
}

func delivered(ref, number string) cti.Event {
	return cti.Event{Type: cti.Delivered, Side: cti.SideLocal, Call: cti.CallRef{Direction: cti.In, Refs: map[string]string{"id": ref}},
		Remote: cti.Remote{Number: cti.Number{Raw: number}, Name: phoneName}}
}

// feed hands events of one call to the agent, by its socket, and gives the call's leg, which is made from its reference.
func (a *agent) feed(t *testing.T, events ...cti.Event) string {
	t.Helper()
	for _, e := range events {
		if err := a.client.Feed(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return cti.ID("test", "sim", "sim", "1001", "id", events[0].Call.Refs["id"])
}

func (a *agent) command(t *testing.T, leg string, c cti.Command) {
	t.Helper()
	if err := a.client.Command(t.Context(), leg, cti.Instruction{Command: c}); err != nil {
		t.Fatal(err)
	}
}

// talk answers a ringing call and hangs up.
func (a *agent) talk(t *testing.T, leg string) wire.Card {
	t.Helper()
	a.card(t, "the ring", leg, func(c wire.Card) bool { return c.State == cti.Alerting && c.Search != wire.SearchLooking })
	a.command(t, leg, cti.CommandAnswer)
	a.card(t, "the answer", leg, func(c wire.Card) bool { return c.State == cti.Connected })
	a.command(t, leg, cti.CommandHangup)
	return a.card(t, "the end", leg, func(c wire.Card) bool { return c.State == cti.StateClosed })
}

func (a *agent) wrapUp(t *testing.T, leg string) {
	t.Helper()
	if err := a.client.WrapUp(t.Context(), leg, wire.WrapUpRequest{Outcome: "Sold", Note: note}); err != nil {
		t.Fatal(err)
	}
}

func (a *agent) outbox(t *testing.T) []wire.OutboxItem {
	t.Helper()
	items, err := a.client.Outbox(t.Context(), wire.OutboxQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// recorder keeps the log.
type recorder struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func (r *recorder) check(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(r.String()) {
		for _, text := range neverLogged {
			if strings.Contains(line, text) {
				t.Errorf("%q is in the log: %s", text, line)
			}
		}
	}
}
