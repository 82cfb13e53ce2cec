package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// Wherever the index was cut, that is known before anything of it is mapped; whole, it is not taken for cut.
func TestACutIndexIsKnownByItsLength(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenWith(t, store.Options{Dir: dir, Keys: storetest.Keys()})
	storetest.Fill(t, s, 200)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "outbox.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CheckLength(path); err != nil {
		t.Errorf("a whole index: %v", err)
	}
	for size := 4096 * 3; size < len(whole)/2; size += 4096 * 5 {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckLength(path); err == nil || !strings.Contains(err.Error(), "it was cut") {
			t.Errorf("cut after %d of %d bytes: %v", size, len(whole), err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}
