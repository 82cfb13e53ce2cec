package crm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"ringside.dev/ringside/app/cti"
)

// How a gate deals with an endpoint that fails or asks for fewer requests.
const (
	tripAfter    = 5                // failures in a row, then nobody asks any more
	openFor      = 30 * time.Second // then one request tries: two a minute in a long outage
	readsFirst   = 2 * time.Second  // so long only a look-up may be the one that tries
	probeTakes   = time.Second      // what the others are told while it tries
	firstPause   = time.Second      // after a refusal that names no time; doubled with each further one
	longestPause = time.Minute      // as long as it names none
	pauseJitter  = 10               // 1/10 of a pause on top, so that not every workstation comes back at once
	maxJitter    = 5 * time.Second
)

// Gates hold one gate for each endpoint (scheme, host and port). The zero value works; several engines may share one. An endpoint's
// limits are those of the engine that speaks to it first. Nothing of it runs by itself but timers of requests that wait.
type Gates struct {
	mu sync.Mutex
	by map[string]*gate
}

func (g *Gates) of(u *url.URL, l limits) *gate {
	name := strings.ToLower(u.Scheme + "://" + u.Host)
	if u.Port() == "" {
		name += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.by == nil {
		g.by = map[string]*gate{}
	}
	if g.by[name] == nil {
		g.by[name] = newGate(l)
	}
	return g.by[name]
}

// line is in which line a request stands: each waits for those before it.
type line int

const (
	lookUps    line = iota // somebody looks at a ringing phone
	writes                 // somebody waits for the record
	background             // nobody waits: the synchronisation of customers
	lines
)

// gate is what all requests to one endpoint pass: concurrency, rate, pause and breaker are there once, whoever asks. Look-ups go first,
// then writes: the others wait while one before them waits for what both need, and leave the last free place to a look-up.
//
//	enter ─▶ paused or open? refused at once, nothing was sent
//	      └▶ line of look-ups, of writes, of the rest ─▶ place, rate, breaker ─▶ pass ─▶ the request ─▶ leave: what came of it
type gate struct {
	mu           sync.Mutex
	limits       limits
	free         int // places of the concurrency limit
	waiting      [lines][]*waiter
	wake         *time.Timer // when the rate lets the next one through
	rate         rates
	breaker      *gobreaker.TwoStepCircuitBreaker[any] // used under mu alone
	openUntil    time.Time                             // of its last opening
	paused       time.Time                             // nobody enters before
	writesPaused time.Time                             // look-ups alone enter before
	throttled    time.Time                             // the last refusal that counted
	throttles    int                                   // in a row, without a named time
}

// waiter is one who stands in line. Ready gets its pass or its refusal, once.
type waiter struct {
	op    string
	line  line
	ready chan entry
}

type entry struct {
	pass *pass
	held *held
}

// held is a request that the gate kept in: nothing was sent.
type held struct {
	kind cti.Kind // limited or offline
	left time.Duration
	what string
}

func (h *held) Error() string { return fmt.Sprintf("%s: it goes on in %s", h.what, round(h.left)) }

func round(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }

var (
	errFailed  = errors.New("failed")
	errNeither = errors.New("neither failed nor worked")
)

func newGate(l limits) *gate {
	g := &gate{limits: l, free: l.concurrency, rate: newRates(l)}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNeither) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				g.openUntil = time.Now().Add(openFor + time.Millisecond) // the breaker itself opens just after openFor
			}
		},
	})
	return g
}

// enter waits for its turn. The error is a *held, or a *failure when ctx was cancelled; then nothing was sent.
func (g *gate) enter(ctx context.Context, l line, op string) (*pass, error) {
	w := &waiter{op: op, line: l, ready: make(chan entry, 1)}
	g.mu.Lock()
	g.waiting[l] = append(g.waiting[l], w)
	g.serve()
	g.mu.Unlock()
	select {
	case got := <-w.ready:
		if got.held != nil {
			return nil, got.held
		}
		return got.pass, nil
	case <-ctx.Done():
		return nil, g.giveUp(ctx, w)
	}
}

func (g *gate) giveUp(ctx context.Context, w *waiter) error {
	g.mu.Lock()
	g.waiting[w.line] = without(g.waiting[w.line], w)
	g.serve()
	g.mu.Unlock()
	select {
	case got := <-w.ready: // its turn came in the same moment
		if got.pass != nil {
			got.pass.leave(report{})
		}
	default:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &held{kind: cti.Offline, left: time.Second, what: "too many requests to the CRM wait already"}
	}
	return &failure{what: "the request was cancelled", err: ctx.Err()}
}

func without(line []*waiter, w *waiter) []*waiter {
	var out []*waiter
	for _, one := range line {
		if one != w {
			out = append(out, one)
		}
	}
	return out
}

// serve lets in or refuses whom it can, look-ups first. The caller holds mu.
func (g *gate) serve() {
	now, next := time.Now(), time.Duration(0)
	for l := range g.waiting {
		var staying []*waiter
		for _, w := range g.waiting[l] {
			got, wait := g.admit(w, now)
			if got != nil {
				w.ready <- *got
				continue
			}
			staying = append(staying, w)
			if wait > 0 && (next == 0 || wait < next) {
				next = wait
			}
		}
		g.waiting[l] = staying
	}
	if g.wake != nil {
		g.wake.Stop()
		g.wake = nil
	}
	if next > 0 {
		g.wake = time.AfterFunc(next, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.serve()
		})
	}
}

// admit gives a waiter its pass or its refusal, or nil: then it stays, and wait is when to look again, 0 when somebody must leave first.
func (g *gate) admit(w *waiter, now time.Time) (got *entry, wait time.Duration) {
	if h := g.held(w.line, now); h != nil {
		return &entry{held: h}, 0
	}
	if g.free == 0 || w.line != lookUps && (g.free == 1 && g.limits.concurrency > 1 || g.wantedBefore(w)) {
		return nil, 0
	}
	if wait := g.rate.wait(w.op, now); wait > 0 {
		return nil, wait
	}
	judged, err := g.breaker.Allow()
	if err != nil { // half open, and another one tries
		return &entry{held: &held{cti.Offline, probeTakes, tried}}, 0
	}
	g.free--
	g.rate.take(w.op, now)
	return &entry{pass: &pass{gate: g, op: w.op, entered: now, judged: judged}}, 0
}

// wantedBefore tells whether one of the lines before waits for an allowance that this one would use up.
func (g *gate) wantedBefore(w *waiter) bool {
	return slices.ContainsFunc(slices.Concat(g.waiting[:w.line]...), func(r *waiter) bool { return g.rate.shared(r.op, w.op) })
}

const tried = "the CRM failed several times in a row and is left alone for a while"

// held tells whether nobody of a line may enter now.
func (g *gate) held(l line, now time.Time) *held {
	if left := g.paused.Sub(now); left > 0 {
		return &held{cti.Limited, left, "the CRM asked for a pause"}
	}
	if left := g.writesPaused.Sub(now); left > 0 && l != lookUps {
		return &held{cti.Limited, left, "the rest of what the CRM allows is kept for look-ups"}
	}
	if g.breaker.State() == gobreaker.StateClosed {
		return nil
	}
	until := g.openUntil
	if l != lookUps {
		until = until.Add(readsFirst)
	}
	if left := until.Sub(now); left > 0 {
		return &held{cti.Offline, left, tried}
	}
	return nil
}

// pass is the permission for one request. Leave must be called once it is over; further calls do nothing.
type pass struct {
	gate    *gate
	op      string
	entered time.Time
	judged  func(error)
	over    bool
}

// fate is what a request says about the endpoint's health.
type fate string

const (
	neither fate = ""       // nothing: it was not sent, or its caller gave up
	worked  fate = "worked" // an answer, if a refusing one
	failed  fate = "failed"
)

// report is what came of one request.
type report struct {
	fate      fate
	throttled bool          // the CRM wants fewer requests
	wait      time.Duration // and named this time; 0: none
	header    http.Header   // of the answer, nil without one
}

// leave gives the place back and draws the conclusions. It gives the time for which the gate is now closed, 0 when it is not.
func (p *pass) leave(r report) time.Duration {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !p.over {
		p.over = true
		g.free++
		g.conclude(p, r, now)
		g.serve()
	}
	return max(g.paused.Sub(now), 0)
}

func (g *gate) conclude(p *pass, r report, now time.Time) {
	p.judged(map[fate]error{neither: errNeither, worked: nil, failed: errFailed}[r.fate])
	switch {
	case r.throttled:
		g.throttle(p, r.wait, now)
	case r.fate == worked:
		g.throttles = 0
		g.rate.worked(now)
	}
	if r.header != nil {
		g.meter(r.header, now)
	}
}

// throttle pauses the endpoint and lowers its rate. Of several requests that were on their way only the first one lowers it.
func (g *gate) throttle(p *pass, wait time.Duration, now time.Time) {
	fresh := p.entered.After(g.throttled)
	if fresh {
		g.throttled = now
		g.rate.cut(p.op, now)
	}
	if wait == 0 {
		if fresh {
			g.throttles = min(g.throttles+1, 7)
		}
		wait = min(firstPause<<max(g.throttles-1, 0), longestPause)
	}
	g.pause(&g.paused, wait, now)
}

// meter obeys the headers in which a CRM counts down what is left.
func (g *gate) meter(h http.Header, now time.Time) {
	left, known := g.limits.headers.read(h, now)
	if !known || left.reset <= 0 {
		return
	}
	if left.remaining <= 0 {
		g.pause(&g.paused, left.reset, now)
	} else if left.remaining <= left.limit/keptForReads {
		g.pause(&g.writesPaused, left.reset, now)
	}
}

// pause never shortens one that is there.
func (g *gate) pause(until *time.Time, wait time.Duration, now time.Time) {
	jitter := time.Duration(rand.Float64() * float64(min(wait/pauseJitter, maxJitter))) //nolint:gosec // jitter, not a secret
	if end := now.Add(wait + jitter); end.After(*until) {
		*until = end
	}
}
