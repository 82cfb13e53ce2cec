package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAcceptIsDurableBeforeAnythingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.acceptWrite(write("a", "1", "note"))
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Queued}) || r.store.calls["leg a"].Note != "note" {
			t.Errorf("the store has %v and %+v, want the item and its call", got, r.store.calls)
		}
		if c := r.counts(); c != (outbox.Counts{Waiting: 1}) {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestARefusedAcceptLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.fill(true)
		r.run()
		w := write("a", "1", "")
		if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); !errors.Is(err, errDisk) {
			t.Errorf("got %v, want the disk's word", err)
		}
		synctest.Wait()
		if c := r.counts(); c != (outbox.Counts{}) || r.sent() != 0 {
			t.Errorf("counts %+v, sent %d", c, r.sent())
		}
		r.store.fill(false)
		r.acceptWrite(w)
		if r.sent() != 1 {
			t.Errorf("sent %d times once the disk is back", r.sent())
		}
	})
}

// Fault 13: what the disk refused and kept all the same is known again by its key.
func TestARefusedAcceptThatTheDiskKept_isSentOnceWhenItIsAcceptedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		r.store.liar = true
		w := write("a", "1", "")
		if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
		r.store.liar = false
		r.acceptWrite(w)
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done}) || r.sent() != 1 {
			t.Errorf("states %v after %d sends, want done after one", got, r.sent())
		}
	})
}

func TestDeliveryTellsItsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Offline))
		r.accept("a", "1")
		r.run()
		r.answer(nil)
		r.settled()
		type step struct {
			state   outbox.State
			sending bool
		}
		var got []step
		for _, p := range r.news {
			got = append(got, step{p.Item.State, p.Sending})
		}
		want := []step{{outbox.Queued, true}, {outbox.Retry, false}, {outbox.Retry, true}, {outbox.Done, false}}
		if !slices.Equal(got, want) || r.lastNews().Item.Receipt.ID != "r a" {
			t.Errorf("told %+v with receipt %+v, want %+v", got, r.lastNews().Item.Receipt, want)
		}
	})
}

func TestItemsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Offline))
		r.accept("retried", "1")
		r.run()
		r.crash()
		r.accept("queued", "2")
		before := r.unfinished()
		r.open()
		if after := r.unfinished(); len(after) != 2 || after[0].Attempts != before[0].Attempts || !after[0].Due.Equal(before[0].Due) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		r.answer(nil)
		r.run()
		r.settled()
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done, outbox.Done}) {
			t.Errorf("states %v", got)
		}
	})
}

// Fault 46: a due time written down by a clock that was wrong is within the cap after a restart.
// What a write of several steps did is not done again: not after a failure, nor after a death in the middle. Another content begins anew.
func TestHowFarAWriteCameSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var given []string
		r.sender.step = func(ctx context.Context, w cti.WriteBack) {
			given = append(given, w.Steps)
			cti.StepsDone(ctx, w.Steps+"x")
		}
		r.acceptWrite(write("a", "1", ""))
		r.answer(fail(cti.Offline))
		r.run()
		r.answer(fail(cti.Invalid))
		r.restart()
		pass(time.Minute)
		if want := []string{"", "x"}; !slices.Equal(given, want) {
			t.Fatalf("the connector was given %q, want %q", given, want)
		}
		it := r.only()
		if it.State != outbox.Review || it.Steps != "xx" {
			t.Fatalf("the item is %+v", it)
		}
		if err := r.box.Edit(it.Seq, cti.WrapUp{Note: "otherwise"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if last := given[len(given)-1]; last != "" || len(given) != 3 {
			t.Errorf("the connector was given %q: another content begins anew", given)
		}
	})
}

func TestDueIsClampedAfterAClockJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("a", "1")
		it := r.store.items[1]
		it.State, it.Due = outbox.Retry, time.Now().Add(1000*time.Hour)
		r.store.items[1] = it
		r.open()
		r.run()
		pass(15 * time.Minute)
		if r.sent() != 1 {
			t.Errorf("sent %d times a quarter of an hour after the start", r.sent())
		}
	})
}

func TestRunReturnsAfterAllAttemptsEnded_interruptedOnesAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.hold = make(chan struct{})
		r.accept("a", "1")
		r.accept("b", "2")
		r.run()
		r.crash()
		if len(r.sender.lanes) != 0 {
			t.Errorf("%d attempts outlived Run", len(r.sender.lanes))
		}
		for _, it := range r.store.items {
			if it.State != outbox.Queued || it.Attempts != 0 || len(it.Tries) != 0 {
				t.Errorf("an interrupted attempt left %+v", it)
			}
		}
	})
}

func TestASuccessWhileStoppingCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.send = func() error { r.stop(); return nil }
		r.accept("a", "1")
		r.run()
		if got := r.store.states(); !slices.Equal(got, []outbox.State{outbox.Done}) {
			t.Errorf("states %v, want done", got)
		}
	})
}

// Fault 29: a panic in a connector is recovered, the item is tried again and the attempt counted.
func TestAPanicInTheSenderIsAFailedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.send = func() error { panic("nil map") }
		r.accept("a", "1")
		r.run()
		if it := r.only(); it.State != outbox.Retry || it.LastTry().Kind != cti.Internal || it.LastTry().Message != "" {
			t.Errorf("got %+v, want a retry without the panic's text", it)
		}
	})
}

func TestAnAttemptEndsAfterThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.hold = make(chan struct{})
		r.accept("a", "1")
		r.run()
		pass(30 * time.Second)
		if last := r.only().LastTry(); last.Kind != cti.Uncertain || last.Took != 30*time.Second {
			t.Errorf("the try was %+v, want uncertain after 30 s: the request may have been on its way", last)
		}
	})
}

// Fault 29: a panic in a connector costs an attempt, the other lanes go on.
func TestAPanicStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sender.send = func() error {
			if r.sent()%2 == 1 {
				panic("nil map")
			}
			return nil
		}
		for i := range 10 {
			r.accept(fmt.Sprint("key ", i), fmt.Sprint("lane ", i))
		}
		r.run()
		r.settled()
		if got := r.store.states(); len(got) != 10 || slices.ContainsFunc(got, func(s outbox.State) bool { return s != outbox.Done }) {
			t.Errorf("states %v, want ten done", got)
		}
	})
}

func TestRetryByAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Denied))
		r.accept("a", "1")
		r.run()
		r.answer(fail(cti.Limited)) // pauses
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.answer(nil)
		if err := r.box.Retry(1); err != nil { // a person knows better than the pause
			t.Fatal(err)
		}
		synctest.Wait()
		if c := r.counts(); c != (outbox.Counts{}) || r.sent() != 3 {
			t.Errorf("counts %+v after %d sends", c, r.sent())
		}
		if err := r.box.Retry(1); cti.KindOf(err) != cti.NotFound {
			t.Errorf("retry of a delivered item: %v", err)
		}
	})
}

func TestRetryOfAnItemOnItsWayChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.sender.hold = hold
		r.accept("a", "1")
		r.run()
		if err := r.box.Retry(1); err != nil {
			t.Error(err)
		}
		close(hold)
		r.settled()
		if r.sent() != 1 {
			t.Errorf("sent %d times", r.sent())
		}
	})
}

func TestRetryTheDiskRefusesIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(fail(cti.Denied))
		r.accept("a", "1")
		r.run()
		r.store.fill(true)
		if err := r.box.Retry(1); !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
		if it := r.only(); it.State != outbox.Review {
			t.Errorf("state %q, want review as before", it.State)
		}
	})
}

func TestNewNeedsAReadableStore(t *testing.T) {
	_, err := outbox.New(unreadable{}, nil, nil, nil)
	if !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
}

type unreadable struct{ outbox.Store }

func (unreadable) Standings(func(outbox.Standing) error) error { return errDisk }

func TestAcceptNeedsAReadableStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, err := outbox.New(forgetful{newMemory()}, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Accept(cti.Call{}, cti.WrapUp{}, []cti.WriteBack{{Key: "a"}}); !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := box.Run(ctx); err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

type forgetful struct{ *memory }

func (forgetful) Latest(string, string) (outbox.Item, error) { return outbox.Item{}, errDisk }
