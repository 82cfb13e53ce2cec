package crm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// rtDesk is an agent at an RT, and one with AdminUsers.
type rtDesk struct {
	*servers.RT
	door     *servers.Door
	e, admin *crm.Engine
	ada      string
}

// TestRequestTracker starts one RT for all.
func TestRequestTracker(t *testing.T) {
	rt := servers.StartRT(t, rtSetup)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *rtDesk)
	}{
		{"customers are made and changed", rtCustomers},
		{"tickets", rtTickets},
		{"tasks are tickets that are due", rtTasks},
		{"notes", rtNotes},
		{"recordings", rtRecordings},
		{"what a site maps", rtMapping},
		{"tells what there is", rtLists},
		{"says who may do what", rtRights},
		{"passes the suite", rtSuite},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &rtDesk{RT: rt, door: servers.OpenDoor(t, rt.URL, servers.RTWrites)}
			d.e, d.admin = openRT(t, d.door.URL(), rt.Agent), openRT(t, d.door.URL(), rt.Admin)
			d.ada = addRTCustomer(t, rt, "Ada "+strings.ReplaceAll(test.name, " ", ""), "020 7946 0"+strings.Repeat("9", 3))
			test.run(t, d)
		})
	}
	if mail := rt.Mail(t); strings.Contains(mail, "Call from") {
		t.Errorf("a logged call sends mail:\n%s", mail)
	}
}

// do makes a write-back for Ada with a key of its own.
func (d *rtDesk) do(op cti.Op, name string) cti.WriteBack {
	return cti.WriteBack{Op: op, Key: cti.ID("rt", string(op), name), Identity: cti.IdentityKnown, CustomerID: d.ada}
}

// once writes with the first answer lost, and gives the only ticket there is of the key.
func (d *rtDesk) once(t *testing.T, w cti.WriteBack) servers.RTTicket {
	t.Helper()
	d.door.DropNextWrite()
	if _, err := d.e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v, want uncertain", err)
	}
	id := written(t, d.e, w)
	tickets := d.Tickets(t, "CF.{RingsideCallID} = '"+w.Key+"'")
	if len(tickets) != 1 || tickets[0].ID != id {
		t.Fatalf("%s gives %s, and there is %+v", w.Op, id, tickets)
	}
	return tickets[0]
}

func rtCustomers(t *testing.T, d *rtDesk) {
	w := d.do(cti.CreateCustomer, "new")
	w.CustomerID, w.New = "", cti.NewCustomer{Name: "Grace Hopper", Company: "Navy", Email: "grace@example.com"}
	w.Record.Number = number.Parse("+442079460555", "GB")
	_, err := d.e.Write(t.Context(), w)
	wantKind(t, err, cti.Denied)
	d.door.DropNextWrite()
	if _, err := d.admin.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v, want uncertain", err)
	}
	id := written(t, d.admin, w)
	want := cti.Customer{ID: id, Type: "contact", Name: "Grace Hopper", Company: "Navy", Email: "grace@example.com", Numbers: []string{"+442079460555"}}
	wantCustomer(t, d.e, want)
	if found, err := d.e.Lookup(t.Context(), w.Record.Number); err != nil || len(found) != 1 || found[0].ID != id { // who has no ticket yet
		t.Errorf("the new customer is looked up as %+v, %v", found, err)
	}

	add := d.do(cti.AddNumber, "number")
	add.CustomerID, add.Record.Number = id, number.Parse("+442079460777", "GB")
	_, err = d.e.Write(t.Context(), add)
	wantKind(t, err, cti.Denied) // RT says 200
	written(t, d.admin, add)
	written(t, d.admin, add)
	want.Numbers = append(want.Numbers, "+442079460777")
	u := d.do(cti.UpdateCustomer, "change")
	u.CustomerID, u.New = id, cti.NewCustomer{Company: "Yale"}
	_, err = d.e.Write(t.Context(), u)
	wantKind(t, err, cti.Denied)
	seen, err := d.admin.Features().Get(t.Context(), id)
	if err != nil || seen.Version == "" {
		t.Fatalf("%+v, %v", seen, err)
	}
	u.Version = seen.Version
	written(t, d.admin, u)
	_, err = d.admin.Write(t.Context(), u)
	wantKind(t, err, cti.Conflict)
	want.Company = "Yale"
	wantCustomer(t, d.e, want)
	_, err = d.e.Features().Get(t.Context(), "99999")
	wantKind(t, err, cti.NotFound)
}

func rtTickets(t *testing.T, d *rtDesk) {
	w := d.do(cti.CreateTicket, "lamp")
	w.Ticket = cti.TicketDraft{Subject: "Lamp broken", Body: "the green one", Status: "open", Priority: "100", Owner: "agent"}
	got := d.once(t, w)
	want := servers.RTTicket{ID: got.ID, Subject: "Lamp broken", Status: "open", Queue: "General", Owner: got.Owner, Requestors: []string{d.ada}, Fields: map[string][]string{"RingsideCallID": {w.Key}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the ticket differs (-want +got):\n%s", diff)
	}
	w = d.do(cti.CreateTicket, "owner")
	w.Ticket = cti.TicketDraft{Subject: "Lamp", Owner: "stranger"}
	_, err := d.e.Write(t.Context(), w)
	wantRefusal(t, err, cti.Invalid, "the ticket is there and nobody's: stranger may not own")
	written(t, d.e, w) // it is
	w.Ticket = cti.TicketDraft{Subject: "Lamp", Queue: "No such"}
	w.Key = cti.ID("another")
	_, err = d.e.Write(t.Context(), w)
	wantKind(t, err, cti.Denied)

	u := d.do(cti.UpdateTicket, "lamp")
	u.Ticket = cti.TicketDraft{ID: got.ID, Subject: "Lamp and chair broken", Body: "the chair too", Priority: "50", Status: "stalled"}
	written(t, d.e, u)
	written(t, d.e, u)
	want.Subject, want.Status = "Lamp and chair broken", "stalled"
	if diff := cmp.Diff(want, d.Tickets(t, "id = "+got.ID)[0]); diff != "" {
		t.Errorf("the changed ticket differs (-want +got):\n%s", diff)
	}
	if n := len(d.comments(t, got.ID)); n != 1 {
		t.Errorf("%d comments, want one", n)
	}
	u.Ticket = cti.TicketDraft{ID: got.ID, Owner: "stranger"}
	_, err = d.e.Write(t.Context(), u)
	wantRefusal(t, err, cti.Invalid, "may not own")

	s := d.do(cti.SetStatus, "lamp")
	for _, status := range []string{"open", "open", "resolved", "open"} {
		s.Ticket = cti.TicketDraft{ID: got.ID, Status: status}
		written(t, d.e, s)
		if now := d.Tickets(t, "id = "+got.ID)[0].Status; now != status {
			t.Errorf("the status is %s, want %s", now, status)
		}
	}
	s.Ticket.Status = "no such"
	_, err = d.e.Write(t.Context(), s)
	wantRefusal(t, err, cti.Invalid, "isn't a valid status")
	s.Ticket.ID = "99999"
	_, err = d.e.Write(t.Context(), s)
	wantKind(t, err, cti.NotFound)
	tickets, err := d.e.Features().Tickets(t.Context(), d.ada, 5)
	if err != nil || len(tickets) != 2 || tickets[0].ID != got.ID || tickets[0].Status != "open" || tickets[0].Priority != "Medium" {
		t.Errorf("tickets are %+v, %v", tickets, err)
	}
}

// comments gives the subjects of a ticket's comments.
func (d *rtDesk) comments(t *testing.T, ticket string) []string {
	t.Helper()
	var out []string
	items, _ := d.Get(t, "ticket/"+ticket+"/history?fields=Type,Data&per_page=100")["items"].([]any)
	for _, item := range items {
		row, _ := item.(map[string]any)
		if data, _ := row["Data"].(string); row["Type"] == "Comment" {
			out = append(out, strings.TrimSpace(data))
		}
	}
	return out
}

func rtTasks(t *testing.T, d *rtDesk) {
	w := d.do(cti.CreateTask, "task")
	w.Task = cti.TaskDraft{Subject: "Ring back", Body: "about the lamp", DueAt: time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)}
	got := d.once(t, w)
	if got.Subject != "Ring back" || got.Queue != "General" || len(got.Requestors) != 1 || got.Requestors[0] != d.ada {
		t.Errorf("the task is %+v", got)
	}
	full := d.Get(t, "ticket/"+got.ID)
	if owner, _ := full["Owner"].(map[string]any); full["Due"] != "2026-04-01T10:00:00Z" || owner["id"] != "agent" {
		t.Errorf("the task is due %v and belongs to %v", full["Due"], full["Owner"])
	}
}

func rtNotes(t *testing.T, d *rtDesk) {
	w := d.do(cti.AddNote, "customer")
	w.Note = cti.Note{Text: "rings back\non Monday"}
	got := d.once(t, w)
	if got.Field("RingsideNote") != w.Note.Text || got.Queue != "Calls" || got.Requestors[0] != d.ada {
		t.Errorf("the note is %+v", got)
	}
	w.RecordID, w.Note.Text = got.ID, "on Tuesday"
	written(t, d.e, w)
	if note := d.Tickets(t, "id = "+got.ID)[0].Field("RingsideNote"); note != "on Tuesday" {
		t.Errorf("the changed note is %q", note)
	}
	if history, err := d.e.Features().History(t.Context(), d.ada, 5); err != nil || len(history) != 0 {
		t.Errorf("a note is a call of the history: %+v, %v", history, err)
	}

	w = d.do(cti.AddNote, "ticket")
	w.Note.Text, w.Ticket.ID = "on Wednesday", d.Add(t, "ticket", map[string]any{"Queue": "General", "Subject": "Lamp"})
	d.door.DropNextWrite()
	if _, err := d.e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v, want uncertain", err)
	}
	w.RecordID = written(t, d.e, w)
	if diff := cmp.Diff([]string{"Ringside " + w.Key}, d.comments(t, w.Ticket.ID)); diff != "" {
		t.Errorf("the comments (-want +got):\n%s", diff)
	}
	_, err := d.e.Write(t.Context(), w) // a comment of RT cannot be changed
	wantRefusal(t, err, cti.Invalid, "cannot change")
}

func rtRecordings(t *testing.T, d *rtDesk) {
	w := d.do(cti.AttachRecording, "call")
	w.RecordID = written(t, d.e, d.do(cti.LogCall, "call"))
	for _, address := range []string{"https://rec.example/1.wav", "https://rec.example/2.wav", "rec-3"} { // of the last no address may be told
		w.Recording = cti.Recording{URL: address}
		if address == "rec-3" {
			w.Recording = cti.Recording{ID: address}
		}
		written(t, d.e, w)
		if got := d.Tickets(t, "id = "+w.RecordID)[0].Fields["RingsideRecording"]; len(got) != 1 || got[0] != address {
			t.Errorf("the recording is %v, want %s", got, address)
		}
	}
	w.RecordID = d.Add(t, "ticket", map[string]any{"Queue": "General", "Subject": "Lamp"})
	_, err := d.e.Write(t.Context(), w)
	wantRefusal(t, err, cti.Denied, "RingsideRecording is missing")
}

func rtMapping(t *testing.T, d *rtDesk) {
	mapping := mappingFile(t, "apiVersion: ringside.dev/v1\nkind: Mapping\nfields: {call: [{field: RingsideEnding, value: mapped}]}\n")
	e, err := crm.Open(crm.Config{Connector: "rt", Mapping: mapping, Params: map[string]string{"base_url": d.URL, "token": d.Agent}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	id := written(t, e, d.do(cti.LogCall, "mapped"))
	if got := d.Tickets(t, "id = "+id)[0].Field("RingsideEnding"); got != "mapped" {
		t.Errorf("the mapped field is %q", got)
	}
}

func rtLists(t *testing.T, d *rtDesk) {
	f := d.e.Features()
	for kind, want := range map[string]string{
		"owner": "agent=Alan Turing admin=Grace Hopper", "queue": "General=General", "priority": "0=Low 50=Medium 100=High", "tag": "",
		"status": "new=new open=open stalled=stalled resolved=resolved rejected=rejected",
	} {
		options, err := f.Options(t.Context(), kind, 10)
		var names []string
		for _, o := range options {
			names = append(names, o.ID+"="+o.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", kind, got, err, want)
		}
	}
	for object, want := range map[string]string{
		"call":   "RingsideCallID RingsideDirection RingsideEnding RingsideTalk RingsideOutcome RingsideNote RingsideRecording",
		"ticket": "RingsideCallID", "task": "RingsideCallID", "customer": "",
	} {
		fields, err := f.Describe(t.Context(), object)
		var names []string
		for _, one := range fields {
			names = append(names, one.Name)
			if one.Type != "string" {
				t.Errorf("%s is %+v", one.Name, one)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", object, got, err, want)
		}
	}
	about, err := d.e.About(t.Context())
	if err != nil || about.Agent.Name != "Alan Turing" || about.Agent.Email != "agent@ringside.test" || !about.Supported || !strings.HasPrefix(about.Version, "5.0.") {
		t.Errorf("About() = %+v, %v", about, err)
	}
}

func rtRights(t *testing.T, d *rtDesk) {
	for who, one := range map[string]struct {
		e    *crm.Engine
		want string
	}{
		"agent": {d.e, "calls tickets"}, "admin": {d.admin, "calls people tickets"},
		"stranger": {openRT(t, d.URL, d.Stranger), ""}, "root": {openRT(t, d.URL, d.Root), "calls everything people tickets"},
	} {
		if got := allowed(t, one.e); got != one.want {
			t.Errorf("%s may do %q, want %q", who, got, one.want)
		}
	}
	for _, s := range d.e.Setups(t.Context()) {
		if !s.Ready || s.CanApply || s.Err != nil {
			t.Errorf("the setup is %+v", s)
		}
	}
	_, err := openRT(t, d.URL, d.Stranger).Write(t.Context(), d.do(cti.LogCall, "stranger"))
	wantKind(t, err, cti.Denied)
}
