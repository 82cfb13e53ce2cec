package running_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
)

var (
	backoff    = running.Backoff{First: time.Second, Most: 30 * time.Second, Proven: 10 * time.Second}
	errLost    = errors.New("lost")
	errRefused = errors.New("refused")
)

// pauses runs connections that end after these times with these errors.
func pauses(t *testing.T, ends ...error) (got []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := time.Now()
	backoff.Again(ctx, func(context.Context) (time.Duration, error) {
		if len(got) > 0 {
			if waited := time.Since(at); waited != got[len(got)-1] {
				t.Errorf("connected %v after the end, told was %v", waited, got[len(got)-1])
			}
		}
		if len(got) == len(ends) {
			cancel()
			return 0, errLost
		}
		if end := ends[len(got)]; end != nil {
			return 0, end
		}
		return backoff.Proven, errLost
	}, func(err error) bool { return errors.Is(err, errRefused) }, func(_ error, _, pause time.Duration) {
		at = time.Now()
		got = append(got, pause)
	})
	return got
}

func TestPausesGrowAndBeginAnewAfterAConnectionThatLived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := pauses(t, errLost, errLost, errLost, errLost, errLost, errLost, errLost, nil, errLost, errRefused)
		for i, seconds := range []int{1, 2, 4, 8, 16, 30, 30, 1, 2, 30} {
			longest := time.Duration(seconds) * time.Second
			if got[i] > longest || got[i] < max(backoff.First, longest*3/4) {
				t.Errorf("pause %d is %v, want at most %v and a quarter less at least: %v", i, got[i], longest, got)
			}
		}
	})
}

func TestTheEndOfTheContextEndsAPauseAndIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began, losses := time.Now(), 0
		lost := func(error, time.Duration, time.Duration) { losses++ }
		backoff.Again(ctx, func(context.Context) (time.Duration, error) { return 0, errLost }, nil, lost)
		if took := time.Since(began); took != 100*time.Millisecond || losses != 1 {
			t.Errorf("it took %v with %d losses", took, losses)
		}
	})
}

func TestEventsAreDeliveredInOrderUntilTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	queue := make(chan int, 5)
	for i := range 5 {
		queue <- i
	}
	var got []int
	running.Deliver(ctx, queue, func(i int) {
		if got = append(got, i); i == 2 {
			cancel()
		}
	})
	if !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("delivered %v, want 0 to 2", got)
	}
}

func TestASecondRunIsRefusedWhileTheFirstGoesOn(t *testing.T) {
	var o running.Once
	end, err := o.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Begin(); cti.KindOf(err) != cti.Conflict {
		t.Errorf("the second got %v", err)
	}
	if !o.Runs() {
		t.Error("it runs, and says that it does not")
	}
	end()
	if o.Runs() {
		t.Error("it runs no more, and says that it does")
	}
	if _, err := o.Begin(); err != nil {
		t.Errorf("after the first: %v", err)
	}
}
