package outbox_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// While the disk takes down another content of an item, the old one is not sent: the new one would be lost, or come first.
func TestAnItemIsNotSentWhileItIsReplaced(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		r.acceptWrite(write("a", "1", "first"))
		r.store.flush = time.Second
		go func() {
			w := write("a", "1", "second")
			if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		r.run()
		if r.crm.writes() != 0 {
			t.Error("sent in the middle of its edit")
		}
		pass(time.Minute)
		r.crm.onceEach(t, map[string]string{"a": "second"})
		if r.crm.writes() != 1 || len(r.store.items) != 1 {
			t.Errorf("%d writes of %d items, want one of one", r.crm.writes(), len(r.store.items))
		}
	})
}

// Fault 13: a content that the disk refused and kept is not taken for old news when it comes again.
func TestAContentThatTheDiskRefusedAndKeptIsTakenTheNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		unclear := write("a", "1", "note")
		unclear.Identity = cti.IdentityUnclear
		r.run()
		r.acceptWrite(unclear)
		r.store.liar = true
		if err := r.box.Accept(cti.Call{}, cti.WrapUp{}, []cti.WriteBack{write("a", "1", "note")}); err == nil {
			t.Fatal("accepted by a disk that refuses")
		}
		r.store.liar = false
		r.acceptWrite(write("a", "1", "note"))
		r.crm.onceEach(t, map[string]string{"a": "note"})
	})
}

// Fault 30: stopped while the CRM refuses the connection: nothing was written, so there is nothing to look up.
func TestARefusalWhileStoppingTakesTheMarkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.rep = cti.Repeat{Find: true, Settle: time.Minute}
		r.sender.send = func() error { r.stop(); return fail(cti.Offline) }
		r.accept("a", "1")
		r.run()
		if it := r.store.items[1]; it.State != outbox.Queued || !it.Begun.IsZero() || it.Attempts != 0 {
			t.Errorf("it is %+v, want queued without a mark", it)
		}
	})
}

// With the update taken down as done and the item before it not, a power cut would bring the older content back.
func TestDoneIsTakenDownInOrderOfTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, upserting)
		r.acceptWrite(write("a", "1", "first"))
		r.store.stick(true)
		r.run()
		r.acceptWrite(write("a", "1", "second"))
		r.store.mu.Lock()
		r.store.stuck, r.store.refused = false, map[uint64]bool{1: true}
		r.store.mu.Unlock()
		pass(time.Minute)
		r.acceptWrite(write("a", "1", "third"))
		pass(time.Minute)
		if got := r.store.states(); slices.Contains(got, outbox.Done) {
			t.Errorf("states %v, want nothing done before the first is", got)
		}
		r.crash()
		r.store.refused = nil
		r.store.cut()
		r.open()
		r.run()
		pass(time.Hour)
		r.crm.onceEach(t, map[string]string{"a": "third"})
	})
}
