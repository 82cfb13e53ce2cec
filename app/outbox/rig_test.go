package outbox_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

var discard = slog.New(slog.DiscardHandler)

var errDisk = errors.New("no space left on device")

// memory is the model of a store: what a crash leaves is what is in it. Like the real one it does not flush what is only finished.
type memory struct {
	mu    sync.Mutex
	seq   uint64
	items map[uint64]outbox.Item
	byKey map[string]uint64
	calls map[string]cti.WrapUp
	lost  []outbox.Item // as they were before what is not flushed yet
	saves map[outbox.Change]int
	flush time.Duration // how long a flush takes

	full    bool            // refuses writes
	stuck   bool            // refuses Save only
	refused map[uint64]bool // those that Save refuses
	liar    bool            // Accept keeps what it says it refused, as a disk may
	damaged map[uint64]error
}

func newMemory() *memory {
	return &memory{items: map[uint64]outbox.Item{}, byKey: map[string]uint64{}, calls: map[string]cti.WrapUp{}, saves: map[outbox.Change]int{}, damaged: map[uint64]error{}}
}

func (m *memory) Accept(call cti.Call, wrap cti.WrapUp, items []outbox.Item) ([]outbox.Item, error) {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return nil, errDisk
	}
	if call.Leg != "" {
		m.calls[call.Leg] = wrap
	}
	stored := slices.Clone(items)
	for i, it := range stored {
		if it.Seq == 0 {
			m.seq++
			stored[i].Seq = m.seq
		}
		m.put(stored[i])
	}
	m.lost = nil
	if m.liar {
		return nil, errDisk
	}
	return stored, nil
}

func (m *memory) put(it outbox.Item) {
	m.items[it.Seq] = it
	m.byKey[it.WriteBack.Key] = max(m.byKey[it.WriteBack.Key], it.Seq)
}

func (m *memory) wait() {
	if m.flush > 0 {
		time.Sleep(m.flush) //nolint:forbidigo // fake time: a slow disk
	}
}

func (m *memory) Save(change outbox.Change, it outbox.Item) error {
	if change != outbox.Finished {
		m.wait()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full || m.stuck || m.refused[it.Seq] {
		return errDisk
	}
	if change == outbox.Finished {
		m.lost = append(m.lost, m.items[it.Seq])
	} else {
		m.lost = nil
	}
	m.saves[change]++
	m.put(it)
	return nil
}

func (m *memory) Item(seq uint64) (outbox.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it, ok := m.items[seq]
	if err := m.damaged[seq]; err != nil {
		return outbox.Item{}, err
	}
	if !ok {
		return outbox.Item{}, cti.Errorf(cti.NotFound, "no such item", nil)
	}
	return it, nil
}

func (m *memory) Latest(leg, key string) (outbox.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.items[m.byKey[key]]
	if it.WriteBack.Leg != leg {
		return outbox.Item{}, nil
	}
	return it, nil
}

func (m *memory) Standings(each func(outbox.Standing) error) error {
	for _, it := range m.unfinished() {
		if err := each(it.Standing()); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) unfinished() []outbox.Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	var open []outbox.Item
	for _, it := range m.items {
		if !it.State.Final() {
			open = append(open, it)
		}
	}
	slices.SortFunc(open, func(a, b outbox.Item) int { return cmp.Compare(a.Seq, b.Seq) })
	return open
}

// cut is a power cut: what was not flushed is gone.
func (m *memory) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range slices.Backward(m.lost) {
		m.items[it.Seq] = it
	}
	m.lost = nil
}

// rebuild is what the index is after it was made anew from the journal.
func (m *memory) rebuild() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for seq, it := range m.items {
		if !it.State.Final() && it.State != outbox.Review {
			it.State = outbox.Reconcile
			m.items[seq] = it
		}
	}
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
	rep  cti.Repeat    // what it says of repetitions
	find func(w cti.WriteBack) (cti.Receipt, error)
	lane func(w cti.WriteBack) string
	step func(ctx context.Context, w cti.WriteBack) // what it does on its way

	mu    sync.Mutex
	got   []cti.WriteBack
	lanes map[string]bool
	most  int
	asked int // look-ups
}

func (f *fake) Repeat(cti.WriteBack) cti.Repeat { return f.rep }

func (f *fake) Find(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	f.mu.Lock()
	f.asked++
	find := f.find
	f.mu.Unlock()
	return find(w)
}

func (f *fake) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if f.step != nil {
		f.step(ctx, w)
	}
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
	crm    *crm           // when set, it is the sender
	gate   *gate          // when set, it is before the crm
	diary  *diary         // when set, it is before the crm too
	random func() float64 // when set, the jitter
	box    *outbox.Outbox
	stop   context.CancelFunc
	ended  chan error
	shift  atomic.Int64 // nanoseconds of the wall's clock

	mu   sync.Mutex
	news []outbox.Progress
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: newMemory(), sender: &fake{t: t, lanes: map[string]bool{}, rep: cti.Repeat{Safe: true}, send: func() error { return nil }}}
	r.open()
	t.Cleanup(func() {
		if r.stop != nil {
			r.crash()
		}
	})
	return r
}

// newCRMRig is a rig with a model of a CRM.
func newCRMRig(t testing.TB, k kind) *rig {
	t.Helper()
	r := newRig(t)
	r.crm = newCRM(k)
	r.open()
	return r
}

// restart is a crash and a new start.
func (r *rig) restart() {
	r.t.Helper()
	r.crash()
	r.open()
	r.run()
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	var sender outbox.Sender = r.sender
	if r.crm != nil {
		sender = r.crm
	}
	if r.gate != nil {
		sender = r.gate
	}
	if r.diary != nil {
		sender = r.diary
	}
	r.box, err = outbox.NewAt(func() time.Time { return time.Now().Add(time.Duration(r.shift.Load())) }, r.random, r.store, sender, func(p outbox.Progress) {
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

// waiting accepts an item, as it is after a dozen failures in an earlier run.
func (r *rig) waiting(key, lane string, kind cti.Kind, due time.Duration) {
	r.t.Helper()
	r.accept(key, lane)
	it := r.store.items[r.store.byKey[key]]
	it.State, it.Due, it.Attempts = outbox.Retry, time.Now().Add(due), 12
	it.Tries = []outbox.Try{{At: time.Now().UTC(), Kind: kind, Message: string(kind)}}
	r.store.items[it.Seq] = it
	r.open()
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

// unfinished lists what is not final.
func (r *rig) unfinished() []outbox.Item {
	r.t.Helper()
	items, err := r.box.List(outbox.Filter{})
	if err != nil {
		r.t.Fatal(err)
	}
	return items
}

// counts gives the numbers without the times.
func (r *rig) counts() outbox.Counts {
	c := r.box.Counts()
	return outbox.Counts{Waiting: c.Waiting, Review: c.Review, Sending: c.Sending}
}

func (r *rig) only() outbox.Item {
	r.t.Helper()
	items := r.unfinished()
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
	r.t.Fatalf("still waiting: %+v", r.unfinished())
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
