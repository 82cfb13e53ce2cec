// Package outbox brings write-backs to the CRM: each one durable before it is sent, in order within its lane, tried again until the
// CRM has it or a person must decide. Exactly once in effect rests on keys that never change and operations that may be repeated.
// It must not know how things are stored (Store) or how a CRM is spoken to (Sender).
package outbox

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// State is where an item stands. "Sending" exists in memory only; what a crash in the middle of it leaves, Begun tells.
type State string

// The states.
const (
	// Queued: in: accepted with its call, or edited, or retried by a person, or a look-up showed that the CRM has it not.
	// Out: sent when it is due and first in its lane. A crash leaves it queued.
	Queued State = "queued"
	// Retry: in: a failure that passes, before anything can have reached the CRM, or with a key that makes repeating harmless.
	// Out: sent again when due. A crash leaves it with its due time.
	Retry State = "retry"
	// Reconcile: in: it may have reached the CRM, and sending it again might write it twice: the answer was lost, Ringside ended
	// in the middle, the index was rebuilt, or the CRM has forgotten the key by now. Out: a look-up by its key once the CRM has
	// had time to show it: found is Done, not found is Queued. A crash leaves it.
	Reconcile State = "reconcile"
	// Review: in: a failure that does not pass, or nobody knows whose call it was, or it may have reached a CRM that cannot be
	// asked. Out: a person retries, edits, attaches or discards. A crash leaves it. Its lane goes on: calls do not depend on
	// each other.
	Review State = "review"
	// Done: in: the CRM confirmed it, or an update with its key took its place before that (then there is no receipt). Out: never.
	// A crash between the CRM's answer and this leaves the item as it was, and it is sent again with the same key, or looked up.
	Done State = "done"
	// Discarded: in: a person decided that the CRM shall not have it, and said why. Out: never.
	Discarded State = "discarded"
)

// Final tells that nothing will happen with an item in this state any more.
func (s State) Final() bool { return s == Done || s == Discarded }

// Change says what happened to an item. It is the kind of its record in the journal.
type Change string

// The changes. All are on the disk when the store says so, but Finished: when that is lost the item is sent again with its key, or
// looked up, which changes nothing in the CRM.
const (
	Enqueued Change = "enqueue" // accepted with its call
	Edited   Change = "edit"    // its content was replaced before it was sent, or a person wants it tried again
	Attached Change = "attach"  // a person said whom it is for
	Started  Change = "begun"   // it is about to be sent to a CRM that might write it twice, or came a step further there
	Tried    Change = "try"     // an attempt failed, or a look-up did not find it
	Dropped  Change = "discard" // a person decided that it is not sent
	Finished Change = "done"    // the CRM has it
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
	Receipt   cti.Receipt   `json:"receipt,omitzero"` // before it is done: the record there that it will update
	DoneAt    time.Time     `json:"done_at,omitzero"` // when it became final
	After     uint64        `json:"after,omitempty"`  // the item with the same key before it, which was on its way or final when this one came
	Begun     time.Time     `json:"begun,omitzero"`   // since then the CRM may have it, though nothing confirmed that
	Reason    string        `json:"reason,omitempty"` // why a person discarded it
	Steps     string        `json:"steps,omitempty"`  // how far an attempt of several steps came: those are not made again
}

// Standing is the part of an item that decides when it is sent: all that has to be in memory for each of a hundred thousand.
type Standing struct {
	Seq       uint64
	After     uint64
	Lane      string
	State     State
	Due       time.Time
	CreatedAt time.Time
	Begun     time.Time
	Attempts  int
	Kind      cti.Kind // of the last failure
	Unclear   bool     // several customers fit: a person must pick
}

// Standing gives an item's standing.
func (it Item) Standing() Standing {
	return Standing{Seq: it.Seq, After: it.After, Lane: it.Lane, State: it.State, Due: it.Due, CreatedAt: it.CreatedAt, Begun: it.Begun,
		Attempts: it.Attempts, Kind: it.LastTry().Kind, Unclear: it.WriteBack.Identity == cti.IdentityUnclear}
}

// Try is one attempt that failed, kept with the item for the person who looks into it.
type Try struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took"`
	Kind    cti.Kind      `json:"kind"`
	Message string        `json:"message"`
	Current *string       `json:"current,omitempty"` // of a conflict: what the CRM had by then
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

// replaced is an item whose update took its place.
func (it Item) replaced(at time.Time) Item {
	it.State, it.DoneAt = Done, at
	return it
}

// noted is an item with one more failed attempt kept; whether it counts is the caller's business.
func (it Item) noted(t Try) Item {
	it.Tries = append(it.Tries[:len(it.Tries):len(it.Tries)], t)
	if extra := len(it.Tries) - maxTries; extra > 0 {
		it.Tries = it.Tries[extra:]
	}
	return it
}

// frozen tells that the CRM may have this content: it must be known whether it has before another content is sent with its key.
func (it Item) frozen() bool { return !it.Begun.IsZero() || it.State == Reconcile }
