package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

const day = 24 * time.Hour

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

// finish makes an item final at a time.
func finish(t *testing.T, s *store.Store, it outbox.Item, at time.Time) {
	t.Helper()
	it.State, it.DoneAt = outbox.Done, at
	must(t, s.Save(outbox.Finished, it))
}

func TestWhatIsFinalIsForgottenAfterThirtyDays(t *testing.T) {
	s := storetest.Open(t)
	now := time.Now()
	for i, age := range []time.Duration{29 * day, 32 * day, 90 * day} {
		finish(t, s, accept(t, s, fmt.Sprint(i), item(fmt.Sprint(i)))[0], now.Add(-age))
	}
	accept(t, s, "waits", item("waits"))
	must(t, s.Prune(now))
	if got := all(t, s); len(got) != 2 || got[0].WriteBack.Leg != "0" || got[1].WriteBack.Leg != "waits" {
		t.Errorf("kept %+v", got)
	}
	for key, want := range map[string]bool{"key 0": true, "key 1": false, "key waits": true} {
		if it, err := s.Latest(strings.TrimPrefix(key, "key "), key); err != nil || (it.Seq != 0) != want {
			t.Errorf("%s is known: %v, %v; want %v", key, it.Seq != 0, err, want)
		}
	}
	if _, err := s.Call("1"); err != nil {
		t.Errorf("the call of an item that is forgotten: %v; it stays 400 days", err)
	}
	must(t, s.Check())
}

func TestAKeyStaysWithItsNewestItem(t *testing.T) {
	s := storetest.Open(t)
	older := accept(t, s, "a", item("a"))[0]
	newer := accept(t, s, "a", item("a"))[0]
	finish(t, s, older, time.Now().Add(-60*day))
	must(t, s.Prune(time.Now()))
	if it, err := s.Latest("a", "key a"); err != nil || it.Seq != newer.Seq {
		t.Errorf("the key is item %d's, %v; want %d", it.Seq, err, newer.Seq)
	}
}

func TestCallsArePrunedWithTheirJournalAndWhatWaitsIsCarriedForward(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	finish(t, s, accept(t, s, "done", item("done"))[0], time.Now())
	waits := accept(t, s, "waits", item("waits"))[0]
	live, _ := storetest.Call("live")
	must(t, s.Track(live, cti.WrapUp{}))
	must(t, s.Close())
	s = storetest.OpenDir(t, dir) // a new segment
	segments := func() int {
		names, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
		must(t, err)
		return len(names)
	}
	before := segments()
	must(t, s.Prune(time.Now().Add(399*day)))
	if _, err := s.Call("done"); err != nil {
		t.Errorf("after 399 days: %v", err)
	}
	must(t, s.Prune(time.Now().Add(402*day)))
	if _, err := s.Call("done"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("after 402 days the call is there: %v", err)
	}
	if after := segments(); after >= before {
		t.Errorf("%d segments, then %d: the journal did not shrink", before, after)
	}
	must(t, errors.Join(s.Check(), s.Close(), os.Remove(filepath.Join(dir, "outbox.db"))))
	s = storetest.OpenDir(t, dir) // from what is left of the journal
	it, err := s.Item(waits.Seq)
	if err != nil || it.WriteBack.Key != "key waits" {
		t.Errorf("the item that waits: %+v, %v", it, err)
	}
	if _, err := s.Call("waits"); err != nil {
		t.Errorf("its call: %v", err)
	}
	if calls, err := s.Live(); err != nil || len(calls) != 1 {
		t.Errorf("live calls %+v, %v", calls, err)
	}
}

// A call that began long ago and has no time of its own keeps its place.
func TestPruningTwiceChangesNothing(t *testing.T) {
	s := storetest.Open(t)
	for range 3 {
		must(t, s.Prune(time.Now().Add(401*day)))
	}
	accept(t, s, "a", item("a"))
	for range 3 {
		must(t, s.Prune(time.Now().Add(401*day)))
	}
	if n := len(standings(t, s)); n != 1 {
		t.Errorf("%d items wait, want 1", n)
	}
	must(t, s.Check())
}

func TestIndexIsCompactedWhenMostOfItIsFree(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenWith(t, options(dir).Tight(1<<20))
	path := filepath.Join(dir, "outbox.db")
	storetest.Fill(t, s, 2000)
	must(t, s.Tidy(time.Now()))
	full := size(t, path)
	var done []outbox.Item
	for after := uint64(0); ; {
		items, err := s.Items(store.Filter{After: after})
		must(t, err)
		if len(items) == 0 {
			break
		}
		done, after = append(done, items...), items[len(items)-1].Seq
	}
	for _, it := range done {
		finish(t, s, it, time.Now())
	}
	accept(t, s, "waits", item("waits"))
	must(t, s.Tidy(time.Now().Add(402*day)))
	if now := size(t, path); now > full/2 {
		t.Errorf("%d bytes, after %d with 2,000 items: it was not compacted", now, full)
	}
	if got := all(t, s); len(got) != 1 {
		t.Errorf("%d items, want the one that waits", len(got))
	}
	must(t, s.Check())
}

func TestCompactionGoesOnUnderLoad(t *testing.T) {
	s := storetest.Open(t)
	done := make(chan error)
	go func() {
		for i := range 300 {
			call, it := storetest.Call(fmt.Sprint("load ", i))
			if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err != nil {
				done <- err
				return
			}
		}
		close(done)
	}()
	for range 20 {
		must(t, s.Compact())
	}
	must(t, <-done)
	if n := len(standings(t, s)); n != 300 {
		t.Errorf("%d items, want 300", n)
	}
}
