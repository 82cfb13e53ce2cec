package journal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"ringside.dev/ringside/app/secret"
)

// lastStart is where the last record of written begins: both records of the last group are equally long.
func lastStart(ends []int64) int64 { return (ends[1] + ends[2]) / 2 }

// Fault 24: a torn tail.
func TestTornTailIsNoDamageAndTheJournalGoesOn(t *testing.T) {
	content, ends := written(t)
	dir := t.TempDir()
	for cut := ends[1]; cut < ends[2]; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, 4096), bytes.Repeat([]byte{0xFF}, 100)} {
			torn := slices.Concat(content[:cut], tail)
			whole := []string{"1 aa", "2 bb", "3 cc"}
			same := func(end int64) bool { // the tail happens to be what was cut off, but for the padding, which need not be there
				return cut >= end-7 || bytes.HasPrefix(tail, content[cut:end-7])
			}
			if same(lastStart(ends)) {
				whole = append(whole, "4 dd")
			}
			if same(ends[2]) {
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

// Whatever byte of whatever record is wrong: that record alone is missed, and one before the last group is counted.
//
// Fault 24: a bad record in the middle.
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
		case !padding && (!slices.Equal(got, want) || d.Records != btoi(n < 3)):
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
		wantAll(t, openWith(t, dir, system()), Damage{Records: 2}, "1 aa", "2 bb", "3 cc", "6 f")
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
		if _, err := j.Append(group(fmt.Sprintf("%0500d", i)), false); err != nil {
			t.Fatal(err)
		}
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
	// It is damage, though no record says that it was flushed.
	p := replay{keys: j.keys, segment: 1, each: func(Record, Position) error { return nil }, damage: &Damage{}}
	if err := p.read(badSectors{bytes.NewReader(content[:20*sector]), 5 * sector}, headerSize, 20*sector); err != nil || p.damage.Records == 0 {
		t.Errorf("what could not be read is no damage: %+v, %v", p.damage, err)
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

// What was written after the last flush may be there or not, in any choice, after a power cut: whatever is not is no damage, now and at every later
// start. What was flushed before is.
func TestOnlyWhatWasFlushedCanBeDamaged(t *testing.T) {
	dir := t.TempDir()
	j := openWith(t, dir, system())
	var starts []int64
	for i, data := range []string{"aa", "bb", "cc", "dd", "ee", "ff"} {
		starts = append(starts, j.End().Offset)
		if _, err := j.Append(group(data), i == 0 || i == 2); err != nil {
			t.Fatal(err)
		}
	}
	starts = append(starts, j.End().Offset)
	content, err := os.ReadFile(path(dir, 1)) // as a kill leaves it, or a power cut: the last three are not flushed
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"1 aa", "2 bb", "3 cc", "4 dd", "5 ee", "6 ff"}
	for choice := 0; choice < 1<<len(all); choice += 2 { // the first one stays: nothing tells how many were before a gap at the beginning
		left, damaged, bad := []string{}, 0, slices.Clone(content)
		for i, there := range all {
			if choice&(1<<i) == 0 {
				left = append(left, there)
				continue
			}
			clear(bad[starts[i]:starts[i+1]])
			if i < 3 {
				damaged++
			}
		}
		if choice>>3 == 7 { // then nothing says that the second flush came to its end
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(path(dir, 1), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, reader := range []*Journal{Read(Options{Dir: dir, Keys: keys(t, testKey)}), openWith(t, dir, hasty()), openWith(t, dir, hasty())} {
			if got, d := readAll(t, reader); !slices.Equal(got, left) || d.Records < damaged || damaged == 0 && d != (Damage{}) { // a gap that begins before the flush counts whole
				t.Fatalf("choice %b: got %q with %+v, want %q with %d at least", choice, got, d, left, damaged)
			}
		}
	}
}

// What an earlier run left behind its last flush was flushed by the next one, and can be damaged from then on.
func TestWhatAStartFlushedCanBeDamaged(t *testing.T) {
	content, ends := written(t)
	j := reopened(t, t.TempDir(), content)
	bad := slices.Clone(content)
	clear(bad[lastStart(ends):])
	if err := os.WriteFile(path(j.dir, 1), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	wantAll(t, j, Damage{Records: 1}, "1 aa", "2 bb", "3 cc", "4 dd")

	f := &faulty{fail: once("sync earlier", 1, syscall.EIO)} // then nobody can tell
	dir := t.TempDir()
	if err := os.WriteFile(path(dir, 1), content, 0o600); err != nil {
		t.Fatal(err)
	}
	j = openWith(t, dir, f.disk())
	if err := os.WriteFile(path(dir, 1), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	wantAll(t, j, Damage{}, "1 aa", "2 bb", "3 cc", "4 dd")
}

func TestRecordBehindDamageSaysSo(t *testing.T) {
	content, ends := written(t)
	bad := slices.Clone(content)
	bad[ends[0]+recordHead+20] ^= 1
	var after []uint64
	if _, err := reopened(t, t.TempDir(), bad).Replay(Position{}, func(r Record, _ Position) error {
		if r.AfterDamage {
			after = append(after, r.Number)
		}
		return nil
	}); err != nil || !slices.Equal(after, []uint64{4}) {
		t.Errorf("records %v, %v", after, err)
	}
}
