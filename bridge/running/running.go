// Package running is what every source does in Run: it runs once at a time, takes a lost connection up again without ever hammering at the far end, and
// passes events on in order.
// It must not know what is connected to, or what an event is.
package running

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Once lets a source run once at a time. Its zero value is ready.
type Once struct{ runs atomic.Bool }

// Begin fails with kind conflict while another Run goes on; else end must be called when this one is over.
func (o *Once) Begin() (end func(), err error) {
	if !o.runs.CompareAndSwap(false, true) {
		return nil, cti.Errorf(cti.Conflict, "run the source: it runs already", nil)
	}
	return func() { o.runs.Store(false) }, nil
}

// Runs tells whether a Run goes on.
func (o *Once) Runs() bool { return o.runs.Load() }

// Deliver passes what is queued on in order until ctx ends. The queue is there so that a source reads on, and hears the replies to commands, while emit
// blocks.
func Deliver[T any](ctx context.Context, queue <-chan T, emit func(T)) {
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-queue:
			if ctx.Err() != nil {
				return
			}
			emit(next)
		}
	}
}

// Backoff is how long the pauses between connections are: First, then twice as long each time up to Most, a random part of up to a quarter taken off,
// never shorter than First. After a connection that lived for Proven the next pause is First again: one that ends earlier counts as a failed attempt, since
// that is how it looks when somebody else takes the far end away again and again.
type Backoff struct{ First, Most, Proven time.Duration }

// Again calls connect until ctx ends: each call serves one connection from dialling to its end, and tells how long it lived and why it ended. lost is told
// of each end but the last, with the pause that follows. What slow says yes to is not worth trying soon (nil: nothing): refused credentials do not get
// better by themselves, and many attempts may lock the account.
func (b Backoff) Again(ctx context.Context, connect func(context.Context) (lived time.Duration, err error), slow func(error) bool,
	lost func(err error, lived, pause time.Duration)) {
	wait := b.First
	for ctx.Err() == nil {
		lived, err := connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if lived >= b.Proven {
			wait = b.First
		}
		if slow != nil && slow(err) {
			wait = b.Most
		}
		pause := max(b.First, wait-rand.N(wait/4)) //nolint:gosec // jitter
		wait = min(2*wait, b.Most)
		lost(err, lived, pause)
		if !Sleep(ctx, pause) {
			return
		}
	}
}

// Sleep waits, and tells whether that was to the end: false when ctx ended before.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
