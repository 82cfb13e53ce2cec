package local

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// can are the operations that files can take. The site's own file is never changed: what is said of its customers here stands in the journal, and
// before what the file says.
var can = []cti.Op{
	cti.LogCall, cti.CreateCustomer, cti.UpdateCustomer, cti.AddNumber, cti.AddTags, cti.RemoveTags, cti.AddNote, cti.CreateTicket, cti.UpdateTicket,
	cti.SetStatus, cti.CreateTask, cti.AttachRecording,
}

// peopleOps are those of them that change the list of customers.
var peopleOps = []cti.Op{cti.CreateCustomer, cti.UpdateCustomer, cti.AddNumber, cti.AddTags, cti.RemoveTags}

// refused is what else may be asked for.
func refused(op cti.Op) error {
	return cti.Errorf(cti.Invalid, fmt.Sprintf("connector local cannot do %s: its files have no place for that", op), nil)
}

// Repeat implements crm.Connector: the key is what a record is found by, for ever.
func (l *Local) Repeat(w cti.WriteBack) cti.Repeat {
	if !slices.Contains(can, w.Op) {
		return cti.Repeat{}
	}
	return cti.Repeat{Safe: true, Find: w.RecordID == ""}
}

// Find implements crm.Connector.
func (l *Local) Find(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if !slices.Contains(can, w.Op) {
		return cti.Receipt{}, refused(w.Op)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.mend(); err != nil {
		return cti.Receipt{}, err
	}
	e, known, err := l.known(w.Key)
	if err != nil {
		return cti.Receipt{}, err
	}
	if !known {
		return cti.Receipt{}, cti.Errorf(cti.NotFound, "the folder has no such record", nil)
	}
	return e.receipt(), nil
}

// receipt names what an entry made or changed.
func (e entry) receipt() cti.Receipt {
	switch e.Op {
	case cti.CreateCustomer, cti.UpdateCustomer, cti.AddNumber, cti.AddTags, cti.RemoveTags:
		return cti.Receipt{ID: e.whom()}
	case cti.UpdateTicket, cti.SetStatus:
		return cti.Receipt{ID: e.Ticket.ID}
	case cti.AttachRecording:
		return cti.Receipt{ID: e.RecordID}
	default:
		return cti.Receipt{ID: e.Key}
	}
}

// Write implements crm.Connector. It returns when the change is on the disk; the tables follow.
func (l *Local) Write(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	switch {
	case !slices.Contains(can, w.Op):
		return cti.Receipt{}, refused(w.Op)
	case w.Identity == cti.IdentityPending || w.Identity == cti.IdentityUnclear:
		return cti.Receipt{}, cti.Errorf(cti.Invalid, "it is not decided yet which customer this belongs to: pick one first", nil)
	case w.Key == "":
		return cti.Receipt{}, cti.Errorf(cti.Internal, "no key", nil)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.mend(); err != nil {
		return cti.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return cti.Receipt{}, cti.Errorf(cti.Offline, "nothing was written: there was no time left", err)
	}
	old, known, err := l.known(w.Key)
	if err != nil {
		return cti.Receipt{}, err
	}
	e, err := l.entry(w, old)
	switch {
	case err != nil:
		return cti.Receipt{}, err
	case !e.whole():
		return cti.Receipt{}, cti.Errorf(cti.Invalid, fmt.Sprintf("%s says nothing that could be written", w.Op), nil)
	case known && old.equal(e):
		return e.receipt(), nil
	}
	at, err := l.journal.append(e)
	if err != nil {
		l.broken = true
		return cti.Receipt{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books.book(e, at)
	l.due[sheetOf(e.Op)] = true
	if slices.Contains(peopleOps, e.Op) {
		l.refreshOwn()
	}
	return e.receipt(), nil
}

// mend takes away what a failed write may have left: nobody was told that it is there, and whether it would stay is not known. The journal is opened
// anew, for a network may have taken the file away. The caller holds writing.
func (l *Local) mend() error {
	if !l.broken {
		return nil
	}
	before := l.journal
	j, err := before.reopen(filepath.Join(l.folder, journalName))
	if err != nil {
		return cti.Errorf(cti.Offline, "the folder of the records cannot be written: is the network away?", err)
	}
	l.broken = false
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal = j
	if err := before.close(); err != nil {
		l.log.Warn("the records were not closed in order", "err", err)
	}
	return nil
}

// known gives the entry with a key. The caller holds writing.
func (l *Local) known(key string) (entry, bool, error) {
	l.mu.RLock()
	r := l.books.records[key]
	l.mu.RUnlock()
	if r == nil {
		return entry{}, false, nil
	}
	e, err := l.journal.read(r.place)
	return e, err == nil, err
}

// entry makes the entry of a write-back; old is what its key has so far.
func (l *Local) entry(w cti.WriteBack, old entry) (entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e := entry{Op: w.Op, Key: w.Key, At: time.Now().UTC().Truncate(time.Millisecond), CustomerID: w.CustomerID, Leg: w.Leg}
	c, found := l.get(w.CustomerID)
	e.Name = c.Name
	switch w.Op {
	case cti.LogCall:
		record := w.Record
		if record.WrapUp.SavedAt.IsZero() && old.Call != nil {
			record.WrapUp = old.Call.WrapUp // nothing was said, so nothing is taken back
		}
		e.Call = &record
	case cti.CreateCustomer:
		e.New, e.Number, e.Name = &w.New, w.Record.Number.Best(), w.New.Name
	case cti.UpdateCustomer:
		e.New = &w.New
	case cti.AddNumber:
		e.Number = w.Record.Number.Best()
	case cti.AddTags, cti.RemoveTags:
		e.Tags = w.Tags
	case cti.AddNote:
		e.Note, e.Ticket = &w.Note, &cti.TicketDraft{ID: w.Ticket.ID}
	case cti.CreateTicket:
		e.Ticket = &w.Ticket
	case cti.UpdateTicket:
		e.Ticket = &w.Ticket
	case cti.SetStatus:
		e.Ticket = &cti.TicketDraft{ID: w.Ticket.ID, Status: w.Ticket.Status}
	case cti.CreateTask:
		e.Task = &w.Task
	case cti.AttachRecording:
		e.Recording, e.RecordID = &w.Recording, w.RecordID
	default: // refused before
	}
	return e, l.missing(e, found)
}

// missing says what an entry is about and is not there. The caller holds mu.
func (l *Local) missing(e entry, customer bool) error {
	switch e.Op {
	case cti.UpdateCustomer, cti.AddNumber, cti.AddTags, cti.RemoveTags:
		if !customer {
			return l.gone("the customer is not in the contacts file any more")
		}
	case cti.AddNote, cti.UpdateTicket, cti.SetStatus:
		if needed := e.Op != cti.AddNote || e.Ticket.ID != ""; needed && l.books.tickets[e.Ticket.ID] == nil {
			return cti.Errorf(cti.NotFound, "the folder has no such ticket", nil)
		}
	case cti.AttachRecording:
		if r := l.books.records[e.RecordID]; r == nil || r.op != cti.LogCall {
			return cti.Errorf(cti.NotFound, "the folder has no record of this call", nil)
		}
	default: // they are about nothing that has to be there
	}
	return nil
}

// gone is notfound, or offline as long as there is no list to be missing in. The caller holds mu.
func (l *Local) gone(what string) error {
	if err := l.ready(); err != nil {
		return err
	}
	return cti.Errorf(cti.NotFound, what, nil)
}

// history gives a customer's last calls, newest first.
func (l *Local) history(ctx context.Context, customerID string, limit int) ([]cti.Contact, error) {
	l.mu.RLock()
	j, calls := l.journal, make([]record, 0, len(l.books.calls[customerID]))
	for _, r := range l.books.calls[customerID] {
		calls = append(calls, *r)
	}
	l.mu.RUnlock()
	slices.SortStableFunc(calls, func(a, b record) int { return b.at.Compare(a.at) })
	var out []cti.Contact
	for _, r := range calls[:min(len(calls), max(limit, 0))] {
		e, err := j.read(r.place)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		c := e.Call
		out = append(out, cti.Contact{
			At: c.StartedAt, Direction: c.Direction, Ending: string(c.Ending), Outcome: c.WrapUp.Outcome, Note: c.WrapUp.Note, Agent: c.Extension, TalkMS: c.TalkMS,
		})
	}
	return out, nil
}

// tickets gives a customer's open tickets.
func (l *Local) tickets(_ context.Context, customerID string, limit int) ([]cti.Ticket, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := l.books.openOf(customerID)
	return all[:min(len(all), max(limit, 0))], nil
}
