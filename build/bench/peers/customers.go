package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/store/customers"
	"ringside.dev/ringside/store/storetest"
)

// The limits of the customers on this computer.
const (
	indexed          = 200_000 // customers, as many as are kept
	indexPage        = 200     // of one answer of the CRM
	knownLimit       = 2.0     // milliseconds, p99, from a parsed number to the records while others are being kept
	transactionLimit = 50.0    // milliseconds, the longest
)

// customerFigures fills the index as a synchronisation does, and looks numbers up meanwhile as a ringing phone does.
func customerFigures(dir string) (bool, error) {
	fmt.Printf("\ncustomers on this computer\n")
	x, err := customers.Open(customers.Options{Path: filepath.Join(dir, customers.FileName), Keys: storetest.Keys(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return false, err
	}
	plan := &number.Plan{Region: "CN"}
	var filled atomic.Int64
	failed := make(chan error, 1)
	began := time.Now()
	go func() { failed <- fillIndex(x, plan, &filled) }()
	times, err := lookUpMeanwhile(x, plan, &filled, failed)
	took := time.Since(began)
	if err != nil {
		return false, err
	}
	slices.Sort(times)
	size, err := x.Size()
	if err != nil {
		return false, err
	}
	fmt.Printf("  %d kept in %v, %.0f MB; %d look-ups meanwhile, p50 %.3f ms, the longest %.3f ms\n", size.Customers, took.Round(time.Millisecond),
		float64(size.Bytes)/1e6, len(times), times[len(times)/2], times[len(times)-1])
	good := judge(fmt.Sprintf("look-up among %d while they are kept, ms p99", indexed), times[len(times)*99/100], knownLimit)
	good = judge("longest transaction of it, ms", float64(x.Longest().Microseconds())/1000, transactionLimit) && good
	return good, x.Close()
}

func someone(i int) cti.Customer {
	return cti.Customer{ID: fmt.Sprintf("c%06d", i), Type: "contact", Name: "Customer of the bench", Company: "A company with a long name", Owner: "Lin Yue",
		Numbers: []string{fmt.Sprintf("138%08d", i), fmt.Sprintf("021-6%07d", i)}, Tags: []string{"VIP"}}
}

func fillIndex(x *customers.Index, plan *number.Plan, filled *atomic.Int64) error {
	for at := 0; at < indexed; at += indexPage {
		var page []identify.Record
		for i := range indexPage {
			page = append(page, identify.NewRecord(someone(at+i), time.Now().UTC(), plan))
		}
		if err := x.Keep(page); err != nil {
			return err
		}
		filled.Store(int64(at + indexPage))
	}
	return nil
}

// lookUpMeanwhile gives the milliseconds of each look-up until the index is full.
func lookUpMeanwhile(x *customers.Index, plan *number.Plan, filled *atomic.Int64, failed <-chan error) ([]float64, error) {
	var times []float64
	for i := 0; ; i++ {
		select {
		case err := <-failed:
			return times, err
		default:
		}
		there := filled.Load()
		if there == 0 {
			continue
		}
		n := plan.Parse(fmt.Sprintf("138%08d", int64(i*7919)%there))
		began := time.Now()
		found, err := x.Known([]string{n.Key}, []string{n.Key[len(n.Key)-8:]})
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("a customer who was kept is not found: %w", err)
		}
		times = append(times, time.Since(began).Seconds()*1000)
		time.Sleep(2 * time.Millisecond) // phones do not ring without end
	}
}
