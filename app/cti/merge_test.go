package cti_test

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What a review found: calls of two sources that were merged and are two, or kept apart and are one.

func TestTwoIdsOfOneExchangeAreTwoCalls(t *testing.T) {
	again := cti.Source{Adapter: "ari", Instance: "pbx-1"}
	if got := booked(saw(exchange, cti.Delivered, 0, "138", ami("1")), saw(again, cti.Delivered, 100*time.Millisecond, "138", ami("2"))); len(got) != 2 {
		t.Errorf("%d calls, want two: the exchange itself calls them differently", len(got))
	}
}

func TestHoweverNobodyIsNamedTheCallerIsWithheld(t *testing.T) {
	anonymous := saw(desktop, cti.Delivered, 0, "anonymous", sip("a"))
	anonymous.Remote.Withheld, anonymous.Remote.Key = true, ""
	if got := booked(anonymous, saw(exchange, cti.Delivered, 100*time.Millisecond, "", ami("1"))); len(got) != 1 {
		t.Errorf("%d calls, want one: the phone shows a word, the exchange nothing", len(got))
	}
	unknown := saw(exchange, cti.Delivered, 100*time.Millisecond, "138", ami("1"))
	if got := booked(anonymous, unknown); len(got) != 2 {
		t.Errorf("%d calls, want two: a withheld number is none in particular", len(got))
	}
}

func TestTheFarEndsRingingIsOutgoing(t *testing.T) {
	out := saw(desktop, cti.Originated, 0, "138", sip("a"))
	out.Call.Direction = cti.Out
	rings := saw(exchange, cti.Delivered, 100*time.Millisecond, "138", ami("1"))
	rings.Side, rings.Call.Direction = cti.SideRemote, ""
	if got := booked(out, rings); len(got) != 1 {
		t.Errorf("%d calls, want one", len(got))
	}
}

func TestAConsultationThatWasAskedForIsOneForBothSources(t *testing.T) {
	ledger := cti.NewLedger("site")
	ledger.Expect(cti.Dial{Number: cti.Number{Raw: "138", Key: "138"}, At: start, Purpose: cti.Consultation, Main: "main"})
	legs := map[string]cti.Call{}
	for _, e := range []cti.Event{saw(desktop, cti.Originated, time.Second, "138", sip("a")), saw(exchange, cti.Originated, 1100*time.Millisecond, "138", ami("1"))} {
		e.Call.Direction = cti.Out
		for _, c := range ledger.Apply(e) {
			legs[c.After.Leg] = c.After
		}
	}
	if c := only(t, legs); c.Purpose != cti.Consultation || c.MainLeg != "main" {
		t.Errorf("%q about %q, want a consultation about the main call", c.Purpose, c.MainLeg)
	}
}

func TestAListenerIsNotMergedWithAConsultation(t *testing.T) {
	consulting, listening := saw(desktop, cti.Originated, 0, "138", sip("a")), saw(exchange, cti.Originated, 0, "138", ami("1"))
	consulting.Call.Purpose, listening.Call.Purpose = cti.Consultation, cti.Monitoring
	if got := booked(consulting, listening); len(got) != 2 {
		t.Errorf("%d calls, want two", len(got))
	}
}

// The exchange was out of reach for an hour in which the phone told of every call; then it lists them, under ids of its own.
func TestTheHistoryOfASecondSourceFindsTheCallsOfThisRun(t *testing.T) {
	ledger := cti.NewLedger("site")
	for _, e := range []cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a")), saw(desktop, cti.Cleared, time.Minute, "138", sip("a"))} {
		ledger.Apply(e)
	}
	for minute := range 60 {
		ledger.Sweep(start.Add(time.Duration(minute) * time.Minute))
	}
	for _, e := range []cti.Event{saw(exchange, cti.Delivered, 100*time.Millisecond, "138", ami("1")), saw(exchange, cti.Established, 1100*time.Millisecond, "138", ami("1")),
		saw(exchange, cti.Cleared, time.Minute, "138", ami("1"))} {
		e.Past = true
		if changes := ledger.Apply(e); len(changes) != 0 {
			t.Errorf("%s began %+v", e.Type, changes)
		}
	}
}

func TestAnEarlierCallsEndDoesNotEndTheCustomersNextOne(t *testing.T) {
	late := saw(exchange, cti.Cleared, -time.Minute, "138", ami("1"))
	for name, past := range map[string]bool{"from the history": true, "late": false} {
		late.Past = past
		calls := booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a")), late)
		live := 0
		for _, c := range calls {
			if c.State == cti.Connected {
				live++
			}
		}
		if live != 1 || len(calls) != 2 {
			t.Errorf("%s: %d calls of which %d live, want two and one", name, len(calls), live)
		}
	}
}

func TestTheHistoryIsNoneOfTheCallsThatAreAskedForNow(t *testing.T) {
	ledger := cti.NewLedger("site")
	ledger.Expect(cti.Dial{Number: cti.Number{Raw: "138", Key: "138"}, At: start, RingsFirst: true})
	missed := saw(exchange, cti.Delivered, -time.Minute, "138", ami("1"))
	missed.Past = true
	if c := ledger.Apply(missed)[0].After; c.Direction != cti.In || c.ClickToDial {
		t.Errorf("%s, click-to-dial %v: a call of a minute ago is taken for the dialled one", c.Direction, c.ClickToDial)
	}
	ledger.Apply(saw(desktop, cti.Established, 0, "139", sip("a")))
	inside := saw(exchange, cti.Originated, -time.Minute, "1002", ami("2"))
	inside.Past, inside.Remote.Class, inside.Call.Direction = true, cti.ClassInternal, cti.Out
	if c := ledger.Apply(inside)[0].After; c.Purpose != "" {
		t.Errorf("%s: a call of a minute ago is taken for a question about the present one", c.Purpose)
	}
}

// Two exchanges, or two pages, may each call a call by the same name and a value of its own.
func TestSourcesMayUseOneNameForTheirOwnIds(t *testing.T) {
	page := cti.Source{Adapter: "page", Instance: "b"}
	own := func(id string) map[string]string { return map[string]string{"id": id} }
	got := booked(saw(exchange, cti.Delivered, 0, "138", own("1")), saw(page, cti.Delivered, 100*time.Millisecond, "138", own("9")),
		saw(exchange, cti.Established, 10*time.Second, "138", own("1")), saw(page, cti.Established, 10*time.Second, "138", own("9")),
		saw(exchange, cti.Cleared, 20*time.Second, "138", own("1")), saw(page, cti.Cleared, 24*time.Second, "138", own("9")))
	if c := only(t, got); c.State != cti.StateClosed {
		t.Errorf("%s, want it over", c.State)
	}
}

func TestAPurposeThatIsToldAfterTheEndChangesNothing(t *testing.T) {
	late := saw(exchange, cti.Info, 2*time.Second, "138", sip("a"))
	late.Call.Purpose, late.Call.MainLeg = cti.Consultation, "main"
	c := only(t, booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a")), saw(desktop, cti.Cleared, 2*time.Second, "138", sip("a")), late))
	if c.Purpose != "" {
		t.Errorf("%s: its record is written", c.Purpose)
	}
}

// The phone shows what was dialled, prefix and all, as the caller who rings it for a click-to-dial.
func TestADialledNumberIsKnownByHowItWasDialled(t *testing.T) {
	asked := cti.Number{Raw: "9138", E164: "+86138", Key: "138"}
	ledger := cti.NewLedger("site")
	ledger.Expect(cti.Dial{Number: asked, At: start, RingsFirst: true})
	c := ledger.Apply(saw(desktop, cti.Delivered, time.Second, "9138", sip("a")))[0].After
	if c.Direction != cti.Out || c.Remote.Number != asked {
		t.Errorf("%s to %+v, want outgoing to the number that was asked for", c.Direction, c.Remote.Number)
	}
}

// The exchange shows another number than the phone, and learns the SIP Call-ID a moment after it told of the ring.
func TestACallThatTurnsOutToBeOneWithAnotherLeavesNothing(t *testing.T) {
	both := map[string]string{cti.RefSIPCallID: "a", "vendor_asterisk": "1"}
	got := booked(saw(desktop, cti.Delivered, 0, "1002", sip("a")), saw(exchange, cti.Delivered, 100*time.Millisecond, "138", ami("1")),
		saw(exchange, cti.Info, 300*time.Millisecond, "138", both), saw(desktop, cti.Established, 5*time.Second, "1002", sip("a")),
		saw(exchange, cti.Established, 5*time.Second, "138", both), saw(exchange, cti.Cleared, 60*time.Second, "138", ami("1")))
	calls, same := 0, 0
	for _, c := range got {
		switch {
		case c.Purpose == cti.Duplicate && c.State == cti.StateClosed:
			same++
		case c.State == cti.StateClosed && !c.EstablishedAt.IsZero() && c.Remote.Raw == "138" && len(c.Also) == 1:
			calls++
		}
	}
	if calls != 1 || same != 1 || len(got) != 2 {
		t.Errorf("%d calls and %d that were found to be the same, of %d; want one of each", calls, same, len(got))
	}
}

// Two people of one company ring; the phone shows one of them, the exchange lists both.
func TestASnapshotWithTwoCallsOfANumberIsNotMergedByLikeness(t *testing.T) {
	list := cti.Event{V: 1, Type: cti.Snapshot, At: start.Add(time.Minute), Source: exchange, Legs: []cti.Event{
		saw(exchange, cti.Delivered, time.Minute, "138", ami("2")), saw(exchange, cti.Established, time.Minute, "138", ami("1"))}}
	phone := []cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a"))}
	for _, c := range booked(append(phone, list)...) {
		if len(c.Also) != 0 {
			t.Errorf("the phone's call is taken for %v", c.Refs)
		}
	}
	both := ami("1")
	both[cti.RefSIPCallID] = "a"
	list.Legs[1] = saw(exchange, cti.Established, time.Minute, "138", both)
	if got := booked(append(phone, list)...); len(got) != 2 {
		t.Errorf("%d calls, want two: one of them is known by its SIP Call-ID", len(got))
	}
}

func TestNumbersOfTwoCountriesAreTwo(t *testing.T) {
	here, abroad := saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 0, "138", ami("1"))
	here.Remote.E164, abroad.Remote.E164 = "+86138", "+49138"
	if got := booked(here, abroad); len(got) != 2 {
		t.Errorf("%d calls, want two", len(got))
	}
}
