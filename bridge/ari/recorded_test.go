package ari

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// recorded gives the sessions with a real Asterisk, by name: see testdata/recorded/README.md.
func recorded(t testing.TB) map[string][]tape.Frame {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "recorded", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no session: %v", err)
	}
	all := map[string][]tape.Frame{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		if err := tape.Read(bytes.NewReader(raw), func(f tape.Frame) error { all[name] = append(all[name], f); return nil }); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

// sessions gives the events that ARI sent in each session, recorded and constructed.
func sessions(t testing.TB) map[string][][]byte {
	t.Helper()
	all := map[string][][]byte{}
	for name, play := range scenarios {
		all[name] = lines(wire(play))
	}
	for name, frames := range recorded(t) {
		for _, f := range frames {
			if m, err := parse([]byte(f.Text)); !f.Out && err == nil && m.Type != "" {
				all["recorded "+name] = append(all["recorded "+name], []byte(f.Text))
			}
		}
	}
	return all
}

// booked gives the calls that the events of one extension make.
func booked(events []cti.Event) []cti.Call {
	ledger, calls, order := cti.NewLedger("test"), map[string]cti.Call{}, []string(nil)
	for _, e := range events {
		for _, c := range ledger.Apply(e.Clean()) {
			if !slices.Contains(order, c.After.Leg) {
				order = append(order, c.After.Leg)
			}
			calls[c.After.Leg] = c.After
		}
	}
	all := []cti.Call{}
	for _, leg := range order {
		all = append(all, calls[leg])
	}
	return all
}

func TestRecordedSessionsBecomeTheGoldenEventsAndCalls(t *testing.T) {
	all := recorded(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			type golden struct {
				Events []cti.Event
				Calls  []cti.Call
			}
			got := map[string]golden{}
			for _, extension := range []string{"1001", "1002"} {
				events, err := Replay(all[name], extension)
				if err != nil {
					t.Fatal(err)
				}
				got[extension] = golden{events, booked(events)}
			}
			text, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
			file := filepath.Join("testdata", "recorded", name+".golden.json")
			if *update {
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}
