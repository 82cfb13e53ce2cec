package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// The limits of keeping a call, as multiples of an append with fdatasync in the same run; seconds for the rest.
const (
	enqueueP50Limit = 5.0
	enqueueP99Limit = 6.0
	ackLimit        = 1.5
	burstLimit      = 1.0 // 10,000 at once
	drainedLimit    = 1.5 // the cost after a drain, as a multiple of that of an empty store
	drainedWithin   = time.Minute
	startLimit      = 1.0 // 100,000 waiting, with the full check
	startManyLimit  = 5.0 // 1,000,000
)

// backlogs are the numbers of waiting items at which the cost is measured.
var backlogs = []int{0, 10_000, 100_000}

func options(dir string) store.Options {
	self, err := os.Executable()
	if err != nil {
		return store.Options{Dir: dir, Keys: storetest.Keys()}
	}
	return store.Options{Dir: dir, Keys: storetest.Keys(), Probe: []string{self, "-probe"}}
}

func runProbe(dir string) error { return store.RunProbe(dir, os.Stdin) }

// cost is one figure as a multiple of the yardstick; the best of several counts.
type cost struct{ ack, p50, p99 float64 }

func costOf(e storetest.Enqueue) cost {
	ratio := func(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
	return cost{ratio(e.Ack.P50, e.Raw.P50), ratio(e.Settled.P50, e.Raw.P50), ratio(e.Settled.P99, e.Raw.P99)}
}

func (c cost) best(o cost) cost { return cost{min(c.ack, o.ack), min(c.p50, o.p50), min(c.p99, o.p99)} }

// measure gives the best of some runs in a store with a backlog.
func measure(s *store.Store, dir string, what string, runs, n int) (cost, error) {
	var best cost
	for i := range runs {
		e, err := storetest.MeasureEnqueue(s, dir, n)
		if err != nil {
			return best, err
		}
		fmt.Printf("  %-28s %s\n", what, e)
		if c := costOf(e); i == 0 {
			best = c
		} else {
			best = best.best(c)
		}
	}
	return best, nil
}

// storeFigures measures enqueue at several backlogs, a burst, and the cost after a drain.
func storeFigures(dir string, runs, n int) (good bool, err error) {
	path := filepath.Join(dir, "store")
	s, err := store.Open(options(path))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Printf("\nkeeping a call: acknowledged after the journal; with the index, at a backlog\n")
	good = true
	var empty, worst cost
	grown := 0
	for _, backlog := range backlogs {
		if err := storetest.Grow(s, grown, backlog-grown); err != nil {
			return false, err
		}
		grown = backlog
		c, err := measure(s, dir, fmt.Sprintf("%d waiting", backlog), runs, n)
		if err != nil {
			return false, err
		}
		if backlog == 0 {
			empty = c
		}
		worst = cost{max(worst.ack, c.ack), max(worst.p50, c.p50), max(worst.p99, c.p99)}
	}
	burst, err := bursts(s, runs)
	if err != nil {
		return false, err
	}
	drained, err := afterDrain(s, dir, n, empty.p50*drainedLimit)
	if err != nil {
		return false, err
	}
	fmt.Println()
	for _, ok := range []bool{
		judge("acknowledgement p50 / append + fdatasync p50, worst backlog", worst.ack, ackLimit),
		judge("journal and index p50 / append + fdatasync p50, worst backlog", worst.p50, enqueueP50Limit),
		judge("journal and index p99 / append + fdatasync p99, worst backlog", worst.p99, enqueueP99Limit),
		judge("burst of 10,000, seconds", burst.Seconds(), burstLimit),
		judge("cost within 60 s after draining the backlog / cost of an empty store", drained/empty.p50, drainedLimit),
	} {
		good = good && ok
	}
	return good, nil
}

func bursts(s *store.Store, runs int) (best time.Duration, err error) {
	for i := range runs {
		took, err := storetest.Burst(s, 10_000)
		if err != nil {
			return 0, err
		}
		fmt.Printf("  burst of 10,000              %v\n", took)
		if i == 0 || took < best {
			best = took
		}
	}
	return best, s.Settle()
}

// afterDrain delivers everything and measures until the cost is back, a minute at most.
func afterDrain(s *store.Store, dir string, n int, wanted float64) (float64, error) {
	began := time.Now()
	count, err := storetest.Drain(s)
	if err != nil {
		return 0, err
	}
	fmt.Printf("  drained %d in %v\n", count, time.Since(began).Round(time.Millisecond))
	drained := time.Now()
	for {
		c, err := measure(s, dir, fmt.Sprintf("%v after the drain", time.Since(drained).Round(time.Second)), 1, n)
		if err != nil || c.p50 <= wanted || time.Since(drained) > drainedWithin {
			return c.p50, err
		}
		time.Sleep(3 * time.Second) // idle, which is when the store tidies up
	}
}

// startFigures measures the start after a kill, with the full check, with a hundred thousand and with many items waiting.
func startFigures(dir string, many int) (bool, error) {
	fmt.Printf("\nstart after a kill, with the full check\n")
	good := true
	for _, size := range []struct {
		items int
		limit float64
	}{{100_000, startLimit}, {many, startManyLimit}} {
		took, err := startAt(filepath.Join(dir, fmt.Sprint("start", size.items)), size.items)
		if err != nil {
			return false, err
		}
		good = judge(fmt.Sprintf("start with %d waiting, seconds, best of 5", size.items), took.Seconds(), size.limit) && good
	}
	return good, nil
}

// startAt fills a store, leaves a copy of it as a kill would, and opens that.
func startAt(path string, items int) (best time.Duration, err error) {
	s, err := store.Open(options(path))
	if err != nil {
		return 0, err
	}
	if err := storetest.Grow(s, 0, items); err != nil {
		return 0, errors.Join(err, s.Close())
	}
	defer func() { err = errors.Join(err, s.Close(), os.RemoveAll(path)) }()
	for i := range 5 {
		killed := path + "-killed"
		if err := os.CopyFS(killed, os.DirFS(path)); err != nil {
			return 0, err
		}
		opened, took, n, err := storetest.Start(options(killed))
		if err != nil {
			return 0, err
		}
		if n != items {
			err = fmt.Errorf("%d of %d items are there", n, items)
		}
		fmt.Printf("  %d waiting: %v\n", n, took.Round(time.Millisecond))
		if i == 0 || took < best {
			best = took
		}
		if failed := errors.Join(err, opened.Close(), os.RemoveAll(killed)); failed != nil {
			return 0, failed
		}
	}
	return best, nil
}
