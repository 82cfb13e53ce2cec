package servers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Door stands before a server on an address of its own and lets everything through, but for what a test asks it to do with the next
// exchange. Its methods may be called while requests pass.
type Door struct {
	t       testing.TB
	target  string
	writes  func(r *http.Request, body []byte) bool
	address string

	mu       sync.Mutex
	server   *http.Server
	drop     bool
	throttle time.Duration
	requests int
}

// OpenDoor opens a door to the server at target, http://host:port. Writes tells which requests change something.
func OpenDoor(t testing.TB, target string, writes func(r *http.Request, body []byte) bool) *Door {
	t.Helper()
	d := &Door{t: t, target: target, writes: writes, address: "127.0.0.1:0"}
	d.Restore()
	t.Cleanup(d.Refuse)
	return d
}

// URL is the door's address: http://host:port.
func (d *Door) URL() string { return "http://" + d.address }

// Requests counts what came to the door.
func (d *Door) Requests() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// DropNextWrite lets the next write reach the server and keeps its answer back: the connection breaks.
func (d *Door) DropNextWrite() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop = true
}

// Throttle has the next write answered with 429 and the time to wait, in whole seconds; the server does not see it.
func (d *Door) Throttle(after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.throttle = after
}

// Refuse closes the door: connections are refused.
func (d *Door) Refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return
	}
	if err := d.server.Close(); err != nil {
		d.t.Errorf("close the door: %v", err)
	}
	d.server = nil
}

// Restore opens it again, at the same address.
func (d *Door) Restore() {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", d.address) // it outlives the step of the test that opens it
	if err != nil {
		d.t.Errorf("open the door: %v", err)
		return
	}
	d.address = l.Addr().String()
	s := &http.Server{Handler: http.HandlerFunc(d.pass), ReadHeaderTimeout: time.Minute}
	s.SetKeepAlivesEnabled(false) // so that a closed door meets no connection from before
	d.server = s
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.t.Errorf("the door: %v", err)
		}
	}()
}

func (d *Door) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	drop, throttle := d.next(d.writes(r, body))
	if throttle > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(throttle.Seconds())))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	res, err := d.forward(r, body)
	if err != nil || drop {
		panic(http.ErrAbortHandler)
	}
	for name, values := range res.header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body) // who asked may be gone
}

// next takes what is to be done with this exchange.
func (d *Door) next(write bool) (drop bool, throttle time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if !write {
		return false, 0
	}
	drop, throttle = d.drop, d.throttle
	d.drop, d.throttle = false, 0
	return drop, throttle
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// forward asks the server even when who asked has gone: a write whose answer is lost is done all the same.
func (d *Door) forward(r *http.Request, body []byte) (answer, error) {
	ctx := context.WithoutCancel(r.Context())
	out, err := http.NewRequestWithContext(ctx, r.Method, d.target+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:gosec // to the server of the test
	if err != nil {
		return answer{}, err
	}
	out.Header = r.Header.Clone()
	return exchange(out)
}

// exchange makes a request and reads its whole answer.
func exchange(r *http.Request) (answer, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return answer{}, err
	}
	return answer{res.StatusCode, res.Header, body}, nil
}
