package app

import (
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// maxTimings bounds how many calls' timings are kept: the newest.
const maxTimings = 200

// timings measures how fast each card was, from the first event of its call to the window's paint. "Be instant" is thus measured on
// every workstation, not only in a bench.
type timings struct {
	mu    sync.Mutex
	legs  map[string]*timing
	order []string
}

type timing struct {
	start              time.Time
	shownSeq, foundSeq uint64
	wire.Timing
}

func newTimings() *timings { return &timings{legs: map[string]*timing{}} }

const never = -1

// shown notes that a card was handed out in a delta.
func (t *timings) shown(leg string, start time.Time, seq uint64, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.legs[leg]
	if m == nil {
		m = &timing{start: start, shownSeq: seq, Timing: wire.Timing{ShownMS: since(start), PaintedMS: never, FoundMS: never, FilledMS: never}}
		t.legs[leg] = m
		if t.order = append(t.order, leg); len(t.order) > maxTimings {
			delete(t.legs, t.order[0])
			t.order = t.order[1:]
		}
	}
	if found && m.foundSeq == 0 {
		m.foundSeq, m.FoundMS = seq, since(start)
	}
}

// painted notes that the window has painted a leg's card as of a delta.
func (t *timings) painted(leg string, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.legs[leg]
	if m == nil {
		return
	}
	if m.PaintedMS == never && seq >= m.shownSeq {
		m.PaintedMS = since(m.start)
	}
	if m.FilledMS == never && m.foundSeq != 0 && seq >= m.foundSeq {
		m.FilledMS = since(m.start)
	}
}

func (t *timings) of(leg string) (wire.Timing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.legs[leg]; m != nil {
		return m.Timing, nil
	}
	return wire.Timing{}, cti.Errorf(cti.NotFound, "nothing was measured for this call: it is too long ago, or not on this run", nil)
}

func since(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }
