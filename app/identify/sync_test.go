package identify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
)

// feed is a CRM that gives its customers two at a time; its cursor is how many changes were told.
type feed struct {
	mu      sync.Mutex
	changes []any // a cti.Customer, or the id of one who was deleted
	asked   []string
	fail    func(cursor string) error
}

// pages gives from where the CRM was asked since the last time.
func (f *feed) pages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

func (f *feed) failing(fail func(cursor string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *feed) page(_ context.Context, cursor string) (cti.CustomerPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, cursor)
	if f.fail != nil {
		if err := f.fail(cursor); err != nil {
			return cti.CustomerPage{}, err
		}
	}
	at := 0
	if _, err := fmt.Sscan(cursor, &at); err != nil && cursor != "" {
		return cti.CustomerPage{}, cti.Errorf(cti.Invalid, "unknown cursor", err)
	}
	at = min(at, len(f.changes))
	end := min(at+2, len(f.changes))
	page := cti.CustomerPage{Cursor: fmt.Sprint(end), More: end < len(f.changes)}
	for _, change := range f.changes[at:end] {
		switch c := change.(type) {
		case cti.Customer:
			page.Customers = append(page.Customers, c)
		case string:
			page.Deleted = append(page.Deleted, c)
		}
	}
	return page, nil
}

// sync runs a synchronisation while the test does something with it.
func (r *rig) sync(f *feed, then func(*identify.Sync)) {
	r.t.Helper()
	s := identify.NewSync(identify.SyncConfig{Index: r.index, Changes: f.page, Plan: shanghai, Every: time.Hour, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	then(s)
	cancel()
	must(r.t, <-done)
}

func now(t *testing.T, full bool) func(*identify.Sync) {
	return func(s *identify.Sync) { must(t, <-s.Start(full)) }
}

func (r *rig) knows(raw string) []string { return ids(r.finder.Cached(shanghai.Parse(raw))) }

func numbered(i int) string { return fmt.Sprintf("138001380%02d", i) }

func people(n int) *feed {
	f := &feed{}
	for i := range n {
		f.changes = append(f.changes, person(fmt.Sprint("c", i), numbered(i)))
	}
	return f
}

func TestEverybodyIsReadOnceAndThenWhatChanged(t *testing.T) {
	r, f := newRig(t), people(5)
	r.sync(f, func(s *identify.Sync) {
		now(t, false)(s)
		if asked, want := f.pages(), []string{"", "2", "4"}; !slices.Equal(asked, want) {
			t.Errorf("asked from %q, want %q", asked, want)
		}
		f.changes = append(f.changes, person("c1", "13900139000"), "c2")
		now(t, false)(s)
		if state := s.State(); state.Running || state.Err != nil || state.FullAt.IsZero() || time.Since(state.FreshAt) > time.Minute {
			t.Errorf("state %+v", state)
		}
	})
	for raw, want := range map[string][]string{numbered(0): {"c0"}, numbered(1): nil, "13900139000": {"c1"}, numbered(2): nil, numbered(4): {"c4"}} {
		if got := r.knows(raw); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", raw, got, want)
		}
	}
}

// The agent was killed in the middle: the next one goes on with the page that was not kept.
func TestASynchronisationGoesOnAfterAKill(t *testing.T) {
	r, f := newRig(t), people(7)
	f.fail = func(cursor string) error {
		if cursor == "4" {
			return cti.Errorf(cti.Offline, "the cable", nil)
		}
		return nil
	}
	r.sync(f, func(s *identify.Sync) {
		if err := <-s.Start(false); cti.KindOf(err) != cti.Offline {
			t.Errorf("the CRM is gone and the synchronisation says %v", err)
		}
	})
	p, err := r.index.Progress()
	if err != nil || p.Cursor != "4" || p.Full.IsZero() || p.Done != 4 || !p.FullAt.IsZero() {
		t.Fatalf("kept is %+v, %v", p, err)
	}
	f.fail, f.asked = nil, nil
	r.sync(f, now(t, false))
	if want := []string{"4", "6"}; !slices.Equal(f.asked, want) {
		t.Errorf("it went on from %q, want %q", f.asked, want)
	}
	if got := r.knows(numbered(0)); !slices.Equal(got, []string{"c0"}) {
		t.Errorf("who was read before the kill is %v", got)
	}
}

// A deletion that the CRM never told is seen when everybody is read again.
func TestWhoIsNotInAFullSynchronisationIsGone(t *testing.T) {
	r, f := newRig(t), people(4)
	r.sync(f, now(t, false))
	f.changes = f.changes[:3]
	made := person(cti.NewCustomerID("leg", "key"), "13700137000") // made here, not in the CRM yet
	r.finder.Added(made)
	f.asked = nil
	r.sync(f, now(t, true))
	if !slices.Contains(f.asked, "") {
		t.Errorf("asked from %q, want all of it again", f.asked)
	}
	if got := r.knows("13700137000"); !slices.Equal(got, []string{made.ID}) {
		t.Errorf("a customer on their way to the CRM is %v after it", got)
	}
	if gone, left := r.knows(numbered(3)), r.knows(numbered(2)); len(gone) != 0 || len(left) != 1 {
		t.Errorf("known are %v and %v", gone, left)
	}
}

func TestAForgottenCursorBeginsAgain(t *testing.T) {
	r, f := newRig(t), people(3)
	must(t, r.index.SetProgress(identify.Progress{Cursor: "of last year", FullAt: time.Now()}))
	r.sync(f, now(t, false))
	if got := r.knows(numbered(2)); !slices.Equal(got, []string{"c2"}) || f.asked[0] != "of last year" || f.asked[1] != "" {
		t.Errorf("asked from %q, known %v", f.asked, got)
	}
}

func TestAFailedSynchronisationKeepsWhatIsKnown(t *testing.T) {
	r, f := newRig(t), people(3)
	r.sync(f, now(t, false))
	f.fail = func(string) error { return errors.New("broken") }
	r.sync(f, func(s *identify.Sync) {
		if err := <-s.Start(true); err == nil || s.State().Err == nil {
			t.Error("no error is told")
		}
	})
	if got := r.knows(numbered(0)); !slices.Equal(got, []string{"c0"}) {
		t.Errorf("known %v", got)
	}
}

// Nobody has to ask: it begins by itself, soon, and goes on as often as the site says; after a failure sooner.
func TestItSynchronisesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := newRig(t), people(3)
		s := identify.NewSync(identify.SyncConfig{Index: r.index, Changes: f.page, Plan: shanghai, Every: time.Hour, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		after := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d) //nolint:forbidigo // fake time
			synctest.Wait()
			if asked := f.pages(); !slices.Equal(asked, want) {
				t.Errorf("asked from %q, want %q", asked, want)
			}
		}
		after(4 * time.Second)
		after(27*time.Second, "", "2")
		after(time.Hour, "3")
		f.failing(func(string) error { return cti.Errorf(cti.Limited, "not now", nil) })
		after(time.Hour, "3")
		f.failing(nil)
		after(time.Minute, "3")
		time.Sleep(24 * time.Hour) //nolint:forbidigo // fake time
		synctest.Wait()
		asked := f.pages()
		if full := len(slices.DeleteFunc(slices.Clone(asked), func(cursor string) bool { return cursor != "" })); full != 1 || len(asked) < 24 {
			t.Errorf("in a day everybody was read %d times in %d pages, want once", full, len(asked))
		}
		cancel()
		must(t, <-done)
	})
}
