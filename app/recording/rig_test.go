package recording_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/recording"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/recordings"
	"ringside.dev/ringside/store/spool"
)

// sound is a file that does not repeat itself.
func sound(size int, seed uint64) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b) // never fails
	return b
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// exchange is a phone system that gives one file, in all the ways in which they do.
type exchange struct {
	*httptest.Server
	mu      sync.Mutex
	file    []byte
	tag     string
	header  http.Header
	whole   bool // it knows no ranges
	chunked bool // it does not say how long the file is
	cut     int  // bytes after which each answer breaks off; 0: none does
	before  func(w http.ResponseWriter, r *http.Request, n int) (done bool)
	asked   []*http.Request
	sent    int
}

func newExchange(t *testing.T, file []byte) *exchange {
	t.Helper()
	x := &exchange{file: file, tag: `"1"`, header: http.Header{}}
	x.Server = httptest.NewServer(http.HandlerFunc(x.serve))
	t.Cleanup(x.Close)
	return x
}

func (x *exchange) host() string { return strings.TrimPrefix(x.URL, "http://") }

func (x *exchange) serve(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, r)
	if x.before != nil && x.before(w, r, len(x.asked)) {
		return
	}
	for name, values := range x.header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "audio/wav")
	}
	if x.tag != "" {
		w.Header().Set("ETag", x.tag)
	}
	body, status := x.file, http.StatusOK
	var from, to int
	if n, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err == nil && n == 2 && !x.whole && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == x.tag) {
		if from >= len(x.file) {
			w.Header().Set("Content-Range", "bytes */"+strconv.Itoa(len(x.file)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		to = min(to, len(x.file)-1)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(x.file)))
		body, status = x.file[from:to+1], http.StatusPartialContent
	}
	if !x.chunked {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if x.cut > 0 && len(body) > x.cut {
		x.sent += x.cut
		_, _ = w.Write(body[:x.cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	x.sent += len(body)
	_, _ = w.Write(body)
}

func (x *exchange) with(f func()) { x.mu.Lock(); defer x.mu.Unlock(); f() }

func (x *exchange) requests() []*http.Request {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]*http.Request(nil), x.asked...)
}

// desk is what stands around the files: an outbox that asks, and a CRM that takes.
type desk struct {
	t      *testing.T
	dir    string
	keys   secret.Ring
	source recording.Source
	files  *recording.Files
	log    *bytes.Buffer
	mu     sync.Mutex
	busy   bool
	hand   func(ctx context.Context, w cti.WriteBack, f cti.File) (cti.Receipt, error)
	got    []string // sums of what the CRM took, in order
	ready  chan struct{}
	stop   func()
}

func newDesk(t *testing.T, hosts ...string) *desk {
	t.Helper()
	keys, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: t.TempDir(), keys: keys, ready: make(chan struct{}, 100), log: &bytes.Buffer{}, source: recording.Source{Hosts: hosts, Ours: hosts, Max: 64 << 20}}
	t.Cleanup(func() {
		if d.stop != nil {
			d.stop()
		}
	})
	return d
}

// at opens the files as a new run of the program does.
func (d *desk) start() *desk {
	d.t.Helper()
	d.open()
	ctx, cancel := context.WithCancel(d.t.Context())
	over := make(chan error, 1)
	go func() { over <- d.files.Run(ctx) }()
	d.stop = func() {
		cancel()
		if err := <-over; err != nil {
			d.t.Errorf("Run: %v", err)
		}
		d.stop = nil
	}
	return d
}

func (d *desk) open() {
	d.t.Helper()
	log := slog.New(slog.NewTextHandler(lockedWriter{&d.mu, d.log}, nil))
	jobs, err := recordings.Open(d.dir+"/recordings", d.keys, log)
	if err != nil {
		d.t.Fatal(err)
	}
	whole, err := spool.Open(spool.Options{Dir: d.dir + "/spool", Keys: d.keys})
	if err != nil {
		d.t.Fatal(err)
	}
	d.files, err = recording.Open(recording.Options{Source: d.source, Jobs: jobs, Spool: whole, Log: log,
		Hand: func(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
			f, ok := cti.FileOf(ctx)
			if !ok {
				return cti.Receipt{}, cti.Errorf(cti.Internal, "no file", nil)
			}
			d.mu.Lock()
			hand := d.hand
			d.mu.Unlock()
			if hand != nil {
				return hand(ctx, w, f)
			}
			return d.takes(w, f)
		},
		Busy:  func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.busy },
		Ready: func(cti.WriteBack) { d.ready <- struct{}{} }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.files.Soon()
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// takes is a CRM that takes the file at once.
func (d *desk) takes(w cti.WriteBack, f cti.File) (cti.Receipt, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size))
	if err != nil {
		return cti.Receipt{}, cti.Errorf(cti.Uncertain, "the line broke", err)
	}
	if sumOf(b) != f.SHA256 {
		d.t.Errorf("the file has another sum than it is said to have")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, sumOf(b))
	return cti.Receipt{ID: "call-" + w.RecordID}, nil
}

func (d *desk) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.got...)
}

func (d *desk) set(f func()) { d.mu.Lock(); defer d.mu.Unlock(); f() }

func write(file string) cti.WriteBack {
	return cti.WriteBack{Op: cti.UploadRecording, Key: "k", Leg: "leg", Identity: cti.IdentityKnown, RecordID: "7", Recording: cti.Recording{File: file}}
}

// note tells of a recording whose call is over.
func (d *desk) note(r cti.Recording) string {
	d.t.Helper()
	id, err := d.files.Note(r)
	if err != nil || id == "" {
		d.t.Fatalf("the recording is noted as %q, %v", id, err)
	}
	if err := d.files.Wanted(id); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// end asks as the outbox does until there is an end.
func (d *desk) end(file string) (cti.Receipt, error) {
	d.t.Helper()
	limit := time.After(60 * time.Second)
	for {
		r, err := d.files.Send(write(file))
		if cti.KindOf(err) != cti.Offline {
			return r, err
		}
		select {
		case <-d.ready:
		case <-limit:
			d.t.Fatalf("it does not come to an end: %v", err)
		}
	}
}

func (d *desk) arrives(file string, want []byte) {
	d.t.Helper()
	r, err := d.end(file)
	if err != nil || r.ID != "call-7" {
		d.t.Fatalf("the end is %+v, %v", r, err)
	}
	if got := d.took(); len(got) == 0 || got[len(got)-1] != sumOf(want) {
		d.t.Errorf("the CRM has not the file there is")
	}
}

func at(x *exchange) cti.Recording {
	return cti.Recording{ID: "rec-1", URL: x.URL + "/1.wav?token=c0ffee"}
}

var _ = url.Parse
