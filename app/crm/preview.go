package crm

import (
	"context"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Request is a request of a write as it would be sent, secrets hidden.
type Request struct {
	System  string            `json:"system"` // the connector's name
	Step    string            `json:"step"`
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Depends tells that the request cannot be shown: it is made of what the CRM answers to one before it.
	Depends bool `json:"depends,omitempty"`
}

// Previewer shows what it would send.
type Previewer interface {
	// Preview shows the requests of a write-back under the site's mapping file as it is now. It changes nothing: steps that only read are made, those
	// that write are not.
	Preview(ctx context.Context, w cti.WriteBack) ([]Request, error)
}

var _ Previewer = (*Engine)(nil)

// Preview implements Previewer.
func (e *Engine) Preview(ctx context.Context, w cti.WriteBack) ([]Request, error) {
	op := e.ops[string(w.Op)]
	if op == nil || !op.shape.write {
		return nil, cti.Errorf(cti.Invalid, e.doing(string(w.Op))+": this connector cannot do that", nil)
	}
	m, err := e.site.read()
	if err != nil {
		return nil, err
	}
	input, err := e.writeInput(w, m)
	if err != nil {
		return nil, err
	}
	input["file"] = fileInput(ctx)
	r, err := e.begin(op, input)
	if err != nil {
		return nil, err
	}
	r.dry = true
	steps := op.steps
	switch {
	case w.RecordID != "" && op.update != nil:
		steps = op.update.steps
	case w.RecordID != "" && op.strategy == probe:
		r.v["found"] = w.RecordID
	case op.strategy == probe:
		id, err := r.look(ctx)
		if err != nil {
			return nil, err
		}
		if id != "" {
			r.v["found"] = id
		}
		r.v["step"] = vars{}
	}
	for i := range steps {
		err := r.step(ctx, &steps[i])
		if err != nil && len(r.shown) > 0 { // a step before it was not made
			r.shown = append(r.shown, Request{System: e.Name(), Step: steps[i].id, Depends: true})
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return r.shown, nil
}

// show notes a request instead of making it.
func (r *run) show(s *step, address string) error {
	r.v["auth"] = r.e.signIn.known()
	out, err := r.request(s, address)
	if err != nil {
		return r.unfit(err)
	}
	hide := r.e.redact.secrets
	shown := Request{System: r.e.Name(), Step: s.id, Method: out.method, URL: hide(out.url), Headers: map[string]string{}, Body: hide(string(out.body))}
	for name := range out.header {
		shown.Headers[name] = hide(out.header.Get(name))
		if slices.ContainsFunc(r.e.authHeaders, func(p pair) bool { return strings.EqualFold(p.name, name) }) {
			shown.Headers[name] = "***"
		}
	}
	if out.body != nil {
		shown.Headers["Content-Type"] = out.kind
	}
	r.shown = append(r.shown, shown)
	r.v["res"] = nil
	return nil
}
