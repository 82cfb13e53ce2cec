package outbox

import (
	"log/slog"
	"time"
)

// NewAt is New with a wall's clock that may jump, and with its jitter when random is set.
func NewAt(wall func() time.Time, random func() float64, store Store, sender Sender, progress func(Progress), log *slog.Logger) (*Outbox, error) {
	o, err := open(newClock(wall), store, sender, progress, log)
	if err == nil && random != nil {
		o.random = random
	}
	return o, err
}

// Age tells how long an item may have been in the CRM, as the outbox reckons just now.
func (o *Outbox) Age(it Item) time.Duration { return o.age(it) }
