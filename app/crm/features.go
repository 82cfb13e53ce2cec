package crm

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Features implements Connector.
func (e *Engine) Features() Features {
	var f Features
	if e.ops["history"] != nil {
		f.History = e.history
	}
	if e.ops["list_tickets"] != nil {
		f.Tickets = e.tickets
	}
	if e.ops["list_orders"] != nil {
		f.Orders = e.orders
	}
	if e.ops["search"] != nil {
		f.Search = e.search
	}
	if e.ops["get"] != nil {
		f.Get = e.get
	}
	if e.ops["changes"] != nil {
		f.Changes = e.changes
	}
	if e.ops["list_options"] != nil {
		f.Options = e.options
	}
	if e.ops["describe"] != nil {
		f.Describe = e.describe
	}
	if len(e.links) > 0 {
		f.DeepLink = e.deepLink
	}
	if op := e.ops[string(cti.UpdateCustomer)]; op != nil {
		f.Status = op.status || e.site.mapping().writes("customer", "customer.status")
	}
	f.Writes = map[cti.Op]bool{}
	for name, op := range e.ops {
		f.Writes[cti.Op(name)] = op.shape.write
	}
	return f
}

// Operations lists what the connector can do, by name.
func (e *Engine) Operations() []string { return sortedKeys(e.ops) }

// AllOperations lists what a connector may do, by name.
func AllOperations() []string { return opNames() }

// listed runs an operation that gives a list and takes what each item says, at most limit of them.
func listed[T any](ctx context.Context, e *Engine, op string, input vars, limit int, read func(map[string]any) (T, error)) ([]T, error) {
	r, err := e.run(ctx, op, input)
	if err != nil {
		return nil, err
	}
	var out []T
	err = r.each(func(row map[string]any) error {
		one, err := read(row)
		out = append(out, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[:min(len(out), max(limit, 0))], nil
}

func (e *Engine) history(ctx context.Context, customerID string, limit int) ([]cti.Contact, error) {
	out, err := listed(ctx, e, "history", vars{"contact": contactInput(customerID), "limit": limit}, maxItems, contact)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b cti.Contact) int { return b.At.Compare(a.At) })
	return out[:min(len(out), max(limit, 0))], nil
}

func (e *Engine) tickets(ctx context.Context, customerID string, limit int) ([]cti.Ticket, error) {
	return listed(ctx, e, "list_tickets", vars{"contact": contactInput(customerID), "limit": limit}, limit, ticket)
}

func (e *Engine) orders(ctx context.Context, customerID string, limit int) ([]cti.Order, error) {
	return listed(ctx, e, "list_orders", vars{"contact": contactInput(customerID), "limit": limit}, limit, order)
}

func (e *Engine) options(ctx context.Context, kind string, limit int) ([]cti.Option, error) {
	if !slices.Contains(optionKinds, kind) {
		return nil, cti.Errorf(cti.Invalid, e.doing("list_options")+fmt.Sprintf(": there is no list %q; there is %s", kind, strings.Join(optionKinds, ", ")), nil)
	}
	return listed(ctx, e, "list_options", vars{"kind": kind, "limit": limit}, limit, option)
}

func (e *Engine) describe(ctx context.Context, object string) ([]Field, error) {
	if !slices.Contains(objects, object) {
		return nil, cti.Errorf(cti.Invalid, e.doing("describe")+fmt.Sprintf(": there is no object %q; there is %s", object, strings.Join(objects, ", ")), nil)
	}
	return listed(ctx, e, "describe", vars{"object": object}, maxItems*mostPages, fieldOf)
}

func (e *Engine) search(ctx context.Context, text string, limit int) ([]cti.Customer, error) {
	return listed(ctx, e, "search", vars{"text": text, "limit": limit}, limit, e.customer)
}

func (e *Engine) get(ctx context.Context, customerID string) (cti.Customer, error) {
	r, err := e.run(ctx, "get", vars{"contact": contactInput(customerID)})
	if err != nil {
		return cti.Customer{}, err
	}
	row, err := r.named(r.op.output, r.v)
	if err != nil {
		return cti.Customer{}, err
	}
	c, err := e.customer(row)
	if err != nil {
		return cti.Customer{}, r.unfit(err)
	}
	return c, nil
}

func (e *Engine) changes(ctx context.Context, cursor string) (cti.CustomerPage, error) {
	r, err := e.run(ctx, "changes", vars{"cursor": cursor, "limit": maxItems})
	if err != nil {
		return cti.CustomerPage{}, err
	}
	var page cti.CustomerPage
	if page.Deleted, err = r.deleted(); err != nil {
		return cti.CustomerPage{}, err
	}
	page.Customers = r.customers()
	out, err := r.named(r.op.output, r.v)
	if err != nil {
		return cti.CustomerPage{}, err
	}
	page.Cursor, page.More = clean(out["cursor"]), out["more"] == true
	if page.More && (page.Cursor == "" || page.Cursor == cursor) {
		return cti.CustomerPage{}, cti.Errorf(cti.Invalid, e.doing("changes")+": the CRM says that there is more, and not where", nil)
	}
	return page, nil
}

func (e *Engine) deepLink(kind, id string) (string, error) {
	t := e.links[kind]
	if t == nil {
		return "", cti.Errorf(cti.Invalid, e.doing("deep_link")+fmt.Sprintf(": there is no link to a %s", kind), nil)
	}
	address, err := t.address(vars{"param": e.params, "input": vars{"id": id}, "auth": e.signIn.known()})
	if err != nil {
		return "", e.failed(e.doing("deep_link"), err, false)
	}
	u, err := url.Parse(address)
	if err == nil {
		err = e.http.fence.check(u)
	}
	if err != nil {
		return "", e.failed(e.doing("deep_link"), err, false)
	}
	return address, nil
}
