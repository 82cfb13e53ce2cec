package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// updatesBehindOneInDoubt gives an item that may be in the CRM and waits for a person, and two updates of it: the index was made anew between them, so the second could
// not take the place of the first.
func updatesBehindOneInDoubt(t *testing.T) *rig {
	r := newCRMRig(t, windowed)
	r.crm.fails(fault{kind: cti.Uncertain, after: true})
	r.acceptWrite(write("a", "1", "first"))
	r.run()
	r.acceptWrite(write("a", "1", "second"))
	r.crash()
	r.store.rebuild()
	r.open()
	r.acceptWrite(write("a", "1", "third"))
	pass(48 * time.Hour)
	r.run()
	if got := r.store.states(); len(got) != 3 || got[0] != outbox.Review {
		t.Fatalf("states %v, want the first in review and two behind it", got)
	}
	return r
}

// All that waits behind a discarded item is discarded with it, not only what waits directly.
func TestADiscardTakesAllUpdatesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := updatesBehindOneInDoubt(t)
		if err := r.box.Discard(1, "it is there"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		for seq, state := range r.store.states() {
			if state != outbox.Discarded {
				t.Errorf("item %d is %s, want it discarded", seq+1, state)
			}
		}
		r.crm.onceEach(t, map[string]string{"a": "first"})
	})
}

// Fault 13: an update that the disk refused and kept is discarded too: left alone it would not wait for the first any more.
func TestADiscardTakesAnUpdateWithItThatTheDiskRefusedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := updatesBehindOneInDoubt(t)
		r.crash()
		r.store.rebuild()
		r.open()
		r.run()
		r.store.liar = true
		if err := r.box.Edit(1, cti.WrapUp{Note: "fourth"}); err == nil {
			t.Fatal("edited on a disk that refuses")
		}
		r.store.liar = false
		if err := r.box.Discard(2, "not wanted"); err != nil {
			t.Fatal(err)
		}
		if err := r.box.Edit(1, cti.WrapUp{Note: "fifth"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		r.crm.onceEach(t, map[string]string{"a": "first"})
		it, err := r.box.Get(uint64(len(r.store.items)))
		if err != nil || it.After != 1 || it.State.Final() {
			t.Errorf("the newest is %+v, %v, want it waiting behind the first", it.Standing(), err)
		}
	})
}

// A predecessor that may be in the CRM counts, final or not, also where nothing waits for it: here the disk gave back an update whose
// own predecessor was discarded.
func TestAnUpdateOfWhatMayBeThereIsNotSentAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := updatesBehindOneInDoubt(t)
		r.crash()
		it := r.store.items[2]
		it.State = outbox.Discarded
		r.store.items[2] = it
		r.open()
		r.run()
		pass(time.Hour)
		r.crm.onceEach(t, map[string]string{"a": "first"})
		if it := r.store.items[3]; it.State != outbox.Review {
			t.Errorf("the update is %+v, want it with a person", it.Standing())
		}
	})
}
