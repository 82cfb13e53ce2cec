package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// ready says why customers cannot be asked for. The caller holds mu.
func (l *Local) ready() error {
	if l.site == nil {
		return cti.Errorf(cti.Offline, "there is no list of contacts yet: "+l.state.Trouble, nil)
	}
	return nil
}

// get gives a customer as they are now. The caller holds mu.
func (l *Local) get(id string) (cti.Customer, bool) {
	if c, ok := l.own.get(id); ok {
		return c, true
	}
	if l.site == nil {
		return cti.Customer{}, false
	}
	return l.site.get(id)
}

// shown adds what the books know of a customer. The caller holds mu.
func (l *Local) shown(c cti.Customer) cti.Customer {
	c.Numbers, c.Tags = slices.Clone(c.Numbers), slices.Clone(c.Tags)
	c.OpenTickets = len(l.books.openOf(c.ID))
	return c
}

// customer gives a customer by id.
func (l *Local) customer(_ context.Context, id string) (cti.Customer, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	c, ok := l.get(id)
	if !ok {
		return cti.Customer{}, l.gone("the customer is not in the contacts file any more")
	}
	return l.shown(c), nil
}

// Lookup implements crm.Connector.
func (l *Local) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	if n.Key == "" {
		n.Key = number.Digits(n.Raw)
	}
	if n.Withheld || len(n.Key) < fewestDigits {
		return nil, nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.ready(); err != nil {
		return nil, err
	}
	var found []cti.Customer
	for _, c := range l.site.with(ctx, l.plan, n) {
		if _, changed := l.own.byID[c.ID]; !changed {
			found = append(found, l.shown(c))
		}
	}
	for _, c := range l.own.with(ctx, l.plan, n) {
		found = append(found, l.shown(c))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return found[:min(len(found), maxCandidates)], nil
}

func (l *Local) search(ctx context.Context, text string, limit int) ([]cti.Customer, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.ready(); err != nil {
		return nil, err
	}
	q, limit := queryOf(l.plan, text), max(limit, 0)
	var found []cti.Customer
	l.own.search(ctx, q, func(c cti.Customer) bool {
		found = append(found, c)
		return len(found) < limit
	})
	if len(found) < limit {
		l.site.search(ctx, q, func(c cti.Customer) bool {
			if _, changed := l.own.byID[c.ID]; !changed {
				found = append(found, c)
			}
			return len(found) < limit
		})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found = found[:min(len(found), limit)]
	for i, c := range found {
		found[i] = l.shown(c)
	}
	return found, nil
}

// refreshOwn makes the list of customers who were made or changed here. The caller holds mu.
func (l *Local) refreshOwn() {
	var people []cti.Customer
	at := map[string]int{}
	for _, r := range l.books.order {
		e, ok := l.books.made[r.key]
		if !ok {
			continue
		}
		i, known := at[e.whom()]
		if !known {
			c, ok := l.base(e)
			if !ok {
				continue
			}
			i = len(people)
			at[c.ID], people = i, append(people, c)
		}
		e.change(&people[i])
	}
	var tails []tail
	sum := sha256.New()
	for i, c := range people {
		fmt.Fprintf(sum, "%q\n", []any{c.ID, c.Type, c.Name, c.Company, c.Email, c.Status, c.Owner, c.Numbers, c.Tags})
		for _, raw := range c.Numbers {
			_, ends := numbersOf(l.plan, raw)
			for _, digits := range ends {
				tails = append(tails, tail{digits, int32(i)})
			}
		}
	}
	own := newList(people, tails)
	l.feed.changed(partOwn, differing(l.own, own), hex.EncodeToString(sum.Sum(nil)[:8]))
	l.own = own
}

// change does to a customer what an entry says. What is empty in it stays.
func (e entry) change(c *cti.Customer) {
	switch e.Op {
	case cti.CreateCustomer, cti.AddNumber:
		if e.Number != "" && !slices.Contains(c.Numbers, e.Number) {
			c.Numbers = append(c.Numbers, e.Number)
		}
	case cti.UpdateCustomer:
		c.Type, c.Name, c.Company = cmp.Or(e.New.Type, c.Type), cmp.Or(e.New.Name, c.Name), cmp.Or(e.New.Company, c.Company)
		c.Email, c.Status = cmp.Or(e.New.Email, c.Email), cmp.Or(e.New.Status, c.Status)
	case cti.AddTags:
		for _, tag := range e.Tags {
			if !slices.Contains(c.Tags, tag) {
				c.Tags = append(c.Tags, tag)
			}
		}
	case cti.RemoveTags:
		c.Tags = slices.DeleteFunc(c.Tags, func(tag string) bool { return slices.Contains(e.Tags, tag) })
	default: // nothing else is about a customer
	}
}

// base is a customer before anything was changed here: whom an entry makes, or the site's. A customer made here whom the site took over into
// its file, with the id, is the site's.
func (l *Local) base(e entry) (cti.Customer, bool) {
	if l.site != nil {
		if c, ok := l.site.get(e.whom()); ok {
			c.Numbers, c.Tags = slices.Clone(c.Numbers), slices.Clone(c.Tags)
			return c, true
		}
	}
	if e.Op != cti.CreateCustomer {
		return cti.Customer{}, false
	}
	c := cti.Customer{ID: e.whom(), Type: e.New.Type, Name: e.New.Name, Company: e.New.Company, Email: e.New.Email, Status: e.New.Status}
	first(&c.Type, "contact")
	first(&c.Name, c.Company)
	return c, true
}
