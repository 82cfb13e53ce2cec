package cti

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Op is an operation that changes a CRM.
type Op string

// The operations.
const (
	LogCall         Op = "log_call"         // writes the call record; repeated with the same key it updates that record
	CreateCustomer  Op = "create_contact"   // makes a customer of NewCustomer with the record's number, unless somebody has that by now
	AddNumber       Op = "add_number"       // adds the record's number to those of the customer
	UpdateCustomer  Op = "update_contact"   // sets what New says of the customer; what is empty there stays
	AddNote         Op = "add_note"         // writes Note to the ticket, or to the customer where Ticket names none
	CreateTicket    Op = "create_ticket"    // opens Ticket for the customer
	UpdateTicket    Op = "update_ticket"    // sets what Ticket says; what is empty there stays
	SetStatus       Op = "set_status"       // sets Ticket's status
	AddTags         Op = "add_tags"         // adds Tags to those of the customer
	RemoveTags      Op = "remove_tags"      // takes Tags from those of the customer
	CreateTask      Op = "create_task"      // makes Task for the customer
	AttachRecording Op = "attach_recording" // tells the call's record where its recording is; it waits for that record
	UploadRecording Op = "upload_recording" // gives the call's record the file of its recording; it waits for that record, and for the file
)

// writeOps are the operations that change a CRM.
var writeOps = []Op{LogCall, CreateCustomer, AddNumber, UpdateCustomer, AddNote, CreateTicket, UpdateTicket, SetStatus, AddTags, RemoveTags, CreateTask, AttachRecording, UploadRecording}

// Changes tells whether it is a person's change of a customer who is there, or of one of their tickets.
func (o Op) Changes() bool {
	return slices.Contains([]Op{UpdateCustomer, AddTags, RemoveTags, SetStatus}, o)
}

// Writes tells whether it is an operation that changes a CRM.
func (o Op) Writes() bool { return slices.Contains(writeOps, o) }

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

	Parties []string          `json:"parties,omitempty"` // further parties of a conference
	Data    map[string]string `json:"data,omitempty"`    // what came with the call (headers, channel variables, IVR input), under its declared names
}

// WriteBack is one change to make in a CRM.
type WriteBack struct {
	Op         Op       `json:"op"`
	Key        string   `json:"key"`
	Leg        string   `json:"leg"`
	Identity   Identity `json:"identity"`
	CustomerID string   `json:"customer_id,omitempty"`
	Record     Record   `json:"record"` // of CreateCustomer and AddNumber the number alone

	New       NewCustomer `json:"new,omitzero"`       // CreateCustomer: who is to be made; UpdateCustomer: what they become
	Note      Note        `json:"note,omitzero"`      // AddNote
	Ticket    TicketDraft `json:"ticket,omitzero"`    // CreateTicket, UpdateTicket, SetStatus; of AddNote the id alone
	Task      TaskDraft   `json:"task,omitzero"`      // CreateTask
	Tags      []string    `json:"tags,omitempty"`     // AddTags, RemoveTags
	Recording Recording   `json:"recording,omitzero"` // AttachRecording, UploadRecording

	// Version is what the CRM called the state of the record when the person saw it, in its own words. A CRM that knows versions refuses a
	// change of another one as kind conflict. Empty: whatever is there is changed.
	Version string `json:"version,omitempty"`

	// Was is the value that the person saw and changed: of UpdateCustomer the status, of SetStatus the ticket's; empty: they saw none. When the CRM has
	// another one by then, the change is kind conflict, and the CRM's stands until the person says so again. Nil: whatever is there is changed.
	Was *string `json:"was,omitempty"`

	// At is when a person made the change; zero of what calls leave.
	At time.Time `json:"at,omitzero"`

	// Mapping marks a write-back that was rebuilt under a mapping that was corrected since: the mark of that mapping, so that the same record
	// is sent once more.
	Mapping string `json:"mapping,omitempty"`

	// Steps is how far an earlier attempt of a write of several steps came, in the connector's own words. Only the outbox sets it, while it sends.
	Steps string `json:"steps,omitempty"`

	// RecordID is the CRM's id of the record that this one updates. Only the outbox sets it, while it sends: an update of what
	// was delivered before. A CRM that is told the id cannot write a second record, whatever it makes of keys.
	RecordID string `json:"record_id,omitempty"`
}

// Equal tells whether two say the same.
func (r Record) Equal(other Record) bool { return reflect.DeepEqual(r, other) }

// Equal tells whether two say the same.
func (w WriteBack) Equal(other WriteBack) bool { return reflect.DeepEqual(w, other) }

// Note is a remark of an agent, at most MaxNote.
type Note struct {
	Text string    `json:"text"`
	At   time.Time `json:"at,omitzero"`
}

// TicketDraft is what an agent says of a ticket. The words of status, priority, queue and type are those of the CRM (its options).
type TicketDraft struct {
	ID       string `json:"id,omitempty"` // of one that is there
	Subject  string `json:"subject,omitempty"`
	Body     string `json:"body,omitempty"`
	Status   string `json:"status,omitempty"`
	Priority string `json:"priority,omitempty"`
	Queue    string `json:"queue,omitempty"`
	Owner    string `json:"owner,omitempty"`
	Type     string `json:"type,omitempty"`
}

// TaskDraft is something to do about a customer.
type TaskDraft struct {
	Subject string    `json:"subject"`
	Body    string    `json:"body,omitempty"`
	DueAt   time.Time `json:"due_at,omitzero"`
	Owner   string    `json:"owner,omitempty"` // empty: the agent
}

// Recording is where the recording of a call is.
type Recording struct {
	ID         string `json:"id,omitempty"` // the exchange's own, which does not expire
	URL        string `json:"url"`
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"` // media type, audio/wav
	DurationMS int64  `json:"duration_ms,omitempty"`

	ExpiresAt time.Time `json:"expires_at,omitzero"` // when the URL stops working; zero: not known

	// File names the file that Ringside fetches and hands on itself. What a source says here is dropped: only the site's policy sets it.
	File string `json:"file,omitempty"`
}

// Then gives what is known after something newer was told of it, perhaps by another source: what that leaves open stays. Of another recording nothing
// stays. A nil one is none yet.
func (r *Recording) Then(newer Recording) *Recording {
	if r == nil || r.ID != "" && newer.ID != "" && r.ID != newer.ID {
		return &newer
	}
	if newer.URL == "" {
		newer.URL, newer.ExpiresAt = r.URL, r.ExpiresAt
	}
	newer.ID, newer.Name, newer.Type = cmp.Or(newer.ID, r.ID), cmp.Or(newer.Name, r.Name), cmp.Or(newer.Type, r.Type)
	newer.DurationMS, newer.File = cmp.Or(newer.DurationMS, r.DurationMS), cmp.Or(newer.File, r.File)
	return &newer
}

// NewCustomer is what a person says of a caller whom the CRM does not know, or of what a customer becomes.
type NewCustomer struct {
	Type    string `json:"type,omitempty"` // the CRM's object type; empty: the connector's usual one
	Name    string `json:"name,omitempty"`
	Company string `json:"company,omitempty"`
	Email   string `json:"email,omitempty"`
	Status  string `json:"status,omitempty"` // follow-up status, in the CRM's words
	// Besides holds the ids of those who have the number and are somebody else, as the person saw; one in a line.
	Besides string `json:"besides,omitempty"`
}

// Is tells whether a customer may be the one who is to be made.
func (n NewCustomer) Is(customerID string) bool {
	return !slices.Contains(strings.Split(n.Besides, "\n"), customerID)
}

// newPrefix begins the id of a customer who is to be created: until the CRM has given one, what is for them carries the leg and the key of
// the write-back that creates them.
const newPrefix = "new:"

// NewCustomerID is the id of a customer whom a write-back will create.
func NewCustomerID(leg, key string) string { return newPrefix + leg + ":" + key }

// CreatedBy gives the leg and the key of the write-back that creates the customer with such an id; ok is false of a CRM's own ids.
func CreatedBy(customerID string) (leg, key string, ok bool) {
	rest, ok := strings.CutPrefix(customerID, newPrefix)
	if !ok {
		return "", "", false
	}
	at := strings.LastIndex(rest, ":")
	if at < 0 {
		return "", "", false
	}
	return rest[:at], rest[at+1:], true
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
	if len(c.Data) > 0 {
		r.Data = maps.Clone(c.Data)
	}
	if len(c.Parties) > 0 {
		r.Parties = slices.Clone(c.Parties)
	}
	if c.Cause != nil {
		r.Cause = string(c.Cause.Code)
	}
	return r
}

// NewAttachments makes the write-backs that tell a call's record of its recording. They are stages of their own, because recordings become known late,
// and they name no other field of the record: what may be told of it, and the file that the CRM is to have. There are none where neither is the case.
func NewAttachments(tenant string, record WriteBack, r Recording) []WriteBack {
	attachment := func(op Op, r Recording) WriteBack {
		return WriteBack{Op: op, Key: WriteKey(tenant, record.Leg, op, 0), Leg: record.Leg, Identity: record.Identity,
			CustomerID: record.CustomerID, Record: record.Record, Recording: r}
	}
	var out []WriteBack
	if told := r; r.ID != "" || r.URL != "" {
		told.File = ""
		out = append(out, attachment(AttachRecording, told))
	}
	if r.File != "" {
		r.URL, r.ExpiresAt = "", time.Time{}
		out = append(out, attachment(UploadRecording, r))
	}
	return out
}

// millis is a time as records carry it: UTC, whole milliseconds, no monotonic clock, so that equal records compare equal.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Repeat tells what a CRM makes of a write that is sent to it again with the same key, as its connector declares.
type Repeat struct {
	Safe   bool          // it leaves one record
	Window time.Duration // for so long after the first attempt; 0: for ever
	Find   bool          // the CRM can be asked whether it has the record of a key
	Settle time.Duration // how long after an attempt the CRM may still not show what it wrote

	Partial    bool // what Find sees may be a part alone: it is written in several steps
	LooksFirst bool // sending it again looks for it first, and makes what is missing
}
