package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// rightRecord is a record as the CRM shows it and the facts it agrees with.
func rightRecord(t *testing.T) (map[string]any, facts) {
	t.Helper()
	at := time.Date(2026, 3, 2, 9, 30, 0, 123_456_789, time.UTC)
	after := at.Add
	f := facts{leg: "leg-1", receipt: "call_000007", began: at, talked: after(400 * time.Millisecond), now: after(3 * time.Second),
		logged: wire.LoggedCall{RingMS: 300, TalkMS: 1200, Ending: cti.EndAnswered, Call: cti.Call{Case: "case-1", Leg: "leg-1",
			StartedAt: after(0), EstablishedAt: after(300 * time.Millisecond), ClearedAt: after(1500 * time.Millisecond), WrapEndedAt: after(1510 * time.Millisecond)}}}
	// Written out, not made from the facts, so that the two cannot be wrong together.
	var record map[string]any
	if err := json.Unmarshal([]byte(`{"id":"call_000007","contact_id":"c_000001",
		"agent":{"id":"u_01","name":"Lin Yue","email":"lin.yue@ringside.example"},"direction":"in","number":"+8613800138000","extension":"1001",
		"started_at":"2026-03-02T09:30:00.123Z","answered_at":"2026-03-02T09:30:00.423Z","ended_at":"2026-03-02T09:30:01.623Z",
		"ring_ms":300,"queue_ms":0,"talk_ms":1200,"hold_ms":0,"wrap_ms":10,"ending":"answered","cause":"normal","outcome":"Delivery arranged",
		"note":"Pallet arrives Tuesday 下周二送货; call back if late.","case":"case-1","leg":"leg-1","revision":2,"version":2,
		"created_at":"2026-03-02T09:30:01.700Z","updated_at":"2026-03-02T09:30:02.100Z"}`), &record); err != nil {
		t.Fatal(err)
	}
	record["external_key"] = cti.WriteKey("demo", "leg-1", cti.LogCall, 0)
	return record, f
}

func TestTheDemosCheckPassesARightRecord(t *testing.T) {
	record, f := rightRecord(t)
	if problems := compare(record, f); len(problems) != 0 {
		t.Errorf("a right record is reported: %q", problems)
	}
}

// The check looks at every field the CRM has: each is altered alone, in every way that fits its type, and must be reported by name.
func TestTheDemosCheckReportsEveryFieldThatIsWrong(t *testing.T) {
	record, f := rightRecord(t)
	text, err := json.Marshal(sandbox.Call{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		for how, value := range altered(record[name]) {
			forged := maps.Clone(record)
			if forged[name] = value; value == gone {
				delete(forged, name)
			}
			problems := compare(forged, f)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, name) }) {
				t.Errorf("%s %s is not reported: %q", name, how, problems)
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(record)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("the CRM's records have the fields %q, the check knows %q", want, got)
	}
	if got := slices.Sorted(slices.Values(recordFields)); !slices.Equal(got, slices.Sorted(maps.Keys(fields))) {
		t.Errorf("the demo prints the fields %q", got)
	}
}

// gone stands for a field that is not there.
const gone = "\x00gone"

func altered(right any) map[string]any {
	wrong := map[string]any{"missing": gone, "null": nil, "empty": "", "of another type": []any{}}
	switch v := right.(type) {
	case string:
		wrong["longer"], wrong["shorter"], wrong["another time"] = v+"x", v[:len(v)-1], "2025-03-02T09:30:00.123Z"
		wrong["later"] = "2027-03-02T09:30:00.123Z"
	case float64:
		wrong["one more"], wrong["one less"], wrong["text"] = v+1, v-1, "300"
	case map[string]any:
		for name := range v {
			other := maps.Clone(v)
			other[name] = "somebody"
			wrong["with another "+name] = other
		}
	}
	return wrong
}

func TestTheDemosCheckReportsAFieldTooMany(t *testing.T) {
	record, f := rightRecord(t)
	record["surprise"] = 1.0
	if problems := compare(record, f); len(problems) != 1 || !strings.Contains(problems[0], "surprise") {
		t.Errorf("reported %q", problems)
	}
}

// The call log is the agent's own word: what cannot be is reported although record and log agree.
func TestTheDemosCheckReportsWhatCannotBe(t *testing.T) {
	for name, forge := range map[string]func(r map[string]any, f *facts){
		"no ring":             func(r map[string]any, f *facts) { r["ring_ms"], f.logged.RingMS = 0.0, 0 },
		"hardly a word":       func(r map[string]any, f *facts) { r["talk_ms"], f.logged.TalkMS = 900.0, 900 },
		"endless talk":        func(r map[string]any, f *facts) { r["talk_ms"], f.logged.TalkMS = 9e6, 9_000_000 },
		"a call of yesterday": func(_ map[string]any, f *facts) { f.began = f.began.Add(time.Hour) },
		"a wrap-up before": func(r map[string]any, f *facts) {
			r["wrap_ms"], f.logged.Call.WrapEndedAt = -10.0, f.logged.Call.ClearedAt.Add(-10*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			record, f := rightRecord(t)
			forge(record, &f)
			if problems := compare(record, f); len(problems) == 0 {
				t.Error("not reported")
			}
		})
	}
}

func TestTheDemosVerdictIsItsOwnExitCode(t *testing.T) {
	if got := ExitCode(errFailed); got != ExitFailed {
		t.Errorf("a failed demo exits %d", got)
	}
}
