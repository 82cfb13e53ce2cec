package crm_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// trytonDesk is an agent at a Tryton of one test.
type trytonDesk struct {
	*servers.Tryton
	door *servers.Door
	e    *crm.Engine
	ada  string
}

// TestTryton starts one Tryton for all: what is done in it first comes first.
func TestTryton(t *testing.T) {
	tr := servers.StartTryton(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *trytonDesk)
	}{
		{"asks for its party of unknown callers", trytonAsksForItsParty},
		{"customers are made and changed", trytonCustomers},
		{"a number of no country is kept", trytonOtherNumber},
		{"tags are categories", trytonTags},
		{"tickets are opportunities", trytonTickets},
		{"notes and recordings", trytonNotes},
		{"tells what there is", trytonLists},
		{"says who may do what", trytonRights},
		{"sessions end and begin anew", trytonSessions},
		{"a database that is not there", trytonNoDatabase},
		{"what a site maps", trytonMapping},
		{"passes the suite", trytonSuite},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &trytonDesk{Tryton: tr, door: servers.OpenDoor(t, tr.URL, servers.TrytonWrites)}
			d.e = openTryton(t, tr, d.door.URL(), d.Agent, d.Password)
			d.ada = addParty(t, tr, "Ada Lovelace", "+44 20 7946 0123")
			test.run(t, d)
		})
	}
}

// do makes a write-back for Ada with a key of its own.
func (d *trytonDesk) do(op cti.Op, name string) cti.WriteBack {
	return cti.WriteBack{Op: op, Key: cti.ID("tryton", string(op), name), Identity: cti.IdentityKnown, CustomerID: d.ada}
}

// one gives the only record of a domain.
func (d *trytonDesk) one(t *testing.T, model string, domain []any, fields ...string) map[string]any {
	t.Helper()
	rows := d.Find(t, model, domain, fields...)
	if len(rows) != 1 {
		t.Fatalf("%s has %d records of %v, want one", model, len(rows), domain)
	}
	return rows[0]
}

func trytonCustomers(t *testing.T, d *trytonDesk) {
	w := d.do(cti.CreateCustomer, "new")
	w.CustomerID = ""
	w.New = cti.NewCustomer{Name: "Grace Hopper", Company: "Navy", Email: "grace@example.com"}
	w.Record.Number = number.Parse("+442079460555", "GB")
	d.door.DropNextWrite()
	if _, err := d.e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v, want uncertain", err)
	}
	id := written(t, d.e, w)
	want := cti.Customer{ID: id, Type: "contact", Name: "Grace Hopper", Company: "Navy", Email: "grace@example.com", Numbers: []string{"+44 20 7946 0555"}}
	wantCustomer(t, d.e, want)
	if found, err := d.e.Lookup(t.Context(), number.Parse("020 7946 0555", "GB")); err != nil || len(found) != 1 || found[0].ID != id {
		t.Errorf("the new customer is looked up as %+v, %v", found, err)
	}

	add := d.do(cti.AddNumber, "number")
	add.CustomerID, add.Record.Number = id, number.Parse("+442079460999", "GB")
	written(t, d.e, add)
	written(t, d.e, add)
	u := d.do(cti.UpdateCustomer, "change")
	u.CustomerID, u.New = id, cti.NewCustomer{Company: "Yale", Email: "hopper@example.com"}
	written(t, d.e, u)
	want.Company, want.Email, want.Numbers = "Yale", "hopper@example.com", append(want.Numbers, "+44 20 7946 0999")
	wantCustomer(t, d.e, want)

	u.New, u.Version = cti.NewCustomer{Name: "Somebody"}, "1"
	_, err := d.e.Write(t.Context(), u)
	wantKind(t, err, cti.Conflict)
	seen, err := d.e.Features().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	u.New, u.Version = cti.NewCustomer{Name: "Admiral Hopper"}, seen.Version
	written(t, d.e, u)
	want.Name = "Admiral Hopper"
	wantCustomer(t, d.e, want)

	if found, err := d.e.Features().Search(t.Context(), "yale", 5); err != nil || len(found) != 1 || found[0].ID != id {
		t.Errorf("the search for the company finds %+v, %v", found, err)
	}
	_, err = d.e.Features().Get(t.Context(), "99999")
	wantKind(t, err, cti.NotFound)
}

func trytonOtherNumber(t *testing.T, d *trytonDesk) {
	w := d.do(cti.AddNumber, "number")
	w.Record.Number = number.Parse("0049 11 0", "GB")
	written(t, d.e, w)
	d.one(t, "party.contact_mechanism", []any{[]any{"party", "=", atoi(t, d.ada)}, []any{"type", "=", "other"}, []any{"value", "=", w.Record.Number.Best()}}, "value")
}

func trytonTags(t *testing.T, d *trytonDesk) {
	w := d.do(cti.AddTags, "tags")
	w.Tags = []string{"VIP", "Press"}
	written(t, d.e, w)
	written(t, d.e, w)
	wantTags := func(tags ...string) {
		t.Helper()
		c, err := d.e.Features().Get(t.Context(), d.ada)
		slices.Sort(c.Tags)
		if diff := cmp.Diff(tags, c.Tags); err != nil || diff != "" {
			t.Errorf("tags: %v (-want +got):\n%s", err, diff)
		}
	}
	wantTags("Press", "VIP")
	w.Op, w.Tags = cti.RemoveTags, []string{"Press", "never was one"}
	written(t, d.e, w)
	wantTags("VIP")
	w.Op = cti.AddTags
	_, err := d.e.Write(t.Context(), w)
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "lacks the category never was one") {
		t.Errorf("the error is %v", err)
	}
	wantTags("VIP")
}

func trytonTickets(t *testing.T, d *trytonDesk) {
	employee := d.one(t, "company.employee", []any{}, "id")
	w := d.do(cti.CreateTicket, "lamp")
	w.Ticket = cti.TicketDraft{Subject: "Lamp broken", Body: "the green one", Status: "opportunity", Owner: fmt.Sprint(employee["id"])}
	d.door.DropNextWrite()
	if _, err := d.e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v, want uncertain", err)
	}
	id := written(t, d.e, w)
	wantOpportunity := func(want map[string]any) {
		t.Helper()
		got := d.one(t, "sale.opportunity", []any{[]any{"party", "=", atoi(t, d.ada)}}, slices.Collect(maps.Keys(want))...)
		delete(got, "id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the opportunity differs (-want +got):\n%s", diff)
		}
	}
	wantOpportunity(map[string]any{"description": "Lamp broken", "comment": "the green one", "state": "opportunity", "employee": employee["id"], "reference": w.Key})
	tickets, err := d.e.Features().Tickets(t.Context(), d.ada, 5)
	if err != nil || len(tickets) != 1 || tickets[0].ID != id || tickets[0].Subject != "Lamp broken" || tickets[0].Status != "opportunity" || time.Since(tickets[0].UpdatedAt).Abs() > 25*time.Hour {
		t.Errorf("tickets are %+v, %v", tickets, err)
	}

	w = d.do(cti.CreateTicket, "won")
	w.CustomerID, w.Ticket = addParty(t, d.Tryton, "Grace", "+44 20 7946 0444"), cti.TicketDraft{Subject: "Chair", Status: "won"}
	_, err = d.e.Write(t.Context(), w)
	wantRefusal(t, err, cti.Invalid, "stays lead: won is no status")

	u := d.do(cti.UpdateTicket, "lamp")
	u.Ticket = cti.TicketDraft{ID: id, Subject: "Lamp and chair broken", Status: "lead"}
	written(t, d.e, u)
	wantOpportunity(map[string]any{"description": "Lamp and chair broken", "comment": "the green one", "state": "lead"})
	u.Version = "1"
	_, err = d.e.Write(t.Context(), u)
	wantKind(t, err, cti.Conflict)

	s := d.do(cti.SetStatus, "lamp")
	for _, status := range []string{"lost", "lost", "lead", "cancelled"} {
		s.Ticket = cti.TicketDraft{ID: id, Status: status}
		written(t, d.e, s)
		wantOpportunity(map[string]any{"state": status})
	}
	for _, status := range []string{"opportunity", "won", "no such"} { // which cannot follow on cancelled
		s.Ticket.Status = status
		_, err := d.e.Write(t.Context(), s)
		wantKind(t, err, cti.Invalid)
		if err == nil || !strings.Contains(err.Error(), "stays cancelled: "+status+" is no status") {
			t.Errorf("the error is %v", err)
		}
		wantOpportunity(map[string]any{"state": "cancelled"})
	}
	if tickets, err := d.e.Features().Tickets(t.Context(), d.ada, 5); err != nil || len(tickets) != 0 {
		t.Errorf("a cancelled opportunity is an open ticket: %+v, %v", tickets, err)
	}
}

func trytonNotes(t *testing.T, d *trytonDesk) {
	ticket := strconv.Itoa(d.Add(t, "sale.opportunity", map[string]any{"description": "Lamp", "party": 1}))
	for resource, ticketID := range map[string]string{"party.party," + d.ada: "", "sale.opportunity," + ticket: ticket} {
		w := d.do(cti.AddNote, resource)
		w.Note, w.Ticket.ID = cti.Note{Text: "rings back\non Monday"}, ticketID
		d.door.DropNextWrite()
		if _, err := d.e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
			t.Fatalf("the error is %v, want uncertain", err)
		}
		w.RecordID = written(t, d.e, w)
		note := d.one(t, "ir.note", []any{[]any{"resource", "=", resource}}, "message")
		if note["message"] != "rings back\non Monday\n\nRingside note "+w.Key {
			t.Errorf("the note is %q", note["message"])
		}
		w.Note.Text = "on Tuesday"
		written(t, d.e, w)
		note = d.one(t, "ir.note", []any{[]any{"resource", "=", resource}}, "message")
		if note["message"] != "on Tuesday\n\nRingside note "+w.Key {
			t.Errorf("the changed note is %q", note["message"])
		}
	}

	if err := d.e.Apply(t.Context(), "nobody"); err != nil {
		t.Fatal(err)
	}
	call := d.do(cti.LogCall, "call")
	r := d.do(cti.AttachRecording, "call")
	r.RecordID, r.Recording = written(t, d.e, call), cti.Recording{URL: "https://rec.example/1.wav", Name: "1.wav"}
	written(t, d.e, r)
	r.Recording.URL = "https://rec.example/2.wav"
	written(t, d.e, r)
	got := d.one(t, "ir.attachment", []any{[]any{"resource", "=", "party.party," + d.ada}}, "resource", "type", "link", "name")
	delete(got, "id")
	want := map[string]any{"resource": "party.party," + d.ada, "type": "link", "link": "https://rec.example/2.wav", "name": "1.wav"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the recording differs (-want +got):\n%s", diff)
	}
	r.Recording = cti.Recording{ID: "rec-3"} // no address may be told
	written(t, d.e, r)
	if got := d.one(t, "ir.attachment", []any{[]any{"resource", "=", "party.party," + d.ada}}, "link", "name"); got["name"] != "Recording rec-3" || got["link"] != "" && got["link"] != nil {
		t.Errorf("the recording is %v", got)
	}
}

func trytonLists(t *testing.T, d *trytonDesk) {
	about, err := d.e.About(t.Context())
	want := crm.About{Agent: cti.Agent{ID: about.Agent.ID, Name: "Alan Turing", Email: "agent@ringside.test"}, Roles: []string{"Sale Opportunity", "Sales"}, Supported: true, Known: true, Range: "6.0"}
	want.Version, want.Skew = about.Version, about.Skew
	if diff := cmp.Diff(want, about); err != nil || diff != "" || !strings.HasPrefix(about.Version, "6.0.") {
		t.Errorf("About: %v (-want +got):\n%s", err, diff)
	}
	f := d.e.Features()
	for kind, want := range map[string]string{"owner": "Alan Turing", "status": "Lead Opportunity Converted Cancelled Lost", "tag": "Press VIP", "queue": ""} {
		options, err := f.Options(t.Context(), kind, 10)
		var names []string
		for _, o := range options {
			names = append(names, o.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", kind, got, err, want)
		}
	}
	sale := d.Add(t, "sale.sale", map[string]any{"party": 1, "currency": 1, "sale_date": map[string]any{"__class__": "date", "year": 2026, "month": 3, "day": 2}})
	orders, err := f.Orders(t.Context(), "1", 5)
	bought := []cti.Order{{ID: strconv.Itoa(sale), Number: "(" + strconv.Itoa(sale) + ")", Status: "draft", Total: "0", Currency: "EUR", At: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}}
	if diff := cmp.Diff(bought, orders); err != nil || diff != "" {
		t.Errorf("orders: %v (-want +got):\n%s", err, diff)
	}
	fields := map[string]crm.Field{}
	for _, object := range []string{"call", "customer", "ticket", "task"} {
		list, err := f.Describe(t.Context(), object)
		if err != nil || (len(list) == 0) != (object == "task") {
			t.Errorf("%s has %d fields, %v", object, len(list), err)
		}
		for _, one := range list {
			fields[object+"."+one.Name] = one
		}
	}
	for name, want := range map[string]crm.Field{
		"call.message":    {Name: "message", Type: "string"},
		"customer.code":   {Name: "code", Type: "string", Required: true},
		"ticket.state":    {Name: "state", Type: "enum", Required: true, ReadOnly: true, Values: []string{"lead", "opportunity", "converted", "won", "cancelled", "lost"}},
		"ticket.end_date": {Name: "end_date", Type: "time"},
	} {
		if diff := cmp.Diff(want, fields[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	link, err := f.DeepLink("contact", d.ada)
	if want := d.door.URL() + "/#crm/model/party.party/" + d.ada; err != nil || link != want {
		t.Errorf("the link is %q, %v; want %q", link, err, want)
	}
}

func trytonRights(t *testing.T, d *trytonDesk) {
	stranger := openTryton(t, d.Tryton, d.URL, d.Stranger, d.Password)
	for login, one := range map[string]struct {
		e    *crm.Engine
		want string
	}{
		"agent":    {d.e, "delete opportunities parties"},
		"stranger": {stranger, "delete parties"},
		"admin":    {openTryton(t, d.Tryton, d.URL, d.Root, d.Password), "delete opportunities parties users"},
	} {
		if got := allowed(t, one.e); got != one.want {
			t.Errorf("%s may do %s, want %s", login, got, one.want)
		}
	}
	w := d.do(cti.CreateTicket, "lamp")
	w.Ticket.Subject = "Lamp"
	_, err := stranger.Write(t.Context(), w)
	wantKind(t, err, cti.Denied)
}

func trytonAsksForItsParty(t *testing.T, d *trytonDesk) {
	w := d.do(cti.LogCall, "call")
	_, err := d.e.Write(t.Context(), w)
	wantKind(t, err, cti.Invalid)
	for range 2 {
		if err := d.e.Apply(t.Context(), "nobody"); err != nil {
			t.Fatal(err)
		}
	}
	written(t, d.e, w)
	d.one(t, "party.party", []any{[]any{"code", "=", "RINGSIDE-NOBODY"}}, "id")
}

func trytonSessions(t *testing.T, d *trytonDesk) {
	if _, err := d.e.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.EndSessions(t)
	before := d.door.Requests()
	if _, err := d.e.Features().Get(t.Context(), d.ada); err != nil {
		t.Errorf("after the end of the session: %v", err)
	}
	if n := d.door.Requests() - before; n != 4 { // refused, two of the login, and once more
		t.Errorf("%d requests, want 4", n)
	}
}

func trytonNoDatabase(t *testing.T, d *trytonDesk) {
	e, err := crm.Open(crm.Config{Connector: "tryton", Params: map[string]string{"base_url": d.URL, "database": "other", "login": d.Agent, "password": d.Password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	_, err = e.Whoami(t.Context())
	wantRefusal(t, err, cti.Invalid, "no Tryton database of this name")
}

func trytonMapping(t *testing.T, d *trytonDesk) {
	mapping := mappingFile(t, "apiVersion: ringside.dev/v1\nkind: Mapping\nfields: {ticket: [{field: lost_reason, value: by phone}]}\n")
	e, err := crm.Open(crm.Config{
		Connector: "tryton", Mapping: mapping,
		Params: map[string]string{"base_url": d.URL, "database": d.Database, "login": d.Agent, "password": d.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	w := d.do(cti.CreateTicket, "mapped")
	w.Ticket.Subject = "Lamp"
	written(t, e, w)
	if got := d.one(t, "sale.opportunity", []any{[]any{"reference", "=", w.Key}}, "lost_reason")["lost_reason"]; got != "by phone" {
		t.Errorf("the mapped field is %v", got)
	}
}
