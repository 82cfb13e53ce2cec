package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The limits of asking the phone for what was missed.
const (
	// historyLimit bounds the wait when the phone comes back: a call that rings just then pops so much later at worst.
	historyLimit = 3 * time.Second
	// historyAgain is how long to wait after the phone could not say.
	historyAgain = 30 * time.Second
	// historyMargin covers calls that ended while the connection was just breaking. What is known already is not booked twice.
	historyMargin = time.Minute
	// historyReach is how far back to ask: a long week-end. Older calls may have been recorded from another workstation.
	historyReach = 7 * 24 * time.Hour
)

// missed asks the phone for the calls that ended while nobody listened to it: Ringside did not run, or the connection was broken.
type missed struct {
	history func(ctx context.Context, since time.Time) ([]cti.Event, error) // nil: this phone remembers nothing
	book    func(ctx context.Context, e cti.Event)
	log     *slog.Logger

	mu    sync.Mutex
	since time.Time // nobody listened from then on; zero: nothing is missing
	up    bool
}

// heard takes an event of the phone itself. It returns after the missed calls are booked, so that a snapshot that follows finds their
// true ends.
func (m *missed) heard(ctx context.Context, e cti.Event) {
	m.mu.Lock()
	m.up = e.Type == cti.SourceUp
	if e.Type == cti.SourceDown && m.since.IsZero() {
		m.since = e.At
	}
	m.mu.Unlock()
	if e.Type == cti.SourceUp {
		m.ask(ctx)
	}
}

// run asks again for what the phone could not say at once, until ctx ends.
func (m *missed) run(ctx context.Context) error {
	again := time.NewTicker(historyAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			m.ask(ctx)
		}
	}
}

func (m *missed) ask(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.history == nil || !m.up || m.since.IsZero() {
		return
	}
	since := m.since.Add(-historyMargin)
	if reach := time.Now().Add(-historyReach); since.Before(reach) {
		since = reach
	}
	asked, cancel := context.WithTimeout(ctx, historyLimit)
	defer cancel()
	events, err := m.history(asked, since.UTC())
	if err != nil {
		m.log.Warn("missed calls not asked for", "since", since, "kind", cti.KindOf(err), "err", err)
		return
	}
	m.since = time.Time{}
	for _, e := range events {
		e.Past = true
		m.book(ctx, e)
	}
	m.log.Info("asked the phone what was missed", "since", since, "events", len(events))
}
