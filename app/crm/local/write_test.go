package local

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

var began = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// call is the record of a call of a customer.
func call(key, customer string) cti.WriteBack {
	record := cti.Record{
		Key: key, Leg: "leg-" + key, Direction: cti.In, Number: number.Parse("020 7946 0123", "GB"), StartedAt: began, EndedAt: began.Add(time.Minute), Ending: "answered", TalkMS: 54_000,
	}
	return cti.WriteBack{Op: cti.LogCall, Key: key, Leg: record.Leg, Identity: cti.IdentityKnown, CustomerID: customer, Record: record}
}

func (o *office) write(w cti.WriteBack) string {
	o.t.Helper()
	if w.Identity == "" {
		w.Identity = cti.IdentityKnown
	}
	receipt, err := o.Write(o.t.Context(), w)
	if err != nil {
		o.t.Fatalf("%s: %v", w.Op, err)
	}
	return receipt.ID
}

func (o *office) refuses(w cti.WriteBack, want cti.Kind) {
	o.t.Helper()
	if w.Identity == "" {
		w.Identity = cti.IdentityKnown
	}
	if _, err := o.Write(o.t.Context(), w); cti.KindOf(err) != want {
		o.t.Errorf("%s: %v (%s), want %s", w.Op, err, cti.KindOf(err), want)
	}
}

// customer gives one, as far as the test says.
func (o *office) customer(id string) cti.Customer {
	o.t.Helper()
	c, err := o.Features().Get(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// journal counts its lines.
func (o *office) lines() int {
	o.t.Helper()
	text, err := os.ReadFile(filepath.Join(o.folder, "out", journalName))
	if err != nil {
		o.t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// kept runs a check now and after a restart.
func (o *office) kept(check func()) {
	o.t.Helper()
	check()
	o.again()
	check()
}

func TestCustomersAreMadeAndChanged(t *testing.T) {
	o := openOffice(t, table)
	caller := cti.Record{Number: number.Parse("020 7946 0150", "GB")}
	id := o.write(cti.WriteBack{Op: cti.CreateCustomer, Key: "k1", Record: caller, New: cti.NewCustomer{Name: "Dora", Type: "lead"}})
	o.write(cti.WriteBack{Op: cti.AddNumber, Key: "k2", CustomerID: "c1", Record: caller})
	o.write(cti.WriteBack{Op: cti.UpdateCustomer, Key: "k3", CustomerID: "c1", New: cti.NewCustomer{Email: "ada@engines.example", Status: "won"}})
	o.write(cti.WriteBack{Op: cti.UpdateCustomer, Key: "k4", CustomerID: id, New: cti.NewCustomer{Company: "Dora Ltd"}})
	o.write(cti.WriteBack{Op: cti.AddTags, Key: "k5", CustomerID: "c1", Tags: []string{"vip", "late", "vip"}})
	o.write(cti.WriteBack{Op: cti.RemoveTags, Key: "k6", CustomerID: "c1", Tags: []string{"late", "never"}})
	o.kept(func() {
		want := cti.Customer{ID: "c1", Type: "contact", Name: "Ada Lovelace", Company: "Engines", Email: "ada@engines.example", Status: "won",
			Numbers: []string{"020 7946 0123", "+442079460150"}, Tags: []string{"vip"}}
		if diff := cmp.Diff(want, o.customer("c1")); diff != "" {
			t.Errorf("the changed customer (-want +got):\n%s", diff)
		}
		want = cti.Customer{ID: id, Type: "lead", Name: "Dora", Company: "Dora Ltd", Numbers: []string{"+442079460150"}}
		if diff := cmp.Diff(want, o.customer(id)); diff != "" {
			t.Errorf("the new customer (-want +got):\n%s", diff)
		}
		o.want("+44 20 7946 0150", "Dora, Ada Lovelace")
		o.want("020 7946 0123", "Ada Lovelace") // once, as she is now
		found, err := o.Features().Search(t.Context(), "dora ltd", 5)
		if err != nil || len(found) != 1 || found[0].ID != id {
			t.Errorf("the search gives %v, %v", found, err)
		}
	})
	if text, err := os.ReadFile(o.contacts); err != nil || string(text) != table {
		t.Errorf("the business's own file was changed: %q, %v", text, err)
	}
	o.put("id,name,phone\nc2,Bob,020 7946 0124\n")
	o.seen()
	if _, err := o.Features().Get(t.Context(), "c1"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("a customer who left the file: %v, want notfound", err)
	}
	for _, op := range []cti.Op{cti.AddNumber, cti.UpdateCustomer, cti.AddTags} {
		o.refuses(cti.WriteBack{Op: op, Key: "k9", CustomerID: "c1", Record: caller, Tags: []string{"x"}, New: cti.NewCustomer{Name: "x"}}, cti.NotFound)
	}
}

// One whom the business takes over into its own file, with the id, is theirs.
func TestANewCustomerCanMoveIntoTheFile(t *testing.T) {
	o := openOffice(t, table)
	id := o.write(cti.WriteBack{Op: cti.CreateCustomer, Key: "k1", Record: cti.Record{Number: number.Parse("020 7946 0150", "GB")}, New: cti.NewCustomer{Name: "Dora"}})
	o.put(table + id + ",Dora Smith,,020 7946 0150\n")
	o.seen()
	o.want("020 7946 0150", "Dora Smith")
}

func TestTicketsNotesAndTasks(t *testing.T) {
	o := openOffice(t, table)
	first := o.write(cti.WriteBack{Op: cti.CreateTicket, Key: "t1", CustomerID: "c1", Ticket: cti.TicketDraft{Subject: "Broken", Priority: "high"}})
	second := o.write(cti.WriteBack{Op: cti.CreateTicket, Key: "t2", CustomerID: "c1", Ticket: cti.TicketDraft{Subject: "Late"}})
	o.write(cti.WriteBack{Op: cti.UpdateTicket, Key: "t3", Ticket: cti.TicketDraft{ID: first, Body: "very", Status: "pending"}})
	o.write(cti.WriteBack{Op: cti.SetStatus, Key: "t4", Ticket: cti.TicketDraft{ID: second, Status: "Closed", Subject: "not this"}})
	o.write(cti.WriteBack{Op: cti.AddNote, Key: "n1", CustomerID: "c1", Ticket: cti.TicketDraft{ID: first}, Note: cti.Note{Text: "rang twice"}})
	o.write(cti.WriteBack{Op: cti.CreateTask, Key: "d1", CustomerID: "c1", Task: cti.TaskDraft{Subject: "call back", DueAt: began}})
	o.kept(func() {
		open, err := o.Features().Tickets(t.Context(), "c1", 5)
		if err != nil || len(open) != 1 || open[0].ID != first || open[0].Subject != "Broken" || open[0].Status != "pending" || open[0].Priority != "high" {
			t.Errorf("the open tickets are %+v, %v", open, err)
		}
		if n := o.customer("c1").OpenTickets; n != 1 {
			t.Errorf("the customer has %d open tickets", n)
		}
		if rows := o.sheet("tickets.csv"); len(rows) != 2 || rows[0]["body"] != "very" || rows[1]["status"] != "Closed" || rows[1]["subject"] != "Late" {
			t.Errorf("tickets.csv has %v", rows)
		}
		if rows := o.sheet("notes.csv"); len(rows) != 1 || rows[0]["note"] != "rang twice" || rows[0]["ticket"] != first || rows[0]["customer"] != "Ada Lovelace" {
			t.Errorf("notes.csv has %v", rows)
		}
		if rows := o.sheet("tasks.csv"); len(rows) != 1 || rows[0]["subject"] != "call back" || rows[0]["due_at"] == "" {
			t.Errorf("tasks.csv has %v", rows)
		}
	})
	for _, op := range []cti.Op{cti.UpdateTicket, cti.SetStatus, cti.AddNote} {
		o.refuses(cti.WriteBack{Op: op, Key: "x", Ticket: cti.TicketDraft{ID: "none", Status: "open"}}, cti.NotFound)
	}
}

func TestARecordingIsNamedBesideItsCall(t *testing.T) {
	o := openOffice(t, table)
	o.refuses(cti.WriteBack{Op: cti.AttachRecording, Key: "r1", RecordID: "k1", Recording: cti.Recording{URL: "https://pbx.example/1.wav"}}, cti.NotFound)
	id := o.write(call("k1", "c1"))
	o.write(cti.WriteBack{Op: cti.AttachRecording, Key: "r1", RecordID: id, Recording: cti.Recording{URL: "https://pbx.example/1.wav"}})
	o.kept(func() {
		if rows := o.sheet("calls.csv"); len(rows) != 1 || rows[0]["recording"] != "https://pbx.example/1.wav" {
			t.Errorf("calls.csv has %v", rows)
		}
	})
}

// Whatever is sent again with its key is there once, and nothing is written for it.
func TestEveryWriteIsThereOnce(t *testing.T) {
	o := openOffice(t, table)
	caller := cti.Record{Number: number.Parse("020 7946 0150", "GB")}
	o.write(call("k0", "c1"))
	o.write(cti.WriteBack{Op: cti.CreateTicket, Key: "t0", CustomerID: "c1", Ticket: cti.TicketDraft{Subject: "s"}})
	writes := map[cti.Op]cti.WriteBack{
		cti.LogCall: call("k1", "c1"), cti.CreateCustomer: {Record: caller, New: cti.NewCustomer{Name: "Dora"}}, cti.UpdateCustomer: {CustomerID: "c1", New: cti.NewCustomer{Status: "won"}},
		cti.AddNumber: {CustomerID: "c1", Record: caller}, cti.AddTags: {CustomerID: "c1", Tags: []string{"a"}}, cti.RemoveTags: {CustomerID: "c1", Tags: []string{"a"}},
		cti.AddNote: {CustomerID: "c1", Note: cti.Note{Text: "n"}}, cti.CreateTicket: {CustomerID: "c1", Ticket: cti.TicketDraft{Subject: "s"}},
		cti.UpdateTicket: {Ticket: cti.TicketDraft{ID: "t0", Body: "b"}}, cti.SetStatus: {Ticket: cti.TicketDraft{ID: "t0", Status: "closed"}},
		cti.CreateTask: {CustomerID: "c1", Task: cti.TaskDraft{Subject: "s"}}, cti.AttachRecording: {RecordID: "k0", Recording: cti.Recording{URL: "u"}},
	}
	for _, op := range can {
		w, ok := writes[op]
		if !ok {
			t.Errorf("%s is not tried here", op)
			continue
		}
		if w.Op = op; w.Key == "" {
			w.Key = "once-" + string(op)
		}
		id, lines := o.write(w), o.lines()
		o.again()
		if repeated := o.write(w); repeated != id || o.lines() != lines {
			t.Errorf("%s again gives %q after %q, and %d lines after %d", op, repeated, id, o.lines(), lines)
		}
		if !o.Features().Writes[op] || !o.Repeat(w).Safe {
			t.Errorf("%s: Features() or Repeat() do not promise it", op)
		}
		if found, err := o.Find(t.Context(), w); err != nil || found.ID != id {
			t.Errorf("%s is found as %+v, %v, want %q", op, found, err, id)
		}
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	o := openOffice(t, table)
	o.refuses(cti.WriteBack{Op: "merge_contact", Key: "k"}, cti.Invalid)
	o.refuses(cti.WriteBack{Op: cti.AddTags, Key: "k", CustomerID: "c1"}, cti.Invalid)
	o.refuses(cti.WriteBack{Op: cti.AddNumber, Key: "k", CustomerID: "c1"}, cti.Invalid)
	large := call("k", "c1")
	large.Record.Cause = strings.Repeat("x", maxEntry)
	o.refuses(large, cti.Invalid)
	if n := o.lines(); n != 0 {
		t.Errorf("%d lines were written", n)
	}
}

func TestATornLastLineIsCut(t *testing.T) {
	o := openOffice(t, table)
	o.write(call("k1", "c1"))
	o.Close()
	path := filepath.Join(o.folder, "out", journalName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := strings.ReplaceAll(string(whole), "k1", "k2")
	for cut := range len(torn) {
		if err := os.WriteFile(path, append(slices.Clone(whole), torn[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		b := newBooks()
		j, damaged, err := openJournal(path, b.book)
		if err != nil || damaged != 0 || len(b.records) != 1 || j.size != int64(len(whole)) {
			t.Fatalf("cut after %d bytes: %d records, %d damaged, %v", cut, len(b.records), damaged, err)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, whole) {
			t.Fatalf("cut after %d bytes: the file has %q, %v", cut, left, err)
		}
	}
	o.open()
	o.write(call("k3", "c1"))
	if rows := o.sheet("calls.csv"); len(rows) != 2 {
		t.Errorf("calls.csv has %d rows, want k1 and k3", len(rows))
	}
}

func TestADamagedLineCostsNoOther(t *testing.T) {
	o := openOffice(t, table)
	o.write(call("k1", "c1"))
	o.write(call("k2", "c1"))
	o.Close()
	path := filepath.Join(o.folder, "out", journalName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[3] ^= 0xFF
	text = append(text, []byte(`{"op":"log_call","key":"k9"}`+"\n"+`{"op":"add_tags","key":"k8"}`+"\n")...) // whole lines that say nothing
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.open()
	if rows := o.sheet("calls.csv"); len(rows) != 1 || rows[0]["key"] != "k2" {
		t.Errorf("calls.csv has %v", rows)
	}
	if !strings.Contains(o.log.String(), "lines=3") {
		t.Errorf("the log does not say that three lines are damaged:\n%s", o.log)
	}
}

// A write that the disk did not confirm is uncertain, and there once when it is sent again: whatever it left is cut away first.
func TestAnUnconfirmedWriteIsThereOnceWhenSentAgain(t *testing.T) {
	o := openOffice(t, table)
	o.write(call("k1", "c1"))
	o.journal.sync = func(*os.File) error { return errors.New("i/o error") }
	o.refuses(call("k2", "c1"), cti.Uncertain)
	if o.lines() != 2 {
		t.Fatal("the failed write left nothing: the test shows nothing")
	}
	if _, err := o.Find(t.Context(), call("k2", "c1")); cti.KindOf(err) != cti.NotFound || o.lines() != 1 {
		t.Errorf("Find: %v with %d lines, want notfound and one: nothing that is there can be trusted", err, o.lines())
	}
	o.journal.sync = (*os.File).Sync
	o.write(call("k2", "c1"))
	o.kept(func() {
		if rows := o.sheet("calls.csv"); len(rows) != 2 || o.lines() != 2 {
			t.Errorf("there are %d rows and %d lines, want two", len(rows), o.lines())
		}
	})
}

func TestAFullDiskIsOfflineAndLeavesNothing(t *testing.T) {
	o := openOffice(t, table)
	o.write(call("k1", "c1"))
	path := filepath.Join(o.folder, "out", journalName)
	readOnly, err := os.Open(path) // a file that takes nothing, as that of a full disk
	if err != nil {
		t.Fatal(err)
	}
	mine := o.journal.f
	o.journal.f = readOnly
	o.refuses(call("k2", "c1"), cti.Uncertain) // not even cutting is possible there
	if err := mine.Close(); err != nil {
		t.Fatal(err)
	}
	o.write(call("k2", "c1"))
	if o.lines() != 2 {
		t.Errorf("there are %d lines", o.lines())
	}
}

func TestChangesTellWhoChanged(t *testing.T) {
	o := openOffice(t, "id,name,phone\n"+many(2*pageSize+1))
	everybody, cursor := o.changed("")
	if len(everybody) != 2*pageSize+1 {
		t.Fatalf("everybody are %d", len(everybody))
	}
	if changed, next := o.changed(cursor); len(changed) != 0 || next != cursor {
		t.Errorf("nothing changed, and there are %v", changed)
	}
	o.put("id,name,phone\n" + strings.Replace(many(2*pageSize), "N7,", "Seven,", 1) + "new,New,020 7946 0123\n")
	o.seen()
	id := o.write(cti.WriteBack{Op: cti.CreateCustomer, Key: "k1", Record: cti.Record{Number: number.Parse("020 7946 0150", "GB")}, New: cti.NewCustomer{Name: "Dora"}})
	o.write(cti.WriteBack{Op: cti.AddTags, Key: "k2", CustomerID: "n9", Tags: []string{"vip"}})
	changed, next := o.changed(cursor)
	want := map[string]string{"n7": "Seven", "new": "New", id: "Dora", "n9": "N9", "n2000": "deleted"}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("the changes (-want +got):\n%s", diff)
	}
	o.again()
	if changed, _ := o.changed(next); len(changed) != 0 {
		t.Errorf("after a restart without a change there are %v", changed)
	}
	if _, err := o.Features().Changes(t.Context(), cursor); cti.KindOf(err) != cti.Invalid {
		t.Errorf("a place that is not known any more: %v, want invalid, so that everybody is read", err)
	}
}

// changed reads all pages: names by id.
func (o *office) changed(cursor string) (names map[string]string, next string) {
	o.t.Helper()
	names = map[string]string{}
	for {
		page, err := o.Features().Changes(o.t.Context(), cursor)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, c := range page.Customers {
			names[c.ID] = c.Name
		}
		for _, id := range page.Deleted {
			names[id] = "deleted"
		}
		if cursor = page.Cursor; !page.More {
			return names, cursor
		}
	}
}
