package local

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// books are what the journal says, by key: where each entry stands, and whole what is asked for by something else than its key.
type books struct {
	records map[string]*record
	order   []*record                // as they came
	calls   map[string][]*record     // by customer
	made    map[string]entry         // by key: customers made here, and what was changed of others
	tickets map[string]*ticket       // by id, the key of the entry that made it
	matters map[string][]*ticket     // by customer
	sounds  map[string]cti.Recording // by the id of the call's record
}

// record is an entry without its content.
type record struct {
	place

	op       cti.Op
	key      string
	customer string
	at       time.Time // of a call, when it began
}

// ticket is a matter with what was made of it since. What was said when it was made never undoes a change, in whatever order they come.
type ticket struct {
	key, customer, name string
	draft               cti.TicketDraft
	made, updated       time.Time
	changes             []string // keys
	said                map[string]cti.TicketDraft
}

func newBooks() *books {
	return &books{
		records: map[string]*record{}, calls: map[string][]*record{}, made: map[string]entry{}, tickets: map[string]*ticket{},
		matters: map[string][]*ticket{}, sounds: map[string]cti.Recording{},
	}
}

// book takes an entry that stands in the journal; one with a known key replaces the earlier one.
func (b *books) book(e entry, at place) {
	r := b.records[e.Key]
	if r == nil {
		r = &record{key: e.Key}
		b.records[e.Key] = r
		b.order = append(b.order, r)
	} else if r.op == cti.LogCall {
		b.calls[r.customer] = slices.DeleteFunc(b.calls[r.customer], func(other *record) bool { return other == r })
	}
	r.place, r.op, r.customer, r.at = at, e.Op, e.CustomerID, e.At
	switch e.Op {
	case cti.LogCall:
		if e.Call != nil {
			r.at = e.Call.StartedAt
		}
		if r.customer != "" {
			b.calls[r.customer] = append(b.calls[r.customer], r)
		}
	case cti.CreateCustomer, cti.AddNumber, cti.UpdateCustomer, cti.AddTags, cti.RemoveTags:
		b.made[e.Key] = e
	case cti.CreateTicket:
		b.open(e)
	case cti.UpdateTicket, cti.SetStatus:
		b.ticket(e.Ticket.ID).change(e)
	case cti.AttachRecording:
		b.sounds[e.RecordID] = *e.Recording
	default: // notes and tasks are only listed
	}
}

// whole tells whether an entry has what its operation needs: a journal may have been written by a later version, or by hand.
func (e entry) whole() bool {
	switch e.Op {
	case cti.LogCall:
		return e.Call != nil
	case cti.CreateCustomer:
		return e.New != nil
	case cti.UpdateCustomer:
		return e.New != nil && e.CustomerID != ""
	case cti.AddNumber:
		return e.Number != "" && e.CustomerID != ""
	case cti.AddTags, cti.RemoveTags:
		return len(e.Tags) > 0 && e.CustomerID != ""
	case cti.AddNote:
		return e.Note != nil
	case cti.CreateTicket:
		return e.Ticket != nil
	case cti.UpdateTicket, cti.SetStatus:
		return e.Ticket != nil && e.Ticket.ID != ""
	case cti.CreateTask:
		return e.Task != nil
	case cti.AttachRecording:
		return e.Recording != nil
	default:
		return false
	}
}

// ownPrefix begins the ids of customers who were made here.
const ownPrefix = "own-"

// whom gives the customer whom an entry makes or changes.
func (e entry) whom() string {
	if e.Op == cti.CreateCustomer {
		return ownPrefix + e.Key
	}
	return e.CustomerID
}

// open books a new ticket, or what was said anew of one.
func (b *books) open(e entry) {
	t := b.ticket(e.Key)
	b.matters[t.customer] = slices.DeleteFunc(b.matters[t.customer], func(other *ticket) bool { return other == t })
	b.matters[e.CustomerID] = append(b.matters[e.CustomerID], t)
	t.customer, t.name, t.draft = e.CustomerID, e.Name, *e.Ticket
	if t.made.IsZero() {
		t.made = e.At
	}
	t.updated = later(t.updated, e.At)
}

func (b *books) ticket(id string) *ticket {
	t := b.tickets[id]
	if t == nil {
		t = &ticket{key: id, said: map[string]cti.TicketDraft{}}
		b.tickets[id] = t
	}
	return t
}

func (t *ticket) change(e entry) {
	if _, known := t.said[e.Key]; !known {
		t.changes = append(t.changes, e.Key)
	}
	t.said[e.Key], t.updated = *e.Ticket, later(t.updated, e.At)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// now is the ticket as it stands. What is empty in a change stays.
func (t *ticket) now() cti.TicketDraft {
	d := t.draft
	d.ID = t.key
	for _, key := range t.changes {
		c := t.said[key]
		d.Subject, d.Body, d.Status = cmp.Or(c.Subject, d.Subject), cmp.Or(c.Body, d.Body), cmp.Or(c.Status, d.Status)
		d.Priority, d.Queue, d.Owner, d.Type = cmp.Or(c.Priority, d.Priority), cmp.Or(c.Queue, d.Queue), cmp.Or(c.Owner, d.Owner), cmp.Or(c.Type, d.Type)
	}
	d.Status = cmp.Or(d.Status, "open")
	return d
}

// over are the words of a status that is no open matter.
var over = []string{"closed", "solved", "resolved", "done", "cancelled", "canceled", "已关闭", "关闭", "已解决", "已完成", "完成", "已取消", "取消"}

func (t *ticket) isOpen() bool {
	return !t.made.IsZero() && !slices.Contains(over, strings.ToLower(strings.TrimSpace(t.now().Status)))
}

// openOf gives a customer's open tickets, the one that was changed last first.
func (b *books) openOf(customer string) (all []cti.Ticket) {
	for _, t := range b.matters[customer] {
		if t.isOpen() {
			d := t.now()
			all = append(all, cti.Ticket{ID: t.key, Subject: d.Subject, Status: d.Status, Priority: d.Priority, UpdatedAt: t.updated})
		}
	}
	slices.SortFunc(all, func(a, b cti.Ticket) int { return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.ID, b.ID)) })
	return all
}
