package store_test

import (
	"os"
	"testing"

	"ringside.dev/ringside/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Child()
	m.Run()
}

// What Accept acknowledged is there after kill -9 at any moment; what was in flight may or may not be.
func TestKill_nothingAcknowledgedIsLost(t *testing.T) {
	rounds := 40
	switch {
	case testing.Short():
		rounds = 8
	case os.Getenv("RINGSIDE_SOAK") != "": // make soak
		rounds = 400
	}
	c := storetest.Kill(t, rounds, storetest.AfterAccept)
	t.Log(c)
	if c.Lost > 0 || c.Acknowledged < rounds || c.Stored < c.Acknowledged || c.Stored > c.Acknowledged+c.Rounds {
		t.Errorf("%s: want none lost, and at most one in flight at each kill", c)
	}
}

// A child that promises before it accepts must be found out, or the count above proves nothing.
func TestKill_findsABrokenPromise(t *testing.T) {
	c := storetest.Kill(t, 12, storetest.BeforeAccept)
	t.Log(c)
	if c.Lost == 0 {
		t.Errorf("%s: the loss was not seen", c)
	}
}
