package outbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// creates counts full sends without Steps and without a record: each makes a record in the CRM.
func stepsRig(t *testing.T, rep cti.Repeat) (*rig, *[]cti.WriteBack) {
	r := newRig(t)
	r.sender.rep = rep
	var given []cti.WriteBack
	r.sender.step = func(ctx context.Context, w cti.WriteBack) {
		given = append(given, w)
		cti.StepsDone(ctx, w.Steps+"x") // the first step made the record
	}
	r.sender.find = func(cti.WriteBack) (cti.Receipt, error) { return cti.Receipt{ID: "rec"}, nil }
	return r, &given
}

func TestAnEditAfterARefusedSecondStepMakesNoSecondRecord(t *testing.T) {
	for name, rep := range map[string]cti.Repeat{"at_least_once": {}, "probe_on_uncertain": {Find: true}} {
		for _, kind := range []cti.Kind{cti.Invalid, cti.NotFound, cti.Denied, cti.Conflict} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, given := stepsRig(t, rep)
					r.acceptWrite(write("a", "1", ""))
					r.answer(fail(kind)) // the second step is refused: definitive, the first one is in the CRM
					r.run()
					pass(time.Minute)
					it := r.only()
					r.answer(nil)
					if err := r.box.Edit(it.Seq, cti.WrapUp{Note: "otherwise"}); err != nil {
						t.Fatal(err)
					}
					pass(time.Minute)
					n := 0
					for _, w := range *given {
						if w.Steps == "" && w.RecordID == "" {
							n++
						}
					}
					if n > 1 {
						t.Errorf("the first step was made %d times, asked %d", n, r.sender.asked)
					}
				})
			})
		}
	}
}

func TestAnUpdateOfWhatWasMadeInPartMakesNoSecondRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, given := stepsRig(t, cti.Repeat{Find: true})
		r.acceptWrite(write("a", "1", ""))
		r.answer(fail(cti.Limited))
		r.run()
		r.answer(nil)
		r.acceptWrite(write("a", "1", "note"))
		pass(time.Minute)
		n := 0
		for _, w := range *given {
			if w.Steps == "" && w.RecordID == "" {
				n++
			}
		}
		if n > 1 {
			t.Errorf("the first step was made %d times, looked up %d", n, r.sender.asked)
		}
	})
}

func TestTheStepsThatAreLeftAreMadeAfterALostAnswerOrAKill(t *testing.T) {
	for name, crash := range map[string]bool{"uncertain": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, given := stepsRig(t, cti.Repeat{Find: true})
				r.acceptWrite(write("a", "1", ""))
				if crash {
					r.sender.hold = make(chan struct{})
					r.run()
					r.crash()
					r.sender.hold = nil
					r.open()
				} else {
					r.answer(fail(cti.Uncertain)) // second step: no answer
					r.run()
				}
				r.answer(nil)
				if crash {
					r.run()
				}
				pass(time.Minute)
				if st := r.store.states(); st[0] != outbox.Done {
					t.Fatalf("%v", st)
				}
				resumed := false
				for _, w := range *given {
					resumed = resumed || w.Steps != ""
				}
				if !resumed {
					t.Errorf("done after %d sends and %d look-ups: the steps behind the first were never made", len(*given), r.sender.asked)
				}
			})
		})
	}
}

func TestARetryOfAnotherConflictKeepsWhatThePersonSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		w := write("a", "1", "")
		w.Op, w.Was = cti.UpdateCustomer, new("A")
		r.acceptWrite(w)
		r.answer(cti.Errorf(cti.Conflict, "the new customer of this call is not in the CRM yet: see to that first, or pick another", nil))
		r.run()
		r.answer(nil)
		it := r.only()
		if err := r.box.Retry(it.Seq); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if last := r.sender.got[len(r.sender.got)-1]; *last.Was != "A" {
			t.Errorf("after a retry of another conflict it was %q", *last.Was)
		}
	})
}

// The person was shown what is there, and insists: on that alone. Another value by then is another conflict.
func TestARetryInsistsOnWhatWasShownAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		w := write("a", "1", "")
		w.Op, w.Was, w.Version = cti.UpdateCustomer, new("A"), "7"
		r.acceptWrite(w)
		conflict := fail(cti.Conflict)
		conflict.Current = new("theirs")
		r.answer(conflict)
		r.run()
		r.restart()
		r.answer(nil)
		if err := r.box.Retry(r.only().Seq); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if last := r.sender.got[len(r.sender.got)-1]; *last.Was != "theirs" || last.Version != "7" {
			t.Errorf("sent %+v: over what was not shown", last)
		}
	})
}

func TestChangesOfOneCustomerKeepTheirOrderWhicheverNumberCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := write("a", "1", ""), write("b", "2", "")
		a.Op, a.CustomerID, a.Tags = cti.AddTags, "c", []string{"x"}
		b.Op, b.CustomerID, b.Tags = cti.RemoveTags, "c", []string{"x"}
		r.answer(fail(cti.Uncertain))
		r.acceptWrite(a)
		r.run()
		pass(5 * time.Minute) // a has a long wait by now
		r.answer(nil)
		before := r.sent()
		r.acceptWrite(b)
		pass(time.Hour)
		if k := r.sentKeys()[before]; k != "a" {
			t.Errorf("the later change went first: %v", r.sentKeys()[before:])
		}
	})
}
