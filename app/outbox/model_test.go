package outbox_test

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Random operations against a model: whatever is accepted, edited, refused, retried and crashed, in the end the CRM has the last
// content of every key, and no key's content ever went back to an older one after a newer one was confirmed.
func TestRandomOperations_nothingLostNothingOutOfOrder(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		bubble(outer, func() {
			m := newModel(t, outer)
			defer m.leave()
			t.Repeat(map[string]func(*rapid.T){
				"accept": m.accept,
				"answer": m.answer,
				"crash":  m.crash,
				"retry":  m.retry,
				"disk":   m.disk,
				"pass":   m.pass,
				"hold":   m.hold,
				"":       m.check,
			})
			m.end(t)
		})
	})
}

// bubble runs f in fake time and brings rapid's way of failing, a panic, back out.
func bubble(t *testing.T, f func()) {
	var failed any
	synctest.Test(t, func(*testing.T) {
		defer func() { failed = recover() }()
		f()
	})
	if failed != nil {
		panic(failed)
	}
}

type model struct {
	*rig

	mu        sync.Mutex
	version   int
	accepted  map[string]int // newest version the outbox took, by key
	confirmed map[string]int // newest version the CRM confirmed, by key
	unclear   map[string]bool
	kinds     []cti.Kind
	fault     string
}

func newModel(t *rapid.T, outer *testing.T) *model {
	m := &model{accepted: map[string]int{}, confirmed: map[string]int{}, unclear: map[string]bool{}}
	m.rig = &rig{t: outer, store: newMemory()}
	m.sender = &fake{t: outer, lanes: map[string]bool{}, send: func() error { return nil },
		lane: func(w cti.WriteBack) string { return laneOf(w.Key) }}
	m.box = m.make(t)
	m.run()
	return m
}

// make puts the model between the outbox and the CRM.
func (m *model) make(t *rapid.T) *outbox.Outbox {
	box, err := outbox.New(m.store, told{m}, func(outbox.Progress) {}, discard)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// laneOf spreads the keys over three lanes.
func laneOf(key string) string { return fmt.Sprint("lane ", key[len(key)-1]%3) }

// leave ends what runs, so that the bubble can.
func (m *model) leave() {
	if m.stop != nil {
		m.rig.crash()
	}
}

func (m *model) accept(t *rapid.T) {
	n := rapid.IntRange(0, 7).Draw(t, "key")
	key := fmt.Sprint("key ", n)
	m.version++
	w := write(key, laneOf(key), fmt.Sprint(m.version))
	if rapid.IntRange(0, 5).Draw(t, "unclear") == 0 {
		w.Identity = cti.IdentityUnclear
	}
	if err := m.box.Accept(cti.Call{Leg: w.Leg}, w.Record.WrapUp, []cti.WriteBack{w}); err == nil {
		m.accepted[key], m.unclear[key] = m.version, w.Identity == cti.IdentityUnclear
	}
	synctest.Wait()
}

// answer tells what the CRM says to the next attempts, one after the other; when none is left it says yes.
func (m *model) answer(t *rapid.T) {
	kinds := rapid.SliceOfN(rapid.SampledFrom([]cti.Kind{"", "panic", cti.Invalid, cti.Auth, cti.Denied, cti.Limited, cti.Offline, cti.Uncertain, cti.Internal}), 1, 6).Draw(t, "kinds")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds = kinds
}

func (m *model) crash(t *rapid.T) {
	m.rig.crash()
	m.box = m.make(t)
	m.run()
}

func (m *model) retry(t *rapid.T) {
	if items := m.box.Unfinished(); len(items) > 0 {
		_ = m.box.Retry(rapid.SampledFrom(items).Draw(t, "item").Seq) // refused for unclear ones
		synctest.Wait()
	}
}

func (m *model) disk(t *rapid.T) { m.store.fill(rapid.Bool().Draw(t, "full")) }

func (m *model) pass(t *rapid.T) {
	pass(time.Duration(rapid.IntRange(1, 1000).Draw(t, "seconds")) * time.Second)
}

// hold keeps attempts on their way, or lets them go.
func (m *model) hold(*rapid.T) {
	m.sender.mu.Lock()
	defer m.sender.mu.Unlock()
	if m.sender.hold != nil {
		close(m.sender.hold)
		m.sender.hold = nil
		return
	}
	m.sender.hold = make(chan struct{})
}

func (m *model) check(t *rapid.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != "" {
		t.Fatal(m.fault)
	}
	if m.sender.most > 6 {
		t.Fatalf("%d were on their way at once", m.sender.most)
	}
}

// end brings everything through: the CRM answers, the disk takes, a person picks and retries.
func (m *model) end(t *rapid.T) {
	m.store.fill(false)
	if m.sender.hold != nil {
		m.hold(t)
	}
	m.mu.Lock()
	m.kinds = nil
	m.mu.Unlock()
	for key, version := range m.accepted {
		if m.unclear[key] {
			m.acceptWrite(write(key, laneOf(key), fmt.Sprint(version)))
		}
	}
	for range 100 {
		for _, it := range m.box.Unfinished() {
			_ = m.box.Retry(it.Seq)
		}
		pass(time.Minute)
	}
	m.check(t)
	m.rig.crash()
	for key, version := range m.accepted {
		if m.confirmed[key] != version {
			t.Fatalf("%s: accepted version %d, the CRM has %d", key, version, m.confirmed[key])
		}
	}
	for _, it := range m.store.items {
		if it.State != outbox.Done {
			t.Fatalf("item %d was left %q", it.Seq, it.State)
		}
	}
}

// told is the CRM: it answers as it was told and remembers, by key, the newest content it confirmed.
type told struct{ m *model }

func (c told) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	var version int
	if _, err := fmt.Sscan(w.Record.WrapUp.Note, &version); err != nil {
		return cti.Receipt{}, err
	}
	kind := c.next()
	if kind == "panic" {
		panic("told to")
	}
	receipt, err := c.m.sender.Send(ctx, w)
	if err != nil || kind != "" && kind != cti.Uncertain {
		return receipt, cmp.Or[error](err, fail(kind))
	}
	c.confirm(w, version)
	if kind == cti.Uncertain { // it acted, and the answer was lost
		return cti.Receipt{}, fail(kind)
	}
	return receipt, nil
}

func (c told) next() cti.Kind {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if len(c.m.kinds) == 0 {
		return ""
	}
	kind := c.m.kinds[0]
	c.m.kinds = c.m.kinds[1:]
	return kind
}

func (c told) confirm(w cti.WriteBack, version int) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	switch {
	case w.Identity == cti.IdentityUnclear:
		c.m.fault = w.Key + " was sent before anybody picked"
	case version < c.m.confirmed[w.Key]:
		c.m.fault = fmt.Sprintf("%s: version %d came after %d", w.Key, version, c.m.confirmed[w.Key])
	}
	c.m.confirmed[w.Key] = version
}
