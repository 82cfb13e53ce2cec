// Package storetest gives tests a store in a temporary folder that is checked when the test ends, kills processes that use one, and measures
// it. It knows nothing of what a test does with it.
package storetest

import (
	"testing"

	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store"
)

// Keys is the ring of all tests: always the same, so that a store may be opened again by another process.
func Keys() secret.Ring {
	ring, err := secret.ParseRing("cmluZ3NpZGUgdGVzdHMgb25seSwgbm90IGEgc2VjcmU=")
	if err != nil {
		panic(err) // it is a constant
	}
	return ring
}

// Open gives a new store. When the test ends the store is opened once more and checked whole, even if the test closed it.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenDir(t, t.TempDir())
}

// OpenDir is Open in a folder of the caller's.
func OpenDir(t testing.TB, dir string) *store.Store {
	t.Helper()
	return OpenWith(t, store.Options{Dir: dir, Keys: Keys()})
}

// OpenWith is Open with options of the caller's.
func OpenWith(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(o)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		CheckWith(t, store.Options{Dir: o.Dir, Keys: o.Keys})
	})
	return s
}

// Check opens the store in a folder, checks it whole and closes it.
func Check(t testing.TB, dir string) {
	t.Helper()
	CheckWith(t, store.Options{Dir: dir, Keys: Keys()})
}

// CheckWith is Check with options of the caller's.
func CheckWith(t testing.TB, o store.Options) {
	t.Helper()
	s, err := store.Open(o)
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
