package sandbox

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func steer(t *testing.T, s *Server, f Fault) {
	t.Helper()
	if err := s.SetFault(f); err != nil {
		t.Fatal(err)
	}
}

func TestDroppedAnswerLeavesTheChangeAppliedAndOnDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crm.json")
	s := begin(t, Options{File: file})
	c := dial(t, s)
	c.do(http.StatusOK, "GET", "/api/whoami", "") // the connection is a reused one, as in real life
	steer(t, s, Fault{DropAnswer: true, Count: 1})
	if r, err := c.try("PUT", "/api/calls/by-key/lost", callBody); err == nil {
		t.Fatalf("the client got an answer: %d", r.status)
	}
	if len(withKey(s, "lost")) != 1 || s.Stats().Dropped != 1 {
		t.Fatalf("records %d, stats %+v", len(withKey(s, "lost")), s.Stats())
	}
	if s.Fault() != (Fault{}) {
		t.Fatalf("the fault must have cleared itself: %+v", s.Fault())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := begin(t, Options{File: file}); len(withKey(again, "lost")) != 1 {
		t.Fatal("the change was not persisted")
	}
}

func TestRefusedThenRestoredOnTheSamePort(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	c.do(http.StatusOK, "GET", "/api/whoami", "")
	url := s.URL()
	for range 3 {
		steer(t, s, Fault{Refuse: true})
		if _, err := c.try("GET", "/api/whoami", ""); !refused(err) {
			t.Fatalf("want a refused connection, got %v", err)
		}
		steer(t, s, Fault{})
		c.do(http.StatusOK, "GET", "/api/whoami", "")
	}
	if s.URL() != url {
		t.Fatalf("address changed from %s to %s", url, s.URL())
	}
}

// refused: every system has its own number for it.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// logged tells when a log line came that holds a text.
type logged struct {
	text string
	came chan struct{}
}

func (l logged) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.text) {
		l.came <- struct{}{}
	}
	return len(line), nil
}

func TestRefusingEndsARequestThatIsBeingDelayed(t *testing.T) {
	shown := logged{"fault shown", make(chan struct{}, 1)}
	s := begin(t, Options{Log: slog.New(slog.NewTextHandler(shown, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	c := dial(t, s)
	steer(t, s, Fault{Latency: time.Minute, Count: 1})
	failed := make(chan error, 1)
	go func() {
		_, err := c.try("PUT", "/api/calls/by-key/slow", callBody)
		failed <- err
	}()
	<-shown.came
	steer(t, s, Fault{Refuse: true})
	if err := <-failed; err == nil || len(withKey(s, "slow")) != 0 {
		t.Fatalf("error %v, records %d", err, len(withKey(s, "slow")))
	}
}

func TestCountedStatusCarriesRetryAfterAndClearsItself(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	steer(t, s, Fault{Status: http.StatusTooManyRequests, RetryAfter: 7, Count: 2, Match: "/api/calls"})
	c.do(http.StatusOK, "GET", "/api/whoami", "") // does not match, does not count
	for range 2 {
		r := c.do(http.StatusTooManyRequests, "PUT", "/api/calls/by-key/busy", callBody)
		if r.header.Get("Retry-After") != "7" {
			t.Fatalf("Retry-After %q", r.header.Get("Retry-After"))
		}
		wantRefusal(t, r, "rate_limited", "")
	}
	if len(withKey(s, "busy")) != 0 || s.Fault() != (Fault{}) {
		t.Fatalf("records %d, fault %+v", len(withKey(s, "busy")), s.Fault())
	}
	c.do(http.StatusCreated, "PUT", "/api/calls/by-key/busy", callBody)
}

func TestEveryStatusThereIsIsAnsweredWithoutWorking(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	for _, status := range []int{401, 403, 404, 408, 409, 412, 422, 429, 500, 502, 503, 504} {
		steer(t, s, Fault{Status: status, Writes: true, Count: 1})
		r := c.do(status, "PUT", "/api/calls/by-key/k", callBody)
		if p := read[refusal](t, r).Error; p.Code == "" || p.Message == "" {
			t.Errorf("%d says %s", status, r.body)
		}
	}
	if n := len(withKey(s, "k")); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestLatencyDelaysTheAnswerButIsNotTheServersOwnTime(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	steer(t, s, Fault{Latency: 150 * time.Millisecond})
	begin := time.Now()
	c.do(http.StatusOK, "GET", "/api/whoami", "")
	took := s.AnswerTimes()["GET /api/whoami"]
	if time.Since(begin) < 150*time.Millisecond || len(took) != 1 || took[0] > 100*time.Millisecond {
		t.Fatalf("client waited %s, own times %v", time.Since(begin), took)
	}
}

func TestImpossibleFaultsAreRefusedAndChangeNothing(t *testing.T) {
	s := begin(t, Options{})
	for _, f := range []Fault{{Status: 418}, {Refuse: true, Count: 1}, {Latency: -1}, {Count: -1, Status: 500}, {Status: 500, Match: "api"}} {
		if s.SetFault(f) == nil || s.Fault() != (Fault{}) {
			t.Errorf("%+v was taken", f)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.SetFault(Fault{}) == nil {
		t.Error("a closed server must refuse to be steered")
	}
}

func TestControlSetsShowsAndClearsTheFault(t *testing.T) {
	s := begin(t, Options{Control: "127.0.0.1:0"})
	main, c := dial(t, s), dial(t, s)
	c.base, c.token = s.ControlURL(), ""
	c.do(http.StatusOK, "PUT", "/fault", `{"status":500,"latency_ms":1}`, "Content-Type", "application/json")
	main.do(http.StatusInternalServerError, "GET", "/api/whoami", "")
	if f := read[Fault](t, c.do(http.StatusOK, "GET", "/fault", "")); f != (Fault{Status: 500, Latency: time.Millisecond}) {
		t.Fatalf("fault %+v", f)
	}
	c.do(http.StatusOK, "DELETE", "/fault", "")
	main.do(http.StatusOK, "GET", "/api/whoami", "")
	if st := read[Stats](t, c.do(http.StatusOK, "GET", "/stats", "")); st.Requests != 2 || st.Faulted != 1 || st.Contacts != 500 {
		t.Fatalf("stats %+v", st)
	}
}

func TestControlRefusesStrangers(t *testing.T) {
	s := begin(t, Options{Control: "127.0.0.1:0"})
	c := dial(t, s)
	c.base = s.ControlURL()
	c.do(http.StatusForbidden, "GET", "/fault", "", "Host", "rebound.example")
	c.do(http.StatusUnsupportedMediaType, "PUT", "/fault", `{"refuse":true}`, "Content-Type", "text/plain")
	c.do(http.StatusUnprocessableEntity, "PUT", "/fault", `{"refuze":true}`, "Content-Type", "application/json")
	c.do(http.StatusNotFound, "GET", "/api/contacts", "")
	if s.Fault() != (Fault{}) {
		t.Fatalf("a stranger set %+v", s.Fault())
	}
	if _, err := Start(t.Context(), Options{Control: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Fatalf("a control listener for everybody: %v", err)
	}
}

func TestCloseCutsOpenConnectionsAndReturns(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	c.do(http.StatusOK, "GET", "/api/whoami", "")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.try("GET", "/api/whoami", ""); !refused(err) && !errors.Is(err, io.EOF) {
		t.Fatalf("after close: %v", err)
	}
}

func TestRefusingCutsAClientInTheMiddleOfItsRequest(t *testing.T) {
	s := begin(t, Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := "PUT /api/calls/by-key/half HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sandbox-token\r\n" +
		"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n")) // said by a server that begins to read the body
	if _, err := io.ReadFull(conn, ready); err != nil || !strings.Contains(string(ready), "100 Continue") {
		t.Fatalf("the server said %q, %v", ready, err)
	}
	if _, err := io.WriteString(conn, "{"); err != nil {
		t.Fatal(err)
	}
	steer(t, s, Fault{Refuse: true}) // would wait for ever if it let the client finish
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection is still open: %v", err)
	}
}
