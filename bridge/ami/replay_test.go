package ami_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func play(p *ami.Player, s amitest.Scene) {
	p.CallIDs = s.CallIDs
	last := time.Duration(0)
	for _, b := range s.Blocks {
		p.Take(b.At, b.Bytes())
		last = b.At
	}
	p.Pass(last + 30*time.Second)
}

// golden is what a golden file holds of one extension.
type golden struct {
	Events []cti.Event
	Calls  []cti.Call
}

// book gives the calls that an extension's events make.
func book(events []cti.Event) []cti.Call {
	ledger, calls, order := cti.NewLedger("test"), map[string]cti.Call{}, []string(nil)
	for _, e := range events {
		for _, c := range ledger.Apply(e.Clean()) {
			if _, known := calls[c.After.Leg]; !known {
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

func compare(t *testing.T, name string, events map[string][]cti.Event) {
	t.Helper()
	all := map[string]golden{}
	for extension, told := range events {
		all[extension] = golden{told, book(told)}
	}
	raw, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(file, append(raw, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(raw)+"\n"); diff != "" {
		t.Errorf("%s differs (run with -update and look):\n%s", file, diff)
	}
}

// scenes are those that were recorded; what each shows is in its golden file, and the sums of it in wantCalls.
var scenes = []string{"L1", "L2", "L3", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "Q1", "Q2", "Z"}

// Each recorded scenario tells each extension the events and calls of its golden file.
func TestRecordedScenes(t *testing.T) {
	session := amitest.Load(t, "session")
	for _, name := range scenes {
		t.Run(name, func(t *testing.T) {
			p := ami.NewPlayer(ami.Config{Channels: []string{"SIP/{ext}", "Local/{ext}@lab"}})
			play(p, session.Scene(t, name))
			compare(t, name, p.Events)
		})
	}
}
