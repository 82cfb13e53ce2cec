package crm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Target is a system beside the CRM, and the operations that it takes over.
type Target struct {
	Connector  Connector
	Operations []string // log_call, create_ticket …, history, list_tickets …
}

// Several joins a CRM with systems that take some of its operations over. Who the caller is, the CRM alone says; to a target the customer is
// whoever has their number there. Each keeps its own promises about keys and its own limits. Invalid: two targets take the same operation,
// or one cannot do what it is to take over. Region is where the numbers of the CRM are read.
func Several(region string, first Connector, targets ...Target) (Connector, error) {
	if len(targets) == 0 {
		return first, nil
	}
	s := &several{Connector: first, features: first.Features(), to: map[string]Connector{}, region: region, seen: map[string]seen{}}
	writes := map[cti.Op]bool{}
	for op, can := range s.features.Writes {
		writes[op] = can
	}
	for _, t := range targets {
		for _, op := range t.Operations {
			if slices.Contains(ofCustomers, cti.Op(op)) {
				return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("crm.also: %s stays in %s: customers are in one system alone", op, first.Name()), nil)
			}
			if s.to[op] != nil {
				return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("crm.also: %s is taken over twice: keep it in one list of operations", op), nil)
			}
			if !can(t.Connector, op) {
				return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("crm.also: the connector %s has no operation %s: take it out of its list", t.Connector.Name(), op), nil)
			}
			if s.to[op] = t.Connector; cti.Op(op).Writes() {
				writes[cti.Op(op)] = true
			}
		}
	}
	s.features.Writes = writes
	s.takeOver()
	return s, s.together(first)
}

// ofCustomers are the operations that make or change customers.
var ofCustomers = []cti.Op{cti.CreateCustomer, cti.UpdateCustomer, cti.AddNumber, cti.AddTags, cti.RemoveTags}

// tickets are the operations that name tickets: an id of one system means another ticket, or none, in another.
var tickets = []string{"list_tickets", string(cti.CreateTicket), string(cti.UpdateTicket), string(cti.SetStatus)}

// ofRecordings are the operations on a call's record.
var ofRecordings = []cti.Op{cti.AttachRecording, cti.UploadRecording}

// together makes sure that what is listed in one system is changed there. What that system cannot do is not done at all.
func (s *several) together(first Connector) error {
	var home Connector
	for _, op := range tickets {
		c := s.to[op]
		if c != nil && home != nil && c != home {
			return cti.Errorf(cti.Invalid, "crm.also: tickets are in two systems: put "+strings.Join(tickets, ", ")+" into one list of operations", nil)
		}
		if c != nil {
			home = c
		}
	}
	for _, op := range tickets {
		switch {
		case home == nil || s.to[op] != nil:
		case can(home, op):
			return cti.Errorf(cti.Invalid, fmt.Sprintf("crm.also: tickets are in %s: add %s to its operations, or it would be about the tickets of %s", home.Name(), op, first.Name()), nil)
		case op == tickets[0]:
			s.features.Tickets = nil
		default:
			s.features.Writes[cti.Op(op)] = false
		}
	}
	for _, op := range ofRecordings {
		if c := s.to[string(op)]; c != nil && c != s.to[string(cti.LogCall)] {
			return cti.Errorf(cti.Invalid, fmt.Sprintf("crm.also: %s goes where log_call goes: take it out of the list, or add log_call", op), nil)
		}
	}
	if c := s.to[string(cti.LogCall)]; c != nil {
		s.features.Writes[cti.UploadRecording] = can(c, string(cti.UploadRecording))
	}
	return nil
}

// can tells whether a connector has an operation.
func can(c Connector, op string) bool {
	f := c.Features()
	switch op {
	case "history":
		return f.History != nil
	case "list_tickets":
		return f.Tickets != nil
	case "list_orders":
		return f.Orders != nil
	case "list_options":
		return f.Options != nil
	}
	return f.Writes[cti.Op(op)]
}

// several is a CRM some of whose operations go elsewhere.
type several struct {
	Connector // whatever no target takes over

	features Features
	to       map[string]Connector

	region string

	mu   sync.Mutex
	seen map[string]seen // customers that were looked up, by the CRM's id
}

// seen is a customer of the CRM with the numbers by which others may know them.
type seen struct {
	customer cti.Customer
	numbers  []cti.Number
	at       time.Time
}

// mostSeen is how many customers are remembered; who is not among them is asked for again.
const mostSeen = 2000

// seenFor is how long that is believed where the CRM can be asked.
const seenFor = time.Hour

// Features implements Connector.
func (s *several) Features() Features { return s.features }

// takeOver replaces what targets do.
func (s *several) takeOver() {
	if c := s.to["history"]; c != nil {
		s.features.History = elsewhere(s, c, c.Features().History)
	}
	if c := s.to["list_tickets"]; c != nil {
		s.features.Tickets = elsewhere(s, c, c.Features().Tickets)
	}
	if c := s.to["list_orders"]; c != nil {
		s.features.Orders = elsewhere(s, c, c.Features().Orders)
	}
	if c := s.to["list_options"]; c != nil {
		s.features.Options = c.Features().Options
	}
	if link := s.features.DeepLink; link != nil {
		s.features.DeepLink = func(kind, id string) (string, error) {
			if c := s.owner(kind); c != nil && c.Features().DeepLink != nil {
				return c.Features().DeepLink(kind, id)
			}
			return link(kind, id)
		}
	}
}

// owner is whose records of a kind are; nil: the CRM's.
func (s *several) owner(kind string) Connector {
	return s.to[map[string]string{"ticket": "list_tickets", "call": string(cti.LogCall)}[kind]]
}

// elsewhere asks a target about one of the CRM's customers. Who is unknown there has nothing there.
func elsewhere[T any](s *several, c Connector, list func(context.Context, string, int) ([]T, error)) func(context.Context, string, int) ([]T, error) {
	return func(ctx context.Context, customerID string, limit int) ([]T, error) {
		who, err := s.reach(ctx, customerID, cti.Number{})
		if err != nil {
			return nil, err
		}
		theirs, err := there(ctx, c, who)
		if err != nil || theirs == "" {
			return nil, apart(err)
		}
		out, err := list(ctx, theirs, limit)
		return out, apart(err)
	}
}

// Lookup implements Connector.
func (s *several) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	found, err := s.Connector.Lookup(ctx, n)
	for _, c := range found {
		s.remember(c, n)
	}
	return found, err
}

func (s *several) remember(c cti.Customer, n cti.Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= mostSeen {
		clear(s.seen)
	}
	s.seen[c.ID] = s.asSeen(c, n)
}

// asSeen is a customer with all numbers by which others may know them, the one that called first.
func (s *several) asSeen(c cti.Customer, called ...cti.Number) seen {
	who := seen{customer: c, numbers: called, at: time.Now()}
	for _, raw := range c.Numbers {
		if n := number.Parse(raw, s.region); !slices.ContainsFunc(who.numbers, func(has cti.Number) bool { return has.Key == n.Key }) {
			who.numbers = append(who.numbers, n)
		}
	}
	return who
}

// reach gives what a customer is known by elsewhere. Where the CRM cannot be asked for one customer, it is asked for the number that called.
func (s *several) reach(ctx context.Context, id string, called cti.Number) (seen, error) {
	known := func() (seen, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		who, there := s.seen[id]
		return who, there
	}
	who, there := known()
	switch {
	case there && (s.features.Get == nil || time.Since(who.at) < seenFor):
		return who, nil
	case s.features.Get != nil:
		c, err := s.features.Get(ctx, id)
		if err != nil {
			return seen{}, err
		}
		return s.asSeen(c), nil
	case called.Tells():
		if _, err := s.Lookup(ctx, called); err != nil {
			return seen{}, err
		}
		who, _ = known()
	}
	return who, nil
}

// there finds the customer in a target, by a number and by what they are called: a number alone may be shared, and nobody's ticket may go to
// somebody else. "" is nobody.
func there(ctx context.Context, c Connector, who seen) (string, error) {
	for _, n := range who.numbers {
		found, err := c.Lookup(ctx, n)
		if err != nil {
			return "", err
		}
		var same []string
		for _, one := range found {
			if alike(who.customer, one) {
				same = append(same, one.ID)
			}
		}
		if len(same) == 1 {
			return same[0], nil
		}
	}
	return "", nil
}

// alike tells whether two systems may mean the same person: one e-mail address, or all words of one name are in the other. A family name alone
// is shared by those who share a telephone.
func alike(a, b cti.Customer) bool {
	if a.Email != "" && strings.EqualFold(a.Email, b.Email) {
		return true
	}
	one, other := nameWords(a.Name), nameWords(b.Name)
	if len(one) > len(other) {
		one, other = other, one
	}
	return len(one) > 0 && !slices.ContainsFunc(one, func(word string) bool { return !slices.Contains(other, word) })
}

func nameWords(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
}

// of is where a write-back goes: a remark on a ticket to where tickets are, a recording to where the call is.
func (s *several) of(w cti.WriteBack) Connector {
	op := w.Op
	if w.Op == cti.AddNote && w.Ticket.ID != "" && s.to[string(cti.AddNote)] == nil {
		op = cti.UpdateTicket
	}
	if slices.Contains(ofRecordings, w.Op) && s.to[string(op)] == nil {
		op = cti.LogCall
	}
	return s.to[string(op)]
}

// Write implements Connector.
func (s *several) Write(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c := s.of(w)
	if c == nil {
		return s.Connector.Write(ctx, w)
	}
	w, err := s.forTarget(ctx, c, w)
	if err != nil {
		return cti.Receipt{}, err
	}
	receipt, err := c.Write(ctx, w)
	return receipt, apart(err)
}

// apart is the error of a system beside the CRM as the queue may take it: that one asks for a sign-in or for patience is no reason for the CRM's own records
// to wait, so it is only that this write could not be made now.
func apart(err error) error {
	if kind := cti.KindOf(err); kind == cti.Auth || kind == cti.Limited || kind == cti.Offline && cti.RetryAfter(err) > 0 {
		return cti.Errorf(cti.Offline, err.Error(), nil)
	}
	return err
}

// forTarget is a write-back with the customer as the target knows them; who is not known there is nobody, and the number says who called.
func (s *several) forTarget(ctx context.Context, c Connector, w cti.WriteBack) (cti.WriteBack, error) {
	if w.CustomerID == "" {
		return w, nil
	}
	who, err := s.reach(ctx, w.CustomerID, w.Record.Number)
	if err != nil {
		return w, before(err)
	}
	if n := w.Record.Number; n.Tells() && !slices.Contains(who.numbers, n) {
		who.numbers = append([]cti.Number{n}, who.numbers...)
	}
	w.CustomerID, err = there(ctx, c, who)
	return w, apart(before(err))
}

// before is an error from before anything was written.
func before(err error) error {
	if cti.KindOf(err) == cti.Uncertain {
		return cti.Errorf(cti.Offline, err.Error(), nil)
	}
	return err
}

// Preview implements Previewer.
func (s *several) Preview(ctx context.Context, w cti.WriteBack) ([]Request, error) {
	c := s.of(w)
	if c == nil {
		c = s.Connector
	} else {
		var err error
		if w, err = s.forTarget(ctx, c, w); err != nil {
			return nil, err
		}
	}
	p, ok := c.(Previewer)
	if !ok {
		return nil, cti.Errorf(cti.Invalid, c.Name()+" sends no requests: there is nothing to show", nil)
	}
	return p.Preview(ctx, w)
}

// Repeat implements Connector.
func (s *several) Repeat(w cti.WriteBack) cti.Repeat {
	if c := s.of(w); c != nil {
		return c.Repeat(w)
	}
	return s.Connector.Repeat(w)
}

// Find implements Connector.
func (s *several) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c := s.of(w)
	if c == nil {
		return s.Connector.Find(ctx, w)
	}
	w, err := s.forTarget(ctx, c, w)
	if err != nil {
		return cti.Receipt{}, err
	}
	receipt, err := c.Find(ctx, w)
	return receipt, apart(err)
}
