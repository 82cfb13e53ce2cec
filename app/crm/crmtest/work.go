package crmtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Work is how the suite looks at what an agent does in a CRM besides logging calls. What a CRM has no way for is left nil or empty, and its test
// is skipped and says so.
type Work struct {
	Count           func(op cti.Op, key string) int // records that an operation made under this key
	Statuses        []string                        // of tickets: two that list_tickets shows; the first is that of a new one
	TicketStatus    func(id string) string
	SetTicketStatus func(id, status string) // as a colleague does in the CRM
	Tag             string                  // one that the customer does not have
	Recording       func(callID string) string
	File            func(callID string) (sha256 string)
	Deny            func(deny bool) // the signed-in user loses the right to write, and gets it back
	EndSignIn       func()          // what the connector signed in with is void from now on
}

func can(t *testing.T, rig Rig, ops ...cti.Op) {
	t.Helper()
	for _, op := range ops {
		if !rig.Connector.Features().Writes[op] {
			t.Skipf("this connector has no %s", op)
		}
	}
}

// do is a write-back about the known customer.
func (rig Rig) do(t *testing.T, op cti.Op) cti.WriteBack {
	t.Helper()
	return cti.WriteBack{Op: op, Key: cti.ID("crmtest", t.Name(), string(op)), Identity: cti.IdentityKnown, CustomerID: rig.KnownID}
}

// once writes with the answer lost, then until the CRM says that it has it, and then once more: that is one record.
func (rig Rig) once(t *testing.T, w cti.WriteBack) cti.Receipt {
	t.Helper()
	if rig.Connector.Repeat(w).Safe {
		rig.DropNextWrite()
		if _, err := rig.Connector.Write(ask(t), w); cti.KindOf(err) != cti.Uncertain {
			t.Errorf("%s: after a lost answer the error is %v (%s), want uncertain", w.Op, err, cti.KindOf(err))
		}
	}
	first := write(t, rig, w)
	if rig.Connector.Repeat(w).Safe && !rig.FirstStays {
		if again := write(t, rig, w); again != first {
			t.Errorf("%s: written again it is %s, before it was %s", w.Op, again.ID, first.ID)
		}
	}
	if count := rig.Work.Count; count != nil {
		if n := count(w.Op, w.Key); n != 1 {
			t.Errorf("%s: the CRM has %d records of one key", w.Op, n)
		}
	}
	return first
}

func made(t *testing.T, rig Rig) {
	can(t, rig, cti.CreateCustomer)
	w := rig.do(t, cti.CreateCustomer)
	w.CustomerID, w.New = "", cti.NewCustomer{Name: "Grace Hopper", Email: "grace@crmtest.example"}
	w.Record.Number = number.Parse("+442073335699", rig.Region)
	id := rig.once(t, w).ID
	found, err := rig.Connector.Lookup(ask(t), w.Record.Number)
	if err != nil || len(found) != 1 || found[0].ID != id || found[0].Name != "Grace Hopper" {
		t.Fatalf("the new customer %s is found as %+v, %v", id, found, err)
	}
	if !rig.Connector.Features().Writes[cti.UpdateCustomer] {
		return
	}
	change := rig.do(t, cti.UpdateCustomer)
	change.CustomerID, change.New = id, cti.NewCustomer{Name: "Grace B. Hopper"}
	write(t, rig, change)
	found, err = rig.Connector.Lookup(ask(t), w.Record.Number)
	if err != nil || len(found) != 1 || found[0].Name != "Grace B. Hopper" || found[0].Email != "grace@crmtest.example" {
		t.Errorf("changed, they are %+v, %v: the name changes, the rest stays", found, err)
	}
	if get := rig.Connector.Features().Get; get != nil {
		if c, err := get(ask(t), id); err != nil || c.Name != "Grace B. Hopper" {
			t.Errorf("asked by id they are %+v, %v", c, err)
		}
	}
}

func noted(t *testing.T, rig Rig) {
	can(t, rig, cti.AddNote)
	w := rig.do(t, cti.AddNote)
	w.Note = cti.Note{Text: "asked for the manual\nsecond line <b>", At: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)}
	rig.once(t, w)
}

func tasked(t *testing.T, rig Rig) {
	can(t, rig, cti.CreateTask)
	w := rig.do(t, cti.CreateTask)
	w.Task = cti.TaskDraft{Subject: "Send the manual", Body: "by post", DueAt: time.Date(2026, 3, 9, 9, 0, 0, 0, time.UTC)}
	rig.once(t, w)
}

func ticketed(t *testing.T, rig Rig) {
	can(t, rig, cti.CreateTicket)
	list := rig.Connector.Features().Tickets
	if list == nil {
		t.Skip("this connector lists no tickets")
	}
	w := rig.do(t, cti.CreateTicket)
	w.Ticket = cti.TicketDraft{Subject: "Lamp broken", Body: "since Monday"}
	id := rig.once(t, w).ID
	if got := ticketOf(t, rig, id); got.Subject != "Lamp broken" {
		t.Fatalf("the ticket is listed as %+v", got)
	}
	if len(rig.Work.Statuses) < 2 {
		return
	}
	first, second := rig.Work.Statuses[0], rig.Work.Statuses[1]
	if got := ticketOf(t, rig, id); got.Status != first {
		t.Errorf("a new ticket is %q, want %q", got.Status, first)
	}
	change := rig.do(t, cti.SetStatus)
	change.Ticket = cti.TicketDraft{ID: id, Status: second}
	write(t, rig, change)
	if got := rig.Work.TicketStatus(id); got != second {
		t.Errorf("set to %q here, it is %q in the CRM", second, got)
	}
	rig.Work.SetTicketStatus(id, first)
	if got := ticketOf(t, rig, id); got.Status != first {
		t.Errorf("set to %q in the CRM, it is %q here", first, got.Status)
	}
}

// ticketOf gives a ticket of the known customer as it is listed.
func ticketOf(t *testing.T, rig Rig, id string) cti.Ticket {
	t.Helper()
	tickets, err := rig.Connector.Features().Tickets(ask(t), rig.KnownID, 50)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(tickets, func(one cti.Ticket) bool { return one.ID == id })
	if i < 0 {
		t.Fatalf("ticket %s is not among %+v", id, tickets)
	}
	return tickets[i]
}

func tagged(t *testing.T, rig Rig) {
	can(t, rig, cti.AddTags, cti.RemoveTags)
	if rig.Work.Tag == "" {
		t.Skip("the rig has no tag")
	}
	for _, op := range []cti.Op{cti.AddTags, cti.RemoveTags} {
		w := rig.do(t, op)
		w.Tags = []string{rig.Work.Tag}
		for range 2 {
			write(t, rig, w)
		}
		found := lookup(t, rig, rig.Spellings[0])
		i := slices.IndexFunc(found, func(c cti.Customer) bool { return c.ID == rig.KnownID })
		if has := i >= 0 && slices.Contains(found[i].Tags, rig.Work.Tag); has != (op == cti.AddTags) {
			t.Errorf("after %s the customer has the tag: %t", op, has)
		}
	}
}

func recorded(t *testing.T, rig Rig) {
	can(t, rig, cti.AttachRecording)
	call := rig.writeBack(t.Name(), rig.KnownID)
	id := write(t, rig, call).ID
	w := rig.do(t, cti.AttachRecording)
	w.RecordID, w.Record = id, call.Record
	for _, address := range []string{"https://pbx.example/recordings/1", "https://pbx.example/recordings/2"} { // one that is moved replaces the one before
		w.Recording = cti.Recording{URL: address, Name: "call.wav", Type: "audio/wav", DurationMS: 90_000}
		write(t, rig, w)
		if got := rig.Work.Recording; got != nil && got(id) != address {
			t.Errorf("the call's recording is %q, want %q", got(id), address)
		}
	}
	w.Recording = cti.Recording{ID: "rec-3"} // no address may be told
	write(t, rig, w)
	if n := rig.CountRecords(call.Key); n != 1 {
		t.Errorf("the CRM has %d records of the call", n)
	}
}

func denied(t *testing.T, rig Rig) {
	if rig.Work.Deny == nil {
		t.Skip("the rig cannot take rights away")
	}
	w := rig.writeBack(t.Name(), rig.KnownID)
	rig.Work.Deny(true)
	_, err := rig.Connector.Write(ask(t), w)
	rig.Work.Deny(false)
	if cti.KindOf(err) != cti.Denied || cti.MessageOf(err) == "" {
		t.Errorf("the error is %v (%s), want denied and why", err, cti.KindOf(err))
	}
	if n := rig.CountRecords(w.Key); n != 0 {
		t.Errorf("%d records were written without the right", n)
	}
	write(t, rig, w)
	rig.one(t, w.Key, nil)
}

// endedSignIn: a sign-in that ends between two requests is renewed without anybody noticing, and a write is made once.
func endedSignIn(t *testing.T, rig Rig) {
	if rig.Work.EndSignIn == nil {
		t.Skip("this connector signs in with what does not end")
	}
	lookup(t, rig, rig.Spellings[0])
	rig.Work.EndSignIn()
	if !has(lookup(t, rig, rig.Spellings[0]), rig.KnownID) {
		t.Error("after the sign-in ended the customer is not found")
	}
	rig.Work.EndSignIn()
	w := rig.writeBack(t.Name(), rig.KnownID)
	write(t, rig, w)
	rig.one(t, w.Key, nil)
}

func described(t *testing.T, rig Rig) {
	f := rig.Connector.Features()
	if f.Describe == nil {
		t.Skip("this CRM does not describe its fields")
	}
	fields, err := f.Describe(ask(t), "call")
	if err != nil || len(fields) == 0 {
		t.Fatalf("the fields of a call are %v, %v", fields, err)
	}
	seen := map[string]bool{}
	for _, one := range fields {
		if one.Name == "" || seen[one.Name] {
			t.Errorf("field %q is described twice, or has no name", one.Name)
		}
		seen[one.Name] = true
	}
	if _, err := f.Describe(ask(t), "spaceship"); cti.KindOf(err) != cti.Invalid {
		t.Errorf("of an unknown object the error is %v (%s), want invalid", err, cti.KindOf(err))
	}
}

func handedOver(t *testing.T, rig Rig) {
	can(t, rig, cti.UploadRecording)
	call := rig.writeBack(t.Name(), rig.KnownID)
	w := rig.do(t, cti.UploadRecording)
	w.RecordID, w.Record = write(t, rig, call).ID, call.Record
	content := bytes.Repeat([]byte("Ringside "), 300_000) // more than one piece
	sum := sha256.Sum256(content)
	file := cti.File{ReaderAt: bytes.NewReader(content), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Name: "call.wav", Type: "audio/wav"}
	rig.DropNextWrite()
	for n := 0; ; n++ {
		_, err := rig.Connector.Write(cti.WithFile(cti.WithSteps(ask(t), func(steps string) { w.Steps = steps }), file), w)
		if err == nil {
			break
		}
		if cti.KindOf(err) != cti.Uncertain || n > 0 {
			t.Fatalf("after a lost answer: %v", err)
		}
	}
	if got := rig.Work.File; got != nil && got(w.RecordID) != file.SHA256 {
		t.Errorf("the CRM has the file %s, want %s", got(w.RecordID), file.SHA256)
	}
	if n := rig.CountRecords(call.Key); n != 1 {
		t.Errorf("the CRM has %d records of the call", n)
	}
}
