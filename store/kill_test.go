package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ringside.dev/ringside/store/storetest"
)

// What was acknowledged is there after kill -9 at any moment, in the order and in the version that was acknowledged; what was in flight may or
// may not be. Kills hit the first creation, work, compaction and the rebuild after the index was cut.
//
// Faults 1, 2 and 3: kills at any time, in a compaction, in the first creation.
func TestKill_nothingAcknowledgedIsLost(t *testing.T) {
	rounds := 200
	switch n, err := strconv.Atoi(os.Getenv("RINGSIDE_KILL_ROUNDS")); {
	case err == nil && n > 0:
		rounds = n
	case testing.Short():
		rounds = 10
	case os.Getenv("RINGSIDE_SOAK") != "": // make soak
		rounds = 2000
	}
	c := storetest.Kill(t, storetest.Killing{Rounds: rounds, Promise: storetest.Honest, Harm: cutIndex})
	t.Log(c)
	t.Logf("fault run: %d items, %d lost, %d duplicates, %d reordered", c.Acknowledged, c.Lost, c.Resurrected, c.Wrong)
	if c.Lost+c.Resurrected+c.Wrong > 0 || c.Acknowledged < rounds*10 || c.Items == 0 {
		t.Errorf("%s: want none, and enough of them to tell", c)
	}
}

// cutIndex destroys the index, if there is one.
func cutIndex(dir string) error {
	err := os.Truncate(filepath.Join(dir, "outbox.db"), 10_000)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func TestKill_inTheMigrationLosesNothing(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	c := storetest.Kill(t, storetest.Killing{Rounds: rounds, Promise: storetest.Honest, Seed: func(dir string) error {
		schema1(t, dir)
		return nil
	}})
	t.Log(c)
	if c.Lost+c.Resurrected+c.Wrong > 0 || c.Items < 3*rounds {
		t.Errorf("%s: want none, and the four items of schema 1 in each", c)
	}
}

// A child that promises before it accepts must be found out, or the count above proves nothing.
func TestKill_findsABrokenPromise(t *testing.T) {
	c := storetest.Kill(t, storetest.Killing{Rounds: 60, Promise: storetest.BeforeAccept})
	t.Log(c)
	if c.Lost == 0 {
		t.Errorf("%s: the loss was not seen", c)
	}
}

// So must one that says that items are done, which then wait again.
func TestKill_findsWhatRisesFromTheDead(t *testing.T) {
	c := storetest.Kill(t, storetest.Killing{Rounds: 5, Promise: storetest.NeverDone})
	t.Log(c)
	if c.Resurrected == 0 {
		t.Errorf("%s: the resurrection was not seen", c)
	}
}
