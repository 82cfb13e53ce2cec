// Package wire holds the versioned JSON messages that the window, the command line and later the extension read and write:
// a snapshot of all, then deltas with a rising number. It holds codes, never words: those are the reader's, in its language.
// It must not know how messages travel. Each message has an example in testdata that the TypeScript tests read too.
package wire

import (
	"time"

	"ringside.dev/ringside/app/cti"
)

// Version is the version of all messages; a reader refuses a higher one.
const Version = 1

// Snapshot is everything a reader needs to begin.
type Snapshot struct {
	V         int           `json:"v"`
	Seq       uint64        `json:"seq"` // of the last delta it contains
	Language  string        `json:"language"`
	Agent     cti.Agent     `json:"agent"`
	Extension string        `json:"extension"`
	Outcomes  []string      `json:"outcomes"`
	Abilities []cti.Command `json:"abilities"`      // what the phone can do
	CRMCan    []CRMAbility  `json:"crm_can"`        // what a person can ask of the CRM
	Types     []string      `json:"customer_types"` // what a new customer can be; none: what the connector makes of them
	Phone     Link          `json:"phone"`
	CRM       Link          `json:"crm"`
	Outbox    Outbox        `json:"outbox"`
	Storage   Storage       `json:"storage"`
	Presence  Presence      `json:"presence"`
	Cards     []Card        `json:"cards"` // newest first
}

// CRMAbility is something a person can ask of a CRM.
type CRMAbility string

// The abilities of CRMs.
const (
	CRMSearch    CRMAbility = "search"
	CRMCreate    CRMAbility = "create"
	CRMAddNumber CRMAbility = "add_number"
	CRMTags      CRMAbility = "tags"          // add and remove tags
	CRMStatus    CRMAbility = "status"        // set a customer's follow-up status
	CRMTickets   CRMAbility = "ticket_status" // set a ticket's
)

// Delta is one change; the fields that are set replace what the reader has.
type Delta struct {
	V       int      `json:"v"`
	Seq     uint64   `json:"seq"`
	Card    *Card    `json:"card,omitempty"` // new, or replaces the card of the same leg
	Drop    string   `json:"drop,omitempty"` // the leg whose card is gone
	Phone   *Link    `json:"phone,omitempty"`
	CRM     *Link    `json:"crm,omitempty"`
	Outbox  *Outbox  `json:"outbox,omitempty"`
	Storage *Storage `json:"storage,omitempty"`

	Presence *Presence `json:"presence,omitempty"`
}

// Link is the health of a connection.
type Link struct {
	Name  string    `json:"name"`
	State LinkState `json:"state"`
	Since time.Time `json:"since,omitzero"`
}

// LinkState tells how a connection is.
type LinkState string

// The states of a link.
const (
	LinkUnknown LinkState = "unknown" // not tried yet
	LinkUp      LinkState = "up"
	LinkDown    LinkState = "down"
	LinkAuth    LinkState = "auth" // reached, but the sign-in was refused
)

// Outbox counts what has not reached the CRM.
type Outbox struct {
	Waiting  int       `json:"waiting"`
	Review   int       `json:"review"`             // needs a person
	OldestAt time.Time `json:"oldest_at,omitzero"` // when the oldest of both was accepted
}

// Storage tells how the place is where records are written down.
type Storage struct {
	State  StorageState `json:"state"`
	Detail string       `json:"detail,omitempty"` // what it is about, shown as it is: a folder or a file, never a customer
}

// StorageState is a code. The list is open: a reader takes one it does not know for a fault without a name.
type StorageState string

// The states of the storage. In the first three what a call leaves is safe on the disk; in the others it may not be, or not all can be read.
const (
	StorageOK         StorageState = "ok"
	StorageRebuilding StorageState = "rebuilding"   // the index is made anew from the journal: records are safe, sending goes on after it
	StorageJournal    StorageState = "journal_only" // the index cannot be written nor made anew: records are safe in the journal
	StorageDiskFull   StorageState = "disk_full"    // no room for another record
	StorageReadOnly   StorageState = "read_only"    // the disk takes no writes
	StorageFailing    StorageState = "failing"      // the disk gives errors
	StorageDamaged    StorageState = "damaged"      // what was on the disk could not all be read: what is bad was put aside
	StorageKeyMissing StorageState = "key_missing"  // the keychain does not give the key of the records
	StorageNewer      StorageState = "newer"        // a newer Ringside wrote it: it can be read and exported only
)

// Search tells how far the look-up is.
type Search string

// The states of the look-up.
const (
	SearchLooking  Search = "looking"
	SearchFound    Search = "found"    // one
	SearchSeveral  Search = "several"  // more than one: the agent picks
	SearchNone     Search = "none"     // nobody has this number
	SearchFailed   Search = "failed"   // could not ask: see SearchError
	SearchWithheld Search = "withheld" // there is no number to look up
	SearchOwn      Search = "own"      // one of the company's own numbers, or a queue's

	SearchInternal   Search = "internal"   // a colleague's extension
	SearchPrivacy    Search = "privacy"    // a number that a platform lent the caller: it tells nobody
	SearchUnreadable Search = "unreadable" // what the phone sent is no telephone number
)

// Card is one call with all that is known about it. Times are UTC, durations milliseconds.
type Card struct {
	Leg       string        `json:"leg"`
	Case      string        `json:"case"`
	Direction cti.Direction `json:"direction"`
	State     cti.State     `json:"state"`
	Number    cti.Number    `json:"number"`
	PhoneName string        `json:"phone_name,omitempty"` // the name the phone sent
	Extension string        `json:"extension,omitempty"`
	Dialled   string        `json:"dialled,omitempty"`
	Queue     *cti.Queue    `json:"queue,omitempty"`

	StartedAt     time.Time  `json:"started_at"`
	EstablishedAt time.Time  `json:"established_at,omitzero"`
	ClearedAt     time.Time  `json:"cleared_at,omitzero"`
	HeldSince     time.Time  `json:"held_since,omitzero"`
	RingMS        int64      `json:"ring_ms"`
	TalkMS        int64      `json:"talk_ms"`
	HoldMS        int64      `json:"hold_ms"`
	Ending        cti.Ending `json:"ending,omitempty"`

	Search      Search        `json:"search"`
	SearchError cti.Kind      `json:"search_error,omitempty"`
	Matches     []cti.Match   `json:"matches"`
	Picked      string        `json:"picked,omitempty"` // customer id: the single match, or the agent's choice
	History     []cti.Contact `json:"history"`          // of Picked, newest first
	Tickets     []cti.Ticket  `json:"tickets"`          // of Picked, open ones

	Changes  []Change      `json:"changes"` // of Picked, on their way or refused
	WrapUp   cti.WrapUp    `json:"wrapup"`
	Write    Write         `json:"write"`
	Commands []cti.Command `json:"commands"`         // what the phone can do with this call now
	Notice   Notice        `json:"notice,omitempty"` // what the agent should know
	Pop      bool          `json:"pop"`              // this call asks for the window to be shown
	Again    bool          `json:"again,omitempty"`  // and once more: a colleague passed the call on, and the customer is shown instead of them

	Muted     bool              `json:"muted,omitempty"`   // the agent is not heard, as far as the phone says
	Consult   *Consult          `json:"consult,omitempty"` // the colleague who is asked meanwhile
	Data      map[string]string `json:"data,omitempty"`    // what came with the call, under its declared names
	Recording RecordingState    `json:"recording,omitempty"`
}

// Consult is the second leg of a call: a colleague who is asked while the customer waits.
type Consult struct {
	Leg    string     `json:"leg"` // commands about the colleague name this one
	Number cti.Number `json:"number"`
	Name   string     `json:"name,omitempty"`
	State  cti.State  `json:"state"`
	Since  time.Time  `json:"since"`
}

// RecordingState tells what is known of a call's recording.
type RecordingState string

// RecordingKnown says that the call's record is told where its recording is.
const RecordingKnown RecordingState = "known"

// Presence is the agent's state, and what can be done about it.
type Presence struct {
	State   cti.Presence `json:"state"` // "" when nobody told yet
	Reason  string       `json:"reason,omitempty"`
	Since   time.Time    `json:"since,omitzero"`
	Until   time.Time    `json:"until,omitzero"` // after-call work ends by itself then
	Owed    string       `json:"owed,omitempty"` // leg of the call whose outcome must be chosen before the agent is ready again
	Can     bool         `json:"can"`            // a person can change it here
	Reasons []string     `json:"reasons"`        // of not being ready, to choose from
}

// Change is something the agent changed of a customer that the CRM does not have yet, or did not take.
type Change struct {
	Item    uint64     `json:"item"` // of the outbox
	Op      cti.Op     `json:"op"`
	Ticket  string     `json:"ticket,omitempty"` // id, of a ticket's status
	Value   string     `json:"value"`            // what the agent wants; tags one in a line
	Theirs  string     `json:"theirs,omitempty"` // what the CRM has, where both changed it: it stands until a person decides
	State   WriteState `json:"state"`
	Kind    cti.Kind   `json:"kind,omitempty"`
	Message string     `json:"message,omitempty"`
}

// Notice is a code for something the agent should know.
type Notice string

// The notices.
const (
	NoticePhoneSilent   Notice = "phone_did_not_answer" // a command was accepted, nothing followed within 3 s
	NoticePhoneRefused  Notice = "phone_refused"        // the phone said no
	NoticeNotSaved      Notice = "not_saved"            // the disk refused the record: it is kept in memory and tried again
	NoticePhoneOffline  Notice = "phone_offline"        // the phone is not connected
	NoticeWrapUpNotKept Notice = "wrapup_not_saved"     // the disk refused the wrap-up
)

// WriteState tells where the call record is on its way to the CRM.
type WriteState string

// The states of the write-back.
const (
	WriteNone      WriteState = ""          // the call is not over, or nothing is to be written
	WriteQueued    WriteState = "queued"    // safe on disk, waiting its turn
	WriteSending   WriteState = "sending"   // on its way
	WriteRetrying  WriteState = "retrying"  // failed, will be tried again: see NextAt
	WriteDelivered WriteState = "delivered" // the CRM has it
	WriteReview    WriteState = "review"    // needs a person: see Message
	WriteUnsaved   WriteState = "unsaved"   // not on disk yet

	WriteReconciling WriteState = "reconciling" // it may have arrived: being checked before anything is sent again
	WriteDiscarded   WriteState = "discarded"   // a person decided that the CRM shall not have it
)

// Write is the state of the write-back of a call.
type Write struct {
	State    WriteState `json:"state"`
	Kind     cti.Kind   `json:"kind,omitempty"`
	Message  string     `json:"message,omitempty"` // the CRM's own words
	Attempts int        `json:"attempts,omitempty"`
	NextAt   time.Time  `json:"next_at,omitzero"`
	RecordID string     `json:"record_id,omitempty"`
}

// LoggedCall is a finished call with its wrap-up, as lists show it.
type LoggedCall struct {
	Call   cti.Call   `json:"call"`
	Ending cti.Ending `json:"ending"`
	RingMS int64      `json:"ring_ms"`
	TalkMS int64      `json:"talk_ms"`
	HoldMS int64      `json:"hold_ms"`
	WrapUp cti.WrapUp `json:"wrapup"`
}

// Timing tells how fast a call's card was, in milliseconds since the event of its first ring came in; negative: did not happen (yet).
type Timing struct {
	ShownMS   float64 `json:"shown_ms"`   // the card was handed to the readers
	PaintedMS float64 `json:"painted_ms"` // the window had painted it
	FoundMS   float64 `json:"found_ms"`   // the customer was on the card
	FilledMS  float64 `json:"filled_ms"`  // the window had painted the customer
}

// Status is the agent's own state.
type Status struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Agent     cti.Agent `json:"agent"`
	Extension string    `json:"extension"`
	Phone     Link      `json:"phone"`
	CRM       Link      `json:"crm"`
	Outbox    Outbox    `json:"outbox"`
	Storage   Storage   `json:"storage"`
	LiveCalls int       `json:"live_calls"`
	Window    bool      `json:"window"` // there is a window, hidden or not, and its page is alive
}

// The requests of the local API.
type (
	// DialRequest asks the phone to call a number.
	DialRequest struct {
		Number string `json:"number"`
	}
	// PresenceRequest sets the agent's state: ready, or not_ready with a reason.
	PresenceRequest struct {
		State  cti.Presence `json:"state"`
		Reason string       `json:"reason,omitempty"`
	}
	// PickRequest says which of several customers it is.
	PickRequest struct {
		CustomerID string `json:"customer_id"`
	}
	// SearchRequest looks for customers by a number, a name, a company or an e-mail address.
	SearchRequest struct {
		Text string `json:"text"`
	}
	// CreateRequest makes a customer of a caller.
	CreateRequest struct {
		Type    string `json:"type,omitempty"`
		Name    string `json:"name"`
		Company string `json:"company,omitempty"`
		Email   string `json:"email,omitempty"`
	}
	// AttachCallRequest says whom a call is with, and whether the caller's number is added to theirs.
	AttachCallRequest struct {
		CustomerID string `json:"customer_id"`
		AddNumber  bool   `json:"add_number"`
	}
	// TagsRequest adds tags to a customer's and removes others.
	TagsRequest struct {
		Add    []string `json:"add"`
		Remove []string `json:"remove"`
	}
	// StatusRequest sets a customer's follow-up status.
	StatusRequest struct {
		Status string `json:"status"`
	}
	// TicketStatusRequest sets a ticket's.
	TicketStatusRequest struct {
		Ticket string `json:"ticket"`
		Status string `json:"status"`
	}
	// WrapUpRequest brings outcome and note; a draft is kept but not sent.
	WrapUpRequest struct {
		Outcome string `json:"outcome"`
		Note    string `json:"note"`
		Draft   bool   `json:"draft,omitempty"`
	}
	// EditRequest replaces outcome and note of an item of the outbox.
	EditRequest struct {
		Outcome string `json:"outcome"`
		Note    string `json:"note"`
	}
	// AttachRequest says whom an item of the outbox is for.
	AttachRequest struct {
		CustomerID string `json:"customer_id"`
	}
	// DiscardRequest says why the CRM shall not have an item of the outbox.
	DiscardRequest struct {
		Reason string `json:"reason"`
	}
)

// Problem is the answer to a request that was refused.
type Problem struct {
	Kind         cti.Kind `json:"kind"`
	Message      string   `json:"message"`
	RetryAfterMS int64    `json:"retry_after_ms,omitempty"`
}

// Index tells how many customers are kept on this computer and how fresh they are.
type Index struct {
	Customers int       `json:"customers"`
	Bytes     int64     `json:"bytes"`
	FullAt    time.Time `json:"full_at,omitzero"`  // when everybody was read last
	FreshAt   time.Time `json:"fresh_at,omitzero"` // what is here was right then
	Syncs     bool      `json:"syncs"`             // the CRM's connector tells what changed
	Running   bool      `json:"running"`
	Full      bool      `json:"full"` // everybody is read, not only who changed
	Done      int       `json:"done"` // customers of this synchronisation so far
	Error     cti.Kind  `json:"error,omitempty"`
}

// EventQuery asks for canonical events.
type EventQuery struct {
	Follow bool // those that come, too
	Mask   bool // hide every number, whatever the profile shows
}

// SyncRequest asks for a synchronisation.
type SyncRequest struct {
	Full bool `json:"full"`
}

// Identified tells who may be behind a number, each list with the best first, and how long each place took.
type Identified struct {
	Number  cti.Number  `json:"number"`
	Index   []cti.Match `json:"index"`
	IndexMS float64     `json:"index_ms"`
	CRM     []cti.Match `json:"crm"`
	CRMMS   float64     `json:"crm_ms"`
	Error   cti.Kind    `json:"error,omitempty"` // why the CRM did not say
}
