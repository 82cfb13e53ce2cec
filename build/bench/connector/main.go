// Command connector measures what the declarative engine costs and keeps, for make bench: its own time for a look-up beside code written by hand, ten
// thousand write-backs at a CRM's allowed rate beside the ideal time, and a thousand through a server that loses every third answer. It exits
// non-zero when a limit is not met.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
)

// The limits.
const (
	overheadLimit = 0.3  // ms, of p99 over that of code by hand that asks the same
	drainLimit    = 1.05 // of the ideal time
)

func main() { os.Exit(run()) }

func run() int {
	runs := flag.Int("runs", 5, "how many runs of the look-up; the best counts")
	lookups := flag.Int("lookups", 20_000, "look-ups in each run")
	writes := flag.Int("writes", 10_000, "write-backs at the allowed rate")
	rate := flag.Float64("rate", 50, "requests a second that the CRM allows")
	lost := flag.Int("lost", 1_000, "write-backs through the server that loses answers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *runs, *lookups, *writes, *rate, *lost); err != nil {
		fmt.Fprintln(os.Stderr, "connector:", err)
		return 1
	}
	return 0
}

func bench(ctx context.Context, runs, lookups, writes int, rate float64, lost int) error {
	var engine, hand []float64
	fmt.Printf("%-4s %20s %20s     (look-up without the network, ms, p50 / p99)\n", "run", "engine", "by hand")
	for i := range runs {
		r, err := overheadRun(ctx, lookups)
		if err != nil {
			return err
		}
		engine, hand = append(engine, r.engine.p99), append(hand, r.byHand.p99)
		fmt.Printf("%-4d %20s %20s\n", i+1, r.engine, r.byHand)
	}
	fmt.Println()
	good := judge("a look-up by expressions and mapping, p99 - the same by hand, ms", slices.Min(engine)-slices.Min(hand), overheadLimit)
	d, err := drainRun(ctx, writes, rate)
	if err != nil {
		return err
	}
	fmt.Printf("%d write-backs at %.0f a second: %s, ideally %s; %d requests refused in the first window, %d after it\n", writes, rate, d.took, d.ideal, d.refusedFirst, d.refusedLater)
	good = judge("time / ideal time", d.took.Seconds()/d.ideal.Seconds(), drainLimit) && good
	good = judge("requests refused after the first window", float64(d.refusedLater), 0) && good
	l, err := lostRun(ctx, lost)
	if err != nil {
		return err
	}
	fmt.Printf("%d write-backs, %d answers lost: %d records of %d keys in %s\n", lost, l.lost, l.records, l.keys, l.took)
	good = judge("records missing or too many", float64(max(lost-l.keys, l.keys-lost)+l.records-l.keys), 0) && good
	if !good {
		return fmt.Errorf("a limit is not met")
	}
	return nil
}

func judge(what string, got, limit float64) bool {
	verdict := "ok"
	if got > limit {
		verdict = "NOT MET"
	}
	fmt.Printf("%-70s %8.3f  (at most %.2f) %s\n", what, got, limit, verdict)
	return got <= limit
}

// spread is the median and the 99th percentile (nearest rank) of many times, milliseconds.
type spread struct{ p50, p99 float64 }

func spreadOf(values []float64) spread {
	slices.Sort(values)
	return spread{values[len(values)/2], values[(len(values)*99+99)/100-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.3f / %.3f", s.p50, s.p99) }
