// Command peers measures what keeping a call costs, beside the least there is (append and fdatasync) and beside two engines that others use for
// such queues, in one run and taking turns, so that the machine's moods hit all alike. The best of several runs counts. It exits non-zero when
// a limit is not met.
package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// engine puts a record durably: it is flushed when put returns nil.
type engine interface {
	put(record []byte) error
	close() error
}

// recordSize is that of a usual item.
const recordSize = 1024

func main() {
	runs := flag.Int("runs", 5, "how many runs; the best counts")
	n := flag.Int("n", 1000, "records for each figure")
	many := flag.Int("many", 1_000_000, "the largest backlog")
	probe := flag.String("probe", "", "vet the store in this folder, as the agent's program does")
	flag.Parse()
	measure := func() error { return bench(*runs, *n, *many) }
	if *probe != "" {
		measure = func() error { return runProbe(*probe) }
	}
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func bench(runs, n, many int) error {
	dir, err := os.MkdirTemp("", "ringside-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	if err := peers(dir, n); err != nil {
		return err
	}
	good, err := storeFigures(dir, runs, n)
	if err != nil {
		return err
	}
	for _, figure := range []func() (bool, error){func() (bool, error) { return startFigures(dir, many) }, func() (bool, error) { return memoryFigure(dir) },
		func() (bool, error) { return customerFigures(dir) }} {
		ok, err := figure()
		if err != nil {
			return err
		}
		good = good && ok
	}
	if !good {
		return errors.New("a limit is not met")
	}
	return nil
}

// peers prints what others cost for one durable record, as multiples of the yardstick.
func peers(dir string, n int) error {
	yard, err := openRaw(dir)
	if err != nil {
		return err
	}
	all := []*contestant{{name: "append + fdatasync", e: yard}}
	for name, open := range map[string]func(string) (engine, error){"SQLite, WAL, synchronous=FULL": openSQLite, "NATS JetStream, sync always": openJetStream} {
		e, err := open(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, &contestant{name: name, e: e})
	}
	for range n {
		for _, c := range all {
			if err := c.turn(randomRecord()); err != nil {
				return err
			}
		}
	}
	fmt.Printf("one durable record of 1 KiB (milliseconds p50 / p99, and as multiples of the first)\n")
	for _, c := range all {
		fmt.Printf("  %-32s %7.3f / %7.3f   %5.2fx / %5.2fx\n", c.name, c.at(50), c.at(99), c.at(50)/all[0].at(50), c.at(99)/all[0].at(99))
		if err := c.e.close(); err != nil {
			return err
		}
	}
	return nil
}

// contestant is an engine with its times in milliseconds.
type contestant struct {
	name  string
	e     engine
	times []float64
}

// turn puts one record and notes how long it took.
func (c *contestant) turn(record []byte) error {
	began := time.Now()
	if err := c.e.put(record); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.times = append(c.times, time.Since(began).Seconds()*1000)
	return nil
}

func (c *contestant) at(share int) float64 {
	sorted := slices.Sorted(slices.Values(c.times))
	return sorted[(len(sorted)*share+99)/100-1]
}

func randomRecord() []byte {
	record := make([]byte, recordSize)
	_, _ = rand.Read(record) // never fails
	return record
}

func judge(what string, got, limit float64) bool {
	verdict := "ok"
	if got > limit {
		verdict = "NOT MET"
	}
	fmt.Printf("%-70s %8.2f  (at most %.2f) %s\n", what, got, limit, verdict)
	return got <= limit
}
