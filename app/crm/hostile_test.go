package crm_test

import (
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// storm is a CRM that loses about every fourth request, half of them after the change was made.
var storm = sandbox.Chaos{Seed: 7, Writes: true, HangMS: 50, Rates: map[sandbox.Trouble]float64{
	sandbox.ResetBefore: .03, sandbox.ResetAfter: .05, sandbox.HalfBody: .03, sandbox.Err500Before: .02, sandbox.Err500After: .03, sandbox.Err502After: .02,
	sandbox.Err503Before: .02, sandbox.HangBefore: .02, sandbox.HangAfter: .03,
}}

// deliver brings one write to its end as the outbox does it: again where that is safe, else by a search after every uncertain answer.
func deliver(t *testing.T, e *crm.Engine, w cti.WriteBack) {
	t.Helper()
	again := e.Repeat(w)
	for {
		_, err := e.Write(t.Context(), w)
		if err == nil {
			return
		}
		if kind := cti.KindOf(err); kind != cti.Offline && kind != cti.Uncertain {
			t.Fatalf("the error is %v (%s)", err, kind)
		}
		if cti.KindOf(err) == cti.Offline || again.Safe || !again.Find {
			<-time.After(cti.RetryAfter(err))
			continue
		}
		<-time.After(again.Settle)
		if _, err = e.Find(t.Context(), w); err == nil {
			return
		}
		if cti.KindOf(err) != cti.NotFound {
			t.Fatalf("find: %v (%s)", err, cti.KindOf(err))
		}
	}
}

// Fault 31: what each strategy promises holds while the CRM loses answers; a connector that promises nothing makes duplicates, or this
// test would be blind.
// Fault 40: its search lags behind meanwhile.
func TestStrategiesHoldTheirPromiseInAStorm(t *testing.T) {
	for name, promised := range map[string]bool{"header": true, "probe": true, "uncertain": true, "post": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startSandbox(t)
			if err := server.SetTraits(sandbox.Traits{PlainPosts: true, SearchLagMS: 100}); err != nil {
				t.Fatal(err)
			}
			if err := server.SetChaos(storm); err != nil {
				t.Fatal(err)
			}
			e := openFile(t, settled(t, name), server.URL(), sandboxToken)
			const n = 80
			for i := range n {
				w := someWrite()
				w.CustomerID, w.Record.WrapUp = "", cti.WrapUp{}
				w.Key = cti.WriteKey("storm", fmt.Sprint(i), cti.LogCall, 0)
				deliver(t, e, w)
			}
			l := server.Ledger()
			t.Logf("%d creations of %d keys, %d duplicates; %v", l.Creations, l.Keys, l.Duplicates, server.Stats().Troubles)
			if l.Keys != n || server.Stats().Faulted < n/10 {
				t.Fatalf("%d keys of %d arrived, %d troubles were shown", l.Keys, n, server.Stats().Faulted)
			}
			if promised && l.Duplicates != 0 {
				t.Errorf("%d duplicates", l.Duplicates)
			}
			if !promised && l.Duplicates == 0 {
				t.Error("no duplicate without a promise: the storm shows nothing")
			}
		})
	}
}

// settled is a connector file with a settle time that fits the test's index lag.
func settled(t *testing.T, name string) string {
	t.Helper()
	if name == "post" {
		return crmtest.File(t, "sandbox-"+name)
	}
	return crmtest.File(t, "sandbox-"+name, "settle: 1s", "settle: 200ms")
}

// Fault 40: looked for too early, a record that is there is not found yet: that is what settle is for.
func TestSearchBeforeTheIndexHasItFindsNothing(t *testing.T) {
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{PlainPosts: true, SearchLagMS: time.Hour.Milliseconds()}); err != nil {
		t.Fatal(err)
	}
	e := openFile(t, crmtest.File(t, "sandbox-uncertain"), server.URL(), sandboxToken)
	w := someWrite()
	w.CustomerID = ""
	receipt, err := e.Write(t.Context(), w)
	wantKind(t, err, "")
	_, err = e.Find(t.Context(), w)
	wantKind(t, err, cti.NotFound)
	if err := server.SetTraits(sandbox.Traits{PlainPosts: true}); err != nil {
		t.Fatal(err)
	}
	if found, err := e.Find(t.Context(), w); err != nil || found != receipt {
		t.Errorf("Find() = %+v, %v; want %+v", found, err, receipt)
	}
}

// Fault 38: a repeat that comes while the first request is still being worked on leaves one record.
func TestRepeatWhileTheFirstIsWorkedOnLeavesOneRecord(t *testing.T) {
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{PlainPosts: true}); err != nil {
		t.Fatal(err)
	}
	e := openFile(t, crmtest.File(t, "sandbox-header", "timeout: 2s", "timeout: 200ms"), server.URL(), sandboxToken)
	if err := server.SetFault(sandbox.Fault{Trouble: sandbox.LateCommit, Latency: 3 * time.Second, Writes: true, Count: 1}); err != nil {
		t.Fatal(err)
	}
	w := someWrite()
	w.CustomerID = ""
	_, err := e.Write(t.Context(), w)
	wantKind(t, err, cti.Uncertain)
	_, err = e.Write(t.Context(), w)
	if wantKind(t, err, cti.Limited); cti.RetryAfter(err) != time.Second {
		t.Errorf("retry after %s, want the CRM's second", cti.RetryAfter(err))
	}
	for err != nil {
		<-time.After(cti.RetryAfter(err))
		if _, err = e.Write(t.Context(), w); err != nil && cti.KindOf(err) != cti.Limited && cti.KindOf(err) != cti.Uncertain {
			t.Fatal(err)
		}
	}
	if l := server.Ledger(); l.Creations != 1 {
		t.Errorf("%d records", l.Creations)
	}
}

// Fault 34: the sign-in ends in the middle of many writes; once it is renewed each of them is there once.
func TestSignInThatEndsInMidFlightLosesAndDoublesNothing(t *testing.T) {
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{PlainPosts: true, TokenRequests: 7}); err != nil {
		t.Fatal(err)
	}
	e := openFile(t, crmtest.File(t, "sandbox-header"), server.URL(), sandboxToken)
	const n = 60
	work, failed := make(chan int, n), make(chan error, n)
	for i := range n {
		work <- i
	}
	close(work)
	done := make(chan struct{})
	for range 6 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range work {
				w := someWrite()
				w.CustomerID, w.Key = "", cti.WriteKey("sign-in", fmt.Sprint(i), cti.LogCall, 0)
				_, err := e.Write(t.Context(), w)
				for cti.KindOf(err) == cti.Auth {
					server.RenewToken("")
					_, err = e.Write(t.Context(), w)
				}
				if err != nil {
					failed <- err
				}
			}
		}()
	}
	for range 6 {
		<-done
	}
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if l := server.Ledger(); l.Creations != n || l.Duplicates != 0 || server.Stats().Unauthorized == 0 {
		t.Errorf("%d creations, %d duplicates, %d refusals", l.Creations, l.Duplicates, server.Stats().Unauthorized)
	}
}

// Fault 33: against a CRM that counts, the declared rate is used to at least 95 % and nothing is refused.
func TestDeclaredRateAgainstACRMThatCounts(t *testing.T) {
	const perSecond, n = 200, 600
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{PlainPosts: true, PerSecond: perSecond, Burst: 20}); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: crmtest.File(t, "sandbox-header"), Region: "GB",
		Params: map[string]string{"base_url": server.URL(), "token": sandboxToken, "per_second": fmt.Sprint(perSecond)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	begin := time.Now()
	drain(t, e, n)
	took, stats := time.Since(begin), server.Stats()
	t.Logf("%d writes in %s: %.1f %% of the allowed rate, %d refused", n, took, 100*float64(n)/(perSecond*took.Seconds()), stats.Limited)
	if stats.Limited > n/50 {
		t.Errorf("%d requests were refused", stats.Limited)
	}
}
