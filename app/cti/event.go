// Package cti is Ringside's domain: the call, its events and state machine, the customer, the wrap-up and the write-back.
// The vocabulary is that of ECMA-269/323 (CSTA phase III), reduced to the agent's own leg.
// It must not know where events come from, how a CRM is spoken to, where things are stored or who looks at them:
// it imports nothing of ours and does no input or output.
package cti

import "time"

// EnvelopeVersion is the version every Event carries; a reader refuses a higher one.
const EnvelopeVersion = 1

// EventType names a canonical event. The CSTA name stands behind each.
type EventType string

// The canonical events.
const (
	Originated  EventType = "call.originated"  // ServiceInitiated, Originated: the agent started an outbound attempt
	Delivered   EventType = "call.delivered"   // Delivered: ringing at Side local (the agent) or remote (the far end)
	Established EventType = "call.established" // Established: agent and other party can talk
	Held        EventType = "call.held"        // Held, with By
	Retrieved   EventType = "call.retrieved"   // Retrieved, with By
	Transferred EventType = "call.transferred" // Transferred, with Transfer
	Conferenced EventType = "call.conferenced" // Conferenced: a third party joined
	Diverted    EventType = "call.diverted"    // Diverted: left the agent unanswered
	Failed      EventType = "call.failed"      // Failed: an outbound attempt could not complete
	Cleared     EventType = "call.cleared"     // ConnectionCleared: terminal, with Cause
	Info        EventType = "call.info"        // CallInformation: late facts
	Queued      EventType = "call.queued"      // Queued: waits in a queue for this agent's group
	AgentState  EventType = "agent.state"      // AgentLoggedOn … AgentWorkingAfterCall
	SourceUp    EventType = "source.up"        // the adapter reached its phone
	SourceDown  EventType = "source.down"      // the adapter lost its phone
	Snapshot    EventType = "source.snapshot"  // the full list of live legs, in Legs
)

// Side tells where it rings.
type Side string

// The sides of a Delivered event.
const (
	SideLocal  Side = "local"
	SideRemote Side = "remote"
)

// Party tells who did something.
type Party string

// The parties of a hold or a cause.
const (
	ByLocal   Party = "local"
	ByRemote  Party = "remote"
	BySystem  Party = "system"
	ByUnknown Party = "unknown"
)

// Direction is seen from the agent; empty means not known yet.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Confidence tells how a source knows; the order is from best to worst.
type Confidence string

// The grades of confidence.
const (
	Signalled Confidence = "signalled" // the protocol said so
	Polled    Confidence = "polled"    // seen by asking again
	Hook      Confidence = "hook"      // a script was run
	Inferred  Confidence = "inferred"  // concluded from other facts
)

// CauseCode tells why a call ended.
type CauseCode string

// The cause codes.
const (
	CauseNormal            CauseCode = "normal"
	CauseBusy              CauseCode = "busy"
	CauseNoAnswer          CauseCode = "no_answer"
	CauseRejected          CauseCode = "rejected"
	CauseAbandoned         CauseCode = "abandoned"
	CauseAnsweredElsewhere CauseCode = "answered_elsewhere"
	CauseTransferred       CauseCode = "transferred"
	CauseUnreachable       CauseCode = "unreachable"
	CauseNotFound          CauseCode = "not_found"
	CauseNetwork           CauseCode = "network"
	CauseMedia             CauseCode = "media"
	CauseUnknown           CauseCode = "unknown"
)

// Cause tells why and through whom a call ended, failed or was diverted; Raw is the source's own wording.
type Cause struct {
	Code CauseCode `json:"code"`
	By   Party     `json:"by"`
	Raw  string    `json:"raw,omitempty"`
}

// Source names the adapter an event came through.
type Source struct {
	Adapter    string     `json:"adapter"`
	Instance   string     `json:"instance"`
	Confidence Confidence `json:"confidence"`
}

// The reference names that mean the same in every source, so that two sources are known to tell of one call. All others are the source's own.
const (
	// RefSIPCallID is the Call-ID (RFC 3261) of the dialog with the agent's phone; it is the strongest (reducer rule 10).
	RefSIPCallID = "sip_call_id"
	// RefVendor begins the names of an exchange's own ids of the agent's leg, which all its interfaces spell alike: vendor_asterisk is the
	// channel's id in AMI and in ARI.
	RefVendor = "vendor_"
	// RefJourney is what all legs of one customer's journey share (Linkedid, Channel-Call-UUID, initial contact id). It names the case and
	// never a leg.
	RefJourney = "journey"
)

// CallRef identifies a call: Refs are what the source calls it, Case and Leg are ours and may be empty on the way in.
type CallRef struct {
	Case      string            `json:"case,omitempty"`
	Leg       string            `json:"leg,omitempty"`
	Direction Direction         `json:"direction,omitempty"`
	State     State             `json:"state,omitempty"`
	Refs      map[string]string `json:"refs,omitempty"`
	Purpose   Purpose           `json:"purpose,omitempty"`
	MainLeg   string            `json:"main_leg,omitempty"` // of a Consultation: the call it is about, if that is known
	// ClickToDial: the exchange rings the agent first and then the customer, so the agent's own ringing and answering are not the call's
	// (reducer rules 3 and 7). A source that knows says so in every event of the leg.
	ClickToDial bool `json:"click_to_dial,omitempty"`
}

// Purpose tells that a leg is no customer's call of its own: it neither pops nor leaves a record. Empty: it is one.
type Purpose string

// The purposes.
const (
	Consultation Purpose = "consultation" // the agent asks a colleague while the customer is on hold
	Monitoring   Purpose = "monitoring"   // a supervisor listens to a colleague's call
	Duplicate    Purpose = "duplicate"    // it is MainLeg: two sources told of one call before anything joined what they said
)

// Remote is the other party.
type Remote struct {
	Number
	Name string `json:"name,omitempty"`
	URI  string `json:"uri,omitempty"`
	// Asserted is what the network says of the caller: P-Asserted-Identity (RFC 3325), else Remote-Party-ID, as sent. It beats what the
	// caller's own From says, which may be anything, or a colleague after a transfer.
	Asserted string `json:"asserted,omitempty"`
}

// Local is the agent's own end.
type Local struct {
	Extension string `json:"extension,omitempty"`
	Account   string `json:"account,omitempty"`
}

// Queue tells which queue the call waited in and for how long, in milliseconds.
type Queue struct {
	Name   string `json:"name"`
	WaitMS int64  `json:"wait_ms,omitempty"`
}

// TransferKind tells how a call was passed on.
type TransferKind string

// The kinds of transfer.
const (
	Blind   TransferKind = "blind"
	Consult TransferKind = "consult"
)

// TransferRole is the agent's part in a transfer.
type TransferRole string

// The roles in a transfer.
const (
	Transferrer TransferRole = "transferrer" // the agent gave the call away: this leg is cleared
	Transferee  TransferRole = "transferee"  // the agent's far end changes to To
	Target      TransferRole = "target"      // the agent received the call
)

// Transfer goes with a Transferred event.
type Transfer struct {
	Kind TransferKind `json:"kind"`
	Role TransferRole `json:"role"`
	To   string       `json:"to,omitempty"`
}

// AgentStatus goes with an AgentState event.
type AgentStatus struct {
	State  Presence `json:"state"`
	Reason string   `json:"reason,omitempty"`
}

// Presence is an agent's state, in CSTA's words (ECMA-269, 23.2).
type Presence string

// The states of an agent.
const (
	LoggedOn  Presence = "logged_on"
	Ready     Presence = "ready"
	NotReady  Presence = "not_ready"
	AfterCall Presence = "working_after_call"
	LoggedOff Presence = "logged_off"
)

// Event is the envelope every source speaks. At is when Ringside learnt it, SourceAt what the source's own clock said, both UTC.
type Event struct {
	V        int          `json:"v"`
	Seq      uint64       `json:"seq,omitempty"` // given by the agent, counts from 1 in each run
	Type     EventType    `json:"type"`
	At       time.Time    `json:"at,omitzero"`
	SourceAt time.Time    `json:"source_at,omitzero"`
	Source   Source       `json:"source"`
	Call     CallRef      `json:"call,omitzero"`
	Side     Side         `json:"side,omitempty"`
	By       Party        `json:"by,omitempty"`
	Transfer *Transfer    `json:"transfer,omitempty"`
	Remote   Remote       `json:"remote,omitzero"`
	Local    Local        `json:"local,omitzero"`
	Dialled  string       `json:"dialled,omitempty"`
	Queue    *Queue       `json:"queue,omitempty"`
	Agent    *AgentStatus `json:"agent,omitempty"`
	Cause    *Cause       `json:"cause"`
	// Data is what came with the call: SIP X-headers, channel variables, IVR input, under the source's names. The intake keeps what the
	// profile declares.
	Data      map[string]string `json:"data,omitempty"`
	Recording *Recording        `json:"recording,omitempty"` // also of a call that is long over
	Muted     *bool             `json:"muted,omitempty"`     // whether the agent is heard, where the source says so
	Past      bool              `json:"past,omitempty"`      // told from the phone's history: nobody is waiting
	Legs      []Event           `json:"legs,omitempty"`      // Snapshot only: one Delivered, Established or Held event per live leg
}
