package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

func TestEveryKindHasItsState(t *testing.T) {
	for _, test := range []struct {
		kind   cti.Kind
		state  outbox.State
		counts bool
	}{
		{cti.Invalid, outbox.Review, true},
		{cti.NotFound, outbox.Review, true},
		{cti.Conflict, outbox.Review, true},
		{cti.Denied, outbox.Review, true},
		{cti.Limited, outbox.Queued, false},
		{cti.Auth, outbox.Queued, false},
		{cti.Offline, outbox.Retry, true},
		{cti.Uncertain, outbox.Retry, true},
		{cti.Internal, outbox.Retry, true},
		{"made up", outbox.Retry, true},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.answer(fail(test.kind))
				r.accept("a", "1")
				r.run()
				it := r.only()
				attempts, kind := 0, cti.Kind("")
				if test.counts {
					attempts, kind = 1, test.kind
				}
				if it.State != test.state || it.Attempts != attempts || len(it.Tries) != attempts || it.LastTry().Kind != kind {
					t.Errorf("state %q, %d attempts, tries %+v; want %q, %d", it.State, it.Attempts, it.Tries, test.state, attempts)
				}
				if stored := r.store.items[it.Seq]; stored.State != it.State || stored.Attempts != attempts {
					t.Errorf("the store has %+v", stored)
				}
			})
		})
	}
}

func TestRetryWaitsWithinTheCurveAndItsCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Offline))
		r.accept("a", "1")
		r.run()
		longest := time.Duration(0)
		for attempt := 1; attempt <= 60; attempt++ {
			it := r.only()
			if it.Attempts != attempt || len(it.Tries) != min(attempt, 10) {
				t.Fatalf("%d attempts with %d tries, want %d with the newest ten", it.Attempts, len(it.Tries), attempt)
			}
			window := 15 * time.Minute
			if attempt <= 10 {
				window = min(window, time.Second<<(attempt-1))
			}
			wait := time.Until(it.Due)
			if wait < 0 || wait > window {
				t.Fatalf("after attempt %d it waits %v, want at most %v", attempt, wait, window)
			}
			longest = max(longest, wait)
			pass(wait)
		}
		if longest < 5*time.Minute {
			t.Errorf("the longest of 60 waits was %v: the jitter is not full", longest)
		}
	})
}

// Two items with the same history must not come back at the same moment: that is what jitter is for.
func TestRetryWaitsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Offline))
		for _, lane := range []string{"1", "2", "3", "4", "5"} {
			r.accept("key "+lane, lane)
		}
		r.run()
		due := map[time.Time]bool{}
		for _, it := range r.unfinished() {
			due[it.Due] = true
		}
		if len(due) < 4 {
			t.Errorf("%d different due times of 5", len(due))
		}
	})
}

func TestLimitedAndAuthPauseEverything(t *testing.T) {
	for _, test := range []struct {
		name string
		err  *cti.Error
		wait time.Duration
	}{
		{"limited, no time named", fail(cti.Limited), 5 * time.Second},
		{"limited, Retry-After", &cti.Error{Kind: cti.Limited, RetryAfter: 17 * time.Minute}, 17 * time.Minute},
		{"auth, no time named", fail(cti.Auth), 30 * time.Second},
		{"auth, Retry-After", &cti.Error{Kind: cti.Auth, RetryAfter: time.Minute}, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.answer(test.err)
				r.accept("a", "1")
				r.run()
				r.answer(nil)
				r.accept("b", "2") // another lane waits as well
				pass(test.wait - time.Millisecond)
				if sent := r.sentKeys(); len(sent) != 1 {
					t.Fatalf("sent %v within the pause", sent)
				}
				pass(time.Millisecond)
				if sent := r.sentKeys(); len(sent) != 3 {
					t.Errorf("sent %v after the pause, want both", sent)
				}
				if it := r.store.items[1]; it.Attempts != 0 {
					t.Errorf("the pause cost %d attempts", it.Attempts)
				}
			})
		})
	}
}

func TestRetryAfterOfAFailureIsObeyed_fromTheAnswerOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		began := time.Now()
		r.sender.send = func() error {
			if r.sent() == 1 {
				time.Sleep(20 * time.Second) //nolint:forbidigo // fake time: a slow answer
				return &cti.Error{Kind: cti.Offline, RetryAfter: 10 * time.Second}
			}
			return nil
		}
		r.accept("a", "1")
		r.run()
		r.settled()
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("delivered after %v, want the 20 s of the answer and the 10 s it asked for", took)
		}
	})
}

func TestSuccessMakesOfflineItemsDue(t *testing.T) {
	for kind, back := range map[cti.Kind]bool{cti.Offline: true, cti.Uncertain: true, cti.Internal: false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.waiting("a", "1", kind, 10*time.Minute)
			r.run()
			r.accept("b", "2")
			if got := len(r.unfinished()) == 0; got != back {
				t.Errorf("%s: due at once %v, want %v", kind, got, back)
			}
		})
	}
}
