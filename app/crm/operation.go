package crm

import (
	"context"
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
	mergeBy *template            // items for which this is the same are one; nil: none are
	needs   []string             // ids of setup
	agents  bool                 // it tells the CRM itself whose the record is
	status  bool                 // it tells the CRM the customer's status
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
	body    body
	foreach *template // nil: once
	pages   *pages    // nil: one answer is all
	items   *template
	save    *tree
	upload  *upload // nil: the request carries no file
}

type pair struct {
	name  string
	value *template
}

// maxItems caps how many items of one answer are read, maxEach how often a step runs for a list.
const (
	maxItems = 200
	maxEach  = 50
)

// run is one execution of an operation.
type run struct {
	e       *Engine
	op      *operation
	v       vars
	items   []any
	got     int       // items in the last answer
	last    *response // the last answer
	address string    // of the last request
	open    bool      // its requests carry no sign-in: it is what signs in
	written bool      // a write of this operation may have reached the CRM
	asked   bool      // at least one of its steps was not left out
	changes bool      // it updates a record that an earlier one made
	dry     bool      // its writes are shown and not made
	shown   []Request
	done    []string // steps that an earlier attempt made
	plan    []step
	uploads map[string]string // by step: where the CRM takes the file, begun by this attempt or an earlier one
}

func (e *Engine) run(ctx context.Context, name string, input vars) (*run, error) {
	return e.goOn(ctx, name, input, "")
}

// goOn is run for a write that an earlier attempt may have begun.
func (e *Engine) goOn(ctx context.Context, name string, input vars, steps string) (*run, error) {
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
	r.resume(op.steps, steps)
	return r, r.all(ctx, op.steps)
}

func (r *run) all(ctx context.Context, steps []step) error {
	r.plan = steps
	for i := range steps {
		if slices.Contains(r.done, steps[i].id) {
			continue
		}
		if err := r.step(ctx, &steps[i]); err != nil {
			return err
		}
		r.passed(ctx, steps, i)
	}
	return r.merge()
}

// merge leaves the first of the items that are the same.
func (r *run) merge() error {
	if r.op.mergeBy == nil {
		return nil
	}
	seen, kept := map[string]bool{}, []any{}
	for _, item := range r.items {
		r.v["item"] = item
		key, err := r.op.mergeBy.text(r.v)
		if err != nil {
			return r.unfit(err)
		}
		if !seen[key] {
			seen[key], kept = true, append(kept, item)
		}
	}
	r.items = kept
	return nil
}

func (e *Engine) begin(op *operation, input vars) (*run, error) {
	r := &run{e: e, op: op, v: vars{"param": e.params, "input": input, "auth": vars{}, "step": vars{}, "res": nil, "item": nil, "found": nil,
		"each": nil, "page": nil}}
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
	if s.foreach == nil {
		return r.pagewise(ctx, s)
	}
	value, err := s.foreach.value(r.v)
	if err != nil {
		return r.unfit(err)
	}
	list, ok := value.([]any)
	if !ok && value != nil {
		return r.unfit(fmt.Errorf("%s: foreach is not a list", s.foreach.where))
	}
	if len(list) > maxEach {
		return r.unfit(fmt.Errorf("%s: foreach has more than %d elements", s.foreach.where, maxEach))
	}
	for _, one := range list {
		r.v["each"] = one
		if err := r.pagewise(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pagewise(ctx context.Context, s *step) error {
	if s.pages != nil {
		return s.pages.all(ctx, r, s)
	}
	return r.once(ctx, s, "")
}

// once makes one request, to an address of its own where a page named it, and takes what it answers.
func (r *run) once(ctx context.Context, s *step, address string) error {
	r.asked = true
	if r.dry && r.writes(s) {
		return r.show(s, address)
	}
	if s.upload != nil {
		return r.hand(ctx, s)
	}
	verdict, err := r.send(ctx, s, func() (call, error) { return r.request(s, address) })
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

// send makes a request; when the CRM does not take the sign-in any more it gets a new one and one more try: what is refused has written nothing.
func (r *run) send(ctx context.Context, s *step, request func() (call, error)) (verdict, error) {
	for again := false; ; again = true {
		var err error
		var badge badge
		if !r.open {
			if badge, err = r.e.signIn.current(ctx); err != nil {
				return verdict{}, err
			}
			r.v["auth"] = badge.vars
		}
		out, err := request()
		if err != nil {
			return verdict{}, err
		}
		before := r.written
		v, err := r.exchange(ctx, s, out)
		if err != nil || again || r.open || !r.e.signIn.expired(badge, v.class) {
			return v, err
		}
		r.written = before
	}
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
		if told := (report{fate: fateOf(ctx, err)}); !out.upload { // a line on which no file gets through may be good enough for calls
			pass.leave(told)
		}
		return verdict{}, err
	}
	r.v["res"], r.last, r.address = res.vars(), res, out.url
	v := verdict{}
	if !slices.Contains(out.part, res.status) {
		v = r.e.judge(res, r.v)
	}
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
	r.got = len(items)
	r.items = append(r.items, items[:min(len(items), maxItems)]...)
	return nil
}

// unfit is the error of a step that could not be made or read. What an expression says when it fails quotes the values: none of the customer's, and
// nothing that an agent wrote, may stand in an error, which is logged and kept.
func (r *run) unfit(err error) error {
	failed := r.e.failed(r.e.doing(r.op.name), err, r.written)
	var known *cti.Error
	if errors.As(err, &known) || !errors.As(failed, &known) || known.Kind != cti.Invalid {
		return failed
	}
	hidden := *known
	hidden.Msg = hide(hidden.Msg, r.v["input"], r.v["item"], r.v["res"], r.v["step"], r.v["each"])
	return &hidden
}

// writes tells whether a step may change the CRM.
func (r *run) writes(s *step) bool {
	return r.op.shape.write && !s.reads && s.method != http.MethodGet && s.method != http.MethodHead
}

func (r *run) request(s *step, address string) (call, error) {
	out := call{method: s.method, header: http.Header{}, write: r.writes(s)}
	var err error
	if address == "" {
		if address, err = s.url.address(r.v); err != nil {
			return call{}, err
		}
		if address, err = r.query(address, s); err != nil {
			return call{}, err
		}
	}
	out.url = address
	headers := s.headers
	if !r.open {
		headers = slices.Concat(r.e.authHeaders, s.headers)
	}
	for _, h := range headers {
		value, err := h.value.text(r.v)
		if err != nil {
			return call{}, err
		}
		if value != "" {
			out.header.Set(h.name, value)
		}
	}
	out.body, out.kind, err = s.body.work(r.v)
	return out, err
}

// query adds the query; an empty value drops its name.
func (r *run) query(address string, s *step) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", &refusal{words("the request's address is malformed", "请求的地址格式有误")}
	}
	q := u.Query()
	pairs := s.query
	if !r.open {
		pairs = slices.Concat(r.e.authQuery, s.query)
	}
	for _, p := range pairs {
		value, err := p.value.text(r.v)
		if err != nil {
			return "", err
		}
		if value != "" {
			q.Set(p.name, value)
		}
	}
	if s.pages != nil {
		for name, value := range s.pages.query(r.v) {
			if value != "" {
				q.Set(name, value)
			}
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
