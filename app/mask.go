package app

import (
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/bridge/wire"
)

// masker hides digits of customers' numbers on everything that leaves the agent for a reader: cards, lists, exports, answers of the local API.
// What the CRM is told, and what lies sealed on the disk, is whole.
type masker struct{ number.Mode }

func newMasker(p cti.Profile) masker {
	if p.Numbers.Mask == "" {
		return masker{number.ShowAll}
	}
	return masker{number.Mode(p.Numbers.Mask)}
}

func (m masker) card(c wire.Card) wire.Card {
	if m.Mode == number.ShowAll {
		return c
	}
	n := c.Number
	c.PhoneName, c.Write.Message = m.Text(c.PhoneName, n), m.Text(c.Write.Message, n)
	c.Dialled = m.dialled(c.Dialled, n, c.Direction)
	c.WrapUp.Note = m.Text(c.WrapUp.Note, n)
	c.History = slices.Clone(c.History)
	for i := range c.History {
		c.History[i].Note = m.Text(c.History[i].Note, n)
	}
	c.Tickets = slices.Clone(c.Tickets)
	for i := range c.Tickets {
		c.Tickets[i].Subject = m.Text(c.Tickets[i].Subject, n)
	}
	c.Matches = m.matches(c.Matches, n)
	c.Number = m.Number(n)
	return c
}

// dialled is the company's own number in a call that came in, the customer's in one that went out.
func (m masker) dialled(dialled string, n cti.Number, d cti.Direction) string {
	if d == cti.In || dialled == "" {
		return m.Text(dialled, n)
	}
	switch n.Class {
	case cti.ClassService, cti.ClassOwn, cti.ClassInternal:
		return dialled
	case cti.ClassPerson, cti.ClassPrivacy, cti.ClassInvalid, cti.ClassWithheld, "":
	}
	return m.Mask(dialled)
}

func (m masker) matches(matches []cti.Match, n cti.Number) []cti.Match {
	matches = slices.Clone(matches)
	for i := range matches {
		c := &matches[i].Customer
		c.Name = m.Text(c.Name, n)
		c.Numbers = slices.Clone(c.Numbers)
		for j := range c.Numbers {
			c.Numbers[j] = m.Mask(c.Numbers[j])
		}
	}
	return matches
}

// customers are those of a search: their own numbers are hidden, whatever was searched for.
func (m masker) customers(found []cti.Customer) []cti.Customer {
	found = filled(slices.Clone(found))
	if m.Mode == number.ShowAll {
		return found
	}
	for i := range found {
		found[i].Numbers = slices.Clone(found[i].Numbers)
		for j := range found[i].Numbers {
			found[i].Numbers[j] = m.Mask(found[i].Numbers[j])
		}
	}
	return found
}

func (m masker) item(it wire.OutboxItem) wire.OutboxItem {
	if m.Mode == number.ShowAll {
		return it
	}
	n := it.Number
	it.Name, it.Note, it.Message, it.Reason = m.Text(it.Name, n), m.Text(it.Note, n), m.Text(it.Message, n), m.Text(it.Reason, n)
	for i := range it.Tries {
		it.Tries[i].Message = m.Text(it.Tries[i].Message, n)
	}
	it.Number = m.Number(n)
	return it
}

func (m masker) call(l wire.LoggedCall) wire.LoggedCall {
	if m.Mode == number.ShowAll {
		return l
	}
	c := &l.Call
	n := c.Remote.Number
	c.Dialled = m.dialled(c.Dialled, n, c.Direction)
	c.Remote.Name, c.Remote.URI, c.Remote.Asserted = m.Text(c.Remote.Name, n), "", ""
	c.Parties = slices.Clone(c.Parties)
	for i := range c.Parties {
		c.Parties[i] = m.Mask(c.Parties[i])
	}
	if c.Transfer != nil {
		t := *c.Transfer
		t.To = m.Text(t.To, n)
		c.Transfer = &t
	}
	if c.Cause != nil {
		cause := *c.Cause
		cause.Raw = m.Text(cause.Raw, n)
		c.Cause = &cause
	}
	c.Refs = nil // some sources make them of numbers
	l.WrapUp.Note = m.Text(l.WrapUp.Note, n)
	c.Remote.Number = m.Number(n)
	return l
}

func (m masker) identified(f wire.Identified) wire.Identified {
	if m.Mode == number.ShowAll {
		return f
	}
	f.Index, f.CRM, f.Number = m.matches(f.Index, f.Number), m.matches(f.CRM, f.Number), m.Number(f.Number)
	return f
}
