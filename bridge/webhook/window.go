package webhook

import "time"

// maxSeen is how many names one window holds; a call centre of 20,000 calls an hour sends some 2,000 pushes in a minute.
const maxSeen = 1 << 16

// window remembers names for a time. It is not safe for concurrent use.
type window struct {
	span  time.Duration
	seen  map[string]time.Time
	order []string // the oldest first
}

func newWindow(span time.Duration) *window { return &window{span: span, seen: map[string]time.Time{}} }

// has tells whether a name was added within the span.
func (w *window) has(name string, now time.Time) bool {
	at, is := w.seen[name]
	return is && now.Sub(at) < w.span
}

// add remembers a name, and forgets what is too old; of too many, the oldest.
func (w *window) add(name string, now time.Time) {
	if _, is := w.seen[name]; !is {
		w.order = append(w.order, name)
	}
	w.seen[name] = now
	for len(w.order) > 0 {
		oldest := w.order[0]
		if now.Sub(w.seen[oldest]) < w.span && len(w.order) <= maxSeen {
			return
		}
		delete(w.seen, oldest)
		w.order = w.order[1:]
	}
}
