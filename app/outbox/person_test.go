package outbox_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

func TestEditOfAnUnsentItemReplacesItsContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.acceptWrite(write("a", "1", "first"))
		if err := r.box.Edit(1, cti.WrapUp{Note: "second", Outcome: "sold"}); err != nil {
			t.Fatal(err)
		}
		if len(r.store.items) != 1 || r.store.saves[outbox.Edited] != 1 {
			t.Errorf("%d items after %v, want one, edited", len(r.store.items), r.store.saves)
		}
		r.run()
		r.crm.onceEach(t, map[string]string{"a": "second"})
	})
}

func TestEditOfASentItemIsAnUpdateBehindIt(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		letGo := r.crm.holds()
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		if err := r.box.Edit(1, cti.WrapUp{Note: "second"}); err != nil { // on its way
			t.Fatal(err)
		}
		letGo()
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "second"})
		if err := r.box.Edit(1, cti.WrapUp{Note: "third"}); err != nil { // delivered; the newest of its key counts
			t.Fatal(err)
		}
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "third"})
		if len(r.store.items) != 3 || r.store.items[3].After != 2 || r.store.calls["leg a"].Note != "first" {
			t.Errorf("items %+v, calls %v; want three, and the call as it was accepted", r.store.items, r.store.calls)
		}
	})
}

func TestAttachDecidesWhoseCallItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		unclear := write("a", "1", "note")
		unclear.Identity = cti.IdentityUnclear
		r.run()
		r.acceptWrite(unclear)
		if err := r.box.Attach(1, "c1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.crm.of("a"); len(got) != 1 || got[0].customer != "c1" || r.store.saves[outbox.Attached] != 1 {
			t.Fatalf("the CRM has %+v after %v", got, r.store.saves)
		}
		if err := r.box.Attach(1, "c2"); err != nil { // it is there: the record moves
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.crm.of("a"); len(got) != 1 || got[0].customer != "c2" {
			t.Errorf("the CRM has %+v, want one record of c2", got)
		}
		if err := r.box.Attach(1, ""); cti.KindOf(err) != cti.Invalid {
			t.Errorf("attached to nobody: %v", err)
		}
	})
}

func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.acceptWrite(write("a", "1", "note"))
		if err := r.box.Discard(1, " "); cti.KindOf(err) != cti.Invalid {
			t.Errorf("without a reason: %v", err)
		}
		if err := r.box.Discard(1, "a test call"); err != nil {
			t.Fatal(err)
		}
		r.run()
		pass(time.Hour)
		it, err := r.box.Get(1)
		if err != nil || it.State != outbox.Discarded || it.Reason != "a test call" || it.DoneAt.IsZero() || r.crm.writes() != 0 {
			t.Errorf("it is %+v, %v after %d writes", it, err, r.crm.writes())
		}
		if err := r.box.Discard(1, "again"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("discarded twice: %v", err)
		}
		r.acceptWrite(write("a", "1", "note")) // nothing new: still not wanted
		if r.counts() != (outbox.Counts{}) {
			t.Error("the same content came back")
		}
		if err := r.box.Edit(1, cti.WrapUp{Note: "wanted after all"}); err != nil {
			t.Fatal(err)
		}
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "wanted after all"})
	})
}

func TestDiscardTakesTheUpdateBehindAlong_notTheOtherWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Uncertain})
		r.acceptWrite(write("a", "1", "first"))
		r.acceptWrite(write("b", "1", "first"))
		r.run()
		r.acceptWrite(write("a", "1", "second")) // 3
		if err := r.box.Discard(3, "a slip"); err != nil {
			t.Fatal(err)
		}
		r.acceptWrite(write("a", "1", "third")) // 4
		if it := r.store.items[4]; it.After != 1 {
			t.Errorf("the fourth waits for %d, want 1", it.After)
		}
		if err := r.box.Discard(1, "all of it"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if r.store.items[1].State != outbox.Discarded || r.store.items[4].State != outbox.Discarded || r.counts() != (outbox.Counts{}) {
			t.Errorf("states %v, counts %+v", r.store.states(), r.counts())
		}
		r.crm.onceEach(t, map[string]string{"b": "first"})
	})
}

func TestWhatIsOnItsWayIsNotDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		letGo := r.crm.holds()
		r.acceptWrite(write("a", "1", ""))
		r.run()
		if err := r.box.Discard(1, "too late"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("got %v", err)
		}
		letGo()
		r.settled()
		if err := r.box.Discard(1, "too late"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("of a delivered one: %v", err)
		}
	})
}

func TestWhatTheDiskRefusesOfAPersonIsAnErrorAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Invalid})
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		r.store.fill(true)
		for name, do := range map[string]func() error{
			"edit":    func() error { return r.box.Edit(1, cti.WrapUp{Note: "x"}) },
			"attach":  func() error { return r.box.Attach(1, "c1") },
			"discard": func() error { return r.box.Discard(1, "x") },
			"retry":   func() error { return r.box.Retry(1) },
		} {
			if err := do(); !errors.Is(err, errDisk) {
				t.Errorf("%s: %v", name, err)
			}
		}
		pass(time.Hour)
		if it := r.only(); it.State != outbox.Review || it.WriteBack.Record.WrapUp.Note != "first" || r.crm.writes() != 1 {
			t.Errorf("it is %+v after %d writes", it, r.crm.writes())
		}
		if n, err := r.box.RetryAll(outbox.Review); n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("retry of all: %d, %v", n, err)
		}
	})
}

func TestUnknownItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		for name, err := range map[string]error{
			"edit": r.box.Edit(7, cti.WrapUp{}), "attach": r.box.Attach(7, "c"), "discard": r.box.Discard(7, "x"), "retry": r.box.Retry(7),
		} {
			if cti.KindOf(err) != cti.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRetryOfAHeldUpdatePointsToWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, blind)
		r.crm.fails(fault{kind: cti.Uncertain})
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		r.acceptWrite(write("a", "1", "second"))
		if err := r.box.Retry(2); cti.KindOf(err) != cti.Conflict || r.crm.writes() != 1 {
			t.Errorf("got %v after %d writes", err, r.crm.writes())
		}
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "second"})
	})
}

func TestRetryDoesNotCutShortTheTimeTheCRMNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Uncertain, after: true}, fault{kind: cti.Internal}, fault{kind: cti.Internal}, fault{kind: cti.Internal}, fault{kind: cti.Internal})
		r.acceptWrite(write("a", "1", "note"))
		r.run()
		if err := r.box.Retry(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.crm.lookUps() != 0 {
			t.Error("looked up before the CRM can show it")
		}
		pass(time.Minute)
		for range 5 {
			if r.counts() == (outbox.Counts{}) {
				break
			}
			if err := r.box.Retry(1); err != nil { // now it only waits for the next look-up
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if r.counts() != (outbox.Counts{}) {
			t.Errorf("left: %+v", r.unfinished())
		}
		r.crm.onceEach(t, map[string]string{"a": "note"})
	})
}

func TestRetryAllOfAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		plan := make([]fault, 300)
		for i := range plan {
			plan[i] = fault{kind: cti.Invalid}
		}
		r.crm.fails(plan...)
		r.fill(300)
		unclear := write("u", "u", "")
		unclear.Identity = cti.IdentityUnclear
		r.acceptWrite(unclear)
		r.run()
		if c := r.counts(); c.Review != 301 {
			t.Fatalf("counts %+v", c)
		}
		r.store.flush = 5 * time.Millisecond
		before := time.Now()
		if n, err := r.box.RetryAll(outbox.Review); n != 300 || err != nil {
			t.Errorf("retried %d, %v", n, err)
		}
		if took := time.Since(before); took > 50*time.Millisecond { // of 1.5 s one after the other
			t.Errorf("took %v on a disk of 5 ms", took)
		}
		r.settled()
		if r.crm.total() != 300 || r.counts().Review != 1 {
			t.Errorf("%d delivered, counts %+v", r.crm.total(), r.counts())
		}
	})
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Invalid}, fault{kind: cti.Invalid})
		r.accept("a", "1")
		r.accept("b", "1")
		r.run()
		letGo := r.crm.holds()
		for _, key := range []string{"c", "d", "e"} {
			r.accept(key, "1")
		}
		for _, test := range []struct {
			name   string
			filter outbox.Filter
			want   []uint64
		}{
			{"all", outbox.Filter{}, []uint64{1, 2, 3, 4, 5}},
			{"a state", outbox.Filter{States: []outbox.State{outbox.Review}}, []uint64{1, 2}},
			{"a page", outbox.Filter{Limit: 2, After: 2}, []uint64{3, 4}},
			{"the newest", outbox.Filter{Limit: 2, Newest: true}, []uint64{5, 4}},
			{"the newest before", outbox.Filter{Limit: 2, Newest: true, After: 4}, []uint64{3, 2}},
		} {
			items, err := r.box.List(test.filter)
			var got []uint64
			for _, it := range items {
				got = append(got, it.Seq)
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
			}
		}
		if c := r.box.Counts(); c.Waiting != 3 || c.Sending != 1 || c.Review != 2 || !c.Since.Equal(r.store.items[3].CreatedAt) {
			t.Errorf("counts %+v", c)
		}
		letGo()
		r.settled()
	})
}

func TestWhatAPersonDidIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Invalid})
		r.accept("a", "1")
		r.run()
		if err := r.box.Discard(1, "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p := r.lastNews(); p.Item.State != outbox.Discarded || p.Sending {
			t.Errorf("told %+v", p)
		}
	})
}

// What cannot be read is for a person, who sees what is known of it; the others go on, and it does when it can be read again.
func TestADamagedItemIsForAPerson(t *testing.T) {
	for _, err := range []error{errors.New("seal broken"), cti.Errorf(cti.NotFound, "no such item", nil)} {
		synctest.Test(t, func(t *testing.T) {
			r := newCRMRig(t, lagging)
			r.accept("a", "1")
			r.accept("b", "1")
			r.store.damaged[1] = err
			r.run()
			pass(time.Minute)
			r.crm.onceEach(t, map[string]string{"b": ""})
			if c := r.counts(); c != (outbox.Counts{Review: 1}) {
				t.Fatalf("counts %+v", c)
			}
			if cti.KindOf(err) == cti.Internal {
				if it := r.only(); it.State != outbox.Review || it.LastTry().Message == "" || it.CreatedAt.IsZero() {
					t.Errorf("shown as %+v", it)
				}
			}
			delete(r.store.damaged, 1)
			if err := r.box.Retry(1); err != nil {
				t.Fatal(err)
			}
			r.settled()
			r.crm.onceEach(t, map[string]string{"a": "", "b": ""})
		})
	}
}

func TestAStoreThatIsBusyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.accept("a", "1")
		r.store.damaged[1] = cti.Errorf(cti.Offline, "the index is being rebuilt", nil)
		r.run()
		pass(time.Second)
		r.store.mu.Lock()
		delete(r.store.damaged, 1)
		r.store.mu.Unlock()
		pass(10 * time.Second)
		r.crm.onceEach(t, map[string]string{"a": ""})
	})
}
