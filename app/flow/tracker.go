package flow

import (
	"log/slog"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// seenEvery is how often the disk hears that a call still lives: by so much at most the end of one that ended while Ringside did not
// run is told too early.
const seenEvery = 30 * time.Second

// tracker brings live calls to the disk beside the loop, so that a slow disk delays no card: a call that ends while Ringside does not
// run is then known at the next start.
type tracker struct {
	queue Queue
	log   *slog.Logger
	wake  chan struct{}
	stop  chan struct{}

	mu      sync.Mutex
	pending map[string]Earlier // by leg: the newest

	writing sync.Mutex // held while the disk is asked
}

func newTracker(queue Queue, log *slog.Logger) *tracker {
	return &tracker{queue: queue, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), pending: map[string]Earlier{}}
}

// run writes until stop is closed, and then once more.
func (t *tracker) run() {
	for {
		select {
		case <-t.wake:
			t.write()
		case <-t.stop:
			t.write()
			return
		}
	}
}

// alive notes a live call and what the agent typed so far.
func (t *tracker) alive(c cti.Call, w cti.WrapUp, now time.Time) {
	c.SeenAt = now.UTC()
	t.mu.Lock()
	t.pending[c.Leg] = Earlier{Call: c, WrapUp: w}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// over forgets a call and waits for what of it is just being written: after that nothing makes it live again.
func (t *tracker) over(leg string) {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pending, leg)
}

// write brings what is pending to the disk. What it refuses the next sign of life brings again.
func (t *tracker) write() {
	for {
		t.writing.Lock()
		e, ok := t.next()
		if ok {
			if err := t.queue.Track(e.Call, e.WrapUp); err != nil {
				t.log.Error("live call not written down", "leg", e.Call.Leg, "err", err)
			}
		}
		t.writing.Unlock()
		if !ok {
			return
		}
	}
}

func (t *tracker) next() (Earlier, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for leg, e := range t.pending {
		delete(t.pending, leg)
		return e, true
	}
	return Earlier{}, false
}
