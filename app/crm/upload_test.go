package crm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func sound(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

const tusOperation = `  upload_recording:
    idempotency: {strategy: naturally_idempotent}
    steps:
      - id: file
        request: {method: POST, url: "${param.base_url}/files"}
        upload: {form: tus, metadata: {key: "${input.key}", filename: "${input.file.name}", none: ""}}
        save: "${res.headers.location}"
      - {id: attach, request: {method: PUT, url: "${param.base_url}/calls/${input.record.id}", json: {file: "${step.file}", sha256: "${input.file.sha256}"}}}
    output: {id: "${input.record.id}"}
`

// locker is a CRM that takes files as tus 1.0 says, and what it does of that wrongly.
type locker struct {
	t        *testing.T
	o        *office
	made     int
	got      map[string][]byte
	length   int
	attached string
	meta     string
	cut      int                                               // bytes after which a piece breaks off; 0: none does
	odd      func(w http.ResponseWriter, r *http.Request) bool // answers otherwise
}

func newLocker(t *testing.T) *locker {
	l := &locker{t: t, got: map[string][]byte{}}
	l.o = openOffice(t, l.say)
	return l
}

func (l *locker) say(w http.ResponseWriter, r *http.Request) bool {
	if l.odd != nil && l.odd(w, r) {
		return true
	}
	if strings.HasPrefix(r.URL.Path, "/calls/") {
		body, err := io.ReadAll(r.Body)
		l.attached = fmt.Sprint(string(body), err)
		return sayJSON(w, map[string]any{})
	}
	w.Header().Del("Content-Type")
	if r.Header.Get("Tus-Resumable") != "1.0.0" {
		l.t.Errorf("%s %s says Tus-Resumable %q", r.Method, r.URL, r.Header.Get("Tus-Resumable"))
	}
	if r.Method == http.MethodPost {
		length, err := strconv.Atoi(r.Header.Get("Upload-Length"))
		if err != nil {
			l.t.Error(err)
		}
		l.made++
		l.length, l.meta = length, r.Header.Get("Upload-Metadata")
		path := fmt.Sprint("/files/", l.made)
		l.got[path] = nil
		w.Header().Set("Location", path)
		w.WriteHeader(http.StatusCreated)
		return true
	}
	have, there := l.got[r.URL.Path]
	if !there {
		return false
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Upload-Offset", strconv.Itoa(len(have)))
		w.Header().Set("Upload-Length", strconv.Itoa(l.length))
		return true
	}
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(have)) || r.Header.Get("Content-Type") != "application/offset+octet-stream" {
		w.WriteHeader(http.StatusConflict)
		return true
	}
	from := io.Reader(r.Body)
	if l.cut > 0 {
		from = io.LimitReader(from, int64(l.cut))
	}
	piece, err := io.ReadAll(from)
	if err != nil {
		l.t.Error(err)
	}
	l.got[r.URL.Path] = append(have, piece...)
	if l.cut > 0 && len(piece) == l.cut {
		cut(w, r)
		return true
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(l.got[r.URL.Path])))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// try makes one attempt with what the one before told of its steps.
func try(t *testing.T, o *office, operations string, file []byte, w *cti.WriteBack, moved *[]int64) error {
	t.Helper()
	sum := sha256.Sum256(file)
	ctx := cti.WithSteps(t.Context(), func(steps string) { w.Steps = steps })
	ctx = cti.WithFile(ctx, cti.File{ReaderAt: bytes.NewReader(file), Size: int64(len(file)), SHA256: hex.EncodeToString(sum[:]), Name: "录音.wav", Type: "audio/wav",
		Moved: func(n int64) {
			if moved != nil {
				*moved = append(*moved, n)
			}
		}})
	receipt, err := o.open(t, officeToken, operations).Write(ctx, *w)
	o.mu.Lock() // a handler that broke the connection off may still be at work
	defer o.mu.Unlock()
	if err == nil && receipt.ID != "7" {
		t.Errorf("the receipt is %+v", receipt)
	}
	return err
}

func handsOver() *cti.WriteBack {
	return &cti.WriteBack{Op: cti.UploadRecording, Key: "k", Identity: cti.IdentityKnown, RecordID: "7"}
}

func TestAFileIsHandedOnInPieces(t *testing.T) {
	l, file := newLocker(t), sound(3<<20+5)
	w, moved := handsOver(), []int64{}
	if err := try(t, l.o, tusOperation, file, w, &moved); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	if !bytes.Equal(l.got["/files/1"], file) || l.attached != `{"file":"`+l.o.URL+`/files/1","sha256":"`+hex.EncodeToString(sum[:])+`"}<nil>` {
		t.Errorf("the CRM has %d bytes and was told %s", len(l.got["/files/1"]), l.attached)
	}
	if l.meta != "filename 5b2V6Z+zLndhdg==,key aw==" {
		t.Errorf("the metadata are %q", l.meta)
	}
	if fmt.Sprint(moved) != fmt.Sprint([]int64{1 << 20, 2 << 20, 3 << 20, 3<<20 + 5}) {
		t.Errorf("told of %v", moved)
	}
}

// Each attempt breaks off in the middle of a piece. What the CRM kept of it is not sent again, nor is another upload begun.
func TestAnUploadGoesOnWhereItBrokeOff(t *testing.T) {
	l, file := newLocker(t), sound(3<<20)
	l.cut = 700 << 10
	w := handsOver()
	for n := 0; ; n++ {
		err := try(t, l.o, tusOperation, file, w, nil)
		if err == nil {
			break
		}
		wantKind(t, err, cti.Uncertain)
		if n > 6 {
			t.Fatal("it does not come to an end")
		}
	}
	if l.made != 1 || !bytes.Equal(l.got["/files/1"], file) {
		t.Errorf("%d uploads were begun, and the CRM has %d bytes", l.made, len(l.got["/files/1"]))
	}
}

// An upload that the CRM has no more is begun anew, and never twice in one attempt.
func TestAnUploadThatIsGoneIsBegunAnew(t *testing.T) {
	l, file := newLocker(t), sound(2<<20)
	l.cut = 1000
	w := handsOver()
	wantKind(t, try(t, l.o, tusOperation, file, w, nil), cti.Uncertain)
	delete(l.got, "/files/1")
	l.cut = 0
	if err := try(t, l.o, tusOperation, file, w, nil); err != nil {
		t.Fatal(err)
	}
	if l.made != 2 || !bytes.Equal(l.got["/files/2"], file) {
		t.Errorf("%d uploads were begun", l.made)
	}

	w = handsOver()
	l.cut = 1000
	wantKind(t, try(t, l.o, tusOperation, file, w, nil), cti.Uncertain)
	l.cut, l.length = 0, 5 // what the CRM has under this address is another file by now
	if err := try(t, l.o, tusOperation, file, w, nil); err != nil || l.made != 4 || !bytes.Equal(l.got["/files/4"], file) {
		t.Errorf("one of another length ends with %v after %d uploads", err, l.made)
	}

	l.odd = func(w http.ResponseWriter, r *http.Request) bool { // whatever is begun is forgotten at once
		if r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusGone)
			return true
		}
		return false
	}
	l.made = 0
	wantKind(t, try(t, l.o, tusOperation, file, handsOver(), nil), cti.NotFound)
	if l.made != 1 {
		t.Errorf("%d uploads were begun in one attempt", l.made)
	}
}

func TestWhatAServerOfUploadsMayDo(t *testing.T) {
	patched := func(f func(w http.ResponseWriter, r *http.Request)) func(l *locker) {
		return func(l *locker) {
			l.odd = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPatch {
					f(w, r)
				}
				return r.Method == http.MethodPatch
			}
		}
	}
	status := func(s int) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(s) }
	}
	offset := func(text string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Upload-Offset", text)
			w.WriteHeader(http.StatusNoContent)
		}
	}
	begins := func(location string) func(l *locker) {
		return func(l *locker) {
			l.odd = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				if location != "" {
					w.Header().Set("Location", location)
				}
				w.WriteHeader(http.StatusCreated)
				return true
			}
		}
	}
	for name, test := range map[string]struct {
		set  func(l *locker)
		want cti.Kind
	}{
		"conflict for ever":      {patched(status(http.StatusConflict)), cti.Uncertain},
		"locked":                 {patched(status(http.StatusLocked)), cti.Uncertain},
		"no progress":            {patched(offset("0")), cti.Uncertain},
		"no offset":              {patched(status(http.StatusNoContent)), cti.Invalid},
		"more than there is":     {patched(offset("99999999")), cti.Invalid},
		"a number that is none":  {patched(offset("-1")), cti.Invalid},
		"too large":              {patched(status(http.StatusRequestEntityTooLarge)), cti.Invalid},
		"no right":               {patched(status(http.StatusForbidden)), cti.Denied},
		"too many":               {patched(status(http.StatusTooManyRequests)), cti.Limited},
		"broken":                 {patched(status(http.StatusBadGateway)), cti.Uncertain},
		"no address":             {begins(""), cti.Invalid},
		"an address elsewhere":   {begins("https://evil.example/files/1"), cti.Invalid},
		"an address in the open": {begins("http://crm.example.com/files/1"), cti.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocker(t)
			test.set(l)
			wantKind(t, try(t, l.o, tusOperation, sound(1000), handsOver(), nil), test.want)
			if n := len(l.o.requests()); n > 12 {
				t.Errorf("one attempt asked %d times", n)
			}
		})
	}
}

func TestWithoutAFileNothingIsAsked(t *testing.T) {
	l := newLocker(t)
	_, err := l.o.open(t, officeToken, tusOperation).Write(t.Context(), *handsOver())
	wantKind(t, err, cti.Internal)
	if len(l.o.requests()) != 0 {
		t.Errorf("the CRM was asked %v", l.o.requests())
	}
}

// An attempt that has to give way ends at once, and what it did is known.
func TestAnAttemptThatHasToStopKeepsItsPlace(t *testing.T) {
	l, file := newLocker(t), sound(3<<20)
	w := handsOver()
	turns := 0
	ctx := cti.WithFile(cti.WithSteps(t.Context(), func(steps string) { w.Steps = steps }), cti.File{ReaderAt: bytes.NewReader(file), Size: int64(len(file)),
		Turn: func(context.Context) error {
			if turns++; turns == 2 {
				return context.Canceled
			}
			return nil
		}})
	if _, err := l.o.open(t, officeToken, tusOperation).Write(ctx, *w); err == nil {
		t.Fatal("it went on")
	}
	if len(l.got["/files/1"]) != 1<<20 {
		t.Errorf("the CRM has %d bytes", len(l.got["/files/1"]))
	}
	if err := try(t, l.o, tusOperation, file, w, nil); err != nil || l.made != 1 || !bytes.Equal(l.got["/files/1"], file) {
		t.Errorf("then: %v, %d uploads", err, l.made)
	}
}

const rangeOperation = `  upload_recording:
    idempotency: {strategy: naturally_idempotent}
    steps:
      - {id: open, request: {method: POST, url: "${param.base_url}/sessions", json: {name: "${input.file.name}", size: "${input.file.size}"}}, save: "${res.headers.location}"}
      - {id: file, request: {method: PUT, url: "${step.open}"}, upload: {form: put_range}, save: "${res.json.id}"}
      - {id: attach, request: {method: PUT, url: "${param.base_url}/calls/${input.record.id}", json: {file: "${step.file}"}}}
    output: {id: "${input.record.id}"}
`

// A server that keeps ranges, as several vendors do: 308 with a Range until it has all. It breaks off, forgets a session, and is asked what it has.
func TestAFileIsHandedOnByRanges(t *testing.T) {
	file := sound(3<<20 + 17)
	sessions, broken, forget := 0, 0, false
	var got []byte
	var spans []string
	var o *office
	o = openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/sessions":
			sessions++
			got = nil
			w.Header().Set("Location", fmt.Sprint(o.URL, "/sessions/", sessions, "?id=a%2Fb"))
			return sayJSON(w, map[string]any{})
		case strings.HasPrefix(r.URL.Path, "/calls/"):
			return sayJSON(w, map[string]any{})
		case r.URL.RequestURI() != fmt.Sprint("/sessions/", sessions, "?id=a%2Fb"):
			return false
		}
		spans = append(spans, r.Header.Get("Content-Range"))
		piece, err := io.ReadAll(io.LimitReader(r.Body, 900<<10)) // it keeps less than it is sent
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(file)) {
			if want := fmt.Sprintf("bytes %d-", len(got)); !strings.HasPrefix(r.Header.Get("Content-Range"), want) || r.Header.Get("Content-Type") != "audio/wav" {
				t.Errorf("sent %s as %s, want %s", r.Header.Get("Content-Range"), r.Header.Get("Content-Type"), want)
			}
			got = append(got, piece...)
			if broken++; broken == 2 {
				cut(w, r)
				return true
			}
			if broken == 3 && forget {
				sessions++
				return false
			}
		}
		if len(got) == len(file) {
			return sayJSON(w, map[string]any{"id": "f1"})
		}
		if len(got) > 0 {
			w.Header().Set("Range", fmt.Sprint("bytes=0-", len(got)-1))
		}
		w.WriteHeader(http.StatusPermanentRedirect)
		return true
	})
	w := handsOver()
	wantKind(t, try(t, o, rangeOperation, file, w, nil), cti.Uncertain)
	if err := try(t, o, rangeOperation, file, w, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, file) || sessions != 1 || spans[2] != fmt.Sprintf("bytes */%d", len(file)) {
		t.Errorf("the CRM has %d bytes in %d sessions, and was asked %v", len(got), sessions, spans)
	}

	forget, broken, sessions, w = true, 2, 0, handsOver()
	wantKind(t, try(t, o, rangeOperation, file, w, nil), cti.Uncertain)
	if err := try(t, o, rangeOperation, file, w, nil); err != nil || !bytes.Equal(got, file) {
		t.Errorf("after it forgot the session: %v, and it has %d bytes", err, len(got))
	}
}

func TestAFileIsHandedOnInOneRequest(t *testing.T) {
	file := sound(2<<20 + 3)
	broken := true
	var got []byte
	var said string
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		if broken {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			cut(w, r)
			return true
		}
		if r.ContentLength < int64(len(file)) {
			t.Errorf("its length is said to be %d", r.ContentLength)
		}
		part, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return false
		}
		for {
			p, err := part.NextPart()
			if err != nil {
				break
			}
			b, err := io.ReadAll(p)
			if err != nil {
				t.Error(err)
			}
			if p.FormName() == "recording" {
				got, said = b, said+p.FileName()+" "+p.Header.Get("Content-Type")
			} else {
				said += p.FormName() + "=" + string(b) + " "
			}
		}
		return sayJSON(w, map[string]any{"id": "7"})
	})
	operation := `  upload_recording:
    idempotency: {strategy: naturally_idempotent}
    steps: [{id: file, request: {method: POST, url: "${param.base_url}/calls/${input.record.id}/recording", multipart: {seconds: "${input.recording.duration_ms / 1000}"}}, upload: {form: multipart, part: recording}}]
    output: {id: "${res.json.id}"}
`
	w := handsOver()
	w.Recording.DurationMS = 61_000
	wantKind(t, try(t, o, operation, file, w, nil), cti.Uncertain)
	broken = false
	if err := try(t, o, operation, file, w, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, file) || said != "seconds=61 录音.wav audio/wav" {
		t.Errorf("the CRM has %d bytes, and was told %q", len(got), said)
	}
}
