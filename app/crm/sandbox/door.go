package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headerTimeout = 10 * time.Second // a slow client must not hold a connection for ever
	// A port can stay busy for a moment after it was given up. Nothing signals its release, so open polls.
	rebindFor   = 2 * time.Second
	rebindPause = 20 * time.Millisecond
)

var errClosed = errors.New("sandbox is closed")

// door is a listener that can be shut and opened again on the same port.
type door struct {
	handler http.Handler
	log     *slog.Logger

	mu      sync.Mutex
	addr    string   // after the first open: with the real port
	current *opening // nil while shut
	closed  bool     // for good
}

// opening is one period in which the door was open: an http.Server cannot serve again after Close.
type opening struct {
	srv    *http.Server
	cancel context.CancelFunc // ends the context of every request
	served chan error         // what Serve returned
	conns  sync.WaitGroup     // goroutines of connections
}

func newDoor(addr string, h http.Handler, log *slog.Logger) *door {
	return &door{addr: addr, handler: h, log: log}
}

// open listens and serves. On an open door it does nothing.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	if d.current != nil {
		return nil
	}
	ln, err := listen(d.addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", d.addr, err)
	}
	d.addr = ln.Addr().String()
	d.current = d.serve(ln)
	return nil
}

func listen(addr string) (net.Listener, error) {
	giveUp := time.Now().Add(rebindFor)
	for {
		ln, err := net.Listen("tcp", addr)
		if err == nil || time.Now().After(giveUp) {
			return ln, err
		}
		time.Sleep(rebindPause)
	}
}

func (d *door) serve(ln net.Listener) *opening {
	ctx, cancel := context.WithCancel(context.Background())
	o := &opening{cancel: cancel, served: make(chan error, 1)}
	o.srv = &http.Server{
		Handler:           d.handler,
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         o.track,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
	go func() { o.served <- o.srv.Serve(ln) }()
	return o
}

// track counts connections. StateNew is reported by the goroutine of Serve, so the count cannot grow after it ended.
func (o *opening) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		o.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		o.conns.Done()
	}
}

// shut closes the listener and all connections and waits for their handlers. Never call it from a handler of
// the same door.
func (d *door) shut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shutLocked()
}

func (d *door) shutLocked() error {
	o := d.current
	if o == nil {
		return nil
	}
	d.current = nil
	o.cancel()
	err := o.srv.Close()
	served := <-o.served
	o.conns.Wait()
	if !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, fmt.Errorf("serve on %s: %w", d.addr, served))
	}
	return err
}

// close shuts the door for good.
func (d *door) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.shutLocked()
}

func (d *door) url() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	host, port, err := net.SplitHostPort(d.addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
