package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxLatency    = 10 * time.Minute
	maxRetryAfter = 24 * 60 * 60 // seconds
)

// Fault is what the main listener does wrong. The zero value means it works. Latency can be joined with Status
// or DropAnswer; Status wins over DropAnswer, because then nothing is applied.
//
// A Go client repeats a dropped GET by itself on a reused connection, so one dropped GET may go unseen by the caller.
type Fault struct {
	// Latency delays the work, not only the answer. At most ten minutes; latency_ms in JSON.
	Latency time.Duration
	// Refuse closes the listener and every connection: clients meet a refused connection. Not with Count or Match.
	Refuse bool
	// Status answers 401, 403, 404, 408, 409, 412, 422, 429, 500, 502, 503 or 504 instead of working; 0 means none.
	Status int
	// RetryAfter is the Retry-After header in seconds, sent with Status; 0 means no header.
	RetryAfter int
	// Trouble is shown instead; Latency is then how long a hanging request hangs, RetryAfter what a 429 names. Not with Status,
	// DropAnswer or Refuse.
	Trouble Trouble
	// DropAnswer applies and persists the change, then closes the connection without an answer.
	DropAnswer bool
	// Count is the number of requests still to hit; after them the fault clears itself. 0 means until cleared.
	Count int
	// Match is the path prefix to hit; "" means all under /api. Writes leaves reads alone.
	Match  string
	Writes bool
}

type faultJSON struct {
	LatencyMS  int64   `json:"latency_ms"`
	Refuse     bool    `json:"refuse"`
	Status     int     `json:"status"`
	RetryAfter int     `json:"retry_after"`
	Trouble    Trouble `json:"trouble"`
	DropAnswer bool    `json:"drop_answer"`
	Count      int     `json:"count"`
	Match      string  `json:"match"`
	Writes     bool    `json:"writes"`
}

// MarshalJSON writes the form the control listener speaks.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{f.Latency.Milliseconds(), f.Refuse, f.Status, f.RetryAfter, f.Trouble, f.DropAnswer, f.Count, f.Match, f.Writes})
}

// UnmarshalJSON reads that form and refuses unknown fields. Absent fields are zero.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var w faultJSON
	if err := strictly(b, &w); err != nil {
		return err
	}
	if w.LatencyMS < 0 || w.LatencyMS > maxLatency.Milliseconds() {
		return fmt.Errorf("latency_ms must be 0 to %d", maxLatency.Milliseconds())
	}
	*f = Fault{time.Duration(w.LatencyMS) * time.Millisecond, w.Refuse, w.Status, w.RetryAfter, w.Trouble, w.DropAnswer, w.Count, w.Match, w.Writes}
	return nil
}

func (f Fault) check() error {
	switch {
	case f.Latency < 0 || f.Latency > maxLatency:
		return fmt.Errorf("latency must be 0 to %s", maxLatency)
	case f.Status != 0 && !slices.Contains(statuses, f.Status):
		return fmt.Errorf("status must be 0 or one of %v, not %d", statuses, f.Status)
	case f.Trouble != "" && !slices.Contains(troubles, f.Trouble):
		return fmt.Errorf("unknown trouble %q: known are %v", f.Trouble, troubles)
	case f.Trouble != "" && (f.Status != 0 || f.DropAnswer || f.Refuse):
		return fmt.Errorf("trouble cannot be joined with status, drop_answer or refuse")
	case f.RetryAfter < 0 || f.RetryAfter > maxRetryAfter:
		return fmt.Errorf("retry_after must be 0 to %d seconds", maxRetryAfter)
	case f.Count < 0:
		return fmt.Errorf("count must not be negative")
	case f.Refuse && (f.Count > 0 || f.Match != "" || f.Writes):
		return fmt.Errorf("refuse cannot be counted or matched: a closed port sees no request")
	case f.Match != "" && !strings.HasPrefix(f.Match, "/"):
		return fmt.Errorf("match must be a path that starts with /")
	}
	return nil
}

// statuses are those a fault may answer.
var statuses = []int{401, 403, 404, 408, 409, 412, 422, 429, 500, 502, 503, 504}

func (f Fault) hits(r *http.Request) bool {
	return f != Fault{} && under(f.Match, r.URL.Path) && (!f.Writes || !reads(r.Method))
}

// faultBox hands the fault to requests; with Count it hands it out exactly that often.
type faultBox struct {
	steer sync.Mutex // one SetFault at a time: listener and fault change together
	mu    sync.Mutex
	now   Fault
}

func (b *faultBox) get() Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *faultBox) set(f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = f
}

func (b *faultBox) claim(r *http.Request) (f Fault, hit bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.now.hits(r) {
		return Fault{}, false
	}
	f = b.now
	if b.now.Count > 0 {
		if b.now.Count--; b.now.Count == 0 {
			b.now = Fault{}
		}
	}
	return f, true
}

// SetFault replaces the fault; the zero Fault clears it. With Refuse it returns after the port is closed and every
// running request has ended; clearing Refuse returns after the port is open again. It fails on a value outside
// the limits named at Fault, after Close, and when the port was taken meanwhile; then the old
// fault stays.
func (s *Server) SetFault(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("set fault: %w", err)
	}
	s.faults.steer.Lock()
	defer s.faults.steer.Unlock()
	if err := s.turn(f); err != nil {
		return fmt.Errorf("set fault: %w", err)
	}
	s.log.Info("fault set", "latency", f.Latency, "refuse", f.Refuse, "status", f.Status, "drop_answer", f.DropAnswer, "count", f.Count)
	return nil
}

// turn changes fault and listener in the order that lets no request meet the wrong one of the two.
func (s *Server) turn(f Fault) error {
	if f.Refuse {
		err := s.main.shut()
		s.faults.set(f)
		return err
	}
	old := s.faults.get()
	s.faults.set(f)
	err := s.main.open()
	if err != nil {
		s.faults.set(old)
	}
	return err
}

// Fault returns the present fault; Count is what is left of it.
func (s *Server) Fault() Fault { return s.faults.get() }
