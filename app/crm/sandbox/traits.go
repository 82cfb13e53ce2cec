package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// How the CRM treats an Idempotency-Key header.
const (
	HonourKeys = "honour" // the default: a repeat within the window gets the first answer, one meanwhile 409 in_progress
	IgnoreKeys = "ignore"
)

const (
	defaultWindow = 24 * time.Hour
	maxSkew       = 366 * 24 * 60 * 60 // seconds
)

// Traits are what kind of CRM this is. The zero value is the training CRM as it comes: no limits, no lag, keys honoured.
type Traits struct {
	// PerSecond is how many requests a second the API allows, 0 for any number; Burst is how many it allows at once after a rest, 0
	// for PerSecond. Others get 429, with RetryAfter: seconds (""), date or none.
	PerSecond  float64 `json:"per_second"`
	Burst      int     `json:"burst"`
	RetryAfter string  `json:"retry_after"`
	// Idempotency is honour ("") or ignore; WindowMS is how long a key is remembered, 0 for a day.
	Idempotency string `json:"idempotency"`
	WindowMS    int64  `json:"window_ms"`
	// PlainPosts makes POST /api/calls create a record each time, whatever its external_key.
	PlainPosts bool `json:"plain_posts"`
	// SearchLagMS is how long a new record is not found by its external_key.
	SearchLagMS int64 `json:"search_lag_ms"`
	// TokenRequests and TokenMS end the token after so many requests or so long; 0 for never. RenewToken makes it valid again.
	TokenRequests int   `json:"token_requests"`
	TokenMS       int64 `json:"token_ms"`
	// SessionMS is how long a session lasts, AccessMS an access token of OAuth; 0 for an hour. Refresh tokens do not end.
	SessionMS int64 `json:"session_ms"`
	AccessMS  int64 `json:"access_ms"`
	// SoftRefusals refuses a login with status 200 and {"error":"…"}.
	SoftRefusals bool `json:"soft_refusals"`
	// ClientSecret is what the OAuth client must send; "" for a public client. OAuthAuto lets it in without asking.
	ClientSecret string `json:"client_secret"`
	OAuthAuto    bool   `json:"oauth_auto"`
	// StrictRoles keeps agents from deleting contacts. Editing is what agents may edit of calls, tickets, tasks and notes: all (""), own
	// or none. Denied are operations that agents may not do, with commas between.
	StrictRoles bool   `json:"strict_roles"`
	Editing     string `json:"editing"`
	Denied      string `json:"denied"`
	// DateSkewS puts the server's clock, as Date and Retry-After tell it, forward by so many seconds, back when negative; at most a year.
	DateSkewS int64 `json:"date_skew_s"`
	// Version is the version the server says it has; "" for its own.
	Version string `json:"version"`
}

func (t Traits) check() error {
	switch {
	case t.PerSecond < 0 || t.Burst < 0 || t.WindowMS < 0 || t.SearchLagMS < 0 || t.TokenRequests < 0 || t.TokenMS < 0 || t.SessionMS < 0 || t.AccessMS < 0:
		return fmt.Errorf("a trait must not be negative")
	case t.RetryAfter != "" && t.RetryAfter != "seconds" && t.RetryAfter != "date" && t.RetryAfter != "none":
		return fmt.Errorf("retry_after must be seconds, date or none")
	case t.Idempotency != "" && t.Idempotency != HonourKeys && t.Idempotency != IgnoreKeys:
		return fmt.Errorf("idempotency must be honour or ignore")
	case t.Editing != "" && t.Editing != EditAll && t.Editing != EditOwn && t.Editing != EditNone:
		return fmt.Errorf("editing must be all, own or none")
	case max(t.DateSkewS, -t.DateSkewS) > maxSkew:
		return fmt.Errorf("date_skew_s must be at most %d, back or forth", maxSkew)
	}
	for _, op := range t.denied() {
		if !slices.Contains(operations, op) {
			return fmt.Errorf("denied holds %q, which is no operation: known are %v", op, operations)
		}
	}
	return nil
}

// nature holds the traits and what they count.
type nature struct {
	mu      sync.Mutex
	traits  Traits
	tokens  float64 // of the rate limit
	filled  time.Time
	allowed int64
	limited int64

	token   string
	renewed time.Time
	used    int
}

func (n *nature) get() Traits {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.traits
}

func (n *nature) set(t Traits) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.traits, n.tokens, n.filled = t, t.burst(), time.Now()
	n.renewed, n.used = time.Now(), 0
}

// clock is the server's own time, as its headers spell it.
func (t Traits) clock(at time.Time) string {
	return at.Add(time.Duration(t.DateSkewS) * time.Second).UTC().Format(http.TimeFormat)
}

func (t Traits) burst() float64 {
	if t.Burst > 0 {
		return float64(t.Burst)
	}
	return max(t.PerSecond, 1)
}

// allow counts a request against the rate; refused, it gives the refusal.
func (n *nature) allow(now time.Time) *problem {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.traits
	if t.PerSecond == 0 {
		n.allowed++
		return nil
	}
	n.tokens = min(n.tokens+now.Sub(n.filled).Seconds()*t.PerSecond, t.burst())
	n.filled = now
	if n.tokens >= 1 {
		n.tokens--
		n.allowed++
		return nil
	}
	n.limited++
	p := &problem{Status: http.StatusTooManyRequests, Code: "rate_limited", Message: fmt.Sprintf("%g requests a second are allowed", t.PerSecond)}
	wait := time.Duration((1-n.tokens)/t.PerSecond*float64(time.Second)).Truncate(time.Second) + time.Second
	switch t.RetryAfter {
	case "", "seconds":
		p.after = strconv.Itoa(int(wait.Seconds()))
	case "date":
		p.after = t.clock(now.Add(wait))
	}
	return p
}

func (n *nature) counts() (allowed, limited int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.allowed, n.limited
}

// SetTraits replaces the traits; the rate starts with a full burst, the token with a new life.
func (s *Server) SetTraits(t Traits) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("set traits: %w", err)
	}
	s.nature.set(t)
	return nil
}

// Traits returns the present ones.
func (s *Server) Traits() Traits { return s.nature.get() }

// RenewToken makes the bearer token valid again, or another one the valid one; "" keeps it. It gives the valid one.
func (s *Server) RenewToken(token string) string {
	n := &s.nature
	n.mu.Lock()
	defer n.mu.Unlock()
	if token != "" {
		n.token = token
	}
	n.renewed, n.used = time.Now(), 0
	return n.token
}
