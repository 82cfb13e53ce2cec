package loopback_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// pipes is a listener in memory, so that the limits can be tested in fake time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// serve starts a server and gives what ends it and waits for it.
func serve(t *testing.T, a loopback.Agent, l net.Listener) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- loopback.NewServer(a, new(recorder).log()).Serve(ctx, l) }()
	return func() error { cancel(); return <-done }
}

func request(t *testing.T, conn net.Conn, method, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+loopback.Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
}

func TestServeReturnsAfterRequestsEnded(t *testing.T) {
	for name, test := range map[string]struct {
		takes  time.Duration
		answer string // what the caller hears
	}{
		"that end soon":            {time.Second, "503 Service Unavailable"},
		"that end when it is late": {time.Minute, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended bool
				a := fake()
				a.Command = func(ctx context.Context, _ string, _ cti.Instruction) error {
					<-ctx.Done()
					time.Sleep(test.takes) //nolint:forbidigo // in fake time: what it does about being stopped takes a while
					ended = true
					return ctx.Err()
				}
				l := newPipes()
				stop := serve(t, a, l)
				conn := l.dial()
				request(t, conn, http.MethodPost, "/v1/calls/leg/command", `{"command":"answer"}`)
				synctest.Wait()
				answered := make(chan string, 1)
				go func() {
					res, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						answered <- err.Error()
						return
					}
					answered <- res.Status
				}()
				if err := stop(); err != nil {
					t.Errorf("Serve returned %v", err)
				}
				if !ended {
					t.Error("Serve returned while a request was under way")
				}
				if text := <-answered; !strings.Contains(text, test.answer) {
					t.Errorf("the request was answered %q", text)
				}
			})
		})
	}
}

func TestServeEndsAlthoughSomebodyConnectedAndSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop := serve(t, fake(), l)
		silent := l.dial()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
		if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the silent connection is still open: %v", err)
		}
	})
}

func TestServeEndsWhoReadsTheDeltas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fake()
		l := newPipes()
		stop := serve(t, a, l)
		conn := l.dial()
		request(t, conn, http.MethodGet, "/v1/deltas", "")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		if !lines.Scan() || !strings.Contains(lines.Text(), `"cards":[]`) {
			t.Errorf("the first line is %q", lines.Text())
		}
		time.Sleep(time.Hour) //nolint:forbidigo // in fake time: a quiet hour is no reason to end
		a.Board.Publish(wire.Delta{Drop: "leg"})
		if !lines.Scan() || lines.Text() != `{"v":1,"seq":1,"drop":"leg"}` {
			t.Errorf("the second line is %q", lines.Text())
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, conn) }()
		if err := stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
		<-ended
	})
}

// A reader that stops reading must not keep its goroutine, its connection and the memory for what it does not read.
func TestAReaderThatStopsReadingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fake()
		l := newPipes()
		stop := serve(t, a, l)
		conn := l.dial()
		request(t, conn, http.MethodGet, "/v1/deltas", "")
		if _, err := conn.Read(make([]byte, 10)); err != nil { // it began to read
			t.Fatal(err)
		}
		a.Board.Publish(wire.Delta{Card: &wire.Card{Leg: strings.Repeat("x", 64<<10)}})
		time.Sleep(10 * time.Second) //nolint:forbidigo // in fake time
		if rest, err := io.ReadAll(conn); len(rest) > 64<<10 || err != nil {
			t.Errorf("it could still read %d bytes (%v)", len(rest), err)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestServeFailsWithItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop := serve(t, fake(), l)
		conn := l.dial()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := stop(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a connection outlived the server: %v", err)
		}
	})
}
