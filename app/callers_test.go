package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

const strangersNumber = "13900139999"

// inCRM are the contacts the CRM has with a number.
func (w *world) inCRM(t *testing.T, number string) (ids []string) {
	t.Helper()
	var list struct {
		Items []struct{ ID string }
	}
	w.crmDo(t, http.MethodGet, "/api/contacts?phone="+number, nil, &list)
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// crmDo is what a colleague does in the CRM's own window.
func (w *world) crmDo(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	if res.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *agent) stranger(t *testing.T, ref string) string {
	t.Helper()
	leg := a.ring(t, ref, strangersNumber)
	a.card(t, "that nobody has the number", leg, func(c wire.Card) bool { return c.Search == wire.SearchNone || c.Search == wire.SearchFailed })
	return leg
}

func (a *agent) create(t *testing.T, leg, name string) {
	t.Helper()
	if err := a.client.Create(t.Context(), leg, wire.CreateRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	a.card(t, "the new customer", leg, func(c wire.Card) bool { return c.Picked != "" && c.Matches[0].Customer.Name == name })
}

func TestAStrangerBecomesACustomerAndTheCallIsTheirs(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.stranger(t, "first")
	if err := a.client.Create(t.Context(), leg, wire.CreateRequest{Name: "  "}); cti.KindOf(err) != cti.Invalid {
		t.Errorf("a customer without a name gives %v", err)
	}
	if n := len(w.inCRM(t, strangersNumber)); n != 0 {
		t.Fatalf("looking up made %d contacts", n)
	}
	a.create(t, leg, "Zhao Min")
	if err := a.client.Create(t.Context(), leg, wire.CreateRequest{Name: "Again"}); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a second customer for the call gives %v", err)
	}
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.saved(t, leg)
	ids := w.inCRM(t, strangersNumber)
	if len(ids) != 1 {
		t.Fatalf("the CRM has %v", ids)
	}
	wantContact(t, w.one(t, leg), ids[0])
	a.card(t, "the CRM's own id", leg, func(c wire.Card) bool { return c.Picked == ids[0] })

	again := a.ring(t, "again", "0086-139 0013 9999")
	a.card(t, "the customer", again, func(c wire.Card) bool { return c.Picked == ids[0] && c.Matches[0].Customer.Name == "Zhao Min" })
	a.talk(t, again)
	a.delivered(t, again)
	wantContact(t, w.one(t, again), ids[0])
}

// Without a network the customer is made all the same: here at once, in the CRM once, and both calls are theirs.
func TestACustomerIsMadeOffline(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	a := w.start(t)
	first := a.stranger(t, "first")
	a.create(t, first, "Zhao Min")
	a.talk(t, first)
	second := a.ring(t, "second", "+86 "+strangersNumber)
	card := a.card(t, "the new customer", second, func(c wire.Card) bool { return c.Picked != "" })
	if m := card.Matches[0]; m.Customer.Name != "Zhao Min" || m.From != cti.FromIndex {
		t.Errorf("the second card is %+v", card)
	}
	a.talk(t, second)
	a.until(t, "three things that wait", func() bool { return a.now.Outbox.Waiting == 3 })
	a.stop()

	w.fault(t, sandbox.Fault{})
	a = w.start(t)
	a.delivered(t, first)
	a.delivered(t, second)
	ids := w.inCRM(t, strangersNumber)
	if len(ids) != 1 {
		t.Fatalf("the CRM has %v", ids)
	}
	wantContact(t, w.one(t, first), ids[0])
	wantContact(t, w.one(t, second), ids[0])
}

func TestWhoWasMadeByAColleagueMeanwhileIsNotMadeTwice(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	a := w.start(t)
	leg := a.stranger(t, "first")
	a.create(t, leg, "Zhao Min")
	a.talk(t, leg)
	w.fault(t, sandbox.Fault{})
	var made struct{ ID string }
	w.crmDo(t, http.MethodPost, "/api/contacts", map[string]any{"name": "Zhao, Min", "phones": []any{map[string]string{"label": "mobile", "number": "139-0013-9999"}}}, &made)
	a.delivered(t, leg)
	if ids := w.inCRM(t, strangersNumber); len(ids) != 1 || ids[0] != made.ID {
		t.Errorf("the CRM has %v, want %s alone", ids, made.ID)
	}
	wantContact(t, w.one(t, leg), made.ID)
}

func TestALostAnswerMakesNoSecondCustomer(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.stranger(t, "first")
	w.fault(t, sandbox.Fault{DropAnswer: true, Count: 1, Match: "/api/contacts/by-key"})
	a.create(t, leg, "Zhao Min")
	a.talk(t, leg)
	a.delivered(t, leg)
	ids := w.inCRM(t, strangersNumber)
	if len(ids) != 1 || w.crm.Stats().Dropped != 1 {
		t.Fatalf("the CRM has %v, %d answers were lost", ids, w.crm.Stats().Dropped)
	}
	wantContact(t, w.one(t, leg), ids[0])
}

func TestAStrangerIsAttachedToAnExistingCustomerWithTheirNumber(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.stranger(t, "first")
	found, err := a.client.Search(t.Context(), "陈丽华")
	if err != nil || len(found) != 1 || found[0].ID != knownCustomer {
		t.Fatalf("found %+v, %v", found, err)
	}
	if byNumber, err := a.client.Search(t.Context(), "0086 138-0013-8000"); err != nil || len(byNumber) != 1 || byNumber[0].ID != knownCustomer {
		t.Errorf("by the number %+v, %v", byNumber, err)
	}
	if _, err := a.client.Search(t.Context(), " "); cti.KindOf(err) != cti.Invalid {
		t.Errorf("a search for nothing gives %v", err)
	}
	if err := a.client.AttachCall(t.Context(), leg, wire.AttachCallRequest{CustomerID: knownCustomer, AddNumber: true}); err != nil {
		t.Fatal(err)
	}
	card := a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer && len(c.History) > 0 })
	if card.Matches[0].Customer.Name != "陈丽华" {
		t.Errorf("the card is %+v", card)
	}
	a.talk(t, leg)
	a.delivered(t, leg)
	wantContact(t, w.one(t, leg), knownCustomer)
	a.until(t, "the number added", func() bool { return a.now.Outbox == wire.Outbox{} })
	if ids := w.inCRM(t, strangersNumber); len(ids) != 1 || ids[0] != knownCustomer {
		t.Errorf("the number belongs to %v", ids)
	}
	again := a.ring(t, "again", strangersNumber)
	a.card(t, "the customer", again, func(c wire.Card) bool { return c.Picked == knownCustomer })
}

// Ringside was killed just when the CRM had the new customer: they are one person all the same.
func TestACustomerWhoWasMadeIsNotShownTwiceAfterAKill(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.stranger(t, "first")
	a.create(t, leg, "Zhao Min")
	a.talk(t, leg)
	a.delivered(t, leg)
	a.card(t, "the CRM's own id", leg, func(c wire.Card) bool { return c.Picked == w.inCRM(t, strangersNumber)[0] })
	made := w.inCRM(t, strangersNumber)[0]
	a.Forgets(made, cti.Customer{ID: cti.NewCustomerID(leg, cti.WriteKey("test", leg, cti.CreateCustomer, 0)), Name: "Zhao Min", Numbers: []string{strangersNumber}})
	again := a.ring(t, "again", strangersNumber)
	card := a.card(t, "the customer", again, func(c wire.Card) bool { return c.Picked != "" })
	if card.Picked != made || len(card.Matches) != 1 {
		t.Errorf("the card is %+v", card)
	}
}

// Somebody decided that the CRM shall not have the new customer: then the call is nobody's, and the name is forgotten here.
func TestADiscardedCustomerIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Status: 422, Match: "/api/contacts/by-key"})
	a := w.start(t)
	leg := a.stranger(t, "first")
	a.create(t, leg, "Zhao Min")
	a.until(t, "the refused customer", func() bool { return a.now.Outbox.Review == 1 })
	a.talk(t, leg)
	a.until(t, "the record that waits for them", func() bool { return a.now.Outbox.Review == 2 })
	if n := len(w.records(leg)); n != 0 {
		t.Fatalf("%d records were written before it was settled whose they are", n)
	}
	for _, it := range a.outbox(t) {
		if it.Op == cti.CreateCustomer {
			if err := a.client.Discard(t.Context(), it.Seq, "a wrong number"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, it := range a.outbox(t) {
		if err := a.client.Retry(t.Context(), it.Seq); err != nil {
			t.Fatal(err)
		}
	}
	a.delivered(t, leg)
	wantContact(t, w.one(t, leg), "")
	again := a.ring(t, "again", strangersNumber)
	a.card(t, "nobody", again, func(c wire.Card) bool { return c.Search == wire.SearchNone && len(c.Matches) == 0 })
}

// The agent says that it is not whom the number leads to, and makes somebody else: the call must not come back to the one who was rejected, and
// a second person from the same telephone is a second customer.
func TestANewCustomerIsNotTheOneWhoWasRejected(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "first", knownNumber)
	a.card(t, "the known customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer })
	made := map[string]bool{}
	for _, name := range []string{"Chen's son", "Chen's daughter"} {
		if err := a.client.Wrong(t.Context(), leg); err != nil {
			t.Fatal(err)
		}
		a.create(t, leg, name)
		card := a.card(t, "the CRM's own id of "+name, leg, func(c wire.Card) bool {
			_, _, ours := cti.CreatedBy(c.Picked)
			return c.Picked != "" && !ours && c.Matches[0].Customer.Name == name
		})
		made[card.Picked] = true
		var there struct{ Name string }
		w.crmDo(t, http.MethodGet, "/api/contacts/"+card.Picked, nil, &there)
		if there.Name != name {
			t.Errorf("%s is %q in the CRM", card.Picked, there.Name)
		}
	}
	a.talk(t, leg)
	a.delivered(t, leg)
	if r := w.one(t, leg); r.ContactID == nil || !made[*r.ContactID] || len(made) != 2 || made[knownCustomer] {
		t.Errorf("made are %v, the record is %+v", made, r)
	}
}

func TestNotThemSurvivesAStart(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "first", knownNumber)
	a.card(t, "the known customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer })
	if err := a.client.Wrong(t.Context(), leg); err != nil {
		t.Fatal(err)
	}
	a.talk(t, leg)
	a.until(t, "an item for a person", func() bool { return a.now.Outbox == wire.Outbox{Review: 1} })
	a.stop()
	a = w.start(t)
	card := a.card(t, "the look-up", leg, func(c wire.Card) bool { return len(c.Matches) > 0 })
	if card.Picked != "" || card.Search != wire.SearchSeveral || len(w.records(leg)) != 0 {
		t.Errorf("the card is %+v; %d records", card, len(w.records(leg)))
	}
	if err := a.client.Pick(t.Context(), leg, knownCustomer); err != nil {
		t.Fatal(err)
	}
	a.delivered(t, leg)
}

// The call is over and its record waits for the network; then the agent says who it was: nobody has to see to it again.
func TestACustomerMadeAfterTheCallNeedsNoPerson(t *testing.T) {
	for name, delivered := range map[string]bool{"the record waits": false, "the record was delivered": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if !delivered {
				w.fault(t, sandbox.Fault{Refuse: true})
			}
			a := w.start(t)
			leg := a.stranger(t, "first")
			a.talk(t, leg)
			if delivered {
				a.delivered(t, leg)
				w.fault(t, sandbox.Fault{Refuse: true})
			}
			a.create(t, leg, "Zhao Min")
			a.stop()
			w.fault(t, sandbox.Fault{})
			a = w.start(t)
			a.until(t, "all of it delivered", func() bool {
				calls := w.records(leg)
				return len(calls) == 1 && calls[0].ContactID != nil
			})
			ids := w.inCRM(t, strangersNumber)
			if len(ids) != 1 {
				t.Fatalf("the CRM has %v", ids)
			}
			wantContact(t, w.one(t, leg), ids[0])
			if n := a.Status().Outbox.Review; n != 0 {
				t.Errorf("%d need a person", n)
			}
		})
	}
}

// The number was given to a customer, and the CRM does not have that yet: they stay known, by all their numbers.
func TestWhoWasGivenTheNumberStaysKnownMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Status: 503, Match: "/api/contacts/" + knownCustomer + "/phones"})
	a := w.start(t)
	leg := a.stranger(t, "first")
	if _, err := a.client.Search(t.Context(), "陈丽华"); err != nil {
		t.Fatal(err)
	}
	if err := a.client.AttachCall(t.Context(), leg, wire.AttachCallRequest{CustomerID: knownCustomer, AddNumber: true}); err != nil {
		t.Fatal(err)
	}
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer })
	again := a.ring(t, "again", strangersNumber)
	a.card(t, "the answer of the CRM", again, func(c wire.Card) bool { return c.Search != wire.SearchLooking && c.Picked == knownCustomer })
	if who, err := a.client.Identify(t.Context(), strangersNumber); err != nil || len(who.CRM) != 1 || who.CRM[0].Customer.ID != knownCustomer {
		t.Errorf("after the CRM answered it is %+v, %v", who, err)
	}
}
