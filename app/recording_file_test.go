package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/storetest"
)

// recordingPBX gives one file to who has the token.
type recordingPBX struct {
	*httptest.Server
	file   []byte
	sent   atomic.Int64 // bytes
	asked  atomic.Int64
	broken atomic.Int64 // a status it answers instead; 0: none
}

func newRecordingPBX(t *testing.T, size int) *recordingPBX {
	t.Helper()
	p := &recordingPBX{file: make([]byte, size)}
	_, _ = rand.NewChaCha8([32]byte{7}).Read(p.file) // never fails
	began := time.Now()
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if s := p.broken.Load(); s != 0 {
			w.WriteHeader(int(s))
			return
		}
		if r.URL.Query().Get("token") != recToken {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "audio/wav")
		http.ServeContent(counting{w, &p.sent}, r, "", began, bytes.NewReader(p.file))
	}))
	t.Cleanup(p.Close)
	return p
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func (p *recordingPBX) sum() string {
	sum := sha256.Sum256(p.file)
	return hex.EncodeToString(sum[:])
}

func (p *recordingPBX) profile() cti.RecordingsProfile {
	return cti.RecordingsProfile{Open: openPage, Fetch: true, Hosts: []string{strings.TrimPrefix(p.URL, "http://")}}
}

func (p *recordingPBX) recording() cti.Recording {
	return cti.Recording{ID: "rec-1", URL: p.URL + "/1.wav?token=" + recToken, Name: "1.wav"}
}

// file waits until the CRM has the file of a call's recording, and gives that.
func (w *world) file(t *testing.T, a *agent, leg string) sandbox.Recording {
	t.Helper()
	var got sandbox.Recording
	a.until(t, "the recording's file", func() bool {
		for _, c := range w.records(leg) {
			if c.Recording != nil {
				got = *c.Recording
			}
		}
		return got.SHA256 != "" && got.URL != ""
	})
	return got
}

// The whole way: the address that opens the recording comes with the call, the file and a link that opens nothing reach the CRM, and the address is in no place.
func TestAFileOfARecordingReachesTheCRM(t *testing.T) {
	pbx := newRecordingPBX(t, 5<<20)
	w := newWorld(t)
	w.sounds = pbx.profile()
	heard := w.listened(t)
	a := w.start(t)
	during := a.ring(t, "during", knownNumber)
	a.feed(t, recorded("during", pbx.recording()))
	a.talk(t, during)
	got := w.file(t, a, during)
	want := sandbox.Recording{ID: "rec-1", URL: "https://pbx.example.com/recordings/rec-1", Name: "1.wav", Type: "audio/wav", Size: int64(len(pbx.file)), SHA256: pbx.sum()}
	if got != want {
		t.Errorf("the CRM has %+v, want %+v", got, want)
	}
	a.emptied(t)
	asked := pbx.asked.Load()
	a.feed(t, recorded("during", pbx.recording())) // the phone tells it again
	after := a.ring(t, "after", knownNumber)
	a.talk(t, after)
	a.delivered(t, after)
	late := pbx.recording()
	late.ID, late.URL = "rec-2", pbx.URL+"/2.wav?token="+recToken
	a.feed(t, recorded("after", late)) // minutes later
	if got := w.file(t, a, after); got.SHA256 != pbx.sum() || got.ID != "rec-2" {
		t.Errorf("the CRM has %+v of the late one", got)
	}
	a.emptied(t)
	if n := w.crm.Uploads(); n != 2 {
		t.Errorf("%d uploads were begun for two recordings", n)
	}
	if n := pbx.asked.Load() - asked; n != asked {
		t.Errorf("the second file took %d requests, the first %d: one was fetched twice", n, asked)
	}
	cards, err := json.Marshal(a.last())
	if err != nil {
		t.Fatal(err)
	}
	var events strings.Builder
	if err := a.Events(t.Context(), wire.EventQuery{}, func(e cti.Event) error { return json.NewEncoder(&events).Encode(e) }); err != nil {
		t.Fatal(err)
	}
	call, err := a.client.Call(t.Context(), during)
	if err != nil {
		t.Fatal(err)
	}
	a.stop()
	places := map[string]string{"cards": string(cards), "events": events.String(), "call": fmt.Sprintf("%+v", call), "what the CRM was asked": heard(), "log": w.log.String()}
	for path, content := range files(t, w.state) {
		places[path] = content
	}
	for place, text := range places {
		if strings.Contains(text, recToken) {
			t.Errorf("%s holds the token", place)
		}
	}
}

// A file that fails is for a person, in the list of what has not reached the CRM, with the words what to do; retried it arrives, and the call's own records
// never waited for it.
func TestAFileThatFailsIsShownWithWhatToDo(t *testing.T) {
	pbx := newRecordingPBX(t, 1000)
	pbx.broken.Store(http.StatusForbidden)
	w := newWorld(t)
	w.sounds = pbx.profile()
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	a.feed(t, recorded("1", pbx.recording()))
	a.talk(t, leg)
	a.delivered(t, leg)
	a.until(t, "an item for a person", func() bool { return a.now.Outbox.Review == 1 })
	items := a.outbox(t)
	if len(items) != 1 || items[0].Op != cti.UploadRecording || items[0].State != wire.WriteReview || !strings.Contains(items[0].Message, "recordings.sign_in") || items[0].Leg != leg {
		t.Fatalf("a person sees %+v", items)
	}
	if r := w.one(t, leg).Recording; r == nil || r.URL == "" || r.SHA256 != "" {
		t.Errorf("the CRM has %+v, want the link alone", r)
	}
	pbx.broken.Store(0)
	if err := a.client.Retry(t.Context(), items[0].Seq); err != nil {
		t.Fatal(err)
	}
	if got := w.file(t, a, leg); got.SHA256 != pbx.sum() {
		t.Errorf("the CRM has %+v", got)
	}
	a.emptied(t)
}

// await looks at what nobody tells of: the disk.
func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !there(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func TestADiscardedFileLeavesNothing(t *testing.T) {
	pbx := newRecordingPBX(t, 1000)
	pbx.broken.Store(http.StatusForbidden)
	w := newWorld(t)
	w.sounds = pbx.profile()
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	a.feed(t, recorded("1", pbx.recording()))
	a.talk(t, leg)
	a.until(t, "an item for a person", func() bool { return a.now.Outbox.Review == 1 })
	if err := a.client.Discard(t.Context(), a.outbox(t)[0].Seq, "not needed"); err != nil {
		t.Fatal(err)
	}
	a.emptied(t)
	asked := pbx.asked.Load()
	pbx.broken.Store(0)
	a.feed(t, recorded("1", pbx.recording())) // the phone tells it again
	a.stop()
	w.start(t).emptied(t)
	if n := pbx.asked.Load(); n != asked {
		t.Errorf("what was discarded was asked for %d times more", n-asked)
	}
	left, err := filepath.Glob(filepath.Join(w.state, "*", "*.[pa]*"))
	if err != nil || slices.ContainsFunc(left, func(name string) bool { return strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".age") }) {
		t.Errorf("left is %v, %v", left, err)
	}
}

// Addresses expire: a file is fetched while the CRM is away, and handed over when it is back, by another run.
func TestAFileIsFetchedWhileTheCRMIsAway(t *testing.T) {
	pbx := newRecordingPBX(t, 3<<20)
	w := newWorld(t)
	w.sounds = pbx.profile()
	a := w.start(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	leg := a.ring(t, "1", knownNumber)
	a.feed(t, recorded("1", pbx.recording()))
	a.talk(t, leg)
	await(t, "a whole file", func() bool {
		left, err := filepath.Glob(filepath.Join(w.state, "spool", "*.age"))
		return err == nil && len(left) == 1
	})
	pbx.broken.Store(http.StatusForbidden) // by now it has expired
	a.stop()
	w.fault(t, sandbox.Fault{})
	a = w.start(t)
	if got := w.file(t, a, leg); got.SHA256 != pbx.sum() {
		t.Errorf("the CRM has %+v", got)
	}
	a.emptied(t)
}

func TestACRMThatTakesNoFilesIsToldOfAtTheStart(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	c.Profile.Recordings = cti.RecordingsProfile{Fetch: true, Hosts: []string{"pbx.example.com"}}
	c.Profile.CRM = cti.CRMProfile{Connector: "rt", Params: map[string]string{"base_url": "http://127.0.0.1:1", "token": "1-14-0123456789abcdef0123456789abcdef"}}
	_, err := app.New(c)
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "upload_recording") {
		t.Errorf("it starts with %v", err)
	}
	storetest.OpenDir(t, w.state) // nothing holds it
}

const childEnv = "RINGSIDE_APP_CHILD"

// child is what the agent is made of in a process of its own.
type child struct {
	State, Socket, CRM string
	Recordings         cti.RecordingsProfile
}

// beChild is an agent until it is killed; elsewhere it does nothing.
func beChild() {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	err := func() error {
		var c child
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return err
		}
		w := &world{state: c.State, socket: c.Socket, url: c.CRM, token: rightToken, log: &recorder{}, phone: cti.PhoneProfile{Source: "sim", Extension: "1001"}, sounds: c.Recordings}
		a, err := app.New(w.config())
		if err != nil {
			return err
		}
		return a.Run(context.Background())
	}()
	fmt.Fprintln(os.Stderr, "the child ended:", err)
	os.Exit(storetest.EndedItself)
}

// slow passes on what it gets at so many bytes a second.
func slow(t *testing.T, to string, perSecond int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), &paced{r: r.Body, perSecond: perSecond})
		if err != nil {
			t.Error(err)
			return
		}
		out.Header, out.ContentLength = r.Header, r.ContentLength
		res, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		if _, err := io.Copy(w, &paced{r: res.Body, perSecond: perSecond}); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

type paced struct {
	r         io.Reader
	perSecond int
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.r.Read(b[:min(len(b), 32<<10)])
	<-time.After(time.Duration(n) * time.Second / time.Duration(p.perSecond))
	return n, err
}

// Fault 44: the agent is killed, again and again, at any moment of the fetching and the handing on. In the end the CRM has the file once, from one
// upload, and little was moved twice.
func TestKill_aRecordingArrivesOnce(t *testing.T) {
	const size, perSecond = 16 << 20, 8 << 20
	pbx := newRecordingPBX(t, size)
	w := newWorld(t)
	sounds := pbx.profile()
	line := slow(t, pbx.URL, perSecond)
	sounds.Hosts = []string{strings.TrimPrefix(line, "http://")}
	orders, err := json.Marshal(child{State: w.state, Socket: w.socket, CRM: slow(t, w.crm.URL(), perSecond), Recordings: sounds})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(w.socket)
	t.Cleanup(c.Close)
	var leg string
	done := func() bool {
		for _, r := range w.records(leg) {
			if r.Recording != nil && r.Recording.SHA256 != "" {
				return true
			}
		}
		return false
	}
	told := false
	kills := 0
	for limit := time.Now().Add(2 * time.Minute); ; kills++ {
		stop := spawn(t, string(orders), c)
		if !told {
			leg = tell(t, c, cti.Recording{ID: "rec-1", URL: line + "/1.wav?token=" + recToken, Name: "1.wav"})
			told = true
		}
		life := time.After(time.Duration(100+rand.IntN(900)) * time.Millisecond)
		for alive := true; alive; {
			select {
			case <-life:
				alive = kills > 60 || done() && items(t, c) > 0 // the last one may bring it to its end
				life = time.After(50 * time.Millisecond)
			case <-time.After(10 * time.Millisecond):
				if told && done() && items(t, c) == 0 {
					stop()
					finish(t, w, pbx, leg, kills)
					return
				}
			}
		}
		stop()
		if time.Now().After(limit) {
			t.Fatalf("after %d kills it has not arrived", kills)
		}
	}
}

func finish(t *testing.T, w *world, pbx *recordingPBX, leg string, kills int) {
	t.Helper()
	r := w.one(t, leg)
	if r.Recording.SHA256 != pbx.sum() || r.Recording.Size != int64(len(pbx.file)) {
		t.Errorf("the CRM has %+v", r.Recording)
	}
	if n := w.crm.Uploads(); n != 1 {
		t.Errorf("%d uploads were begun", n)
	}
	again := pbx.sent.Load() - int64(len(pbx.file))
	t.Logf("%d kills, %d bytes of %d were fetched again", kills, again, len(pbx.file))
	if kills < 3 {
		t.Errorf("there were %d kills only", kills)
	}
	if again > int64(kills+1)*(1<<20) {
		t.Errorf("%d bytes were fetched again: more than a piece for each kill", again)
	}
	left, err := filepath.Glob(filepath.Join(w.state, "spool", "*.age"))
	if err != nil || len(left) != 0 {
		t.Errorf("in the spool is left %v, %v", left, err)
	}
}

// spawn begins a child and waits until it answers, or has died of nothing but our impatience.
func spawn(t *testing.T, orders string, c *client.Client) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+orders)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // that it was killed is no news
	stop = func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		<-ended
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); time.Now().Before(limit); <-tick.C {
		select {
		case <-ended:
			t.Fatalf("the child ended by itself: %s", said.String())
		default:
		}
		_, err = c.Outbox(t.Context(), wire.OutboxQuery{})
		if err == nil {
			return stop
		}
	}
	stop()
	t.Fatalf("the child does not answer: %v, %s", err, said.String())
	return stop
}

// tell has a call come, end and be recorded.
func tell(t *testing.T, c *client.Client, r cti.Recording) (leg string) {
	t.Helper()
	gone := cti.Event{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"id": "1"}}}
	for _, e := range []cti.Event{delivered("1", knownNumber), gone, recorded("1", r)} {
		if err := c.Feed(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return cti.ID("test", "sim", "sim", "1001", "id", "1")
}

// items tells how many write-backs are on their way; 1 where nobody says.
func items(t *testing.T, c *client.Client) int {
	list, err := c.Outbox(t.Context(), wire.OutboxQuery{})
	if err != nil {
		return 1
	}
	return len(list)
}
