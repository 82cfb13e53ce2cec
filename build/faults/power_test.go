package faults

import (
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// storeWork runs the store on a new disk until it has said so much, and gives what happened.
func storeWork(t *testing.T, mode string, notes int) simfs.Log {
	t.Helper()
	f := newDisk(t, "")
	p := start(t, f, "store", mode)
	p.said(t, f, 0, notes)
	p.kill()
	return f.Log()
}

// storeCuts cuts the power and wants nothing lost.
func storeCuts(t *testing.T, c campaign) tally {
	t.Helper()
	c.judge, c.images = "store", c.images*soak()
	if len(c.losses) == 0 {
		c.losses = allLosses
	}
	sum := c.run(t, false)
	t.Logf("seed %#x: %s", seed, sum)
	if sum.Bad > 0 {
		t.Errorf("%d of %d images are bad", sum.Bad, sum.Images)
	}
	if sum.Said == 0 {
		t.Error("nothing was checked")
	}
	return sum
}

func TestPower_steadyWork(t *testing.T) {
	l := storeWork(t, "", 1200)
	storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 60})
}
