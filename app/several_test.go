package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Customers and calls are in one system, tickets in another, as the profile says.
func TestTicketsOfTheHelpDeskAreOnTheCardAndChangedThere(t *testing.T) {
	desk, err := sandbox.Start(context.Background(), sandbox.Options{Token: rightToken, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := desk.Close(); err != nil {
			t.Error(err)
		}
	}()
	w := newWorld(t)
	w.also = []cti.CRMTarget{{Connector: "sandbox", Params: map[string]string{"base_url": desk.URL(), "token": "keychain:help-desk"}, Operations: []string{"list_tickets", "create_ticket", "update_ticket", "set_status"}}}
	office := w.url
	var made struct{ ID string }
	w.url = desk.URL() // in the help desk the customer has a ticket
	w.crmDo(t, http.MethodPost, "/api/tickets", map[string]any{"contact_id": knownCustomer, "subject": "Only in the help desk"}, &made)
	w.url = office
	a := w.start(t)
	leg := a.ring(t, "first", knownNumber)
	a.card(t, "the help desk's ticket", leg, func(c wire.Card) bool { return ticketStatus(c, made.ID) == "open" })
	if err := a.client.SetTicket(t.Context(), leg, wire.TicketStatusRequest{Ticket: made.ID, Status: "pending"}); err != nil {
		t.Fatal(err)
	}
	a.talk(t, leg)
	a.delivered(t, leg)
	a.emptied(t)
	w.one(t, leg) // the call is in the CRM
	for _, c := range desk.Calls() {
		if c.Leg == leg {
			t.Error("the call is in the help desk, too")
		}
	}
	var there struct{ Status string }
	w.url = desk.URL()
	w.crmDo(t, http.MethodGet, "/api/tickets/"+made.ID, nil, &there)
	w.url = office
	if there.Status != "pending" {
		t.Errorf("the ticket is %q in the help desk", there.Status)
	}
}

func TestASystemThatCannotDoWhatItTakesOverIsRefused(t *testing.T) {
	w := newWorld(t)
	w.also = []cti.CRMTarget{{Connector: "local", Params: map[string]string{"folder": t.TempDir()}, Operations: []string{"list_orders"}}}
	if _, err := app.New(w.config()); cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "list_orders") {
		t.Errorf("the error is %v", err)
	}
}
