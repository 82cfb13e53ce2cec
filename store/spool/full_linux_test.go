package spool_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"ringside.dev/ringside/store/spool"
)

func TestFullDiskLeavesNothingAndPassesAgainWithRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small disk to fill: mounting one answers %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	o := spool.Options{Dir: dir, Keys: newRing(t)}
	s := open(t, o)
	f := put(t, s, long(600<<10))
	if _, err := s.Put(t.Context(), strings.NewReader(long(600<<10))); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	if err := s.Verify(f); err != nil {
		t.Error(err)
	}
	if err := s.Remove(f.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(put(t, s, long(600<<10))); err != nil {
		t.Error(err)
	}
}
