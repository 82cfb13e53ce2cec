package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// alarms collects what the store tells.
type alarms chan store.Alarm

func newAlarms() alarms { return make(alarms, 1000) }

func (a alarms) take(got store.Alarm) { a <- got }

// wait gives the next alarm of a kind.
func (a alarms) wait(t *testing.T, kind store.AlarmKind) store.Alarm {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case got := <-a:
			if got.Kind == kind {
				return got
			}
		case <-limit:
			t.Fatalf("no alarm of kind %s", kind)
		}
	}
}

// kinds gives the alarms that were told so far.
func (a alarms) kinds() (kinds []store.AlarmKind) {
	for {
		select {
		case got := <-a:
			kinds = append(kinds, got.Kind)
		default:
			return kinds
		}
	}
}

func options(dir string) store.Options { return store.Options{Dir: dir, Keys: storetest.Keys()} }

// mix makes a store with items in all states, and gives what Items says of it.
func mix(t *testing.T, s *store.Store) []outbox.Item {
	t.Helper()
	for i, change := range []outbox.Change{"", outbox.Tried, outbox.Started, outbox.Dropped, outbox.Finished, outbox.Edited} {
		it := accept(t, s, fmt.Sprint("leg ", i), item(fmt.Sprint("leg ", i)))[0]
		switch change {
		case outbox.Tried:
			it.State, it.Attempts, it.Tries = outbox.Retry, 1, []outbox.Try{{At: start, Kind: "offline", Message: "no route"}}
		case outbox.Dropped:
			it.State, it.Reason = outbox.Discarded, "a test call"
		case outbox.Finished:
			it.State, it.Receipt.ID = outbox.Done, "r1"
		case outbox.Edited:
			it.WriteBack.CustomerID = "c7"
		default:
			if change == outbox.Started {
				it.Begun = start
			}
		}
		if change == "" {
			continue
		}
		if err := s.Save(change, it); err != nil {
			t.Fatal(err)
		}
	}
	live, _ := storetest.Call("live")
	if err := s.Track(live); err != nil {
		t.Fatal(err)
	}
	return all(t, s)
}

func all(t *testing.T, s *store.Store) []outbox.Item {
	t.Helper()
	items, err := s.Items(store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// equal compares items as a disk keeps them.
func equal(t *testing.T, want, got []outbox.Item) {
	t.Helper()
	text := func(items []outbox.Item) string {
		b, err := json.MarshalIndent(items, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if text(want) != text(got) {
		t.Errorf("want %s\ngot %s", text(want), text(got))
	}
}

func TestIndexThatWasHarmedIsMadeAnewFromTheJournal(t *testing.T) {
	for _, test := range []struct {
		name string
		harm func(t *testing.T, path string)
		kept bool // the harmed file is in quarantine
	}{
		{"missing", func(t *testing.T, path string) { must(t, os.Remove(path)) }, false},
		{"empty", func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, true},
		{"cut in the middle", func(t *testing.T, path string) { must(t, os.Truncate(path, 12<<10)) }, true},
		{"cut within its first page", func(t *testing.T, path string) { must(t, os.Truncate(path, 100)) }, true},
		{"both meta pages gone", func(t *testing.T, path string) { overwrite(t, path, 0, make([]byte, 8192)) }, true},
		{"not a database", func(t *testing.T, path string) { must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 64<<10), 0o600)) }, true},
		{"a leaf is zeros", func(t *testing.T, path string) { overwrite(t, path, leaf(t, path, "state"), make([]byte, 4096)) }, true},
		{"a bit flipped in a value", func(t *testing.T, path string) { flip(t, path, "log") }, true},
		{"a bit flipped in a state", func(t *testing.T, path string) { flip(t, path, "state") }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := storetest.OpenDir(t, dir)
			for i := range 50 { // so that buckets have pages of their own
				accept(t, s, fmt.Sprint("more ", i), item(fmt.Sprint("more ", i)))
			}
			want := mix(t, s)
			must(t, s.Close())
			unclean(t, dir)
			test.harm(t, filepath.Join(dir, "outbox.db"))

			told := newAlarms()
			o := options(dir)
			o.Alarm, o.Probe = told.take, probeCommand(t)
			s = storetest.OpenWith(t, o)
			if got := told.wait(t, store.AlarmRebuilt); got.Msg == "" {
				t.Error("the alarm says nothing")
			}
			for i := range want {
				if want[i].State == outbox.Queued && !want[i].Begun.IsZero() {
					want[i].State = outbox.Reconcile
				}
			}
			equal(t, want, all(t, s))
			if live, err := s.Live(); err != nil || len(live) != 1 {
				t.Errorf("live calls %v, %v", live, err)
			}
			if kept := len(quarantined(t, dir)) == 1; kept != test.kept {
				t.Errorf("in quarantine: %v, want %v", kept, test.kept)
			}
		})
	}
}

// unclean makes a store that was closed look as if it had been killed.
func unclean(t *testing.T, dir string) {
	t.Helper()
	must(t, store.Plant(dir, storetest.Keys(), func(p store.Planter) error {
		return p.Head(func(_ *int, clean *bool) { *clean = false })
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(with, at)
	must(t, err)
	must(t, f.Close())
}

// value gives the first value in a bucket, as it lies on the disk.
func value(t *testing.T, path, bucket string) (v []byte, root int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	must(t, db.View(func(tx *bbolt.Tx) error {
		_, got := tx.Bucket([]byte(bucket)).Cursor().First()
		v, root = bytes.Clone(got), int64(tx.Bucket([]byte(bucket)).RootPage())*int64(db.Info().PageSize)
		return nil
	}))
	must(t, db.Close())
	return v, root
}

func leaf(t *testing.T, path, bucket string) int64 {
	t.Helper()
	_, root := value(t, path, bucket)
	if root == 0 {
		t.Fatal("the bucket lies in its parent's page: the test needs more items")
	}
	return root
}

// flip changes one bit in the middle of a bucket's first value: bbolt does not notice.
func flip(t *testing.T, path, bucket string) {
	t.Helper()
	v, _ := value(t, path, bucket)
	file, err := os.ReadFile(path)
	must(t, err)
	found := false
	for at := 0; ; { // older pages may hold it too
		i := bytes.Index(file[at:], v)
		if i < 0 {
			break
		}
		found = true
		at += i + len(v)/2
		file[at] ^= 4
	}
	if !found {
		t.Fatal("the value is not in the file")
	}
	must(t, os.WriteFile(path, file, 0o600))
}

func quarantined(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "quarantine"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

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

func TestCommitThatFailsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	told := newAlarms()
	o := options(dir)
	o.Alarm = told.take
	s := storetest.OpenWith(t, o)
	mix(t, s)
	for i := range 3 {
		s.BreakFile()
		leg := fmt.Sprint("after ", i)
		it := accept(t, s, leg, item(leg))[0]
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
func TestIndexGivesBackWhatTheJournalLost(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"all of it":    func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "journal"))) },
		"its last bit": func(t *testing.T, dir string) { cutNewestSegment(t, dir, 600) },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", clean ", clean), func(t *testing.T) {
				dir := t.TempDir()
				s := storetest.OpenDir(t, dir)
				want := mix(t, s)
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
