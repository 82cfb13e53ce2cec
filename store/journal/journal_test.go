package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

var ring = newRing()

func newRing() secret.Ring {
	r, err := secret.NewRing()
	if err != nil {
		panic(err)
	}
	return r
}

func open(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: dir, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// add appends one group of records with this data and gives where it ends.
func add(t testing.TB, j *journal.Journal, data ...string) journal.Position {
	t.Helper()
	var group []journal.Record
	for _, d := range data {
		group = append(group, journal.Record{Kind: "enqueue", Data: []byte(d)})
	}
	end, err := j.Append(group, true)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// read gives the data of all records from a position on, each as "number data".
func read(t testing.TB, j *journal.Journal, from journal.Position) ([]string, journal.Damage) {
	t.Helper()
	var got []string
	d, err := j.Replay(from, func(r journal.Record, _ journal.Position) error {
		got = append(got, fmt.Sprintf("%d %s", r.Number, r.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, d
}

// want fails unless the journal gives exactly these records, and no damage.
func want(t testing.TB, j *journal.Journal, from journal.Position, records ...string) {
	t.Helper()
	if got, d := read(t, j, from); !slices.Equal(got, records) || d != (journal.Damage{}) {
		t.Errorf("got %q with %+v, want %q", got, d, records)
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.rjl"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRecordsComeBackInOrderOverRuns(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	want(t, j, journal.Position{})
	middle := add(t, j, "a", "b")
	add(t, j, "c")
	want(t, j, journal.Position{}, "1 a", "2 b", "3 c")
	want(t, j, middle, "3 c")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if j.Last() != 3 {
		t.Errorf("last is %d", j.Last())
	}
	end := add(t, j, "d", "")
	want(t, j, middle, "3 c", "4 d", "5 ")
	want(t, j, end)
	if j.End() != end {
		t.Errorf("ends at %v, want %v", j.End(), end)
	}
}

func TestAppendNumbersTheRecordsItWasGiven(t *testing.T) {
	j := open(t, t.TempDir())
	add(t, j, "a")
	group := []journal.Record{{Kind: "done"}, {Kind: "done"}}
	if _, err := j.Append(group, false); err != nil || group[0].Number != 2 || group[1].Number != 3 || j.Last() != 3 {
		t.Errorf("numbers %d and %d, last %d: %v", group[0].Number, group[1].Number, j.Last(), err)
	}
}

// A run that was killed leaves zeros, and what was not flushed is still in the system's memory.
func TestRunThatWasKilledLosesNothing(t *testing.T) {
	dir := t.TempDir()
	for run := range 5 {
		j := open(t, dir) // never closed
		add(t, j, fmt.Sprint("run ", run))
		if _, err := j.Append([]journal.Record{{Kind: "done", Data: []byte("lazy")}}, false); err != nil {
			t.Fatal(err)
		}
	}
	want(t, open(t, dir), journal.Position{}, "1 run 0", "2 lazy", "3 run 1", "4 lazy", "5 run 2", "6 lazy", "7 run 3", "8 lazy", "9 run 4", "10 lazy")
}

func TestLongSegmentGetsASuccessorAndIsCutToItsLength(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	big := bytes.Repeat([]byte{'x'}, 3<<20)
	for range 7 {
		if _, err := j.Append([]journal.Record{{Kind: "call", Data: big}}, true); err != nil {
			t.Fatal(err)
		}
	}
	names := files(t, dir)
	if len(names) != 3 {
		t.Fatalf("%d segments, want 3", len(names))
	}
	var sum int64
	for i, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum += info.Size(); i < 2 && info.Size()%(1<<20) == 0 {
			t.Errorf("%s: %d bytes", name, info.Size())
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 { // there the folder's access list decides
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
	if j.Size() != sum {
		t.Errorf("size is %d, want %d", j.Size(), sum)
	}
	n := 0
	d, err := j.Replay(journal.Position{}, func(r journal.Record, _ journal.Position) error {
		if n++; r.Number != uint64(n) || !bytes.Equal(r.Data, big) {
			t.Errorf("record %d has number %d and %d bytes", n, r.Number, len(r.Data))
		}
		return nil
	})
	if err != nil || d != (journal.Damage{}) || n != 7 {
		t.Errorf("%d records, %+v, %v", n, d, err)
	}
}

func TestDropKeepsWhatIsBehindAndTheNumbers(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	// Whoever wrote a segment has gone before another opens it: what is held cannot be deleted on Windows.
	again := func() {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, dir)
	}
	add(t, j, "a")
	again()
	second := add(t, j, "b")
	again()
	third := add(t, j, "c")
	if err := j.Drop(journal.Position{Segment: second.Segment, Offset: second.Offset - 8}); err != nil {
		t.Fatal(err)
	}
	want(t, j, journal.Position{}, "2 b", "3 c")
	if err := j.Drop(second); err != nil {
		t.Fatal(err)
	}
	want(t, j, journal.Position{}, "3 c")
	for range 3 {
		again()
		if err := j.Drop(journal.Position{Segment: third.Segment + 100}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, j, journal.Position{})
	if n := len(files(t, dir)); n != 1 || j.Last() != 3 {
		t.Errorf("%d segments, last number %d", n, j.Last())
	}
	add(t, j, "d")
	want(t, j, third, "4 d")
}

func TestJournalGoesOnBehindWhatAnIndexRemembers(t *testing.T) {
	known := journal.Position{Segment: 40, Offset: 5000}
	j, err := journal.Open(journal.Options{Dir: t.TempDir(), Keys: ring, Known: known, Above: 700})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if end := add(t, j, "a"); end.Segment <= known.Segment {
		t.Errorf("wrote to segment %d", end.Segment)
	}
	want(t, j, known, "701 a")
}

func TestReplayStopsAtTheFirstErrorOfItsCaller(t *testing.T) {
	j := open(t, t.TempDir())
	add(t, j, "a", "b")
	calls := 0
	_, err := j.Replay(journal.Position{}, func(journal.Record, journal.Position) error {
		calls++
		return os.ErrDeadlineExceeded
	})
	if err != os.ErrDeadlineExceeded || calls != 1 { //nolint:errorlint // as it was given
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestRefusedRecordsLeaveTheJournalAsItWas(t *testing.T) {
	j := open(t, t.TempDir())
	for _, r := range []journal.Record{{Kind: strings.Repeat("k", 17)}, {Data: make([]byte, journal.MaxData+1)}} {
		if _, err := j.Append([]journal.Record{{Kind: "fine"}, r}, true); err == nil {
			t.Error("a record that is too long was taken")
		}
	}
	add(t, j, "a")
	want(t, j, journal.Position{}, "1 a")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(nil, true); err == nil {
		t.Error("a closed journal took a record")
	}
	if err := j.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := journal.Open(journal.Options{Dir: t.TempDir()}); err == nil {
		t.Error("opened without keys")
	}
}

func TestNothingIsInClearButKinds(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	add(t, j, "+442079460000 Ann Example", strings.Repeat("+442079460000", 100))
	for _, name := range files(t, dir) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("4420794")) || bytes.Contains(content, []byte("Example")) {
			t.Errorf("%s holds a customer in clear", name)
		}
		if !bytes.Contains(content, []byte("enqueue")) {
			t.Errorf("%s does not hold the record at all", name)
		}
	}
}
