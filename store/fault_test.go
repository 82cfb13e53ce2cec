package store_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// Fault 21: also without a check at the start.
func TestFlippedBitInACleanIndexIsNoticedWhenItIsRead(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	want := mix(t, s)
	must(t, s.Close())
	flip(t, filepath.Join(dir, "outbox.db"), "log")
	told := newAlarms()
	o := options(dir)
	o.Alarm = told.take
	s = storetest.OpenWith(t, o)
	if kinds := told.kinds(); len(kinds) > 0 {
		t.Fatalf("told %v at the start: the test does not reach what it is for", kinds)
	}
	equal(t, want, all(t, s))
	told.wait(t, store.AlarmRebuilt)
}

// Fault 12: the handle is given up.
func TestCommitThatFailsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	told := newAlarms()
	o := options(dir).Paced(time.Hour) // nobody else notices
	o.Alarm = told.take
	s := storetest.OpenWith(t, o)
	mix(t, s)
	for i := range 3 {
		s.BreakFile()
		leg := fmt.Sprint("after ", i)
		it := accept(t, s, leg, item(leg))[0]
		must(t, s.Settle())
		if got, err := s.Item(it.Seq); err != nil || got.WriteBack.Leg != leg {
			t.Errorf("read %+v, %v", got, err)
		}
		if got, err := s.Call(leg); err != nil || got.Call.Leg != leg {
			t.Errorf("read %+v, %v", got, err)
		}
	}
	must(t, s.Settle())
	must(t, s.Check())
	if got := all(t, s); len(got) != 9 {
		t.Errorf("%d items, want 9", len(got))
	}
	if names := quarantined(t, dir); len(names) > 0 {
		t.Errorf("in quarantine: %v: nothing was damaged", names)
	}
}

// Fault 19: noticed, and made anew.
func TestIndexThatIsDeletedOrReplacedWhileInUseIsMadeAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"replaced": func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".x", []byte("mine"), 0o600))
			must(t, os.Rename(path+".x", path))
		},
		"moved": func(t *testing.T, path string) { must(t, os.Rename(path, path+".away")) },
	} {
		t.Run(name, func(t *testing.T) {
			if os.PathSeparator == '\\' {
				t.Skip("Windows refuses to delete and rename an open file")
			}
			dir := t.TempDir()
			told := newAlarms()
			o := options(dir)
			o.Alarm = told.take
			s := storetest.OpenWith(t, o.Paced(20*time.Millisecond))
			mix(t, s)
			must(t, s.Settle())
			harm(t, filepath.Join(dir, "outbox.db"))
			accept(t, s, "after", item("after"))
			told.wait(t, store.AlarmRebuilt)
			must(t, s.Settle())
			info, err := os.Stat(filepath.Join(dir, "outbox.db"))
			if err != nil || info.Size() < 4096 {
				t.Fatalf("there is no index: %v", err)
			}
			if got := all(t, s); len(got) != 7 {
				t.Errorf("%d items, want 7", len(got))
			}
		})
	}
}

// Fault 19: the journal too.
func TestFilesThatAreDeletedWhileInUseAreWrittenAgain(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("Windows refuses to delete an open file")
	}
	for name, victim := range map[string]string{"the journal": "journal", "everything": "."} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s := storetest.OpenDir(t, dir)
			mix(t, s)
			must(t, s.Close()) // so that there is more than the current segment
			told := newAlarms()
			o := options(dir)
			o.Alarm = told.take
			s = storetest.OpenWith(t, o.Paced(20*time.Millisecond))
			accept(t, s, "before", item("before"))
			must(t, s.Settle())
			must(t, os.RemoveAll(filepath.Join(dir, victim)))
			accept(t, s, "after", item("after"))
			told.wait(t, store.AlarmRebuilt)
			if victim == "." {
				told.wait(t, store.AlarmRebuilt)
			}
			must(t, s.Settle())
			must(t, s.Check())
			want := all(t, s)
			if len(want) != 8 {
				t.Errorf("%d items, want 8", len(want))
			}
			must(t, s.Close())
			must(t, os.Remove(filepath.Join(dir, "outbox.db")))
			for i := range want {
				if want[i].State == outbox.Queued && !want[i].Begun.IsZero() {
					want[i].State = outbox.Reconcile
				}
			}
			equal(t, want, all(t, storetest.OpenDir(t, dir)))
		})
	}
}

// The journal may lose its end in a power cut, or somebody deletes it: then the index has more, and must give it back to the journal.
//
// Fault 19: and what is left of each helps the other.
func TestIndexGivesBackWhatTheJournalLost(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"all of it":    func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "journal"))) },
		"its last bit": func(t *testing.T, dir string) { cutNewestSegment(t, dir, 600) },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", clean ", clean), func(t *testing.T) {
				dir := t.TempDir()
				s := storetest.OpenDir(t, dir)
				mix(t, s)
				often := accept(t, s, "often", item("often"))[0]
				for range 50 { // more numbers than there are things to give back
					must(t, s.Save(outbox.Tried, often))
				}
				accept(t, s, "last", item("last"))
				want := all(t, s)
				must(t, s.Close())
				if !clean {
					unclean(t, dir)
				}
				harm(t, dir)
				s = storetest.OpenDir(t, dir)
				equal(t, want, all(t, s))
				next := accept(t, s, "next", item("next"))
				if last := want[len(want)-1].Seq; next[0].Seq <= last {
					t.Errorf("number %d was given out again: %d was there", next[0].Seq, last)
				}
				want = all(t, s)
				must(t, s.Close())
				must(t, os.Remove(filepath.Join(dir, "outbox.db"))) // now the journal must have it
				for i := range want {
					if want[i].State == outbox.Queued && !want[i].Begun.IsZero() {
						want[i].State = outbox.Reconcile
					}
				}
				equal(t, want, all(t, storetest.OpenDir(t, dir)))
			})
		}
	}
}

// cutNewestSegment takes bytes off the end of what was written last.
func cutNewestSegment(t *testing.T, dir string, n int64) {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(filepath.Join(dir, "journal"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		info, err := os.Stat(name)
		must(t, err)
		if info.Size() > 2*n {
			must(t, os.Truncate(name, info.Size()-n))
			return
		}
	}
	t.Fatalf("no segment is long enough: %v", names)
}

func TestHalfMadeFilesAreRemovedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	want := mix(t, s)
	must(t, s.Close())
	for _, name := range []string{"outbox.db.new", "outbox.db.compact", "outbox.db.check"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	s = storetest.OpenDir(t, dir)
	equal(t, want, all(t, s))
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "outbox.db.") {
			t.Errorf("%s is still there", e.Name())
		}
	}
}
