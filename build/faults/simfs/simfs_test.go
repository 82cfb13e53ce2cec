//go:build linux

package simfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func mount(t *testing.T, base string) *FS {
	t.Helper()
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	f, err := Mount(t.TempDir(), base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// must is for steps whose failure ends the test.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func syncDir(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	must(t, err)
	must(t, d.Sync())
	must(t, d.Close())
}

func TestFS_behavesLikeAFileSystemAndWritesItsLog(t *testing.T) {
	f := mount(t, "")
	sub := filepath.Join(f.Dir, "sub")
	must(t, os.Mkdir(sub, 0o700))
	w, err := os.OpenFile(filepath.Join(sub, "new"), os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	_, err = w.WriteAt([]byte("hello"), 4090) // over the edge of a page
	must(t, err)
	must(t, w.Sync())
	must(t, w.Truncate(4093))
	must(t, os.Rename(w.Name(), filepath.Join(sub, "name")))
	syncDir(t, sub)
	notes, err := os.OpenFile(f.Notes(), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = notes.WriteString("here\n")
	must(t, errors.Join(err, notes.Close()))
	got, err := os.ReadFile(filepath.Join(sub, "name"))
	must(t, err)
	if want := append(make([]byte, 4090), "hel"...); !bytes.Equal(got, want) {
		t.Errorf("read %q", got)
	}
	must(t, w.Close())
	must(t, os.Remove(filepath.Join(sub, "name")))
	must(t, os.Remove(sub))
	if entries, err := os.ReadDir(f.Dir); err != nil || len(entries) > 1 {
		t.Errorf("%v %v, want nothing but the notes", entries, err)
	}
	var lines []string
	for _, op := range f.Log() {
		lines = append(lines, op.String())
	}
	want := []string{"mkdir sub", "create sub/new", "write sub/new 4090+5", "sync sub/new", "truncate sub/new to 4093", "rename sub/new to name",
		"syncdir sub", "note here", "unlink sub/name", "unlink sub"}
	if !slices.Equal(lines, want) {
		t.Errorf("the log is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestFS_truncatesOnOpenAndAppends(t *testing.T) {
	f := mount(t, "")
	name := filepath.Join(f.Dir, "a")
	must(t, os.WriteFile(name, []byte("long content"), 0o600))
	must(t, os.WriteFile(name, []byte("short"), 0o600))
	a, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = a.WriteString("er")
	must(t, errors.Join(err, a.Close()))
	if got, err := os.ReadFile(name); err != nil || string(got) != "shorter" {
		t.Errorf("%q %v", got, err)
	}
}

func TestFS_startsWithAFolderThatIsDurable(t *testing.T) {
	base := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(base, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(base, "sub", "a"), []byte("there"), 0o600))
	f := mount(t, base)
	if got, err := os.ReadFile(filepath.Join(f.Dir, "sub", "a")); err != nil || string(got) != "there" {
		t.Errorf("%q %v", got, err)
	}
	same(t, pictures(t, f.Log(), Cut{Loss: Torn}, 30), "sub/ sub/a=there")
}

func TestFS_failsWhatItIsTold(t *testing.T) {
	f := mount(t, "")
	a, err := os.Create(filepath.Join(f.Dir, "a"))
	must(t, err)
	defer func() { _ = a.Close() }()
	fault := f.Inject(&Fault{Kind: Sync, Path: "a", Match: func(op Op) bool { return op.Off == 0 }, Skip: 1, Times: 1, Err: syscall.EIO})
	for i, want := range []error{nil, syscall.EIO, nil} {
		_, err = a.WriteAt([]byte{byte('0' + i)}, 0)
		must(t, err)
		if err := a.Sync(); !errors.Is(err, want) {
			t.Errorf("flush %d: %v, want %v", i, err, want)
		}
	}
	if fault.Hits() != 1 {
		t.Errorf("%d hits, want 1", fault.Hits())
	}
	second := f.Inject(&Fault{Kind: Create, Err: syscall.EIO})
	if _, err := os.Create(filepath.Join(f.Dir, "b")); !errors.Is(err, syscall.EIO) {
		t.Errorf("create: %v, want EIO", err)
	}
	second.Stop()
	b, err := os.Create(filepath.Join(f.Dir, "b"))
	must(t, err)
	must(t, b.Close())
}

func TestFS_isFullWhenItIsTold(t *testing.T) {
	f := mount(t, "")
	a, err := os.Create(filepath.Join(f.Dir, "a"))
	must(t, err)
	defer func() { _ = a.Close() }()
	f.Limit(3 * pageSize)
	must(t, os.WriteFile(filepath.Join(f.Dir, "ballast"), make([]byte, pageSize), 0o600))
	if _, err := a.WriteAt(make([]byte, 3*pageSize), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write three pages: %v, want ENOSPC", err)
	}
	if s, err := a.Stat(); err != nil || s.Size() > 2*pageSize {
		t.Errorf("%d bytes (%v), want what there was room for", s.Size(), err)
	}
	_, err = a.WriteAt([]byte("over"), 0)
	must(t, err) // there is a block already
	must(t, os.Remove(filepath.Join(f.Dir, "ballast")))
	_, err = a.WriteAt([]byte("more"), 2*pageSize)
	must(t, err)
	f.Limit(0)
	_, err = a.WriteAt([]byte("more"), 9*pageSize)
	must(t, err)
	f.Full(pageSize)
	_, err = a.WriteAt(make([]byte, pageSize), 10*pageSize)
	must(t, err)
	if _, err := a.WriteAt(make([]byte, pageSize), 11*pageSize); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write one page more: %v, want ENOSPC", err)
	}
}

func TestFS_isReadOnlyWhenItIsTold(t *testing.T) {
	f := mount(t, "")
	a, err := os.Create(filepath.Join(f.Dir, "a"))
	must(t, err)
	defer func() { _ = a.Close() }()
	f.ReadOnly(true)
	_, err = a.WriteString("x")
	_, create := os.Create(filepath.Join(f.Dir, "b"))
	for what, err := range map[string]error{"write": err, "create": create, "remove": os.Remove(a.Name()), "truncate": a.Truncate(3)} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
	f.ReadOnly(false)
	_, err = a.WriteString("x")
	must(t, err)
}

func TestFS_aSlowFlushIsSlow(t *testing.T) {
	f := mount(t, "")
	f.Delay(50 * time.Millisecond)
	a, err := os.Create(filepath.Join(f.Dir, "a"))
	must(t, err)
	began := time.Now()
	must(t, a.Sync())
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("took %s", took)
	}
	must(t, a.Close())
}
