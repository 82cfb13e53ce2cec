package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that is really full: what was promised is there, and once there is room it goes on.
func TestRealDiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("no small disk to fill: mounting one answers %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "journal")
	j := openWith(t, home, system())
	var all []string
	fill := func() {
		for i := range 2000 {
			data := fmt.Sprintf("%d %s", i, strings.Repeat("x", 10_000))
			if _, err := j.Append(group(data), true); err != nil {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("got %v", err)
				}
				return
			}
			all = append(all, fmt.Sprintf("%d %s", j.Last(), data))
		}
		t.Error("never full")
	}
	for range 5 {
		fill()
	}
	if len(all) < 200 {
		t.Errorf("full after %d records", len(all))
	}
	wantAll(t, j, Damage{}, all...)
	j = openWith(t, home, system()) // as after a kill
	wantAll(t, j, Damage{}, all...)
	fill()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	before := len(all)
	fill()
	if len(all) < before+100 {
		t.Errorf("%d records more with room again", len(all)-before)
	}
	wantAll(t, j, Damage{}, all...)
	_ = j.Close()
}
