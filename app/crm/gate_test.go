package crm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// vendor is a CRM without a network, so that its time can be that of a bubble.
type vendor struct {
	say func(r *http.Request) (status int, headers []string) // 0: the connection breaks

	mu   sync.Mutex
	asks []ask
}

// ask is one request that reached the vendor.
type ask struct {
	at    time.Time
	write bool
}

// RoundTrip implements http.RoundTripper.
func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.asks = append(v.asks, ask{time.Now(), r.Method != http.MethodGet})
	v.mu.Unlock()
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	status, headers := v.say(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	res := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"id":"r1","name":"Ada","items":[]}`))}
	for i := 0; i+1 < len(headers); i += 2 {
		res.Header.Set(headers[i], headers[i+1])
	}
	return res, nil
}

func (v *vendor) asked() []ask {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asks)
}

// says is a vendor that always answers the same.
func says(status int, headers ...string) *vendor {
	return &vendor{say: func(*http.Request) (int, []string) { return status, headers }}
}

// engine opens the plain connector, changed by pairs of old and new, for a vendor.
func (v *vendor) engine(t *testing.T, gates *crm.Gates, oldNew ...string) *crm.Engine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plain.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldNew...).Replace(plain)), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: file, Params: map[string]string{"base_url": "https://crm.example", "token": testToken}, Region: "GB",
		HTTP: &http.Client{Transport: v}, Gates: gates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

const limitsAt = "errors: []" // where a test writes its limits:

// both asks once as a look-up and once as a write and gives the two errors.
func both(t *testing.T, e *crm.Engine) []error {
	t.Helper()
	_, read := e.Whoami(t.Context())
	_, write := e.Write(t.Context(), someWrite())
	return []error{read, write}
}

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

// pass lets the bubble's time pass.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
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

// Fault 36: hours of failures cost the CRM two requests a minute, and what is asked meanwhile is refused at once with the time left.
func TestLongOutageCostsTwoProbesAMinute(t *testing.T) {
	for name, status := range map[string]int{"500": 500, "503": 503, "reset": 0, "503 with Retry-After": -503} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				status, headers := status, []string(nil)
				if status < 0 {
					status, headers = -status, []string{"Retry-After", "1"}
				}
				v := &vendor{say: func(*http.Request) (int, []string) { return status, headers }}
				e := v.engine(t, nil)
				begin, calls := time.Now(), 0
				outage := 2 * time.Hour
				if name == "500" {
					outage = 72 * time.Hour
				}
				for time.Since(begin) < outage {
					for _, err := range both(t, e) {
						calls++
						if err == nil {
							t.Fatal("a success in the outage")
						}
						if kind := cti.KindOf(err); cti.RetryAfter(err) > 0 && kind != cti.Offline && kind != cti.Limited && kind != cti.Uncertain {
							t.Fatalf("the error is %v (%s)", err, kind)
						}
					}
					pass(7 * time.Second)
				}
				asks := v.asked()
				for i := 7; i < len(asks); i++ { // five until it opens, and the pace of the probes from then on
					if window := asks[i].at.Sub(asks[i-2].at); window < time.Minute {
						t.Fatalf("three requests within %s", window)
					}
				}
				t.Logf("%d calls in %s, %d requests", calls, outage, len(asks))
				status, headers = 200, nil
				pass(time.Minute)
				for _, err := range both(t, e) {
					wantKind(t, err, "")
				}
			})
		})
	}
}

func TestOpenBreakerRefusesAtOnceWithTheTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := says(500)
		e := v.engine(t, nil)
		for range 5 {
			_, err := e.Whoami(t.Context())
			wantKind(t, err, cti.Offline)
		}
		pass(10 * time.Second)
		for _, err := range both(t, e) {
			wantKind(t, err, cti.Offline)
			if wait := cti.RetryAfter(err); wait < 20*time.Second || wait > 23*time.Second || !strings.Contains(cti.MessageOf(err), "left alone") {
				t.Errorf("retry after %s: %v", wait, err)
			}
		}
		if n := len(v.asked()); n != 5 {
			t.Errorf("%d requests were made, want 5", n)
		}
	})
}

func TestLookUpIsTheOneThatTriesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 500
		v := &vendor{say: func(*http.Request) (int, []string) { return status, nil }}
		e := v.engine(t, nil)
		trip := func() {
			for range 5 {
				_, err := e.Whoami(t.Context())
				wantKind(t, err, cti.Offline)
			}
		}
		trip()
		pass(30*time.Second + time.Millisecond)
		_, err := e.Write(t.Context(), someWrite())
		wantKind(t, err, cti.Offline)
		if wait := cti.RetryAfter(err); wait != 2*time.Second {
			t.Errorf("the write may try after %s, want 2s", wait)
		}
		status = 200
		for _, err := range both(t, e) { // the look-up tries, and then all is well for the write too
			wantKind(t, err, "")
		}
		status = 500
		trip()
		pass(33 * time.Second)
		status = 200
		_, err = e.Write(t.Context(), someWrite()) // no look-up came
		wantKind(t, err, "")
	})
}

func TestRefusalsOfTheCRMAndCallersWhoGiveUpDoNotOpenTheBreaker(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 408, 409, 422, 425, 501} {
		v := says(status)
		e := v.engine(t, nil)
		for range 20 {
			_, _ = e.Whoami(t.Context())
		}
		if n := len(v.asked()); n != 20 {
			t.Errorf("%d: %d of 20 requests were made", status, n)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{say: func(r *http.Request) (int, []string) { <-r.Context().Done(); return 0, nil }}
		e := v.engine(t, nil)
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := e.Whoami(ctx)
			wantKind(t, err, cti.Offline)
		}
		if n := len(v.asked()); n != 20 {
			t.Errorf("%d of 20 cancelled requests were made", n)
		}
		for range 5 {
			_, err := e.Whoami(t.Context()) // a CRM that hangs fails
			wantKind(t, err, cti.Offline)
		}
		_, err := e.Whoami(t.Context())
		if wantKind(t, err, cti.Offline); cti.RetryAfter(err) == 0 || len(v.asked()) != 25 {
			t.Errorf("after five time-outs it is asked again: %v, %d requests", err, len(v.asked()))
		}
	})
}

// Fault 34: a refused sign-in concerns the outbox, not the endpoint: the next request is sent at once, with whatever sign-in holds then.
func TestRefusedSignInPausesNothing(t *testing.T) {
	status := 401
	v := &vendor{say: func(*http.Request) (int, []string) { return status, nil }}
	e := v.engine(t, nil)
	for range 10 {
		for _, err := range both(t, e) {
			wantKind(t, err, cti.Auth)
		}
	}
	status = 200
	for _, err := range both(t, e) {
		wantKind(t, err, "")
	}
	if n := len(v.asked()); n != 22 {
		t.Errorf("%d of 22 requests were made", n)
	}
}

func TestLookUpsGoFirstAndKeepOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		v := &vendor{say: func(*http.Request) (int, []string) { <-release; return 200, nil }}
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {concurrency: 3}")
		var all sync.WaitGroup
		write := func() { _, err := e.Write(t.Context(), someWrite()); wantKind(t, err, "") }
		read := func() { _, err := e.Whoami(t.Context()); wantKind(t, err, "") }
		for range 6 {
			all.Go(write)
		}
		synctest.Wait()
		if n := len(v.asked()); n != 2 {
			t.Fatalf("%d writes are under way, want 2 of 3 places", n)
		}
		for range 3 {
			all.Go(read)
		}
		synctest.Wait()
		for range 9 {
			release <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		var order []string
		for _, a := range v.asked() {
			order = append(order, map[bool]string{true: "write", false: "read"}[a.write])
		}
		if got, want := strings.Join(order, " "), "write write read read read write write write write"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
	})
}

func TestOneOnlyPlaceIsForWritesToo(t *testing.T) {
	e := says(200).engine(t, nil, limitsAt, "errors: []\nlimits: {concurrency: 1}")
	for _, err := range both(t, e) {
		wantKind(t, err, "")
	}
}

func TestWhoGivesUpInTheLineLeavesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := says(200)
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {buckets: [{id: all, max: 1, per: 1m}]}")
		_, err := e.Whoami(t.Context())
		wantKind(t, err, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = e.Write(ctx, someWrite())
		if wantKind(t, err, cti.Offline); cti.RetryAfter(err) <= 0 {
			t.Errorf("nothing was sent, and no RetryAfter says so: %v", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, err = e.Write(gone, someWrite())
		wantKind(t, err, cti.Offline)
		_, err = e.Write(t.Context(), someWrite())
		if wantKind(t, err, ""); len(v.asked()) != 2 {
			t.Errorf("%d requests were made, want 2", len(v.asked()))
		}
	})
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

func TestEnginesMayShareTheGateOfAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates, v := &crm.Gates{}, says(429, "Retry-After", "9")
		first, second, alone := v.engine(t, gates), v.engine(t, gates), v.engine(t, nil)
		_, err := first.Whoami(t.Context())
		wantKind(t, err, cti.Limited)
		_, err = second.Write(t.Context(), someWrite())
		if wantKind(t, err, cti.Limited); len(v.asked()) != 1 {
			t.Error("the second engine asked in the first one's pause")
		}
		_, err = alone.Whoami(t.Context())
		if wantKind(t, err, cti.Limited); len(v.asked()) != 2 {
			t.Error("an engine with gates of its own waits for another's")
		}
	})
}

// Fault 38: "this key is being worked on" is told by a rule of the connector: this record is tried again soon, the endpoint goes on.
func TestKeyInProgressIsLimitedForItsRecordAlone(t *testing.T) {
	busy := true
	v := &vendor{say: func(r *http.Request) (int, []string) {
		if busy && r.Method == http.MethodPost {
			return 409, nil
		}
		return 200, nil
	}}
	e := v.engine(t, nil, limitsAt, `errors: [{when: "${res.status == 409}", class: throttled}]`)
	_, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, cti.Limited); cti.RetryAfter(err) != time.Second {
		t.Errorf("retry after %s, want 1s", cti.RetryAfter(err))
	}
	_, err = e.Whoami(t.Context())
	wantKind(t, err, "")
	busy = false
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, "")
}

func TestGateThatClosesBetweenTwoStepsLeavesTheWriteUncertain(t *testing.T) {
	v := says(200, "X-Remaining", "0", "X-Reset", "60")
	e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {headers: {remaining: X-Remaining, reset: X-Reset}}",
		`note: "${input.call.note}"}}}]`, `note: "${input.call.note}"}}}, {id: link, request: {method: PUT, url: "${param.base_url}/link"}}]`)
	_, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, cti.Uncertain); cti.RetryAfter(err) < time.Minute {
		t.Errorf("retry after %s, want a minute", cti.RetryAfter(err))
	}
}

// Whatever order requests come, fail and are given up in, the gate's places are all free afterwards.
func TestGateKeepsNoPlaceOfAnyoneWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		n := 0
		v := &vendor{say: func(r *http.Request) (int, []string) {
			mu.Lock()
			n++
			kind := n % 7
			mu.Unlock()
			select {
			case <-time.After(time.Duration(kind) * 40 * time.Millisecond):
			case <-r.Context().Done():
			}
			return []int{200, 200, 500, 429, 200, 422, 0}[kind], nil
		}}
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {concurrency: 3, buckets: [{id: all, max: 50, per: 1s}]}")
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				pass(time.Duration(i) * 17 * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*60*time.Millisecond)
				defer cancel()
				if i%2 == 0 {
					_, _ = e.Whoami(ctx)
				} else {
					_, _ = e.Write(ctx, someWrite())
				}
			})
		}
		all.Wait()
		pass(5 * time.Minute)
		v.say = func(*http.Request) (int, []string) { return 200, nil }
		_, err := e.Whoami(t.Context()) // closes the breaker
		wantKind(t, err, "")
		v.say = func(*http.Request) (int, []string) { pass(time.Hour); return 200, nil }
		before := len(v.asked())
		for range 3 {
			all.Go(func() { _, _ = e.Whoami(t.Context()) })
		}
		synctest.Wait()
		pass(time.Second)
		if got := len(v.asked()) - before; got != 3 {
			t.Errorf("%d of 3 places are free", got)
		}
		all.Wait()
	})
}
