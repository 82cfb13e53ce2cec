package store_test

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

func openWithKeys(t *testing.T, dir string, keys secret.Ring) (*store.Store, alarms) {
	t.Helper()
	told := newAlarms()
	s, err := store.Open(store.Options{Dir: dir, Keys: keys, Alarm: told.take})
	must(t, err)
	return s, told
}

// Fault 47: the key is lost, then there again.
func TestItemsComeBackWithTheirKey(t *testing.T) {
	dir := t.TempDir()
	lost, err := secret.NewRing()
	must(t, err)
	s, _ := openWithKeys(t, dir, lost)
	before := accept(t, s, "before", item("before"))[0]
	must(t, s.Close())

	found, err := secret.NewRing()
	must(t, err)
	s, told := openWithKeys(t, dir, found)
	if got := told.wait(t, store.AlarmKeys); got.Count != 1 {
		t.Errorf("%d records are told to be sealed with a key that is not here, want 1", got.Count)
	}
	after := accept(t, s, "after", item("after"))[0]
	if after.Seq <= before.Seq {
		t.Errorf("number %d was given out again", after.Seq)
	}
	if got := standings(t, s); len(got) != 1 {
		t.Errorf("%d items without the key, want 1", len(got))
	}
	must(t, s.Close())
	s, told = openWithKeys(t, dir, found)
	told.wait(t, store.AlarmKeys) // still
	must(t, s.Close())

	both := found.With(lost)
	s, told = openWithKeys(t, dir, both)
	if got := standings(t, s); len(got) != 2 || got[0].Seq != before.Seq || got[1].Seq != after.Seq {
		t.Errorf("with both keys %+v", got)
	}
	if it, err := s.Latest("before", "key before"); err != nil || it.Seq != before.Seq {
		t.Errorf("by its key: %+v, %v", it, err)
	}
	if kinds := told.kinds(); len(kinds) > 0 {
		t.Errorf("told %v", kinds)
	}
	must(t, s.Check())
	must(t, s.Close())
}

func TestANewKeyBesideTheOldOneChangesNothing(t *testing.T) {
	dir := t.TempDir()
	old, err := secret.NewRing()
	must(t, err)
	s, _ := openWithKeys(t, dir, old)
	want := mix(t, s)
	must(t, s.Close())
	rotated, err := old.WithNewKey()
	must(t, err)
	s, told := openWithKeys(t, dir, rotated)
	for i := range want {
		if want[i].State == outbox.Queued && !want[i].Begun.IsZero() {
			want[i].State = outbox.Reconcile
		}
	}
	equal(t, want, all(t, s))
	if kinds := told.kinds(); len(kinds) > 0 {
		t.Errorf("told %v", kinds)
	}
	must(t, s.Check())
	must(t, s.Close())
}

func TestAStoreWithoutKeysIsRefused(t *testing.T) {
	if _, err := store.Open(store.Options{Dir: t.TempDir()}); cti.KindOf(err) != cti.Invalid {
		t.Errorf("got %v", err)
	}
	_ = storetest.Keys()
}
