package outbox_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

func TestSixLanesAtOnceAndOneOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.hold = make(chan struct{})
		for i := range 30 {
			r.accept(fmt.Sprint("key ", i), fmt.Sprint("lane ", i%10))
		}
		r.run() // comes to rest only if the dispatcher does not spin while all six are busy
		if n := r.sent(); n != 6 {
			t.Errorf("%d on their way, want 6", n)
		}
		close(r.sender.hold)
		r.settled()
		if n := r.sent(); n != 30 || r.sender.most != 6 {
			t.Errorf("%d sent, %d at once; want 30, 6", n, r.sender.most)
		}
		lanes := map[string][]string{}
		for _, w := range r.sender.got {
			lanes[w.Record.Number.Key] = append(lanes[w.Record.Number.Key], w.Key)
		}
		for lane, keys := range lanes {
			if want := []string{keys[0], fmt.Sprint("key 1", keys[0][4:]), fmt.Sprint("key 2", keys[0][4:])}; !slices.Equal(keys, want) {
				t.Errorf("%s was sent as %v, want %v", lane, keys, want)
			}
		}
	})
}

func TestALaneWaitsForItsHead_theOthersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(&cti.Error{Kind: cti.Internal, RetryAfter: time.Hour})
		r.accept("head", "1")
		r.run()
		r.answer(nil)
		r.accept("behind", "1")
		r.accept("other", "2")
		if got := r.sentKeys(); !slices.Equal(got, []string{"head", "other"}) {
			t.Fatalf("sent %v, want head and other", got)
		}
		pass(time.Hour)
		if got := r.sentKeys(); !slices.Equal(got, []string{"head", "other", "head", "behind"}) {
			t.Errorf("sent %v in the end", got)
		}
	})
}

// Fault 37: what the CRM calls invalid is for a person, and its lane goes on.
func TestAnItemInReviewDoesNotHoldUpItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Invalid))
		r.accept("bad", "1")
		r.run()
		r.answer(nil)
		r.accept("good", "1")
		if c := r.counts(); c != (outbox.Counts{Review: 1}) {
			t.Errorf("counts %+v, want one for review", c)
		}
	})
}

// A person retries the older item of a lane while the newer one is on its way: still one at a time.
func TestARetriedItemWaitsForTheOneOfItsLaneOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Invalid))
		r.accept("old", "1")
		r.run()
		r.answer(nil)
		r.sender.hold = make(chan struct{})
		r.accept("new", "1")
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.sentKeys(); !slices.Equal(got, []string{"old", "new"}) {
			t.Errorf("sent %v while new is on its way", got)
		}
		close(r.sender.hold)
		r.settled()
		if got := r.sentKeys(); !slices.Equal(got, []string{"old", "new", "old"}) {
			t.Errorf("sent %v in the end", got)
		}
	})
}

func TestAnEditOfAnUnsentItemReplacesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.acceptWrite(write("a", "1", "second"))
		if len(r.store.items) != 1 {
			t.Fatalf("%d items, want one", len(r.store.items))
		}
		r.run()
		if got := r.notes(); !slices.Equal(got, []string{"second"}) {
			t.Errorf("sent %v, want only the second", got)
		}
	})
}

func TestAnEditOfAFailedItemIsDueAtOnce(t *testing.T) {
	for _, kind := range []cti.Kind{cti.Invalid, cti.Offline} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.answer(fail(kind))
			r.acceptWrite(write("a", "1", "first"))
			r.run()
			r.answer(nil)
			r.acceptWrite(write("a", "1", "second"))
			if got := r.notes(); !slices.Equal(got, []string{"first", "second"}) || len(r.store.items) != 1 {
				t.Errorf("%s: sent %v as %d items, want both as one", kind, got, len(r.store.items))
			}
		})
	}
}

func TestAnEditOfASendingOrSentItemIsAnUpdateBehindIt(t *testing.T) {
	for name, held := range map[string]bool{"sending": true, "sent": false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			hold := make(chan struct{})
			if held {
				r.sender.hold = hold
			}
			r.sender.lane = func(cti.WriteBack) string { return "the one" } // the customer is corrected, the lane stays
			r.acceptWrite(write("a", "1", "first"))
			r.run()
			corrected := write("a", "1", "second")
			corrected.CustomerID = "c2"
			r.acceptWrite(corrected)
			if held {
				if got := r.notes(); !slices.Equal(got, []string{"first"}) {
					t.Errorf("%s: sent %v while the first is on its way", name, got)
				}
				close(hold)
			}
			r.settled()
			if got := r.notes(); !slices.Equal(got, []string{"first", "second"}) || r.store.items[2].Lane != r.store.items[1].Lane {
				t.Errorf("%s: sent %v in lanes %q and %q, want both in one", name, got, r.store.items[1].Lane, r.store.items[2].Lane)
			}
		})
	}
}

// Fault 50: the same call end delivered twice, before and after a restart, is one item, sent once.
func TestNothingNewIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		r.acceptWrite(write("a", "1", "first"))
		r.crash()
		r.open()
		r.run()
		r.acceptWrite(write("a", "1", "first"))
		if n := r.sent(); n != 1 || len(r.store.items) != 1 {
			t.Errorf("sent %d times as %d items, want once as one", n, len(r.store.items))
		}
	})
}

// The attempt fails while an update of the same record waits behind it: sending the older content again could undo the newer.
func TestAnUpdateTakesThePlaceOfAnItemThatFailed(t *testing.T) {
	for kind, again := range map[cti.Kind]time.Duration{cti.Invalid: 0, cti.Uncertain: 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			hold := make(chan struct{})
			r.sender.hold = hold
			r.sender.send = func() error {
				if r.sent() == 1 {
					return &cti.Error{Kind: kind, RetryAfter: again}
				}
				return nil
			}
			r.acceptWrite(write("a", "1", "old"))
			r.run()
			r.acceptWrite(write("a", "1", "new"))
			close(hold)
			synctest.Wait()
			if again > 0 {
				if it := r.only(); it.Seq != 2 || it.State != outbox.Retry || it.Attempts != 1 || time.Until(it.Due) != again {
					t.Errorf("%s: the update is %+v, want it to wait as the failed item would have", kind, it)
				}
			}
			pass(again)
			if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Done}) || !slices.Equal(r.notes(), []string{"old", "new"}) {
				t.Errorf("%s: states %v after %v, want both done after one send each", kind, got, r.notes())
			}
			if err := r.box.Retry(1); cti.KindOf(err) != cti.NotFound {
				t.Errorf("%s: the old content could be sent again: %v", kind, err)
			}
		})
	}
}

func TestAfterARestartOnlyTheUpdateIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.hold = make(chan struct{})
		r.acceptWrite(write("a", "1", "old"))
		r.run()
		r.acceptWrite(write("a", "1", "new"))
		r.crash()
		r.sender.hold = nil
		r.open()
		r.run()
		pass(time.Minute)
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Done}) || !slices.Equal(r.notes(), []string{"old", "new"}) {
			t.Errorf("states %v after %v, want both done and the old one interrupted, not sent again", got, r.notes())
		}
	})
}

func TestTheUpdateBehindADeliveredItemSpeaksForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.sender.hold = hold
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		r.acceptWrite(write("a", "1", "second"))
		close(hold)
		synctest.Wait()
		for i, p := range r.news {
			if last := i == len(r.news)-1; (p.Item.State == outbox.Done) != last {
				t.Errorf("news %d of %d: item %d is %q", i+1, len(r.news), p.Item.Seq, p.Item.State)
			}
		}
	})
}

func TestUnclearIdentityWaitsForAPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		unclear := write("a", "1", "")
		unclear.Identity = cti.IdentityUnclear
		r.run()
		r.acceptWrite(unclear)
		if it := r.only(); it.State != outbox.Review || r.sent() != 0 {
			t.Fatalf("state %q, sent %d times; want review, not sent", it.State, r.sent())
		}
		if err := r.box.Retry(1); cti.KindOf(err) != cti.Conflict {
			t.Errorf("a retry without a pick gave %v", err)
		}
		picked := unclear
		picked.Identity, picked.CustomerID = cti.IdentityKnown, "c1"
		r.acceptWrite(picked)
		if r.sent() != 1 || r.sender.got[0].CustomerID != "c1" || len(r.unfinished()) != 0 {
			t.Errorf("sent %+v, want once for c1", r.sender.got)
		}
	})
}
