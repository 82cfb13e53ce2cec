// Command peers measures what one durable enqueue costs, beside the least there is (append and fdatasync) and beside two engines that others
// use for such queues, in one run and taking turns, so that the machine's moods hit all alike.
package main

import (
	"crypto/rand"
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
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

type contestant struct {
	name  string
	open  func(dir string) (engine, error)
	e     engine
	times []float64 // milliseconds
}

// turn puts one record and notes how long it took.
func (c *contestant) turn(record []byte) error {
	began := time.Now()
	if err := c.e.put(record); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.times = append(c.times, float64(time.Since(began).Microseconds())/1000)
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
