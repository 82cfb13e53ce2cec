package journal

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A program that tidies up is told success by Linux while the file is open, and so is everybody who writes to it.
func TestSegmentThatWasDeletedOrReplacedIsWrittenAgain(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"deleted": func(dir string) error { return os.Remove(path(dir, 2)) },
		"replaced": func(dir string) error {
			return errors.Join(os.Remove(path(dir, 2)), os.WriteFile(path(dir, 2), []byte("x"), 0o600))
		},
		"folder moved": func(dir string) error { return os.Rename(dir, dir+".old") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			j := openWith(t, dir, system())
			_ = j.Close()
			f := &faulty{fail: func(string) error { return nil }}
			j = openWith(t, dir, f.disk())
			appendTo(t, j, "a", "b")
			if _, err := j.Append(group("c"), false); err != nil {
				t.Fatal(err)
			}
			if rescued, err := j.Check(); rescued || err != nil {
				t.Fatalf("nothing happened, but %v, %v", rescued, err)
			}
			if err := harm(dir); err != nil {
				t.Skipf("this system does not let go of open files: %v", err)
			}
			for _, op := range []string{"create", "write", "sync"} {
				nth := 1
				if op != "create" {
					nth = 2 // the first is the header's
				}
				f.fail = once(op, nth, syscall.EIO)
				if rescued, err := j.Check(); rescued || !errors.Is(err, syscall.EIO) {
					t.Errorf("%s fails: %v, %v", op, rescued, err)
				}
			}
			f.fail = func(string) error { return nil }
			if rescued, err := j.Check(); !rescued || err != nil {
				t.Fatalf("%v, %v", rescued, err)
			}
			if rescued, err := j.Check(); rescued || err != nil {
				t.Errorf("again: %v, %v", rescued, err)
			}
			wantAll(t, j, Damage{}, "1 a", "2 b", "3 c")
			appendTo(t, j, "d")
			wantAll(t, openWith(t, dir, system()), Damage{}, "1 a", "2 b", "3 c", "4 d")
		})
	}
}
