package app_test

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// However a number is written, and by whatever button it is called: who must not be called is not.
func TestWhoMustNotBeCalledIsReachedInNoWay(t *testing.T) {
	w := newWorld(t)
	w.stops, w.lines = cti.DiallingProfile{StopStatuses: []string{"active"}}, "9"
	a := w.start(t)
	leg := a.ring(t, "first", knownNumber)
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.State == cti.Alerting && c.Picked == knownCustomer })
	for _, to := range []string{knownNumber, "+86 138-0013-8000", "tel:" + knownNumber, "sip:" + knownNumber + "@pbx.example", "sips:9" + knownNumber + "@pbx.example;user=phone"} {
		if err := a.Dial(t.Context(), to); cti.KindOf(err) != cti.Denied {
			t.Errorf("a dial of %d characters: %v", len(to), err)
		}
	}
	a.command(t, leg, cti.CommandAnswer)
	a.card(t, "the answer", leg, func(c wire.Card) bool { return c.State == cti.Connected })
	for _, command := range []cti.Command{cti.CommandConsult, cti.CommandTransfer} {
		for _, to := range []string{knownNumber, "9" + knownNumber} {
			if err := a.Command(t.Context(), leg, cti.Instruction{Command: command, To: to}); cti.KindOf(err) != cti.Denied {
				t.Errorf("%s to %d digits: %v", command, len(to), err)
			}
		}
	}
	if err := a.Command(t.Context(), leg, cti.Instruction{Command: cti.CommandConsult, To: "1003"}); err != nil {
		t.Errorf("a colleague: %v", err)
	}
	a.command(t, leg, cti.CommandHangup)
	a.delivered(t, leg)
	if err := a.CallBack(t.Context(), leg); cti.KindOf(err) != cti.Denied {
		t.Errorf("call back: %v", err)
	}
}

// What is dialled for an outside line is no part of a customer's number.
func TestACallThroughAnOutsideLineIsWithTheCustomer(t *testing.T) {
	w := newWorld(t)
	w.lines = "9"
	a := w.start(t)
	e := cti.Event{Type: cti.Originated, Call: cti.CallRef{Direction: cti.Out, Refs: map[string]string{"id": "out"}}, Remote: cti.Remote{Number: cti.Number{Raw: "9" + knownNumber}}}
	leg := a.feed(t, e)
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer && c.Number.E164 == "+86"+knownNumber })
}
