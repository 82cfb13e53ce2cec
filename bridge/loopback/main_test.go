package loopback_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// dialVariable makes the test binary a stranger's program that connects to the endpoint in it.
const dialVariable = "LOOPBACK_TEST_DIAL"

func dialAsChild(endpoint string) {
	conn, err := net.Dial("unix", endpoint)
	if err != nil {
		fmt.Println("not connected:", err)
		return
	}
	text, err := io.ReadAll(conn)
	fmt.Printf("heard %q %v", text, err)
}

// serveVariable makes the test binary a service of another user that answers at the endpoint in it, to administrators too; it prints a line
// when it listens, and ends with its standard input.
const serveVariable = "LOOPBACK_TEST_SERVE"

func serveAsChild(endpoint string) {
	l, err := loopback.ListenAdmin(endpoint)
	fmt.Println("listens", err)
	if err != nil {
		return
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "welcome") // who connected tells what it heard
			_ = conn.Close()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestMain(m *testing.M) {
	if endpoint := os.Getenv(serveVariable); endpoint != "" {
		serveAsChild(endpoint)
		return
	}
	if endpoint := os.Getenv(dialVariable); endpoint != "" {
		dialAsChild(endpoint)
		return
	}
	// go-winio keeps one goroutine for the process's life.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}

// fake is an agent that does nothing; a test replaces the fields it is about.
func fake() loopback.Agent {
	return loopback.Agent{
		Board:   loopback.NewBoard(wire.Snapshot{}),
		Status:  func() wire.Status { return wire.Status{Version: "test"} },
		Feed:    func(context.Context, cti.Event) error { return nil },
		Command: func(context.Context, string, cti.Instruction) error { return nil },
		Dial:    func(context.Context, string) error { return nil },
		Pick:    func(context.Context, string, string) error { return nil },
		WrapUp:  func(context.Context, string, wire.WrapUpRequest) error { return nil },
		Calls:   func(int) ([]wire.LoggedCall, error) { return []wire.LoggedCall{}, nil },
		Call:    func(string) (wire.LoggedCall, error) { return wire.LoggedCall{}, nil },
		Timing:  func(string) (wire.Timing, error) { return wire.Timing{}, nil },

		Outbox:   func(wire.OutboxQuery) ([]wire.OutboxItem, error) { return []wire.OutboxItem{}, nil },
		Item:     func(uint64) (wire.OutboxItem, error) { return wire.OutboxItem{}, nil },
		Retry:    func(uint64) error { return nil },
		RetryAll: func() (int, error) { return 0, nil },
		Edit:     func(context.Context, uint64, wire.EditRequest) error { return nil },
		Attach:   func(context.Context, uint64, string) error { return nil },
		Discard:  func(uint64, string) error { return nil },

		Preview:     func(context.Context, uint64) ([]wire.ShownRequest, error) { return []wire.ShownRequest{}, nil },
		PreviewCall: func(context.Context, string) ([]wire.ShownRequest, error) { return []wire.ShownRequest{}, nil },
		Rebuild:     func(context.Context, uint64) error { return nil },
	}
}

// recorder keeps the log, so that a test can say what must not be in it.
type recorder struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func (r *recorder) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a test may have closed it
	return l
}

// answers tells whether somebody takes connections at the endpoint.
func answers(t *testing.T, l net.Listener, path string) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = conn.Close()
		}
		accepted <- err
	}()
	conn, err := loopback.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
