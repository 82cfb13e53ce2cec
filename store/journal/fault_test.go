package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"ringside.dev/ringside/app/secret"
)

// testKey is always the same, so that what a fuzzer keeps can be opened again.
const testKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func keys(t testing.TB, text string) secret.Ring {
	t.Helper()
	r, err := secret.ParseRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openWith(t testing.TB, dir string, d disk) *Journal {
	t.Helper()
	j, err := open(Options{Dir: dir, Keys: keys(t, testKey)}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func group(data ...string) []Record {
	var records []Record
	for _, d := range data {
		records = append(records, Record{Kind: "enqueue", Data: []byte(d)})
	}
	return records
}

func appendTo(t testing.TB, j *Journal, data ...string) Position {
	t.Helper()
	end, err := j.Append(group(data...), true)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func readAll(t testing.TB, j *Journal) ([]string, Damage) {
	t.Helper()
	var got []string
	d, err := j.Replay(Position{}, func(r Record, _ Position) error {
		got = append(got, fmt.Sprintf("%d %s", r.Number, r.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, d
}

func wantAll(t testing.TB, j *Journal, damage Damage, records ...string) {
	t.Helper()
	if got, d := readAll(t, j); !slices.Equal(got, records) || d != damage {
		t.Errorf("got %q with %+v, want %q with %+v", got, d, records, damage)
	}
}

// written makes a journal with three groups, aa and bb, cc, dd and ee, in one segment, and gives the segment's content cut to its length and
// where each group ends.
func written(t testing.TB) (content []byte, ends []int64) {
	t.Helper()
	dir := t.TempDir()
	j := openWith(t, dir, system())
	for _, g := range [][]string{{"aa", "bb"}, {"cc"}, {"dd", "ee"}} {
		ends = append(ends, appendTo(t, j, g...).Offset)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	return content, ends
}

// reopened opens a journal whose only segment has this content.
func reopened(t testing.TB, dir string, content []byte) *Journal {
	t.Helper()
	for _, name := range []uint64{1, 2} {
		_ = os.Remove(path(dir, name))
	}
	if err := os.WriteFile(path(dir, 1), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return openWith(t, dir, hasty())
}

// hasty is the system's disk without its flushes, where only the content matters.
func hasty() disk {
	d := system()
	d.sync = func(*os.File) error { return nil }
	d.syncDir = func(string) error { return nil }
	create := d.create
	d.create = func(name string) (file, error) {
		f, err := create(name)
		if err != nil {
			return nil, err
		}
		return hastyFile{f}, nil
	}
	return d
}

type hastyFile struct{ file }

func (hastyFile) Sync() error { return nil }

// lastStart is where the last record of written begins: both records of the last group are equally long.
func lastStart(ends []int64) int64 { return (ends[1] + ends[2]) / 2 }

func TestTornTailIsNoDamageAndTheJournalGoesOn(t *testing.T) {
	content, ends := written(t)
	dir := t.TempDir()
	for cut := ends[1]; cut < ends[2]; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, 4096), bytes.Repeat([]byte{0xFF}, 100)} {
			torn := slices.Concat(content[:cut], tail)
			whole := []string{"1 aa", "2 bb", "3 cc"}
			if cut >= lastStart(ends)-7 { // padding need not be there
				whole = append(whole, "4 dd")
			}
			if cut >= ends[2]-7 {
				whole = append(whole, "5 ee")
			}
			j := reopened(t, dir, torn)
			if got, d := readAll(t, j); d != (Damage{}) || !slices.Equal(got, whole) {
				t.Fatalf("cut at %d of %d: got %q with %+v, want %q", cut, ends[2], got, d, whole)
			}
			last := j.Last()
			appendTo(t, j, "next")
			got, d := readAll(t, j)
			if d != (Damage{}) || got[len(got)-1] != fmt.Sprintf("%d next", last+1) {
				t.Fatalf("cut at %d: then got %q with %+v", cut, got, d)
			}
			_ = j.Close()
		}
	}
}

// Whatever byte of whatever record is wrong: that record alone is missed, and one in the middle is counted.
func TestFlippedBitsCostOneRecord(t *testing.T) {
	content, ends := written(t)
	all := []string{"1 aa", "2 bb", "3 cc", "4 dd", "5 ee"}
	length := (ends[0] - headerSize) / 2
	dir := t.TempDir()
	for i := int64(headerSize); i < ends[2]; i++ {
		bad := slices.Clone(content)
		bad[i] ^= 1 << (i % 8)
		j := reopened(t, dir, bad)
		got, d := readAll(t, j)
		n := int((i - headerSize) / length)
		padding := (i-headerSize)%length >= recordHead+int64(len("enqueue"))+32+2
		switch want := slices.Concat(all[:n], all[n+1:]); {
		case padding && (!slices.Equal(got, all) || d != Damage{}):
			t.Fatalf("padding byte %d: got %q with %+v", i, got, d)
		case !padding && (!slices.Equal(got, want) || d.Records != btoi(n < 4)):
			t.Fatalf("byte %d: got %q with %+v, want %q", i, got, d, want)
		}
		_ = j.Close()
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Once a later segment says how far the one before it goes, its last record cannot vanish without being counted.
func TestDamageAtTheEndOfAFinishedSegmentIsCounted(t *testing.T) {
	content, ends := written(t)
	for name, bad := range map[string][]byte{"cut": content[:ends[1]], "zeros": append(slices.Clone(content[:ends[1]]), make([]byte, ends[2]-ends[1])...)} {
		dir := t.TempDir()
		j := reopened(t, dir, content)
		appendTo(t, j, "f")
		if err := os.WriteFile(path(dir, 1), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		wantAll(t, j, Damage{Records: 2}, "1 aa", "2 bb", "3 cc", "6 f")
	}
}

func TestZeroedSectorCostsWhatWasInIt(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, system())
	var all []string
	for i := range 100 {
		data := fmt.Sprintf("%0300d", i)
		appendTo(t, j, data)
		all = append(all, fmt.Sprintf("%d %s", i+1, data))
	}
	end := j.End().Offset
	_ = j.Close()
	content, err := os.ReadFile(path(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(512); at+512 < end-400; at += 512 {
		bad := slices.Clone(content)
		clear(bad[at : at+512])
		j := reopened(t, dir, bad)
		got, d := readAll(t, j)
		if len(got)+d.Records != 100 || d.Records < 2 || d.Records > 3 || d.UnknownKey != 0 {
			t.Fatalf("sector at %d: %d records and %+v", at, len(got), d)
		}
		for _, g := range got {
			if !slices.Contains(all, g) {
				t.Fatalf("sector at %d: %q was never written", at, g)
			}
		}
		_ = j.Close()
	}
}

func TestDamagedHeaderCostsNoRecord(t *testing.T) {
	content, _ := written(t)
	dir := t.TempDir()
	for i := range headerSize {
		bad := slices.Clone(content)
		bad[i] ^= 0x10
		j := reopened(t, dir, bad)
		wantAll(t, j, Damage{}, "1 aa", "2 bb", "3 cc", "4 dd", "5 ee")
		if j.Last() != 5 {
			t.Fatalf("byte %d: last is %d", i, j.Last())
		}
		_ = j.Close()
	}
}

func TestCopiedSegmentIsDamage(t *testing.T) {
	content, _ := written(t)
	dir := t.TempDir()
	for _, name := range []uint64{1, 2} {
		if err := os.WriteFile(path(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, stranger := range []string{"7.rjl", "0000000000000003.rjl.bak", "0000000000000000.rjl", "x"} { // are not looked at
		if err := os.WriteFile(filepath.Join(dir, stranger), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j := openWith(t, dir, system())
	wantAll(t, j, Damage{Records: 5}, "1 aa", "2 bb", "3 cc", "4 dd", "5 ee")
}

func TestRecordThatWasPutThereTwiceIsDamage(t *testing.T) {
	content, ends := written(t)
	twice := slices.Concat(content[:ends[1]], content[headerSize:ends[0]], content[ends[1]:])
	wantAll(t, reopened(t, t.TempDir(), twice), Damage{Records: 2}, "1 aa", "2 bb", "3 cc", "4 dd", "5 ee")
}

func TestUnknownKeyIsCountedAndItsNumbersAreNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	old := openWith(t, dir, system())
	appendTo(t, old, "a", "b")
	_ = old.Close()
	other, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	j, err := Open(Options{Dir: dir, Keys: other})
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, j, "c")
	wantAll(t, j, Damage{UnknownKey: 2}, "3 c")
	_ = j.Close()
	both := keys(t, other.Text()+" "+testKey)
	if j, err = Open(Options{Dir: dir, Keys: both}); err != nil {
		t.Fatal(err)
	}
	wantAll(t, j, Damage{}, "1 a", "2 b", "3 c")
	_ = j.Close()
}

// A sector that cannot be read costs what is in it, and neither the rest nor, by the next header, what may be readable tomorrow.
func TestUnreadableSectorCostsWhatIsInIt(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, system())
	for i := range 2000 {
		appendTo(t, j, fmt.Sprintf("%0500d", i))
	}
	content, err := os.ReadFile(path(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(badSectors{bytes.NewReader(content), 5 * sector}, headerSize, j.End().Offset)
	n := 0
	for _, _, ok := r.next(); ok; _, _, ok = r.next() {
		n++
	}
	if lost := 2000 - n; lost < sector/600 || lost > sector/500+2 || !r.failed {
		t.Errorf("%d records lost, failed: %v", lost, r.failed)
	}
}

// badSectors fails every read that touches the sector at a place.
type badSectors struct {
	io.ReaderAt
	at int64
}

func (b badSectors) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= b.at || off >= b.at+sector {
		return b.ReaderAt.ReadAt(p, off)
	}
	n, _ := b.ReaderAt.ReadAt(p[:max(0, b.at-off)], off)
	return n, syscall.EIO
}

// faulty is the system's disk without its flushes, but what fail names fails, after having done half of it.
type faulty struct {
	fail  func(op string) error
	files []*faultyFile
}

type faultyFile struct {
	osFile
	of *faulty
}

func (f *faulty) disk() disk {
	under := system()
	return disk{
		create: func(name string) (file, error) {
			if err := f.fail("create"); err != nil {
				return nil, err
			}
			made, err := under.create(name)
			if err != nil {
				return nil, err
			}
			ff := &faultyFile{made.(osFile), f} //nolint:errcheck // it is one
			f.files = append(f.files, ff)
			return ff, nil
		},
		sync:    func(*os.File) error { return f.fail("sync earlier") },
		syncDir: func(string) error { return f.fail("syncdir") },
	}
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	op := "write"
	if bytes.Equal(b, zeros[:min(len(b), step)]) {
		op = "zeros"
	}
	if err := f.of.fail(op); err != nil {
		n, _ := f.osFile.WriteAt(b[:len(b)/2], off)
		return n, err
	}
	return f.osFile.WriteAt(b, off)
}

func (f *faultyFile) Sync() error { return f.of.fail("sync") }
func (f *faultyFile) Truncate(size int64) error {
	return errors.Join(f.of.fail("truncate"), f.osFile.Truncate(size))
}

// once fails the nth of an operation, from now on.
func once(op string, nth int, err error) func(string) error {
	return func(o string) error {
		if o == op {
			if nth--; nth == 0 {
				return err
			}
		}
		return nil
	}
}

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
	}{{group("a"), true, 1}, {group("b"), false, 0}, {group("c"), false, 0}, {nil, true, 1}, {nil, true, 0}, {group("d", "e"), true, 1}} {
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
	content, _ := written(t)
	huge := slices.Concat(content, bytes.Repeat(content[headerSize:headerSize+8], 1<<16)) // heads with a wrong length
	r := newReader(bytes.NewReader(huge), headerSize, int64(len(huge)))
	for _, _, ok := r.next(); ok; _, _, ok = r.next() {
	}
	if cap(r.buf) > 2*window {
		t.Errorf("holds %d bytes", cap(r.buf))
	}
}
