package outbox

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
)

// Outbox is safe for concurrent use. Make it with New, then call Run once.
type Outbox struct {
	store    Store
	sender   Sender
	log      *slog.Logger
	progress func(Progress)

	wake chan struct{}

	mu      sync.Mutex
	items   map[uint64]Item // unfinished ones
	sending map[uint64]bool
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
	for _, it := range unfinished {
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
	latest, err := o.store.Latest(w.Key)
	if err != nil {
		return Item{}, false, fmt.Errorf("look for an earlier write-back: %w", err)
	}
	if latest.Seq != 0 && latest.WriteBack == w {
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

// result is how one attempt ended.
type result struct {
	item    Item
	receipt cti.Receipt
	err     error
	at      time.Time
	took    time.Duration
}

// Run sends until ctx ends; it returns after every attempt has ended. What was not finished stays in the store.
func (o *Outbox) Run(ctx context.Context) error {
	results := make(chan result)
	running := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		for _, it := range o.take(parallel - running) {
			o.progress(Progress{Item: it, Sending: true})
			running++
			go func() { results <- o.attempt(ctx, it) }()
		}
		timer.Reset(o.untilNext())
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
		case r := <-results:
			running--
			o.settle(ctx, r)
		}
	}
	for ; running > 0; running-- {
		o.settle(ctx, <-results)
	}
	return nil
}

// take marks up to n items as sending: due, first in their lane, nothing of the lane on its way.
func (o *Outbox) take(n int) []Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.paused) {
		return nil
	}
	var taken []Item
	for _, it := range o.heads() {
		if len(taken) == n {
			break
		}
		if !o.sending[it.Seq] && !it.Due.After(now) {
			o.sending[it.Seq] = true
			taken = append(taken, it)
		}
	}
	return taken
}

// heads gives the first open item of each lane, by Seq; items for review do not block their lane.
func (o *Outbox) heads() []Item {
	first := map[string]Item{}
	for _, it := range o.items {
		head, ok := first[it.Lane]
		if it.open() && (!ok || it.Seq < head.Seq) {
			first[it.Lane] = it
		}
	}
	heads := make([]Item, 0, len(first))
	for _, it := range first {
		heads = append(heads, it)
	}
	slices.SortFunc(heads, bySeq)
	return heads
}

// untilNext tells how long nothing is due; at most a minute, so that a clock set back is noticed.
func (o *Outbox) untilNext() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := time.Minute
	for _, it := range o.heads() {
		if !o.sending[it.Seq] {
			wait = min(wait, max(0, time.Until(it.Due), time.Until(o.paused)))
		}
	}
	return wait
}

// attempt sends one item; a panic in a connector is a failed attempt, not the end of the agent.
func (o *Outbox) attempt(ctx context.Context, it Item) (r result) {
	r = result{item: it, at: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	defer func() {
		r.took = time.Since(r.at)
		if p := recover(); p != nil {
			r.err = cti.Errorf(cti.Internal, "the connector failed", fmt.Errorf("panic: %v", p))
		}
	}()
	r.receipt, r.err = o.sender.Send(ctx, it.WriteBack)
	return r
}

// settle books how an attempt ended.
func (o *Outbox) settle(ctx context.Context, r result) {
	if r.err != nil && ctx.Err() != nil {
		o.release(r.item.Seq) // we were stopped: that is not the item's fault
		return
	}
	it, ok := o.book(r)
	if !ok {
		return
	}
	o.progress(Progress{Item: it})
}

func (o *Outbox) release(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sending, seq)
}

func (o *Outbox) book(r result) (Item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sending, r.item.Seq)
	it, ok := o.items[r.item.Seq]
	if !ok {
		return Item{}, false
	}
	if r.err == nil {
		it.State, it.Receipt, it.DoneAt = Done, r.receipt, time.Now().UTC()
		o.cameBack()
	} else {
		it = o.fail(it, r)
	}
	if err := o.store.Save(it); err != nil {
		// The disk refused: after a restart the item is sent again with its key, which changes nothing in the CRM.
		o.log.Error("outbox item not saved", "seq", it.Seq, "state", it.State, "err", err)
	}
	if it.State == Done {
		delete(o.items, it.Seq)
	} else {
		o.items[it.Seq] = it
	}
	return it, true
}

func (o *Outbox) fail(it Item, r result) Item {
	kind := cti.KindOf(r.err)
	v := judge(kind, cti.RetryAfter(r.err), it.Attempts, rand.Float64()) //nolint:gosec // jitter, not a secret
	o.log.Warn("write-back failed", "seq", it.Seq, "op", it.WriteBack.Op, "kind", kind, "state", v.state, "wait", v.wait, "err", r.err)
	if v.pause {
		o.paused = r.at.Add(v.wait)
	}
	return it.failed(v, Try{At: r.at, Took: r.took, Kind: kind, Message: cti.MessageOf(r.err)})
}

// cameBack: one success shows that the CRM is there again, so whatever only waited for that is due now.
func (o *Outbox) cameBack() {
	now := time.Now().UTC()
	for seq, it := range o.items {
		if kind := it.LastTry().Kind; it.State == Retry && !o.sending[seq] && (kind == cti.Offline || kind == cti.Uncertain) && it.Due.After(now) {
			it.Due = now
			o.items[seq] = it
		}
	}
}
