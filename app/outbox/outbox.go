package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Store keeps items. Its methods may be called concurrently; a nil error means flushed to the disk, but with Finished.
type Store interface {
	// Accept makes a call with its wrap-up and items durable: Seq 0 gets the next number; the others replace the item of that Seq.
	// A call without a leg is none: then only the items are written. It gives the items as stored.
	Accept(call cti.Call, wrap cti.WrapUp, items []Item) ([]Item, error)
	// Save replaces one item; change says what happened to it.
	Save(change Change, it Item) error
	// Item gives one item whole; kind notfound.
	Item(seq uint64) (Item, error)
	// Latest gives the newest item of a leg with a key, final or not; Seq 0 means there is none.
	Latest(leg, key string) (Item, error)
	// Standings gives what is not final, by Seq.
	Standings(each func(Standing) error) error
}

// Sender speaks to the CRM; it may be called concurrently. An error's kind decides what becomes of the item: every kind but uncertain
// and internal says that this attempt wrote nothing.
type Sender interface {
	// Send makes one change in the CRM. A write-back with a RecordID updates that record.
	Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
	// Repeat tells what a repetition does there; it asks nobody.
	Repeat(w cti.WriteBack) cti.Repeat
	// Find looks up by key; kind notfound: the CRM has none.
	Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
}

// Progress tells what became of an item. One that is on its way, or looked up, has Sending true.
type Progress struct {
	Item    Item
	Sending bool
}

// The limits of the dispatcher.
const (
	// parallel is how many lanes are sent at once.
	parallel = 6
	// sendLimit ends one attempt; the connector's own time-outs are shorter.
	sendLimit = 30 * time.Second
	// saveAgain is how often the disk is asked again to take down what happened, or to give what it refused.
	saveAgain = 10 * time.Second
)

// Outbox is safe for concurrent use. Make it with New, then call Run once.
//
// Three things keep its memory and the store in step. Whoever changes what has a key, in both, has locked the key. Whoever changes an
// item that is not on its way has claimed its lane, so that nothing of that is sent meanwhile. And mu, which guards the memory, is
// never held while the store or the CRM is asked.
type Outbox struct {
	store    Store
	sender   Sender
	log      *slog.Logger
	progress func(Progress)
	clock    clock
	random   func() float64 // in [0,1): jitter, not a secret
	keys     keys
	wake     chan struct{}

	saving sync.Mutex // held while unsaved ones are written

	mu       sync.Mutex
	schedule schedule
	unsaved  unsaved
	pause    pause
	begun    map[uint64]time.Duration // when, by our clock, what may be in the CRM was sent first
	news     []Progress               // of what persons did; Run tells it
}

// New makes an outbox. Progress is called for each change, from one goroutine at a time, never while a lock is held; it may block.
func New(store Store, sender Sender, progress func(Progress), log *slog.Logger) (*Outbox, error) {
	return open(newClock(time.Now), store, sender, progress, log)
}

func open(c clock, store Store, sender Sender, progress func(Progress), log *slog.Logger) (*Outbox, error) {
	o := &Outbox{store: store, sender: sender, log: log, progress: progress, clock: c, random: rand.Float64,
		wake: make(chan struct{}, 1), schedule: newSchedule(), begun: map[uint64]time.Duration{}}
	now, today := o.clock.now(), o.clock.today()
	err := store.Standings(func(st Standing) error {
		wait := min(max(0, st.Due.Sub(today)), lastWindow) // a clock that jumped must not park an item for ever
		if st.State == Reconcile {
			wait = 0 // how long the CRM has had by now is not known: that is seen to when it is looked up
		}
		o.schedule.add(st, now+wait)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return o, nil
}

// Counts are the numbers for the window's corner.
type Counts struct {
	Waiting int       `json:"waiting"` // those on their way included
	Review  int       `json:"review"`
	Sending int       `json:"sending"`
	Since   time.Time `json:"since,omitzero"`  // when the oldest of those that wait was made
	Paused  time.Time `json:"paused,omitzero"` // nothing is sent before
	Reason  cti.Kind  `json:"reason,omitempty"`
}

// Counts tells how much has not reached the CRM.
func (o *Outbox) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := Counts{Waiting: len(o.schedule.waiting), Review: o.schedule.review, Sending: o.schedule.busy}
	if c.Waiting > 0 {
		c.Since = time.UnixMilli(o.schedule.waiting[0].created).UTC()
	}
	if now := o.clock.now(); o.pause.until > now {
		c.Paused, c.Reason = o.clock.at(o.pause.until), o.pause.kind
	}
	return c
}

func (o *Outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default: // one is waiting already
	}
}
