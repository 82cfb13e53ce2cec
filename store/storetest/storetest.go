// Package storetest gives tests a store in a temporary folder that is checked when the test ends. It knows nothing of what a test does with it.
package storetest

import (
	"testing"

	"ringside.dev/ringside/store"
)

// Open gives a new store. When the test ends the store is opened once more and checked whole, even if the test closed it.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenDir(t, t.TempDir())
}

// OpenDir is Open in a folder of the caller's.
func OpenDir(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		Check(t, dir)
	})
	return s
}

// Check opens the store in a folder, checks it whole and closes it.
func Check(t testing.TB, dir string) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Errorf("open the store again: %v", err)
		return
	}
	if err := s.Check(); err != nil {
		t.Errorf("the store is not consistent: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}
