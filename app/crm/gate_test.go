package crm_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

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

// The synchronisation of customers stands behind whoever waits for something.
func TestTheSynchronisationGoesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		v := &vendor{say: func(*http.Request) (int, []string) { <-release; return 200, nil }}
		e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {concurrency: 2, buckets: [{id: all, max: 600, per: 1m}]}", "operations:\n", `operations:
  changes:
    steps: [{id: c, request: {url: "${param.base_url}/changes"}, items: "${[]}"}]
    map: {id: "${item.id}", name: "${item.name}", phones: "${item.phones}"}
    output: {cursor: "${'1'}", more: "${false}"}
`)
		var all sync.WaitGroup
		background := func() { _, err := e.Features().Changes(t.Context(), ""); wantKind(t, err, "") }
		write := func() { _, err := e.Write(t.Context(), someWrite()); wantKind(t, err, "") }
		read := func() { _, err := e.Whoami(t.Context()); wantKind(t, err, "") }
		for _, ask := range []func(){background, background, write, write, read} {
			all.Go(ask)
			synctest.Wait()
		}
		for range 5 {
			release <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		var order []string
		for _, a := range v.asked() {
			switch {
			case a.write:
				order = append(order, "write")
			case strings.HasSuffix(a.path, "/changes"):
				order = append(order, "background")
			default:
				order = append(order, "read")
			}
		}
		if got, want := strings.Join(order, " "), "background read write write background"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
	})
}

// A look-up that waits for two allowances does not lose the one to a write while it waits for the other; a write that needs neither goes on.
func TestWriteLeavesAWaitingLookUpWhatItNeeds(t *testing.T) {
	for _, c := range []struct {
		match string
		share bool
	}{{"lookup, log_call", true}, {"lookup, history", false}} {
		synctest.Test(t, func(t *testing.T) {
			v := says(200)
			e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {buckets: [{id: search, match: [lookup], max: 1, per: 1m}, {id: both, match: ["+c.match+"], max: 60, per: 1m}]}")
			_, err := e.Lookup(t.Context(), someNumber())
			wantKind(t, err, "")
			pass(5 * time.Second)
			begin, done := time.Now(), make(chan struct{})
			go func() {
				defer close(done)
				_, err := e.Lookup(t.Context(), someNumber())
				wantKind(t, err, "")
			}()
			synctest.Wait()
			_, err = e.Write(t.Context(), someWrite())
			wantKind(t, err, "")
			if waited := time.Since(begin); (waited > 50*time.Second) != c.share {
				t.Errorf("%s: the write waited %s", c.match, waited)
			}
			<-done
		})
	}
}

// A turn that comes in the moment in which its waiter gives up is not lost.
func TestTurnOfAWaiterWhoJustGaveUpIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where a place that is never given back ends as a deadlock
		e := says(200).engine(t, nil, limitsAt, "errors: []\nlimits: {concurrency: 1}")
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 100 {
			_, err := e.Whoami(gone)
			wantKind(t, err, cti.Offline)
		}
		_, err := e.Whoami(t.Context())
		wantKind(t, err, "")
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
