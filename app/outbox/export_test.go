package outbox

import (
	"log/slog"
	"time"
)

// NewAt is New with a wall's clock that may jump.
func NewAt(wall func() time.Time, store Store, sender Sender, progress func(Progress), log *slog.Logger) (*Outbox, error) {
	return open(newClock(wall), store, sender, progress, log)
}
