package outbox

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Store keeps items. Its methods may be called concurrently; a nil error means flushed to the disk.
type Store interface {
	// Accept writes a call with its wrap-up and its items in one transaction. Items with Seq 0 get the next one; the others
	// replace the item of that Seq. It gives the items as stored.
	Accept(call cti.Call, wrap cti.WrapUp, items []Item) ([]Item, error)
	// Save replaces one item.
	Save(item Item) error
	// Unfinished gives all items that are not done, by Seq.
	Unfinished() ([]Item, error)
	// Latest gives the newest item with a key, done or not; Seq 0 means there is none.
	Latest(key string) (Item, error)
}

// Sender makes one change in the CRM; it may be called concurrently. The error's kind decides what becomes of the item.
type Sender interface {
	Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
}

// Progress tells what became of an item. Sending items have State Queued or Retry and Sending true.
type Progress struct {
	Item    Item
	Sending bool
}

// Counts are the numbers for the window's corner.
type Counts struct {
	Waiting int `json:"waiting"`
	Review  int `json:"review"`
}

// The limits of the dispatcher.
const (
	// parallel is how many lanes are sent at once.
	parallel = 6
	// sendLimit ends one attempt; the connector's own time-outs are shorter.
	sendLimit = 30 * time.Second
	// saveAgain is how often the disk is asked again to take down what is done.
	saveAgain = 10 * time.Second
)

// Outbox is safe for concurrent use. Make it with New, then call Run once.
type Outbox struct {
	store    Store
	sender   Sender
	log      *slog.Logger
	progress func(Progress)

	wake chan struct{}

	mu      sync.Mutex
	items   map[uint64]Item // unfinished ones; where the disk lags behind, these are right
	sending map[uint64]bool
	unsaved []Item    // done, but the disk refused to take that down; in the order in which it must
	paused  time.Time // nothing is sent before
}

// New makes an outbox. Progress is called for each change, from one goroutine at a time, never while a lock is held; it may block.
func New(store Store, sender Sender, progress func(Progress), log *slog.Logger) (*Outbox, error) {
	unfinished, err := store.Unfinished()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	o := &Outbox{store: store, sender: sender, log: log, progress: progress,
		wake: make(chan struct{}, 1), items: map[uint64]Item{}, sending: map[uint64]bool{}}
	newest := map[string]uint64{}
	for _, it := range unfinished {
		newest[it.WriteBack.Key] = max(newest[it.WriteBack.Key], it.Seq)
	}
	for _, it := range unfinished {
		if it.Seq < newest[it.WriteBack.Key] { // its update came while it was on its way, then we were stopped
			o.unsaved = append(o.unsaved, it.replaced())
			continue
		}
		// A clock that jumped must not park an item for ever.
		if latest := time.Now().Add(lastWindow); it.Due.After(latest) {
			it.Due = latest
		}
		o.items[it.Seq] = it
	}
	return o, nil
}

// Accept makes a call and its write-backs durable; when it returns nil they will be delivered, whatever happens. A write-back whose
// key is still unsent replaces that item; one whose key was sent becomes an update behind it; one that says nothing new is dropped.
func (o *Outbox) Accept(call cti.Call, wrap cti.WrapUp, writes []cti.WriteBack) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush() // before anything newer
	var items []Item
	for _, w := range writes {
		it, news, err := o.prepare(w)
		if err != nil {
			return err
		}
		if news {
			items = append(items, it)
		}
	}
	stored, err := o.store.Accept(call, wrap, items)
	if err != nil {
		return fmt.Errorf("write the call down: %w", err)
	}
	for _, it := range stored {
		o.items[it.Seq] = it
	}
	o.nudge()
	return nil
}

// prepare decides what a write-back becomes; the second result is false when the newest item with its key says the same already.
func (o *Outbox) prepare(w cti.WriteBack) (Item, bool, error) {
	now := time.Now().UTC()
	latest, err := o.latest(w.Key)
	if err != nil {
		return Item{}, false, fmt.Errorf("look for an earlier write-back: %w", err)
	}
	_, known := o.items[latest.Seq] // a store may have kept what it refused
	if latest.Seq != 0 && latest.WriteBack == w && (known || latest.State == Done) {
		return Item{}, false, nil
	}
	it := Item{Lane: laneOf(w), CreatedAt: now}
	if latest.Seq != 0 {
		it.Lane = latest.Lane // behind the earlier one, even when the customer was corrected since
		if latest.State != Done && !o.sending[latest.Seq] {
			it = latest
		}
	}
	it.WriteBack, it.State, it.Due = w, Queued, now
	if w.Identity == cti.IdentityUnclear {
		it.State = Review
	}
	return it, true, nil
}

// latest is the store's newest item with a key, as it stands now.
func (o *Outbox) latest(key string) (Item, error) {
	stored, err := o.store.Latest(key)
	if it, ok := o.items[stored.Seq]; ok {
		return it, err
	}
	for _, it := range o.unsaved {
		if it.Seq == stored.Seq {
			return it, err
		}
	}
	return stored, err
}

// laneOf: what concerns one customer stays in order.
func laneOf(w cti.WriteBack) string {
	return cmp.Or(w.CustomerID, w.Record.Number.Key, w.Record.Number.Raw, w.Leg)
}

// Retry makes an item that waits or needs a person due now.
func (o *Outbox) Retry(seq uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	it, ok := o.items[seq]
	switch {
	case !ok:
		return cti.Errorf(cti.NotFound, fmt.Sprintf("there is no unfinished item %d in the outbox: see ringctl outbox list", seq), nil)
	case o.sending[seq]:
		return nil
	case it.WriteBack.Identity == cti.IdentityUnclear:
		return cti.Errorf(cti.Conflict, "several customers share this number: pick the customer first", nil)
	}
	it.State, it.Due = Queued, time.Now().UTC()
	if err := o.store.Save(it); err != nil {
		return fmt.Errorf("save item %d: %w", seq, err)
	}
	o.items[seq] = it
	o.paused = time.Time{}
	o.nudge()
	return nil
}

// Counts tells how much has not reached the CRM.
func (o *Outbox) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	var c Counts
	for _, it := range o.items {
		if it.State == Review {
			c.Review++
		} else {
			c.Waiting++
		}
	}
	return c
}

// Unfinished lists the items that are not done, by Seq.
func (o *Outbox) Unfinished() []Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	items := make([]Item, 0, len(o.items))
	for _, it := range o.items {
		items = append(items, it)
	}
	slices.SortFunc(items, bySeq)
	return items
}

func bySeq(a, b Item) int { return cmp.Compare(a.Seq, b.Seq) }

func (o *Outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default: // one is waiting already
	}
}
