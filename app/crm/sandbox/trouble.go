package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Trouble is one way in which a CRM goes wrong with one request.
type Trouble string

// The troubles. Before: nothing was changed. After: the change was made and kept, and the client does not learn it.
const (
	ResetBefore  Trouble = "reset_before"
	ResetAfter   Trouble = "reset_after"
	HalfBody     Trouble = "half_body" // of the answer, after the change
	Err500Before Trouble = "500_before"
	Err500After  Trouble = "500_after"
	Err502Before Trouble = "502_before"
	Err502After  Trouble = "502_after"
	Err503Before Trouble = "503_before"
	Err503After  Trouble = "503_after"
	HangBefore   Trouble = "hang_before" // until the client leaves, or the hang time is over; then the connection is cut
	HangAfter    Trouble = "hang_after"
	LateCommit   Trouble = "late_commit" // the change is made after the hang time, whether the client is still there or not
	Err429       Trouble = "429"         // without Retry-After
	Err429Wait   Trouble = "429_seconds"
	Err429Date   Trouble = "429_date"
	Err401       Trouble = "401"
	Err403       Trouble = "403"
	Err409       Trouble = "409"
	Err422       Trouble = "422"
)

var troubles = []Trouble{ResetBefore, ResetAfter, HalfBody, Err500Before, Err500After, Err502Before, Err502After, Err503Before, Err503After,
	HangBefore, HangAfter, LateCommit, Err429, Err429Wait, Err429Date, Err401, Err403, Err409, Err422}

const (
	defaultHang = 30 * time.Second
	defaultWait = 1 // second
)

// Chaos deals out troubles by chance. The zero value deals none. The same seed and the same order of requests give the same troubles.
type Chaos struct {
	Seed uint64 `json:"seed"`
	// Match is the path prefix to hit; "" means all under /api. Writes leaves reads alone.
	Match  string `json:"match"`
	Writes bool   `json:"writes"`
	// Rates is the probability of each trouble, 0 to 1; together at most 1.
	Rates map[Trouble]float64 `json:"rates"`
	// HangMS is how long hanging requests hang; 0 means 30 s. RetryAfter is what 429_seconds and 429_date name; 0 means 1 second.
	HangMS     int64 `json:"hang_ms"`
	RetryAfter int   `json:"retry_after"`
}

func (c Chaos) check() error {
	sum := 0.0
	for trouble, p := range c.Rates {
		if !slices.Contains(troubles, trouble) {
			return fmt.Errorf("unknown trouble %q: known are %v", trouble, troubles)
		}
		if p < 0 || p > 1 {
			return fmt.Errorf("the rate of %s must be 0 to 1", trouble)
		}
		sum += p
	}
	switch {
	case sum > 1+1e-9:
		return fmt.Errorf("the rates together must be at most 1")
	case c.HangMS < 0 || c.HangMS > maxLatency.Milliseconds():
		return fmt.Errorf("hang_ms must be 0 to %d", maxLatency.Milliseconds())
	case c.RetryAfter < 0 || c.RetryAfter > maxRetryAfter:
		return fmt.Errorf("retry_after must be 0 to %d seconds", maxRetryAfter)
	case c.Match != "" && !strings.HasPrefix(c.Match, "/"):
		return fmt.Errorf("match must be a path that starts with /")
	}
	return nil
}

// dice deal the troubles of one Chaos.
type dice struct {
	mu    sync.Mutex
	chaos Chaos
	roll  *rand.Rand
}

func (d *dice) set(c Chaos) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.Rates = maps.Clone(c.Rates)
	d.chaos, d.roll = c, rand.New(rand.NewPCG(c.Seed, 0)) //nolint:gosec // repeatable troubles, no secret
}

func (d *dice) get() Chaos {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.chaos
	out.Rates = maps.Clone(out.Rates)
	return out
}

// claim gives the trouble of one request, "" for none.
func (d *dice) claim(r *http.Request) (Trouble, Chaos) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.chaos.Rates) == 0 || !under(d.chaos.Match, r.URL.Path) || d.chaos.Writes && reads(r.Method) {
		return "", Chaos{}
	}
	x := d.roll.Float64()
	for _, trouble := range troubles { // in this order, so that it is repeatable
		if x -= d.chaos.Rates[trouble]; x < 0 {
			return trouble, d.chaos
		}
	}
	return "", Chaos{}
}

func under(match, path string) bool {
	if match == "" {
		match = "/api"
	}
	return strings.HasPrefix(path, match)
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// SetChaos replaces the troubles that come by chance; the zero Chaos ends them.
func (s *Server) SetChaos(c Chaos) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("set chaos: %w", err)
	}
	s.dice.set(c)
	s.log.Info("chaos set", "seed", c.Seed, "troubles", len(c.Rates))
	return nil
}

// Chaos returns the present one.
func (s *Server) Chaos() Chaos { return s.dice.get() }

// show makes one request meet its trouble.
func (s *Server) show(trouble Trouble, hang time.Duration, retryAfter int, w http.ResponseWriter, r *http.Request, next http.Handler) {
	if hang == 0 {
		hang = defaultHang
	}
	if retryAfter == 0 {
		retryAfter = defaultWait
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxUpload+maxBody+1)) // read now: only then does a server notice that its client has left
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.stats.show(trouble)
	done := func() *sink {
		out := &sink{header: http.Header{}}
		next.ServeHTTP(out, r)
		return out
	}
	switch trouble {
	case ResetBefore:
		s.reset(w)
	case ResetAfter:
		done()
		s.reset(w)
	case HalfBody:
		half(w, done())
	case HangBefore:
		wait(r, hang)
		panic(http.ErrAbortHandler)
	case HangAfter:
		done()
		wait(r, hang)
		panic(http.ErrAbortHandler)
	case LateCommit:
		s.serveLate(hang, w, r, next)
	case Err500After, Err502After, Err503After:
		done()
		refuse(w, statusOf(trouble), "")
	case Err429Wait:
		refuse(w, statusOf(trouble), strconv.Itoa(retryAfter))
	case Err429Date:
		refuse(w, statusOf(trouble), s.nature.get().clock(time.Now().Add(time.Duration(retryAfter)*time.Second)))
	default:
		refuse(w, statusOf(trouble), "")
	}
}

// statusOf: the names of refusals begin with their status.
func statusOf(trouble Trouble) int {
	digits, _, _ := strings.Cut(string(trouble), "_")
	status, err := strconv.Atoi(digits)
	if err != nil {
		return http.StatusInternalServerError
	}
	return status
}

// half sends the head of an answer and the first half of its body.
func half(w http.ResponseWriter, whole *sink) {
	maps.Copy(w.Header(), whole.header)
	w.WriteHeader(max(whole.status, http.StatusOK))
	if _, err := w.Write(whole.body[:len(whole.body)/2]); err == nil {
		_ = http.NewResponseController(w).Flush() // a client that has gone sees less than half
	}
	panic(http.ErrAbortHandler)
}

// reset ends the connection the hard way, so that the client meets a reset and not an end.
func (s *Server) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	if closed := conn.Close(); err != nil || closed != nil {
		s.log.Warn("connection not reset", "error", err, "close", closed)
	}
}

// lateKey marks a request whose change is made late.
type lateKey struct{}

func (s *Server) serveLate(hang time.Duration, w http.ResponseWriter, r *http.Request, next http.Handler) {
	s.stats.late.Add(1)
	defer s.stats.late.Add(-1)
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), lateKey{}, hang)))
}

// late holds such a request back, whether its client is still there or not. It gives false when the server ends meanwhile.
func (s *Server) late(r *http.Request) bool {
	hang, _ := r.Context().Value(lateKey{}).(time.Duration)
	if hang == 0 {
		return true
	}
	t := time.NewTimer(hang)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.quit:
		return false
	}
}

// strictly reads JSON and refuses unknown fields.
func strictly(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
