package outbox

import (
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// entry is what is in memory of an item that is not final. It has 56 bytes: there may be a million.
type entry struct {
	seq     uint64
	turn    uint64        // its place in its lane: its seq, or the turn of the item that it updates, whose place it may take
	due     time.Duration // by the outbox's own clock
	created int64         // milliseconds since 1970
	lane    *lane
	epoch   uint32 // which of the CRM's absences it waits out
	laneAt  int32  // its place in its lane's queue, -1: it cannot be sent
	waitAt  int32  // its place among all that wait, -1: it is for a person
	state   code
	kind    code // of the last failure
	flags   flags
}

// code is a state or a kind as its place in a table: a string would be sixteen bytes.
type code uint8

var (
	states = []State{Queued, Retry, Reconcile, Review}
	kinds  = []cti.Kind{"", cti.Invalid, cti.Auth, cti.Denied, cti.NotFound, cti.Conflict, cti.Limited, cti.Offline, cti.Uncertain, cti.Internal}
)

func stateCode(s State) code { return code(max(0, slices.Index(states, s))) } //nolint:gosec // a short table

func kindCode(k cti.Kind) code {
	if at := slices.Index(kinds, k); at >= 0 {
		return code(at) //nolint:gosec // a short table
	}
	return kindCode(cti.Internal)
}

type flags uint16

const (
	sending  flags = 1 << iota // on its way, or being looked up
	held                       // an earlier item with its key has to be resolved first
	unclear                    // several customers fit: a person must pick
	network                    // it waits for nothing but the CRM's coming back
	rescued                    // it was sent early because the CRM had come back
	settled                    // by its due time the CRM shows what it wrote in the last attempt
	looked                     // a look-up failed since that attempt
	absent                     // a look-up or a person said that the CRM has it not
	doubtful                   // the disk refused a new content, and may have kept it
	damaged                    // the store cannot give its content
)

func (e *entry) is(f flags) bool { return e.flags&f != 0 }

func (e *entry) set(f flags, on bool) {
	e.flags &^= f
	if on {
		e.flags |= f
	}
}

func (e *entry) stand() State { return states[e.state] }

// queued is an entry in its lane's queue, waiter one among all that wait.
type (
	queued struct{ *entry }
	waiter struct{ *entry }
)

func (q queued) before(other queued) bool {
	return q.turn < other.turn || q.turn == other.turn && q.seq < other.seq
}

func (q queued) place() int   { return int(q.laneAt) }
func (q queued) moved(to int) { q.laneAt = int32(to) } //nolint:gosec // fewer than 2^31

func (w waiter) before(other waiter) bool { return w.seq < other.seq }
func (w waiter) place() int               { return int(w.waitAt) }
func (w waiter) moved(to int)             { w.waitAt = int32(to) } //nolint:gosec // fewer than 2^31

// lane is what concerns one customer: sent by turn, one at a time. It lasts as long as it has members.
type lane struct {
	queue   heap[queued] // those that can be sent
	name    uint64
	members int32 // those that are not final
	at      int32 // its place among the lanes that nobody has a claim on, -1: somebody has, or nothing can be sent
	claims  int32 // how many change something in it just now, the one that is on its way included
	waiting bool  // its head waits for the CRM's coming back
}

func (l *lane) head() *entry { return l.queue[0].entry }

// before: those that wait for the CRM first by the absence they wait out, so that one number more makes all of the last one due.
func (l *lane) before(other *lane) bool {
	a, b := l.head(), other.head()
	switch {
	case l.waiting && a.epoch != b.epoch:
		return a.epoch < b.epoch
	case a.due != b.due:
		return a.due < b.due
	}
	return a.seq < b.seq
}

func (l *lane) place() int   { return int(l.at) }
func (l *lane) moved(to int) { l.at = int32(to) } //nolint:gosec // fewer than 2^31
