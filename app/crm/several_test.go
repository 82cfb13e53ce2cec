package crm_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Two sandboxes: customers and calls are in one, tickets in the other.
func TestTicketsGoToTheHelpDesk(t *testing.T) {
	office, desk := startSandbox(t), startSandbox(t)
	addContact(t, desk, "Somebody Before", "0117 946 0999") // so that ids differ
	known := addContact(t, office, "Ada Lovelace", "020 7946 0123")
	there := addContact(t, desk, "Lovelace, Ada", "+44 20 7946 0123")
	both := join(t, office, desk)
	n := number.Parse("+442079460123", "GB")
	found, err := both.Lookup(t.Context(), n)
	if err != nil || len(found) != 1 || found[0].ID != known {
		t.Fatalf("found %v, %v", found, err)
	}
	ticket := cti.WriteBack{Op: cti.CreateTicket, Key: "ticket-1", Identity: cti.IdentityKnown, CustomerID: known, Record: cti.Record{Number: n}, Ticket: cti.TicketDraft{Subject: "Lamp broken"}}
	for range 2 {
		if _, err := both.Write(t.Context(), ticket); err != nil {
			t.Fatal(err)
		}
	}
	list, err := both.Features().Tickets(t.Context(), known, 5)
	if err != nil || len(list) != 1 || list[0].Subject != "Lamp broken" {
		t.Errorf("the customer's tickets are %+v, %v", list, err)
	}
	if got := ticketsOf(t, desk, there); len(got) != 1 {
		t.Errorf("the help desk has %v", got)
	}
	if got := ticketsOf(t, office, known); len(got) != 0 {
		t.Errorf("the CRM has %v", got)
	}
	call := mappedCall(known)
	receipt, err := both.Write(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Write(t.Context(), cti.WriteBack{Op: cti.AttachRecording, Key: "r1", RecordID: receipt.ID, Identity: cti.IdentityKnown, Recording: cti.Recording{URL: "https://pbx.example/1"}}); err != nil {
		t.Fatal(err)
	}
	if len(recordsOf(t, office, call.Key)) != 1 || len(recordsOf(t, desk, call.Key)) != 0 {
		t.Error("the call is not in the CRM alone")
	}
	link, err := both.Features().DeepLink("ticket", list[0].ID)
	if err != nil || !strings.HasPrefix(link, desk.URL()) {
		t.Errorf("the link to a ticket is %q, %v", link, err)
	}
}

// Who shares a telephone must not get the other's ticket: it is nobody's there, and tells the number.
func TestATicketIsNotGivenToWhoSharesTheNumber(t *testing.T) {
	office, desk := startSandbox(t), startSandbox(t)
	known := addContact(t, office, "Wang Bo", "020 7946 0123")
	wife := addContact(t, desk, "Wang Li", "020 7946 0123")
	both := join(t, office, desk)
	receipt, err := both.Write(t.Context(), cti.WriteBack{Op: cti.CreateTicket, Key: "ticket-1", Identity: cti.IdentityKnown, CustomerID: known,
		Record: cti.Record{Number: number.Parse("+442079460123", "GB")}, Ticket: cti.TicketDraft{Subject: "Lamp broken"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := ticketsOf(t, desk, wife); len(got) != 0 {
		t.Errorf("the other one has %v", got)
	}
	var made struct {
		ContactID *string `json:"contact_id"`
	}
	sayTo(t, desk, http.MethodGet, "/api/tickets/"+receipt.ID, "", &made)
	if made.ContactID != nil {
		t.Errorf("it is %s's", *made.ContactID)
	}
	if list, err := both.Features().Tickets(t.Context(), known, 5); err != nil || len(list) != 0 {
		t.Errorf("the list is %v, %v", list, err)
	}
}

// A help desk that cannot be reached holds its own up, not the CRM's; and nothing was written.
func TestEachSystemFailsAlone(t *testing.T) {
	office, desk := startSandbox(t), startSandbox(t)
	known := addContact(t, office, "Ada Lovelace", "020 7946 0123")
	for name, fault := range map[string]sandbox.Fault{
		"closed": {Refuse: true}, "no sign-in": {Status: 401}, "busy": {Status: 429, RetryAfter: 3600}, "in repair": {Status: 503, RetryAfter: 3600},
		"no sign-in for tickets": {Status: 401, Match: "/api/tickets"},
	} {
		t.Run(name, func(t *testing.T) {
			both := join(t, office, desk)
			if err := desk.SetFault(fault); err != nil {
				t.Fatal(err)
			}
			_, err := both.Write(t.Context(), cti.WriteBack{Op: cti.CreateTicket, Key: "ticket-1", Identity: cti.IdentityKnown, CustomerID: known,
				Record: cti.Record{Number: number.Parse("+442079460123", "GB")}, Ticket: cti.TicketDraft{Subject: "Lamp broken"}})
			if wantKind(t, err, cti.Offline); cti.RetryAfter(err) != 0 { // for an hour everything in the queue would wait
				t.Errorf("it asks for %s", cti.RetryAfter(err))
			}
			_, err = both.Features().Tickets(t.Context(), known, 5) // a change looks at what there is first
			if cti.KindOf(err) != cti.Offline && fault.Match == "" || cti.RetryAfter(err) != 0 {
				t.Errorf("the tickets: %v (%s), in %s", err, cti.KindOf(err), cti.RetryAfter(err))
			}
			if _, err := both.Write(t.Context(), mappedCall(known)); err != nil {
				t.Errorf("the call: %v", err)
			}
		})
	}
}

func TestWhatIsTakenOverMustBeThere(t *testing.T) {
	office, desk := startSandbox(t), startSandbox(t)
	first, other := openSandbox(t, office.URL(), sandboxToken), openSandbox(t, desk.URL(), sandboxToken)
	for _, targets := range [][]crm.Target{
		{{Connector: other, Operations: []string{"create_lead"}}},
		{{Connector: other, Operations: []string{"create_ticket"}}, {Connector: first, Operations: []string{"create_ticket"}}},
	} {
		_, err := crm.Several("GB", first, targets...)
		wantKind(t, err, cti.Invalid)
	}
}

func join(t *testing.T, office, desk *sandbox.Server) crm.Connector {
	t.Helper()
	both, err := crm.Several("GB", openSandbox(t, office.URL(), sandboxToken),
		crm.Target{Connector: openSandbox(t, desk.URL(), sandboxToken), Operations: []string{"list_tickets", "create_ticket", "update_ticket", "set_status"}})
	if err != nil {
		t.Fatal(err)
	}
	return both
}

func ticketsOf(t *testing.T, s *sandbox.Server, contact string) []map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	sayTo(t, s, http.MethodGet, "/api/contacts/"+contact+"/tickets", "", &page)
	return page.Items
}

// system is one that notes what it is asked.
type system struct {
	crm.Connector
	name string
	can  crm.Features
	has  []cti.Customer
	got  []cti.WriteBack
}

func (c *system) Name() string           { return c.name }
func (c *system) Features() crm.Features { return c.can }

func (c *system) Lookup(context.Context, cti.Number) ([]cti.Customer, error) { return c.has, nil }

func (c *system) Write(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.got = append(c.got, w)
	return cti.Receipt{ID: "17"}, nil
}

func (c *system) Find(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.got = append(c.got, w)
	return cti.Receipt{}, nil
}

func canWrite(ops ...cti.Op) crm.Features {
	f := crm.Features{Writes: map[cti.Op]bool{}}
	for _, op := range ops {
		f.Writes[op] = true
	}
	return f
}

func listsTickets(f crm.Features) crm.Features {
	f.Tickets = func(context.Context, string, int) ([]cti.Ticket, error) { return []cti.Ticket{{ID: "17"}}, nil }
	return f
}

// An id of one system means another record in another: what is listed in one is not changed in the other.
func TestWhatIsListedInOneSystemIsNotChangedInAnother(t *testing.T) {
	for name, test := range map[string]struct {
		desk       crm.Features
		operations []string
		refused    bool
	}{
		"the help desk can, and is not told to": {listsTickets(canWrite(cti.SetStatus)), []string{"list_tickets"}, true},
		"the help desk cannot":                  {listsTickets(canWrite()), []string{"list_tickets"}, false},
		"all of it":                             {listsTickets(canWrite(cti.SetStatus)), []string{"list_tickets", "set_status"}, false},
		"made there, and listed in the CRM":     {listsTickets(canWrite(cti.CreateTicket)), []string{"create_ticket"}, true},
		"recordings without their calls":        {canWrite(cti.AttachRecording), []string{"attach_recording"}, true},
		"customers":                             {canWrite(cti.CreateCustomer), []string{"create_contact"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			office := &system{name: "office", can: listsTickets(canWrite(cti.SetStatus, cti.UpdateTicket, cti.LogCall, cti.AttachRecording, cti.CreateCustomer))}
			desk := &system{name: "desk", can: test.desk}
			both, err := crm.Several("GB", office, crm.Target{Connector: desk, Operations: test.operations})
			if test.refused {
				wantKind(t, err, cti.Invalid)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f := both.Features(); f.Writes[cti.UpdateTicket] || f.Writes[cti.SetStatus] != test.desk.Writes[cti.SetStatus] {
				t.Errorf("offered is %v, of tickets that are the help desk's", f.Writes)
			}
		})
	}
}

// After a start nobody was looked up yet, and this CRM cannot be asked for one customer.
func TestATargetIsAskedAboutTheCustomerAsItKnowsThem(t *testing.T) {
	office := &system{name: "office", can: canWrite(cti.LogCall), has: []cti.Customer{{ID: "c1", Name: "Ada Lovelace", Numbers: []string{"+442079460123"}}}}
	desk := &system{name: "desk", can: canWrite(cti.CreateTicket), has: []cti.Customer{{ID: "d1", Name: "Ada Lovelace"}}}
	both, err := crm.Several("GB", office, crm.Target{Connector: desk, Operations: []string{"create_ticket"}})
	if err != nil {
		t.Fatal(err)
	}
	w := cti.WriteBack{Op: cti.CreateTicket, Key: "k", CustomerID: "c1", Identity: cti.IdentityKnown, Record: cti.Record{Number: number.Parse("+442079460123", "GB")}}
	_, writeErr := both.Write(t.Context(), w)
	_, findErr := both.Find(t.Context(), w)
	if writeErr != nil || findErr != nil || len(desk.got) != 2 || desk.got[0].CustomerID != "d1" || desk.got[1].CustomerID != "d1" {
		t.Errorf("asked about %+v, %v, %v", desk.got, writeErr, findErr)
	}
}
