package app_test

import (
	"context"
	"strings"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// written is a connector that notes what is written.
type written struct {
	crm.Connector
	can crm.Features
	got []cti.WriteBack
}

func (c *written) Features() crm.Features { return c.can }

func (c *written) Write(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.got = append(c.got, w)
	return cti.Receipt{ID: w.RecordID}, nil
}

// A recording often is known before the CRM has the call's record, or long after.
func TestARecordingWaitsForTheRecordOfItsCall(t *testing.T) {
	w := cti.WriteBack{Op: cti.AttachRecording, Key: "r", Leg: "leg", Identity: cti.IdentityKnown, Record: cti.Record{Key: "call"}, Recording: cti.Recording{URL: "https://pbx.example/1"}}
	for name, test := range map[string]struct {
		call outbox.Item
		want cti.Kind
	}{
		"it waits":              {outbox.Item{Seq: 1, State: outbox.Queued}, cti.Offline},
		"it is in doubt":        {outbox.Item{Seq: 1, State: outbox.Reconcile}, cti.Offline},
		"for a person":          {outbox.Item{Seq: 1, State: outbox.Review}, cti.Conflict},
		"given up":              {outbox.Item{Seq: 1, State: outbox.Discarded}, cti.NotFound},
		"never was":             {outbox.Item{}, cti.NotFound},
		"delivered":             {outbox.Item{Seq: 1, State: outbox.Done, Receipt: cti.Receipt{ID: "call_7"}}, ""},
		"an update of it waits": {outbox.Item{Seq: 2, State: outbox.Queued, Receipt: cti.Receipt{ID: "call_7"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			to := &written{}
			receipt, err := app.Deliver(to, func(leg, key string) (outbox.Item, error) {
				if leg != "leg" || key != "call" {
					t.Errorf("looked for %s %s", leg, key)
				}
				return test.call, nil
			}).Send(t.Context(), w)
			if cti.KindOf(err) != test.want {
				t.Errorf("the error is %v (%s), want %s", err, cti.KindOf(err), test.want)
			}
			if sent := len(to.got) == 1; sent != (test.want == "") || sent && receipt.ID != "call_7" {
				t.Errorf("sent %v", to.got)
			}
		})
	}
}

// What a colleague set is not overwritten unseen: also where the person saw nothing, and where the ticket is not among the open ones any more.
func TestAChangeMeetsWhatIsThere(t *testing.T) {
	status := func(is string) crm.Features {
		return crm.Features{Get: func(context.Context, string) (cti.Customer, error) {
			return cti.Customer{ID: "c", Status: is, Version: "9"}, nil
		}}
	}
	tickets := func(all ...cti.Ticket) crm.Features {
		return crm.Features{Tickets: func(context.Context, string, int) ([]cti.Ticket, error) { return all, nil }}
	}
	customer := cti.WriteBack{Op: cti.UpdateCustomer, Key: "k", CustomerID: "c", Identity: cti.IdentityKnown, New: cti.NewCustomer{Status: "wants"}, Version: "1"}
	ticket := cti.WriteBack{Op: cti.SetStatus, Key: "k", CustomerID: "c", Identity: cti.IdentityKnown, Ticket: cti.TicketDraft{ID: "t", Status: "wants"}}
	for name, test := range map[string]struct {
		can      crm.Features
		w        cti.WriteBack
		was      string
		conflict string // what is there; - for none
		sent     bool
	}{
		"as it was seen":             {status("seen"), customer, "seen", "-", true},
		"none was seen, none is":     {status(""), customer, "", "-", true},
		"none was seen, one is":      {status("theirs"), customer, "", "theirs", false},
		"another one":                {status("theirs"), customer, "seen", "theirs", false},
		"the same by both":           {status("wants"), customer, "seen", "-", false},
		"nobody can say":             {crm.Features{}, customer, "seen", "-", true},
		"a ticket as it was seen":    {tickets(cti.Ticket{ID: "t", Status: "seen"}), ticket, "seen", "-", true},
		"a ticket that was closed":   {tickets(cti.Ticket{ID: "other", Status: "seen"}), ticket, "seen", "", false},
		"a closed one, all the same": {tickets(), ticket, "", "-", true},
	} {
		t.Run(name, func(t *testing.T) {
			to := &written{can: test.can}
			test.w.Was = &test.was
			_, err := app.Deliver(to, nil).Send(t.Context(), test.w)
			if there := cti.CurrentOf(err); (there == nil) != (test.conflict == "-") || there != nil && (*there != test.conflict || cti.KindOf(err) != cti.Conflict) {
				t.Errorf("the error is %v (%s) with %v, want %q", err, cti.KindOf(err), there, test.conflict)
			}
			if sent := len(to.got) == 1; sent != test.sent {
				t.Errorf("sent %v", to.got)
			}
			if len(to.got) == 1 && test.can.Get != nil && to.got[0].Version != "9" {
				t.Errorf("sent for version %q, want the one it was compared with", to.got[0].Version)
			}
			if err != nil && strings.Contains(err.Error(), "theirs") {
				t.Errorf("the message, which is logged, says what the customer is: %v", err)
			}
		})
	}
}

func TestWhatIsForACustomerWhoWasGivenUpIsForNobody(t *testing.T) {
	for _, op := range []cti.Op{cti.AddTags, cti.RemoveTags, cti.UpdateCustomer, cti.AddNumber, cti.LogCall} {
		to := &written{}
		_, err := app.Deliver(to, func(string, string) (outbox.Item, error) { return outbox.Item{Seq: 1, State: outbox.Discarded}, nil }).
			Send(t.Context(), cti.WriteBack{Op: op, Key: "k", CustomerID: cti.NewCustomerID("l", "k0"), Identity: cti.IdentityKnown, Tags: []string{"vip"}})
		if call := op == cti.LogCall; call != (err == nil) || call != (len(to.got) == 1) {
			t.Errorf("%s: %v, sent %v", op, err, to.got) // a call is logged, for nobody
		}
	}
}
