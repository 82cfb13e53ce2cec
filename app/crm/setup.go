package crm

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/types"

	"ringside.dev/ringside/app/cti"
)

// recheck is how long what was missing in the CRM is taken for missing without asking again.
const recheck = time.Minute

// Setup is something that has to be in the CRM before some operations work, and whether it is.
type Setup struct {
	ID, Title string
	Ops       []string // the operations that wait for it
	Ready     bool
	CanApply  bool   // Ringside can make it
	Manual    string // or how a person makes it
	Err       error  // it could not be found out
}

// Right is something the signed-in user may or may not do.
type Right struct {
	ID, Title string
	Op        string // the operation that needs it; empty for one that an agent does not need
	Excess    bool   // an agent does not need it
	Allowed   bool
	Err       error // it could not be found out
}

// setup is one entry of setup:, compiled.
type setup struct {
	id, title, manual string
	check, apply      []step
	ok                *template
	ops               []string
}

type right struct {
	id, title string
	ops       []string
	excess    bool
	steps     []step
	allowed   *template
}

// readiness remembers what was found in the CRM. Safe for concurrent use; the zero value works.
type readiness struct {
	mu      sync.Mutex
	ready   map[string]bool
	missing map[string]time.Time // when that was found
}

func (s *readiness) known(id string) (ready, missing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, was := s.missing[id]
	return s.ready[id], was && time.Since(at) < recheck
}

func (s *readiness) note(id string, ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == nil {
		s.ready, s.missing = map[string]bool{}, map[string]time.Time{}
	}
	delete(s.missing, id)
	if s.ready[id] = ready; !ready {
		s.missing[id] = time.Now()
	}
}

// Setups tells what the connector needs in the CRM, and whether it is there.
func (e *Engine) Setups(ctx context.Context) []Setup {
	var out []Setup
	for _, s := range e.setups {
		one := Setup{ID: s.id, Title: s.title, Ops: s.ops, CanApply: len(s.apply) > 0, Manual: s.manual}
		one.Ready, one.Err = e.there(ctx, s)
		out = append(out, one)
	}
	return out
}

// Apply makes what a setup needs, and checks that it is there then. What is there already is left alone.
func (e *Engine) Apply(ctx context.Context, id string) error {
	i := slices.IndexFunc(e.setups, func(s setup) bool { return s.id == id })
	if i < 0 {
		return cti.Errorf(cti.NotFound, "there is no setup "+id+" in this connector: see ringctl crm test", nil)
	}
	s := e.setups[i]
	if ready, err := e.there(ctx, s); ready || err != nil {
		return err
	}
	if len(s.apply) == 0 {
		return cti.Errorf(cti.Invalid, "this has to be done in the CRM by hand: "+s.manual, nil)
	}
	r, err := e.begin(&operation{name: "setup", shape: opShape{write: true}}, vars{})
	if err != nil {
		return err
	}
	if err := r.all(ctx, s.apply); err != nil {
		return err
	}
	ready, err := e.there(ctx, s)
	if err == nil && !ready {
		err = cti.Errorf(cti.Invalid, e.doing("setup")+": the CRM took it, but it is not there: "+s.title, nil)
	}
	return err
}

// there asks the CRM. That it knows no such thing is an answer.
func (e *Engine) there(ctx context.Context, s setup) (bool, error) {
	r, err := e.begin(&operation{name: "setup"}, vars{})
	if err == nil {
		err = r.all(ctx, s.check)
	}
	if cti.KindOf(err) == cti.NotFound {
		e.ready.note(s.id, false)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ready := true
	if s.ok != nil {
		value, err := s.ok.value(r.v)
		if err != nil {
			return false, r.unfit(err)
		}
		ready = value == true
	}
	e.ready.note(s.id, ready)
	return ready, nil
}

// prepared makes sure, before the first write of an operation, that what it needs is in the CRM: some take an unknown field without a word, and
// then nothing is found by it.
func (e *Engine) prepared(ctx context.Context, op *operation) error {
	for _, s := range e.setups {
		if !slices.Contains(op.needs, s.id) {
			continue
		}
		ready, missing := e.ready.known(s.id)
		if ready {
			continue
		}
		if !missing {
			var err error
			if ready, err = e.there(ctx, s); err != nil {
				return err
			}
		}
		if !ready {
			do := "run ringctl crm setup " + s.id + " as an administrator of the CRM"
			if len(s.apply) == 0 {
				do = s.manual
			}
			return cti.Errorf(cti.Invalid, e.doing(op.name)+": the CRM lacks "+s.title+": "+do, nil)
		}
	}
	return nil
}

// Rights tells what the signed-in user may do, as far as the connector says how to ask: one for each operation that needs it.
func (e *Engine) Rights(ctx context.Context) []Right {
	var out []Right
	for _, one := range e.rights {
		r, err := e.begin(&operation{name: "rights"}, vars{})
		if err == nil {
			err = r.all(ctx, one.steps)
		}
		ops := one.ops
		if len(ops) == 0 {
			ops = []string{""}
		}
		for _, op := range ops {
			right := Right{ID: one.id, Title: one.title, Op: op, Excess: one.excess}
			right.Allowed, right.Err = one.given(r, op, err)
			out = append(out, right)
		}
	}
	return out
}

// given judges what the steps brought for one operation. That the CRM refused them is an answer.
func (one right) given(r *run, op string, err error) (bool, error) {
	if cti.KindOf(err) == cti.Denied {
		return false, nil
	}
	if err != nil || one.allowed == nil {
		return err == nil, err
	}
	r.v["op"] = op
	value, err := one.allowed.value(r.v)
	if err != nil {
		return false, r.unfit(err)
	}
	return value == true, nil
}

func (l *loader) setups() []setup {
	names := with(l.params, scope{"input": types.Map{}, "auth": l.authScope()})
	var out []setup
	for i := range l.doc.Setup {
		spec, place := &l.doc.Setup[i], []string{"setup", strconv.Itoa(i)}
		s := setup{id: spec.ID, title: spec.Title, manual: spec.Manual, ops: l.requiring(spec.ID)}
		if s.title == "" {
			s.title = s.id
		}
		if spec.ID == "" || len(spec.Check) == 0 || (len(spec.Apply) == 0) == (spec.Manual == "") {
			l.add(find(l.root, place...), words("a setup needs an id, check, and either apply or manual", "setup 需要 id、check，以及 apply 或 manual 之一"),
				words("Write {id: key, title: …, check: [steps], apply: [steps]}.", "请写 {id: key, title: …, check: [步骤], apply: [步骤]}。"))
		}
		var checked scope
		s.check, checked = l.reading(slices.Concat(place, []string{"check"}), spec.Check, names)
		s.ok = l.scalar(&spec.OK, with(checked, scope{"res": resScope}))
		s.apply, _ = l.steps(slices.Concat(place, []string{"apply"}), spec.Apply, names)
		out = append(out, s)
	}
	return out
}

// reading compiles steps that only read, whatever their methods.
func (l *loader) reading(place []string, specs []stepSpec, names scope) ([]step, scope) {
	steps, names := l.steps(place, specs, names)
	for i := range steps {
		steps[i].reads = true
	}
	return steps, names
}

// requiring lists the operations that need a setup.
func (l *loader) requiring(id string) []string {
	var out []string
	for _, name := range sortedKeys(l.doc.Operations) {
		if slices.Contains(l.doc.Operations[name].Requires, id) {
			out = append(out, name)
		}
	}
	return out
}

func (l *loader) rights() []right {
	names := with(l.params, scope{"input": types.Map{}, "auth": l.authScope()})
	var out []right
	for i := range l.doc.Rights {
		spec, place := &l.doc.Rights[i], []string{"rights", strconv.Itoa(i)}
		one := right{id: spec.ID, title: spec.Title, ops: spec.Ops, excess: spec.Excess}
		if one.title == "" {
			one.title = one.id
		}
		if spec.ID == "" || len(spec.Steps) == 0 || len(spec.Ops) == 0 && !spec.Excess {
			l.add(find(l.root, place...), words("a right needs an id, steps, and ops or excess: true", "right 需要 id、steps，以及 ops 或 excess: true"),
				words("Write {id: calls, ops: [log_call], steps: [steps], allowed: \"${…}\"}.", "请写 {id: calls, ops: [log_call], steps: [步骤], allowed: \"${…}\"}。"))
		}
		for j, op := range spec.Ops {
			if _, known := shapes[op]; !known {
				l.add(find(l.root, slices.Concat(place, []string{"ops", strconv.Itoa(j)})...), words("unknown operation %q", "未知的操作 %q", op), oneOf(op, opNames()))
			}
		}
		var done scope
		one.steps, done = l.reading(slices.Concat(place, []string{"steps"}), spec.Steps, names)
		one.allowed = l.scalar(&spec.Allowed, with(done, scope{"res": resScope, "op": types.String}))
		out = append(out, one)
	}
	return out
}

// inVersions: a range is "14..21", "14.." or "5". A bound says as much as it has numbers: 21 includes 21.3.
func inVersions(span, version string) (in, known bool) {
	from, to, ranged := strings.Cut(strings.TrimSpace(span), "..")
	if !ranged {
		to = from
	}
	have := numbersOf(version)
	if span == "" || len(have) == 0 || len(numbersOf(from)) == 0 || to != "" && len(numbersOf(to)) == 0 {
		return false, false
	}
	low, high := numbersOf(from), numbersOf(to)
	return slices.Compare(cut(have, len(low)), low) >= 0 && (to == "" || slices.Compare(cut(have, len(high)), high) <= 0), true
}

func cut(list []int, n int) []int { return list[:min(len(list), n)] }

// numbersOf reads 5.0.3 and 16.0+e; what does not begin with a number is none.
func numbersOf(version string) []int {
	var out []int
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSpace(version), "v"), ".") {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		digits := part
		if end >= 0 {
			digits = part[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		if out = append(out, n); end >= 0 {
			break
		}
	}
	return out
}
