package recording_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

const mb = 1 << 20

func TestAFileIsFetchedKeptSealedAndHandedOnOnce(t *testing.T) {
	file := sound(3*mb+5, 1)
	x := newExchange(t, file)
	d := newDesk(t, x.host()).start()
	id := d.note(cti.Recording{ID: "rec-1", URL: x.URL + "/1.wav?token=c0ffee", Name: "1.wav"})
	hold := make(chan struct{})
	d.set(func() {
		d.hand = func(_ context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error) {
			<-hold
			if f.Name != "1.wav" || f.Type != "audio/wav" || f.Size != int64(len(file)) {
				t.Errorf("the file is %q, %q, %d bytes", f.Name, f.Type, f.Size)
			}
			return d.takes(w, f)
		}
	})
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "recording") {
		t.Errorf("while it is on its way: %v", err)
	}
	onDisk(t, d.dir, "c0ffee", string(file[:16]), string(file[mb:mb+16]))
	close(hold)
	d.arrives(id, file)
	for range 2 { // an answer that was lost, and a later correction of the call
		if r, err := d.files.Send(write(id)); err != nil || r.ID != "call-7" {
			t.Errorf("asked again: %+v, %v", r, err)
		}
	}
	if again, err := d.files.Note(at(x)); err != nil || again != id {
		t.Errorf("the same recording told again is %q, %v", again, err)
	}
	if len(d.took()) != 1 {
		t.Errorf("the CRM got the file %d times", len(d.took()))
	}
	for _, dir := range []string{"recordings", "spool"} {
		entries, err := os.ReadDir(filepath.Join(d.dir, dir))
		if err != nil || len(entries) != 1 { // the note, the spool's identity
			t.Errorf("in %s is left %v, %v", dir, entries, err)
		}
	}
}

// onDisk sees to it that nothing on the disk can be read.
func onDisk(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("on the disk is %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		for _, secret := range secrets {
			if err == nil && strings.Contains(string(text), secret) {
				t.Errorf("%s can be read", path)
			}
		}
	}
}

// Each answer breaks off: what came is kept, and nothing is asked for twice.
func TestWhatCameBeforeTheLineBrokeIsNotFetchedAgain(t *testing.T) {
	file := sound(3*mb, 2)
	x := newExchange(t, file)
	x.cut = 300 << 10
	d := newDesk(t, x.host()).start()
	d.arrives(d.note(at(x)), file)
	if x.sent > len(file)*101/100 {
		t.Errorf("%d bytes were sent for a file of %d", x.sent, len(file))
	}
	for _, r := range x.requests()[1:] {
		if r.Header.Get("If-Range") != `"1"` {
			t.Fatalf("a piece was asked for without If-Range: %v", r.Header)
		}
	}
}

func TestAPhoneSystemWithoutRangesIsAskedFromTheBeginning(t *testing.T) {
	for name, chunked := range map[string]bool{"that says the length": false, "that does not": true} {
		t.Run(name, func(t *testing.T) {
			file := sound(3*mb+1, 3)
			x := newExchange(t, file)
			x.whole, x.chunked, x.cut = true, chunked, 2*mb+7
			x.before = func(http.ResponseWriter, *http.Request, int) bool {
				if len(x.asked) > 2 {
					x.cut = 0
				}
				return false
			}
			d := newDesk(t, x.host()).start()
			d.arrives(d.note(at(x)), file)
		})
	}
}

func TestAFileThatChangesOnTheWayIsFetchedAnew(t *testing.T) {
	longer, other := sound(3*mb, 5), sound(2*mb+9, 6)
	for name, change := range map[string]func(x *exchange){
		"If-Range":                func(x *exchange) { x.file, x.tag = longer, `"2"` },
		"shorter":                 func(x *exchange) { x.file, x.tag = other[:mb/2], `"2"` },
		"the length, without tag": func(x *exchange) { x.file = longer },
		"If-Range is not known": func(x *exchange) {
			x.file, x.tag = other, `"2"`
			x.asked[len(x.asked)-1].Header.Del("If-Range")
		},
		"the date alone": func(x *exchange) {
			x.file = other
			x.header.Set("Last-Modified", "Thu, 26 Nov 2026 10:00:01 GMT")
			x.asked[len(x.asked)-1].Header.Del("If-Range")
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, sound(2*mb+9, 4))
			x.header.Set("Last-Modified", "Thu, 26 Nov 2026 10:00:00 GMT")
			if strings.Contains(name, "without tag") || strings.Contains(name, "date") {
				x.tag = ""
			}
			changed := false
			x.before = func(_ http.ResponseWriter, r *http.Request, n int) bool {
				if n == 2 {
					change(x)
					changed = true
				}
				if x.tag == "" && r.Header.Get("If-Range") != "" {
					r.Header.Del("If-Range") // a server that does not know it
				}
				return false
			}
			d := newDesk(t, x.host()).start()
			id := d.note(at(x))
			_, err := d.end(id)
			if got := d.took(); err != nil || !changed || len(got) != 1 || got[0] != sumOf(x.file) {
				t.Errorf("the CRM has not the file as it is now: %v", err)
			}
		})
	}
}

func TestAChecksumOfTheServerIsHeldTo(t *testing.T) {
	file := sound(mb+3, 7)
	sha, five := sha256.Sum256(file), md5.Sum(file)
	b64 := base64.StdEncoding.EncodeToString
	for name, right := range map[string]struct{ field, value string }{
		"Repr-Digest":    {"Repr-Digest", "sha-256=:" + b64(sha[:]) + ":"},
		"Digest":         {"Digest", "unixsum=30637, SHA-256=" + b64(sha[:])},
		"Content-MD5":    {"Content-Md5", b64(five[:])},
		"Content-Digest": {"Content-Digest", "sha-256=:" + b64(sha[:]) + ":"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, file)
			x.whole = strings.HasPrefix(name, "Content") // of a piece it is about the piece
			x.header.Set(right.field, right.value)
			d := newDesk(t, x.host()).start()
			d.arrives(d.note(at(x)), file)

			wrong := newExchange(t, append([]byte{file[0] ^ 1}, file[1:]...))
			wrong.whole, wrong.header = x.whole, x.header
			d = newDesk(t, wrong.host()).start()
			_, err := d.end(d.note(at(wrong)))
			if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "checksum") || len(d.took()) != 0 {
				t.Errorf("a damaged file ends with %v, and the CRM has %d", err, len(d.took()))
			}
		})
	}
}

// What no retry helps against is for a person, in words that say what to do, and never with the address.
func TestWhatAPersonIsTold(t *testing.T) {
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	old := "&expires=1700000000"
	for name, test := range map[string]struct {
		set   func(x *exchange)
		query string
		want  string
	}{
		"refused":           {func(x *exchange) { x.before = status(403) }, "", "recordings.sign_in"},
		"not signed in":     {func(x *exchange) { x.before = status(401) }, "", "recordings.sign_in"},
		"expired":           {func(x *exchange) { x.before = status(403) }, old, "expired"},
		"sign-in page":      {func(x *exchange) { x.header.Set("Content-Type", "text/html; charset=utf-8") }, "", "web page"},
		"too large":         {func(x *exchange) { x.file = sound(5*mb, 1) }, "", "max_mb"},
		"too large, unsaid": {func(x *exchange) { x.file, x.whole, x.chunked = sound(5*mb, 1), true, true }, "", "max_mb"},
		"packed":            {func(x *exchange) { x.header.Set("Content-Encoding", "gzip") }, "", "packs"},
		"nonsense":          {func(x *exchange) { x.before = status(400) }, "", "400"},
		"another host": {func(x *exchange) {
			x.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, stranger.URL+"/1.wav", http.StatusFound)
				return true
			}
		}, "", "recordings.hosts"},
		"plain http elsewhere": {func(x *exchange) {
			x.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, "http://pbx.example.com/1.wav", http.StatusFound)
				return true
			}
		}, "", "recordings.hosts"},
		"no length, no end": {func(x *exchange) {
			x.before = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				conn, buf, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = buf.WriteString("HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\nRIFF")
					_ = buf.Flush()
					_ = conn.Close()
				}
				return true
			}
		}, "", "how long"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, sound(1000, 8))
			test.set(x)
			d := newDesk(t, x.host(), "pbx.example.com")
			d.source.Max = 4 * mb
			d.start()
			id := d.note(cti.Recording{ID: "rec-1", URL: x.URL + "/1.wav?token=c0ffee" + test.query})
			_, err := d.end(id)
			if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), test.want) {
				t.Errorf("a person is told %v (%s), want something of %q", err, cti.KindOf(err), test.want)
			}
			d.stop()
			if all := err.Error() + d.log.String(); strings.Contains(all, "c0ffee") {
				t.Errorf("the address is told: %s", all)
			}
			if len(d.took()) != 0 {
				t.Error("the CRM got something")
			}
		})
	}
}

func status(s int) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.WriteHeader(s); return true }
}

// After a person wanted it again it begins anew, and succeeds.
func TestAPersonsRetryBeginsAnew(t *testing.T) {
	file := sound(mb, 9)
	x := newExchange(t, file)
	x.before = status(403)
	d := newDesk(t, x.host()).start()
	id := d.note(at(x))
	if _, err := d.end(id); cti.KindOf(err) != cti.Invalid {
		t.Fatalf("the end is %v", err)
	}
	x.with(func() { x.before = nil }) // somebody saw to it
	d.arrives(d.note(cti.Recording{ID: "rec-2", URL: x.URL + "/2.wav"}), file)
	d.stop()
	d.start() // nor does another run try it by itself
	d.arrives(d.note(cti.Recording{ID: "rec-3", URL: x.URL + "/3.wav"}), file)
	asked := 0
	for _, r := range x.requests() {
		if r.URL.Path == "/1.wav" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("what was refused was asked for %d times before a person wanted it again", asked)
	}
	d.arrives(id, file)
}

func TestWhatIsNotThereYetIsWaitedFor(t *testing.T) {
	file := sound(1000, 10)
	x := newExchange(t, file)
	x.before = func(w http.ResponseWriter, r *http.Request, n int) bool { return n < 3 && status(404)(w, r, n) }
	d := newDesk(t, x.host()).start()
	d.arrives(d.note(at(x)), file)
}

// The sign-in goes to the phone system alone: not to a store that an address leads to, nor along with an address that opens by itself.
func TestWhoSeesTheSignIn(t *testing.T) {
	file := sound(1000, 11)
	media, x := newExchange(t, file), newExchange(t, file)
	x.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasPrefix(r.URL.Path, "/away") {
			http.Redirect(w, r, media.URL+"/there?sig=c0ffee", http.StatusFound)
			return true
		}
		return false
	}
	for name, test := range map[string]struct{ secret, url, want, media string }{
		"basic":        {"svc:pa55", x.URL + "/1", "Basic c3ZjOnBhNTU=", ""},
		"bearer":       {"t0ken", x.URL + "/2", "Bearer t0ken", ""},
		"signed":       {"t0ken", x.URL + "/3?sig=c0ffee", "", ""},
		"in the store": {"t0ken", media.URL + "/4", "-", ""},
		"redirected":   {"t0ken", x.URL + "/away/5", "Bearer t0ken", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x.with(func() { x.asked = nil })
			media.with(func() { media.asked = nil })
			d := newDesk(t, x.host(), media.host())
			d.source.Ours = []string{x.host()}
			d.source.SignIn = func() (string, error) { return test.secret, nil }
			d.start()
			d.arrives(d.note(cti.Recording{ID: name, URL: test.url}), file)
			for _, r := range x.requests() {
				if got := r.Header.Get("Authorization"); got != test.want {
					t.Errorf("the phone system saw %q, want %q", got, test.want)
				}
			}
			for _, r := range media.requests() {
				if got := r.Header.Get("Authorization") + r.Header.Get("Referer"); got != "" {
					t.Errorf("the store saw %q", got)
				}
			}
		})
	}
}

func TestOnlyNamedHostsAreAsked(t *testing.T) {
	d := newDesk(t, "pbx.example.com", "media.example.com:8443", "127.0.0.1:1")
	d.source.File = "https://pbx.example.com/files/{id}"
	d.open()
	for address, want := range map[string]bool{
		"https://pbx.example.com/1": true, "https://PBX.example.com:443/1": true, "https://media.example.com:8443/1": true, "http://127.0.0.1:1/1": true,
		"https://pbx.example.com:8443/1": false, "https://media.example.com/1": false, "http://pbx.example.com/1": false, "https://evil.example/1": false,
		"https://pbx.example.com.evil.example/1": false, "file:///etc/passwd": false, "http://169.254.169.254/1": false, "": false,
	} {
		id, err := d.files.Note(cti.Recording{URL: address})
		if err != nil || (id != "") != want {
			t.Errorf("%s is noted as %q, %v", address, id, err)
		}
	}
	if id, err := d.files.Note(cti.Recording{ID: "rec-1"}); err != nil || id == "" {
		t.Errorf("an id alone is noted as %q, %v: there is recordings.file", id, err)
	}
	if id, err := d.files.Note(cti.Recording{ID: "rec-1", URL: "https://evil.example/1"}); err != nil || id == "" {
		t.Errorf("an id with another's address is noted as %q, %v", id, err)
	}
}

// A new run goes on where the one before was: in the middle of the fetching, and of the handing on.
func TestANewRunGoesOn(t *testing.T) {
	file := sound(4*mb, 12)
	x := newExchange(t, file)
	arrived := make(chan struct{})
	x.before = func(_ http.ResponseWriter, r *http.Request, n int) bool {
		if n == 3 {
			close(arrived)
			x.mu.Unlock()
			<-r.Context().Done()
			x.mu.Lock()
			return true
		}
		return false
	}
	d := newDesk(t, x.host()).start()
	id := d.note(at(x))
	<-arrived
	d.stop()
	begun := make(chan struct{})
	d.set(func() {
		d.hand = func(ctx context.Context, _ cti.WriteBack, _ cti.File) (cti.Receipt, error) {
			cti.StepsDone(ctx, "half")
			close(begun)
			<-ctx.Done()
			return cti.Receipt{}, ctx.Err()
		}
	})
	d.start()
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Offline {
		t.Fatal(err)
	}
	<-begun
	if x.sent != len(file) {
		t.Errorf("%d bytes were sent for a file of %d: something was fetched twice", x.sent, len(file))
	}
	d.stop()
	asked := len(x.requests())
	d.set(func() {
		d.hand = func(_ context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error) {
			if w.Steps != "half" {
				t.Errorf("the CRM goes on from %q", w.Steps)
			}
			return d.takes(w, f)
		}
	})
	d.start()
	d.arrives(id, file)
	if len(x.requests()) != asked {
		t.Error("a file that is whole was asked for again")
	}
}

func TestADiscardedFileIsStoppedAndGone(t *testing.T) {
	x := newExchange(t, sound(2*mb, 13))
	d := newDesk(t, x.host()).start()
	begun, ended := make(chan struct{}), make(chan struct{})
	d.set(func() {
		d.hand = func(ctx context.Context, _ cti.WriteBack, _ cti.File) (cti.Receipt, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return cti.Receipt{}, ctx.Err()
		}
	})
	id := d.note(at(x))
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Offline {
		t.Fatal(err)
	}
	<-begun
	d.files.Drop(id)
	<-ended
	other := d.note(cti.Recording{ID: "rec-2", URL: x.URL + "/2.wav"})
	d.set(func() { d.hand = nil })
	d.arrives(other, x.file) // by then the one before is forgotten
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "discard") {
		t.Errorf("what was discarded gives %v", err)
	}
	if again, err := d.files.Note(at(x)); err != nil || again != id {
		t.Errorf("told again it is %q, %v", again, err)
	}
	if err := d.files.Wanted(id); err != nil || !d.files.Idle() {
		t.Errorf("told again it is fetched: %v", err)
	}
	d.stop()
	onDisk(t, d.dir, "c0ffee")
	left, err := filepath.Glob(filepath.Join(d.dir, "*", "*"))
	if err != nil || len(left) != 3 { // two notes, the spool's identity
		t.Errorf("left is %v, %v", left, err)
	}
}

// While write-backs are sent no piece moves, in or out.
func TestWriteBacksComeFirst(t *testing.T) {
	file := sound(3*mb, 14)
	x := newExchange(t, file)
	d := newDesk(t, x.host())
	x.before = func(http.ResponseWriter, *http.Request, int) bool {
		d.set(func() {
			if d.busy {
				t.Error("a piece was asked for while something more important was sent")
			}
			d.busy = true
		})
		time.AfterFunc(50*time.Millisecond, func() { d.set(func() { d.busy = false }) })
		return false
	}
	d.set(func() {
		d.hand = func(ctx context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error) {
			d.set(func() { d.busy = true })
			time.AfterFunc(50*time.Millisecond, func() { d.set(func() { d.busy = false }) })
			if err := f.Turn(ctx); err != nil {
				return cti.Receipt{}, err
			}
			d.set(func() {
				if d.busy {
					t.Error("it is the file's turn while something more important is sent")
				}
			})
			return d.takes(w, f)
		}
	})
	d.start()
	d.arrives(d.note(at(x)), file)
	if n := len(x.requests()); n != 3 {
		t.Errorf("it was asked %d times for three pieces", n)
	}
}

func TestWhatTheCRMSaysIsToldOrWaitedFor(t *testing.T) {
	file := sound(1000, 15)
	for name, test := range map[string]struct {
		err  error
		want cti.Kind // "": it is tried again
	}{
		"offline":   {cti.Errorf(cti.Offline, "the CRM cannot be reached", nil), ""},
		"uncertain": {cti.Errorf(cti.Uncertain, "the line broke", nil), ""},
		"limited":   {&cti.Error{Kind: cti.Limited, Msg: "slower", RetryAfter: time.Millisecond}, ""},
		"internal":  {cti.Errorf(cti.Internal, "odd", nil), ""},
		"denied":    {cti.Errorf(cti.Denied, "no right", nil), cti.Denied},
		"invalid":   {cti.Errorf(cti.Invalid, "too large for this CRM", nil), cti.Invalid},
		"notfound":  {cti.Errorf(cti.NotFound, "no such call", nil), cti.NotFound},
		"conflict":  {cti.Errorf(cti.Conflict, "another one", nil), cti.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, file)
			d := newDesk(t, x.host())
			n := 0
			d.hand = func(_ context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error) {
				if n++; n == 1 {
					return cti.Receipt{}, test.err
				}
				return d.takes(w, f)
			}
			d.start()
			id := d.note(at(x))
			if test.want != "" {
				if _, err := d.end(id); cti.KindOf(err) != test.want || cti.MessageOf(err) != cti.MessageOf(test.err) {
					t.Errorf("a person is told %v, want %v", err, test.err)
				}
			}
			d.arrives(id, file)
		})
	}
}

// The CRM's sign-in is a person's business at once; after it the file goes on by itself.
func TestARefusedSignInIsToldOnce(t *testing.T) {
	x := newExchange(t, sound(1000, 16))
	d := newDesk(t, x.host())
	d.hand = func(context.Context, cti.WriteBack, cti.File) (cti.Receipt, error) {
		return cti.Receipt{}, cti.Errorf(cti.Auth, "sign in again", nil)
	}
	d.start()
	id := d.note(at(x))
	if _, err := d.end(id); cti.KindOf(err) != cti.Auth {
		t.Errorf("it ends with %v", err)
	}
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Offline {
		t.Errorf("asked again: %v", err)
	}
}

func TestAPanicIsAFailedAttempt(t *testing.T) {
	file := sound(1000, 17)
	x := newExchange(t, file)
	d := newDesk(t, x.host())
	n := 0
	d.hand = func(_ context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error) {
		if n++; n == 1 {
			panic("connector")
		}
		return d.takes(w, f)
	}
	d.start()
	d.arrives(d.note(at(x)), file)
}

// The CRM may be away for longer than the fetching takes: the file waits for its write-back, also in another run.
func TestAWholeFileWaitsForItsWriteBack(t *testing.T) {
	file := sound(1000, 19)
	x := newExchange(t, file)
	d := newDesk(t, x.host()).start()
	id := d.note(at(x))
	whole := func() {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for limit := time.Now().Add(20 * time.Second); ; <-tick.C {
			if paths, err := filepath.Glob(filepath.Join(d.dir, "spool", "*.age")); err == nil && len(paths) == 1 && d.files.Idle() {
				return
			}
			if time.Now().After(limit) {
				t.Fatal("it is not fetched")
			}
		}
	}
	whole()
	d.stop()
	d.start()
	whole()
	d.arrives(id, file)
}

// What is damaged in the spool never reaches the CRM: it is fetched again.
func TestADamagedSpoolIsFetchedAgain(t *testing.T) {
	file := sound(2*mb, 18)
	x := newExchange(t, file)
	d := newDesk(t, x.host()).start()
	fetched := make(chan struct{}, 1)
	d.set(func() {
		d.hand = func(context.Context, cti.WriteBack, cti.File) (cti.Receipt, error) {
			fetched <- struct{}{}
			return cti.Receipt{}, cti.Errorf(cti.Offline, "not now", nil)
		}
	})
	id := d.note(at(x))
	if _, err := d.files.Send(write(id)); cti.KindOf(err) != cti.Offline {
		t.Fatal(err)
	}
	<-fetched
	d.stop()
	paths, err := filepath.Glob(filepath.Join(d.dir, "spool", "*.age"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("the spool has %v, %v", paths, err)
	}
	if err := os.Chmod(paths[0], 0o600); err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)/2] ^= 1
	if err := os.WriteFile(paths[0], sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.hand = nil })
	d.start()
	d.arrives(id, file)
	if x.sent != 2*len(file) {
		t.Errorf("%d bytes were sent, want the file twice", x.sent)
	}
}
