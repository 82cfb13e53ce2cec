package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

// pushAt makes a request as the vendor of testdata/vendors/hmac.yaml signs it.
func pushAt(at time.Time, nonce, body string) *http.Request {
	return pushBy(testSecret, at, nonce, body)
}

func pushBy(secret string, at time.Time, nonce, body string) *http.Request {
	t := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "." + nonce + "." + body))
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Nonce", nonce)
	r.Header.Set("X-Signature", "t="+t+",v1="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

const ringBody = `{"data":{"journey":"j-1","events":[{"event_id":"e-1","type":"ring","way":"i","call":"c-1","agent":"2000","from":"13800138000","name":"Zhang San"}]}}`

type recorder struct {
	mu     sync.Mutex
	events []cti.Event
}

func (r *recorder) emit(_ string, e cti.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) types() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.events {
		all = append(all, string(e.Type))
	}
	return strings.Join(all, " ")
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestForgedReplayedAndLatePushesAreRefusedAlike(t *testing.T) {
	v := load(t, "testdata/vendors/hmac.yaml")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		x, err := New(Options{Vendor: v, Listen: "127.0.0.1:0", Secret: fixed(testSecret), Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		var got recorder
		h := x.handler(t.Context(), got.emit)
		now := time.Now()
		edit := func(change func(r *http.Request)) *http.Request {
			r := pushAt(now, "n-edit", ringBody)
			change(r)
			return r
		}
		if w := do(h, pushAt(now, "n-used", ringBody)); w.Code != http.StatusOK {
			t.Fatalf("the vendor's own push: %d", w.Code)
		}
		var first http.Header
		for what, r := range map[string]*http.Request{
			"no signature":  edit(func(r *http.Request) { r.Header.Del("X-Signature") }),
			"another nonce": edit(func(r *http.Request) { r.Header.Set("X-Nonce", "n-other") }),
			"another body":  edit(func(r *http.Request) { r.Body = http.NoBody }),
			"another time": edit(func(r *http.Request) {
				r.Header.Set("X-Signature", strings.Replace(r.Header.Get("X-Signature"), "t=", "t=1", 1))
			}),
			"too old":        pushAt(now.Add(-2*time.Minute-time.Second), "n-old", ringBody),
			"from to-morrow": pushAt(now.Add(24*time.Hour), "n-future", ringBody),
			"seen before":    pushAt(now, "n-used", ringBody),
			"no nonce":       pushAt(now, "", ringBody),
			"garbage":        edit(func(r *http.Request) { r.Header.Set("X-Signature", "\x00\xff") }),
		} {
			w := do(h, r)
			if w.Code != http.StatusUnauthorized || w.Body.Len() != 0 {
				t.Errorf("%s: %d %q, want 401 and no word", what, w.Code, w.Body)
			}
			if first == nil {
				first = w.Header()
			}
			if fmt.Sprint(first) != fmt.Sprint(w.Header()) {
				t.Errorf("%s is told by its headers: %v", what, w.Header())
			}
		}
		if got.types() != "call.delivered" {
			t.Errorf("events %q, want the one ring", got.types())
		}
		if n := strings.Count(log.String(), "pushes refused"); n != 1 {
			t.Errorf("%d lines of refused pushes in a minute, want 1: anybody may send them", n)
		}
		for _, secret := range []string{testSecret, "13800138000", "Zhang San", "n-used"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

func TestANonceIsForgottenWhenItsTimeIsOverAnyway(t *testing.T) {
	v := load(t, "testdata/vendors/hmac.yaml")
	synctest.Test(t, func(t *testing.T) {
		x := open(t, v)
		h := x.handler(t.Context(), (&recorder{}).emit)
		for n := range 500 {
			if w := do(h, pushAt(time.Now(), fmt.Sprint(n), ringBody)); w.Code != http.StatusOK {
				t.Fatal(w.Code)
			}
			wait(time.Second)
		}
		if n := len(x.nonces.seen); n > 4*60+1 {
			t.Errorf("%d nonces are remembered after 500 s, want those of two skews of 2 minutes", n)
		}
	})
}

func TestTheGateRefusesBeforeItReads(t *testing.T) {
	x := open(t, load(t, "testdata/vendors/hmac.yaml"))
	h := x.handler(t.Context(), func(string, cti.Event) { t.Error("an event was handed on") })
	now := time.Now()
	for what, test := range map[string]struct {
		r    *http.Request
		want int
	}{
		"another path":    {httptest.NewRequest(http.MethodPost, "/", strings.NewReader(ringBody)), http.StatusNotFound},
		"another method":  {httptest.NewRequest(http.MethodGet, "/events", nil), http.StatusMethodNotAllowed},
		"too large":       {pushAt(now, "a", strings.Repeat(" ", maxBody+1)), http.StatusRequestEntityTooLarge},
		"no JSON":         {pushAt(now, "b", "{"), http.StatusBadRequest},
		"two JSON texts":  {pushAt(now, "c", "{}{}"), http.StatusBadRequest},
		"too many events": {pushAt(now, "d", `{"data":{"events":[`+strings.Repeat("1,", maxEvents)+`1]}}`), http.StatusBadRequest},
	} {
		if w := do(h, test.r); w.Code != test.want || w.Body.Len() != 0 {
			t.Errorf("%s: %d %q, want %d", what, w.Code, w.Body, test.want)
		}
	}
	form := pushAt(now, "e", ringBody)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := do(h, form); w.Code != http.StatusBadRequest {
		t.Errorf("a form where the file says JSON: %d, want 400", w.Code)
	}
}

// A push that was refused for garbage, or could not be handed on, may come again with the same nonce.
func TestAPushThatWasNotHandedOnIsTakenWhenItComesAgain(t *testing.T) {
	v := load(t, "testdata/vendors/hmac.yaml")
	synctest.Test(t, func(t *testing.T) {
		x := open(t, v)
		now := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		blocked := x.handler(ctx, func(string, cti.Event) { cancel() }) // the end of Run comes while the event is handed on
		if w := do(blocked, pushAt(now, "n-1", ringBody)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("a push cut off: %d, want 503 and when to come again", w.Code)
		}
		if w := do(blocked, pushAt(now, "n-2", ringBody)); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a push after the end: %d, want 503", w.Code)
		}
		var got recorder
		h := x.handler(t.Context(), got.emit)
		for n, want := range []int{http.StatusOK, http.StatusUnauthorized} {
			if w := do(h, pushAt(now, "n-1", ringBody)); w.Code != want {
				t.Errorf("time %d: %d, want %d", n+1, w.Code, want)
			}
		}
		if w := do(h, pushAt(now, "n-3", ringBody)); w.Code != http.StatusOK || got.types() != "call.delivered" {
			t.Errorf("%d with the events %q, want 200 and the ring once", w.Code, got.types())
		}
	})
}

func TestAPushWaitsForItsTurnOnlySoLong(t *testing.T) {
	v := load(t, "testdata/vendors/hmac.yaml")
	synctest.Test(t, func(t *testing.T) {
		x := open(t, v)
		inside, open := make(chan struct{}), make(chan struct{})
		var once sync.Once
		h := x.handler(t.Context(), func(string, cti.Event) { once.Do(func() { close(inside); <-open }) })
		var first sync.WaitGroup
		first.Go(func() {
			if w := do(h, pushAt(time.Now(), "n-1", ringBody)); w.Code != http.StatusOK {
				t.Errorf("the push that was being handed on for a minute: %d, want 200: it arrived", w.Code)
			}
		})
		<-inside
		began := time.Now()
		if w := do(h, pushAt(time.Now(), "n-2", strings.ReplaceAll(ringBody, "-1", "-2"))); w.Code != http.StatusServiceUnavailable || time.Since(began) != handTimeout {
			t.Errorf("a push behind a stuck one: %d after %v, want 503 after %v", w.Code, time.Since(began), handTimeout)
		}
		wait(time.Minute)
		close(open)
		first.Wait()
	})
}

func TestEventsAreHandedOnOneAtATime(t *testing.T) {
	x := open(t, load(t, "testdata/vendors/hmac.yaml"))
	var inside, most, count int
	var mu sync.Mutex
	note := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		inside += d
		most, count = max(most, inside), count+max(d, 0)
	}
	h := x.handler(t.Context(), func(string, cti.Event) { note(1); note(-1) })
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			body := strings.NewReplacer("c-1", fmt.Sprint("c-", n), "e-1", fmt.Sprint("e-", n)).Replace(ringBody)
			if w := do(h, pushAt(time.Now(), fmt.Sprint(n), body)); w.Code != http.StatusOK {
				t.Error(w.Code)
			}
		})
	}
	all.Wait()
	if most != 1 || count != 50 {
		t.Errorf("%d at a time, %d in all; want 1 and 50", most, count)
	}
}

func TestATransferEndsTheCallForWhoGaveItAway(t *testing.T) {
	x := open(t, load(t, "testdata/vendors/hmac.yaml"))
	var got recorder
	h := x.handler(t.Context(), got.emit)
	body := `{"data":{"journey":"j-1","events":[{"type":"ring","way":"i","call":"c-1","agent":"2000","from":"13800138000"},{"type":"answer","call":"c-1","agent":"2000"},
		{"type":"give","call":"c-1","agent":"2000","to":"2001"},{"type":"end","call":"c-1","agent":"2000"},{"type":"end","call":"c-9","agent":"2000","why":"busy"}]}}`
	if w := do(h, pushAt(time.Now(), "n", body)); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	ledger, calls := cti.NewLedger("test"), map[string]cti.Call{}
	for _, e := range got.events {
		for _, c := range ledger.Apply(e) {
			calls[c.After.Refs["vendor_example"]] = c.After
		}
	}
	if c := calls["c-1"]; c.Cause == nil || c.Cause.Code != cti.CauseTransferred || c.Transfer == nil || *c.Transfer != (cti.Transfer{Kind: cti.Consult, Role: cti.Transferrer, To: "2001"}) {
		t.Errorf("the call ended with %+v, transfer %+v", c.Cause, c.Transfer)
	}
	if c := calls["c-9"]; c.Cause == nil || c.Cause.Code != cti.CauseBusy || c.Cause.By != cti.ByRemote {
		t.Errorf("an end without a beginning: %+v, want busy by the far end", c.Cause)
	}
}

func TestAnEventOfAnIDThatWasSeenIsNotToldAgain(t *testing.T) {
	x := open(t, load(t, "testdata/vendors/hmac.yaml"))
	var got recorder
	h := x.handler(t.Context(), got.emit)
	event := func(id, typ string) string {
		return `{"event_id":"` + id + `","type":"` + typ + `","way":"i","call":"c-1","agent":"2000","from":"13800138000"}`
	}
	for n, events := range []string{event("1", "answer"), event("2", "hold") + "," + event("3", "unhold"), event("2", "hold")} {
		if w := do(h, pushAt(time.Now(), fmt.Sprint(n), `{"data":{"events":[`+events+`]}}`)); w.Code != http.StatusOK {
			t.Errorf("push %d: %d", n, w.Code)
		}
	}
	if want := "call.established call.held call.retrieved"; got.types() != want {
		t.Errorf("events %q, want %q", got.types(), want)
	}
}

func TestACauseIsCompletedFromHowFarTheCallHadCome(t *testing.T) {
	ringing := &leg{call: cti.Call{Direction: cti.In, State: cti.Alerting}}
	dialled := &leg{call: cti.Call{Direction: cti.Out, State: cti.Initiated}}
	talking := &leg{call: cti.Call{Direction: cti.In, State: cti.Connected, EstablishedAt: time.Now()}}
	for _, test := range []struct {
		g    *leg
		in   cti.Cause
		want cti.CauseCode
		typ  cti.EventType
	}{
		{ringing, cti.Cause{By: cti.ByRemote}, cti.CauseAbandoned, cti.Cleared},
		{ringing, cti.Cause{By: cti.ByLocal, Code: cti.CauseNormal}, cti.CauseRejected, cti.Cleared},
		{ringing, cti.Cause{By: cti.BySystem}, cti.CauseNoAnswer, cti.Cleared},
		{ringing, cti.Cause{Code: cti.CauseBusy}, cti.CauseBusy, cti.Cleared},
		{ringing, cti.Cause{}, cti.CauseUnknown, cti.Cleared},
		{dialled, cti.Cause{By: cti.ByLocal}, cti.CauseAbandoned, cti.Cleared},
		{dialled, cti.Cause{By: cti.ByRemote, Code: cti.CauseNormal}, cti.CauseNoAnswer, cti.Failed},
		{dialled, cti.Cause{}, cti.CauseUnknown, cti.Failed},
		{talking, cti.Cause{By: cti.ByLocal}, cti.CauseNormal, cti.Cleared},
		{talking, cti.Cause{Code: cti.CauseNetwork}, cti.CauseNetwork, cti.Cleared},
		{nil, cti.Cause{By: cti.ByRemote}, cti.CauseUnknown, cti.Cleared},
		{nil, cti.Cause{Code: cti.CauseNormal}, cti.CauseNormal, cti.Cleared},
	} {
		in := test.in
		e := ending(cti.Event{Type: cti.Cleared, Cause: &in}, test.g)
		if e.Cause.Code != test.want || e.Type != test.typ || e.Cause.By == "" || in != test.in {
			t.Errorf("%+v, cause %+v: %s %+v, want %s %s", test.g, test.in, e.Type, e.Cause, test.typ, test.want)
		}
	}
}

// FuzzPush: whatever a proven push holds, there is an answer, and every event can be kept.
func FuzzPush(f *testing.F) {
	v, err := Load("testdata/vendors/hmac.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{ringBody, `{"data":{"events":[[],null,1,"x",{"type":{},"agent":[1]}]}}`, `{"data":{"events":{"type":"end","agent":"a","call":"\u0000\u202e","at":9e99}}}`,
		strings.Repeat(`{"data":`, 5000), `{"data":{"events":[{"type":"ring","agent":"1","vars":{"X-A":"1","":"2","é":3}}]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		x, err := New(Options{Vendor: v, Listen: "127.0.0.1:0", Secret: fixed(testSecret)})
		if err != nil {
			t.Fatal(err)
		}
		h := x.handler(t.Context(), func(extension string, e cti.Event) {
			if extension == "" || len(extension) > cti.MaxText || e.At.IsZero() || e.Type != cti.AgentState && len(e.Call.Refs) == 0 && e.Type != cti.Info {
				t.Errorf("event %+v", e)
			}
			if ends(e) && (e.Cause == nil || e.Cause.Code == "" || e.Cause.By == "") {
				t.Errorf("an end without a cause: %+v", e.Cause)
			}
		})
		if w := do(h, pushAt(time.Now(), "n", body)); w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("answer %d", w.Code)
		}
	})
}

// Where the proof stands in the body, that is parsed first; elsewhere nothing of it is.
func TestABodyMayHoldItsOwnProof(t *testing.T) {
	text, err := os.ReadFile("testdata/vendors/hmac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := strings.NewReplacer("at: header:X-Signature;v1", "at: body:sign", "header:X-Signature;t, header:X-Nonce, raw", "sorted, secret", "hmac-sha256", "md5",
		"  timestamp: {at: header:X-Signature;t, format: unix, skew: 2m}\n", "  timestamp: {at: body:ts, format: unix}\n", "  nonce: header:X-Nonce\n", "",
		"content: json", "content: form", ", events: data.events", "").Replace(string(text))
	v, err := read("v.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var got recorder
	h := open(t, v).handler(t.Context(), got.emit)
	now := fmt.Sprint(time.Now().Unix())
	sum := md5.Sum([]byte("agent=2000&call=c-1&from=13800138000&ts=" + now + "&type=ring&way=i." + testSecret))
	form := url.Values{"type": {"ring"}, "call": {"c-1"}, "agent": {"2000"}, "from": {"13800138000"}, "way": {"i"}, "ts": {now}, "sign": {hex.EncodeToString(sum[:])}}
	push := func(form url.Values) int {
		r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return do(h, r).Code
	}
	if code := push(form); code != http.StatusOK || got.types() != "call.delivered" {
		t.Errorf("%d with the events %q, want 200 and the ring", code, got.types())
	}
	form.Set("agent", "2001")
	if code := push(form); code != http.StatusUnauthorized {
		t.Errorf("a changed field: %d, want 401", code)
	}
	for id, want := range map[string]bool{"udesk": false, "cec": false, "clink": false, "testdata/vendors/hmac.yaml": false} {
		if got := load(t, id).sign.readsBody(); got != want {
			t.Errorf("%s: the body is parsed before its proof: %v", id, got)
		}
	}
}
