package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// operation is one entry of operations:, compiled.
type operation struct {
	name    string
	shape   opShape
	steps   []step
	mapping map[string]*template // item → canonical names
	output  map[string]*template // last answer → canonical names
	promise                      // of a write
	update  *update              // of a write: how it changes what is there; nil: the file does not say
}

type step struct {
	id      string
	when    *template // nil: always
	method  string
	reads   bool // whatever its method: a search may be a POST
	url     *template
	query   []pair
	headers []pair
	json    *tree
	items   *template
	save    *tree
}

type pair struct {
	name  string
	value *template
}

// maxItems caps how many items of one answer are read.
const maxItems = 200

// run is one execution of an operation.
type run struct {
	e       *Engine
	op      *operation
	v       vars
	items   []any
	written bool // a write of this operation may have reached the CRM
	asked   bool // at least one of its steps was not left out
	changes bool // it updates a record that an earlier one made
}

func (e *Engine) run(ctx context.Context, name string, input vars) (*run, error) {
	op := e.ops[name]
	if op == nil {
		return nil, cti.Errorf(cti.Invalid, e.doing(name)+": this connector cannot do that", nil)
	}
	r, err := e.begin(op, input)
	if err != nil {
		return r, err
	}
	if op.strategy == probe {
		id, err := r.look(ctx)
		if err != nil {
			return r, err
		}
		if id != "" {
			r.v["found"] = id
		}
		r.v["step"] = vars{}
	}
	return r, r.all(ctx, op.steps)
}

func (r *run) all(ctx context.Context, steps []step) error {
	for i := range steps {
		if err := r.step(ctx, &steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) begin(op *operation, input vars) (*run, error) {
	r := &run{e: e, op: op, v: vars{"param": e.params, "input": input, "auth": vars{}, "step": vars{}, "res": nil, "item": nil, "found": nil}}
	return r, r.rekey(input)
}

// step makes one request and takes what it answers.
func (r *run) step(ctx context.Context, s *step) error {
	if s.when != nil {
		wanted, err := s.when.value(r.v)
		if err != nil {
			return r.unfit(err)
		}
		if wanted != true {
			return nil
		}
	}
	r.asked = true
	out, err := r.request(s)
	if err != nil {
		return r.unfit(err)
	}
	verdict, err := r.exchange(ctx, s, out)
	if err != nil {
		return r.unfit(err)
	}
	if verdict.class == classDuplicate && r.op.strategy == duplicateIsSuccess && !r.changes {
		verdict.class = "" // it is there, which is what we want
	}
	if verdict.class != "" {
		return verdict.refused(r.e.doing(r.op.name), r.written)
	}
	if s.items != nil {
		if err := r.take(s); err != nil {
			return err
		}
	}
	return r.keep(s)
}

// exchange makes one request once the endpoint's gate lets it through, judges the answer and tells the gate.
func (r *run) exchange(ctx context.Context, s *step, out call) (verdict, error) {
	gate, err := r.e.gate(out.url)
	if err != nil {
		return verdict{}, err
	}
	pass, err := gate.enter(ctx, r.op.shape.line(), r.op.name)
	if err != nil {
		return verdict{}, err
	}
	defer pass.leave(report{}) // where a panic went past the other one
	res, err := r.e.http.do(ctx, out)
	var f *failure
	if out.write && (err == nil && res.status != http.StatusProxyAuthRequired || errors.As(err, &f) && f.sent) {
		r.written = true
	}
	if err != nil {
		pass.leave(report{fate: fateOf(ctx, err)})
		return verdict{}, err
	}
	r.v["res"] = res.vars()
	v := r.e.judge(res, r.v)
	told := r.e.report(res, v)
	if left := pass.leave(told); told.throttled {
		v.retryAfter = left
	} else if v.class == classThrottled && v.retryAfter == 0 {
		v.retryAfter = firstPause
	}
	r.e.log.Debug("crm answered", "connector", r.e.Name(), "operation", r.op.name, "step", s.id, "status", res.status, "class", string(v.class))
	return v, nil
}

// keep notes what a step saves for those after it.
func (r *run) keep(s *step) error {
	if s.save == nil {
		return nil
	}
	value, err := s.save.value(r.v)
	if err != nil {
		return r.unfit(err)
	}
	saved, ok := r.v["step"].(vars)
	if ok {
		saved[s.id] = value
	}
	return nil
}

func (r *run) take(s *step) error {
	value, err := s.items.value(r.v)
	if err != nil {
		return r.unfit(err)
	}
	items, ok := value.([]any)
	if !ok && value != nil {
		return r.unfit(fmt.Errorf("%s: items is not a list", s.items.where))
	}
	r.items = append(r.items, items[:min(len(items), maxItems)]...)
	return nil
}

func (r *run) unfit(err error) error { return r.e.failed(r.e.doing(r.op.name), err, r.written) }

func (r *run) request(s *step) (call, error) {
	out := call{method: s.method, header: http.Header{}, write: r.op.shape.write && !s.reads && s.method != http.MethodGet && s.method != http.MethodHead}
	address, err := s.url.address(r.v)
	if err != nil {
		return call{}, err
	}
	if out.url, err = r.query(address, s); err != nil {
		return call{}, err
	}
	for _, h := range slices.Concat(r.e.authHeaders, s.headers) {
		value, err := h.value.text(r.v)
		if err != nil {
			return call{}, err
		}
		if value != "" {
			out.header.Set(h.name, value)
		}
	}
	if s.json == nil {
		return out, nil
	}
	body, err := s.json.value(r.v)
	if err != nil {
		return call{}, err
	}
	out.body, err = json.Marshal(body)
	return out, err
}

// query adds the query; an empty value drops its name.
func (r *run) query(address string, s *step) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", &refusal{words("the request's address is malformed", "请求的地址格式有误")}
	}
	q := u.Query()
	for _, p := range slices.Concat(r.e.authQuery, s.query) {
		value, err := p.value.text(r.v)
		if err != nil {
			return "", err
		}
		if value != "" {
			q.Set(p.name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// named works out a map of templates.
func (r *run) named(templates map[string]*template, v vars) (map[string]any, error) {
	out := make(map[string]any, len(templates))
	for name, t := range templates {
		value, err := t.value(v)
		if err != nil {
			return nil, r.unfit(err)
		}
		out[name] = value
	}
	return out, nil
}

// each maps every item onto its canonical names.
func (r *run) each(use func(map[string]any) error) error {
	for _, item := range r.items {
		r.v["item"] = item
		row, err := r.named(r.op.mapping, r.v)
		if err != nil {
			return err
		}
		if err := use(row); err != nil {
			return r.unfit(err)
		}
	}
	return nil
}
