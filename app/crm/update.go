package crm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"
	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// update is how a write changes the record that an earlier one made, compiled.
type update struct {
	steps  []step
	output map[string]*template // none: the record keeps its id
}

// updating strategies find the record by our key: their own steps change it where the file says nothing else.
var updating = []string{upsert, clientID, naturallyIdempotent, probe}

// cannotChange is better said to a person than a change that gets lost, or a second record.
const cannotChange = "this CRM's connector cannot change a record it has written: correct the record in the CRM, then discard this"

// change brings a record that is there to what the write-back says.
func (e *Engine) change(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	op := e.ops[string(w.Op)]
	refusal := cti.Errorf(cti.Invalid, e.doing(op.name)+": "+cannotChange, nil)
	if op.update == nil && !slices.Contains(updating, op.strategy) {
		return cti.Receipt{}, refusal
	}
	input, err := e.writeInput(w, e.site.mapping())
	if err != nil {
		return cti.Receipt{}, err
	}
	input["file"] = fileInput(ctx)
	r, err := e.begin(op, input)
	if err != nil {
		return cti.Receipt{}, err
	}
	r.changes = true
	steps, output := op.steps, op.output
	if op.update != nil {
		steps, output = op.update.steps, op.update.output
	} else if op.strategy == probe {
		r.v["found"] = w.RecordID // nothing to look for, and no index that lags behind
	}
	r.resume(steps, w.Steps)
	if err := r.all(ctx, steps); err != nil {
		return cti.Receipt{}, err
	}
	if op.update == nil && !r.asked {
		return cti.Receipt{}, refusal
	}
	if output == nil {
		return cti.Receipt{ID: w.RecordID}, nil
	}
	out, err := r.named(output, r.v)
	return cti.Receipt{ID: clean(out["id"])}, err
}

// update compiles how a write changes what is there. It must name the record, and the CRM must not take it for the first write.
func (l *loader) update(op string, shape opShape, spec operationSpec) *update {
	declared := spec.Update
	if declared == nil {
		return nil
	}
	place := []string{"operations", op, "update"}
	steps := slices.Concat(place, []string{"steps"})
	switch {
	case !shape.write:
		l.add(find(l.root, place...), words("operation %s only reads", "操作 %s 只读取数据", op), words("Remove update.", "请删除 update。"))
		return nil
	case !stepsName(declared.Steps, "input.record"):
		l.add(find(l.root, steps...), words("no step of update names the record it changes", "update 没有步骤指明要修改的记录"),
			words(`Write its id into the request: url: "${param.base_url}/…/${input.record.id}".`, `请在请求中写明其 id：url: "${param.base_url}/…/${input.record.id}"。`))
	case sendsKey(declared.Steps):
		l.add(find(l.root, steps...), words("a step of update sends an idempotency header", "update 的步骤发送了幂等请求头"),
			words("Remove the header: the CRM would take the change for the first write and keep that.", "请删除该请求头：CRM 会把修改当作首次写入而不予更新。"))
	}
	input := with(shape.input, scope{"record": types.Map{"id": types.String}})
	out, names := &update{}, with(l.params, scope{"input": input, "auth": l.authScope()})
	out.steps, names = l.steps(steps, declared.Steps, names)
	if declared.Output != nil {
		out.output = l.result(slices.Concat(place, []string{"output"}), declared.Output, shape, with(names, scope{"res": resScope}))
	}
	return out
}

// stepsName tells whether a request of the steps says something of the input.
func stepsName(steps []stepSpec, what string) bool {
	seen := map[*yaml.Node]bool{}
	return slices.ContainsFunc(steps, func(s stepSpec) bool {
		parts := slices.Concat(slices.Collect(maps.Values(s.Request.Query)), slices.Collect(maps.Values(s.Request.Headers)))
		parts = slices.Concat(parts, slices.Collect(maps.Values(s.Request.Form)), slices.Collect(maps.Values(s.Request.Multipart)))
		parts = append(parts, s.Request.URL, s.Request.JSON, s.Request.Raw)
		return slices.ContainsFunc(parts, func(n yaml.Node) bool { return mentions(&n, what, seen) })
	})
}

// mentions looks at each node once: aliases of aliases can stand for millions.
func mentions(n *yaml.Node, text string, seen map[*yaml.Node]bool) bool {
	if n == nil || seen[n] {
		return false
	}
	seen[n] = true
	return strings.Contains(n.Value, text) || mentions(n.Alias, text, seen) ||
		slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return mentions(child, text, seen) })
}
