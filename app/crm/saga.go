package crm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// maxSteps caps what is kept of a write under way, bytes: what steps save for each other is ids.
const maxSteps = 16 << 10

// progress is how far a write of several steps came.
type progress struct {
	Plan  string         `json:"plan"` // of the steps as the file has them: another file begins anew
	Done  []string       `json:"done"` // ids of steps that the CRM took
	Saved map[string]any `json:"saved,omitempty"`
	Found any            `json:"found,omitempty"`

	Uploads map[string]string `json:"uploads,omitempty"` // by step: where the CRM takes the file
}

// planOf marks the steps of an operation.
func planOf(steps []step) string {
	sum := sha256.New()
	for i := range steps {
		s := &steps[i]
		sum.Write([]byte(strings.Join([]string{s.id, s.method, s.url.where}, "\x00") + "\n"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// resume takes up a write where an earlier attempt broke off.
func (r *run) resume(steps []step, text string) {
	var p progress
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if text == "" || d.Decode(&p) != nil || p.Plan != planOf(steps) {
		return
	}
	r.done, r.uploads = p.Done, p.Uploads
	if p.Saved != nil {
		r.v["step"] = plainNumbers(any(p.Saved))
	}
	if r.v["found"] == nil {
		r.v["found"] = p.Found
	}
}

// passed notes that the CRM took a step that is not the last one which writes.
func (r *run) passed(ctx context.Context, steps []step, i int) {
	if r.dry || !r.writes(&steps[i]) || !slices.ContainsFunc(steps[i+1:], func(s step) bool { return r.writes(&s) }) {
		return
	}
	r.done = append(r.done, steps[i].id)
	r.note(ctx)
}

// note tells how far the write came.
func (r *run) note(ctx context.Context) {
	p := progress{Plan: planOf(r.plan), Done: r.done, Found: r.v["found"], Uploads: r.uploads}
	p.Saved, _ = r.v["step"].(vars)
	text, err := json.Marshal(p)
	if err != nil || len(text) > maxSteps {
		r.e.log.Warn("how far a write came is not kept", "connector", r.e.Name(), "operation", r.op.name, "bytes", len(text), "err", err)
		return
	}
	cti.StepsDone(ctx, string(text))
}
