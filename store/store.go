// Package store keeps calls and outbox items so that what it acknowledged is there after any end of the process, the computer or the
// index file. It owns the folder: the journal (package journal: the truth), outbox.db (bbolt: an index that is made anew from the
// journal whenever it is in doubt), quarantine/ (index files that were in doubt, never deleted), BALLAST and LOCK. It implements what
// app/outbox and the call list ask for and must not know what an item means or when it is sent.
//
// The way of a change: the first of those who have one appends the changes of all that wait to the journal, as one group, and then
// acknowledges them; the indexer goroutine brings what was acknowledged into bbolt, in the same order. In between a change is pending:
// reads lay the pending changes over what the index says, so that everyone reads what was acknowledged.
//
// Every value on the disk is sealed and bound to its place; keys are numbers, times and MACs. There are no buckets for lanes and for
// items that need a person: the outbox makes its lanes in memory from the standings when it starts.
package store

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// Options say where and how. Dir and Keys are required, the rest may be left out.
type Options struct {
	// Dir is the store's own folder, on a local disk.
	Dir string
	// Keys seal. A ring that differs from that of the last time makes the index anew: what a returned key opens comes back.
	Keys secret.Ring
	Log  *slog.Logger
	// Probe is the command line of a process that vets the index after an unclean end: the folder is appended, the key ring comes on
	// its standard input, and it calls RunProbe. A damaged bbolt file can kill the process that reads it. Nil: this process does it.
	Probe []string
	// Alarm is told what a person should know. It is called from the store's goroutines and from those that write: it must not block nor
	// call the store, nor take a lock that is held while the store is called.
	Alarm func(Alarm)
	// KeepCalls is how long the call log goes back, 30 days at least; 0 means DefaultKeepCalls. What has not reached the CRM stays,
	// however old.
	KeepCalls time.Duration

	tune tuning
}

// DefaultKeepCalls is how long the sealed call log goes back by policy.
const DefaultKeepCalls = 400 * 24 * time.Hour

// keepDone is how long items that are final stay, and with them the memory of their keys.
const keepDone = 30 * 24 * time.Hour

// tuning is what tests change.
type tuning struct {
	maxSize int           // of the index, in bytes
	ballast int64         // its size
	compact int64         // bytes in free pages that make a compaction worth it
	watch   time.Duration // between looks at the file's identity
	again   time.Duration // between attempts to make the index anew
	idle    time.Duration // without a change, before tidying up
	step    func(string)  // called between the steps of migration, rebuild and compaction
}

const (
	// maxSize bounds the index: a runaway must not fill the disk. 100,000 waiting items take about 200 MB.
	maxSize = 4 << 30
	// backlog is how many changes may wait for the index before Accept waits too.
	backlog = 16_384
	// backlogBroken is how many may wait while there is no index that can be written to, before new calls are refused.
	backlogBroken = 1000
	// groupSize is how many records are written at once.
	groupSize = 1000
)

func (o *Options) defaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.KeepCalls == 0 {
		o.KeepCalls = DefaultKeepCalls
	}
	o.KeepCalls = max(o.KeepCalls, keepDone) // the journal must go back as far as the index
	t := &o.tune
	if t.maxSize == 0 {
		t.maxSize = maxSize
	}
	if t.ballast == 0 {
		t.ballast = 16 << 20
	}
	if t.compact == 0 {
		t.compact = compactFree
	}
	if t.watch == 0 {
		t.watch = 5 * time.Second
	}
	if t.again == 0 {
		t.again = 5 * time.Second
	}
	if t.idle == 0 {
		t.idle = 2 * time.Second
	}
	if t.step == nil {
		t.step = func(string) {}
	}
}

// Store is safe for concurrent use. A nil error from a write means that it is on the disk (but of a write that says Finished: that it is
// with the system).
type Store struct {
	opt  Options
	lock *flock.Flock

	queue queue            // of ops
	log   *journal.Journal // whoever writes has it
	lean  bool             // the indexer's: a rebuild leaves out what is final

	full    atomic.Bool // the journal cannot grow: new calls are refused
	ballast ballast

	mu      sync.Mutex
	changed sync.Cond // pending or mode changed
	pending pending
	mode    mode
	cause   error // why the mode is not healthy

	wake  chan struct{} // there is something pending, or mode changed
	tasks chan task     // for the indexer
	ended chan struct{} // closed when the indexer is done

	file fileHandle // the index
	head head       // the indexer's
}

// LoggedCall is a finished call with its wrap-up, as the call list shows it.
type LoggedCall struct {
	Call   cti.Call   `json:"call"`
	WrapUp cti.WrapUp `json:"wrapup"`
}

var _ outbox.Store = (*Store)(nil)

// Accept implements outbox.Store. The call is live no more. A call without a leg is none: then only the items are written.
func (s *Store) Accept(call cti.Call, wrap cti.WrapUp, items []outbox.Item) ([]outbox.Item, error) {
	if err := s.roomForCall(); err != nil {
		return nil, err
	}
	o, err := acceptOp(LoggedCall{Call: call, WrapUp: wrap}, items, time.Now())
	if err != nil {
		return nil, fmt.Errorf("accept a call: %w", err)
	}
	if len(o.records) == 0 {
		return nil, nil
	}
	if err := s.do(o); err != nil {
		return nil, fmt.Errorf("accept a call: %w", err)
	}
	stored := make([]outbox.Item, 0, len(items))
	for _, c := range o.changes {
		if c.item != nil {
			stored = append(stored, *c.item)
		}
	}
	return stored, nil
}

// Save implements outbox.Store. With Finished, Dropped, Tried and Started it works on a full disk, too.
func (s *Store) Save(change outbox.Change, it outbox.Item) error {
	if it.Seq == 0 {
		return cti.Errorf(cti.Invalid, "an item without a number cannot be saved: accept it first", nil)
	}
	var known outbox.Item
	if it.State.Final() {
		known, _ = s.item(it.Seq) // if it cannot be read, it is written whole
	}
	o, err := itemOp(change, it, known, time.Now())
	if err != nil {
		return fmt.Errorf("save item %d: %w", it.Seq, err)
	}
	if err := s.do(o); err != nil {
		return fmt.Errorf("save item %d: %w", it.Seq, err)
	}
	return nil
}

// Track keeps a call that is not over yet, and what the agent typed so far, so that one that ends while Ringside is dead is known. It replaces what it kept of that leg;
// of a call that Accept had already it keeps nothing.
func (s *Store) Track(call cti.Call, wrap cti.WrapUp) error {
	if err := s.roomForCall(); err != nil {
		return err
	}
	o, err := liveOp(LoggedCall{Call: call, WrapUp: wrap}, time.Now())
	if err != nil {
		return fmt.Errorf("track a call: %w", err)
	}
	if err := s.do(o); err != nil {
		return fmt.Errorf("track a call: %w", err)
	}
	return nil
}

// Settle waits until the index holds everything that was acknowledged before it was called, or cannot take it.
func (s *Store) Settle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.pending.newest
	for s.pending.indexed < target && s.mode != broken {
		s.changed.Wait()
	}
	if s.pending.indexed < target {
		return s.cause
	}
	return nil
}
