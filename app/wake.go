package app

import (
	"context"
	"log/slog"
	"time"
)

// The signs of a sleep: a timer that should have come after wakeEvery came more than wakeAfter later by the wall clock. A clock that
// was set forward looks the same, and what follows harms nobody.
const (
	wakeEvery = 5 * time.Second
	wakeAfter = 30 * time.Second
)

// watchSleep tells woke whenever the computer was asleep: connections that look alive are dead then, and what waited for the network
// need not wait any longer. It returns when ctx ends.
func watchSleep(ctx context.Context, now func() time.Time, woke func(), log *slog.Logger) error {
	tick := time.NewTicker(wakeEvery)
	defer tick.Stop()
	last := now().Round(0) // by the wall clock
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			is := now().Round(0)
			if asleep := is.Sub(last) - wakeEvery; asleep > wakeAfter {
				log.Info("the computer was asleep", "seconds", int(asleep.Seconds()))
				woke()
			}
			last = is
		}
	}
}
