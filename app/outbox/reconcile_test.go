package outbox_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// every runs a test in a bubble for each kind of CRM.
func every(t *testing.T, kinds []kind, test func(t *testing.T, r *rig)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newCRMRig(t, k)) })
		})
	}
}

// asked are the kinds that a lost answer leaves one record in, without a person.
var asked = []kind{upserting, windowed, searching, lagging}

// Fault 30: reset before the CRM acted: delivered once, whatever the CRM knows of keys.
func TestResetBeforeTheCRMActed(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		r.crm.fails(fault{kind: cti.Offline}, fault{kind: cti.Offline})
		r.acceptWrite(write("a", "1", "note"))
		r.run()
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "note"})
		if it := r.store.items[1]; it.State != outbox.Done || it.Attempts != 2 {
			t.Errorf("the item is %+v, want done after two failures", it)
		}
	})
}

// Fault 31: the answer is lost after the CRM acted, and before: one record.
func TestLostAnswerLeavesOneRecord(t *testing.T) {
	for _, f := range []fault{{kind: cti.Uncertain, after: true}, {kind: cti.Uncertain}, {panics: true, after: true}, {panics: true}, {kind: cti.Internal, after: true}} {
		every(t, asked, func(t *testing.T, r *rig) {
			r.crm.fails(f)
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			pass(20 * time.Minute)
			r.crm.onceEach(t, map[string]string{"a": "note"})
			if it := r.store.items[1]; it.State != outbox.Done || it.Receipt.ID != "r1" {
				t.Errorf("after %+v the item is %+v, want done with its receipt", f, it)
			}
		})
	}
}

// The control of the test above: with connectors that lie, the model CRM shows duplicates.
func TestLostAnswerWithALyingConnectorIsSeen(t *testing.T) {
	for name, lie := range map[string]struct {
		kind kind
		says cti.Repeat
	}{
		"it says that repeating is safe":        {lagging, cti.Repeat{Safe: true}},
		"it names no settle time":               {lagging, cti.Repeat{Find: true}},
		"it says that repeating is always safe": {windowed, cti.Repeat{Safe: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newCRMRig(t, lie.kind)
			r.crm.says = lie.says
			r.crm.fails(fault{kind: cti.Uncertain, after: true})
			r.acceptWrite(write("a", "1", "note"))
			if lie.kind.window > 0 {
				r.run()
				r.crash()
				pass(25 * time.Hour)
				r.open()
			}
			r.run()
			pass(20 * time.Minute)
			if got := len(r.crm.of("a")); got != 2 {
				t.Errorf("%s: %d records, want the duplicate", name, got)
			}
		})
	}
}

// Fault 31: a CRM that knows no keys and cannot be asked: a person looks, and nothing is written twice.
func TestLostAnswerOfACRMThatCannotBeAskedIsForAPerson(t *testing.T) {
	for _, there := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newCRMRig(t, blind)
			r.crm.fails(fault{kind: cti.Uncertain, after: there})
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			pass(time.Hour)
			it := r.only()
			if it.State != outbox.Review || !strings.Contains(it.LastTry().Message, "may have this record already") || r.crm.writes() != 1 {
				t.Fatalf("after %d writes it is %+v, want review with words", r.crm.writes(), it)
			}
			r.restart()
			pass(time.Hour)
			if r.crm.writes() != 1 {
				t.Fatalf("%d writes after a restart, want one", r.crm.writes())
			}
			if there {
				if err := r.box.Discard(1, "it is there"); err != nil {
					t.Fatal(err)
				}
			} else if err := r.box.Retry(1); err != nil {
				t.Fatal(err)
			}
			pass(time.Hour)
			r.crm.onceEach(t, map[string]string{"a": "note"})
			if c := r.counts(); c != (outbox.Counts{}) {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// Before the first byte leaves, the disk knows that the CRM may have it; for a CRM that is safe for ever it need not.
func TestBegunIsDurableBeforeTheFirstByte(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		var begun []time.Time
		r.crm.started = func(cti.WriteBack) {
			it, err := r.store.Item(1)
			if err != nil {
				t.Error(err)
			}
			begun = append(begun, it.Begun)
		}
		r.crm.fails(fault{kind: cti.Uncertain}, fault{kind: cti.Uncertain})
		r.acceptWrite(write("a", "1", ""))
		r.run()
		r.restart()
		pass(time.Hour)
		if r.crm.kind == upserting {
			if !begun[0].IsZero() || r.store.saves[outbox.Started] != 0 {
				t.Errorf("marked %v, want no mark", begun)
			}
			return
		}
		if begun[0].IsZero() {
			t.Error("the first attempt was not marked")
		}
		if k := r.crm.kind; k.window > 0 && (r.store.saves[outbox.Started] != 1 || !begun[2].Equal(begun[0])) {
			t.Errorf("%d marks at %v, want the first one kept", r.store.saves[outbox.Started], begun)
		}
	})
}

func TestNothingIsSentWhenItsMarkCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.accept("a", "1")
		r.store.stick(true)
		r.run()
		pass(time.Minute)
		if r.crm.writes() != 0 {
			t.Fatalf("%d writes without a mark", r.crm.writes())
		}
		r.store.stick(false)
		pass(10 * time.Second)
		r.crm.onceEach(t, map[string]string{"a": ""})
	})
}

// Nothing was written: there is nothing to look up, now or after a restart.
func TestRefusalsTakeTheMarkBack(t *testing.T) {
	for _, f := range []fault{{kind: cti.Offline}, {kind: cti.Offline, retry: time.Minute}, {kind: cti.Limited}, {kind: cti.Auth}, {kind: cti.Invalid}, {kind: cti.Denied}} {
		every(t, []kind{windowed, lagging, blind}, func(t *testing.T, r *rig) {
			r.crm.fails(f)
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			if it := r.store.items[1]; !it.Begun.IsZero() {
				t.Errorf("after %+v it is begun at %v", f, it.Begun)
			}
			r.restart()
			_, _ = r.box.RetryAll(outbox.Review)
			pass(time.Hour)
			r.crm.onceEach(t, map[string]string{"a": "note"})
			if r.crm.lookUps() != 0 {
				t.Errorf("after %+v it was looked up %d times", f, r.crm.lookUps())
			}
		})
	}
}

// Fault 31: Ringside ends in the middle of an attempt, the CRM acts or does not.
func TestStopInTheMiddleOfAnAttempt(t *testing.T) {
	for _, acted := range []bool{true, false} {
		every(t, asked, func(t *testing.T, r *rig) {
			letGo := r.crm.holds()
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			if acted { // the first wait is before it acts, the second after
				r.crm.write(write("a", "1", "note"))
			}
			r.crash()
			letGo()
			r.store.cut()
			if r.crm.kind == lagging && r.store.items[1].State != outbox.Reconcile {
				t.Errorf("it is %q, want reconcile", r.store.items[1].State)
			}
			r.open()
			r.run()
			pass(20 * time.Minute)
			r.crm.onceEach(t, map[string]string{"a": "note"})
		})
	}
}

// Fault 31: killed in the middle: nothing but the mark is on the disk.
func TestKilledInTheMiddleOfAnAttempt(t *testing.T) {
	every(t, asked, func(t *testing.T, r *rig) {
		r.acceptWrite(write("a", "1", "note"))
		it := r.store.items[1]
		if r.crm.kind != upserting {
			it.Begun = time.Now().UTC()
		}
		r.store.items[1] = it
		r.crm.write(it.WriteBack)
		r.open()
		r.run()
		pass(20 * time.Minute)
		r.crm.onceEach(t, map[string]string{"a": "note"})
	})
}

// Fault 39: the key's window ends in the middle of an outage: looked up, or left to a person, never sent again.
func TestKeyWindowEndsInTheMiddleOfAnOutage(t *testing.T) {
	every(t, []kind{windowed, searching}, func(t *testing.T, r *rig) {
		plan := []fault{{kind: cti.Uncertain, after: true}}
		for range 2000 {
			plan = append(plan, fault{kind: cti.Offline})
		}
		r.crm.fails(plan...)
		r.acceptWrite(write("a", "1", "note"))
		r.run()
		pass(36 * time.Hour)
		r.crm.fails()
		pass(time.Hour)
		if r.crm.kind.find {
			r.crm.onceEach(t, map[string]string{"a": "note"})
			if r.counts() != (outbox.Counts{}) {
				t.Errorf("not done: %+v", r.only())
			}
			return
		}
		if it := r.only(); it.State != outbox.Review || len(r.crm.of("a")) != 1 {
			t.Errorf("the CRM has %v and the item is %+v, want one and review", r.crm.of("a"), it)
		}
	})
}

// Fault 39: within its window the key is used, across a restart too.
func TestWithinItsWindowTheKeyIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, windowed)
		r.crm.fails(fault{kind: cti.Uncertain, after: true})
		r.acceptWrite(write("a", "1", "note"))
		r.run()
		r.crash()
		pass(23 * time.Hour)
		r.open()
		r.run()
		pass(time.Minute)
		r.crm.onceEach(t, map[string]string{"a": "note"})
		if r.counts() != (outbox.Counts{}) {
			t.Errorf("not done: %+v", r.only())
		}
	})
}

// Fault 40: the CRM's search shows what was written only later: the look-up waits for that, after a restart too.
func TestLookUpWaitsForTheSearchToShowIt(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newCRMRig(t, lagging)
			r.crm.fails(fault{kind: cti.Uncertain, after: true})
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			if it := r.only(); it.State != outbox.Reconcile {
				t.Fatalf("it is %+v, want reconcile", it)
			}
			if restart {
				r.restart()
			}
			pass(59 * time.Second)
			if r.crm.lookUps() != 0 {
				t.Error("looked up before the CRM can show it")
			}
			pass(time.Second)
			if r.crm.lookUps() != 1 || r.counts() != (outbox.Counts{}) {
				t.Errorf("%d look-ups, counts %+v; want one and done", r.crm.lookUps(), r.counts())
			}
			r.crm.onceEach(t, map[string]string{"a": "note"})
		})
	}
}

func TestAFailedLookUpIsRepeated_aRefusedOneIsForAPerson(t *testing.T) {
	for _, f := range []fault{{kind: cti.Offline}, {kind: cti.Uncertain}, {kind: cti.Internal}, {panics: true}, {kind: cti.Limited}, {kind: cti.Auth}, {kind: cti.Denied}, {kind: cti.Invalid}} {
		synctest.Test(t, func(t *testing.T) {
			r := newCRMRig(t, lagging)
			r.crm.fails(fault{kind: cti.Uncertain, after: true}, f, f, f)
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			pass(time.Hour)
			switch f.kind {
			case cti.Denied, cti.Invalid:
				if it := r.only(); it.State != outbox.Review || !strings.Contains(it.LastTry().Message, "told to be") {
					t.Errorf("after %+v it is %+v, want review with the server's words", f, it)
				}
			default:
				if r.counts() != (outbox.Counts{}) {
					t.Errorf("after %+v it is %+v, want done", f, r.only())
				}
			}
			r.crm.onceEach(t, map[string]string{"a": "note"})
		})
	}
}

// An update comes while it is not known whether the CRM has the first content: that is found out first.
func TestAnUpdateBehindAnItemThatMayBeThere(t *testing.T) {
	for _, there := range []bool{true, false} {
		every(t, asked, func(t *testing.T, r *rig) {
			r.crm.fails(fault{kind: cti.Uncertain, after: there}, fault{kind: cti.Offline}, fault{kind: cti.Offline})
			r.acceptWrite(write("a", "1", "first"))
			r.run()
			r.acceptWrite(write("a", "1", "second"))
			r.acceptWrite(write("a", "1", "third"))
			if len(r.store.items) > 2 {
				t.Errorf("%d items, want the update replaced", len(r.store.items))
			}
			r.restart()
			pass(time.Hour)
			r.crm.onceEach(t, map[string]string{"a": "third"})
			if r.counts() != (outbox.Counts{}) {
				t.Errorf("left: %+v", r.unfinished())
			}
		})
	}
}

// A delivered record is updated by its id: a CRM that forgets keys, or knows none, has one record all the same.
func TestAnUpdateOfADeliveredRecordNamesIt(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		pass(30 * time.Hour)
		for _, note := range []string{"second", "third"} {
			r.crm.fails(fault{kind: cti.Uncertain, after: true})
			r.acceptWrite(write("a", "1", note))
			pass(time.Hour)
		}
		r.crm.onceEach(t, map[string]string{"a": "third"})
	})
}

// An index that was made anew does not know what was sent: all of it may be there.
func TestAfterARebuiltIndexEverythingIsLookedUp(t *testing.T) {
	every(t, []kind{upserting, lagging, searching}, func(t *testing.T, r *rig) {
		r.acceptWrite(write("a", "1", "note"))
		r.acceptWrite(write("b", "2", "note"))
		r.crm.write(write("a", "1", "note"))
		r.store.rebuild()
		r.open()
		r.run()
		pass(time.Hour)
		r.crm.onceEach(t, map[string]string{"a": "note", "b": "note"})
		if r.counts() != (outbox.Counts{}) {
			t.Errorf("left: %+v", r.unfinished())
		}
	})
}

// What was discarded may be in the CRM; written anew, it is looked up and becomes the update of what was found.
func TestAnEditOfADiscardedItemThatMayBeThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.crm.fails(fault{kind: cti.Uncertain, after: true}, fault{kind: cti.Denied})
		r.acceptWrite(write("a", "1", "first"))
		r.run()
		pass(time.Hour)
		if err := r.box.Discard(1, "not wanted"); err != nil {
			t.Fatal(err)
		}
		r.acceptWrite(write("a", "1", "second"))
		pass(time.Hour)
		r.crm.onceEach(t, map[string]string{"a": "second"})
		if r.counts() != (outbox.Counts{}) {
			t.Errorf("left: %+v", r.unfinished())
		}
	})
}
