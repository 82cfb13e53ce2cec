package wire

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// OutboxItem is a write-back on its way to the CRM, as lists show it: which call it is about, where it stands, and why.
type OutboxItem struct {
	Seq        uint64        `json:"seq"`
	State      WriteState    `json:"state"`
	Op         cti.Op        `json:"op"`
	Key        string        `json:"key"`
	Leg        string        `json:"leg"`
	Direction  cti.Direction `json:"direction"`
	Number     cti.Number    `json:"number"`
	Name       string        `json:"name,omitempty"`        // of the customer where it is known, else the one the phone sent
	CustomerID string        `json:"customer_id,omitempty"` // whom it is for; none: nobody has the number, or Unclear
	Unclear    bool          `json:"unclear,omitempty"`     // several customers fit: it waits until a person says which
	StartedAt  time.Time     `json:"started_at"`
	Ending     cti.Ending    `json:"ending,omitempty"`
	TalkMS     int64         `json:"talk_ms"`
	Outcome    string        `json:"outcome,omitempty"`
	Note       string        `json:"note,omitempty"`
	CreatedAt  time.Time     `json:"created_at"`
	Due        time.Time     `json:"due,omitzero"`
	Attempts   int           `json:"attempts"` // those that count against it: waiting for a limit or a sign-in does not
	Kind       cti.Kind      `json:"kind,omitempty"`
	Message    string        `json:"message,omitempty"` // the CRM's own words
	Begun      time.Time     `json:"begun,omitzero"`    // since then the CRM may have it, though nothing confirmed that
	Reason     string        `json:"reason,omitempty"`  // why a person discarded it
	Value      string        `json:"value,omitempty"`   // of a change of a customer or ticket: what the agent wants; tags one in a line
	Theirs     string        `json:"theirs,omitempty"`  // what the CRM has, where both changed it
	Tries      []OutboxTry   `json:"tries"`             // the newest ten that failed, oldest first
}

// OutboxTry is one attempt that failed.
type OutboxTry struct {
	At      time.Time `json:"at"`
	TookMS  int64     `json:"took_ms"`
	Kind    cti.Kind  `json:"kind"`
	Message string    `json:"message,omitempty"`
}

// WriteWaiting is no state of an item: a list that asks for it gets all that go on without a person.
const WriteWaiting WriteState = "waiting"

// OutboxListStates are what a list can be asked for.
var OutboxListStates = []WriteState{WriteWaiting, WriteQueued, WriteRetrying, WriteReconciling, WriteReview, WriteDelivered, WriteDiscarded}

// MaxOutboxPage is how many items one answer can hold.
const MaxOutboxPage = 1000

// OutboxQuery chooses items, by Seq.
type OutboxQuery struct {
	State WriteState // one of OutboxListStates; empty: all that have not reached the CRM
	Limit int        // 1 to MaxOutboxPage
	After uint64     // items behind this Seq only: that of the last one read; 0 begins
}

// Holds tells whether a list of that state shows an item.
func (q OutboxQuery) Holds(it OutboxItem) bool {
	switch q.State {
	case "":
		return it.State != WriteDelivered && it.State != WriteDiscarded
	case WriteWaiting:
		return it.State != WriteReview && it.State != WriteDelivered && it.State != WriteDiscarded
	default:
		return it.State == q.State
	}
}

// ShownRequest is a request to a CRM as it would be sent, secrets hidden.
type ShownRequest struct {
	System  string            `json:"system"` // the connector's name
	Step    string            `json:"step"`
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Depends bool              `json:"depends,omitempty"` // it is made of what the CRM answers to one before it, so it cannot be shown
}

// Retried tells how many items were made due.
type Retried struct {
	Items int `json:"items"`
}
