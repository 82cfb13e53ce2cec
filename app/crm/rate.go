package crm

import (
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// How a rate moves: additive increase, multiplicative decrease (AIMD).
const (
	spared    = 0.02 // of a declared allowance: bursts take it, so that no window of its length sees more than allowed
	cutTo     = 0.7  // of the rate, when the CRM refuses one for being too many
	slowest   = 0.05 // of the full rate
	growth    = 0.02 // of the full rate, each second in which the CRM answers
	forgotten = 10 * time.Minute
	// A request that comes a moment late, as timers do, would lose that moment for ever if no more than one could be saved up: at fifty a second
	// that was one in twenty. late is how much of what is spared may be saved for that; parts are those of a request in which it is counted.
	late  = 0.9
	parts = 100
)

// rates are the buckets of one endpoint, those its connector declares or, without one, what the CRM's refusals teach. Not safe for
// concurrent use.
type rates struct {
	buckets []*bucket
	learned *bucket // after the first refusal for an operation without a declared bucket
	cutAt   time.Time
	second  time.Time // the running second, and how many requests worked in it and in the one before
	now     int
	before  int
	cost    map[string]int
	dearest int // operation
}

// bucket is one allowance.
type bucket struct {
	ops     []string // empty: all
	full    float64  // requests a second
	current float64
	grown   time.Time
	limiter *rate.Limiter
}

func newRates(l limits) rates {
	r := rates{cost: l.cost, dearest: 1}
	for _, n := range l.cost {
		r.dearest = max(r.dearest, n)
	}
	for _, a := range l.buckets {
		burst := 1 + late*spared*float64(a.max) // with the rate less than one more than allowed, in any window
		if a.shared {
			burst = min(burst, 1+late)
		}
		r.buckets = append(r.buckets, newBucket(a.ops, float64(a.max)*(1-spared)/a.per.Seconds(), max(burst, float64(r.dearest))))
	}
	return r
}

func newBucket(ops []string, full, burst float64) *bucket {
	return &bucket{ops: ops, full: full, current: full, limiter: rate.NewLimiter(rate.Limit(full*parts), int(burst*parts))}
}

func (b *bucket) holds(op string) bool { return len(b.ops) == 0 || slices.Contains(b.ops, op) }

func (r *rates) of(op string) []*bucket {
	var out []*bucket
	for _, b := range r.buckets {
		if b.holds(op) {
			out = append(out, b)
		}
	}
	if r.learned != nil {
		out = append(out, r.learned)
	}
	return out
}

// shared tells whether two operations draw on one bucket.
func (r *rates) shared(one, other string) bool {
	theirs := r.of(other)
	return slices.ContainsFunc(r.of(one), func(b *bucket) bool { return slices.Contains(theirs, b) })
}

// wait gives the time until an operation may make a request; 0 is now.
func (r *rates) wait(op string, now time.Time) time.Duration {
	longest := time.Duration(0)
	for _, b := range r.of(op) {
		if missing := float64(r.costOf(op)) - b.limiter.TokensAt(now)/parts; missing > 0 {
			longest = max(longest, time.Duration(missing/b.current*float64(time.Second))+time.Microsecond)
		}
	}
	return longest
}

func (r *rates) costOf(op string) int { return max(r.cost[op], 1) }

// take uses the permission that wait gave.
func (r *rates) take(op string, now time.Time) {
	for _, b := range r.of(op) {
		b.limiter.AllowN(now, r.costOf(op)*parts)
	}
}

// worked notes an answer that was no refusal: rates grow back.
func (r *rates) worked(now time.Time) {
	if past := now.Sub(r.second); past >= time.Second {
		r.before = r.now
		if past >= 2*time.Second {
			r.before = 0
		}
		r.now, r.second = 0, now
	}
	r.now++
	if r.learned != nil && now.Sub(r.cutAt) > forgotten {
		r.learned = nil
	}
	for _, b := range r.buckets {
		b.grow(now, b.full)
	}
	if r.learned != nil {
		r.learned.grow(now, 0)
	}
}

func (b *bucket) grow(now time.Time, most float64) {
	if b.current == most {
		return
	}
	past := min(now.Sub(b.grown), time.Second).Seconds()
	b.grown = now
	b.current += b.full * growth * past
	if most > 0 {
		b.current = min(b.current, most)
	}
	b.limiter.SetLimitAt(now, rate.Limit(b.current*parts))
}

// cut lowers the rates an operation is under. Where none is declared the rate is learned: what worked within the last second.
func (r *rates) cut(op string, now time.Time) {
	r.cutAt = now
	under := r.of(op)
	if len(under) == 0 {
		b := newBucket(nil, float64(max(r.now, r.before, 1)), float64(r.dearest))
		r.learned = b
		under = []*bucket{b}
	}
	for _, b := range under {
		b.current = max(b.current*cutTo, b.full*slowest)
		b.grown = now
		b.limiter.SetLimitAt(now, rate.Limit(b.current*parts))
	}
}
