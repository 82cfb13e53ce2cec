package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// dialling stops calls to customers who must not be called, and a second call to the same number that nobody wants.
type dialling struct {
	clicks *clicks
	stop   cti.DiallingProfile
	known  func(n cti.Number) []cti.Match
	find   func(ctx context.Context, n cti.Number) ([]cti.Match, error)
	log    *slog.Logger
}

// stopLimit is how long a dial may wait for the CRM to say whom it reaches; the index mostly knows at once.
const stopLimit = 800 * time.Millisecond

// allow gives why a number must not be called: kind denied, with the reason as the site calls it. When nobody can say who it is, it may.
func (d dialling) allow(ctx context.Context, n cti.Number) error {
	if len(d.stop.StopTags)+len(d.stop.StopStatuses) == 0 || !n.Tells() {
		return nil
	}
	matches := d.known(n)
	if !slices.ContainsFunc(matches, likely) {
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		if err := guarded(func() (err error) { matches, err = d.find(ctx, n); return err }); err != nil {
			// An unreachable CRM is no reason: who may not be called is mostly known here.
			d.log.Warn("dialled without the CRM's word on who must not be called", "kind", cti.KindOf(err)) // not the error: an address it names may hold the number
			return nil
		}
	}
	for _, m := range matches {
		if !likely(m) {
			continue
		}
		for _, tag := range m.Customer.Tags {
			if names(d.stop.StopTags, tag) {
				return cti.Errorf(cti.Denied, "this customer must not be called: "+tag, nil)
			}
		}
		if names(d.stop.StopStatuses, m.Customer.Status) {
			return cti.Errorf(cti.Denied, "this customer must not be called: "+m.Customer.Status, nil)
		}
	}
	return nil
}

// likely is false where only a tail of digits is alike: perhaps it is somebody else.
func likely(m cti.Match) bool { return m.Grade != cti.Perhaps }

// names tells whether a list names a tag or a status, in whatever letters: CRMs spell them as their users do.
func names(list []string, word string) bool {
	word = strings.TrimSpace(word)
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(strings.TrimSpace(one), word) })
}

// sameClick is how soon after a dial another one to the same number is the same one: people click again while the phone is slow to show it.
const sameClick = 2 * time.Second

// clicks are the numbers that were dialled lately. The zero value is ready; it may be used concurrently.
type clicks struct {
	mu sync.Mutex
	at map[string]*click
}

// click is a dial: under way until done is closed, which err is not read before.
type click struct {
	at   time.Time
	done chan struct{}
	err  error
}

// once dials a number, unless that is under way or was done less than sameClick ago: then it gives what came of that. A dial that failed is no
// reason not to try again.
func (c *clicks) once(ctx context.Context, number string, dial func(ctx context.Context, number string) error) error {
	one, again := c.begin(number)
	if !again {
		one.err = dial(ctx, number)
		c.end(number, one)
		return one.err
	}
	select {
	case <-one.done:
		return one.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *clicks) begin(number string) (one *click, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, o := range c.at {
		select {
		case <-o.done:
			if time.Since(o.at) >= sameClick {
				delete(c.at, other)
			}
		default:
		}
	}
	if one, again = c.at[number]; again {
		return one, true
	}
	if c.at == nil {
		c.at = map[string]*click{}
	}
	one = &click{at: time.Now(), done: make(chan struct{})}
	c.at[number] = one
	return one, false
}

func (c *clicks) end(number string, one *click) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.err != nil {
		delete(c.at, number)
	}
	close(one.done)
}
