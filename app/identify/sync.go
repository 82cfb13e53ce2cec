package identify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// The times of the synchronisation.
const (
	// SyncEvery is how often the CRM is asked what changed, if the site says nothing else.
	SyncEvery = 5 * time.Minute
	// fullEvery is how often everybody is read again: what an index missed is right after a day.
	fullEvery = 24 * time.Hour
	// syncAgain is after how long a synchronisation that failed is tried again, if the CRM does not say.
	syncAgain = time.Minute
	// The first one begins so long after the start, so that calls come first, and a thousand workstations switched on at nine do not ask at once.
	firstAfter, firstSpread = 5 * time.Second, 25 * time.Second
)

// SyncConfig says what a synchronisation works with; all fields but Told are required.
type SyncConfig struct {
	Index Index
	// Changes gives a page of the customers that changed since the one before; without a cursor, of all. A cursor the CRM does not know
	// (any more) is kind invalid or notfound.
	Changes func(ctx context.Context, cursor string) (cti.CustomerPage, error)
	Plan    *number.Plan
	Every   time.Duration
	Told    func(cti.CustomerPage) // hears of each page once it is kept; nil: nobody
	Log     *slog.Logger
}

// Sync keeps the index like the CRM. Make it with NewSync, then call Run once.
type Sync struct {
	cfg  SyncConfig
	wake chan struct{}

	mu     sync.Mutex
	state  SyncState
	wanted wanted
}

// wanted is what somebody asked for and waits for.
type wanted struct {
	full bool
	done []chan error
}

// SyncState is how the synchronisation is.
type SyncState struct {
	Running bool
	Full    bool // everybody is read, not only who changed
	Done    int  // customers so far
	Err     error
	Progress
}

// NewSync makes a synchronisation.
func NewSync(cfg SyncConfig) *Sync { return &Sync{cfg: cfg, wake: make(chan struct{}, 1)} }

// State gives how it is.
func (s *Sync) State() SyncState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Run synchronises some seconds after the start and then every so often, until ctx ends.
func (s *Sync) Run(ctx context.Context) error {
	wait := firstAfter + rand.N(firstSpread) //nolint:gosec // no secret
	for {
		timer := time.NewTimer(wait)
		var err error
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
			err = s.once(ctx, false)
		case <-s.wake:
			timer.Stop()
			err = s.asked(ctx)
		}
		wait = s.cfg.Every
		if err != nil {
			wait = max(syncAgain, retryAfter(err))
		}
	}
}

func retryAfter(err error) time.Duration {
	var e *cti.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// Start asks for a synchronisation at once, of everybody if full. The channel gets how it ended; nobody need wait for that.
func (s *Sync) Start(full bool) <-chan error {
	done := make(chan error, 1)
	s.mu.Lock()
	s.wanted.full = s.wanted.full || full
	s.wanted.done = append(s.wanted.done, done)
	s.state.Running = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
	return done
}

// asked does what is wanted by now.
func (s *Sync) asked(ctx context.Context) error {
	s.mu.Lock()
	w := s.wanted
	s.wanted = wanted{}
	s.mu.Unlock()
	err := s.once(ctx, w.full)
	for _, done := range w.done {
		done <- err
	}
	return err
}

// once goes on where the last synchronisation stopped, also one of an earlier run.
func (s *Sync) once(ctx context.Context, full bool) error {
	p, err := s.cfg.Index.Progress()
	if err == nil {
		now := time.Now().UTC()
		if p.Full.IsZero() && (full || now.Sub(p.FullAt) >= fullEvery || p.FullAt.After(now)) {
			p.Full, p.Cursor, p.Done = now, "", 0
		}
		err = s.pages(ctx, p)
	}
	s.over(ctx, err)
	return err
}

// pages reads page after page; each is kept before the next is asked for.
func (s *Sync) pages(ctx context.Context, p Progress) error {
	again := p.Cursor != ""
	for {
		s.tell(p)
		asked := time.Now().UTC()
		page, err := s.cfg.Changes(ctx, p.Cursor)
		if kind := cti.KindOf(err); again && (kind == cti.Invalid || kind == cti.NotFound) {
			s.cfg.Log.Warn("the CRM does not know our place in its changes any more: everybody is read again", "err", err)
			p.Full, p.Cursor, p.Done, again = asked, "", 0, false
			continue
		}
		if err != nil {
			return err
		}
		if err := s.keep(page, p.Full); err != nil {
			return err
		}
		if s.cfg.Told != nil {
			s.cfg.Told(page)
		}
		p.Cursor, p.Done = page.Cursor, p.Done+len(page.Customers)
		if !page.More {
			return s.finish(p, asked)
		}
		if err := s.cfg.Index.SetProgress(p); err != nil {
			return err
		}
	}
}

// keep notes who was read as from now; a clock that was set back meanwhile must not make them older than the synchronisation.
func (s *Sync) keep(page cti.CustomerPage, full time.Time) error {
	now := time.Now().UTC()
	if now.Before(full) {
		now = full
	}
	records := make([]Record, 0, len(page.Customers))
	for _, c := range page.Customers {
		records = append(records, NewRecord(c, now, s.cfg.Plan))
	}
	return errors.Join(s.cfg.Index.Keep(records), s.cfg.Index.Remove(page.Deleted))
}

// OnTheirWay tells whether a customer was made here and the CRM does not have them yet.
func OnTheirWay(c cti.Customer) bool {
	_, _, created := cti.CreatedBy(c.ID)
	return created
}

// finish books that all is here. After a full synchronisation whoever was not in it is gone from the CRM.
func (s *Sync) finish(p Progress, asked time.Time) error {
	if !p.Full.IsZero() {
		n, err := s.cfg.Index.RemoveBefore(p.Full, OnTheirWay)
		if err != nil {
			return err
		}
		s.cfg.Log.Info("customers synchronised", "customers", p.Done, "gone", n)
		p.FullAt, p.Full = p.Full, time.Time{}
	}
	p.FreshAt = asked
	s.tell(p)
	return s.cfg.Index.SetProgress(p)
}

func (s *Sync) tell(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = SyncState{Running: true, Full: !p.Full.IsZero(), Done: p.Done, Progress: p}
}

func (s *Sync) over(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("customers not synchronised", "kind", cti.KindOf(err), "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Running, s.state.Err = len(s.wanted.done) > 0, err
}
