package recordings_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/recordings"
)

var id, other = cti.ID("a"), cti.ID("b")

func open(t *testing.T, dir string, keys secret.Ring) *recordings.Store {
	t.Helper()
	s, err := recordings.Open(dir, keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ring(t *testing.T) secret.Ring {
	t.Helper()
	r, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNotesAndPartsSurviveTheProgram(t *testing.T) {
	dir, keys := t.TempDir(), ring(t)
	s := open(t, dir, keys)
	must(t, s.Put(id, []byte("first")))
	must(t, s.Put(id, []byte("https://pbx.example.com/1?token=c0ffee")))
	must(t, s.Put(other, []byte("another")))
	must(t, s.Append(id, 0, []byte("one ")))
	must(t, s.Append(id, 4, []byte("two")))
	must(t, os.WriteFile(filepath.Join(dir, id+"-0000000000000007.part.tmp"), []byte("half"), 0o600))

	s = open(t, dir, keys)
	var ids []string
	must(t, s.Each(func(id string) error { ids = append(ids, id); return nil }))
	if want := []string{id, other}; !slices.Equal(ids, slices.Sorted(slices.Values(want))) {
		t.Errorf("the notes are %v, want %v", ids, want)
	}
	note, err := s.Get(id)
	if err != nil || string(note) != "https://pbx.example.com/1?token=c0ffee" {
		t.Errorf("the note is %q, %v", note, err)
	}
	var whole bytes.Buffer
	if size, err := s.Size(id); err != nil || size != 7 {
		t.Errorf("there are %d bytes, %v, want 7", size, err)
	}
	if err := s.WriteTo(&whole, id); err != nil || whole.String() != "one two" {
		t.Errorf("the parts are %q, %v", whole.String(), err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("what was half written stays: %v, %v", left, err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte("c0ffee")) || bytes.Contains(text, []byte("two")) {
			t.Errorf("%s can be read: %v", path, err)
		}
		return nil
	})
	must(t, err)

	must(t, s.Remove(id))
	must(t, s.Remove(id))
	if _, err := s.Get(id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a removed note gives %v", err)
	}
	if size, err := s.Size(id); err != nil || size != 0 {
		t.Errorf("%d bytes are left, %v", size, err)
	}
	if _, err := s.Get(other); err != nil {
		t.Errorf("the other one went too: %v", err)
	}
}

// Whatever is behind a gap, or cannot be opened, is fetched again: nothing of it becomes part of a file.
func TestPartsBehindDamageAreNoParts(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, part func(offset string) string){
		"gone":     func(t *testing.T, part func(string) string) { must(t, os.Remove(part("4"))) },
		"flipped":  func(t *testing.T, part func(string) string) { flip(t, part("4")) },
		"another":  func(t *testing.T, part func(string) string) { swap(t, part("4"), part("7")) },
		"cut":      func(t *testing.T, part func(string) string) { must(t, os.Truncate(part("4"), 3)) },
		"emptied":  func(t *testing.T, part func(string) string) { must(t, os.Truncate(part("4"), 0)) },
		"of noone": func(t *testing.T, part func(string) string) { must(t, os.Rename(part("4"), part("5"))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, keys := t.TempDir(), ring(t)
			s := open(t, dir, keys)
			must(t, s.Append(id, 0, []byte("one ")))
			must(t, s.Append(id, 4, []byte("two")))
			must(t, s.Append(id, 7, []byte("six")))
			harm(t, func(offset string) string { return filepath.Join(dir, id+"-000000000000000"+offset+".part") })
			if size, err := s.Size(id); err != nil || size != 4 {
				t.Errorf("there are %d bytes, %v, want 4", size, err)
			}
			must(t, s.Append(id, 4, []byte("new")))
			var whole bytes.Buffer
			if err := s.WriteTo(&whole, id); err != nil || whole.String() != "one new" {
				t.Errorf("the parts are %q, %v", whole.String(), err)
			}
		})
	}
}

func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	must(t, os.Rename(a, a+"x"))
	must(t, os.Rename(b, a))
	must(t, os.Rename(a+"x", b))
}

func TestOtherKeysOpenNothingAndHarmNothingButParts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, ring(t))
	must(t, s.Put(id, []byte("note")))
	must(t, s.Append(id, 0, []byte("one")))
	s = open(t, dir, ring(t))
	if _, err := s.Get(id); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("the note gives %v", err)
	}
	if size, err := s.Size(id); err != nil || size != 0 {
		t.Errorf("%d bytes, %v", size, err)
	}
}

func TestAnIDThatIsNoneNamesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "in"), ring(t))
	for _, bad := range []string{"", "..", "../x", `a\b`, "*", "A", "note.x"} {
		if s.Put(bad, nil) == nil || s.Append(bad, 0, nil) == nil || s.Remove(bad) == nil {
			t.Errorf("%q is taken for an id", bad)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

func TestWithoutAKeyNothingIsWritten(t *testing.T) {
	dir := t.TempDir()
	if s := open(t, dir, secret.Ring{}); s.Put(id, []byte("x")) == nil {
		t.Error("something was written that is not sealed")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("there is %v, %v", entries, err)
	}
}
