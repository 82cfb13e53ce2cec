package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

func TestMain(m *testing.M) {
	if state := os.Getenv(childVariable); state != "" {
		child(state)
		return
	}
	// go-winio keeps one goroutine for the process's life.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}

// patience is how long anything may take that is waited for; only a failing test needs it.
const patience = 20 * time.Second

// world is a relay with a simulated exchange, which outlives the relay.
type world struct {
	t        *testing.T
	cfg      relay.Config
	exchange *sim.Exchange
	address  string

	relay *relay.Relay
	stop  func()
}

// full gives every extension everything.
func full() settings.Relay {
	return settings.Relay{Version: 1, Name: "hq-pbx", HistoryHours: 24,
		Exchanges: []settings.RelayExchange{{Kind: "sim", Name: "sim", Extensions: settings.Extensions{"1*"}}},
		Rights:    []settings.RelayRights{{Extensions: settings.Extensions{"*"}, Allow: settings.Rights()}}}
}

func newWorld(t *testing.T, s settings.Relay) *world {
	t.Helper()
	return newWorldAt(t, s, nil)
}

// newWorldAt is newWorld with a network of its own; nil: this computer's.
func newWorldAt(t *testing.T, s settings.Relay, at net.Listener) *world {
	t.Helper()
	s.State = filepath.Join(t.TempDir(), "state")
	w := &world{t: t, exchange: &sim.Exchange{}}
	w.cfg = relay.Config{Listener: at, Settings: s, Log: logger(t), Open: func(settings.RelayExchange, *slog.Logger) (bridge.Exchange, error) { return w.exchange, nil }}
	w.start()
	t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
	})
	return w
}

// start runs a relay, at the address of the one before.
func (w *world) start() {
	w.t.Helper()
	cfg := w.cfg
	if cfg.Listener == nil {
		cfg.Listener = w.listen()
	}
	w.address = cfg.Listener.Addr().String()
	r, err := relay.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.relay = r
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := errors.Join(<-ended, r.Close()); err != nil {
			w.t.Error(err)
		}
		w.stop = nil
	}
}

func (w *world) listen() net.Listener {
	w.t.Helper()
	address := w.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// openly reads the secrets of a test's files, which on Windows nobody keeps others out of.
func openly() relay.Secrets {
	return relay.Secrets{Get: func(ref string) (string, error) {
		text, err := os.ReadFile(strings.TrimPrefix(ref, "file:"))
		return strings.TrimSpace(string(text)), err
	}}
}

// memory keeps an identity.
type memory struct {
	mu   sync.Mutex
	text []byte
}

func (m *memory) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text, nil
}

func (m *memory) Store(text []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = text
	return nil
}

// enrol gives an enrolled workstation's identity.
func (w *world) enrol(extension string) *memory {
	w.t.Helper()
	code, err := w.relay.Enrol(extension)
	if err != nil {
		w.t.Fatal(err)
	}
	keep := &memory{}
	got, err := relayed.Enrol(w.t.Context(), relayed.Options{Address: w.address, Keep: keep}, code)
	if err != nil || got != extension {
		w.t.Fatalf("enrolled for %q, %v", got, err)
	}
	return keep
}

// source is a workstation's.
func (w *world) source(extension string, keep *memory) *relayed.Source {
	w.t.Helper()
	return w.through(w.address, extension, keep)
}

func (w *world) through(address, extension string, keep *memory) *relayed.Source {
	w.t.Helper()
	s, err := relayed.New(relayed.Options{Address: address, Extension: extension, Keep: keep, Log: logger(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// logger writes the log with the test, where it fails.
func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(&testLog{t: t}, nil))
}

type testLog struct {
	t  *testing.T
	mu sync.Mutex
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Context().Err() != nil { // the test is over
		return io.Discard.Write(p)
	}
	l.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}

// station is a running workstation: it books what its source tells.
type station struct {
	t      *testing.T
	source *relayed.Source
	end    func()

	mu      sync.Mutex
	changed chan struct{}
	ledger  *cti.Ledger
	events  []cti.Event
	calls   map[string]cti.Call
}

func (w *world) station(s *relayed.Source) *station {
	st := &station{t: w.t, source: s, changed: make(chan struct{}), ledger: cti.NewLedger("test"), calls: map[string]cti.Call{}}
	st.run()
	w.t.Cleanup(func() { st.stop() })
	return st
}

func (s *station) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.source.Run(ctx, s.emit) }()
	s.end = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}

func (s *station) stop() {
	if s.end != nil {
		s.end()
		s.end = nil
	}
}

func (s *station) emit(e cti.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	for _, c := range s.ledger.Apply(e.Clean()) {
		s.calls[c.After.Leg] = c.After
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until the station is as wanted.
func (s *station) await(what string, ready func() bool) {
	s.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		ok, changed := ready(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			s.t.Fatalf("%s: did not happen; %s", what, s)
		}
	}
}

func (s *station) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("events %v, calls %+v", types(s.events), s.calls)
}

func types(events []cti.Event) []cti.EventType {
	var list []cti.EventType
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

func (s *station) awaitEvents(t cti.EventType, n int) {
	s.t.Helper()
	s.await(string(t), func() bool { return count(s.events, t) >= n })
}

func count(events []cti.Event, t cti.EventType) (n int) {
	for _, e := range events {
		if e.Type == t {
			n++
		}
	}
	return n
}

// awaitCall waits for the only call with a number to reach a state, and gives it.
func (s *station) awaitCall(number string, state cti.State) (found cti.Call) {
	s.t.Helper()
	s.await(number+" "+string(state), func() bool {
		n := 0
		for _, c := range s.calls {
			if c.Remote.Raw == number && c.State == state {
				found = c
				n++
			}
		}
		return n == 1
	})
	return found
}
