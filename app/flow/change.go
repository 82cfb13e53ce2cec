package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What the agent changes of a customer during a call or after it, and what the CRM changed meanwhile. A change is on the disk before it shows; it
// carries what the agent saw, so that nothing a colleague did is overwritten unseen.

// Change is something the agent changed of a customer that the CRM does not have, or did not want.
type Change struct {
	Key      string // of its write-back
	Item     uint64 // in the queue; 0: no news of it yet
	Customer string
	Op       cti.Op
	Ticket   string    // its id, of a ticket's status
	Value    string    // what the agent wants
	Was      string    // what the agent saw
	Theirs   string    // what the CRM has meanwhile, where both changed it
	At       time.Time // when it was made
	Write    Write
}

// mostTags is how many tags one change adds or removes.
const mostTags = 20

// ChangeTags adds tags to those of a call's customer and removes others.
func (f *Flow) ChangeTags(ctx context.Context, leg string, add, remove []string) error {
	return f.onCustomer(ctx, leg, func(card *Card, c *cti.Customer) ([]cti.WriteBack, error) {
		add, remove = trimmed(add), trimmed(remove)
		add = slices.DeleteFunc(add, func(tag string) bool { return slices.Contains(c.Tags, tag) })
		remove = slices.DeleteFunc(remove, func(tag string) bool { return !slices.Contains(c.Tags, tag) })
		if len(add) > mostTags || len(remove) > mostTags {
			return nil, cti.Errorf(cti.Invalid, "that is too many tags at once", nil)
		}
		var writes []cti.WriteBack
		for _, one := range []struct {
			op   cti.Op
			tags []string
		}{{cti.AddTags, add}, {cti.RemoveTags, remove}} {
			if len(one.tags) > 0 {
				w := f.change(card, one.op, one.tags...)
				w.Tags = one.tags
				writes = append(writes, w)
			}
		}
		c.Tags = slices.DeleteFunc(slices.Concat(c.Tags, add), func(tag string) bool { return slices.Contains(remove, tag) })
		return writes, nil
	})
}

// SetStatus sets the follow-up status of a call's customer.
func (f *Flow) SetStatus(ctx context.Context, leg, status string) error {
	return f.onCustomer(ctx, leg, func(card *Card, c *cti.Customer) ([]cti.WriteBack, error) {
		if status = strings.TrimSpace(cti.Clean(status, cti.MaxText)); status == "" {
			return nil, cti.Errorf(cti.Invalid, "name the status", nil)
		}
		if status == c.Status {
			return nil, nil
		}
		w := f.change(card, cti.UpdateCustomer, status)
		w.New, w.Was, w.Version = cti.NewCustomer{Status: status}, new(c.Status), c.Version
		c.Status = status
		return []cti.WriteBack{w}, nil
	})
}

// SetTicketStatus sets the status of one of the tickets on a card.
func (f *Flow) SetTicketStatus(ctx context.Context, leg, ticketID, status string) error {
	return f.onCustomer(ctx, leg, func(card *Card, _ *cti.Customer) ([]cti.WriteBack, error) {
		i := slices.IndexFunc(card.Details.Tickets, func(t cti.Ticket) bool { return t.ID == ticketID })
		status = strings.TrimSpace(cti.Clean(status, cti.MaxText))
		switch {
		case i < 0:
			return nil, cti.Errorf(cti.NotFound, "this ticket is not on the card", nil)
		case status == "":
			return nil, cti.Errorf(cti.Invalid, "name the status", nil)
		}
		card.Details.Tickets = slices.Clone(card.Details.Tickets)
		t := &card.Details.Tickets[i]
		if t.Status == status {
			return nil, nil
		}
		w := f.change(card, cti.SetStatus, ticketID, status)
		w.Ticket, w.Was, w.Version = cti.TicketDraft{ID: ticketID, Status: status}, new(t.Status), t.Version
		t.Status = status
		return []cti.WriteBack{w}, nil
	})
}

func trimmed(tags []string) []string {
	var out []string
	for _, tag := range tags {
		if tag = strings.TrimSpace(cti.Clean(tag, cti.MaxText)); tag != "" && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// onCustomer makes a change of the customer on a card: on the disk, then on the card and in the index.
func (f *Flow) onCustomer(ctx context.Context, leg string, edit func(card *Card, c *cti.Customer) ([]cti.WriteBack, error)) error {
	return f.onCard(ctx, leg, func(card *Card) error {
		i := slices.IndexFunc(card.Matches, func(m cti.Match) bool { return m.Customer.ID == card.Picked })
		if card.Picked == "" || i < 0 {
			return cti.Errorf(cti.Conflict, "say first which customer it is", nil)
		}
		before := card.Details
		c := card.Matches[i].Customer
		writes, err := edit(card, &c)
		if err != nil || len(writes) == 0 {
			card.Details = before
			return err
		}
		if err := f.cfg.Queue.Accept(cti.Call{}, cti.WrapUp{}, writes); err != nil {
			card.Details = before
			return err
		}
		for _, w := range writes {
			card.Changes = append(slices.Clone(card.Changes), ChangeOf(w))
		}
		f.start(func(context.Context) func() {
			f.cfg.Finder.Read(c)
			return nil
		})
		f.everywhere(c)
		return nil
	})
}

// everywhere puts a customer on all cards that show them.
func (f *Flow) everywhere(c cti.Customer) {
	for _, card := range f.cards {
		i := slices.IndexFunc(card.Matches, func(m cti.Match) bool { return m.Customer.ID == c.ID })
		if i < 0 {
			continue
		}
		card.Matches = slices.Clone(card.Matches)
		card.Matches[i].Customer = c
		f.show(card)
	}
}

// ChangeOf is the change that a write-back makes, before anything came of it.
func ChangeOf(w cti.WriteBack) Change {
	c := Change{Key: w.Key, Customer: w.CustomerID, Op: w.Op, Ticket: w.Ticket.ID, At: w.At, Write: Write{State: WriteQueued}}
	switch w.Op {
	case cti.UpdateCustomer:
		c.Value = w.New.Status
	case cti.SetStatus:
		c.Value = w.Ticket.Status
	default:
		c.Value = strings.Join(w.Tags, "\n")
	}
	if w.Was != nil {
		c.Was = *w.Was
	}
	return c
}

// change is a write-back about the customer of a card. The time is part of its key: the same said again is another change.
func (f *Flow) change(card *Card, op cti.Op, says ...string) cti.WriteBack {
	at := time.Now().UTC()
	w := f.about(card, op, append(says, card.Picked, at.Format(time.RFC3339Nano))...)
	w.CustomerID, w.At = card.Picked, at
	return w
}

// ChangeProgress hands the queue's news of a change to the loop.
func (f *Flow) ChangeProgress(leg string, c Change) {
	select {
	case f.posted <- func() { f.changed(leg, c) }:
	case <-f.stopped:
	}
}

func (f *Flow) changed(leg string, c Change) {
	card := f.cards[leg]
	if card == nil {
		return
	}
	i := slices.IndexFunc(card.Changes, func(one Change) bool { return one.Key == c.Key })
	over := c.Write.State == WriteDelivered || c.Write.State == WriteDiscarded
	card.Changes = slices.Clone(card.Changes)
	switch {
	case i < 0 && over:
		return
	case over:
		card.Changes = slices.Delete(card.Changes, i, i+1)
	case i < 0:
		card.Changes = append(card.Changes, c)
	default:
		refused := c.Write.State == WriteReview && card.Changes[i].Write.State != WriteReview
		if card.Changes[i] = c; refused {
			f.takeBack(c)
		}
	}
	f.show(card)
}

// takeBack shows again what was there before a change that the CRM did not take: it stands until a person decides.
func (f *Flow) takeBack(c Change) {
	before := c.Was
	if c.Theirs != "" {
		before = c.Theirs
	}
	for _, card := range f.cards {
		for i := range card.Matches {
			if who := card.Matches[i].Customer; who.ID == c.Customer {
				card.Matches = slices.Clone(card.Matches)
				card.Matches[i].Customer = c.undone(who, before)
			}
		}
		card.Details.Tickets = slices.Clone(card.Details.Tickets)
		for i, t := range card.Details.Tickets {
			if c.Op == cti.SetStatus && t.ID == c.Ticket && t.Status == c.Value {
				card.Details.Tickets[i].Status = before
			}
		}
	}
}

// undone is a customer without the change.
func (c Change) undone(who cti.Customer, before string) cti.Customer {
	switch {
	case c.Op == cti.UpdateCustomer && who.Status == c.Value:
		who.Status = before
	case c.Op == cti.AddTags:
		c.Op = cti.RemoveTags
		return c.over(who)
	case c.Op == cti.RemoveTags:
		c.Op = cti.AddTags
		return c.over(who)
	}
	return who
}

// Refreshed brings what the CRM says of customers onto the cards that show them; whoever it deleted goes.
func (f *Flow) Refreshed(customers []cti.Customer, deleted []string) {
	if len(customers)+len(deleted) == 0 {
		return
	}
	select {
	case f.posted <- func() { f.refreshed(customers, deleted) }:
	case <-f.stopped:
	}
}

func (f *Flow) refreshed(customers []cti.Customer, deleted []string) {
	byID := map[string]cti.Customer{}
	for _, c := range customers {
		byID[c.ID] = c
	}
	for _, card := range f.cards {
		news := f.renew(card, byID)
		if gone := f.gone(card, deleted); !news && !gone {
			continue
		}
		f.show(card)
		if _, hit := byID[card.Picked]; hit {
			f.fetchDetails(card)
		}
	}
}

// renew puts what is newer on a card.
func (f *Flow) renew(card *Card, byID map[string]cti.Customer) (news bool) {
	for i := range card.Matches {
		c, hit := byID[card.Matches[i].Customer.ID]
		if !hit {
			continue
		}
		if !news {
			card.Matches = slices.Clone(card.Matches)
		}
		card.Matches[i].Customer, card.Matches[i].At, news = f.asTheyWillBe(c), time.Now().UTC(), true
	}
	return news
}

// asTheyWillBe is a customer of the CRM with what agents changed here and the CRM does not have yet: it stays as they see it. What it refused, or what
// waits for a person, is not laid over: the CRM's stands.
func (f *Flow) asTheyWillBe(c cti.Customer) cti.Customer {
	for _, change := range f.underWay() {
		if change.Customer == c.ID {
			c = change.over(c)
		}
	}
	return c
}

// underWay are the changes of all cards that are on their way, as they were made.
func (f *Flow) underWay() []Change {
	var all []Change
	for _, card := range f.cards {
		for _, c := range card.Changes {
			if c.Write.State != WriteReview {
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return a.At.Compare(b.At) })
	return all
}

// ticketsAsTheyWillBe are a customer's tickets with what agents changed of them here.
func (f *Flow) ticketsAsTheyWillBe(tickets []cti.Ticket) []cti.Ticket {
	tickets = slices.Clone(tickets)
	for _, c := range f.underWay() {
		i := slices.IndexFunc(tickets, func(t cti.Ticket) bool { return c.Op == cti.SetStatus && t.ID == c.Ticket })
		if i >= 0 {
			tickets[i].Status = c.Value
		}
	}
	return tickets
}

// over is a customer as they will be.
func (c Change) over(who cti.Customer) cti.Customer {
	switch c.Op {
	case cti.UpdateCustomer:
		who.Status = c.Value
	case cti.AddTags:
		who.Tags = trimmed(append(slices.Clone(who.Tags), strings.Split(c.Value, "\n")...))
	case cti.RemoveTags:
		off := strings.Split(c.Value, "\n")
		who.Tags = slices.DeleteFunc(slices.Clone(who.Tags), func(tag string) bool { return slices.Contains(off, tag) })
	default: // tickets are no part of it
	}
	return who
}

// gone takes customers off a card whom the CRM deleted. A call that is over and written down stays as it was.
func (f *Flow) gone(card *Card, deleted []string) bool {
	left := slices.DeleteFunc(slices.Clone(card.Matches), func(m cti.Match) bool { return slices.Contains(deleted, m.Customer.ID) })
	if len(left) == len(card.Matches) || card.Write.State == WriteDelivered {
		return false
	}
	if !slices.Contains(deleted, card.Picked) {
		card.Matches = left
		return true
	}
	card.chosen = false
	f.matched(card, left)
	if card.Call.State == cti.StateClosed {
		f.write(card) // what waits is not for them any more
	}
	return true
}
