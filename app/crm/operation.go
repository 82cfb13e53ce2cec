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
	name     string
	shape    opShape
	strategy string
	steps    []step
	mapping  map[string]*template // item → canonical names
	output   map[string]*template // last answer → canonical names
}

type step struct {
	id      string
	method  string
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
}

func (e *Engine) run(ctx context.Context, name string, input vars) (*run, error) {
	op := e.ops[name]
	if op == nil {
		return nil, cti.Errorf(cti.Invalid, e.doing(name)+": this connector cannot do that", nil)
	}
	saved := vars{}
	r := &run{e: e, op: op, v: vars{"param": e.params, "input": input, "auth": vars{}, "step": saved, "res": nil, "item": nil}}
	for i := range op.steps {
		s := &op.steps[i]
		if err := r.step(ctx, s); err != nil {
			return r, err
		}
		if s.save == nil {
			continue
		}
		value, err := s.save.value(r.v)
		if err != nil {
			return r, r.unfit(err)
		}
		saved[s.id] = value
	}
	return r, nil
}

// step makes one request and takes what it answers.
func (r *run) step(ctx context.Context, s *step) error {
	out, err := r.request(s)
	if err != nil {
		return r.unfit(err)
	}
	res, err := r.e.http.do(ctx, out)
	var f *failure
	if out.write && (err == nil || errors.As(err, &f) && f.sent) {
		r.written = true
	}
	if err != nil {
		return r.unfit(err)
	}
	r.v["res"] = res.vars()
	verdict := r.e.judge(res, r.v)
	r.e.log.Debug("crm answered", "connector", r.e.Name(), "operation", r.op.name, "step", s.id, "status", res.status, "class", string(verdict.class))
	if verdict.class == classDuplicate && r.op.strategy == duplicateIsSuccess {
		verdict.class = "" // it is there, which is what we want
	}
	if verdict.class != "" {
		return verdict.refused(r.e.doing(r.op.name), r.written)
	}
	if s.items == nil {
		return nil
	}
	return r.take(s)
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
	out := call{method: s.method, header: http.Header{}, write: r.op.shape.write && s.method != http.MethodGet && s.method != http.MethodHead}
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
