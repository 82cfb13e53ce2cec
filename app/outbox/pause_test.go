package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// gate is a sender like the one of a real CRM: at most so many requests in a second, one breaker, one sign-in.
type gate struct {
	*crm
	limit  int           // requests in a second; more are refused with Retry-After
	blocks time.Duration // each request takes its turn, this long
	down   func() bool   // the network is away
	open   time.Duration // the breaker is open for so long after a failure
	denies func(cti.WriteBack) bool

	mu     sync.Mutex
	turn   chan struct{}
	second time.Time
	count  int
	closed time.Time // breaker: refused before
	probes int
	told   int // 429
}

func (g *gate) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if err := g.pass(); err != nil {
		return cti.Receipt{}, err
	}
	if g.denies != nil && g.denies(w) {
		return cti.Receipt{}, fail(cti.Denied)
	}
	if g.blocks > 0 {
		g.turn <- struct{}{}
		time.Sleep(g.blocks) //nolint:forbidigo // fake time: a limiter that blocks
		<-g.turn
	}
	return g.crm.Send(ctx, w)
}

func (g *gate) pass() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Before(g.closed) {
		return &cti.Error{Kind: cti.Offline, RetryAfter: g.closed.Sub(now)}
	}
	if g.down != nil && g.down() {
		g.probes++
		if g.open > 0 {
			g.closed = now.Add(g.open)
		}
		return fail(cti.Offline)
	}
	if g.limit > 0 {
		if s := now.Truncate(time.Second); !s.Equal(g.second) {
			g.second, g.count = s, 0
		}
		if g.count++; g.count > g.limit {
			g.told++
			return &cti.Error{Kind: cti.Limited, RetryAfter: g.second.Add(time.Second).Sub(now)}
		}
	}
	return nil
}

func newGate(t testing.TB) (*rig, *gate) {
	r := newCRMRig(t, lagging)
	g := &gate{crm: r.crm, turn: make(chan struct{}, 1)}
	r.gate = g
	r.open()
	return r, g
}

// fill accepts n items in as many lanes.
func (r *rig) fill(n int) {
	for i := range n {
		w := write(fmt.Sprint("key ", i), fmt.Sprint("lane ", i), "")
		if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// attempts gives the most attempts and tries that any item was charged with.
func (r *rig) attempts() (most int) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, it := range r.store.items {
		most = max(most, it.Attempts, len(it.Tries))
	}
	return most
}

func TestDrainsAtTheSendersPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		g.blocks = 50 * time.Millisecond // 20 in a second
		r.fill(2000)
		r.run()
		pass(100 * time.Second)
		if got := r.crm.total(); got < 1900 {
			t.Errorf("%d of 2000 delivered in the time for 2000, want at least 95 %%", got)
		}
	})
}

// Fault 33: a CRM that refuses what is over its limit is used to at least 95 % of it, and no attempt is charged.
func TestLimitedCostsNoAttemptAndLittleRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		g.limit = 20
		r.fill(2000)
		r.run()
		pass(100 * time.Second)
		if got := r.crm.total(); got < 1900 {
			t.Errorf("%d of 2000 delivered in the time for 2000, want at least 95 %%", got)
		}
		if g.told == 0 || r.attempts() != 0 {
			t.Errorf("%d refusals cost up to %d attempts, want some and none", g.told, r.attempts())
		}
	})
}

// Fault 33: a pause is in memory: it writes nothing down for what waits.
func TestAPauseWritesNothing(t *testing.T) {
	for _, kind := range []cti.Kind{cti.Limited, cti.Auth, cti.Offline} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.answer(&cti.Error{Kind: kind, RetryAfter: time.Minute})
			r.fill(50)
			r.run()
			pass(time.Hour)
			if len(r.store.saves) != 0 || r.sent() > 6*61 {
				t.Errorf("%s: saves %v after %d sends, want none", kind, r.store.saves, r.sent())
			}
			if c := r.box.Counts(); c.Reason != kind || !c.Paused.After(time.Now().UTC()) || c.Waiting != 50 {
				t.Errorf("%s: counts %+v", kind, c)
			}
		})
	}
}

// Fault 34: the token expires in the middle of a drain: nothing is charged, each is delivered once.
// Fault 35: the sign-in is refused for an hour: no attempts, nothing for review, everything is delivered after.
func TestTokenStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.fill(300)
		plan := make([]fault, 0, 3000)
		for range 6 * 120 { // six at once, each half minute
			plan = append(plan, fault{kind: cti.Auth})
		}
		r.crm.fails(plan...)
		r.run()
		r.fill2(300, 400)
		pass(59 * time.Minute)
		if c := r.counts(); c != (outbox.Counts{Waiting: 400}) || r.attempts() != 0 || r.crm.writes() > 6*120 {
			t.Errorf("after an hour counts %+v, %d attempts, %d requests", c, r.attempts(), r.crm.writes())
		}
		pass(3 * time.Minute)
		if c := r.counts(); c != (outbox.Counts{}) || r.crm.total() != 400 || r.attempts() != 0 {
			t.Errorf("in the end counts %+v, %d records, %d attempts", c, r.crm.total(), r.attempts())
		}
	})
}

func (r *rig) fill2(from, to int) {
	for i := from; i < to; i++ {
		r.accept(fmt.Sprint("key ", i), fmt.Sprint("lane ", i))
	}
}

// Fault 36: three days without a CRM, behind a breaker: two probes a minute, no attempt but theirs, and then everything once.
func TestThreeDaysBehindABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		until := time.Now().Add(72 * time.Hour)
		g.down = func() bool { return time.Now().Before(until) }
		g.open = 30 * time.Second
		r.fill(500)
		r.run()
		pass(72*time.Hour - time.Minute)
		if limit := 72 * 60 * 2; g.probes > limit {
			t.Errorf("%d probes in three days, want at most %d", g.probes, limit)
		}
		if c := r.counts(); c.Review != 0 || c.Waiting != 500 {
			t.Errorf("counts %+v, want all waiting", c)
		}
		pass(20 * time.Minute)
		if r.crm.total() != 500 || r.counts() != (outbox.Counts{}) {
			t.Errorf("%d records, counts %+v; want 500 and none", r.crm.total(), r.counts())
		}
		r.restart()
		pass(time.Hour)
		if r.crm.total() != 500 {
			t.Errorf("%d records in the end", r.crm.total())
		}
	})
}

// Fault 36: without a breaker each item is tried as the curve says: about four times an hour in the end.
func TestThreeDaysWithoutABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		until := time.Now().Add(72 * time.Hour)
		g.down = func() bool { return time.Now().Before(until) }
		r.fill(5)
		r.run()
		pass(72 * time.Hour)
		for _, it := range r.unfinished() {
			if it.State != outbox.Retry || it.Attempts < 288 || it.Attempts > 1000 {
				t.Errorf("item %d is %q after %d attempts", it.Seq, it.State, it.Attempts)
			}
		}
		pass(15 * time.Minute)
		if r.crm.total() != 5 {
			t.Errorf("%d delivered a quarter of an hour after", r.crm.total())
		}
	})
}

// Fault 37: the server's words are there for the person.
func TestReviewHasTheServersWords(t *testing.T) {
	for _, kind := range []cti.Kind{cti.Invalid, cti.NotFound, cti.Conflict, cti.Denied} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.answer(cti.Errorf(kind, "the field duration must be a number", nil))
			r.accept("a", "1")
			r.run()
			if it := r.only(); it.State != outbox.Review || it.LastTry().Message != "the field duration must be a number" {
				t.Errorf("%s: %+v", kind, it)
			}
		})
	}
}

// Fault 38: the CRM is still at work on the key: asked again soon with the same key, no attempt charged.
func TestKeyInProgressIsAskedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, windowed)
		r.crm.fails(fault{kind: cti.Uncertain, after: true}, fault{kind: cti.Limited}, fault{kind: cti.Limited})
		r.acceptWrite(write("a", "1", "note"))
		r.run()
		pass(15 * time.Second)
		r.crm.onceEach(t, map[string]string{"a": "note"})
		if it := r.store.items[1]; it.State != outbox.Done || it.Attempts != 1 {
			t.Errorf("the item is %+v, want done after one attempt that counts", it)
		}
	})
}

func TestThreeRefusalsInARowPauseAndThenOneAtATimeIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		denied := true
		g.denies = func(cti.WriteBack) bool { return denied }
		r.fill(40)
		r.run()
		parked := r.counts().Review // what was on its way when the third was refused as well
		if parked < 3 || parked > 8 {
			t.Fatalf("%d parked before the pause", parked)
		}
		pass(5*time.Minute - time.Millisecond)
		if c := r.counts(); c.Review != parked {
			t.Fatalf("counts %+v within the pause", c)
		}
		pass(10*time.Minute + time.Millisecond)
		if c := r.counts(); c.Review != parked+3 {
			t.Errorf("counts %+v after three pauses, want one more for each", c)
		}
		denied = false
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c := r.counts(); c != (outbox.Counts{Review: parked + 2}) {
			t.Errorf("counts %+v, want the person's retry to end the pause", c)
		}
		if n, err := r.box.RetryAll(outbox.Review); n != parked+2 || err != nil {
			t.Errorf("retried %d, %v", n, err)
		}
		synctest.Wait()
		if r.crm.total() != 40 {
			t.Errorf("%d delivered, want all", r.crm.total())
		}
	})
}

func TestRefusalsOfOneLaneDoNotPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Denied))
		for i := range 5 {
			r.accept(fmt.Sprint("key ", i), "1")
		}
		r.run()
		if c := r.counts(); c.Review != 5 {
			t.Errorf("counts %+v, want all five refused", c)
		}
	})
}

// After a success what waited for the network goes at once; one that fails all the same waits as its curve says, however often others
// succeed.
func TestOneThatFailsForItselfIsNotSentAtEverySuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.waiting("bad", "1", cti.Uncertain, 10*time.Minute)
		r.sender.send = func() error {
			if keys := r.sentKeys(); keys[len(keys)-1] == "bad" {
				return fail(cti.Uncertain)
			}
			return nil
		}
		r.run()
		for i := range 200 {
			r.accept(fmt.Sprint("key ", i), fmt.Sprint("lane ", i))
		}
		bad := slices.DeleteFunc(r.sentKeys(), func(key string) bool { return key != "bad" })
		if len(bad) > 3 {
			t.Errorf("sent %d times beside 200 successes", len(bad))
		}
	})
}

func TestWakeMakesDueWhatWaitsForTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.waiting("offline", "1", cti.Offline, 10*time.Minute)
		r.waiting("internal", "2", cti.Internal, 10*time.Minute)
		r.run()
		for range 3 { // the network is not up yet at the first
			r.answer(fail(cti.Offline))
			r.box.Wake()
			pass(5 * time.Second)
		}
		r.answer(nil)
		r.box.Wake()
		pass(5 * time.Second)
		if got := r.sentKeys(); len(got) != 4 && len(got) != 5 || slices.Contains(got, "internal") || len(r.unfinished()) != 1 {
			t.Errorf("sent %v, want the one that waits for the network, each time", got)
		}
	})
}

func TestWakeEndsAPauseOfTheNetworkAndNoOther(t *testing.T) {
	for kind, ends := range map[cti.Kind]bool{cti.Offline: true, cti.Limited: false, cti.Auth: false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.answer(&cti.Error{Kind: kind, RetryAfter: 10 * time.Minute})
			r.accept("a", "1")
			r.run()
			r.answer(nil)
			r.box.Wake()
			pass(5 * time.Second)
			if done := len(r.unfinished()) == 0; done != ends {
				t.Errorf("%s: sent %v, want %v", kind, done, ends)
			}
		})
	}
}

func TestAfterThirtyDaysAPersonLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Offline))
		r.accept("a", "1")
		r.run()
		pass(30 * 24 * time.Hour)
		if it := r.only(); it.State != outbox.Retry {
			t.Fatalf("after 30 days it is %q", it.State)
		}
		pass(15 * time.Minute)
		if it := r.only(); it.State != outbox.Review || it.LastTry().Message == "offline" {
			t.Fatalf("after more it is %+v, want review with words", it)
		}
		r.answer(nil)
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(r.unfinished()) != 0 {
			t.Error("a person's retry did not send it")
		}
	})
}

// A backlog of an outage does not keep new calls waiting.
func TestNewCallsDoNotWaitBehindABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newGate(t)
		away := true
		g.down = func() bool { return away }
		r.fill(200)
		r.run()
		pass(3 * time.Hour)
		away, g.blocks = false, time.Second
		r.box.Wake()
		pass(10 * time.Second)
		r.accept("new", "new lane")
		pass(20 * time.Second)
		if len(r.crm.of("new")) != 1 || r.crm.total() > 40 {
			t.Errorf("%d delivered, the new one %d times", r.crm.total(), len(r.crm.of("new")))
		}
	})
}
