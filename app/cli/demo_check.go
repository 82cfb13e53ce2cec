package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// recordFields are the record's fields in the order they are printed.
var recordFields = []string{"id", "external_key", "contact_id", "direction", "number", "extension", "started_at", "answered_at", "ended_at",
	"ring_ms", "queue_ms", "talk_ms", "hold_ms", "wrap_ms", "ending", "cause", "outcome", "note", "case", "leg", "agent", "revision", "version",
	"created_at", "updated_at"}

// readBack asks the CRM itself, over HTTP, for every record that is new in it, whoever's and under whatever key: a duplicate for
// another customer counts too. The one there may be is compared field by field with what happened.
func (p *play) readBack(ctx context.Context) error {
	logged, err := p.client.Call(ctx, p.leg)
	if err != nil {
		return err
	}
	fresh := p.crm.Calls()[p.before:]
	p.result.Delivered = len(fresh)
	p.result.Duplicates = max(0, len(fresh)-1)
	if len(fresh) != 1 {
		p.problem("the CRM holds %d new records, not 1", len(fresh))
		return nil
	}
	if p.result.Record, err = p.record(ctx, fresh[0].ID); err != nil {
		return err
	}
	p.note("read back from the CRM: 1 record, revision %v", p.result.Record["revision"])
	p.result.Problems = append(p.result.Problems, compare(p.result.Record,
		facts{leg: p.leg, receipt: p.receipt, began: p.began, talked: p.talked, now: time.Now(), logged: logged})...)
	return nil
}

func (p *play) record(ctx context.Context, id string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.crm.URL()+"/api/calls/"+id, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the CRM: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read whole
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the CRM answered %s", res.Status)
	}
	var record map[string]any
	if err := json.NewDecoder(res.Body).Decode(&record); err != nil {
		return nil, fmt.Errorf("read the CRM's answer: %w", err)
	}
	return record, nil
}

// facts are what happened, as far as it can be known without the record: what the demo did and the agent's own call log.
type facts struct {
	leg, receipt string
	began        time.Time // before the ring
	talked       time.Time // after the answer
	now          time.Time // after the delivery
	logged       wire.LoggedCall
}

// compare holds every field of the record against the facts, and the call log against the clock. What it gives is wrong.
func compare(r map[string]any, f facts) (problems []string) {
	want := f.record()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(r[name], want[name]) {
			problems = append(problems, fmt.Sprintf("%s is %v, not %v", name, r[name], want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if _, known := want[name]; !known && name != "created_at" && name != "updated_at" {
			problems = append(problems, fmt.Sprintf("%s is %v, and there is no such field", name, r[name]))
		}
	}
	call := f.logged.Call
	cleared := call.ClearedAt.Truncate(time.Millisecond) // as coarse as the CRM's stamps
	created, updated := moment(r["created_at"]), moment(r["updated_at"])
	for what, holds := range map[string]bool{
		"the call began before the demo rang":              !call.StartedAt.Before(f.began),
		"ring time of none":                                f.logged.RingMS > 0,
		"less than a second of talk":                       f.logged.TalkMS >= 1000,
		"more talk than there was time":                    f.logged.TalkMS <= f.now.Sub(f.talked).Milliseconds()+talkSlack,
		"the wrap-up ended before the call":                !call.WrapEndedAt.Before(call.ClearedAt),
		"created_at is not between the call's end and now": !created.Before(cleared) && !created.After(f.now),
		"updated_at is not between created_at and now":     !updated.Before(created) && !updated.After(f.now),
	} {
		if !holds {
			problems = append(problems, "cannot be: "+what)
		}
	}
	slices.Sort(problems)
	return problems
}

// talkSlack: the demo learns of the answer a little after the agent.
const talkSlack = 500

// record is the record as it must be, but for the CRM's own times.
func (f facts) record() map[string]any {
	call := f.logged.Call
	stamp := func(t time.Time) any { return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z") }
	return map[string]any{
		"id": f.receipt, "external_key": cti.WriteKey(demoTenant, f.leg, cti.LogCall, 0), "contact_id": demoCustomer,
		"agent":     map[string]any{"id": "u_01", "name": "Lin Yue", "email": "lin.yue@ringside.example"},
		"direction": "in", "number": "+86" + demoNumber, "extension": "1001", "leg": f.leg, "case": call.Case,
		"ending": "answered", "cause": "normal", "outcome": demoOutcome, "note": demoNote, "queue_ms": 0.0, "hold_ms": 0.0,
		"ring_ms": float64(f.logged.RingMS), "talk_ms": float64(f.logged.TalkMS),
		"wrap_ms":    float64(call.WrapEndedAt.Sub(call.ClearedAt).Milliseconds()),
		"started_at": stamp(call.StartedAt), "answered_at": stamp(call.EstablishedAt), "ended_at": stamp(call.ClearedAt),
		"version":  2.0, // the revision, as other records call it
		"revision": 2.0, // made when the call ended, once more with the wrap-up; the repetitions in between changed nothing
	}
}

// moment reads a time of the record; a zero one, if there is none, is before everything.
func moment(v any) time.Time {
	t, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
	if err != nil {
		return time.Time{}
	}
	return t
}

// photograph saves the screen while it rings.
func (p *play) photograph(ctx context.Context) error {
	if p.options.screenshot == "" || p.options.headless {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.options.screenshot), 0o750); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "import", "-window", "root", p.options.screenshot).CombinedOutput() //nolint:gosec // the user names the file
	if err != nil {
		return fmt.Errorf("take a picture of the screen with ImageMagick's import: %w: %s", err, out)
	}
	p.note("picture of the screen: %s", p.options.screenshot)
	return nil
}
