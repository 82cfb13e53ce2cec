package identify

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// Record is a customer as the index keeps it: with what it is found by, and from when it is.
type Record struct {
	Customer cti.Customer `json:"customer"`
	Keys     []string     `json:"keys"`           // compare keys of its numbers
	Tails    []string     `json:"tails"`          // their last digits
	At       time.Time    `json:"at"`             // when the CRM said so
	Ours     bool         `json:"ours,omitempty"` // a person here made them, or gave them the number: the CRM may not show that yet
}

// Index keeps customers on this computer. It is a cache: what it loses is synchronised again, and an error means only that nothing was
// found, or kept. It may be called concurrently.
type Index interface {
	// Known gives the records that one of these finds. It is called while a phone rings.
	Known(keys, tails []string) ([]Record, error)
	// Keep adds records, or replaces those with the same customer.
	Keep(records []Record) error
	// Remove takes customers out.
	Remove(ids []string) error
	// RemoveBefore takes out whoever is from before a time, but for those who stay, and gives how many customers that were.
	RemoveBefore(at time.Time, stays func(cti.Customer) bool) (int, error)
	// Progress gives what SetProgress took last; the zero Progress when there is none.
	Progress() (Progress, error)
	// SetProgress keeps how far the synchronisation is.
	SetProgress(p Progress) error
	// Size tells how much is in it.
	Size() (Size, error)
	// Clear takes everything out.
	Clear() error
	// Vet checks what an earlier run left, if that is needed; until then nothing is found. It may take seconds.
	Vet() error
	// Close lets go of it.
	Close() error
}

// Progress is how far the synchronisation with the CRM is, kept so that it goes on after a kill.
type Progress struct {
	Cursor  string    `json:"cursor"`            // where the next page begins, in the CRM's own words
	Full    time.Time `json:"full,omitzero"`     // when the full synchronisation began that is not over yet
	Done    int       `json:"done,omitempty"`    // customers of it so far
	FullAt  time.Time `json:"full_at,omitzero"`  // when the last full one began that came to its end
	FreshAt time.Time `json:"fresh_at,omitzero"` // when the CRM was last asked what changed, and all of it is here
}

// Size is how much an index holds.
type Size struct {
	Customers int   `json:"customers"`
	Bytes     int64 `json:"bytes"`
}
