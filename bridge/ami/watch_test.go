package ami_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
)

// bound is how long any one thing may take that is waited for.
const bound = 20 * time.Second

// watch runs an exchange and books its events, each extension in a ledger of its own, as workstations do.
type watch struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	changed chan struct{}
	events  []told
	ledgers map[string]*cti.Ledger
	calls   map[string]map[string]cti.Call // by extension and leg
	order   map[string][]string
	block   chan struct{} // when set, emit waits for it
}

type told struct {
	extension string
	cti.Event
}

func run(t *testing.T, x *ami.Exchange) *watch {
	t.Helper()
	w := &watch{t: t, changed: make(chan struct{}), ledgers: map[string]*cti.Ledger{}, calls: map[string]map[string]cti.Call{}, order: map[string][]string{}}
	w.start(x)
	t.Cleanup(w.stop)
	return w
}

func (w *watch) start(x *ami.Exchange) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.ended = cancel, make(chan error, 1)
	ended := w.ended
	go func() { ended <- x.Run(ctx, w.emit) }()
}

func (w *watch) stop() {
	w.t.Helper()
	w.cancel()
	select {
	case err := <-w.ended:
		w.ended <- err
		if err != nil {
			w.t.Errorf("Run ended with %v", err)
		}
	case <-time.After(bound):
		w.t.Error("Run did not end")
	}
}

func (w *watch) emit(extension string, e cti.Event) {
	w.mu.Lock()
	block := w.block
	w.mu.Unlock()
	if block != nil {
		<-block
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, told{extension, e})
	if extension != "" {
		l := w.ledgers[extension]
		if l == nil {
			l = cti.NewLedger("test")
			w.ledgers[extension], w.calls[extension] = l, map[string]cti.Call{}
		}
		for _, c := range l.Apply(e.Clean()) {
			if _, known := w.calls[extension][c.After.Leg]; !known {
				w.order[extension] = append(w.order[extension], c.After.Leg)
			}
			w.calls[extension][c.After.Leg] = c.After
		}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watch) await(what string, ready func() bool) {
	w.t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		ok, changed := ready(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			w.mu.Lock()
			events := slices.Clone(w.events)
			w.mu.Unlock()
			w.t.Fatalf("%s: did not happen; events: %v", what, events)
		}
	}
}

// call waits until the nth call of an extension is in a state, and gives it.
func (w *watch) call(extension string, n int, state cti.State) cti.Call {
	w.t.Helper()
	var got cti.Call
	w.await(fmt.Sprintf("call %d of %s is %s", n, extension, state), func() bool {
		if len(w.order[extension]) <= n {
			return false
		}
		got = w.calls[extension][w.order[extension][n]]
		return got.State == state
	})
	return got
}

// count counts the events of a type that an extension was told.
func (w *watch) count(extension string, types ...cti.EventType) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.extension == extension && slices.Contains(types, e.Type) {
			n++
		}
	}
	return n
}

func (w *watch) awaitCount(extension string, typ cti.EventType, n int) {
	w.t.Helper()
	w.await(fmt.Sprintf("%d × %s for %q", n, typ, extension), func() bool {
		found := 0
		for _, e := range w.events {
			if e.extension == extension && e.Type == typ {
				found++
			}
		}
		return found >= n
	})
}

// first gives the first event of a type that an extension was told.
func (w *watch) first(extension string, typ cti.EventType) cti.Event {
	w.t.Helper()
	w.awaitCount(extension, typ, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.extension == extension && e.Type == typ {
			return e.Event
		}
	}
	return cti.Event{}
}

func wantEnd(t *testing.T, c cti.Call, ending cti.Ending, code cti.CauseCode, by cti.Party) {
	t.Helper()
	if c.Cause == nil || c.Ending() != ending || c.Cause.Code != code || c.Cause.By != by {
		t.Errorf("%s ended %q, cause %+v; want %s, %s by %s", c.Local.Extension, c.Ending(), c.Cause, ending, code, by)
	}
}
