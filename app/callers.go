package app

import (
	"context"
	"sync"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/bridge/wire"
)

// What a person does about a caller who was not found.

// fewestSearched is how many digits a search by number has at least: fewer fit half the book.
const fewestSearched = 5

// mostFound is how many customers a search gives, mostRemembered of how many the agent knows more than the id.
const (
	mostFound      = 20
	mostRemembered = 500
)

// searched remembers customers that were shown in a list: who picks one names the id alone.
type searched struct {
	mu   sync.Mutex
	byID map[string]cti.Customer
}

func (s *searched) remember(found []cti.Customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil || len(s.byID) > mostRemembered {
		s.byID = map[string]cti.Customer{}
	}
	for _, c := range found {
		s.byID[c.ID] = c
	}
}

func (s *searched) of(id string) cti.Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.byID[id]; ok {
		return c
	}
	return cti.Customer{ID: id}
}

// Search finds customers by a number, a name, a company or an e-mail address.
func (a *App) Search(ctx context.Context, text string) ([]cti.Customer, error) {
	text = cti.Clean(text, cti.MaxText)
	if text == "" {
		return nil, cti.Errorf(cti.Invalid, "write a name, a number or an e-mail address", nil)
	}
	found, err := a.search(ctx, text)
	if err != nil {
		return nil, err
	}
	a.searched.remember(found)
	return a.mask.customers(found), nil
}

func (a *App) search(ctx context.Context, text string) (found []cti.Customer, err error) {
	if n := a.plan.Written(text); n.Tells() && len(number.Digits(text)) >= fewestSearched {
		matches, err := a.customers.Fresh(ctx, n)
		if err != nil {
			matches = a.customers.Cached(n)
			if len(matches) == 0 {
				return nil, err
			}
		}
		for _, m := range matches {
			found = append(found, m.Customer)
		}
		return found, nil
	}
	find := a.customers.features.Search
	if find == nil {
		return nil, cti.Errorf(cti.Invalid, "this CRM's connector finds customers by their number alone", nil)
	}
	err = guarded(func() (err error) { found, err = find(ctx, text, mostFound); return err })
	return found, err
}

// CreateCustomer makes a customer of a call's caller: in the window and in the index at once, in the CRM as soon as it can be reached.
func (a *App) CreateCustomer(ctx context.Context, leg string, r wire.CreateRequest) error {
	if !a.customers.features.Writes[cti.CreateCustomer] {
		return cti.Errorf(cti.Invalid, "this CRM's connector cannot create customers: make them in the CRM, then search for them here", nil)
	}
	return a.flow.Create(ctx, leg, cti.NewCustomer{Type: r.Type, Name: r.Name, Company: r.Company, Email: r.Email})
}

// AttachTo says whom a call is with, one whom a search found, and may add the caller's number to theirs.
func (a *App) AttachTo(ctx context.Context, leg string, r wire.AttachCallRequest) error {
	id := cti.Clean(r.CustomerID, cti.MaxText)
	if id == "" {
		return cti.Errorf(cti.Invalid, "name the customer by the id the CRM gave it", nil)
	}
	if r.AddNumber && !a.customers.features.Writes[cti.AddNumber] {
		return cti.Errorf(cti.Invalid, "this CRM's connector cannot add numbers: add it in the CRM", nil)
	}
	return a.flow.AttachTo(ctx, leg, a.searched.of(id), r.AddNumber)
}

// crmAbilities are what a person can ask of the CRM, as codes for the readers.
func crmAbilities(f crm.Features) []wire.CRMAbility {
	can := []wire.CRMAbility{}
	for _, a := range []struct {
		name wire.CRMAbility
		has  bool
	}{{wire.CRMSearch, f.Search != nil}, {wire.CRMCreate, f.Writes[cti.CreateCustomer]}, {wire.CRMAddNumber, f.Writes[cti.AddNumber]},
		{wire.CRMTags, f.Writes[cti.AddTags] && f.Writes[cti.RemoveTags]}, {wire.CRMStatus, f.Writes[cti.UpdateCustomer] && f.Status}, {wire.CRMTickets, f.Writes[cti.SetStatus]}} {
		if a.has {
			can = append(can, a.name)
		}
	}
	return can
}
