package outbox_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// The CRM has the record and the disk refuses to take that down.
func TestDoneThatTheDiskRefuses_isNotSentAgainAndSavedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("a", "1")
		r.store.fill(true)
		r.run()
		if p := r.lastNews(); p.Item.State != outbox.Done {
			t.Errorf("told %+v, want done: the CRM has it", p.Item)
		}
		pass(time.Minute)
		r.store.fill(false)
		pass(10 * time.Second)
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done}) || r.sent() != 1 {
			t.Errorf("states %v after %d sends, want done after one", got, r.sent())
		}
	})
}

func TestDoneThatTheDiskRefuses_isSavedAtTheEndOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("a", "1")
		r.store.fill(true)
		r.run()
		r.store.fill(false)
		r.crash()
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done}) {
			t.Errorf("states %v, want done", got)
		}
	})
}

func TestDoneThatTheDiskRefused_isNotEditedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.store.fill(true)
		r.run()
		r.store.fill(false)
		r.acceptWrite(write("a", "1", "first")) // nothing new
		r.acceptWrite(write("a", "1", "second"))
		pass(time.Minute)
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Done}) || !slices.Equal(r.notes(), []string{"first", "second"}) {
			t.Errorf("states %v after %v, want both done after one send each", got, r.notes())
		}
	})
}

// Only taking down what is done fails: the store still says queued, and that must not be believed.
func TestDoneThatTheDiskStillRefuses_isNotEditedInPlaceEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.acceptWrite(write("b", "2", "other"))
		r.store.stick(true)
		r.run()
		r.acceptWrite(write("a", "1", "second"))
		r.store.stick(false)
		pass(10 * time.Second)
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Done, outbox.Done}) || r.store.items[3].WriteBack.Record.WrapUp.Note != "second" || r.store.items[3].Lane != "1" {
			t.Errorf("states %v, the third %+v; want the second content as an item of its own in lane 1, all done", got, r.store.items[3])
		}
	})
}

func TestDoneThatTheDiskRefused_isSavedBeforeItsUpdateIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.store.fill(true)
		r.run()
		r.store.fill(false)
		r.answer(fail(cti.Offline))
		r.acceptWrite(write("a", "1", "second"))
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Retry}) {
			t.Errorf("states %v, want the first done before a crash can bring it back", got)
		}
	})
}

func TestAFailureThatTheDiskRefusesKeepsItsStateInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.answer(fail(cti.Invalid))
		r.store.fill(true)
		r.run()
		if it := r.only(); it.State != outbox.Review || it.Attempts != 1 {
			t.Errorf("got %+v, want review after one attempt", it)
		}
		r.store.fill(false)
		r.answer(nil)
		r.acceptWrite(write("a", "1", "second"))
		if it := r.store.items[1]; it.State != outbox.Done || it.Attempts != 1 || len(it.Tries) != 1 {
			t.Errorf("the store has %+v, want it done with its history", it)
		}
	})
}
