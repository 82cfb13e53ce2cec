package pocketbase_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

var began = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// desk is an agent who works with a PocketBase through the connector.
type desk struct {
	*base

	crm *crm.Engine
	ada string
}

func sit(t *testing.T) *desk {
	b := start(t)
	return &desk{b, open(t, b.url, password), b.add("contacts", map[string]any{"name": "Ada Lovelace", "company": "Engines", "phone": "020 7946 0123", "tags": []string{"late"}})}
}

// write does it twice and gives the id, which must be the same.
func (d *desk) write(w cti.WriteBack) string {
	d.t.Helper()
	w.Identity, w.Key = cti.IdentityKnown, cti.WriteKey("test", w.Leg, w.Op, 1)
	first, err := d.crm.Write(d.t.Context(), w)
	if err != nil {
		d.t.Fatalf("%s: %v", w.Op, err)
	}
	if again, err := d.crm.Write(d.t.Context(), w); err != nil || again != first {
		d.t.Errorf("%s once more: %+v, %v, want %+v", w.Op, again, err, first)
	}
	return first.ID
}

// all is how many records a collection has.
func (d *desk) all(collection string) int {
	d.t.Helper()
	n, err := d.CountRecords(collection)
	d.must(err)
	return int(n)
}

// has checks fields of a record.
func (d *desk) has(collection, id string, want map[string]any) {
	d.t.Helper()
	got, r := map[string]any{}, d.one(collection, id)
	for name := range want {
		if got[name] = r.Get(name); name == "due" || name == "at" {
			got[name] = r.GetDateTime(name).Time()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s differ (-want +got):\n%s", collection, diff)
	}
}

func TestCustomersAreMadeAndChanged(t *testing.T) {
	d := sit(t)
	caller := cti.Record{Number: number.Parse("020 7946 0150", "GB")}
	dora := d.write(cti.WriteBack{Op: cti.CreateCustomer, Record: caller, New: cti.NewCustomer{Name: "Dora", Company: "Dora Ltd"}})
	d.write(cti.WriteBack{Op: cti.UpdateCustomer, CustomerID: dora, New: cti.NewCustomer{Email: "dora@example.com", Status: "won"}})
	d.has("contacts", dora, map[string]any{"name": "Dora", "company": "Dora Ltd", "email": "dora@example.com", "status": "won", "phone": "+442079460150"})
	d.write(cti.WriteBack{Op: cti.AddNumber, CustomerID: d.ada, Record: caller})
	d.write(cti.WriteBack{Op: cti.AddTags, CustomerID: d.ada, Tags: []string{"vip", "late"}})
	d.has("contacts", d.ada, map[string]any{"phone": "020 7946 0123", "mobile": "+442079460150", "other": "", "tags": []string{"late", "vip"}})
	d.write(cti.WriteBack{Op: cti.RemoveTags, CustomerID: d.ada, Tags: []string{"late"}})
	got, err := d.crm.Features().Get(t.Context(), d.ada)
	if err != nil || got.LastActivityAt.IsZero() {
		t.Fatal(got, err)
	}
	got.LastActivityAt = time.Time{}
	want := cti.Customer{ID: d.ada, Type: "contact", Name: "Ada Lovelace", Company: "Engines", Numbers: []string{"020 7946 0123", "+442079460150"}, Tags: []string{"vip"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the customer differs (-want +got):\n%s", diff)
	}
	if n := d.all("contacts"); n != 2 {
		t.Errorf("there are %d contacts", n)
	}
	_, err = d.crm.Write(t.Context(), cti.WriteBack{Op: cti.AddTags, Key: "k", Identity: cti.IdentityKnown, CustomerID: d.ada, Tags: []string{"unheard of"}})
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "tags") {
		t.Errorf("a tag that is no choice there: %v, want invalid and the field", err)
	}
	if _, err := d.crm.Features().Get(t.Context(), "none00000000000"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("nobody: %v, want notfound", err)
	}
}

func TestTicketsNotesTasksAndRecordings(t *testing.T) {
	d := sit(t)
	ticket := d.write(cti.WriteBack{Op: cti.CreateTicket, CustomerID: d.ada, Ticket: cti.TicketDraft{Subject: "Broken", Priority: "high"}})
	d.write(cti.WriteBack{Op: cti.UpdateTicket, Ticket: cti.TicketDraft{ID: ticket, Body: "very", Status: "pending"}})
	d.has("tickets", ticket, map[string]any{"contact": d.ada, "subject": "Broken", "body": "very", "status": "pending", "priority": "high"})
	open, err := d.crm.Features().Tickets(t.Context(), d.ada, 5)
	if err != nil || len(open) != 1 || open[0].ID != ticket || open[0].UpdatedAt.IsZero() {
		t.Errorf("the open tickets are %+v, %v", open, err)
	}
	d.write(cti.WriteBack{Op: cti.SetStatus, Ticket: cti.TicketDraft{ID: ticket, Status: "closed"}})
	if open, err := d.crm.Features().Tickets(t.Context(), d.ada, 5); err != nil || len(open) != 0 {
		t.Errorf("a closed ticket is open: %+v, %v", open, err)
	}
	note := d.write(cti.WriteBack{Op: cti.AddNote, CustomerID: d.ada, Ticket: cti.TicketDraft{ID: ticket}, Note: cti.Note{Text: "rang twice", At: began}})
	d.has("notes", note, map[string]any{"contact": d.ada, "ticket": ticket, "text": "rang twice", "at": began})
	task := d.write(cti.WriteBack{Op: cti.CreateTask, CustomerID: d.ada, Task: cti.TaskDraft{Subject: "call back", DueAt: began}})
	d.has("tasks", task, map[string]any{"contact": d.ada, "subject": "call back", "due": began, "owner": d.agentID()})
	call := d.write(cti.WriteBack{Op: cti.LogCall, CustomerID: d.ada, Record: cti.Record{Number: number.Parse("020 7946 0123", "GB"), StartedAt: began, EndedAt: began}})
	d.write(cti.WriteBack{Op: cti.AttachRecording, RecordID: call, Recording: cti.Recording{URL: "https://pbx.example/1.wav"}})
	d.has("calls", call, map[string]any{"contact": d.ada, "recording": "https://pbx.example/1.wav", "agent": agentName})
	for _, collection := range []string{"tickets", "notes", "tasks", "calls"} {
		if n := d.all(collection); n != 1 {
			t.Errorf("there are %d %s", n, collection)
		}
	}
}

func (d *desk) agentID() string {
	d.t.Helper()
	r, err := d.FindAuthRecordByEmail("users", agentEmail)
	d.must(err)
	return r.Id
}

func TestListsAreRead(t *testing.T) {
	d := sit(t)
	d.agent("wang.fang@ringside.example", "Wang Fang")
	for _, name := range []string{"won", "lost"} {
		d.add("options", map[string]any{"kind": "outcome", "name": name})
	}
	d.add("options", map[string]any{"kind": "queue", "name": "Sales"})
	d.add("orders", map[string]any{"contact": d.ada, "number": "A-1", "status": "paid", "total": "12.50", "currency": "GBP", "at": began})
	f := d.crm.Features()
	names := func(kind string) string {
		options, err := f.Options(t.Context(), kind, 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, o := range options {
			all = append(all, o.Name)
		}
		return strings.Join(all, ", ")
	}
	if got := names("owner") + "; " + names("outcome") + "; " + names("queue"); got != "Lin Yue, Wang Fang; lost, won; Sales" {
		t.Errorf("the options are %s", got)
	}
	orders, err := f.Orders(t.Context(), d.ada, 5)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	if diff := cmp.Diff(cti.Order{ID: orders[0].ID, Number: "A-1", Status: "paid", Total: "12.50", Currency: "GBP", At: began}, orders[0]); diff != "" {
		t.Errorf("the order differs (-want +got):\n%s", diff)
	}
	d.add("contacts", map[string]any{"name": `Pat O'Hara \ 100%`, "phone": "020 7946 0177"})
	for text, want := range map[string]int{"lovelace": 1, "engines": 1, "0177": 1, "o'hara": 1, `x' || name != '`: 0, `\`: 2, "": 2} {
		if found, err := f.Search(t.Context(), text, 10); err != nil || len(found) != want {
			t.Errorf("%q finds %d, %v, want %d", text, len(found), err, want)
		}
	}
	setups := d.crm.Setups(t.Context())
	if len(setups) != 1 || !setups[0].Ready {
		t.Errorf("the setup is %+v", setups)
	}
}

func TestChangesTellWhoChanged(t *testing.T) {
	d := sit(t)
	changes := d.crm.Features().Changes
	page, err := changes(t.Context(), "")
	if err != nil || len(page.Customers) != 1 || page.More || page.Cursor == "" {
		t.Fatalf("everybody are %+v, %v", page, err)
	}
	if next, err := changes(t.Context(), page.Cursor); err != nil || len(next.Customers)+len(next.Deleted) != 0 || next.Cursor != page.Cursor {
		t.Errorf("nothing changed: %+v, %v", next, err)
	}
	bob := d.add("contacts", map[string]any{"name": "Bob", "phone": "020 7946 0124"})
	ada := d.one("contacts", d.ada)
	ada.Set("archived", true)
	d.must(d.Save(ada))
	next, err := changes(t.Context(), page.Cursor)
	if err != nil || len(next.Customers) != 1 || next.Customers[0].ID != bob || !cmp.Equal(next.Deleted, []string{d.ada}) {
		t.Errorf("the changes are %+v, %v", next, err)
	}
}

// A token that is no longer good makes a guest, for whom every list is empty: nobody may be taken for a stranger because of it.
func TestAnEndedSessionIsBegunAnewAndNobodyIsAStranger(t *testing.T) {
	d := sit(t)
	ada := number.Parse("020 7946 0123", "GB")
	steps := map[string]func(ctx context.Context) error{
		"lookup": func(ctx context.Context) error {
			found, err := d.crm.Lookup(ctx, ada)
			if len(found) != 1 {
				t.Errorf("the look-up finds %d", len(found))
			}
			return err
		},
		"write": func(ctx context.Context) error {
			_, err := d.crm.Write(ctx, cti.WriteBack{Op: cti.AddNote, Key: cti.ID("note"), Identity: cti.IdentityKnown, CustomerID: d.ada, Note: cti.Note{Text: "x"}})
			return err
		},
		"change": func(ctx context.Context) error {
			_, err := d.crm.Write(ctx, cti.WriteBack{Op: cti.UpdateCustomer, Key: cti.ID("change"), Identity: cti.IdentityKnown, CustomerID: d.ada, New: cti.NewCustomer{Status: "won"}})
			return err
		},
	}
	for name, step := range steps {
		if _, err := d.crm.Whoami(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.endSessions()
		if err := step(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAUserWhoMayNotWriteIsDenied(t *testing.T) {
	d := sit(t)
	c, err := d.FindCollectionByNameOrId("notes")
	d.must(err)
	c.CreateRule = nil // superusers alone
	d.must(d.Save(c))
	w := cti.WriteBack{Op: cti.AddNote, Key: cti.ID("note"), Identity: cti.IdentityKnown, CustomerID: d.ada, Note: cti.Note{Text: "x"}}
	if _, err := d.crm.Write(t.Context(), w); cti.KindOf(err) != cti.Denied {
		t.Errorf("the error is %v (%s), want denied", err, cti.KindOf(err))
	}
}

func TestAMissingCollectionIsNamed(t *testing.T) {
	d := sit(t)
	for _, name := range []string{"calls"} {
		c, err := d.FindCollectionByNameOrId(name)
		d.must(err)
		d.must(d.Delete(c))
	}
	w := cti.WriteBack{Op: cti.LogCall, Key: cti.ID("call"), Identity: cti.IdentityKnown, Record: cti.Record{StartedAt: began, EndedAt: began}}
	_, err := d.crm.Write(t.Context(), w)
	if err == nil || !strings.Contains(err.Error(), "import the collections") {
		t.Errorf("the error is %v, want what to do", err)
	}
}

// A write whose answer was lost leaves one record when it is sent again, whichever it is.
func TestLostAnswersLeaveOneRecord(t *testing.T) {
	b := start(t)
	door := servers.OpenDoor(t, b.url, writes)
	e := open(t, door.URL(), password)
	ada := b.add("contacts", map[string]any{"name": "Ada Lovelace"})
	for collection, w := range map[string]cti.WriteBack{
		"contacts": {Op: cti.CreateCustomer, New: cti.NewCustomer{Name: "Dora"}},
		"tickets":  {Op: cti.CreateTicket, CustomerID: ada, Ticket: cti.TicketDraft{Subject: "s"}},
		"notes":    {Op: cti.AddNote, CustomerID: ada, Note: cti.Note{Text: "n"}},
		"tasks":    {Op: cti.CreateTask, CustomerID: ada, Task: cti.TaskDraft{Subject: "s"}},
	} {
		before, err := b.CountRecords(collection)
		b.must(err)
		w.Identity, w.Key = cti.IdentityKnown, cti.WriteKey("test", "lost", w.Op, 1)
		door.DropNextWrite()
		if _, err := e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
			t.Errorf("%s: the error is %v (%s), want uncertain", w.Op, err, cti.KindOf(err))
		}
		if _, err := e.Write(t.Context(), w); err != nil {
			t.Errorf("%s again: %v", w.Op, err)
		}
		if after, err := b.CountRecords(collection); err != nil || after != before+1 {
			t.Errorf("%s: there are %d %s after %d, %v", w.Op, after, collection, before, err)
		}
	}
}
