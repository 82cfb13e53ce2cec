package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// crm is a model of a CRM that keeps records. What it makes of a repetition is its kind; what it says of itself may be a lie, for the
// negative controls.
type crm struct {
	kind kind
	says cti.Repeat // of new records; nil-valued: the truth

	mu      sync.Mutex
	records []record
	keys    map[string]answered // what it remembers of keys
	ids     map[string]int      // places in records
	plan    []fault             // how the next requests end
	hold    chan struct{}       // when set, a request waits for it before it is answered
	flying  map[string]int      // requests by lane
	fault   string              // the first thing that must not be
	sends   int
	finds   int
	started func(cti.WriteBack) // told of each write before anything else
}

type record struct {
	id, key, note, customer string
	at                      time.Time
}

type answered struct {
	id string
	at time.Time
}

// kind is what a CRM can do against duplicates.
type kind struct {
	name   string
	upsert bool          // the key is a field there, and unique
	window time.Duration // for so long it remembers keys, and gives the old answer
	lag    time.Duration // so long after a write a search does not show it
	find   bool
}

var (
	upserting = kind{name: "upsert", upsert: true}
	windowed  = kind{name: "window", window: 24 * time.Hour}
	searching = kind{name: "window and search", window: 24 * time.Hour, find: true, lag: time.Minute}
	lagging   = kind{name: "search", find: true, lag: time.Minute}
	blind     = kind{name: "none"}
	allKinds  = []kind{upserting, windowed, searching, lagging, blind}
)

// truth is what a connector for it says.
func (k kind) truth() cti.Repeat {
	return cti.Repeat{Safe: k.upsert || k.window > 0, Window: k.window, Find: k.find, Settle: k.lag}
}

// fault is how a request ends: before or after the CRM acted.
type fault struct {
	kind   cti.Kind
	after  bool // it acted first
	panics bool
	retry  time.Duration
}

func newCRM(k kind) *crm {
	return &crm{kind: k, says: k.truth(), keys: map[string]answered{}, ids: map[string]int{}, flying: map[string]int{}}
}

func (c *crm) Repeat(w cti.WriteBack) cti.Repeat {
	if w.RecordID != "" {
		return cti.Repeat{Safe: true} // an update of a known record
	}
	return c.says
}

func (c *crm) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if c.started != nil {
		c.started(w)
	}
	f, leave := c.enter(w)
	defer leave()
	if f.kind == cti.Invalid && c.remembers(w) { // it looks at the key first
		f = fault{}
	}
	if err := c.wait(ctx); err != nil {
		return cti.Receipt{}, err
	}
	if f.kind != "" && !f.after || f.panics && !f.after {
		return cti.Receipt{}, f.end()
	}
	id := c.write(w)
	if f.kind != "" || f.panics {
		return cti.Receipt{}, f.end()
	}
	if err := c.wait(ctx); err != nil { // it acted, and nobody heard
		return cti.Receipt{}, err
	}
	return cti.Receipt{ID: id}, nil
}

func (f fault) end() error {
	if f.panics {
		panic("told to")
	}
	return &cti.Error{Kind: f.kind, Msg: "told to be " + string(f.kind), RetryAfter: f.retry}
}

func (c *crm) enter(w cti.WriteBack) (fault, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sends++
	lane := w.Record.Number.Key
	c.flying[lane]++
	switch {
	case c.flying[lane] > 1:
		c.blame("two of %s are on their way", lane)
	case len(c.flying) > 6:
		c.blame("%d lanes are on their way", len(c.flying))
	case w.Identity == cti.IdentityUnclear:
		c.blame("%s was sent before anybody picked", w.Key)
	}
	return c.next(), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.flying[lane]--; c.flying[lane] == 0 {
			delete(c.flying, lane)
		}
	}
}

func (c *crm) blame(format string, args ...any) {
	if c.fault == "" {
		c.fault = fmt.Sprintf(format, args...)
	}
}

func (c *crm) next() fault {
	if len(c.plan) == 0 {
		return fault{}
	}
	f := c.plan[0]
	c.plan = c.plan[1:]
	return f
}

func (c *crm) wait(ctx context.Context) error {
	c.mu.Lock()
	hold := c.hold
	c.mu.Unlock()
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *crm) remembers(w cti.WriteBack) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remembersLocked(w)
}

func (c *crm) remembersLocked(w cti.WriteBack) bool {
	known, ok := c.keys[w.Key]
	return ok && w.RecordID == "" && c.kind.window > 0 && time.Since(known.at) < c.kind.window
}

// write acts, as this kind of CRM does.
func (c *crm) write(w cti.WriteBack) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.remembersLocked(w) {
		return c.keys[w.Key].id // the old answer, whatever is sent now
	}
	id := w.RecordID
	if id == "" && c.kind.upsert {
		id = c.keys[w.Key].id
	}
	if at, ok := c.ids[id]; ok {
		r := &c.records[at]
		r.note, r.customer = w.Record.WrapUp.Note, w.CustomerID
		return r.id
	}
	r := record{id: fmt.Sprint("r", len(c.records)+1), key: w.Key, note: w.Record.WrapUp.Note, customer: w.CustomerID, at: now}
	c.ids[r.id] = len(c.records)
	c.records = append(c.records, r)
	c.keys[w.Key] = answered{id: r.id, at: now}
	return r.id
}

func (c *crm) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.mu.Lock()
	c.finds++
	f := c.next()
	c.mu.Unlock()
	if f.kind != "" || f.panics {
		return cti.Receipt{}, f.end()
	}
	if err := c.wait(ctx); err != nil {
		return cti.Receipt{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.key == w.Key && time.Since(r.at) >= c.kind.lag {
			return cti.Receipt{ID: r.id}, nil
		}
	}
	return cti.Receipt{}, cti.Errorf(cti.NotFound, "no such record", nil)
}

// of gives the records with a key.
func (c *crm) of(key string) []record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []record
	for _, r := range c.records {
		if r.key == key {
			found = append(found, r)
		}
	}
	return found
}

func (c *crm) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.records)
}

func (c *crm) lookUps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finds
}

func (c *crm) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sends
}

// fails tells how the next requests end.
func (c *crm) fails(plan ...fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan = plan
}

// holds keeps requests on their way until the function it gives is called.
func (c *crm) holds() (letGo func()) {
	hold := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = hold
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hold = nil
		close(hold)
	}
}

// onceEach checks that the CRM has each key once, with its note.
func (c *crm) onceEach(t testing.TB, notes map[string]string) {
	t.Helper()
	for key, note := range notes {
		if got := c.of(key); len(got) != 1 || got[0].note != note {
			t.Errorf("the CRM has %+v of %s, want one record with %q", got, key, note)
		}
	}
	if c.fault != "" {
		t.Error(c.fault)
	}
}
