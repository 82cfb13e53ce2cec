package sandbox

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const timesKept = 1024 // per route

// Stats counts since Start. Records are those present, seeded ones included.
type Stats struct {
	Requests     int64 `json:"requests"`     // reached the main listener
	Unauthorized int64 `json:"unauthorized"` // answered 401
	Writes       int64 `json:"writes"`       // changes accepted and, with a file, persisted; a repeat that changes nothing is none
	Dropped      int64 `json:"dropped"`      // answers dropped on purpose
	Faulted      int64 `json:"faulted"`      // requests a fault or a trouble was shown to, dropped ones included
	Allowed      int64 `json:"allowed"`      // by the rate limit, or all without one
	Limited      int64 `json:"limited"`      // refused by the rate limit
	Replayed     int64 `json:"replayed"`     // answered with the first answer to the same Idempotency-Key
	Late         int64 `json:"late"`         // requests at present whose change is yet to be made by a late_commit
	Contacts     int   `json:"contacts"`
	Calls        int   `json:"calls"`
	Tickets      int   `json:"tickets"`
	Tasks        int   `json:"tasks"`
	Notes        int   `json:"notes"`
	// Troubles counts what was shown, by name.
	Troubles map[Trouble]int64 `json:"troubles"`
}

type counters struct {
	requests, unauthorized, dropped, faulted, late atomic.Int64

	mu    sync.Mutex
	shown map[Trouble]int64
}

func (c *counters) show(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == nil {
		c.shown = map[Trouble]int64{}
	}
	c.shown[t]++
}

func (c *counters) troubles() map[Trouble]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.shown)
}

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	out := Stats{
		Requests:     s.stats.requests.Load(),
		Unauthorized: s.stats.unauthorized.Load(),
		Dropped:      s.stats.dropped.Load(),
		Faulted:      s.stats.faulted.Load(),
		Replayed:     s.replays.hits(),
		Late:         s.stats.late.Load(),
		Troubles:     s.stats.troubles(),
	}
	out.Allowed, out.Limited = s.nature.counts()
	s.store.read(func(b *book) {
		out.Writes = s.store.writes
		out.Contacts, out.Calls = len(b.contacts.rows), len(b.calls.rows)
		out.Tickets, out.Tasks = len(b.tickets.rows), len(b.tasks.rows)
		out.Notes = len(b.notes.rows)
	})
	return out
}

// answerTimes keeps a ring of durations for each route.
type answerTimes struct {
	mu    sync.Mutex
	rings map[string]*ring
}

type ring struct {
	took []time.Duration
	next int // the oldest, once the ring is full
}

func (t *answerTimes) add(route string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rings == nil {
		t.rings = map[string]*ring{}
	}
	r := t.rings[route]
	if r == nil {
		r = &ring{}
		t.rings[route] = r
	}
	if len(r.took) < timesKept {
		r.took = append(r.took, d)
		return
	}
	r.took[r.next] = d
	r.next = (r.next + 1) % timesKept
}

// AnswerTimes returns how long the server itself took for the last requests of each route (at most 1024 each, oldest
// first), from the end of a fault's latency to the answer written, persisting included. Routes are spelled as in the
// route table: "PUT /api/calls/by-key/{key}".
func (s *Server) AnswerTimes() map[string][]time.Duration {
	s.times.mu.Lock()
	defer s.times.mu.Unlock()
	out := make(map[string][]time.Duration, len(s.times.rings))
	for route, r := range s.times.rings {
		took := make([]time.Duration, 0, len(r.took))
		took = append(took, r.took[r.next:]...)
		out[route] = append(took, r.took[:r.next]...)
	}
	return out
}
