package flow

import (
	"context"
	"fmt"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// needsLookup decides who could be calling before anybody is asked: it fills the card's first paint and tells whether to ask.
// A number that became better (transfer, call information) is looked up again, in place.
func (f *Flow) needsLookup(card *Card) bool {
	n := card.Call.Remote.Number
	if card.asked == n.Best() && card.Search != "" || card.chosen && !card.passedOn() {
		return false
	}
	card.asked, card.chosen = n.Best(), false
	if card.internal && n.Class != cti.ClassInternal {
		card.Again = card.Pop
	}
	card.internal = n.Class == cti.ClassInternal
	switch {
	case !n.Tells():
		f.found(card, untold(n), nil, "")
	case card.Call.State == cti.StateClosed:
		f.found(card, Failed, nil, "") // it began and ended in one event: the outbox asks
	default:
		card.Search, card.Matches, card.Picked, card.Details = Looking, nil, "", Details{}
		if cached := f.cfg.Finder.Cached(n); len(cached) > 0 {
			f.matched(card, cached)
		}
		return true
	}
	return false
}

// untold says why a number tells nobody.
func untold(n cti.Number) Search {
	switch n.Class {
	case cti.ClassOwn:
		return OwnLine
	case cti.ClassInternal:
		return Colleague
	case cti.ClassPrivacy:
		return Privacy
	case cti.ClassInvalid:
		return Unreadable
	case cti.ClassWithheld, cti.ClassPerson, cti.ClassService:
	}
	return Withheld
}

// lookUp asks beside the loop: first who it is, shown at once, then history and tickets.
func (f *Flow) lookUp(card *Card) {
	leg, n := card.Call.Leg, card.Call.Remote.Number
	f.start(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, lookupLimit)
		defer cancel()
		matches, err := f.find(ctx, n)
		return func() { f.answered(leg, n, matches, err) }
	})
	if card.Picked != "" {
		f.fetchDetails(card)
	}
}

// find asks; a panic in a connector is a failed look-up, not the end of the agent.
func (f *Flow) find(ctx context.Context, n cti.Number) (matches []cti.Match, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = cti.Errorf(cti.Internal, "the look-up failed", fmt.Errorf("panic: %v", p))
		}
	}()
	return f.cfg.Finder.Find(ctx, n)
}

// answered books what the look-up brought, if the card still asks for that number.
func (f *Flow) answered(leg string, n cti.Number, matches []cti.Match, err error) {
	card := f.cards[leg]
	if card == nil || card.chosen || card.asked != n.Best() {
		return
	}
	had := card.Picked
	switch {
	case err != nil:
		f.cfg.Log.Warn("look-up failed", "leg", leg, "number", n, "kind", cti.KindOf(err), "err", err)
		card.SearchKind = cti.KindOf(err)
		if len(card.Matches) == 0 { // a cached customer stays: better old than none
			card.Search = Failed
		}
	default:
		f.matched(card, matches)
	}
	if card.Call.State == cti.StateClosed {
		f.identified(card)
	}
	f.show(card)
	if card.Picked != "" && card.Picked != had {
		f.fetchDetails(card)
	}
}

// matched puts the candidates on the card. One good match is picked; of several, or of a mere "perhaps", the agent decides.
func (f *Flow) matched(card *Card, matches []cti.Match) {
	card.SearchKind = ""
	switch settled := card.accepted.CustomerID; {
	case len(matches) == 0 && settled != "" && !among(card.Matches, settled): // decided in an earlier run: that no number leads there takes nothing back
		f.found(card, Found, nil, settled)
	case len(matches) == 0:
		f.found(card, Nobody, nil, "")
	case card.accepted.Identity == cti.IdentityUnclear: // a person has to say, and may have said that it is not them
		f.found(card, Several, matches, "")
	case among(matches, settled): // whose record it is was decided before
		f.found(card, Found, matches, settled)
	case matches[0].Picked(), len(matches) == 1 && matches[0].Grade != cti.Perhaps:
		f.found(card, Found, matches, matches[0].Customer.ID)
	default:
		f.found(card, Several, matches, "")
	}
}

func among(matches []cti.Match, customerID string) bool {
	return customerID != "" && slices.ContainsFunc(matches, func(m cti.Match) bool { return m.Customer.ID == customerID })
}

func (f *Flow) found(card *Card, s Search, matches []cti.Match, picked string) {
	matches = slices.Clone(matches)
	for i := range matches {
		matches[i].Customer = f.asTheyWillBe(matches[i].Customer)
	}
	if card.Picked != picked {
		card.Details = Details{}
	}
	card.Search, card.Matches, card.Picked = s, matches, picked
}

// fetchDetails brings history and tickets of the picked customer. They are extras: a failure leaves them empty and is logged.
func (f *Flow) fetchDetails(card *Card) {
	leg, id := card.Call.Leg, card.Picked
	if _, _, created := cti.CreatedBy(id); created {
		return // the CRM does not know them yet
	}
	f.start(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, 2*lookupLimit)
		defer cancel()
		details, err := f.cfg.Finder.Details(ctx, id)
		return func() {
			card := f.cards[leg]
			if err != nil {
				f.cfg.Log.Warn("history not fetched", "leg", leg, "customer", id, "kind", cti.KindOf(err), "err", err)
				return
			}
			if card != nil && card.Picked == id {
				details.Tickets = f.ticketsAsTheyWillBe(details.Tickets)
				card.Details = details
				f.show(card)
			}
		}
	})
}

// pick takes the agent's word for who it is.
func (f *Flow) pick(card *Card, customerID string) error {
	if !among(card.Matches, customerID) {
		return cti.Errorf(cti.NotFound, "this customer is not among the matches of the call", nil)
	}
	f.choose(card, customerID)
	return nil
}

// attach is pick for a customer the look-up did not find.
func (f *Flow) attach(card *Card, customerID string) error {
	if card.Call.State != cti.StateClosed {
		return cti.Errorf(cti.Conflict, "the call is not over yet", nil)
	}
	f.choose(card, customerID)
	return nil
}

// wrong takes a pick back, the agent's or our own: now it is open who it is, until somebody is picked.
func (f *Flow) wrong(card *Card) error {
	if card.Picked == "" {
		return cti.Errorf(cti.Conflict, "nobody is picked", nil)
	}
	n := card.Call.Remote.Number
	f.start(func(context.Context) func() {
		f.cfg.Finder.Wrong(n)
		return func() {}
	})
	card.chose()
	card.Search, card.Picked, card.Details = Several, "", Details{}
	if card.decided() {
		f.write(card)
	}
	f.show(card)
	return nil
}

// passedOn tells whether the far end was passed on since the agent chose who it is: then it is somebody else.
func (c *Card) passedOn() bool { return c.Call.Transfer != nil && *c.Call.Transfer != c.chosenOn }

func (c *Card) chose() {
	c.chosen = true
	if c.Call.Transfer != nil {
		c.chosenOn = *c.Call.Transfer
	}
}

func (f *Flow) choose(card *Card, customerID string) {
	n := card.Call.Remote.Number
	if n.Tells() {
		f.start(func(context.Context) func() {
			f.cfg.Finder.Picked(n, customerID)
			return func() {}
		})
	}
	card.chose()
	card.Picked, card.Details = customerID, Details{}
	card.Search = Found
	if card.decided() {
		f.write(card)
	}
	f.show(card)
	f.fetchDetails(card)
}
