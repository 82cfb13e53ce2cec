package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// The examples are what the TypeScript guards are tested with: a field that changes here changes there or a test fails.
func TestExamplesAreWhatGoWrites(t *testing.T) {
	for name, message := range examples() {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(message, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("testdata is not what Go writes; run with -update and read the diff:\n%s", cmp.Diff(string(want), string(got)))
			}
		})
	}
}

func examples() map[string]any {
	at := time.Date(2026, 11, 23, 5, 32, 18, 118e6, time.UTC)
	one := wire.Card{
		Leg: "5f0e8c1e-0000-5000-8000-000000000001", Case: "5f0e8c1e-0000-5000-8000-000000000001",
		Direction: cti.In, State: cti.Connected,
		Number:    cti.Number{Raw: "13800138000", E164: "+8613800138000", Key: "13800138000"},
		PhoneName: "Chen", Extension: "1001", Queue: &cti.Queue{Name: "support", WaitMS: 2000},
		StartedAt: at, EstablishedAt: at.Add(4 * time.Second), RingMS: 4000,
		Search: wire.SearchFound,
		Matches: []cti.Match{{Grade: cti.Sure, Rule: "e164", Digits: 13, From: "cache", At: at.Add(-time.Hour),
			Customer: cti.Customer{ID: "c_000001", Type: "contact", Name: "陈丽华", Company: "上海远景物流有限公司",
				Numbers: []string{"138 0013 8000", "021-6555 0134"}, Tags: []string{"VIP", "物流"}, Status: "active", LastActivityAt: at.Add(-48 * time.Hour)}}},
		Picked: "c_000001",
		History: []cti.Contact{{At: at.Add(-48 * time.Hour), Direction: cti.In, Ending: "answered", Outcome: "Order placed",
			Note: "下周二送货", Agent: "Wang", TalkMS: 184000}},
		Tickets:  []cti.Ticket{{ID: "t_7", Subject: "Pallet damaged", Status: "open", Priority: "high", UpdatedAt: at.Add(-24 * time.Hour)}},
		Commands: []cti.Command{cti.CommandHangup}, Pop: true, Muted: true, Data: map[string]string{"order_id": "A-1007"}, Recording: wire.RecordingKnown,
		Consult: &wire.Consult{Leg: "5f0e8c1e-0000-5000-8000-000000000009", Number: cti.Number{Raw: "1003", Key: "1003", Class: cti.ClassInternal}, Name: "Depot", State: cti.Connected, Since: at.Add(20 * time.Second)},
		Changes: []wire.Change{{Item: 7, Op: cti.UpdateCustomer, Value: "follow_up", Theirs: "inactive", State: wire.WriteReview, Kind: cti.Conflict, Message: "meanwhile it is \"inactive\" in the CRM"},
			{Item: 9, Op: cti.SetStatus, Ticket: "t_7", Value: "pending", State: wire.WriteQueued}},
	}
	several := wire.Card{Leg: "5f0e8c1e-0000-5000-8000-000000000002", Case: "5f0e8c1e-0000-5000-8000-000000000002",
		Direction: cti.In, State: cti.StateClosed, Number: cti.Number{Raw: "02079460999", E164: "+442079460999", Key: "2079460999"},
		StartedAt: at, ClearedAt: at.Add(time.Minute), RingMS: 60000, Ending: cti.EndMissed, Search: wire.SearchSeveral,
		Matches: []cti.Match{
			{Grade: cti.Likely, Rule: "national", Digits: 10, From: "crm", At: at, Customer: cti.Customer{ID: "c_000003", Type: "contact", Name: "A. Hart"}},
			{Grade: cti.Perhaps, Rule: "tail", Digits: 8, From: "crm", At: at, Customer: cti.Customer{ID: "c_000004", Type: "contact", Name: "B. Hart"}}},
		WrapUp: cti.WrapUp{Outcome: "Complaint", Note: "call back", SavedAt: at.Add(2 * time.Minute)},
		Write:  wire.Write{State: wire.WriteRetrying, Kind: cti.Offline, Message: "the CRM could not be reached", Attempts: 2, NextAt: at.Add(3 * time.Minute)},
		Notice: wire.NoticePhoneSilent}
	withheld := wire.Card{Leg: "5f0e8c1e-0000-5000-8000-000000000003", Case: "5f0e8c1e-0000-5000-8000-000000000003",
		Direction: cti.In, State: cti.Alerting, Number: cti.Number{Raw: "anonymous", Withheld: true}, StartedAt: at,
		Search: wire.SearchWithheld, Commands: []cti.Command{cti.CommandAnswer, cti.CommandReject}, Pop: true}
	return map[string]any{
		"snapshot": wire.Snapshot{V: wire.Version, Seq: 41, Language: "zh-CN", Agent: cti.Agent{Name: "Wang Lei", Email: "wang@example.com"},
			Extension: "1001", Outcomes: []string{"Order placed", "Complaint", "Wrong number"},
			Abilities: []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandDial},
			CRMCan:    []wire.CRMAbility{wire.CRMSearch, wire.CRMCreate}, Types: []string{"contact", "lead"},
			Phone: wire.Link{Name: "baresip", State: wire.LinkUp, Since: at}, CRM: wire.Link{Name: "sandbox", State: wire.LinkAuth, Since: at},
			Outbox: wire.Outbox{Waiting: 3, Review: 1, OldestAt: at.Add(-5 * time.Hour)}, Storage: wire.Storage{State: wire.StorageOK},
			Presence: wire.Presence{State: cti.AfterCall, Since: at, Until: at.Add(30 * time.Second), Owed: "5f0e8c1e-0000-5000-8000-000000000002", Can: true, Reasons: []string{"Lunch", "培训"}},
			Cards:    []wire.Card{one, several, withheld}},
		"delta-card":     wire.Delta{V: wire.Version, Seq: 42, Card: &one},
		"delta-drop":     wire.Delta{V: wire.Version, Seq: 43, Drop: one.Leg},
		"delta-links":    wire.Delta{V: wire.Version, Seq: 44, Phone: &wire.Link{Name: "baresip", State: wire.LinkDown, Since: at}, CRM: &wire.Link{Name: "sandbox", State: wire.LinkUnknown}},
		"delta-outbox":   wire.Delta{V: wire.Version, Seq: 45, Outbox: &wire.Outbox{Waiting: 2}},
		"delta-presence": wire.Delta{V: wire.Version, Seq: 48, Presence: &wire.Presence{State: cti.NotReady, Reason: "Lunch", Since: at, Reasons: []string{}}},
		"delta-storage": wire.Delta{V: wire.Version, Seq: 46,
			Storage: &wire.Storage{State: wire.StorageDiskFull, Detail: "/home/wang/.local/state/ringside"}},
		"outbox": outboxItems(at),
	}
}

// outboxItems are one item of each kind of trouble.
func outboxItems(at time.Time) []wire.OutboxItem {
	waits := wire.OutboxItem{Seq: 7, State: wire.WriteRetrying, Op: cti.LogCall, Key: "5f0e8c1e-0000-5000-8000-0000000000a1",
		Leg: "5f0e8c1e-0000-5000-8000-000000000001", Direction: cti.In, Number: cti.Number{Raw: "13800138000", E164: "+8613800138000", Key: "13800138000"},
		Name: "陈丽华", CustomerID: "c_000001", StartedAt: at, Ending: cti.EndAnswered, TalkMS: 184000, Outcome: "Order placed", Note: "下周二送货",
		CreatedAt: at.Add(4 * time.Minute), Due: at.Add(9 * time.Minute), Attempts: 2, Kind: cti.Offline, Message: "the CRM could not be reached",
		Tries: []wire.OutboxTry{
			{At: at.Add(4 * time.Minute), TookMS: 5000, Kind: cti.Offline, Message: "the CRM could not be reached"},
			{At: at.Add(5 * time.Minute), TookMS: 12, Kind: cti.Internal}}}
	unclear := wire.OutboxItem{Seq: 8, State: wire.WriteReview, Op: cti.LogCall, Key: "5f0e8c1e-0000-5000-8000-0000000000a2",
		Leg: "5f0e8c1e-0000-5000-8000-000000000002", Direction: cti.In, Number: cti.Number{Raw: "02079460999", E164: "+442079460999", Key: "2079460999"},
		Unclear: true, StartedAt: at, Ending: cti.EndMissed, CreatedAt: at.Add(time.Minute), Kind: cti.Conflict}
	perhaps := wire.OutboxItem{Seq: 9, State: wire.WriteReconciling, Op: cti.LogCall, Key: "5f0e8c1e-0000-5000-8000-0000000000a3",
		Leg: "5f0e8c1e-0000-5000-8000-000000000003", Direction: cti.Out, Number: cti.Number{Raw: "anonymous", Withheld: true}, StartedAt: at,
		CreatedAt: at.Add(time.Minute), Due: at.Add(2 * time.Minute), Attempts: 1, Kind: cti.Uncertain, Begun: at.Add(time.Minute),
		Tries: []wire.OutboxTry{{At: at.Add(time.Minute), TookMS: 30000, Kind: cti.Uncertain, Message: "the answer was lost"}}}
	gone := wire.OutboxItem{Seq: 3, State: wire.WriteDiscarded, Op: cti.LogCall, Key: "5f0e8c1e-0000-5000-8000-0000000000a4",
		Leg: "5f0e8c1e-0000-5000-8000-000000000004", Direction: cti.In, Number: cti.Number{Raw: "1001"}, StartedAt: at, CreatedAt: at, Reason: "a test call",
		Tries: []wire.OutboxTry{}}
	return []wire.OutboxItem{waits, unclear, perhaps, gone}
}
