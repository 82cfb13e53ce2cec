package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// inCRMNow is a customer and their open tickets as the CRM has them.
type inCRMNow struct {
	Status string
	Tags   []string
}

func (w *world) customer(t *testing.T, id string) (c inCRMNow) {
	t.Helper()
	w.crmDo(t, http.MethodGet, "/api/contacts/"+id, nil, &c)
	return c
}

// knownOnCard rings with the known customer, who has a ticket.
func (a *agent) knownOnCard(t *testing.T, w *world) (leg, ticket string) {
	t.Helper()
	var made struct{ ID string }
	w.crmDo(t, http.MethodPost, "/api/tickets", map[string]any{"contact_id": knownCustomer, "subject": "Lamp broken"}, &made)
	leg = a.ring(t, "first", knownNumber)
	a.card(t, "the known customer with the ticket", leg, func(c wire.Card) bool {
		return c.Picked == knownCustomer && slices.ContainsFunc(c.Tickets, func(t cti.Ticket) bool { return t.ID == made.ID })
	})
	return leg, made.ID
}

func ticketStatus(c wire.Card, id string) string {
	for _, one := range c.Tickets {
		if one.ID == id {
			return one.Status
		}
	}
	return ""
}

func who(c wire.Card) cti.Customer {
	for _, m := range c.Matches {
		if m.Customer.ID == c.Picked {
			return m.Customer
		}
	}
	return cti.Customer{}
}

func TestWhatIsChangedInThePopReachesTheCRM(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg, ticket := a.knownOnCard(t, w)
	before := w.customer(t, knownCustomer)
	if len(before.Tags) == 0 || before.Status != "active" {
		t.Fatalf("the customer is %+v", before)
	}
	off := before.Tags[0]
	for range 2 { // the same again is nothing new
		if err := a.client.Tags(t.Context(), leg, wire.TagsRequest{Add: []string{" call back ", "call back"}, Remove: []string{off, "not there"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.client.SetStatus(t.Context(), leg, wire.StatusRequest{Status: "follow_up"}); err != nil {
		t.Fatal(err)
	}
	if err := a.client.SetTicket(t.Context(), leg, wire.TicketStatusRequest{Ticket: ticket, Status: "pending"}); err != nil {
		t.Fatal(err)
	}
	card := a.card(t, "the change on the card", leg, func(c wire.Card) bool { return ticketStatus(c, ticket) == "pending" })
	if c := who(card); c.Status != "follow_up" || !slices.Contains(c.Tags, "call back") || slices.Contains(c.Tags, off) {
		t.Errorf("at once the card has %+v", c)
	}
	a.emptied(t)
	a.card(t, "that nothing is on its way", leg, func(c wire.Card) bool { return len(c.Changes) == 0 })
	if is := w.customer(t, knownCustomer); is.Status != "follow_up" || !slices.Contains(is.Tags, "call back") || slices.Contains(is.Tags, off) {
		t.Errorf("the CRM has %+v", is)
	}
	var there struct{ Status string }
	w.crmDo(t, http.MethodGet, "/api/tickets/"+ticket, nil, &there)
	if there.Status != "pending" {
		t.Errorf("the ticket is %q in the CRM", there.Status)
	}
	// The next pop has it, also without a network.
	second := a.ring(t, "second", knownNumber)
	a.card(t, "the next pop", second, func(c wire.Card) bool {
		return who(c).Status == "follow_up" && slices.Contains(who(c).Tags, "call back")
	})
}

// Within one interval: here the synchronisation that an interval brings is asked for.
func TestWhatIsChangedInTheCRMReachesTheOpenCard(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	a.synchronise(t)
	leg, ticket := a.knownOnCard(t, w)
	w.crmDo(t, http.MethodPatch, "/api/contacts/"+knownCustomer, map[string]any{"status": "inactive"}, nil)
	w.crmDo(t, http.MethodPut, "/api/contacts/"+knownCustomer+"/tags/complained", nil, nil)
	w.crmDo(t, http.MethodPatch, "/api/tickets/"+ticket, map[string]any{"status": "pending"}, nil)
	a.synchronise(t)
	a.card(t, "what a colleague did", leg, func(c wire.Card) bool {
		return who(c).Status == "inactive" && slices.Contains(who(c).Tags, "complained") && ticketStatus(c, ticket) == "pending"
	})
	w.crmDo(t, http.MethodDelete, "/api/contacts/"+knownCustomer, nil, nil)
	a.synchronise(t)
	a.card(t, "that they are gone", leg, func(c wire.Card) bool { return c.Picked == "" && len(c.Matches) == 0 })
}

// Both changed the same: the CRM's stands, both are shown, and nothing is overwritten until a person says so.
func TestWhenBothChangedThePersonDecides(t *testing.T) {
	for name, test := range map[string]struct {
		mine bool
		want string
	}{"mine": {true, "follow_up"}, "theirs": {false, "inactive"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.start(t)
			leg, ticket := a.knownOnCard(t, w)
			w.crmDo(t, http.MethodPatch, "/api/contacts/"+knownCustomer, map[string]any{"status": "inactive"}, nil)
			w.crmDo(t, http.MethodPatch, "/api/tickets/"+ticket, map[string]any{"priority": "high"}, nil) // another field: no conflict
			if err := a.client.SetStatus(t.Context(), leg, wire.StatusRequest{Status: "follow_up"}); err != nil {
				t.Fatal(err)
			}
			if err := a.client.SetTicket(t.Context(), leg, wire.TicketStatusRequest{Ticket: ticket, Status: "pending"}); err != nil {
				t.Fatal(err)
			}
			card := a.card(t, "both values", leg, func(c wire.Card) bool { return len(c.Changes) == 1 && c.Changes[0].Theirs != "" })
			if c := card.Changes[0]; c.Op != cti.UpdateCustomer || c.Value != "follow_up" || c.Theirs != "inactive" || c.State != wire.WriteReview || c.Kind != cti.Conflict {
				t.Fatalf("the card has %+v", c)
			}
			a.card(t, "that the CRM's stands", leg, func(c wire.Card) bool { return who(c).Status == "inactive" })
			if is := w.customer(t, knownCustomer); is.Status != "inactive" {
				t.Fatalf("the CRM has %+v: overwritten unseen", is)
			}
			var err error
			if item := card.Changes[0].Item; test.mine {
				err = a.client.Retry(t.Context(), item)
			} else {
				err = a.client.Discard(t.Context(), item, "the colleague is right")
			}
			if err != nil {
				t.Fatal(err)
			}
			a.card(t, "what was decided", leg, func(c wire.Card) bool { return len(c.Changes) == 0 && who(c).Status == test.want })
			if is := w.customer(t, knownCustomer); is.Status != test.want {
				t.Errorf("the CRM has %+v, want %s", is, test.want)
			}
			var there struct{ Status, Priority string }
			w.crmDo(t, http.MethodGet, "/api/tickets/"+ticket, nil, &there)
			if there.Status != "pending" || there.Priority != "high" {
				t.Errorf("the ticket is %+v", there)
			}
		})
	}
}

// The two values are there after a start, too, on the card and in the outbox's list; and what was discarded is not sent again by a rebuild.
func TestAConflictIsToBeDecidedAfterAStart(t *testing.T) {
	w := newWorld(t)
	w.site = filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(w.site, []byte("apiVersion: ringside.dev/v1\nkind: Mapping\nfields: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.start(t)
	leg, _ := a.knownOnCard(t, w)
	w.crmDo(t, http.MethodPatch, "/api/contacts/"+knownCustomer, map[string]any{"status": "inactive"}, nil)
	if err := a.client.SetStatus(t.Context(), leg, wire.StatusRequest{Status: "follow_up"}); err != nil {
		t.Fatal(err)
	}
	a.card(t, "both values", leg, func(c wire.Card) bool { return len(c.Changes) == 1 && c.Changes[0].Theirs != "" })
	a.talk(t, leg)
	a.delivered(t, leg)
	a.stop()
	a = w.start(t)
	both := func(c wire.Card) bool {
		return len(c.Changes) == 1 && c.Changes[0].Value == "follow_up" && c.Changes[0].Theirs == "inactive" && c.Changes[0].Item != 0
	}
	card := a.card(t, "both values after the start", leg, both)
	item := a.outbox(t)[0]
	if item.Value != "follow_up" || item.Theirs != "inactive" {
		t.Errorf("the list has %+v", item)
	}
	if err := a.client.Discard(t.Context(), card.Changes[0].Item, "the colleague is right"); err != nil {
		t.Fatal(err)
	}
	if err := a.client.Rebuild(t.Context(), item.Seq); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a rebuild of what was discarded gives %v", err)
	}
	if is := w.customer(t, knownCustomer); is.Status != "inactive" {
		t.Errorf("the CRM has %+v", is)
	}
}
