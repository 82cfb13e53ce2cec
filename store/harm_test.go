package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/cti"
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
	if err := s.Track(live, cti.WrapUp{}); err != nil {
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

// Faults 20, 21, 22 and 23: the index is missing, empty, cut, zeroed or flipped.
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
