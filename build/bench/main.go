// Command bench measures what make bench prints: each figure beside its yardstick from the same run, the best of five runs, since the
// machines it runs on are noisy. It exits non-zero when a limit is not met. Limits of time are judged here and nowhere else.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
)

// The limits of the pop: ratios to showing and painting an empty window.
const (
	popLimit  = 2.0
	fillLimit = 1.5
	rssLimit  = 40.0 // MB after memoryCalls
	// memoryCalls is twice the calls after which the live heap was measured to grow no more.
	memoryCalls = 3000
	// rssGrowth is the last hundred calls' median against that of the hundred before the middle. What stays of a call is its tombstone, some
	// 300 bytes for a day, and the collector's pace adds its share. Finished cards that were not put away showed as 1.5, tombstones
	// that held the whole call as 1.2.
	rssGrowth  = 1.1
	savedLimit = 100.0 // ms beyond the CRM's own answer
	hookLimit  = 3.0   // times a program that does nothing
	hookMost   = 50.0  // ms, p95: what a phone is kept from ringing
	chainCalls = 2000
)

func main() { os.Exit(run()) }

func run() int {
	runs := flag.Int("runs", 5, "how many runs; the best counts")
	n := flag.Int("n", 60, "pops in each run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *runs, *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func bench(ctx context.Context, runs, n int) error {
	var pops, fills []float64
	fmt.Printf("%-4s %16s %16s %7s %16s %16s %7s   (milliseconds, p50 / p99)\n", "run", "floor", "pop", "ratio", "fill", "CRM's own", "ratio")
	for i := range runs {
		r, err := popRun(ctx, n)
		if err != nil {
			return err
		}
		pops, fills = append(pops, r.popRatio()), append(fills, r.fillRatio())
		fmt.Printf("%-4d %16s %16s %7.2f %16s %16s %7.2f\n", i+1, r.floor, r.pop, r.popRatio(), r.fill, r.crm, r.fillRatio())
	}
	memory, err := memoryRun(ctx, memoryCalls)
	if err != nil {
		return err
	}
	saved, err := savedRun(ctx, 200)
	if err != nil {
		return err
	}
	fmt.Printf("wrap-up saved → readable in the CRM, online: %s ms; the CRM's own answers: %s ms\n", saved.readable, saved.crm)
	chain, err := chainRun(ctx, chainCalls)
	if err != nil {
		return err
	}
	fmt.Printf("phone rings → record readable in the CRM, whole chain, %d calls: %s ms; the CRM's own answers: %s ms\n", chainCalls, chain.readable, chain.crm)
	var ratios, hooks []float64
	for range runs {
		h, err := hookRun(ctx, 200)
		if err != nil {
			return err
		}
		fmt.Printf("a phone runs ringhook, p95: %.1f ms with an agent, %.1f ms without one; a program that does nothing: %.1f ms\n", h.running, h.away, h.empty)
		ratios, hooks = append(ratios, h.ratio()), append(hooks, h.worst())
	}
	fmt.Println()
	good := judge("event in → pop painted, customer cached, p99 / floor p99", slices.Min(pops), popLimit)
	good = judge("(event in → card filled p99 - the sandbox's own p99) / floor p99", slices.Min(fills), fillLimit) && good
	good = judge(fmt.Sprintf("RssAnon of ringctl run after %d calls, MB", memoryCalls), memory.after, rssLimit) && good
	good = judge("its growth over the second half of them, ratio", memory.growth, rssGrowth) && good
	good = judge("wrap-up saved → readable in the CRM p99 - its own answer p99, ms", saved.readable.p99-saved.crm.p99, savedLimit) && good
	good = judge(fmt.Sprintf("phone rings → record readable p99 - the CRM's own answer p99, %d calls, ms", chainCalls), chain.readable.p99-chain.crm.p99, savedLimit) && good
	good = judge("lost and duplicate records among them", float64(chain.lost+chain.duplicates), 0) && good
	good = judge("ringhook p95 / p95 of a program that does nothing", slices.Min(ratios), hookLimit) && good
	good = judge("ringhook p95, ms", slices.Min(hooks), hookMost) && good
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
	fmt.Printf("%-70s %8.2f  (at most %.2f) %s\n", what, got, limit, verdict)
	return got <= limit
}

// spread is the median and the 99th percentile (nearest rank) of many times.
type spread struct{ p50, p99 float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{sorted[len(sorted)/2], sorted[(len(sorted)*99+99)/100-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.1f / %.1f", s.p50, s.p99) }
