package crm_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// A token that is used before it is on the disk is lost with the power, and the sign-in with it.
func TestATokenIsStoredBeforeItIsUsed(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	e := d.signedIn(v)
	wantWhoami(t, e, "u_01")
	e = d.open(v, oauthFile)
	wantWhoami(t, e, "u_01")
	d.revoke(v.says(t, "access_token"))
	was, before, used := v.says(t, "refresh_token"), d.tokensAsked(), d.asked("GET /api/whoami")
	v.failing(errors.New("the disk is full"))
	for range 3 { // the first refreshes, the others keep what it gave
		_, err := e.Whoami(t.Context())
		wantKind(t, err, cti.Offline)
	}
	if n := d.asked("GET /api/whoami"); n != used+1 || d.tokensAsked() != before+1 || v.says(t, "refresh_token") != was {
		t.Errorf("%d requests and %d refreshes while nothing could be stored; want the refused one, and one", n-used, d.tokensAsked()-before)
	}
	v.failing(nil)
	var inUse int
	v.after(func() { inUse = d.asked("GET /api/whoami") })
	wantWhoami(t, e, "u_01")
	if inUse != used+1 || d.tokensAsked() != before+1 || v.says(t, "refresh_token") == was {
		t.Errorf("stored after %d requests and %d refreshes; want it before it is used, and no second refresh", inUse-used, d.tokensAsked()-before)
	}
}

func TestFiftyLookupsWithAnEndedTokenRefreshItOnce(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	e := d.open(v, oauthFile)
	wantWhoami(t, e, "u_01")
	for round := range 3 {
		was, before := v.says(t, "refresh_token"), d.tokensAsked()
		e := d.open(v, oauthFile) // its token is no new one
		wantWhoami(t, e, "u_01")
		d.revoke(v.says(t, "access_token"))
		if failed := lookups(t.Context(), 50, e); len(failed) != 0 {
			t.Errorf("round %d: %d failed, the first with %v", round, len(failed), failed[0])
		}
		if n := d.tokensAsked() - before; n != 1 || v.says(t, "refresh_token") == was {
			t.Errorf("round %d: %d refreshes, want one, with another refresh token", round, n)
		}
	}
}

func TestATokenIsRefreshedBeforeItsEnd(t *testing.T) {
	for life, want := range map[time.Duration]time.Duration{time.Hour: time.Hour - time.Minute, 30 * time.Second: 15 * time.Second} {
		d := startOAuth(t, sandbox.Traits{AccessMS: life.Milliseconds()})
		v := newVault()
		e := d.signedIn(v)
		until, err := time.Parse(time.RFC3339Nano, v.says(t, "until"))
		if off := time.Until(until) - want; err != nil || off > time.Second || off < -10*time.Second {
			t.Errorf("a token for %s is used until in %s, %v; want %s", life, time.Until(until), err, want)
		}
		if failed := lookups(t.Context(), 5, e); len(failed) != 0 || d.tokensAsked() != 1 {
			t.Errorf("a token for %s: %v, asked for %d times", life, failed, d.tokensAsked())
		}
		old := v.says(t, "refresh_token")
		v.age(t)
		refusedBefore := d.Stats().Unauthorized
		if failed := lookups(t.Context(), 50, d.open(v, oauthFile)); len(failed) != 0 || d.tokensAsked() != 2 || v.says(t, "refresh_token") == old {
			t.Errorf("a token for %s, at its end: %v, asked for %d times", life, failed, d.tokensAsked())
		}
		if n := d.Stats().Unauthorized - refusedBefore; n != 0 {
			t.Errorf("%d requests were refused before it was refreshed", n)
		}
	}
}

func TestATokenThatAgesInUseIsRefreshedBeforeTheCRMRefusesIt(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{AccessMS: 1000})
	v := newVault()
	e := d.signedIn(v)
	wantWhoami(t, e, "u_01")
	until, err := time.Parse(time.RFC3339Nano, v.says(t, "until"))
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(until))
	if failed := lookups(t.Context(), 20, e); len(failed) != 0 {
		t.Errorf("%d failed, the first with %v", len(failed), failed[0])
	}
	if n := d.Stats().Unauthorized; n != 0 || d.tokensAsked() != 2 {
		t.Errorf("%d requests were refused, tokens asked for %d times; want none, and twice", n, d.tokensAsked())
	}
}

// What a token endpoint says, and who is to mend it.
func TestEveryAnswerOfATokenEndpointHasItsKind(t *testing.T) {
	for name, one := range map[string]struct {
		say  http.HandlerFunc
		kind cti.Kind
		text string
	}{
		"ended":                  {answer(400, "application/json", `{"error":"invalid_grant","error_description":"refresh-token-1 was used on 020 7946 0123"}`), cti.Auth, "ended the sign-in"},
		"ended, with status 200": {answer(200, "application/json", `{"error":"invalid_grant"}`), cti.Auth, "ended the sign-in"},
		"unknown client":         {answer(401, "application/json", `{"error":"invalid_client"}`), cti.Auth, "check client_id and client_secret"},
		"not for this client":    {answer(400, "application/json", `{"error":"unauthorized_client"}`), cti.Auth, "check client_id and client_secret"},
		"a bare 400":             {answer(400, "text/plain", `bad`), cti.Auth, "check client_id and client_secret"},
		"for a while":            {answer(400, "application/json", `{"error":"temporarily_unavailable"}`), cti.Offline, ""},
		"its own mistake":        {answer(400, "application/json", `{"error":"server_error"}`), cti.Offline, ""},
		"500 with a code":        {answer(500, "application/json", `{"error":"invalid_request"}`), cti.Offline, ""},
		"too many":               {answer(429, "application/json", `{"error":"slow_down"}`, "Retry-After", "7"), cti.Limited, ""},
		"a portal's page":        {answer(200, "text/html", `<html>sign in to the Wi-Fi</html>`), cti.Offline, ""},
		"a portal's redirect":    {answer(302, "text/html", ``, "Location", "/portal"), cti.Offline, ""},
		"a proxy's refusal":      {answer(403, "text/html", `<html>no</html>`), cti.Offline, ""},
		"no token in it":         {answer(200, "application/json", `{}`), cti.Offline, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			v.kept = []byte(`{"access_token":"","refresh_token":"refresh-token-1"}`)
			_, err := stored(t, v, oauthFile, serve(t, one.say)).Whoami(t.Context())
			if wantKind(t, err, one.kind); err == nil || !strings.Contains(err.Error(), one.text) || strings.Contains(err.Error(), "refresh-token-1") || strings.Contains(err.Error(), "7946") {
				t.Errorf("the error is %v, want %q in it", err, one.text)
			}
		})
	}
}

func TestARefusedRefreshAsksAPersonAndMakesNoStorm(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	d.revoke(v.says(t, "refresh_token")) // all of the sign-in ends
	e := d.open(v, oauthFile)
	before := d.tokensAsked()
	for range 3 {
		failed := lookups(t.Context(), 20, e)
		if len(failed) != 20 {
			t.Errorf("%d of 20 failed", len(failed))
		}
		for _, err := range failed {
			wantKind(t, err, cti.Auth)
			if text := err.Error(); !strings.Contains(text, "the CRM ended the sign-in (invalid_grant") || !strings.Contains(text, "run ringctl crm login") || strings.Contains(text, v.says(t, "refresh_token")) {
				t.Fatalf("the error is %s", text)
			}
		}
	}
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Auth)
	if n := d.tokensAsked() - before; n != 1 {
		t.Errorf("the refused refresh token was shown %d times, want once", n)
	}
	other := d.open(v, oauthFile) // ringctl, which signs in: the agent goes on by itself
	if err := other.SignIn(t.Context(), d.browse("auto=1")); err != nil {
		t.Fatal(err)
	}
	v.age(t) // so that nothing but its refresh token is of use
	wantWhoami(t, e, "u_01")
}

// A CRM that refuses even a new token is not asked for another with each request.
func TestANewTokenThatIsRefusedIsNotRefreshedAgain(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	e := d.open(v, oauthFile)
	before := d.tokensAsked()
	d.fault(sandbox.Fault{Status: http.StatusUnauthorized})
	for range 3 {
		for _, err := range lookups(t.Context(), 20, e) {
			wantKind(t, err, cti.Auth)
		}
	}
	if n := d.tokensAsked() - before; n != 1 {
		t.Errorf("%d refreshes, want one", n)
	}
	d.fault(sandbox.Fault{})
	wantWhoami(t, e, "u_01")
}

func TestACrashBetweenRefreshAndUseLosesNothing(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	e := d.open(v, oauthFile)
	wantWhoami(t, e, "u_01")
	d.revoke(v.says(t, "access_token"))
	ctx, crash := context.WithCancel(t.Context())
	v.after(crash)
	if _, err := e.Whoami(ctx); err == nil {
		t.Fatal("it did not crash")
	}
	e.Close()
	v.after(nil)
	before := d.tokensAsked()
	wantWhoami(t, d.open(v, oauthFile), "u_01")
	if n := d.tokensAsked() - before; n != 0 {
		t.Errorf("%d refreshes after the start, want none", n)
	}
}

// Who asked may leave: what the CRM answers later is kept, or the refresh token would be used up for nothing.
func TestARefreshGoesOnWhenItsCallerHasLeft(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	e := d.open(v, oauthFile)
	wantWhoami(t, e, "u_01")
	d.revoke(v.says(t, "access_token"))
	before := d.tokensAsked()
	stored := make(chan struct{})
	v.after(func() { close(stored) })
	d.fault(sandbox.Fault{Latency: 300 * time.Millisecond, Match: "/oauth", Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := e.Whoami(ctx)
	wantKind(t, err, cti.Offline)
	<-stored
	v.after(nil)
	wantWhoami(t, e, "u_01")
	if n := d.tokensAsked() - before; n != 1 {
		t.Errorf("%d refreshes, want one", n)
	}
}

// Ringside ends while a token is being renewed: what the CRM gives then is on the disk before it is gone.
func TestClosingWaitsForARefreshUnderWay(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	v.age(t)
	before := v.says(t, "refresh_token")
	d.fault(sandbox.Fault{Latency: 300 * time.Millisecond, Match: "/oauth", Count: 1})
	e := d.open(v, oauthFile)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Whoami(ctx)
	wantKind(t, err, cti.Offline)
	e.Close()
	if after := v.says(t, "refresh_token"); after == before || before == "" {
		t.Error("the new token is lost")
	}
}

func TestTwoProcessesRefreshOnce(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	a, b := d.open(v, oauthFile), d.open(v, oauthFile)
	wantWhoami(t, a, "u_01")
	wantWhoami(t, b, "u_01")
	d.revoke(v.says(t, "access_token"))
	before := d.tokensAsked()
	if failed := lookups(t.Context(), 50, a, b); len(failed) != 0 {
		t.Errorf("%d failed, the first with %v", len(failed), failed[0])
	}
	if n := d.tokensAsked() - before; n != 1 {
		t.Errorf("%d refreshes, want one", n)
	}
	third := d.open(v, oauthFile) // refreshed by another long before it looks
	wantWhoami(t, third, "u_01")
	d.revoke(v.says(t, "access_token"))
	wantWhoami(t, d.open(v, oauthFile), "u_01")
	wantWhoami(t, third, "u_01")
	if n := d.tokensAsked() - before; n != 2 {
		t.Errorf("%d refreshes, want two", n)
	}
}

func TestATokenEndpointInTroubleIsAskedAgainLater(t *testing.T) {
	for name, one := range map[string]struct {
		fault sandbox.Fault
		kind  cti.Kind
	}{
		"503":       {sandbox.Fault{Status: http.StatusServiceUnavailable}, cti.Offline},
		"404":       {sandbox.Fault{Status: http.StatusNotFound}, cti.Offline},
		"429":       {sandbox.Fault{Status: http.StatusTooManyRequests, RetryAfter: 60}, cti.Limited},
		"no answer": {sandbox.Fault{Trouble: sandbox.ResetBefore}, cti.Offline},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOAuth(t, sandbox.Traits{})
			v := newVault()
			d.signedIn(v)
			e := d.open(v, oauthFile)
			wantWhoami(t, e, "u_01")
			d.revoke(v.says(t, "access_token"))
			one.fault.Match = "/oauth"
			d.fault(one.fault)
			before := d.Stats().Faulted
			failed := lookups(t.Context(), 20, e)
			if len(failed) != 20 {
				t.Errorf("%d of 20 failed", len(failed))
			}
			for _, err := range failed {
				wantKind(t, err, one.kind)
				var said *cti.Error
				if errors.As(err, &said); one.kind == cti.Limited && said.RetryAfter != time.Minute {
					t.Errorf("it is to be asked again in %s", said.RetryAfter)
				}
			}
			if n := d.Stats().Faulted - before; n != 1 {
				t.Errorf("asked %d times, want once within a second", n)
			}
			_, err := e.Write(t.Context(), someWrite())
			wantKind(t, err, one.kind) // nothing was written, so it is not uncertain
			d.fault(sandbox.Fault{})
			wantWhoami(t, d.open(v, oauthFile), "u_01")
		})
	}
}

// Where the CRM takes a refresh token once, a lost answer costs the sign-in: then a person is asked, and the CRM no more.
func TestARefreshWhoseAnswerIsLostEndsWithAPerson(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	e := d.open(v, oauthFile)
	wantWhoami(t, e, "u_01")
	d.revoke(v.says(t, "access_token"))
	d.fault(sandbox.Fault{DropAnswer: true, Match: "/oauth", Count: 1})
	_, err := e.Whoami(t.Context())
	wantKind(t, err, cti.Offline)
	e = d.open(v, oauthFile) // it does not know that the last attempt was a moment ago
	before := d.tokensAsked()
	for _, err := range lookups(t.Context(), 10, e) {
		wantKind(t, err, cti.Auth)
	}
	if n := d.tokensAsked() - before; n != 1 {
		t.Errorf("the refresh token that was used up was shown %d times, want once", n)
	}
}

// stored opens the connector for a server, with tokens of an earlier run.
func stored(t *testing.T, v *vault, file, base string) *crm.Engine {
	t.Helper()
	e, err := crm.Open(crm.Config{Connector: file, Params: map[string]string{"base_url": base}, Region: "GB", Tokens: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestWhatATokensAnswerLeavesOutStaysAsItWas(t *testing.T) {
	v := newVault()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			answer(200, "application/json", `{"access_token":"access-token-2","token_type":"Bearer"}`)(w, r)
			return
		}
		answer(200, "application/json", `{"id":"1","name":"Ada"}`)(w, r)
	})
	v.kept = []byte(`{"access_token":"access-token-1","until":"2020-01-01T00:00:00Z","refresh_token":"refresh-token-1","fields":{"base_url":"` + base + `"}}`)
	wantWhoami(t, stored(t, v, oauthFile, base), "1")
	if v.says(t, "access_token") != "access-token-2" || v.says(t, "refresh_token") != "refresh-token-1" || v.says(t, "until") != "" {
		t.Errorf("kept is %s", v.kept)
	}
	wantWhoami(t, stored(t, v, oauthFile, base), "1")
}

func TestTheTokenEndpointIsInsideTheFence(t *testing.T) {
	asked := false
	other := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	v := newVault()
	v.kept = []byte(`{"access_token":"","refresh_token":"refresh-token-1"}`)
	_, err := stored(t, v, oauthFileWith(t, "${param.base_url}/oauth/token", other+"/oauth/token"), serve(t, answer(200, "application/json", "{}"))).Whoami(t.Context())
	if wantKind(t, err, cti.Invalid); asked || err == nil || !strings.Contains(err.Error(), "allow_hosts") {
		t.Errorf("asked: %t; the error is %v", asked, err)
	}
}

func TestADamagedSignInAsksAPerson(t *testing.T) {
	v := newVault()
	v.kept = []byte(`{"access_token`)
	_, err := stored(t, v, oauthFile, "http://127.0.0.1:1").Whoami(t.Context())
	if wantKind(t, err, cti.Auth); err == nil || !strings.Contains(err.Error(), "run ringctl crm login") {
		t.Errorf("the error is %v", err)
	}
}

func TestNoTokenIsShownInAnErrorThatRepeatsIt(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			answer(200, "application/json", `{"access_token":"access-token-2","refresh_token":"refresh-token-2"}`)(w, r)
			return
		}
		answer(422, "application/json", `"`+r.Header.Get("Authorization")+` after refresh-token-1, before refresh-token-2"`)(w, r)
	})
	v := newVault()
	v.kept = []byte(`{"access_token":"","refresh_token":"refresh-token-1","fields":{"base_url":"` + base + `"}}`)
	file := oauthFileWith(t, "operations:\n", "errors: [{when: \"${res.status == 422}\", class: invalid, message: \"${res.json}\"}]\noperations:\n")
	_, err := stored(t, v, file, base).Whoami(t.Context())
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "Bearer *** after ***, before ***") {
		t.Errorf("the error is %v", err)
	}
}
