package journal

import (
	"bytes"
	"fmt"
	"os"
	"slices"
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
	if err := f.of.fail("truncate"); err != nil {
		return err // and nothing is cut
	}
	return f.osFile.Truncate(size)
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
