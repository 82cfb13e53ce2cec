package outbox

import "time"

// Shift moves the wall's clock of an outbox, as a person or a time server does. It must not run.
func (o *Outbox) Shift(by func() time.Duration) {
	o.clock.wall = func() time.Time { return time.Now().Add(by()) }
	o.clock.ahead = o.clock.difference()
}

// EntrySize, LaneSize: what one item costs.
var MaxList = maxList
