package cti

import (
	"strconv"
	"time"
)

// Op is an operation that changes a CRM.
type Op string

// LogCall writes the call record; repeated with the same key it updates that record.
const LogCall Op = "log_call"

// Identity tells how far it is known whom a write-back is for.
type Identity string

// The identities of a write-back.
const (
	IdentityKnown   Identity = "known"   // CustomerID is the customer, or there is none to be found: nobody has this number
	IdentityPending Identity = "pending" // nobody could be asked yet: look up before sending
	IdentityUnclear Identity = "unclear" // several fit: a person must pick
)

// WrapUp is what the agent says after the call: what came of it, in the site's words, and a note.
type WrapUp struct {
	Outcome string    `json:"outcome,omitempty"`
	Note    string    `json:"note,omitempty"`
	SavedAt time.Time `json:"saved_at,omitzero"`
}

// MaxNote cuts notes, in bytes: room for a page of text, and nothing a CRM field chokes on.
const MaxNote = 16 << 10

// Record is a finished call as a CRM is told about it. Durations are milliseconds, times UTC.
type Record struct {
	Key        string    `json:"key"` // the CRM's external key, the same in every attempt
	Case       string    `json:"case"`
	Leg        string    `json:"leg"`
	Direction  Direction `json:"direction"`
	Number     Number    `json:"number"`
	RemoteName string    `json:"remote_name,omitempty"`
	Extension  string    `json:"extension,omitempty"`
	Queue      string    `json:"queue,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	EndedAt    time.Time `json:"ended_at"`
	RingMS     int64     `json:"ring_ms"`
	QueueMS    int64     `json:"queue_ms"`
	TalkMS     int64     `json:"talk_ms"`
	HoldMS     int64     `json:"hold_ms"`
	WrapMS     int64     `json:"wrap_ms"`
	Ending     Ending    `json:"ending"`
	Cause      string    `json:"cause"`
	WrapUp     WrapUp    `json:"wrapup"`
}

// WriteBack is one change to make in a CRM.
type WriteBack struct {
	Op         Op       `json:"op"`
	Key        string   `json:"key"`
	Leg        string   `json:"leg"`
	Identity   Identity `json:"identity"`
	CustomerID string   `json:"customer_id,omitempty"`
	Record     Record   `json:"record"`

	// RecordID is the CRM's id of the record that this one updates. Only the outbox sets it, while it sends: an update of what
	// was delivered before. A CRM that is told the id cannot write a second record, whatever it makes of keys.
	RecordID string `json:"record_id,omitempty"`
}

// Receipt is what the CRM answered to a write.
type Receipt struct {
	ID string `json:"id"` // the record's id there
}

// WriteKey is the idempotency key of a write-back: uuid5 over tenant, leg, operation and ordinal. The target is not in it,
// so that a corrected target updates the same record.
func WriteKey(tenant, leg string, op Op, ordinal int) string {
	return ID(tenant, leg, string(op), strconv.Itoa(ordinal))
}

// NewRecord makes the record of a cleared call.
func NewRecord(tenant string, c Call, w WrapUp) Record {
	d := c.Durations(firstTime(c.WrapEndedAt, c.ClearedAt))
	r := Record{
		Key: WriteKey(tenant, c.Leg, LogCall, 0), Case: c.Case, Leg: c.Leg, Direction: c.Direction,
		Number: c.Remote.Number, RemoteName: c.Remote.Name, Extension: c.Local.Extension,
		StartedAt: millis(c.StartedAt), AnsweredAt: millis(c.EstablishedAt), EndedAt: millis(c.ClearedAt),
		RingMS: d.Ring.Milliseconds(), QueueMS: d.Queue.Milliseconds(), TalkMS: d.Talk.Milliseconds(),
		HoldMS: d.Hold.Milliseconds(), WrapMS: d.Wrap.Milliseconds(), Ending: c.Ending(), WrapUp: w,
	}
	if c.Queue != nil {
		r.Queue = c.Queue.Name
	}
	if c.Cause != nil {
		r.Cause = string(c.Cause.Code)
	}
	return r
}

// millis is a time as records carry it: UTC, whole milliseconds, no monotonic clock, so that equal records compare equal.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Repeat tells what a CRM makes of a write that is sent to it again with the same key, as its connector declares.
type Repeat struct {
	Safe   bool          // it leaves one record
	Window time.Duration // for so long after the first attempt; 0: for ever
	Find   bool          // the CRM can be asked whether it has the record of a key
	Settle time.Duration // how long after an attempt the CRM may still not show what it wrote
}
