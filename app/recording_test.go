package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// What opens a recording for whoever has it. None of it may be anywhere but at the phone system.
const (
	recToken  = "t0ken-Rec-Zq7"
	recAccess = "s3cret-Rec-Zq7"
	signedURL = "https://pbx.example.com/files/1.wav?id=rec-1&token=" + recToken
	openPage  = "https://pbx.example.com/recordings/{id}"
)

// listened puts an ear between agent and CRM and gives what it heard.
func (w *world) listened(t *testing.T) (heard func() string) {
	t.Helper()
	var mu sync.Mutex
	var all bytes.Buffer
	to, err := url.Parse(w.crm.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	ear := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		all.WriteString(r.Method + " " + r.URL.String() + "\n")
		all.Write(body)
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass.ServeHTTP(rw, r)
	}))
	t.Cleanup(ear.Close)
	w.url = ear.URL
	return func() string { mu.Lock(); defer mu.Unlock(); return all.String() }
}

func recorded(ref string, r cti.Recording) cti.Event {
	return cti.Event{Type: cti.Info, Call: cti.CallRef{Refs: map[string]string{"id": ref}}, Recording: &r, Data: map[string]string{"sound": "see " + r.URL}}
}

// url waits until the CRM has a link to the recording of a call, and gives it.
func (w *world) link(t *testing.T, a *agent, leg string) string {
	t.Helper()
	link := ""
	a.until(t, "the recording's link", func() bool {
		for _, c := range w.records(leg) {
			if c.Recording != nil {
				link = c.Recording.URL
			}
		}
		return link != ""
	})
	return link
}

// A signed address is nowhere: not in the CRM, the log, the window, the store, an export; in no call, live or long over, and in no data of one.
func TestAnAddressWithATokenIsNowhere(t *testing.T) {
	w := newWorld(t)
	w.sounds = cti.RecordingsProfile{Open: openPage}
	w.phone.Data = []string{"sound"}
	heard := w.listened(t)
	a := w.start(t)
	during := a.ring(t, "during", knownNumber)
	a.feed(t, recorded("during", cti.Recording{ID: "rec-1", URL: signedURL, Name: signedURL, Type: "audio/wav"}))
	a.talk(t, during)
	a.delivered(t, during)
	after := a.ring(t, "after", knownNumber)
	a.talk(t, after)
	a.delivered(t, after)
	a.feed(t, recorded("after", cti.Recording{ID: "rec-2", URL: "https://svc:" + recAccess + "@pbx.example.com/2.wav"}))
	for leg, want := range map[string]string{during: "https://pbx.example.com/recordings/rec-1", after: "https://pbx.example.com/recordings/rec-2"} {
		if got := w.link(t, a, leg); got != want {
			t.Errorf("the CRM was told %q, want the page %q", got, want)
		}
		if card := a.card(t, "the recording", leg, func(c wire.Card) bool { return c.Recording == wire.RecordingKnown }); len(card.Data) != 0 {
			t.Errorf("the card shows %v", card.Data)
		}
	}
	a.emptied(t)
	w.fault(t, sandbox.Fault{Status: 422, Match: "/api/calls", Writes: true}) // the third stays with a person
	parked := a.ring(t, "parked", knownNumber)
	a.feed(t, recorded("parked", cti.Recording{ID: "rec-3", URL: signedURL}))
	a.talk(t, parked)
	a.until(t, "items for a person", func() bool { return a.now.Outbox.Review == 2 })
	places := a.everythingReadable(t, parked)
	cards, err := json.Marshal(a.last())
	if err != nil {
		t.Fatal(err)
	}
	places["cards"] = string(cards)
	a.stop()
	places["what the CRM was asked"], places["log"] = heard(), w.log.String()
	var export bytes.Buffer
	if err := store.Export(w.state, storetest.Keys(), &export); err != nil {
		t.Fatal(err)
	}
	places["store"] = export.String()
	for path, content := range files(t, w.state) {
		places[path] = content
	}
	for place, text := range places {
		for _, secret := range []string{recToken, recAccess} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", place, secret)
			}
		}
	}
	if !strings.Contains(places["store"], "rec-1") || !strings.Contains(places["what the CRM was asked"], "recordings/rec-2") {
		t.Error("the places were not looked into: they lack what may be there")
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What IT allowed goes out as it is, and what bears nothing does so anyway.
func TestWhichAddressReachesTheCRM(t *testing.T) {
	const plain = "https://pbx.example.com/files/1.wav"
	for name, test := range map[string]struct {
		sounds    cti.RecordingsProfile
		url, want string
	}{
		"plain":         {cti.RecordingsProfile{Open: openPage}, plain, plain},
		"id":            {cti.RecordingsProfile{Links: cti.LinksID, Open: openPage}, plain, "https://pbx.example.com/recordings/rec-1"},
		"stripped":      {cti.RecordingsProfile{}, signedURL, "https://pbx.example.com/files/1.wav"},
		"all, by IT":    {cti.RecordingsProfile{Links: cti.LinksAll}, signedURL, signedURL},
		"all, but http": {cti.RecordingsProfile{Links: cti.LinksAll, Open: openPage}, "http://pbx.example.com/1", "https://pbx.example.com/recordings/rec-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sounds = test.sounds
			a := w.start(t)
			leg := a.ring(t, "1", knownNumber)
			a.feed(t, recorded("1", cti.Recording{ID: "rec-1", URL: test.url, ExpiresAt: time.Now().Add(time.Hour)}))
			a.talk(t, leg)
			if got := w.link(t, a, leg); got != test.want {
				t.Errorf("the CRM was told %q, want %q", got, test.want)
			}
			if r := w.one(t, leg).Recording; r.ID != "rec-1" || (r.ExpiresAt != nil) != (test.want == test.url) {
				t.Errorf("the CRM was told %+v: the id, and the expiry of the address that it has", r)
			}
		})
	}
}

// Where no address may leave, the CRM is told the id, which opens nothing.
func TestWithoutAPageThereIsTheIDAlone(t *testing.T) {
	w := newWorld(t)
	w.sounds = cti.RecordingsProfile{Links: cti.LinksID}
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	a.feed(t, recorded("1", cti.Recording{ID: "rec-1", URL: signedURL}))
	a.talk(t, leg)
	a.delivered(t, leg)
	a.emptied(t)
	if r := w.one(t, leg).Recording; r == nil || *r != (sandbox.Recording{ID: "rec-1"}) {
		t.Errorf("the CRM was told %+v, want the id alone", r)
	}
	call, err := a.client.Call(t.Context(), leg)
	if err != nil || call.Call.Recording == nil || call.Call.Recording.ID != "rec-1" || call.Call.Recording.URL != "" {
		t.Errorf("the call keeps %+v, %v", call.Call.Recording, err)
	}
}

// Phone and exchange tell of one recording by turns, the second of them minutes after the end: what both told is in the CRM.
func TestWhatSeveralToldOfARecordingIsPutTogether(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	a.feed(t, recorded("1", cti.Recording{ID: "rec-1", Type: "audio/wav"}))
	a.talk(t, leg)
	a.delivered(t, leg)
	a.stop()
	a = w.start(t) // the card is gone
	a.feed(t, recorded("1", cti.Recording{URL: "https://pbx.example.com/files/1.wav", DurationMS: 3000}))
	w.link(t, a, leg)
	a.emptied(t)
	want := sandbox.Recording{ID: "rec-1", URL: "https://pbx.example.com/files/1.wav", Type: "audio/wav", DurationMS: 3000}
	if r := w.one(t, leg).Recording; r == nil || *r != want {
		t.Errorf("the CRM was told %+v, want %+v", r, want)
	}
}
