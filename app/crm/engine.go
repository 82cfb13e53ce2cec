package crm

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Engine is a Connector made from a file. It holds no state between calls but idle connections and the gates of its endpoints.
type Engine struct {
	doc         *document
	params      map[string]any
	region      string
	verify      string
	http        *client
	authHeaders []pair
	authQuery   []pair
	rules       []rule
	ops         map[string]*operation
	links       map[string]*template
	redact      redactor
	gates       *Gates
	limits      limits
	log         *slog.Logger
}

var _ Connector = (*Engine)(nil)

// maxCandidates caps what one lookup gives: more people than that do not share a number, the CRM dropped the filter.
const maxCandidates = 50

// Name implements Connector.
func (e *Engine) Name() string { return e.doc.Metadata.ID }

// Close gives back idle connections. Calls in progress end by their own contexts.
func (e *Engine) Close() { e.http.reads.CloseIdleConnections() }

// Whoami implements Connector.
func (e *Engine) Whoami(ctx context.Context) (cti.Agent, error) {
	r, err := e.run(ctx, "whoami", vars{})
	if err != nil {
		return cti.Agent{}, err
	}
	out, err := r.named(r.op.output, r.v)
	if err != nil {
		return cti.Agent{}, err
	}
	return cti.Agent{ID: clean(out["id"]), Name: clean(out["name"]), Email: clean(out["email"])}, nil
}

// Lookup implements Connector.
func (e *Engine) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	phone := phoneInput(n)
	if n.Withheld || len(number.Digits(textOf(phone["national"]))) < fewestDigits {
		return nil, nil
	}
	if n.Key == "" {
		n.Key = textOf(phone["national"])
	}
	r, err := e.run(ctx, "lookup", vars{"phone": phone, "limit": maxCandidates})
	if err != nil {
		return nil, err
	}
	var found []cti.Customer
	err = r.each(func(row map[string]any) error {
		c, err := customer(row)
		if err == nil && e.verified(n, c) && len(found) < maxCandidates {
			found = append(found, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	e.log.Debug("customers looked up", "connector", e.Name(), "number", n, "candidates", len(r.items), "verified", len(found))
	return found, nil
}

// Write implements Connector.
func (e *Engine) Write(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	what := e.doing(string(w.Op))
	if op := e.ops[string(w.Op)]; op == nil || !op.shape.write {
		return cti.Receipt{}, cti.Errorf(cti.Invalid, what+": this connector cannot do that", nil)
	}
	if w.Identity == cti.IdentityPending || w.Identity == cti.IdentityUnclear {
		return cti.Receipt{}, cti.Errorf(cti.Invalid, what+": it is not decided yet which customer this belongs to: pick one first", nil)
	}
	if w.Key == "" {
		return cti.Receipt{}, cti.Errorf(cti.Internal, what+": no key", nil)
	}
	if w.RecordID != "" {
		return e.change(ctx, w)
	}
	r, err := e.run(ctx, string(w.Op), writeInput(w))
	if err != nil {
		return cti.Receipt{}, err
	}
	out, err := r.named(r.op.output, r.v)
	if err != nil {
		return cti.Receipt{}, err
	}
	return cti.Receipt{ID: clean(out["id"])}, nil
}

// Features implements Connector.
func (e *Engine) Features() Features {
	var f Features
	if e.ops["history"] != nil {
		f.History = e.history
	}
	if e.ops["list_tickets"] != nil {
		f.Tickets = e.tickets
	}
	f.Create, f.AddNumber = e.ops["create_contact"] != nil, e.ops["add_number"] != nil
	if e.ops["search"] != nil {
		f.Search = e.search
	}
	if e.ops["changes"] != nil {
		f.Changes = e.changes
	}
	if len(e.links) > 0 {
		f.DeepLink = e.deepLink
	}
	return f
}

func (e *Engine) history(ctx context.Context, customerID string, limit int) ([]cti.Contact, error) {
	r, err := e.run(ctx, "history", vars{"contact": contactInput(customerID), "limit": limit})
	if err != nil {
		return nil, err
	}
	var out []cti.Contact
	err = r.each(func(row map[string]any) error {
		c, err := contact(row)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b cti.Contact) int { return b.At.Compare(a.At) })
	return out[:min(len(out), max(limit, 0))], nil
}

func (e *Engine) tickets(ctx context.Context, customerID string, limit int) ([]cti.Ticket, error) {
	r, err := e.run(ctx, "list_tickets", vars{"contact": contactInput(customerID), "limit": limit})
	if err != nil {
		return nil, err
	}
	var out []cti.Ticket
	err = r.each(func(row map[string]any) error {
		t, err := ticket(row)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[:min(len(out), max(limit, 0))], nil
}

func (e *Engine) search(ctx context.Context, text string, limit int) ([]cti.Customer, error) {
	r, err := e.run(ctx, "search", vars{"text": text, "limit": limit})
	if err != nil {
		return nil, err
	}
	var out []cti.Customer
	err = r.each(func(row map[string]any) error {
		c, err := customer(row)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[:min(len(out), max(limit, 0))], nil
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

// customers maps the items of a page. One that does not fit is left out: it must not keep all others from being read.
func (r *run) customers() []cti.Customer {
	var all []cti.Customer
	for _, item := range r.items {
		r.v["item"] = item
		row, err := r.named(r.op.mapping, r.v)
		var c cti.Customer
		if err == nil {
			c, err = customer(row)
		}
		if err != nil {
			r.e.log.Warn("a customer does not fit the connector file and is left out", "connector", r.e.Name(), "err", err)
			continue
		}
		all = append(all, c)
	}
	return all
}

// deleted takes the deleted ones out of the items: of those a CRM may tell the id alone, so nothing else of them is mapped.
func (r *run) deleted() (ids []string, err error) {
	sign := r.op.mapping["deleted"]
	if sign == nil {
		return nil, nil
	}
	var left []any
	for _, item := range r.items {
		r.v["item"] = item
		gone, err := sign.value(r.v)
		if err != nil {
			return nil, r.unfit(err)
		}
		if gone != true {
			left = append(left, item)
			continue
		}
		id, err := r.op.mapping["id"].value(r.v)
		if err != nil {
			return nil, r.unfit(err)
		}
		ids = append(ids, clean(id))
	}
	r.items = left
	return ids, nil
}

func (e *Engine) deepLink(kind, id string) (string, error) {
	t := e.links[kind]
	if t == nil {
		return "", cti.Errorf(cti.Invalid, e.doing("deep_link")+fmt.Sprintf(": there is no link to a %s", kind), nil)
	}
	address, err := t.address(vars{"param": e.params, "input": vars{"id": id}, "auth": vars{}})
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

// gate gives the gate of an address's endpoint.
func (e *Engine) gate(address string) (*gate, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, &refusal{words("the request's address is malformed", "请求的地址格式有误")}
	}
	if err := e.http.fence.check(u); err != nil {
		return nil, err
	}
	return e.gates.of(u, e.limits), nil
}
