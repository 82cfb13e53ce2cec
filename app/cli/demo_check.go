package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"ringside.dev/ringside/bridge/wire"
)

// recordFields are the record's fields in the order they are printed.
var recordFields = []string{"id", "external_key", "contact_id", "direction", "number", "extension", "started_at", "answered_at", "ended_at",
	"ring_ms", "queue_ms", "talk_ms", "hold_ms", "wrap_ms", "ending", "cause", "outcome", "note", "case", "leg", "agent", "revision"}

// readBack asks the CRM itself, over HTTP, what it has of this call, and compares each field with what happened.
func (p *play) readBack(ctx context.Context) error {
	logged, err := p.client.Call(ctx, p.leg)
	if err != nil {
		return err
	}
	records, err := p.records(ctx)
	if err != nil {
		return err
	}
	p.result.Delivered = len(records)
	p.result.Duplicates = max(0, len(records)-1)
	if len(records) != 1 {
		p.problem("the CRM holds %d records of the call, not 1", len(records))
		return nil
	}
	p.result.Record = records[0]
	p.note("read back from the CRM: 1 record, revision %v", records[0]["revision"])
	p.compare(records[0], logged)
	return nil
}

// records lists the CRM's records of this leg, whatever their key: a duplicate under another key would count too.
func (p *play) records(ctx context.Context) ([]map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.crm.URL()+"/api/calls?"+url.Values{"contact_id": {demoCustomer}, "limit": {"500"}}.Encode(), nil)
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
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("read the CRM's answer: %w", err)
	}
	var ours []map[string]any
	for _, r := range list.Items {
		if started, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r["started_at"])); err == nil && started.After(p.began.Add(-time.Minute)) {
			ours = append(ours, r)
		}
	}
	return ours, nil
}

// compare holds every field of the record against the agent's own call log and against what the demo did.
func (p *play) compare(r map[string]any, logged wire.LoggedCall) {
	stamp := func(t time.Time) string { return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z") }
	want := map[string]any{
		"contact_id": demoCustomer, "direction": "in", "number": "+86" + demoNumber, "extension": "1001", "leg": p.leg, "case": logged.Call.Case,
		"ending": "answered", "cause": "normal", "outcome": demoOutcome, "note": demoNote, "queue_ms": 0.0, "hold_ms": 0.0,
		"ring_ms": float64(logged.RingMS), "talk_ms": float64(logged.TalkMS),
		"wrap_ms":    float64(logged.Call.WrapEndedAt.Sub(logged.Call.ClearedAt).Milliseconds()),
		"started_at": stamp(logged.Call.StartedAt), "answered_at": stamp(logged.Call.EstablishedAt), "ended_at": stamp(logged.Call.ClearedAt),
	}
	for name, value := range want {
		if fmt.Sprint(r[name]) != fmt.Sprint(value) {
			p.problem("%s is %v, not %v", name, r[name], value)
		}
	}
	if agent, ok := r["agent"].(map[string]any); !ok || agent["email"] != "lin.yue@ringside.example" {
		p.problem("the record's agent is %v", r["agent"])
	}
	if talk := time.Duration(logged.TalkMS) * time.Millisecond; talk < time.Second || talk > time.Since(p.talked) {
		p.problem("%v of talk cannot be", talk)
	}
	if logged.RingMS <= 0 || logged.Call.WrapEndedAt.Before(logged.Call.ClearedAt) {
		p.problem("ring %d ms, wrap-up ended %v: cannot be", logged.RingMS, logged.Call.WrapEndedAt)
	}
}

// photograph saves the screen while it rings.
func (p *play) photograph(ctx context.Context) error {
	if p.options.screenshot == "" || p.options.headless {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.options.screenshot), 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "import", "-window", "root", p.options.screenshot).CombinedOutput()
	if err != nil {
		return fmt.Errorf("take a picture of the screen with ImageMagick's import: %w: %s", err, out)
	}
	p.note("picture of the screen: %s", p.options.screenshot)
	return nil
}
