package app

import (
	"maps"
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/bridge/wire"
)

// masker hides digits of customers' numbers on everything that leaves the agent for a reader: cards, lists, exports, answers of the local API.
// What the CRM is told, and what lies sealed on the disk, is whole.
type masker struct {
	number.Mode

	plan *number.Plan // how numbers in fields are read
}

func newMasker(p cti.Profile, plan *number.Plan) masker {
	if p.Numbers.Mask == "" {
		return masker{number.ShowAll, plan}
	}
	return masker{number.Mode(p.Numbers.Mask), plan}
}

// of gives a customer's numbers.
func (m masker) of(c cti.Customer) []cti.Number {
	var all []cti.Number
	for _, written := range c.Numbers {
		all = append(all, m.plan.WrittenAll(written)...)
	}
	return all
}

func (m masker) card(c wire.Card) wire.Card {
	if m.Mode == number.ShowAll {
		return c
	}
	n := c.Number
	known := []cti.Number{n} // whose numbers texts of this card may repeat
	for _, match := range c.Matches {
		known = append(known, m.of(match.Customer)...)
	}
	c.PhoneName, c.Write.Message = m.Text(c.PhoneName, known...), m.Text(c.Write.Message, known...)
	c.Dialled = m.dialled(c.Dialled, n, c.Direction)
	c.WrapUp.Note = m.Text(c.WrapUp.Note, known...)
	c.Data = maps.Clone(c.Data)
	for name, value := range c.Data {
		c.Data[name] = m.Text(value, known...)
	}
	if c.Consult != nil {
		consult := *c.Consult
		consult.Number, consult.Name = m.Number(consult.Number), m.Text(consult.Name, consult.Number)
		c.Consult = &consult
	}
	c.Changes = slices.Clone(c.Changes)
	for i := range c.Changes {
		one := &c.Changes[i]
		one.Value, one.Theirs, one.Message = m.Text(one.Value, known...), m.Text(one.Theirs, known...), m.Text(one.Message, known...)
	}
	c.History = slices.Clone(c.History)
	for i := range c.History {
		c.History[i].Note = m.Text(c.History[i].Note, known...)
	}
	c.Tickets = slices.Clone(c.Tickets)
	for i := range c.Tickets {
		c.Tickets[i].Subject = m.Text(c.Tickets[i].Subject, known...)
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
	return m.Field(m.plan, dialled)
}

func (m masker) matches(matches []cti.Match, n cti.Number) []cti.Match {
	matches = slices.Clone(matches)
	for i := range matches {
		matches[i].Customer = m.customer(matches[i].Customer, n)
	}
	return matches
}

// customer hides the customer's own numbers, and theirs and the caller's where something else repeats them: some have a number for a name, or in
// front of their e-mail address.
func (m masker) customer(c cti.Customer, caller ...cti.Number) cti.Customer {
	known := append(m.of(c), caller...)
	c.Name, c.Company, c.Email = m.Text(c.Name, known...), m.Text(c.Company, known...), m.Text(c.Email, known...)
	c.Numbers, c.Tags, c.Data = slices.Clone(c.Numbers), slices.Clone(c.Tags), maps.Clone(c.Data)
	for i := range c.Numbers {
		c.Numbers[i] = m.Field(m.plan, c.Numbers[i])
	}
	for i := range c.Tags {
		c.Tags[i] = m.Text(c.Tags[i], known...)
	}
	for name, value := range c.Data {
		c.Data[name] = m.own(value, known)
	}
	return c
}

// own is what a field of the site's own holds: it may be another number of theirs.
func (m masker) own(value string, known []cti.Number) string {
	for _, n := range m.plan.WrittenAll(value) {
		if n.E164 != "" && n.Class == cti.ClassPerson {
			return m.Field(m.plan, value)
		}
	}
	return m.Text(value, known...)
}

// requests hides the number that requests to the CRM are about.
func (m masker) requests(shown []wire.ShownRequest, n cti.Number) []wire.ShownRequest {
	for i := range shown {
		shown[i].URL, shown[i].Body = m.Text(shown[i].URL, n), m.Text(shown[i].Body, n)
	}
	return shown
}

// customers are those of a search: their own numbers are hidden, whatever was searched for.
func (m masker) customers(found []cti.Customer) []cti.Customer {
	found = filled(slices.Clone(found))
	if m.Mode == number.ShowAll {
		return found
	}
	for i := range found {
		found[i] = m.customer(found[i])
	}
	return found
}

func (m masker) item(it wire.OutboxItem) wire.OutboxItem {
	if m.Mode == number.ShowAll {
		return it
	}
	n := it.Number
	it.Value, it.Theirs = m.Text(it.Value, n), m.Text(it.Theirs, n)
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
		c.Parties[i] = m.Field(m.plan, c.Parties[i])
	}
	if c.Transfer != nil {
		t := *c.Transfer
		t.To = m.Field(m.plan, t.To)
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
