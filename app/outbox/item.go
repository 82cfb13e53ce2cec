// Package outbox brings write-backs to the CRM: each one durable before it is sent, in order within its lane, tried again until the
// CRM has it or a person must decide. Exactly once in effect rests on keys that never change and operations that may be repeated.
// It must not know how things are stored (Store) or how a CRM is spoken to (Sender).
package outbox

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// State is where an item stands. "Sending" exists in memory only: after a crash a sent item is simply sent again, with its key.
type State string

// The states.
const (
	// Queued: in: accepted with its call in one transaction, or edited, or retried by a person. Out: sent when it is due and
	// first in its lane. A crash leaves it queued.
	Queued State = "queued"
	// Retry: in: a failure that passes. Out: sent again when due. A crash leaves it with its due time.
	Retry State = "retry"
	// Review: in: a failure that does not pass, or nobody knows whose call it was. Out: a person retries, edits or picks.
	// A crash leaves it. Its lane goes on: calls do not depend on each other.
	Review State = "review"
	// Done: in: the CRM confirmed it, or an update with its key took its place before that (then there is no receipt). Out: never.
	// A crash between the CRM's answer and this leaves the item as it was, and it is sent again with the same key.
	Done State = "done"
)

// Item is one write-back on its way.
type Item struct {
	Seq       uint64        `json:"seq"` // its place in the order; given by the store, never reused
	Lane      string        `json:"lane"`
	State     State         `json:"state"`
	WriteBack cti.WriteBack `json:"write_back"`
	CreatedAt time.Time     `json:"created_at"`
	Due       time.Time     `json:"due,omitzero"`
	Attempts  int           `json:"attempts"` // those that count against the item: waiting for a limit or a sign-in does not
	Tries     []Try         `json:"tries,omitempty"`
	Receipt   cti.Receipt   `json:"receipt,omitzero"`
	DoneAt    time.Time     `json:"done_at,omitzero"`
}

// Try is one attempt that failed, kept with the item for the person who looks into it.
type Try struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took"`
	Kind    cti.Kind      `json:"kind"`
	Message string        `json:"message"`
}

// maxTries is how many failed attempts are kept with an item: the newest.
const maxTries = 10

// LastTry gives the newest failure, if there is one.
func (it Item) LastTry() Try {
	if len(it.Tries) == 0 {
		return Try{}
	}
	return it.Tries[len(it.Tries)-1]
}

func (it Item) open() bool { return it.State == Queued || it.State == Retry }

// replaced is an item whose update took its place.
func (it Item) replaced() Item {
	it.State, it.DoneAt = Done, time.Now().UTC()
	return it
}

// failed books a failure: the policy decides the state, the due time and whether it counts.
func (it Item) failed(v verdict, t Try) Item {
	it.State = v.state
	it.Due = t.At.Add(t.Took + v.wait) // from the answer on
	if v.counts {
		it.Attempts++
	}
	it.Tries = append(it.Tries[:len(it.Tries):len(it.Tries)], t)
	if extra := len(it.Tries) - maxTries; extra > 0 {
		it.Tries = it.Tries[extra:]
	}
	return it
}
