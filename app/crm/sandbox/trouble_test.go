package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each trouble does what its name says: what the client sees, and whether the change was made.
func TestEveryTroubleIsWhatItsNameSays(t *testing.T) {
	for _, c := range []struct {
		trouble Trouble
		status  int // 0: no whole answer
		records int
	}{
		{ResetBefore, 0, 0}, {ResetAfter, 0, 1}, {HalfBody, 0, 1}, {HangBefore, 0, 0}, {HangAfter, 0, 1}, {LateCommit, 201, 1},
		{Err500Before, 500, 0}, {Err500After, 500, 1}, {Err502Before, 502, 0}, {Err502After, 502, 1}, {Err503Before, 503, 0}, {Err503After, 503, 1},
		{Err429, 429, 0}, {Err429Wait, 429, 0}, {Err429Date, 429, 0}, {Err401, 401, 0}, {Err403, 403, 0}, {Err409, 409, 0}, {Err422, 422, 0},
	} {
		t.Run(string(c.trouble), func(t *testing.T) {
			s := begin(t, Options{})
			steer(t, s, Fault{Trouble: c.trouble, Latency: 20 * time.Millisecond, RetryAfter: 3, Writes: true, Count: 1})
			client := dial(t, s)
			client.do(http.StatusOK, "GET", "/api/whoami", "") // a read is left alone
			r, err := client.try("PUT", "/api/calls/by-key/k", callBody)
			if (err == nil) != (c.status != 0) || err == nil && r.status != c.status {
				t.Errorf("status %d, error %v; want status %d", r.status, err, c.status)
			}
			if n := len(withKey(s, "k")); n != c.records {
				t.Errorf("%d records, want %d", n, c.records)
			}
			wait := r.header.Get("Retry-After")
			if c.trouble == Err429Wait && wait != "3" || c.trouble == Err429 && wait != "" {
				t.Errorf("Retry-After %q", wait)
			}
			if at, err := http.ParseTime(wait); c.trouble == Err429Date && (err != nil || time.Until(at) > 3*time.Second) {
				t.Errorf("Retry-After %q", wait)
			}
			if c.trouble == ResetBefore && !strings.Contains(fmt.Sprint(err), "reset") && !errors.Is(err, io.EOF) {
				t.Errorf("the connection ends with %v", err)
			}
			if n := s.Stats().Troubles[c.trouble]; n != 1 {
				t.Errorf("the trouble was counted %d times", n)
			}
			client.do(http.StatusOK, "GET", "/api/whoami", "")
		})
	}
}

func TestLateCommitIsMadeAfterTheClientHasLeft(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	steer(t, s, Fault{Trouble: LateCommit, Latency: 200 * time.Millisecond, Count: 1})
	c.http.Timeout = 20 * time.Millisecond
	if r, err := c.try("PUT", "/api/calls/by-key/k", callBody); err == nil {
		t.Fatalf("the client waited for status %d", r.status)
	}
	if n := s.Stats().Late; n != 1 {
		t.Errorf("%d requests are late", n)
	}
	for s.Stats().Late > 0 && t.Context().Err() == nil {
		time.Sleep(time.Millisecond) //nolint:forbidigo // nothing signals it; the test's own time-out is the limit
	}
	if n := len(withKey(s, "k")); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestSameSeedDealsTheSameTroubles(t *testing.T) {
	deal := func(seed uint64) (out []Trouble) {
		var d dice
		d.set(Chaos{Seed: seed, Writes: true, Rates: map[Trouble]float64{ResetAfter: .2, Err503Before: .3}})
		for range 1000 {
			trouble, _ := d.claim(httptest.NewRequest(http.MethodPost, "/api/calls", nil))
			out = append(out, trouble)
		}
		return out
	}
	first := deal(1)
	if !reflect.DeepEqual(first, deal(1)) || reflect.DeepEqual(first, deal(2)) {
		t.Error("the seed does not decide")
	}
	count := map[Trouble]int{}
	for _, trouble := range first {
		count[trouble]++
	}
	if count[ResetAfter] < 150 || count[ResetAfter] > 250 || count[Err503Before] < 250 || count[Err503Before] > 350 {
		t.Errorf("1000 requests had %v", count)
	}
	var d dice
	d.set(Chaos{Writes: true, Match: "/api/calls", Rates: map[Trouble]float64{Err500Before: 1}})
	for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, "/api/calls", nil), httptest.NewRequest(http.MethodPost, "/api/tasks", nil)} {
		if trouble, _ := d.claim(r); trouble != "" {
			t.Errorf("%s %s meets %s", r.Method, r.URL.Path, trouble)
		}
	}
}

func TestRateLimitIsEnforcedAndCounted(t *testing.T) {
	var n nature
	n.set(Traits{PerSecond: 10, Burst: 3})
	at := time.Now()
	var let []int
	for i := range 200 { // one each 20 ms: 50 a second
		if n.allow(at.Add(time.Duration(i)*20*time.Millisecond)) == nil {
			let = append(let, i)
		}
	}
	if allowed, limited := n.counts(); allowed != int64(len(let)) || allowed+limited != 200 || allowed < 41 || allowed > 43 {
		t.Errorf("in 4 s %d were allowed and %d refused, want 3 and 39 or 40", allowed, limited)
	}
	for form, want := range map[string]string{"": "1", "seconds": "1", "none": ""} {
		s := begin(t, Options{Traits: Traits{PerSecond: 0.9, RetryAfter: form}})
		c := dial(t, s)
		c.do(http.StatusOK, "GET", "/api/whoami", "")
		r := c.do(http.StatusTooManyRequests, "GET", "/api/whoami", "")
		if got := r.header.Get("Retry-After"); form == "none" && got != "" || form != "none" && got != want && got != "2" {
			t.Errorf("%q: Retry-After %q", form, got)
		}
		wantRefusal(t, r, "rate_limited", "")
	}
}

func TestIdempotencyKeyIsHonouredIgnoredAndForgotten(t *testing.T) {
	for _, c := range []struct {
		traits  Traits
		records int
	}{
		{Traits{PlainPosts: true}, 1},
		{Traits{PlainPosts: true, Idempotency: IgnoreKeys}, 2},
		{Traits{PlainPosts: true, WindowMS: 1}, 2},
	} {
		s := begin(t, Options{Traits: c.traits})
		client := dial(t, s)
		body := strings.Replace(callBody, "{", `{"external_key":"k",`, 1)
		first := client.do(http.StatusCreated, "POST", "/api/calls", body, "Idempotency-Key", "k")
		for time.Since(s.Ledger().Entries[0].At.Time) < 5*time.Millisecond { // the shortest window there is passes
		}
		second := client.do(http.StatusCreated, "POST", "/api/calls", body, "Idempotency-Key", "k")
		if n := len(withKey(s, "k")); n != c.records {
			t.Errorf("%+v: %d records, want %d", c.traits, n, c.records)
		}
		if same := bytes.Equal(first.body, second.body); same != (c.records == 1) {
			t.Errorf("%+v: the answers are the same: %t", c.traits, same)
		}
		client.do(http.StatusCreated, "POST", "/api/calls", body, "Idempotency-Key", "other")
	}
}

func TestRefusedRequestDoesNotUseItsKeyUp(t *testing.T) {
	s := begin(t, Options{Traits: Traits{PlainPosts: true}})
	c := dial(t, s)
	c.do(http.StatusUnprocessableEntity, "POST", "/api/calls", `{"external_key":"k"}`, "Idempotency-Key", "k")
	c.do(http.StatusCreated, "POST", "/api/calls", strings.Replace(callBody, "{", `{"external_key":"k",`, 1), "Idempotency-Key", "k")
}

func TestKeyOfARequestUnderWayIsInProgress(t *testing.T) {
	s := begin(t, Options{Traits: Traits{PlainPosts: true}})
	c := dial(t, s)
	body := strings.Replace(callBody, "{", `{"external_key":"k",`, 1)
	const key = "POST /api/calls k"
	mine, _, _ := s.replays.begin(key, time.Hour) // somebody works on it
	r := c.do(http.StatusConflict, "POST", "/api/calls", body, "Idempotency-Key", "k")
	if wantRefusal(t, r, "in_progress", ""); r.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	s.replays.end(key, mine, answer{}, errors.New("it failed"))
	c.do(http.StatusCreated, "POST", "/api/calls", body, "Idempotency-Key", "k")
	if n := len(withKey(s, "k")); n != 1 {
		t.Errorf("%d records", n)
	}
}

// A request that takes longer than the window leaves the key to the one after it.
func TestAWindowMayPassWhileItsRequestIsWorkedOn(t *testing.T) {
	var p replays
	first, _, _ := p.begin("k", 0)
	second, _, busy := p.begin("k", 0)
	if busy || second == nil {
		t.Fatal("the window has not passed")
	}
	p.end("k", second, answer{}, errors.New("it failed"))
	p.end("k", first, answer{status: http.StatusCreated}, nil)
	if third, _, busy := p.begin("k", time.Hour); third == nil || busy {
		t.Error("after the refusal the key is not free")
	}
}

func TestALateFirstRequestDoesNotFreeTheKeyOfTheSecond(t *testing.T) {
	var p replays
	first, _, _ := p.begin("k", 0)
	second, _, _ := p.begin("k", 0)
	p.end("k", first, answer{}, errors.New("it failed"))
	if _, _, busy := p.begin("k", time.Hour); !busy {
		t.Error("the key is free while the second works on it")
	}
	p.end("k", second, answer{status: http.StatusCreated}, nil)
	if mine, a, _ := p.begin("k", time.Hour); mine != nil || a.status != http.StatusCreated {
		t.Errorf("it gives %+v", a)
	}
}

func TestTokenEndsAndIsRenewed(t *testing.T) {
	s := begin(t, Options{Traits: Traits{TokenRequests: 2}})
	c := dial(t, s)
	for range 2 {
		c.do(http.StatusOK, "GET", "/api/whoami", "")
	}
	wantRefusal(t, c.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "token_expired", "")
	s.RenewToken("")
	c.do(http.StatusOK, "GET", "/api/whoami", "")
	if c.token = s.RenewToken("another"); c.token != "another" {
		t.Errorf("the token is %q", c.token)
	}
	c.do(http.StatusOK, "GET", "/api/whoami", "")
	if err := s.SetTraits(Traits{TokenMS: 1}); err != nil {
		t.Fatal(err)
	}
	for {
		if r, err := c.try("GET", "/api/whoami", ""); err != nil || r.status == http.StatusUnauthorized {
			break
		}
	}
}

func TestLedgerCountsDuplicatesAndReordering(t *testing.T) {
	s := begin(t, Options{Traits: Traits{PlainPosts: true}})
	c := dial(t, s)
	post := func(key, at string) {
		c.do(http.StatusCreated, "POST", "/api/calls", `{"external_key":"`+key+`","direction":"in","number":"+442079460123","started_at":"`+at+`"}`)
	}
	post("a", "2026-03-02T09:00:00Z")
	post("c", "2026-03-02T11:00:00Z")
	post("b", "2026-03-02T10:00:00Z")
	post("a", "2026-03-02T09:00:00Z")
	c.do(http.StatusOK, "PUT", "/api/calls/by-key/c", `{"note":"later"}`)
	l := s.Ledger()
	if l.Writes != 5 || l.Keys != 3 || l.Creations != 4 || l.Duplicates != 1 || l.Reordered != 1 {
		t.Errorf("the ledger is %+v", l)
	}
	if e := l.Entries[4]; e.Key != "c" || e.Created || e.N != 5 {
		t.Errorf("the last entry is %+v", e)
	}
}

func TestNewCallIsNotFoundByKeyBeforeTheIndexHasIt(t *testing.T) {
	s := begin(t, Options{Traits: Traits{SearchLagMS: time.Hour.Milliseconds()}})
	c := dial(t, s)
	c.do(http.StatusCreated, "PUT", "/api/calls/by-key/k", callBody)
	count := func() int {
		return len(read[list[Call]](t, c.do(http.StatusOK, "GET", "/api/calls?external_key=k", "")).Items)
	}
	if n := count(); n != 0 {
		t.Errorf("%d found at once", n)
	}
	if err := s.SetTraits(Traits{}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d found without a lag", n)
	}
}

func TestChaosTraitsTokenAndLedgerAreSteeredOverTheControlListener(t *testing.T) {
	s := begin(t, Options{Control: "127.0.0.1:0"})
	c := dial(t, s)
	c.base = s.ControlURL()
	put := func(path, body string, want int) reply {
		return c.do(want, "PUT", path, body, "Content-Type", "application/json")
	}
	put("/chaos", `{"seed":3,"rates":{"reset_after":0.5}}`, http.StatusOK)
	put("/traits", `{"per_second":5,"plain_posts":true}`, http.StatusOK)
	if s.Chaos().Rates[ResetAfter] != .5 || s.Traits().PerSecond != 5 {
		t.Errorf("chaos %+v, traits %+v", s.Chaos(), s.Traits())
	}
	for path, body := range map[string]string{"/chaos": `{"rates":{"reset":1}}`, "/traits": `{"per_minute":5}`, "/fault": `{"trouble":"boom"}`} {
		put(path, body, http.StatusUnprocessableEntity)
	}
	put("/chaos", `{"rates":{"reset_after":0.9,"500_after":0.9}}`, http.StatusUnprocessableEntity)
	c.do(http.StatusUnsupportedMediaType, "PUT", "/traits", `{}`)
	if got := read[fresh](t, put("/token", `{"token":"new"}`, http.StatusOK)); got.Token != "new" {
		t.Errorf("the token is %q", got.Token)
	}
	if l := read[Ledger](t, c.do(http.StatusOK, "GET", "/ledger", "")); l.Entries == nil {
		t.Errorf("the ledger is %+v", l)
	}
	c.do(http.StatusOK, "DELETE", "/chaos", "")
	c.do(http.StatusOK, "DELETE", "/traits", "")
	if len(s.Chaos().Rates) != 0 || s.Traits() != (Traits{}) {
		t.Errorf("chaos %+v, traits %+v", s.Chaos(), s.Traits())
	}
	var f Fault
	if err := json.Unmarshal([]byte(`{"trouble":"hang_after","writes":true,"count":1}`), &f); err != nil || f.Trouble != HangAfter || !f.Writes {
		t.Errorf("%+v, %v", f, err)
	}
}
