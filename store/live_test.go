package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

func legs(t *testing.T, s *store.Store) (legs []string) {
	t.Helper()
	calls, err := s.Live()
	must(t, err)
	for _, c := range calls {
		legs = append(legs, c.Call.Leg)
	}
	return legs
}

func TestTrackedCallIsLiveUntilItIsAccepted(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	call, it := storetest.Call("a")
	call.State = cti.Alerting
	must(t, s.Track(call, cti.WrapUp{}))
	call.State = cti.Connected
	must(t, s.Track(call, cti.WrapUp{Note: "typed so far"}))
	must(t, s.Close())
	s = storetest.OpenDir(t, dir)
	if got, err := s.Live(); err != nil || len(got) != 1 || got[0].Call.State != cti.Connected || got[0].WrapUp.Note != "typed so far" {
		t.Fatalf("live: %+v, %v; want the newest of the one", got, err)
	}
	if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err != nil {
		t.Fatal(err)
	}
	if got := legs(t, s); len(got) != 0 {
		t.Errorf("live: %v, after it was accepted", got)
	}
	must(t, s.Track(call, cti.WrapUp{})) // an event that came late
	if got := legs(t, s); len(got) != 0 {
		t.Errorf("live: %v, though it is over", got)
	}
	must(t, s.Settle())
	if got := legs(t, s); len(got) != 0 {
		t.Errorf("live: %v, though it is over", got)
	}
}

// A power cut may leave any of the records of an Accept that was never acknowledged: nothing of it counts, whoever reads the journal, and the call is
// still live and is accepted once more.
func TestHalfAnAcceptCountsForNothing(t *testing.T) {
	for lost := range 3 {
		for _, index := range []string{"gone", "as before"} {
			t.Run(fmt.Sprintf("record %d lost, index %s", lost+1, index), func(t *testing.T) {
				dir := t.TempDir()
				s := storetest.OpenDir(t, dir)
				call, first := storetest.Call("a")
				must(t, s.Track(call, cti.WrapUp{}))
				must(t, s.Close())
				before, err := os.ReadFile(filepath.Join(dir, "outbox.db"))
				must(t, err)
				third := item("a")
				third.WriteBack.Key += " 3"
				s = storetest.OpenDir(t, dir)
				stored, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{first, other("a"), third})
				must(t, err)
				for i, it := range stored {
					if it.Seq != stored[0].Seq+uint64(i) {
						t.Errorf("items %d and %d: their numbers do not follow each other", stored[0].Seq, it.Seq)
					}
				}
				must(t, s.Close())
				loseRecord(t, dir, lost)
				must(t, os.WriteFile(filepath.Join(dir, "outbox.db"), before, 0o600))
				if index == "gone" {
					must(t, os.Remove(filepath.Join(dir, "outbox.db")))
				}
				wantLive(t, dir, call, []outbox.Item{first, other("a"), third})
			})
		}
	}
}

// wantLive wants that a store has one live call and nothing else, and accepts it.
func wantLive(t *testing.T, dir string, call cti.Call, items []outbox.Item) {
	t.Helper()
	var text bytes.Buffer
	must(t, store.Export(dir, storetest.Keys(), &text))
	if got := text.String(); strings.Contains(got, `"item"`) || !strings.HasPrefix(got, `{"live"`) {
		t.Errorf("the export has %s", got)
	}
	s, err := store.Open(options(dir))
	must(t, err)
	if got := legs(t, s); len(got) != 1 {
		t.Errorf("live: %v, want the call whose items are not all there", got)
	}
	if got := all(t, s); len(got) != 0 {
		t.Errorf("%d items of what was not accepted", len(got))
	}
	if _, err := s.Call(call.Leg); cti.KindOf(err) != cti.NotFound {
		t.Errorf("the call is over: %v", err)
	}
	_, err = s.Accept(call, cti.WrapUp{}, items)
	must(t, err)
	if got := legs(t, s); len(got) != 0 {
		t.Errorf("live: %v", got)
	}
	if got := all(t, s); len(got) != len(items) {
		t.Errorf("%d items, want %d", len(got), len(items))
	}
	must(t, s.Close())
}

// What was acknowledged and was damaged later costs what was damaged, and not the rest of its Accept.
func TestDamageToOneRecordOfAnAcceptLeavesTheRest(t *testing.T) {
	for lost := range 3 {
		dir := t.TempDir()
		s, err := store.Open(options(dir))
		must(t, err)
		third := item("a")
		third.WriteBack.Key += " 3"
		accept(t, s, "a", item("a"), other("a"), third)
		accept(t, s, "b", item("b"), other("b"))
		must(t, s.Close())
		loseRecord(t, dir, lost)
		must(t, os.Remove(filepath.Join(dir, "outbox.db")))
		told := newAlarms()
		o := options(dir)
		o.Alarm = told.take
		s, err = store.Open(o)
		must(t, err)
		if alarm := told.wait(t, store.AlarmDamage); alarm.Count != 1 {
			t.Errorf("record %d lost: %d records are said to be damaged", lost+1, alarm.Count)
		}
		if got := all(t, s); len(got) != 4 {
			t.Errorf("record %d lost: %d items, want 4", lost+1, len(got))
		}
		must(t, s.Close())
	}
}

// loseRecord makes zeros of one record in the newest segment that has any.
func loseRecord(t *testing.T, dir string, nth int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal", "*.rjl"))
	must(t, err)
	magic := []byte{0xC1, 0x52, 0x4A, 0x4C}
	for _, name := range slices.Backward(names) {
		content, err := os.ReadFile(name)
		must(t, err)
		var starts []int
		for at := 0; at+8 <= len(content); at += 8 {
			if bytes.HasPrefix(content[at:], magic) {
				starts = append(starts, at)
			}
		}
		if len(starts) == 0 {
			continue
		}
		clear(content[starts[nth]:append(starts, len(content))[nth+1]])
		must(t, os.WriteFile(name, content, 0o600))
		return
	}
	t.Fatal("there is no record")
}

func TestItemsAreGivenInPages(t *testing.T) {
	s := storetest.Open(t)
	for range 25 {
		accept(t, s, "a", item("a"))
	}
	var seqs []uint64
	for after := uint64(0); ; {
		items, err := s.Items(store.Filter{After: after, Limit: 10, States: []outbox.State{outbox.Queued}})
		must(t, err)
		if len(items) == 0 {
			break
		}
		for _, it := range items {
			seqs = append(seqs, it.Seq)
		}
		after = seqs[len(seqs)-1]
	}
	if len(seqs) != 25 || seqs[0] != 1 || seqs[24] != 25 {
		t.Errorf("got %v", seqs)
	}
	if items, err := s.Items(store.Filter{States: []outbox.State{outbox.Review}}); err != nil || len(items) != 0 {
		t.Errorf("of another state: %v, %v", items, err)
	}
}

// What was acknowledged is read at once, whether the index has it or not.
func TestEveryReadSeesWhatWasAcknowledged(t *testing.T) {
	s := storetest.Open(t)
	for i := range 200 {
		leg := string(rune('a'+i%26)) + "x"
		stored := accept(t, s, leg, item(leg))
		it, err := s.Latest(leg, "key "+leg)
		if err != nil || it.Seq != stored[0].Seq {
			t.Fatalf("latest %d, %v; want %d", it.Seq, err, stored[0].Seq)
		}
		if got := standings(t, s); len(got) != i+1 {
			t.Fatalf("%d standings, want %d", len(got), i+1)
		}
		if calls, err := s.Calls(26); err != nil || len(calls) == 0 || calls[0].Call.Leg != leg {
			t.Fatalf("newest call %+v, %v; want %s", calls, err, leg)
		}
	}
}
