package app_test

import (
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Two people have this number.
const sharedNumber = "+44 20 7946 0999"

func waitsForAPick(c wire.Card) bool {
	return c.Search == wire.SearchSeveral && len(c.Matches) == 2 && c.Picked == "" && c.Write.State == wire.WriteReview
}

// A record that waits for a person stays within that person's reach, also after a restart.
func TestARecordThatWaitsForAPickIsOnTheScreenAfterARestart(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "shared", sharedNumber)
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.card(t, "the wait for a pick", leg, waitsForAPick)
	if err := a.Dismiss(t.Context(), leg); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a card that waits for a pick can be put away: %v", err)
	}
	a.stop()

	again := w.start(t)
	card := again.card(t, "the same wait", leg, waitsForAPick)
	if card.Pop || card.WrapUp.Note != note {
		t.Errorf("after the restart the card is %+v", card)
	}
	if err := again.client.Pick(t.Context(), leg, "c_000003"); err != nil {
		t.Fatal(err)
	}
	again.saved(t, leg)
	r := w.one(t, leg)
	wantContact(t, r, "c_000003")
	if *r.Note != note || *r.Outcome != "Sold" {
		t.Errorf("the record is %+v", r)
	}
}

// Nobody could be asked during the call; at delivery two people turn out to have the number.
func TestSeveralPeopleFoundAtDeliveryAreOfferedOnTheCard(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	a := w.start(t)
	leg := a.ring(t, "late", sharedNumber)
	a.talk(t, leg)
	a.wrapUp(t, leg)
	w.fault(t, sandbox.Fault{})
	a.card(t, "the choice", leg, waitsForAPick)
	if err := a.client.Pick(t.Context(), leg, "c_000004"); err != nil {
		t.Fatal(err)
	}
	a.saved(t, leg)
	wantContact(t, w.one(t, leg), "c_000004")
}

// What was picked before a restart is not undone by the look-up after it.
func TestAPickOutlivesARestart(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "picked", sharedNumber)
	a.card(t, "the choice", leg, func(c wire.Card) bool { return c.Search == wire.SearchSeveral })
	if err := a.client.Pick(t.Context(), leg, "c_000004"); err != nil {
		t.Fatal(err)
	}
	w.fault(t, sandbox.Fault{Status: 500, Match: "/api/calls"})
	a.talk(t, leg)
	a.card(t, "a failed attempt", leg, func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying && c.Write.Attempts > 0 })
	a.stop()

	again := w.start(t)
	again.card(t, "the picked customer", leg, func(c wire.Card) bool { return c.Picked == "c_000004" && len(c.Matches) == 2 })
	w.fault(t, sandbox.Fault{})
	if err := again.client.WrapUp(t.Context(), leg, wire.WrapUpRequest{Note: note}); err != nil {
		t.Fatal(err)
	}
	again.saved(t, leg)
	wantContact(t, w.one(t, leg), "c_000004")
}

// What was typed and never saved stays within reach: the card cannot be put away, and is back after a restart.
func TestADraftKeepsItsCard(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "draft", knownNumber)
	a.talk(t, leg)
	a.card(t, "the delivery", leg, func(c wire.Card) bool { return c.Write.State == wire.WriteDelivered })
	if err := a.client.WrapUp(t.Context(), leg, wire.WrapUpRequest{Note: note, Draft: true}); err != nil {
		t.Fatal(err)
	}
	if err := a.Dismiss(t.Context(), leg); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a card with a draft can be put away: %v", err)
	}
	a.stop()

	again := w.start(t)
	card := again.card(t, "the draft", leg, func(c wire.Card) bool { return c.WrapUp.Note == note })
	if !card.WrapUp.SavedAt.IsZero() || card.Write.State != wire.WriteDelivered {
		t.Errorf("after the restart the card is %+v", card)
	}
	again.wrapUp(t, leg)
	again.saved(t, leg)
	if r := w.one(t, leg); *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
	if err := again.Dismiss(t.Context(), leg); err != nil {
		t.Errorf("once saved, the card cannot be put away: %v", err)
	}
}

// What the agent clears is cleared in the CRM too.
func TestAClearedWrapUpIsClearedInTheCRM(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "clear", knownNumber)
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.saved(t, leg)
	if err := a.client.WrapUp(t.Context(), leg, wire.WrapUpRequest{}); err != nil {
		t.Fatal(err)
	}
	a.card(t, "the delivery of the cleared wrap-up", leg, func(c wire.Card) bool { return c.WrapUp.Note == "" && c.Write.State == wire.WriteDelivered })
	r := w.one(t, leg)
	if r.Note != nil && *r.Note != "" || r.Outcome != nil && *r.Outcome != "" {
		t.Errorf("the CRM still holds note %q, outcome %q", *r.Note, *r.Outcome)
	}
}
