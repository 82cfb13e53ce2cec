package crm

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Engine is a Connector made from a file. It holds no state between calls but idle connections and the gates of its endpoints.
type Engine struct {
	doc           *document
	params        map[string]any
	region        string
	verify        string
	http          *client
	agent         cti.Agent
	site          site
	shared        bool
	agentSignedIn atomic.Pointer[int] // the number of the badge with which the agent is known to be signed in
	tokens        Tokens
	candidates    []string
	signIn        signIn
	setups        []setup
	rights        []right
	ready         readiness
	authHeaders   []pair
	authQuery     []pair
	rules         []rule
	ops           map[string]*operation
	links         map[string]*template
	redact        *redactor
	gates         *Gates
	limits        limits
	log           *slog.Logger
}

var _ Connector = (*Engine)(nil)

// maxCandidates caps what one lookup gives: more people than that do not share a number, the CRM dropped the filter.
const maxCandidates = 50

// Name implements Connector.
func (e *Engine) Name() string { return e.doc.Metadata.ID }

// Close gives back idle connections, and waits for a sign-in that is being renewed: what the CRM gives then is of use only when it is stored. Calls
// in progress end by their own contexts.
func (e *Engine) Close() {
	if o, ok := e.signIn.(*oauth); ok {
		o.land(e.http.timeout)
	}
	e.Reconnect()
}

// Reconnect gives back idle connections: after the computer slept they are dead.
func (e *Engine) Reconnect() { e.http.reads.CloseIdleConnections() }

// Lookup implements Connector.
func (e *Engine) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	phone := phoneInput(n)
	if n.Withheld || len(number.Digits(textOf(phone["national"]))) < fewestDigits {
		return nil, nil
	}
	if n.Key == "" {
		n.Key = textOf(phone["national"])
	}
	for _, spelling := range e.spellings(n, phone) {
		phone["candidate"] = spelling
		found, err := e.lookup(ctx, n, phone)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

func (e *Engine) lookup(ctx context.Context, n cti.Number, phone vars) ([]cti.Customer, error) {
	r, err := e.run(ctx, "lookup", vars{"phone": phone, "limit": maxCandidates})
	if err != nil {
		return nil, err
	}
	var found []cti.Customer
	err = r.each(func(row map[string]any) error {
		c, err := e.customer(row)
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
	if err := e.asAgent(ctx, e.ops[string(w.Op)]); err != nil {
		return cti.Receipt{}, err
	}
	if w.RecordID != "" {
		return e.change(ctx, w)
	}
	if err := e.prepared(ctx, e.ops[string(w.Op)]); err != nil {
		return cti.Receipt{}, err
	}
	input, err := e.writeInput(w, e.site.mapping())
	if err != nil {
		return cti.Receipt{}, err
	}
	input["file"] = fileInput(ctx)
	r, err := e.goOn(ctx, string(w.Op), input, w.Steps)
	if err != nil {
		return cti.Receipt{}, err
	}
	out, err := r.named(r.op.output, r.v)
	if err != nil {
		return cti.Receipt{}, err
	}
	return cti.Receipt{ID: clean(out["id"])}, nil
}

// customers maps the items of a page. One that does not fit is left out: it must not keep all others from being read.
func (r *run) customers() []cti.Customer {
	var all []cti.Customer
	for _, item := range r.items {
		r.v["item"] = item
		row, err := r.named(r.op.mapping, r.v)
		var c cti.Customer
		if err == nil {
			c, err = r.e.customer(row)
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
