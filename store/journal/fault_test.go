package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestFailedAppendDoesNotCountAndTheNextBeginsASegment(t *testing.T) {
	for _, op := range []string{"write", "sync"} {
		for _, cut := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, cut %v", op, cut), func(t *testing.T) {
				dir := t.TempDir()
				f := &faulty{fail: func(string) error { return nil }}
				j := openWith(t, dir, f.disk())
				appendTo(t, j, "a")
				fail := once(op, 1, syscall.EIO)
				f.fail = func(o string) error {
					if o == "truncate" && !cut {
						return syscall.EIO
					}
					return fail(o)
				}
				if _, err := j.Append(group("lost 1", "lost 2"), true); !errors.Is(err, syscall.EIO) {
					t.Fatalf("got %v", err)
				}
				wantAll(t, j, Damage{}, "1 a")
				if end := appendTo(t, j, "b"); end.Segment != 2 || j.Last() != 2 {
					t.Errorf("went on at %v, last %d", end, j.Last())
				}
				wantAll(t, j, Damage{}, "1 a", "2 b")
				// also after the process died
				j = openWith(t, dir, system())
				wantAll(t, j, Damage{}, "1 a", "2 b")
				if appendTo(t, j, "c"); j.Last() != 4 { // 3 was used, for a record that does not count
					t.Errorf("last is %d", j.Last())
				}
				wantAll(t, j, Damage{}, "1 a", "2 b", "4 c")
			})
		}
	}
}

func TestFullDiskIsMetBeforeARecordIsPromised(t *testing.T) {
	dir := t.TempDir()
	full := false
	f := &faulty{fail: func(op string) error {
		if full && (op == "zeros" || op == "write") {
			return syscall.ENOSPC
		}
		return nil
	}}
	j := openWith(t, dir, f.disk())
	// What was reserved needs no space, so only growing fails.
	f.fail = func(op string) error {
		if full && op == "zeros" {
			return syscall.ENOSPC
		}
		return nil
	}
	full = true
	var all []string
	record := func(i int) string { return fmt.Sprintf("%02d%0100000d", i, 0) }
	i := 0
	for ; ; i++ {
		if _, err := j.Append(group(record(i)), true); err != nil {
			if !errors.Is(err, syscall.ENOSPC) || i != 10 {
				t.Errorf("after %d records: %v", i, err)
			}
			break
		}
		all = append(all, fmt.Sprintf("%d %s", i+1, record(i)))
	}
	f.fail = func(op string) error {
		if full && (op == "zeros" || op == "write") {
			return syscall.ENOSPC
		}
		return nil
	}
	for range 3 {
		if _, err := j.Append(group("x"), true); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	wantAll(t, j, Damage{}, all...)
	if names, _ := segments(dir); len(names) != 1 {
		t.Errorf("segments %v are left", names)
	}
	full = false
	appendTo(t, j, "y")
	wantAll(t, j, Damage{}, append(all, "11 y")...)
}

func TestJournalThatCannotBeWrittenCanBeRead(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, system())
	appendTo(t, j, "a")
	_ = j.Close()
	for _, op := range []string{"create", "write", "sync", "syncdir"} {
		f := &faulty{fail: once(op, 1, syscall.EROFS)}
		j := openWith(t, dir, f.disk())
		wantAll(t, j, Damage{}, "1 a")
		f.fail = once(op, 1, syscall.EROFS)
		if _, err := j.Append(group("x"), true); !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", op, err)
		}
		wantAll(t, j, Damage{}, "1 a")
		if err := j.Drop(Position{Segment: 100}); err != nil {
			t.Errorf("%s: %v", op, err)
		}
		wantAll(t, j, Damage{}, "1 a") // it alone knows the numbers
		if err := j.Close(); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// A flush of a later segment must bring the records of an earlier one that were not flushed.
func TestRotationFlushesWhatWasNot(t *testing.T) {
	f := &faulty{fail: func(string) error { return nil }}
	j := openWith(t, t.TempDir(), f.disk())
	big := make([]byte, full)
	if end, err := j.Append([]Record{{Data: big}}, false); err != nil || end.Segment != 1 {
		t.Fatal(end, err)
	}
	f.fail = once("sync", 1, syscall.EIO)
	if _, err := j.Append(group("y"), true); !errors.Is(err, syscall.EIO) {
		t.Errorf("the unflushed record was left behind: %v", err)
	}
	if end := appendTo(t, j, "z"); end.Segment != 2 || j.Last() != 2 {
		t.Errorf("went on at %v, last %d", end, j.Last())
	}
}

func TestFlushIsAskedForExactlyWhenItIsPromised(t *testing.T) {
	syncs := 0
	f := &faulty{fail: func(op string) error {
		if op == "sync" {
			syncs++
		}
		return nil
	}}
	j := openWith(t, t.TempDir(), f.disk())
	for _, step := range []struct {
		records []Record
		flush   bool
		want    int
	}{{group("a"), true, 1}, {group("b"), false, 0}, {group("c"), false, 0}, {nil, true, 1}, {nil, true, 0}, {group("d", "e"), true, 1},
		{[]Record{{Data: make([]byte, step)}}, false, 1}, {nil, true, 1}} { // zeros written ahead are always flushed
		syncs = 0
		if _, err := j.Append(step.records, step.flush); err != nil || syncs != step.want {
			t.Errorf("%d records, flush %v: %d syncs, %v", len(step.records), step.flush, syncs, err)
		}
	}
}

// A position that an index remembers may be behind the end, when the records before it were not flushed and the power failed.
func TestPositionBehindTheEndGoesOnWithTheNextSegment(t *testing.T) {
	content, ends := written(t)
	j := reopened(t, t.TempDir(), content[:ends[0]])
	appendTo(t, j, "next")
	for _, from := range []int64{ends[1], ends[2], 1 << 40} {
		var got []string
		d, err := j.Replay(Position{1, from}, func(r Record, _ Position) error {
			got = append(got, string(r.Data))
			return nil
		})
		if err != nil || d != (Damage{}) || !slices.Equal(got, []string{"next"}) {
			t.Errorf("from %d: %q, %+v, %v", from, got, d, err)
		}
	}
}

func TestReplayHoldsOneRecordAtATime(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, hasty())
	for _, size := range []int{100, 3 << 20, 100, 100} {
		if _, err := j.Append([]Record{{Data: make([]byte, size)}}, false); err != nil {
			t.Fatal(err)
		}
	}
	for range 2000 {
		if _, err := j.Append([]Record{{Data: make([]byte, 1000)}}, false); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := newReader(f, headerSize, j.End().Offset)
	n := 0
	for _, _, ok := r.next(); ok; _, _, ok = r.next() {
		n++
	}
	if n != 2004 || cap(r.buf) > 2*window {
		t.Errorf("%d records, holds %d bytes", n, cap(r.buf))
	}
}

// When the process, but not the computer, died, its last group may be in the system's memory only; from now on it is acted upon.
func TestOpenFlushesWhatAnEarlierRunWrote(t *testing.T) {
	dir := t.TempDir()
	appendTo(t, openWith(t, dir, system()), "a")
	syncs := 0
	f := &faulty{fail: func(op string) error {
		if op == "sync earlier" {
			syncs++
		}
		return nil
	}}
	wantAll(t, openWith(t, dir, f.disk()), Damage{}, "1 a")
	if syncs != 1 {
		t.Errorf("%d flushes", syncs)
	}
}

// A number out of all reason would leave no numbers for what follows.
func TestRecordWithAnImpossibleNumberIsDamage(t *testing.T) {
	content, ends := written(t)
	for _, number := range []uint64{0, maxNumber, 1<<64 - 1} {
		bad := appendRecord(slices.Clone(content[:ends[0]]), Record{Number: number, Kind: "enqueue"}, headerSize, make([]byte, 32))
		j := reopened(t, t.TempDir(), slices.Concat(bad, content[ends[0]:]))
		wantAll(t, j, Damage{Records: 1}, "1 aa", "2 bb", "3 cc", "4 dd", "5 ee")
		if j.Last() != 5 {
			t.Errorf("last is %d", j.Last())
		}
	}
}

func TestHeaderBelongsToItsSegment(t *testing.T) {
	h := header{segment: 7, prev: tail{6, 100, 3, 90}, next: 4, high: 5}
	if got, good := readHeader(bytes.NewReader(h.encode()), 7); !good || got != h {
		t.Errorf("got %+v, %v", got, good)
	}
	if _, good := readHeader(bytes.NewReader(h.encode()), 8); good {
		t.Error("good under another number")
	}
}

// Also in a run that finds the folder: the one that made it may have been killed in between.
func TestOpenFlushesTheNamesOnTheWayToTheFolder(t *testing.T) {
	top := realDir(t)
	dir := filepath.Join(top, "a", "b", "journal")
	for _, run := range []string{"first", "second"} {
		for _, refused := range []error{nil, syscall.EACCES, syscall.EPERM, syscall.EINVAL} {
			var flushed []string
			d := system()
			d.syncDir = func(name string) error {
				flushed = append(flushed, name)
				if refused != nil && name == filepath.Dir(top) {
					return &os.PathError{Op: "open", Path: name, Err: refused}
				}
				return nil
			}
			appendTo(t, openWith(t, dir, d), "x")
			for _, name := range []string{dir, filepath.Dir(dir), filepath.Join(top, "a"), top, filepath.Dir(top)} {
				if !slices.Contains(flushed, name) {
					t.Errorf("%s run, %v: %s is not flushed, only %q", run, refused, name, flushed)
				}
			}
		}
	}
}

func TestNothingIsPromisedInAFolderWhoseNameIsNotFlushed(t *testing.T) {
	dir := filepath.Join(realDir(t), "journal")
	d := system()
	fail := true
	d.syncDir = func(name string) error {
		if fail && name == filepath.Dir(dir) {
			return syscall.EIO
		}
		return nil
	}
	j := openWith(t, dir, d)
	if _, err := j.Append(group("x"), true); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	fail = false
	appendTo(t, j, "y")
	wantAll(t, j, Damage{}, "1 y")
}

// realDir is a folder by the name without links.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
