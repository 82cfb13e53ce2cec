package crm_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// Fault 33: a 429 (or a 503 with Retry-After) pauses the whole endpoint until then, whichever way the time is written; what is asked
// meanwhile is refused at once with the time that is left, and nothing is sent.
func TestRefusalForTooManyRequestsPausesTheEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		header    func() []string
		low, high time.Duration
	}{
		"seconds": {429, func() []string { return []string{"Retry-After", "20"} }, 20 * time.Second, 22 * time.Second},
		"date": {429, func() []string {
			return []string{"Retry-After", time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)}
		}, 20 * time.Second, 22 * time.Second},
		"without":              {429, func() []string { return nil }, time.Second, 1100 * time.Millisecond},
		"503 with Retry-After": {503, func() []string { return []string{"Retry-After", "20"} }, 20 * time.Second, 22 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ill := true
				v := &vendor{say: func(*http.Request) (int, []string) {
					if ill {
						return c.status, c.header()
					}
					return 200, nil
				}}
				e := v.engine(t, nil)
				_, err := e.Write(t.Context(), someWrite())
				if wait := cti.RetryAfter(err); wait < c.low || wait > c.high {
					t.Fatalf("retry after %s, want %s to %s: %v", wait, c.low, c.high, err)
				}
				ill = false
				pass(cti.RetryAfter(err) - time.Millisecond)
				for _, err := range both(t, e) {
					wantKind(t, err, cti.Limited)
					if cti.RetryAfter(err) != time.Millisecond {
						t.Errorf("retry after %s, want what is left", cti.RetryAfter(err))
					}
				}
				if n := len(v.asked()); n != 1 {
					t.Errorf("the CRM was asked %d times in its pause", n-1)
				}
				pass(time.Millisecond)
				for _, err := range both(t, e) {
					wantKind(t, err, "")
				}
			})
		})
	}
}

func TestPauseWithoutANamedTimeDoublesAndEndsWithSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 429
		v := &vendor{say: func(*http.Request) (int, []string) { return status, nil }}
		e := v.engine(t, nil)
		var waits []time.Duration
		for range 8 {
			_, err := e.Whoami(t.Context())
			waits = append(waits, cti.RetryAfter(err).Truncate(time.Second))
			pass(cti.RetryAfter(err))
		}
		want := []int{1, 2, 4, 8, 16, 32, 60, 60}
		for i, w := range waits {
			if low, high := time.Duration(want[i])*time.Second, time.Duration(want[i])*time.Second*11/10; w < low || w > high {
				t.Errorf("pause %d is %s, want %s and at most a tenth more", i, w, low)
			}
		}
		status = 200
		_, err := e.Whoami(t.Context())
		wantKind(t, err, "")
		status = 429
		if _, err = e.Whoami(t.Context()); cti.RetryAfter(err) > 2*time.Second {
			t.Errorf("after a success the pause is %s", cti.RetryAfter(err))
		}
	})
}

// Fault 33: what the connector declares is used up to at least 95 %, and no window of its length sees more.
func TestDeclaredRateIsUsedAndNeverExceeded(t *testing.T) {
	for _, c := range []struct {
		max int
		per time.Duration
	}{{10, time.Second}, {100, 10 * time.Second}, {6000, 5 * time.Minute}, {2, time.Second}} {
		t.Run(fmt.Sprintf("%d in %s", c.max, c.per), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{say: func(*http.Request) (int, []string) { pass(30 * time.Millisecond); return 200, nil }}
				e := v.engine(t, nil, limitsAt, fmt.Sprintf("errors: []\nlimits: {buckets: [{id: all, max: %d, per: %s}]}", c.max, c.per))
				n := min(max(4*c.max, 200), 7000)
				begin := time.Now()
				drain(t, e, n)
				took := time.Since(begin)
				allowed := float64(c.max) * took.Seconds() / c.per.Seconds()
				if share := float64(n) / allowed; share < 0.95 {
					t.Errorf("%d writes took %s: %.1f %% of the allowed rate", n, took, share*100)
				}
				asks := v.asked()
				for i := c.max; i < len(asks); i++ {
					if window := asks[i].at.Sub(asks[i-c.max].at); window < c.per {
						t.Fatalf("%d requests within %s", c.max+1, window)
					}
				}
			})
		})
	}
}

// drain writes n times from six places at once, as the outbox does, and obeys RetryAfter.
func drain(t *testing.T, e *crm.Engine, n int) {
	t.Helper()
	var all sync.WaitGroup
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	for range 6 {
		all.Go(func() {
			for range work {
				for {
					w := someWrite()
					w.CustomerID = ""
					_, err := e.Write(t.Context(), w)
					if err == nil {
						break
					}
					if cti.KindOf(err) != cti.Limited || cti.RetryAfter(err) <= 0 {
						t.Errorf("the error is %v (%s, retry after %s)", err, cti.KindOf(err), cti.RetryAfter(err))
						return
					}
					pass(cti.RetryAfter(err))
				}
			}
		})
	}
	all.Wait()
}

// Fault 33: without a declared rate the refusals teach one.
func TestUndeclaredRateIsLearnedFromRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const allowed, n = 10, 600
		var mu sync.Mutex
		var let []time.Time
		refused := 0
		v := &vendor{say: func(*http.Request) (int, []string) {
			mu.Lock()
			defer mu.Unlock()
			if len(let) >= allowed && time.Since(let[len(let)-allowed]) < time.Second {
				refused++
				return 429, []string{"Retry-After", "1"}
			}
			let = append(let, time.Now())
			return 200, nil
		}}
		begin := time.Now()
		drain(t, v.engine(t, nil), n)
		share := n / (allowed * time.Since(begin).Seconds())
		t.Logf("%d writes in %s: %.0f %% of the allowed rate, %d refused", n, time.Since(begin), share*100, refused)
		if share < 0.6 || refused > n/10 {
			t.Errorf("%.0f %% of the allowed rate was used, and %d of %d requests were refused", share*100, refused, n+refused)
		}
	})
}

func TestRefusalLowersADeclaredRateAndSuccessRaisesItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := true
		v := &vendor{say: func(*http.Request) (int, []string) {
			if once {
				once = false
				return 429, []string{"Retry-After", "1"}
			}
			return 200, nil
		}}
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {buckets: [{id: all, max: 10, per: 1s}]}")
		begin := time.Now()
		drain(t, e, 600)
		within := func(from, to time.Duration) (n int) {
			for _, a := range v.asked() {
				if at := a.at.Sub(begin); at >= from && at < to {
					n++
				}
			}
			return n
		}
		if early, late := within(2*time.Second, 4*time.Second), within(40*time.Second, 42*time.Second); early > 16 || late < 19 {
			t.Errorf("2 s after the refusal 2 s have %d requests, 40 s after it %d; want fewer than 17, then 19 or 20", early, late)
		}
	})
}

func TestBucketHoldsOnlyItsOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := says(200)
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {buckets: [{id: search, match: [lookup], max: 1, per: 1m, scope: account}]}")
		begin := time.Now()
		for range 20 {
			_, err := e.Whoami(t.Context())
			wantKind(t, err, "")
		}
		if _, err := e.Lookup(t.Context(), someNumber()); err != nil || time.Since(begin) != 0 {
			t.Fatalf("%v after %s", err, time.Since(begin))
		}
		_, err := e.Lookup(t.Context(), someNumber())
		wantKind(t, err, "")
		if waited := time.Since(begin); waited < time.Minute || waited > 63*time.Second {
			t.Errorf("the second look-up waited %s, want a minute", waited)
		}
	})
}

// Some CRMs count a search as many requests.
func TestAnOperationMayCostMoreThanOne(t *testing.T) {
	for cost, want := range map[string]struct{ low, high time.Duration }{"": {0, 30 * time.Second}, "lookup: 10": {2 * time.Minute, 4 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			e := says(200).engine(t, nil, limitsAt, "errors: []\nlimits: {cost: {"+cost+"}, buckets: [{id: tokens, max: 20, per: 1m, scope: account}]}")
			begin := time.Now()
			for range 6 {
				_, err := e.Lookup(t.Context(), someNumber())
				wantKind(t, err, "")
			}
			if took := time.Since(begin); took < want.low || took > want.high {
				t.Errorf("cost %q: six look-ups took %s, want %s to %s", cost, took, want.low, want.high)
			}
		})
	}
}

func TestCountdownHeadersPauseBeforeTheCRMRefuses(t *testing.T) {
	for format, reset := range map[string]func(time.Time) string{
		"seconds": func(at time.Time) string { return fmt.Sprint(int(time.Until(at).Seconds())) },
		"unix":    func(at time.Time) string { return fmt.Sprint(at.Unix()) },
		"unix_ms": func(at time.Time) string { return fmt.Sprint(at.UnixMilli()) },
		"date":    func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				remaining, end := 2, time.Now().Add(30*time.Second)
				v := &vendor{say: func(*http.Request) (int, []string) {
					return 200, []string{"X-Remaining", fmt.Sprint(remaining), "X-Limit", "100", "X-Reset", reset(end)}
				}}
				e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {headers: {remaining: X-Remaining, limit: X-Limit, reset: X-Reset, format: "+format+"}}")
				errs := both(t, e)
				wantKind(t, errs[0], "")
				wantKind(t, errs[1], cti.Limited) // the last two of a hundred are for look-ups
				remaining = 0
				_, err := e.Whoami(t.Context())
				wantKind(t, err, "")
				_, err = e.Whoami(t.Context())
				if wantKind(t, err, cti.Limited); cti.RetryAfter(err) < 30*time.Second || cti.RetryAfter(err) > 33*time.Second {
					t.Errorf("retry after %s, want 30s and a little", cti.RetryAfter(err))
				}
				remaining, end = 99, end.Add(time.Minute)
				pass(35 * time.Second)
				for _, err := range both(t, e) {
					wantKind(t, err, "")
				}
			})
		})
	}
}
