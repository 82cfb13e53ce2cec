package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

var start = time.Date(2026, 11, 23, 5, 32, 18, 0, time.UTC)

func accept(t *testing.T, s *store.Store, leg string, items ...outbox.Item) []outbox.Item {
	t.Helper()
	call, _ := storetest.Call(leg)
	stored, err := s.Accept(call, cti.WrapUp{}, items)
	if err != nil {
		t.Fatalf("accept %s: %v", leg, err)
	}
	return stored
}

func item(leg string) outbox.Item {
	_, it := storetest.Call(leg)
	return it
}

// other is a second item of the same call.
func other(leg string) outbox.Item {
	it := item(leg)
	it.WriteBack.Key += " 2"
	return it
}

func TestAcceptKeepsTheCallWithItsItems(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	call, it := storetest.Call("a")
	call.Refs, call.HeldBy = map[string]string{cti.RefSIPCallID: "a1"}, []cti.Party{cti.ByLocal}
	wrap := cti.WrapUp{Outcome: "Order placed", Note: "下周二", SavedAt: start}
	stored, err := s.Accept(call, wrap, []outbox.Item{it})
	if err != nil || len(stored) != 1 || stored[0].Seq != 1 {
		t.Fatalf("stored %+v, %v", stored, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = storetest.OpenDir(t, dir)
	got, err := s.Call("a")
	if diff := cmp.Diff(store.LoggedCall{Call: call, WrapUp: wrap}, got); err != nil || diff != "" {
		t.Errorf("after opening again: %v\n%s", err, diff)
	}
	items, err := s.Items(store.Filter{})
	if diff := cmp.Diff(stored, items); err != nil || diff != "" {
		t.Errorf("after opening again: %v\n%s", err, diff)
	}
}

func TestAcceptIsAllOrNothing(t *testing.T) {
	s := storetest.Open(t)
	call, good := storetest.Call("a")
	bad := item("a")
	bad.WriteBack.Key = "" // bbolt takes no empty key
	if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{good, bad}); err == nil {
		t.Fatal("an item without a key was taken")
	}
	if _, err := s.Call("a"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("the call is there: %v", err)
	}
	if items, err := s.Items(store.Filter{}); err != nil || len(items) != 0 {
		t.Errorf("items %+v, %v", items, err)
	}
	if seq := accept(t, s, "a", item("a"))[0].Seq; seq != 1 {
		t.Errorf("the next item has number %d: the failed one used one up", seq)
	}
}

func TestNumbersRiseAndAreNeverReused(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	first := accept(t, s, "a", item("a"), other("a"))
	first[1].State = outbox.Done
	if err := s.Save(outbox.Finished, first[1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = storetest.OpenDir(t, dir)
	got := accept(t, s, "b", item("b"))
	if first[0].Seq != 1 || first[1].Seq != 2 || got[0].Seq <= 2 {
		t.Errorf("numbers %d, %d, then %d", first[0].Seq, first[1].Seq, got[0].Seq)
	}
	if open := standings(t, s); len(open) != 2 || open[0].Seq != 1 || open[1].Seq != got[0].Seq {
		t.Errorf("unfinished %+v; want 1 and %d", open, got[0].Seq)
	}
}

func standings(t *testing.T, s *store.Store) (got []outbox.Standing) {
	t.Helper()
	if err := s.Standings(func(st outbox.Standing) error {
		got = append(got, st)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAcceptReplacesTheItemOfAGivenNumber(t *testing.T) {
	s := storetest.Open(t)
	it := accept(t, s, "a", item("a"))[0]
	it.WriteBack.CustomerID = "c1"
	accept(t, s, "a", it)
	items, err := s.Items(store.Filter{})
	if err != nil || len(items) != 1 || items[0].WriteBack.CustomerID != "c1" {
		t.Errorf("items %+v, %v; want the one, changed", items, err)
	}
}

func TestLatestIsTheNewestOfAKey(t *testing.T) {
	s := storetest.Open(t)
	if it, err := s.Latest("a", "key a"); err != nil || it.Seq != 0 {
		t.Errorf("of an unknown key: %+v, %v", it, err)
	}
	older := accept(t, s, "a", item("a"))[0]
	accept(t, s, "a", item("a"), other("a"))
	older.State = outbox.Done
	if err := s.Save(outbox.Finished, older); err != nil { // the older one is saved last and still not the newest
		t.Fatal(err)
	}
	if it, err := s.Latest("a", "key a"); err != nil || it.Seq != 2 {
		t.Errorf("got item %d, %v; want 2", it.Seq, err)
	}
}

func TestTheCallsAcceptedLastAreListedNewestFirst(t *testing.T) {
	s := storetest.Open(t)
	for i, minute := range []int{2, 0, 3, 1} {
		call := cti.Call{Leg: fmt.Sprint("leg ", i), StartedAt: start.Add(time.Duration(minute) * time.Minute)}
		for range 2 { // the second time it is the same call
			if _, err := s.Accept(call, cti.WrapUp{}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls, err := s.Calls(3)
	if err != nil {
		t.Fatal(err)
	}
	var legs []string
	for _, c := range calls {
		legs = append(legs, c.Call.Leg)
	}
	if diff := cmp.Diff([]string{"leg 2", "leg 3", "leg 1"}, legs); diff != "" {
		t.Error(diff)
	}
}

func TestACallWhoseStartWasCorrectedIsListedOnce(t *testing.T) {
	s := storetest.Open(t)
	for _, at := range []time.Time{start, start.Add(-time.Second), {}} {
		if _, err := s.Accept(cti.Call{Leg: "a", StartedAt: at}, cti.WrapUp{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if calls, err := s.Calls(10); err != nil || len(calls) != 1 || !calls[0].Call.StartedAt.IsZero() {
		t.Errorf("listed %+v, %v; want it once, as it was accepted last", calls, err)
	}
}

// Fault 27: one process at a time.
func TestASecondAgentIsToldWithinASecond(t *testing.T) {
	dir := t.TempDir()
	storetest.OpenDir(t, dir)
	began := time.Now()
	_, err := store.Open(store.Options{Dir: dir, Keys: storetest.Keys()})
	if cti.KindOf(err) != cti.Conflict || !strings.Contains(cti.MessageOf(err), dir) {
		t.Errorf("got %v, want a conflict that names the folder", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOnlyThisUserMayReadTheStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the folder's access list decides there")
	}
	dir := filepath.Join(t.TempDir(), "state", "outbox")
	storetest.OpenDir(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "outbox.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestOpenNeedsAFolderItCanMake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(store.Options{Dir: file, Keys: storetest.Keys()}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := storetest.Open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(cti.Call{Leg: "a"}, cti.WrapUp{}, nil); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("accept gave %v", err)
	}
	if err := s.Save(outbox.Tried, outbox.Item{Seq: 1}); err == nil {
		t.Error("save gave no error")
	}
}
