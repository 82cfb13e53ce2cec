package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/spool"
)

func newRing(t testing.TB) secret.Ring {
	t.Helper()
	r, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t testing.TB, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fresh(t testing.TB) (*spool.Spool, spool.Options) {
	t.Helper()
	o := spool.Options{Dir: filepath.Join(t.TempDir(), "spool"), Keys: newRing(t)}
	return open(t, o), o
}

func put(t testing.TB, s *spool.Spool, content string) spool.File {
	t.Helper()
	f, err := s.Put(t.Context(), strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func get(s *spool.Spool, f spool.File) (string, error) {
	c, err := s.Open(f)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// names lists the folder, but for the identity.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "identity" {
			names = append(names, e.Name())
		}
	}
	return names
}

func long(n int) string { return strings.Repeat("0123456789abcdef", n/16) }

func TestFilesComeBackAfterARestart(t *testing.T) {
	s, o := fresh(t)
	contents := []string{"", "x", long(64 << 10), long(1 << 20)}
	var files []spool.File
	for _, content := range contents {
		f := put(t, s, content)
		if f.Size != int64(len(content)) || len(f.SHA256) != 64 {
			t.Errorf("described as %+v", f)
		}
		files = append(files, f)
	}
	keys, err := o.Keys.WithNewKey()
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = keys // also after the keys were renewed
	s = open(t, o)
	for i, f := range files {
		encoded, err := json.Marshal(f) // as an item keeps it
		if err != nil {
			t.Fatal(err)
		}
		f = spool.File{}
		if err := json.Unmarshal(encoded, &f); err != nil {
			t.Fatal(err)
		}
		if got, err := get(s, f); err != nil || got != contents[i] {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(contents[i]))
		}
		if err := s.Verify(f); err != nil {
			t.Error(err)
		}
	}
	if !slices.IsSortedFunc(files, func(a, b spool.File) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("names are not in the order of time")
	}
}

func TestContentSeeks(t *testing.T) {
	s, _ := fresh(t)
	content := long(300 << 10)
	c, err := s.Open(put(t, s, content))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, at := range []int64{0, 65535, 65536, 200_000, int64(len(content)) - 1} {
		b := make([]byte, min(70_000, int64(len(content))-at))
		if _, err := c.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) || string(b) != content[at:at+int64(len(b))] {
			t.Errorf("at %d: %v", at, err)
		}
	}
	if _, err := c.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != content[len(content)-5:] {
		t.Errorf("the end is %q, %v", b, err)
	}
	if c.Size() != int64(len(content)) {
		t.Errorf("size is %d", c.Size())
	}
}

func TestNothingInTheFolderIsInClear(t *testing.T) {
	s, o := fresh(t)
	f := put(t, s, long(4096)+"Ann Example")
	for _, name := range append(names(t, o.Dir), "identity") {
		b, err := os.ReadFile(filepath.Join(o.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("Example")) || bytes.Contains(b, []byte("0123456789abcdef")) || bytes.Contains(b, []byte("AGE-SECRET")) {
			t.Errorf("%s is in clear", name)
		}
		info, err := os.Stat(filepath.Join(o.Dir, name))
		if err != nil || runtime.GOOS != "windows" && (info.Mode().Perm()&0o077 != 0 || name != "identity" && info.Mode().Perm() != 0o400) { // Windows has no such modes
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	if want := []string{f.ID + ".age"}; !slices.Equal(names(t, o.Dir), want) {
		t.Errorf("the folder holds %q, want %q", names(t, o.Dir), want)
	}
}

// conflict is nil when a file is refused as one that is not what it was, with words for a person.
func conflict(s *spool.Spool, f spool.File) error {
	if err := s.Verify(f); cti.KindOf(err) != cti.Conflict || cti.MessageOf(err) == "" {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// Fault 45: changed, cut or deleted.
func TestFileThatChangedOrWentIsAConflict(t *testing.T) {
	s, o := fresh(t)
	f := put(t, s, long(200<<10))
	name := filepath.Join(o.Dir, f.ID+".age")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := errors.Join(os.RemoveAll(name), os.WriteFile(name, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for at := 0; at < len(good); at += 1 + at/10 {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		write(bad)
		if err := conflict(s, f); err != nil {
			t.Errorf("byte %d: %v", at, err)
		}
		write(good[:at])
		if err := conflict(s, f); err != nil {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
	write(append(bytes.Clone(good), 0))
	if err := conflict(s, f); err != nil {
		t.Errorf("a byte more: %v", err)
	}
	write(good)
	if _, err := s.Open(spool.File{ID: f.ID, SHA256: f.SHA256, Size: f.Size - 1}); cti.KindOf(err) != cti.Conflict {
		t.Errorf("longer than it was: %v", err)
	}
	other := put(t, s, strings.ToUpper(long(200<<10)))
	b, err := os.ReadFile(filepath.Join(o.Dir, other.ID+".age"))
	if err != nil {
		t.Fatal(err)
	}
	write(b)
	if err := conflict(s, f); err != nil {
		t.Errorf("another file in its place: %v", err)
	}
	stranger, _ := fresh(t)
	if err := conflict(stranger, f); err != nil {
		t.Errorf("in another folder: %v", err)
	}
	write(good)
	if err := s.Verify(f); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	if err := s.Remove(f.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(f); cti.KindOf(err) != cti.Conflict {
		t.Errorf("removed: %v", err)
	}
	if err := s.Remove(f.ID); err != nil {
		t.Errorf("removed twice: %v", err)
	}
}

func TestDamageFoundWhileReadingIsAConflict(t *testing.T) {
	s, o := fresh(t)
	f := put(t, s, long(300<<10))
	name := filepath.Join(o.Dir, f.ID+".age")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[150_000] ^= 1
	if err := errors.Join(os.Remove(name), os.WriteFile(name, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := get(s, f); cti.KindOf(err) != cti.Conflict || len(got) > 150_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestNamesThatAreNoneDoNotReachTheDisk(t *testing.T) {
	s, o := fresh(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(o.Dir), "victim.age"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "../victim", "identity", strings.Repeat("0", 25), strings.Repeat("u", 26)} {
		for verb, err := range map[string]error{"remove": s.Remove(id), "verify": s.Verify(spool.File{ID: id})} {
			if cti.KindOf(err) != cti.Invalid {
				t.Errorf("%s %q: %v", verb, id, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(o.Dir), "victim.age")); err != nil {
		t.Error(err)
	}
}

func TestPutThatFailsLeavesNothing(t *testing.T) {
	s, o := fresh(t)
	broken := io.MultiReader(strings.NewReader(long(100<<10)), iotest.ErrReader(io.ErrClosedPipe))
	if f, err := s.Put(t.Context(), broken); !errors.Is(err, io.ErrClosedPipe) || f != (spool.File{}) {
		t.Errorf("broken source: %+v, %v", f, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	started := readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if f, err := s.Put(ctx, started); !errors.Is(err, context.Canceled) || f != (spool.File{}) {
		t.Errorf("ended: %+v, %v", f, err)
	}
	if left := names(t, o.Dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSweepRemovesWhatNoItemNames(t *testing.T) {
	s, o := fresh(t)
	named, leftover := put(t, s, "named"), put(t, s, "leftover")
	for _, other := range []string{"notes.age", "notes.tmp"} { // not ours
		if err := os.WriteFile(filepath.Join(o.Dir, other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	items := func(id string) bool { return id == named.ID }
	if n, err := s.Sweep(items, 0); n != 0 || err != nil {
		t.Errorf("in the same run, where an item may be about to name it: %d, %v", n, err)
	}
	s = open(t, o)
	if n, err := s.Sweep(items, time.Hour); n != 0 || err != nil {
		t.Errorf("too young: %d, %v", n, err)
	}
	if n, err := s.Sweep(items, 0); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if err := s.Verify(named); err != nil {
		t.Error(err)
	}
	if err := conflict(s, leftover); err != nil {
		t.Error(err)
	}
	if want := []string{named.ID + ".age", "notes.age", "notes.tmp"}; !slices.Equal(names(t, o.Dir), want) {
		t.Errorf("the folder holds %q, want %q", names(t, o.Dir), want)
	}
	if _, err := s.Put(t.Context(), strings.NewReader("the spool still works")); err != nil {
		t.Error(err)
	}
}

func TestRecoveryIdentityReadsFilesWithoutTheSpool(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		recipient string
		identity  age.Identity
	}{{classic.Recipient().String(), classic}, {hybrid.Recipient().String(), hybrid}} {
		_, o := fresh(t) // a spool may get its recovery recipient later, or another one
		o.Recovery = test.recipient
		s := open(t, o)
		f := put(t, s, "a call")
		if err := s.Verify(f); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(filepath.Join(o.Dir, f.ID+".age"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(b), test.identity)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "a call" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	_, o := fresh(t)
	o.Recovery = "age1nonsense"
	if _, err := spool.Open(o); !errors.Is(err, secret.ErrRecipient) {
		t.Errorf("got %v", err)
	}
}

func TestSpoolWithoutItsKeysIsRefused(t *testing.T) {
	s, o := fresh(t)
	f := put(t, s, "a call")
	with := o
	with.Keys = newRing(t)
	if _, err := spool.Open(with); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("other keys: %v", err)
	}
	if _, err := spool.Open(spool.Options{Dir: t.TempDir()}); err == nil {
		t.Error("no keys: opened")
	}
	if err := s.Verify(f); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	identity := filepath.Join(o.Dir, "identity")
	b, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(identity, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(o); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("damaged identity: %v", err)
	}
}
