package journal

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// After a flush that failed the system may have thrown away all that was not flushed before, also what was acknowledged as such.
func TestWhatWasNotFlushedIsWrittenAgainAfterAnError(t *testing.T) {
	for _, op := range []string{"sync", "write", "create", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			dir := t.TempDir()
			f := &faulty{fail: func(string) error { return nil }}
			j := openWith(t, dir, f.disk())
			appendTo(t, j, "a")
			for _, r := range []string{"b", "c"} {
				if _, err := j.Append(group(r), false); err != nil {
					t.Fatal(err)
				}
			}
			f.fail = once("sync", 1, syscall.EIO)
			if _, err := j.Append(group("x"), true); !errors.Is(err, syscall.EIO) {
				t.Fatalf("got %v", err)
			}
			forget(t, path(dir, 1), j.prev.end)
			wantAll(t, j, Damage{}, "1 a", "2 b", "3 c")
			wantAll(t, j.Snapshot(), Damage{}, "1 a", "2 b", "3 c")
			nth := 1
			if op == "sync" || op == "write" {
				nth = 2 // the first is the header's
			}
			f.fail = once(op, nth, syscall.EIO) // it goes wrong once more
			if _, err := j.Append(group("y"), true); !errors.Is(err, syscall.EIO) {
				t.Fatalf("got %v", err)
			}
			wantAll(t, j, Damage{}, "1 a", "2 b", "3 c")
			appendTo(t, j, "d")
			wantAll(t, j, Damage{}, "1 a", "2 b", "3 c", "4 d")
			wantAll(t, openWith(t, dir, system()), Damage{}, "1 a", "2 b", "3 c", "4 d")
		})
	}
}

func TestCloseAfterAnErrorWritesWhatWasNotFlushed(t *testing.T) {
	for _, refused := range []error{nil, syscall.ENOSPC} {
		dir := t.TempDir()
		f := &faulty{fail: func(string) error { return nil }}
		j := openWith(t, dir, f.disk())
		if _, err := j.Append(group("a"), false); err != nil {
			t.Fatal(err)
		}
		f.fail = once("sync", 1, syscall.EIO)
		if _, err := j.Append(group("x"), true); !errors.Is(err, syscall.EIO) {
			t.Fatalf("got %v", err)
		}
		forget(t, path(dir, 1), j.prev.end)
		f.fail = once("create", 1, refused)
		if err := j.Close(); !errors.Is(err, refused) {
			t.Fatalf("closed with %v, want %v", err, refused)
		}
		if refused == nil {
			wantAll(t, openWith(t, dir, system()), Damage{}, "1 a")
		}
	}
}

func TestWhatIsNotFlushedIsBounded(t *testing.T) {
	syncs := 0
	f := &faulty{fail: func(op string) error {
		if op == "sync" {
			syncs++
		}
		return nil
	}}
	j := openWith(t, t.TempDir(), f.disk())
	for syncs = 0; syncs < 2; { // else it never ends
		if _, err := j.Append([]Record{{Data: make([]byte, 1000)}}, false); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, l := range j.loose {
			held += len(l.records) * 1000
		}
		if held > maxLoose+2000 {
			t.Fatalf("%d bytes are held", held)
		}
	}
}

// An index may have seen records behind one that a power cut took: then the journal does not hold what it saw. A segment whose header did not reach
// the disk says nothing of the one before.
func TestHoldsTellsOfAGapInWhatWasNotFlushed(t *testing.T) {
	for name, next := range map[string][]byte{"newest segment": nil, "header of the next lost": make([]byte, step)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := openWith(t, dir, system())
			flushed := appendTo(t, j, "a")
			var ends []Position
			for _, r := range []string{"b", "c"} {
				end, err := j.Append(group(r), false)
				if err != nil {
					t.Fatal(err)
				}
				ends = append(ends, end)
			}
			overwrite(t, path(dir, 1), ends[0].Offset-align, make([]byte, align)) // b is torn
			if next != nil {
				if err := os.WriteFile(path(dir, 2), next, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			j = openWith(t, dir, system())
			wantAll(t, j, Damage{}, "1 a", "3 c")
			if !j.Holds(flushed) || j.Holds(ends[1]) {
				t.Errorf("holds %v, and %v, in front of which a record is missing", j.Holds(flushed), j.Holds(ends[1]))
			}
		})
	}
}

// forget does to a file what a system does that could not write it: what was not flushed is zeros.
func forget(t *testing.T, name string, from int64) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() <= from {
		t.Fatal("there is nothing to forget")
	}
	overwrite(t, name, from, make([]byte, info.Size()-from))
}

func overwrite(t *testing.T, name string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(with, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
