package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Faults 43 and 46: sleep, clocks set back, the end of summer time.
func TestASleepIsNoticedAndAClockSetBackIsNone(t *testing.T) {
	for _, test := range []struct {
		name string
		jump time.Duration
		want int
	}{
		{"no sleep", 0, 0}, {"a busy machine", 20 * time.Second, 0}, {"a night", 14 * time.Hour, 1},
		{"a clock set back a day", -24 * time.Hour, 0}, {"the end of summer time", -time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var jump atomic.Int64
			woke := 0
			ended := make(chan error, 1)
			go func() {
				ended <- watchSleep(ctx, func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }, func() { woke++ }, slog.New(slog.DiscardHandler))
			}()
			time.Sleep(time.Minute) //nolint:forbidigo // fake time
			jump.Store(int64(test.jump))
			time.Sleep(time.Minute) //nolint:forbidigo // fake time
			synctest.Wait()
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if woke != test.want {
				t.Errorf("%s: woke %d times, want %d", test.name, woke, test.want)
			}
		})
	}
}
