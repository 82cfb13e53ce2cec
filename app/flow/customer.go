package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What a person does about a caller who was not found: makes a customer of them, or says which one it is.

// Create makes a customer of a call's caller. When it returns nil that is on the disk, and the customer is on the card; the CRM gets them
// before the call's record.
func (f *Flow) Create(ctx context.Context, leg string, who cti.NewCustomer) error {
	return f.onCard(ctx, leg, func(card *Card) error { return f.create(card, who) })
}

func (f *Flow) create(card *Card, who cti.NewCustomer) error {
	for _, s := range []*string{&who.Type, &who.Name, &who.Company, &who.Email} {
		*s = strings.TrimSpace(cti.Clean(*s, cti.MaxText))
	}
	if who.Name == "" {
		return cti.Errorf(cti.Invalid, "give the new customer a name", nil)
	}
	if card.Picked != "" {
		return cti.Errorf(cti.Conflict, "this call has a customer: say first that it is not them", nil)
	}
	var besides []string
	for _, m := range card.Matches {
		besides = append(besides, m.Customer.ID)
	}
	who.Besides = strings.Join(besides, "\n")
	w := f.about(card, cti.CreateCustomer, who.Name, who.Company, who.Email)
	w.CustomerID, w.New = cti.NewCustomerID(w.Leg, w.Key), who
	if err := f.cfg.Queue.Accept(cti.Call{}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
		return err
	}
	c := cti.Customer{ID: w.CustomerID, Type: who.Type, Name: who.Name, Company: who.Company, Email: who.Email}
	if n := card.Call.Remote.Number; n.Tells() {
		c.Numbers = []string{n.Best()}
	}
	f.known(c)
	f.adopt(card, c)
	return nil
}

// about is a write-back about the caller of a card. What it says is part of its key: another person is another record, the same one said twice is one.
func (f *Flow) about(card *Card, op cti.Op, says ...string) cti.WriteBack {
	call := card.Call
	key := cti.ID(append([]string{f.cfg.Tenant, call.Leg, string(op)}, says...)...)
	return cti.WriteBack{Op: op, Key: key, Leg: call.Leg, Identity: cti.IdentityKnown,
		Record: cti.Record{Key: key, Case: call.Case, Leg: call.Leg, Direction: call.Direction, Number: call.Remote.Number, StartedAt: call.StartedAt}}
}

// AttachTo says whom a call is with, a customer the look-up did not find; addNumber has the CRM add the caller's number to theirs.
func (f *Flow) AttachTo(ctx context.Context, leg string, c cti.Customer, addNumber bool) error {
	return f.onCard(ctx, leg, func(card *Card) error {
		if addNumber {
			if !card.Call.Remote.Tells() {
				return cti.Errorf(cti.Conflict, "there is no number to add", nil)
			}
			w := f.about(card, cti.AddNumber, c.ID)
			w.CustomerID = c.ID
			if err := f.cfg.Queue.Accept(cti.Call{}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
				return err
			}
			c.Numbers = append(c.Numbers[:len(c.Numbers):len(c.Numbers)], card.Call.Remote.Best())
			if c.Name != "" { // else nothing is known but the id
				f.known(c)
			}
		}
		f.adopt(card, c)
		return nil
	})
}

// RuleAgent is why a customer is on the card whom no number led to: the agent said so.
const RuleAgent = "agent"

// known brings what a person said into the index, where the next call finds it at once.
func (f *Flow) known(c cti.Customer) {
	f.start(func(context.Context) func() {
		f.cfg.Finder.Added(c)
		return func() {}
	})
}

// adopt puts a customer on the card who was not among the matches.
func (f *Flow) adopt(card *Card, c cti.Customer) {
	if !among(card.Matches, c.ID) {
		card.Matches = append([]cti.Match{{Customer: c, Grade: cti.Sure, Rule: RuleAgent, From: RuleAgent, At: time.Now().UTC()}}, card.Matches...)
	}
	f.choose(card, c.ID)
}

// Created tells that the CRM has a new customer by now, under an id of its own; without one, that it shall not have them.
func (f *Flow) Created(was, id string) {
	select {
	case f.posted <- func() { f.created(was, id) }:
	case <-f.stopped:
	}
}

// created: no id means that a person decided against it.
func (f *Flow) created(was, id string) {
	for _, card := range f.cards {
		if card.accepted.CustomerID == was {
			card.accepted.CustomerID = id
		}
		for i := range card.Changes {
			if card.Changes[i].Customer == was {
				card.Changes[i].Customer = id
			}
		}
		if id == "" && card.Picked == was {
			card.Matches = slices.DeleteFunc(card.Matches, func(m cti.Match) bool { return m.Customer.ID == was })
			card.chosen = false
			f.matched(card, card.Matches)
			f.show(card)
			continue
		}
		if card.Picked != was {
			continue
		}
		card.Picked = id
		for i := range card.Matches {
			if card.Matches[i].Customer.ID == was {
				card.Matches[i].Customer.ID = id
			}
		}
		f.show(card)
		f.fetchDetails(card)
	}
}
