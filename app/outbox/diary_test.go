package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// diary writes down what the outbox asks the CRM and why, for the words of a test that fails.
type diary struct {
	*rig

	mu    sync.Mutex
	lines []string
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

// note writes a line, with the time by both clocks.
func (d *diary) note(format string, args ...any) {
	now := time.Now()
	wall := now.Add(time.Duration(d.shift.Load()))
	line := fmt.Sprintf("%s (wall %s) ", now.UTC().Format("02 15:04:05.000"), wall.UTC().Format("02 15:04:05")) + fmt.Sprintf(format, args...)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) Repeat(w cti.WriteBack) cti.Repeat { return d.crm.Repeat(w) }

func (d *diary) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	return d.heard("send", w, func() (cti.Receipt, error) { return d.crm.Send(ctx, w) })
}

func (d *diary) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	return d.heard("look up", w, func() (cti.Receipt, error) { return d.crm.Find(ctx, w) })
}

// heard notes a question with all items of the key, and its answer.
func (d *diary) heard(what string, w cti.WriteBack, ask func() (cti.Receipt, error)) (receipt cti.Receipt, err error) {
	d.note("%s %s %q for %q over %q", what, w.Key, w.Record.WrapUp.Note, w.CustomerID, w.RecordID)
	for _, it := range d.store.withKey(w.Key) {
		if d.note("  %+v", it.Standing()); it.WriteBack.Record.WrapUp == w.Record.WrapUp && !it.State.Final() {
			d.note("  its age is %v", d.box.Age(it))
		}
	}
	defer func() {
		p := recover()
		d.note("%s %s %q: %+v %v, panic %v; the CRM has %+v", what, w.Key, w.Record.WrapUp.Note, receipt, err, p, d.crm.of(w.Key))
		if p != nil {
			panic(p)
		}
	}()
	return ask()
}

// jitter is random numbers that are the same for a seed.
func jitter(seed uint64) func() float64 {
	var mu sync.Mutex
	source := rand.New(rand.NewPCG(seed, 0))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return source.Float64()
	}
}

// withKey gives the items of a key, by Seq.
func (m *memory) withKey(key string) []outbox.Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []outbox.Item
	for seq := range m.seq + 1 {
		if it := m.items[seq]; it.WriteBack.Key == key {
			found = append(found, it)
		}
	}
	return found
}
