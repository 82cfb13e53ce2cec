package wire_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// paged lists items as the agent does, few at a time, and counts how often it was asked.
func paged(items []wire.OutboxItem, size int, asked *int) func(wire.OutboxQuery) ([]wire.OutboxItem, error) {
	return func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
		*asked++
		var page []wire.OutboxItem
		for _, it := range items {
			if it.Seq > q.After && len(page) < size {
				page = append(page, it)
			}
		}
		return page, nil
	}
}

func export(t *testing.T, f wire.Format, items ...wire.OutboxItem) string {
	t.Helper()
	var b bytes.Buffer
	if err := wire.ExportOutbox(&b, f, paged(items, 2, new(int))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func rows(t *testing.T, text string) [][]string {
	t.Helper()
	body, marked := strings.CutPrefix(text, "\uFEFF")
	if !marked {
		t.Error("there is no byte order mark: Excel reads Chinese as noise")
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestACellThatMayBeAFormulaIsTextWithAnApostrophe(t *testing.T) {
	for _, cell := range []string{"=HYPERLINK(\"http://evil.example\")", "+442079460999", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠x", "  =1", "\u3000=1", " \t+1", "-"} {
		table := rows(t, export(t, wire.CSV, wire.OutboxItem{Seq: 1, Name: cell, Note: cell, Outcome: cell, Message: cell, CustomerID: cell,
			Number: cti.Number{Raw: cell}}))
		for _, column := range []string{"name", "note", "outcome", "message", "customer_id", "number"} {
			for i, name := range table[0] {
				if name == column && !strings.HasPrefix(table[1][i], "'") {
					t.Errorf("%s %q is written as %q", column, cell, table[1][i])
				}
			}
		}
	}
}

func TestAPlainCellStaysAsItIs(t *testing.T) {
	note := "said \"no, thanks\", then\nhung up; 下周 = 周二"
	table := rows(t, export(t, wire.CSV, wire.OutboxItem{Seq: 12, State: wire.WriteReview, Name: "陈丽华", Note: note, TalkMS: 1250,
		StartedAt: time.Date(2026, 11, 23, 5, 32, 18, 0, time.FixedZone("", 8*3600))}))
	got := map[string]string{}
	for i, name := range table[0] {
		got[name] = table[1][i]
	}
	want := map[string]string{"item": "12", "state": "review", "name": "陈丽华", "note": note, "started_at": "2026-11-22T21:32:18Z", "talk_s": "1.2", "due": ""}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

func TestAnEmptyOutboxIsAHeaderOrAnEmptyList(t *testing.T) {
	if table := rows(t, export(t, wire.CSV)); len(table) != 1 || table[0][0] != "item" {
		t.Errorf("the CSV is %q", table)
	}
	if text := export(t, wire.JSON); text != "[]\n" {
		t.Errorf("the JSON is %q", text)
	}
}

func TestAJSONExportHoldsEveryItemWhole(t *testing.T) {
	items := outboxItems(time.Date(2026, 11, 23, 5, 32, 18, 118e6, time.UTC))[:3]
	for i := range items {
		if items[i].Tries == nil {
			items[i].Tries = []wire.OutboxTry{}
		}
	}
	var got []wire.OutboxItem
	if err := json.Unmarshal([]byte(export(t, wire.JSON, items...)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(items, got); diff != "" {
		t.Errorf("the export differs (-want +got):\n%s", diff)
	}
}

func TestAnExportReadsPageAfterPageUntilThereIsNone(t *testing.T) {
	var items []wire.OutboxItem
	for seq := range uint64(7) {
		items = append(items, wire.OutboxItem{Seq: seq*3 + 1})
	}
	var b bytes.Buffer
	asked := 0
	if err := wire.ExportOutbox(&b, wire.CSV, paged(items, 3, &asked)); err != nil {
		t.Fatal(err)
	}
	if table := rows(t, b.String()); len(table) != 8 || asked != 4 {
		t.Errorf("%d rows after asking %d times", len(table), asked)
	}
}

func TestAListThatFailsInTheMiddleIsAnErrorAndNoWholeJSON(t *testing.T) {
	broken := errors.New("the disk went")
	for _, f := range wire.Formats {
		var b bytes.Buffer
		err := wire.ExportOutbox(&b, f, func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
			if q.After > 0 {
				return nil, broken
			}
			return []wire.OutboxItem{{Seq: 1}}, nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("%s: the error is %v", f, err)
		}
		if f == wire.JSON && json.Valid(b.Bytes()) {
			t.Errorf("half a list looks whole: %s", &b)
		}
	}
}

func TestAFormatNobodyKnowsIsRefusedBeforeAnythingIsRead(t *testing.T) {
	var b bytes.Buffer
	asked := 0
	err := wire.ExportOutbox(&b, "xlsx", paged(nil, 1, &asked))
	if cti.KindOf(err) != cti.Invalid || b.Len() > 0 || asked > 0 {
		t.Errorf("the error is %v after %d bytes and %d questions", err, b.Len(), asked)
	}
}

func TestAListHoldsWhatItWasAskedFor(t *testing.T) {
	want := map[wire.WriteState][]wire.WriteState{
		"":                    {wire.WriteQueued, wire.WriteSending, wire.WriteRetrying, wire.WriteReconciling, wire.WriteReview},
		wire.WriteWaiting:     {wire.WriteQueued, wire.WriteSending, wire.WriteRetrying, wire.WriteReconciling},
		wire.WriteReview:      {wire.WriteReview},
		wire.WriteReconciling: {wire.WriteReconciling},
		wire.WriteQueued:      {wire.WriteQueued},
		wire.WriteSending:     {wire.WriteSending},
		wire.WriteRetrying:    {wire.WriteRetrying},
	}
	all := []wire.WriteState{wire.WriteQueued, wire.WriteSending, wire.WriteRetrying, wire.WriteReconciling, wire.WriteReview, wire.WriteDelivered, wire.WriteDiscarded}
	for asked, states := range want {
		var got []wire.WriteState
		for _, state := range all {
			if (wire.OutboxQuery{State: asked}).Holds(wire.OutboxItem{State: state}) {
				got = append(got, state)
			}
		}
		if diff := cmp.Diff(states, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", asked, diff)
		}
	}
}
