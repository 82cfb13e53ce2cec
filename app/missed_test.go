package app

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

// history is a phone's memory in a bubble.
type history struct {
	*missed
	mu     sync.Mutex
	asked  []time.Time
	booked []cti.Event
	err    error
}

// seen gives what happened so far, and what will be answered from now on.
func (h *history) seen(err error) (asked, booked int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	return len(h.asked), len(h.booked)
}

func newHistory(since time.Time) *history {
	h := &history{}
	h.missed = &missed{since: since, log: slog.New(slog.DiscardHandler), book: func(_ context.Context, e cti.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.booked = append(h.booked, e)
	},
		history: func(_ context.Context, since time.Time) ([]cti.Event, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.asked = append(h.asked, since)
			return []cti.Event{{Type: cti.Cleared}}, h.err
		}}
	return h
}

func (h *history) phone(t cti.EventType) {
	h.heard(context.Background(), cti.Event{Type: t, At: time.Now()})
}

// Fault 49: the history of the phone.
func TestMissedCallsAreAskedForOnceWhenThePhoneIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := time.Now().Add(-time.Hour)
		h := newHistory(away)
		h.phone(cti.SourceUp)
		if len(h.asked) != 1 || !h.asked[0].Equal(away.Add(-historyMargin)) || len(h.booked) != 1 || !h.booked[0].Past {
			t.Fatalf("asked %v, booked %+v; want once, from a minute before, as the past", h.asked, h.booked)
		}
		h.phone(cti.SourceUp)
		if len(h.asked) != 1 {
			t.Error("it was asked again though nothing was missed")
		}
		down := time.Now()
		h.phone(cti.SourceDown)
		time.Sleep(time.Minute) //nolint:forbidigo // fake time
		h.phone(cti.SourceDown)
		h.phone(cti.SourceUp)
		if len(h.asked) != 2 || !h.asked[1].Equal(down.Add(-historyMargin)) {
			t.Errorf("asked %v, want since the first break", h.asked)
		}
	})
}

// On a first run there is nothing to compare with: the phone's whole history is not ours to record.
func TestTheFirstRunAsksForNothing(t *testing.T) {
	h := newHistory(time.Time{})
	h.phone(cti.SourceUp)
	if len(h.asked) != 0 {
		t.Errorf("asked since %v", h.asked)
	}
}

func TestMissedCallsReachBackAWeekAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(time.Now().Add(-90 * 24 * time.Hour))
		h.phone(cti.SourceUp)
		if want := time.Now().Add(-historyReach); len(h.asked) != 1 || !h.asked[0].Equal(want) {
			t.Errorf("asked since %v, want %v", h.asked, want)
		}
	})
}

func TestAPhoneThatCannotSayIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(time.Now())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.run(ctx) }()
		h.seen(cti.Errorf(cti.Offline, "not now", nil))
		h.phone(cti.SourceUp)
		time.Sleep(historyAgain + time.Second) //nolint:forbidigo // fake time
		synctest.Wait()
		if asked, booked := h.seen(nil); asked != 2 || booked != 0 {
			t.Fatalf("asked %d times, booked %d; want 2 and none", asked, booked)
		}
		time.Sleep(2 * historyAgain) //nolint:forbidigo // fake time
		synctest.Wait()
		if asked, booked := h.seen(nil); asked != 3 || booked != 1 {
			t.Errorf("asked %d times, booked %d; want 3 and the one", asked, booked)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
