package network_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/recording"
	"ringside.dev/ringside/store/recordings"
	"ringside.dev/ringside/store/spool"
	"ringside.dev/ringside/store/storetest"
)

// counter passes on what it gets, and counts it: toward the server and back.
type counter struct {
	listener net.Listener
	to       string
	there    atomic.Int64 // bytes
	back     atomic.Int64
	conns    sync.WaitGroup
}

func countTo(t *testing.T, to string) *counter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{listener: l, to: to}
	c.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.conns.Go(func() { c.pass(conn) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		c.conns.Wait()
	})
	return c
}

func (c *counter) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", c.to)
	if err != nil {
		return // the line is cut just now
	}
	defer to.Close()
	over := make(chan struct{}, 2)
	for _, way := range []struct {
		w net.Conn
		r net.Conn
		n *atomic.Int64
	}{{to, from, &c.there}, {from, to, &c.back}} {
		go func() {
			_, _ = io.Copy(way.w, countingReader{way.r, way.n}) // a line that breaks is what this is for
			over <- struct{}{}
		}()
	}
	<-over
	_, _ = from.Close(), to.Close()
	<-over
}

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (c *counter) host() string { return c.listener.Addr().String() }

// wire is a line that is cut once a second, with a counter at each end.
type cutWire struct {
	near, far *counter
	line      *line
}

func wireTo(t *testing.T, host string) *cutWire {
	t.Helper()
	w := &cutWire{far: countTo(t, host)}
	w.line = lineAt(t, w.far.host())
	w.near = countTo(t, w.line.proxy.Listen)
	const kbPerSecond = 8 << 10
	w.line.spoil(toxic{Type: "bandwidth", Stream: "upstream", Toxicity: 1, Attributes: map[string]int{"rate": kbPerSecond}},
		toxic{Type: "bandwidth", Stream: "downstream", Toxicity: 1, Attributes: map[string]int{"rate": kbPerSecond}})
	return w
}

// cutting cuts the line once a second until stop, and tells how often it did.
func (w *cutWire) cutting(t *testing.T) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	cuts, over := 0, make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.line.proxy.Stop()
				w.line.up()
				cuts++
			}
		}
	}()
	return func() int { cancel(); <-over; return cuts }
}

// Fault 44: both lines are cut once a second. The file arrives whole, from one upload, and at most 15 % of it is moved twice, counted at both ends of both lines.
func TestARecordingArrivesOverLinesThatAreCutOnceASecond(t *testing.T) {
	file := make([]byte, 48<<20)
	_, _ = rand.NewChaCha8([32]byte{byte(time.Now().UnixNano())}).Read(file) // never fails
	began := time.Now()
	pbx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/wav")
		http.ServeContent(w, r, "", began, bytes.NewReader(file))
	}))
	t.Cleanup(pbx.Close)
	server, err := sandbox.Start(context.Background(), sandbox.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	in, out := wireTo(t, strings.TrimPrefix(pbx.URL, "http://")), wireTo(t, strings.TrimPrefix(server.URL(), "http://"))
	open := func(url string) *crm.Engine {
		e, err := crm.Open(crm.Config{Connector: "sandbox", Region: "CN", Params: map[string]string{"base_url": url, "token": sandbox.DefaultToken}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	call := cti.WriteBack{Op: cti.LogCall, Key: "call", Leg: "leg", Identity: cti.IdentityKnown, Record: cti.Record{Key: "call", Leg: "leg", Direction: cti.In, Ending: cti.EndAnswered,
		StartedAt: began, EndedAt: began, Number: cti.Number{Raw: "13800138000"}}}
	receipt, err := open(server.URL()).Write(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	files := filesOver(t, in.near.host(), open("http://"+out.near.host()).Write)
	id, err := files.Note(cti.Recording{ID: "rec-1", URL: "http://" + in.near.host() + "/1.wav"})
	if err != nil {
		t.Fatal(err)
	}
	stopIn, stopOut := in.cutting(t), out.cutting(t)
	w := cti.WriteBack{Op: cti.UploadRecording, Key: "file", Leg: "leg", Identity: cti.IdentityKnown, RecordID: receipt.ID, Recording: cti.Recording{ID: "rec-1", File: id}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(2 * time.Minute); ; <-tick.C {
		if _, err := files.Send(w); err == nil {
			break
		} else if cti.KindOf(err) != cti.Offline || time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	cutsIn, cutsOut := stopIn(), stopOut()
	sum := sha256.Sum256(file)
	if calls := server.Calls(); len(calls) == 0 || calls[len(calls)-1].Recording == nil || calls[len(calls)-1].Recording.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the CRM has not the file there is")
	}
	if n := server.Uploads(); n != 1 {
		t.Errorf("%d uploads were begun", n)
	}
	if cutsIn < 6 || cutsOut < 6 {
		t.Errorf("the lines were cut %d and %d times only", cutsIn, cutsOut)
	}
	for end, moved := range map[string]int64{
		"fetched, sent by the phone system": in.far.back.Load(), "fetched, arrived here": in.near.back.Load(),
		"handed on, sent from here": out.near.there.Load(), "handed on, arrived at the CRM": out.far.there.Load(),
	} {
		share := float64(moved-int64(len(file))) / float64(len(file))
		t.Logf("%s: %.1f %% more than the file; cuts %d and %d", end, 100*share, cutsIn, cutsOut)
		if share < 0 || share > .15 {
			t.Errorf("%s: %.1f %% were moved twice, 15 are allowed", end, 100*share)
		}
	}
}

func filesOver(t *testing.T, host string, hand func(context.Context, cti.WriteBack) (cti.Receipt, error)) *recording.Files {
	t.Helper()
	dir := t.TempDir()
	jobs, err := recordings.Open(filepath.Join(dir, "recordings"), storetest.Keys(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Keys: storetest.Keys()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := recording.Open(recording.Options{Source: recording.Source{Hosts: []string{host}, Ours: []string{host}, Max: 100 << 20}, Jobs: jobs, Spool: whole,
		Hand: hand, Busy: func() bool { return false }, Ready: func(cti.WriteBack) {}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return f
}
