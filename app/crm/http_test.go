package crm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestRedirectToAnotherHostIsRefusedAndNotFollowed(t *testing.T) {
	var reached atomic.Int32
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		answer(200, "application/json", `{}`)(w, r)
	})
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.RequestURI(), http.StatusFound)
	})
	_, err := open(t, base).Lookup(t.Context(), someNumber())
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "allow_hosts") {
		t.Errorf("the error does not name allow_hosts: %v", err)
	}
	if reached.Load() != 0 {
		t.Error("the other host was asked")
	}
}

func TestRedirectOnTheSameHostIsFollowedForReads(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/me" {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
			return
		}
		answer(200, "application/json", `{"name":"Ada"}`)(w, r)
	})
	if agent, err := open(t, base).Whoami(t.Context()); err != nil || agent.Name != "Ada" {
		t.Errorf("Whoami() = %+v, %v", agent, err)
	}
}

func TestRedirectOfAWriteIsNotFollowedAndUncertain(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var requests atomic.Int32
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		})
		_, err := open(t, base).Write(t.Context(), someWrite())
		wantKind(t, err, cti.Uncertain)
		if requests.Load() != 1 {
			t.Errorf("%d: %d requests were made, want 1", status, requests.Load())
		}
	}
}

func TestSecretIsNotTakenAlongToAnotherAllowedHost(t *testing.T) {
	got := make(chan http.Header, 1)
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		answer(200, "application/json", `{"name":"Ada"}`)(w, r)
	})
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+"/me", http.StatusFound) })
	e := open(t, base, `["${host(param.base_url)}"]`, `["${host(param.base_url)}", "${host('`+other+`')}"]`,
		`{Authorization: "Bearer ${param.token}"}`, `{X-Api-Key: "${param.token}"}`)
	if _, err := e.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	if key := (<-got).Get("X-Api-Key"); key != "" {
		t.Error("the other host got the secret")
	}
}

func TestPlainHTTPToAnotherMachineIsRefusedAtLoad(t *testing.T) {
	_, err := tryOpen(t, "http://crm.example.com", nil)
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "use https") {
		t.Errorf("the error does not say to use https: %v", err)
	}
}

func TestPlainHTTPToAnotherMachineIsRefusedInAStep(t *testing.T) {
	_, err := open(t, "http://127.0.0.1:1", `"${param.base_url}/me"`, `"http://crm.example.com/me"`, `["${host(param.base_url)}"]`, `[crm.example.com]`).Whoami(t.Context())
	wantKind(t, err, cti.Invalid)
}

func TestHostOutsideTheFenceIsRefusedInAStep(t *testing.T) {
	_, err := open(t, "http://127.0.0.1:1", `"${param.base_url}/me"`, `"https://evil.example.com/me"`).Whoami(t.Context())
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "evil.example.com") {
		t.Errorf("the error does not name the host: %v", err)
	}
}

// Fault 41: the page of a captive portal.

// Fault 33: both forms of Retry-After.

func TestRetryAfterIsReadAsSecondsAndAsDate(t *testing.T) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		header    string
		low, high time.Duration
	}{
		{"7", 7 * time.Second, 8 * time.Second},
		{in(90 * time.Second), 80 * time.Second, 95 * time.Second},
		{in(-time.Hour), time.Second, 2 * time.Second}, // no advice: the gate's own pause
		{"-5", time.Second, 2 * time.Second},
		{"soon", time.Second, 2 * time.Second},
		{"", time.Second, 2 * time.Second},
		{"999999999", 24 * time.Hour, 24*time.Hour + 5*time.Second},
	} {
		base := serve(t, answer(429, "application/json", `{}`, "Retry-After", c.header))
		_, err := open(t, base).Write(t.Context(), someWrite())
		wantKind(t, err, cti.Limited)
		if wait := cti.RetryAfter(err); wait < c.low || wait > c.high {
			t.Errorf("Retry-After %q is read as %s, want %s to %s", c.header, wait, c.low, c.high)
		}
	}
}

// forgetful is a server that reads a write and then closes the kept-alive connection: to net/http it looks like one that was closing

// anyway, and with an Idempotency-Key header net/http sends the request again by itself.

func forgetful(t *testing.T) (base string, connections chan string, writes *atomic.Int32) {
	writes, connections = new(atomic.Int32), make(chan string, 99) // room for the replays that must not come
	base = serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections <- r.RemoteAddr
		if r.Method == http.MethodGet {
			answer(200, "application/json", `{"name":"Ada"}`)(w, r)
			return
		}
		writes.Add(1)
		cut(w, r)
	})
	return base, connections, writes
}

// Fault 32: the transport never sends a write a second time.

func TestWriteIsNotReplayedOnAClosedConnection(t *testing.T) {
	for _, body := range []string{"with a body", "without a body"} {
		t.Run(body, func(t *testing.T) {
			base, connections, writes := forgetful(t)
			e := open(t, base)
			if body == "without a body" {
				e = open(t, base, `, json: {key: "${input.key}", note: "${input.call.note}"}`, "")
			}
			if _, err := e.Whoami(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := e.Write(t.Context(), someWrite())
			wantKind(t, err, cti.Uncertain)
			if first, second := <-connections, <-connections; first != second {
				t.Fatalf("the write used another connection: the test shows nothing")
			}
			if writes.Load() != 1 {
				t.Errorf("the write was sent %d times", writes.Load())
			}
		})
	}
}

// The negative control: the same request with a body that net/http can read again is sent again.

func TestWriteIsReplayedByAClientThatKeepsItsBody(t *testing.T) {
	base, connections, writes := forgetful(t)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	res, err := client.Get(base + "/me")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/calls", bytes.NewReader([]byte(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", "k")
	if res, err = client.Do(r); err == nil {
		t.Fatalf("status %d", res.StatusCode)
	}
	if first, second := <-connections, <-connections; first != second {
		t.Fatal("the write used another connection: the test shows nothing")
	}
	if writes.Load() < 2 {
		t.Error("net/http sent it once: the guard against its replays guards nothing")
	}
}

// cut reads the whole request and closes the connection without an answer.

func cut(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(err)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if err := conn.Close(); err != nil {
		panic(err)
	}
}

// Fault 41: a name that cannot be resolved.

// Fault 41: a certificate nobody here trusts, as a proxy that looks inside TLS shows it, keeps everything in.

// Fault 41: whatever a portal, a proxy or a wrong server says with status 200 is no success, and a read is never taken for an empty list.

// Fault 41: a proxy that wants a sign-in is offline with words, for writes too: nothing went past it.

func TestTimeOutIsOfflineForReadsAndUncertainForWrites(t *testing.T) {
	release := make(chan struct{})
	base := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	e := open(t, base, "timeout: 5s", "timeout: 50ms")
	_, err := e.Whoami(t.Context())
	wantKind(t, err, cti.Offline)
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Uncertain)
}

func TestCallerWhoGivesUpBeforeSendingChangesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, serve(t, answer(200, "application/json", `{}`))).Write(ctx, someWrite())
	wantKind(t, err, cti.Offline)
}

func TestAnswerOfMoreThanTheCapIsRefused(t *testing.T) {
	big := `{"name":"` + strings.Repeat("x", 4<<20) + `"}`
	e := open(t, serve(t, answer(200, "application/json", big)))
	_, err := e.Whoami(t.Context())
	wantKind(t, err, cti.Invalid)
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Uncertain)
}

func TestHalfAnAnswerIsUncertainForWrites(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		if _, err := fmt.Fprint(w, `{"id":`); err != nil {
			t.Error(err)
		}
		cutHalf(w)
	})
	_, err := open(t, base).Write(t.Context(), someWrite())
	wantKind(t, err, cti.Uncertain)
}

func cutHalf(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err)
	}
	panic(http.ErrAbortHandler)
}

func TestNeitherLogsNorErrorsShowSecretsOrNumbers(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	say := fmt.Sprintf(`{"error":"token %s may not call +44 20 7946-0123 (02079460123)"}`, testToken)
	e, err := tryOpen(t, serve(t, answer(422, "application/json", say)), logger, "errors: []",
		`errors: [{when: "${res.status == 422}", class: invalid, message: "${res.json.error}"}]`)
	if err != nil {
		t.Fatal(err)
	}
	_, lookupErr := e.Lookup(t.Context(), someNumber())
	wantKind(t, lookupErr, cti.Invalid)
	_, writeErr := e.Write(t.Context(), someWrite())
	wantKind(t, writeErr, cti.Invalid)
	all := log.String() + lookupErr.Error() + writeErr.Error()
	for _, hidden := range []string{testToken, "7946-0123", "79460123"} {
		if strings.Contains(all, hidden) {
			t.Errorf("%q can be seen in: %s", hidden, all)
		}
	}
	if !strings.Contains(writeErr.Error(), "may not call") {
		t.Errorf("the CRM's own words are missing: %v", writeErr)
	}
}
