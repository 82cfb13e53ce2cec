package crm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"

	"ringside.dev/ringside/app/cti"
)

const (
	maxWindow = 366 * 24 * time.Hour
	maxSettle = 24 * time.Hour
)

// promise is what a write declares about being sent again, compiled.
type promise struct {
	strategy string
	key      *template // how the CRM writes our key; nil: as it is
	probe    []step    // looks for the key; none: the CRM cannot be asked
	found    *template // the record's id in the last answer of probe; null, false or empty: it has none
	repeat   cti.Repeat
}

// safe strategies leave one record however often the write is sent; header only for its window.
var safe = []string{upsert, clientID, duplicateIsSuccess, naturallyIdempotent, header}

// Repeat implements Connector.
func (e *Engine) Repeat(w cti.WriteBack) cti.Repeat {
	op := e.ops[string(w.Op)]
	if op == nil || !op.shape.write {
		return cti.Repeat{}
	}
	if w.RecordID != "" {
		return cti.Repeat{Safe: true} // setting fields of a known record twice is setting them once, and what is refused writes nothing
	}
	return op.repeat
}

// Find implements Connector.
func (e *Engine) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	what := e.doing(string(w.Op))
	op := e.ops[string(w.Op)]
	if op == nil || !op.shape.write || len(op.probe) == 0 {
		return cti.Receipt{}, cti.Errorf(cti.Invalid, what+": this connector cannot look for what was written", nil)
	}
	if w.Key == "" {
		return cti.Receipt{}, cti.Errorf(cti.Internal, what+": no key", nil)
	}
	r, err := e.begin(op, canonical(w, e.agent))
	if err != nil {
		return cti.Receipt{}, err
	}
	id, err := r.look(ctx)
	if err != nil {
		return cti.Receipt{}, err
	}
	if id == "" {
		return cti.Receipt{}, cti.Errorf(cti.NotFound, what+": the CRM has no record of this call yet", nil)
	}
	return cti.Receipt{ID: cti.Clean(id, cti.MaxText)}, nil
}

// look runs the probe and gives the id of the record with the key, or "".
func (r *run) look(ctx context.Context) (string, error) {
	for i := range r.op.probe {
		err := r.step(ctx, &r.op.probe[i])
		if cti.KindOf(err) == cti.NotFound {
			return "", nil // asked by its key, the CRM knows no such record
		}
		if err != nil {
			return "", err
		}
	}
	value, err := r.op.found.value(r.v)
	if err != nil {
		return "", r.unfit(err)
	}
	return strings.TrimSpace(given(value)), nil
}

// rekey writes the key as the CRM wants it.
func (r *run) rekey(input vars) error {
	if r.op.key == nil {
		return nil
	}
	key, err := r.op.key.text(r.v)
	if err != nil {
		return r.unfit(err)
	}
	input["key"] = key
	if call, ok := input["call"].(vars); ok {
		call["key"] = key
	}
	return nil
}

// promise checks that a write says what makes it safe to repeat: after a lost answer it will be.
func (l *loader) promise(op string, shape opShape, spec operationSpec, names scope) promise {
	place := find(l.root, "operations", op)
	if !shape.write {
		if spec.Idempotency != nil {
			l.add(find(l.root, "operations", op, "idempotency"), words("operation %s only reads", "操作 %s 只读取数据", op),
				words("Remove idempotency.", "请删除 idempotency。"))
		}
		return promise{}
	}
	if spec.Idempotency == nil || spec.Idempotency.Strategy == "" {
		l.add(place, words("operation %s does not say how it is safe to repeat", "操作 %s 没有说明如何安全重复", op),
			words("Write idempotency: {strategy: %s} with one of: %s.", "请写 idempotency: {strategy: %s}，可选：%s。", upsert, strings.Join(strategies, ", ")))
		return promise{}
	}
	declared := spec.Idempotency
	p := promise{strategy: declared.Strategy, key: l.scalar(&declared.Key, with(l.params, scope{"input": shape.input}))}
	l.strategy(op, p.strategy, spec)
	p.probe, p.found = l.probe(op, declared, names)
	p.repeat = cti.Repeat{
		Safe: slices.Contains(safe, p.strategy), Find: len(p.probe) > 0,
		Window: l.window(op, declared), Settle: l.settle(op, declared),
	}
	return p
}

func (l *loader) strategy(op, s string, spec operationSpec) {
	place := find(l.root, "operations", op, "idempotency", "strategy")
	looksFirst := slices.ContainsFunc(spec.Steps, func(s stepSpec) bool { return !s.When.IsZero() })
	switch {
	case !slices.Contains(strategies, s):
		l.add(place, words("unknown strategy %q", "未知的策略 %q", s), oneOf(s, strategies))
	case s == header && !sendsKey(spec.Steps):
		l.add(place, words("strategy header, but no step sends an idempotency header", "策略为 header，但没有步骤发送幂等请求头"),
			words(`Add to the step that writes: headers: {Idempotency-Key: "${input.key}"}.`, `请在写入步骤中加上 headers: {Idempotency-Key: "${input.key}"}。`))
	case s == probe && !looksFirst:
		l.add(place, words("strategy probe, but no step asks what was found", "策略为 probe，但没有步骤判断是否已找到"),
			words(`Write when: "${found == nil}" at the step that creates, and when: "${found != nil}" at one that updates.`,
				`请在创建步骤写 when: "${found == nil}"，在更新步骤写 when: "${found != nil}"。`))
	}
}

// window is how long the CRM remembers a key that came in a header.
func (l *loader) window(op string, spec *idempotencySpec) time.Duration {
	place := find(l.root, "operations", op, "idempotency", "window")
	switch {
	case spec.Strategy != header:
		if spec.Window != "" {
			l.add(place, words("only strategy header has a window", "只有策略 header 有 window"), words("Remove window.", "请删除 window。"))
		}
		return 0
	case spec.Window == "":
		l.add(place, words("strategy header does not say how long the CRM remembers a key", "策略 header 没有说明 CRM 记住键的时长"),
			words("Write window: 24h, a little less than the CRM's documentation says.", "请写 window: 24h，应略短于 CRM 文档所述。"))
		return 0
	}
	return l.span(place, "window", spec.Window, maxWindow)
}

// settle is how long after a write the probe may still not see it.
func (l *loader) settle(op string, spec *idempotencySpec) time.Duration {
	place := find(l.root, "operations", op, "idempotency", "settle")
	if spec.Settle == "" {
		return 0
	}
	if len(spec.Probe) == 0 {
		l.add(place, words("settle without probe means nothing", "没有 probe 时 settle 没有意义"), words("Remove settle, or write probe and found.", "请删除 settle，或写上 probe 和 found。"))
	}
	return l.span(place, "settle", spec.Settle, maxSettle)
}

func (l *loader) span(place position, key, text string, most time.Duration) time.Duration {
	d, err := span(text)
	if err != nil || d > most {
		l.add(place, words("%s is not a duration up to %dd", "%s 不是 %dd 以内的时长", key, int(most/(24*time.Hour))), words("Write it as 30s, 24h or 30d.", "请写成 30s、24h 或 30d 的形式。"))
	}
	return d
}

func (l *loader) probe(op string, spec *idempotencySpec, names scope) ([]step, *template) {
	needed := spec.Strategy == probe || spec.Strategy == probeOnUncertain
	if missing := len(spec.Probe) == 0 || spec.Found.IsZero(); missing && (needed || len(spec.Probe) > 0 || !spec.Found.IsZero()) {
		l.add(find(l.root, "operations", op, "idempotency"), words("looking for a record needs probe and found", "查找记录需要 probe 和 found"),
			words(`Write probe: [steps that search for input.key], found: "${…}" with the record's id, or null when there is none.`,
				`请写 probe: [按 input.key 查找的步骤]，found: "${…}" 给出记录 id，没有则为 null。`))
		return nil, nil
	}
	if len(spec.Probe) == 0 {
		return nil, nil
	}
	steps, names := l.reading([]string{"operations", op, "idempotency", "probe"}, spec.Probe, names)
	return steps, l.scalar(&spec.Found, with(names, scope{"res": resScope}))
}

// foundScope is what a step may name after the probe of strategy probe.
func foundScope(strategy string) scope {
	if strategy == probe {
		return scope{"found": types.Any}
	}
	return nil
}

func sendsKey(steps []stepSpec) bool {
	return slices.ContainsFunc(steps, func(s stepSpec) bool {
		for name := range s.Request.Headers {
			if strings.Contains(strings.ToLower(name), "idempotency") {
				return true
			}
		}
		return false
	})
}
