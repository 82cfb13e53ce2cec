package outbox

import "time"

// clock tells two times. Its own runs from the start of the program and never jumps: by it things become due. The wall's is written
// down, and may jump at any moment.
type clock struct {
	start time.Time
	wall  func() time.Time
	ahead time.Duration // of the wall before ours, when last compared
}

// leap is the difference between the two clocks that is taken for a jump: corrections by the network's time are smaller.
const leap = 5 * time.Second

func newClock(wall func() time.Time) clock {
	c := clock{start: time.Now(), wall: wall}
	c.ahead = c.difference()
	return c
}

// now is the time by which things are due.
func (c *clock) now() time.Duration { return time.Since(c.start) }

// today is the time to write down.
func (c *clock) today() time.Time { return c.wall().Round(0).UTC() }

// at gives the wall's time for one of ours.
func (c *clock) at(t time.Duration) time.Time { return c.today().Add(t - c.now()) }

func (c *clock) difference() time.Duration { return c.today().Sub(c.start.Round(0)) - c.now() }

// jumped tells by how much the wall's clock was moved since this was asked last, or how long the computer slept; else 0.
func (c *clock) jumped() time.Duration {
	d := c.difference() - c.ahead
	if d.Abs() < leap {
		return 0
	}
	c.ahead += d
	return d
}
