package identify

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// Nothing is an index and a memory of picks that keep nothing: callers are found in the CRM alone. It stands in where the disk refuses them, which
// is no reason not to take calls.
type Nothing struct{}

var (
	_ Index = Nothing{}
	_ Picks = Nothing{}
)

// Known implements Index.
func (Nothing) Known([]string, []string) ([]Record, error) { return nil, nil }

// Keep implements Index.
func (Nothing) Keep([]Record) error { return nil }

// Remove implements Index.
func (Nothing) Remove([]string) error { return nil }

// RemoveBefore implements Index.
func (Nothing) RemoveBefore(time.Time, func(cti.Customer) bool) (int, error) { return 0, nil }

// Progress implements Index.
func (Nothing) Progress() (Progress, error) { return Progress{}, nil }

// SetProgress implements Index.
func (Nothing) SetProgress(Progress) error { return nil }

// Size implements Index.
func (Nothing) Size() (Size, error) { return Size{}, nil }

// Clear implements Index.
func (Nothing) Clear() error { return nil }

// Vet implements Index.
func (Nothing) Vet() error { return nil }

// Close implements Index.
func (Nothing) Close() error { return nil }

// Pick implements Picks.
func (Nothing) Pick(string) string { return "" }

// Remember implements Picks.
func (Nothing) Remember(string, string) error { return nil }

// Forget implements Picks.
func (Nothing) Forget(string) error { return nil }
