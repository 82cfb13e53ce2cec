package outbox_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

var discard = slog.New(slog.DiscardHandler)

var errDisk = errors.New("no space left on device")

// memory is the model of a store: what a crash leaves is what is in it.
type memory struct {
	mu    sync.Mutex
	seq   uint64
	items map[uint64]outbox.Item
	calls map[string]cti.WrapUp
	full  bool // refuses writes
	stuck bool // refuses Save only
	liar  bool // Accept keeps what it says it refused, as a disk may
}

func newMemory() *memory {
	return &memory{items: map[uint64]outbox.Item{}, calls: map[string]cti.WrapUp{}}
}

func (m *memory) Accept(call cti.Call, wrap cti.WrapUp, items []outbox.Item) ([]outbox.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return nil, errDisk
	}
	m.calls[call.Leg] = wrap
	stored := slices.Clone(items)
	for i, it := range stored {
		if it.Seq == 0 {
			m.seq++
			stored[i].Seq = m.seq
		}
		m.items[stored[i].Seq] = stored[i]
	}
	if m.liar {
		return nil, errDisk
	}
	return stored, nil
}

func (m *memory) Save(it outbox.Item) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full || m.stuck {
		return errDisk
	}
	m.items[it.Seq] = it
	return nil
}

func (m *memory) Unfinished() ([]outbox.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var open []outbox.Item
	for _, it := range m.items {
		if it.State != outbox.Done {
			open = append(open, it)
		}
	}
	slices.SortFunc(open, func(a, b outbox.Item) int { return cmp.Compare(a.Seq, b.Seq) })
	return open, nil
}

func (m *memory) Latest(key string) (outbox.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var latest outbox.Item
	for _, it := range m.items {
		if it.WriteBack.Key == key && it.Seq > latest.Seq {
			latest = it
		}
	}
	return latest, nil
}

func (m *memory) fill(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

func (m *memory) stick(stuck bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stuck = stuck
}

// fake is the CRM: it writes down what it is sent and answers as told. It fails the test when a lane has two on their way, or when
// more than six are.
type fake struct {
	t    testing.TB
	send func() error
	hold chan struct{} // when set, an attempt waits for it or its context
	lane func(w cti.WriteBack) string

	mu    sync.Mutex
	got   []cti.WriteBack
	lanes map[string]bool
	most  int
}

func (f *fake) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	lane := w.Record.Number.Key
	if f.lane != nil {
		lane = f.lane(w)
	}
	f.mu.Lock()
	if f.lanes[lane] {
		f.t.Errorf("two of lane %q are on their way", lane)
	}
	f.lanes[lane] = true
	f.most = max(f.most, len(f.lanes))
	f.got = append(f.got, w)
	send, hold := f.send, f.hold
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.lanes, lane)
	}()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return cti.Receipt{}, ctx.Err()
		}
	}
	if err := send(); err != nil {
		return cti.Receipt{}, err
	}
	return cti.Receipt{ID: "r " + w.Key}, nil
}

// rig is an outbox on a model store with a fake CRM, in a synctest bubble.
type rig struct {
	t      testing.TB
	store  *memory
	sender *fake
	box    *outbox.Outbox
	stop   context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	news []outbox.Progress
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: newMemory(), sender: &fake{t: t, lanes: map[string]bool{}, send: func() error { return nil }}}
	r.open()
	t.Cleanup(func() {
		if r.stop != nil {
			r.crash()
		}
	})
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.box, err = outbox.New(r.store, r.sender, func(p outbox.Progress) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.news = append(r.news, p)
	}, discard)
	if err != nil {
		r.t.Fatal(err)
	}
}

// run starts the dispatcher and returns when there is nothing more to do now.
func (r *rig) run() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.ended = stop, make(chan error, 1)
	go func() { r.ended <- r.box.Run(ctx) }()
	synctest.Wait()
}

// crash ends the dispatcher; what is only in memory is gone when open is called next.
func (r *rig) crash() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
	r.stop = nil
}

func write(key, lane, note string) cti.WriteBack {
	return cti.WriteBack{Op: cti.LogCall, Key: key, Leg: "leg " + key, Identity: cti.IdentityKnown,
		Record: cti.Record{Key: key, Number: cti.Number{Raw: lane, Key: lane}, WrapUp: cti.WrapUp{Note: note}}}
}

func (r *rig) accept(key, lane string) { r.acceptWrite(write(key, lane, "")) }

func (r *rig) acceptWrite(w cti.WriteBack) {
	r.t.Helper()
	if err := r.box.Accept(cti.Call{Leg: w.Leg}, w.Record.WrapUp, []cti.WriteBack{w}); err != nil {
		r.t.Fatalf("accept %s: %v", w.Key, err)
	}
	if r.stop != nil {
		synctest.Wait()
	}
}

// answer makes the CRM give one answer from now on.
func (r *rig) answer(err *cti.Error) {
	r.sender.mu.Lock()
	defer r.sender.mu.Unlock()
	r.sender.send = func() error {
		if err == nil {
			return nil
		}
		return err
	}
}

// pass lets fake time pass and all of it happen.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
	synctest.Wait()
}

func fail(kind cti.Kind) *cti.Error { return cti.Errorf(kind, string(kind), nil) }

func (r *rig) only() outbox.Item {
	r.t.Helper()
	items := r.box.Unfinished()
	if len(items) != 1 {
		r.t.Fatalf("%d unfinished items, want one: %+v", len(items), items)
	}
	return items[0]
}

func (r *rig) sent() int { return len(r.sentKeys()) }

func (r *rig) sentKeys() []string {
	r.sender.mu.Lock()
	defer r.sender.mu.Unlock()
	keys := make([]string, 0, len(r.sender.got))
	for _, w := range r.sender.got {
		keys = append(keys, w.Key)
	}
	return keys
}

func (r *rig) notes() []string {
	r.sender.mu.Lock()
	defer r.sender.mu.Unlock()
	notes := make([]string, 0, len(r.sender.got))
	for _, w := range r.sender.got {
		notes = append(notes, w.Record.WrapUp.Note)
	}
	return notes
}

// settled waits, in fake time, until nothing waits any more.
func (r *rig) settled() {
	r.t.Helper()
	for range 10_000 {
		if c := r.box.Counts(); c.Waiting == 0 {
			return
		}
		pass(time.Second)
	}
	r.t.Fatalf("still waiting: %+v", r.box.Unfinished())
}

func (r *rig) lastNews() outbox.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.news) == 0 {
		return outbox.Progress{}
	}
	return r.news[len(r.news)-1]
}

// states of the store's items, by Seq.
func (m *memory) states() []outbox.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	var states []outbox.State
	for _, seq := range slices.Sorted(maps.Keys(m.items)) {
		states = append(states, m.items[seq].State)
	}
	return states
}
