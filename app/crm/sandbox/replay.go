package sandbox

import (
	"net/http"
	"sync"
	"time"
)

// replays remember the answers to requests with an Idempotency-Key.
type replays struct {
	mu  sync.Mutex
	by  map[string]*replay
	hit int64
}

type replay struct {
	at   time.Time
	done bool
	a    answer
}

// begin gives the first answer, or busy while the first request is being worked on; else the request is the first and mine is its entry.
func (p *replays) begin(key string, window time.Duration) (mine *replay, a answer, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string]*replay{}
	}
	if old := p.by[key]; old != nil && time.Since(old.at) < window {
		if old.done {
			p.hit++
		}
		return nil, old.a, !old.done
	}
	mine = &replay{at: time.Now()}
	p.by[key] = mine
	return mine, answer{}, false
}

// end keeps a success; after a refusal the same key may try again. Once the window has passed the key may be another request's.
func (p *replays) end(key string, mine *replay, a answer, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine.done, mine.a = err == nil, a
	if err != nil && p.by[key] == mine {
		delete(p.by, key)
	}
}

func (p *replays) hits() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hit
}

// once makes a repeat with the same Idempotency-Key get the first answer, where the traits say so.
func (s *Server) once(h apiFunc) apiFunc {
	return func(r *http.Request) (answer, error) {
		key, t := r.Header.Get("Idempotency-Key"), s.nature.get()
		if key == "" || reads(r.Method) || t.Idempotency == IgnoreKeys {
			return s.inTime(h, r)
		}
		window := defaultWindow
		if t.WindowMS > 0 {
			window = time.Duration(t.WindowMS) * time.Millisecond
		}
		key = r.Method + " " + r.URL.Path + " " + key
		mine, a, busy := s.replays.begin(key, window)
		switch {
		case busy:
			return answer{}, &problem{Status: http.StatusConflict, Code: "in_progress", Message: "a request with this Idempotency-Key is being worked on", after: "1"}
		case mine == nil:
			return a, nil
		}
		a, err := s.inTime(h, r)
		s.replays.end(key, mine, a, err)
		return a, err
	}
}

// inTime runs a handler, late when the request's trouble is to be late.
func (s *Server) inTime(h apiFunc, r *http.Request) (answer, error) {
	if !s.late(r) {
		return answer{}, &problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the server ends"}
	}
	return h(r)
}
