package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// bound is how long any one thing may take that is waited for. It is far beyond what is needed: nothing sleeps for it.
const bound = 20 * time.Second

// watch runs a source and books its events as the agent does.
type watch struct {
	t      *testing.T
	rig    Rig
	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	changed chan struct{} // closed at every event
	ledger  *cti.Ledger
	calls   map[string]cti.Call
	order   []string
	states  map[string][]cti.State // every state a call went through
	ends    map[string]int         // terminal events as they came, by reference

	recordings map[string]cti.Recording // as they were told, by leg, also of calls long over
	counts     map[cti.EventType]int
	agent      cti.AgentStatus // as it was told last
	stopped    bool
	repeats    bool // the world tells everything twice
	faults     []string
	hold       chan struct{} // when set, emit waits for it
}

// start runs the rig's source until the test ends, and returns once it is connected.
func start(t *testing.T, rig Rig) *watch {
	t.Helper()
	w := &watch{t: t, rig: rig, changed: make(chan struct{}), ledger: cti.NewLedger("test"), calls: map[string]cti.Call{},
		states: map[string][]cti.State{}, ends: map[string]int{}, counts: map[cti.EventType]int{}, recordings: map[string]cti.Recording{}}
	w.run()
	t.Cleanup(w.verify)
	w.awaitEvent(cti.SourceUp, 1)
	return w
}

func (w *watch) run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.mu.Lock()
	w.stopped = false
	w.mu.Unlock()
	w.cancel, w.ended = cancel, make(chan error, 1)
	go func(ended chan<- error) { ended <- w.rig.Source.Run(ctx, w.emit) }(w.ended)
}

// stop ends Run and waits for it.
func (w *watch) stop() {
	w.t.Helper()
	w.cancel()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("Run ended with %v, want nil when its context ends", err)
		}
	case <-time.After(bound):
		w.t.Fatalf("Run did not return within %v of the end of its context", bound)
	}
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
}

// verify is the check after every test.
func (w *watch) verify() {
	w.t.Helper()
	w.mu.Lock()
	running := !w.stopped
	w.mu.Unlock()
	if running {
		w.stop()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		w.t.Error(f)
	}
	for ref, n := range w.ends {
		if n != 1 && !w.repeats {
			w.t.Errorf("call %s was ended %d times", ref, n)
		}
	}
}

func (w *watch) emit(e cti.Event) {
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		w.fault("%s came after Run returned", e.Type)
	}
	w.inspect(e)
	w.counts[e.Type]++
	e = e.Clean()
	w.note(e)
	for _, c := range w.ledger.Apply(e) {
		if !slices.Contains(w.order, c.After.Leg) {
			w.order = append(w.order, c.After.Leg)
		}
		w.calls[c.After.Leg] = c.After
		w.states[c.After.Leg] = append(w.states[c.After.Leg], c.After.State)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// note keeps what the ledger does not.
func (w *watch) note(e cti.Event) {
	if e.Agent != nil && e.Type == cti.AgentState {
		w.agent = *e.Agent
	}
	if leg, known := w.ledger.Leg(e); known && e.Recording != nil {
		w.recordings[leg] = *e.Recording
	}
}

// inspect checks what every event must carry.
func (w *watch) inspect(e cti.Event) {
	if e.V != cti.EnvelopeVersion || e.Source.Adapter == "" || e.Source.Instance == "" || e.Source.Confidence == "" {
		w.fault("%s without version or full source: %+v", e.Type, e.Source)
	}
	if e.At.IsZero() || e.At.Location() != time.UTC {
		w.fault("%s at %v, want a time in UTC", e.Type, e.At)
	}
	switch e.Type {
	case cti.SourceUp, cti.SourceDown, cti.Snapshot, cti.AgentState:
		return
	case cti.Cleared, cti.Failed, cti.Diverted:
		w.ends[fmt.Sprint(e.Call.Refs)]++
		if e.Cause == nil || e.Cause.Code == "" || e.Cause.By == "" {
			w.fault("%s without a full cause: %+v", e.Type, e.Cause)
		}
	default: // an event of a call that goes on needs no cause
	}
	if len(e.Call.Refs) == 0 {
		w.fault("%s without any reference", e.Type)
	}
}

// inspectAlone checks an event that did not come through emit.
func (w *watch) inspectAlone(e cti.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ends := w.ends
	w.ends = map[string]int{} // it is the end of a call that ended before
	w.inspect(e)
	w.ends = ends
}

func (w *watch) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// await waits for a state of things, looking again after every event; what is for the message when it does not come.
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
			w.t.Fatalf("%s: did not happen within %v; %s", what, bound, w)
		}
	}
}

// String tells what was seen so far, for messages.
func (w *watch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("calls: %+v; events: %v", w.calls, w.counts)
}

func (w *watch) awaitEvent(typ cti.EventType, n int) {
	w.t.Helper()
	w.await(fmt.Sprintf("%d × %s", n, typ), func() bool { return w.counts[typ] >= n })
}

func (w *watch) count(typ cti.EventType) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[typ]
}

// awaitCall waits for the nth call (from 0) to reach a state, and gives it.
func (w *watch) awaitCall(n int, state cti.State) cti.Call {
	w.t.Helper()
	var got cti.Call
	w.await(fmt.Sprintf("call %d %s", n, state), func() bool {
		if len(w.order) <= n {
			return false
		}
		got = w.calls[w.order[n]]
		return got.State == state
	})
	return got
}

func (w *watch) state(leg string) cti.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[leg].State
}

// went gives the states a call went through, each once in a row.
func (w *watch) went(leg string) []cti.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Clone(w.states[leg]))
}

func (w *watch) legs() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.order)
}

// do gives a command that must be accepted, within bound.
func (w *watch) do(what string, command func(ctx context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := command(ctx); err != nil {
		w.t.Fatalf("%s: %v (kind %s)", what, err, cti.KindOf(err))
	}
}

func (w *watch) answer(c cti.Call) {
	w.t.Helper()
	w.act("answer", w.rig.Agent.Answer, w.rig.Source.Phone().Answer, c)
}

func (w *watch) hangup(c cti.Call) {
	w.t.Helper()
	w.act("hang up", w.rig.Agent.Hangup, w.rig.Source.Phone().Hangup, c)
}

// act lets the agent do something at the phone, or gives the command.
func (w *watch) act(what string, agent func(*testing.T, cti.Call), command func(context.Context, cti.Call) error, c cti.Call) {
	w.t.Helper()
	if agent != nil {
		agent(w.t, c)
		return
	}
	w.do(what, func(ctx context.Context) error { return command(ctx, c) })
}

func (w *watch) wantCause(c cti.Call, by cti.Party, codes ...cti.CauseCode) {
	w.t.Helper()
	if w.rig.NoReasons && by == cti.ByRemote {
		by = cti.ByUnknown
		if slices.Contains(codes, cti.CauseRejected) {
			codes = []cti.CauseCode{cti.CauseUnknown}
		}
	}
	if c.Cause == nil || c.Cause.By != by || !slices.Contains(codes, c.Cause.Code) {
		w.t.Errorf("cause %+v, want by %s and one of %v", c.Cause, by, codes)
	}
}

func (w *watch) wantStates(c cti.Call, want ...cti.State) {
	w.t.Helper()
	if got := w.went(c.Leg); !slices.Equal(got, want) {
		w.t.Errorf("the call went %v, want %v", got, want)
	}
}
