package flow_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

// unfinished is a call of an earlier run, as the outbox has it.
func unfinished(identity cti.Identity, customer string, write flow.Write) flow.Unfinished {
	call := cti.Call{Leg: "a", Case: "a", State: cti.StateClosed, Direction: cti.In, Cause: &cti.Cause{Code: cti.CauseNormal},
		ClearedAt: time.Now().UTC().Add(-10 * time.Minute)}
	call.Remote.Number = number(customersNumber)
	saved := cti.WrapUp{Note: "saved", SavedAt: call.ClearedAt}
	record := cti.NewRecord("site", call, saved)
	return flow.Unfinished{Call: call, WrapUp: cti.WrapUp{Note: "a draft after it", SavedAt: call.ClearedAt}, Write: write,
		WriteBack: cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: "a", Identity: identity, CustomerID: customer, Record: record}}
}

var toPick = flow.Write{State: flow.WriteReview, Kind: cti.Conflict}

func TestAnUnfinishedCallOfAnEarlierRunCanBePicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		r.earlier = []flow.Unfinished{unfinished(cti.IdentityUnclear, "", toPick)}
		r.start()
		synctest.Wait()
		c := r.card()
		if c.Pop || c.Search != flow.Several || c.Write != toPick || c.WrapUp.Note != "a draft after it" {
			t.Fatalf("card %+v, want it back with its candidates and its draft, without a pop", c)
		}
		for _, w := range r.writes() { // the queue drops what it has already
			if !w.Equal(r.earlier[0].WriteBack) {
				t.Errorf("before the pick %+v was written", w)
			}
		}
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		w := r.writes()
		if last := w[len(w)-1]; last.CustomerID != "c2" || last.Record.WrapUp.Note != "saved" {
			t.Errorf("written %+v, want it for c2 with what was saved, not the draft", w)
		}
	})
}

func TestWhoseARestoredRecordIsStaysDecided(t *testing.T) {
	for name, find := range map[string]*rig{"several": newRig(nil).knows(match(cti.Sure, "c1", "c2")), "nobody is found": newRig(nil).knows(nil), "nobody answers": {find: silentCRM}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.find = find.find
			r.earlier = []flow.Unfinished{unfinished(cti.IdentityKnown, "c2", flow.Write{State: flow.WriteRetrying})}
			r.start()
			pass(2 * time.Second)
			must(t, r.save("", "later"))
			w := r.writes()
			if last := w[len(w)-1]; last.CustomerID != "c2" || last.Identity != cti.IdentityKnown || last.Record.WrapUp.Note != "later" {
				t.Errorf("%s: written for %q, %s; want c2 as decided", name, last.CustomerID, last.Identity)
			}
		})
	}
}

// The tenant is part of every key; a site that corrects it must not get the records that wait, or their updates, a second time.
func TestARestoredRecordKeepsItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		u := unfinished(cti.IdentityKnown, "c2", flow.Write{State: flow.WriteRetrying})
		u.WriteBack.Record = cti.NewRecord("the site before", u.Call, u.WriteBack.Record.WrapUp)
		u.WriteBack.Key = u.WriteBack.Record.Key
		r.earlier = []flow.Unfinished{u}
		r.start()
		must(t, r.save("", "later"))
		for _, w := range r.writes() {
			if w.Key != u.WriteBack.Key || w.Record.Key != u.WriteBack.Key {
				t.Errorf("written with the keys %q and %q; want %q, which it was accepted with", w.Key, w.Record.Key, u.WriteBack.Key)
			}
		}
	})
}

func TestACardThatWaitsForAPickStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2")).start()
		r.tell(ring("a"), hangup("a"))
		if err := r.flow.Dismiss(t.Context(), "a"); cti.KindOf(err) != cti.Conflict {
			t.Errorf("dismiss gave %v", err)
		}
		pass(3 * time.Hour)
		if len(r.dropped) != 0 {
			t.Errorf("dropped %v", r.dropped)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c1"))
		must(t, r.flow.Dismiss(t.Context(), "a"))
	})
}

// During the call nobody could be asked; the delivery asked and found several.
func TestSeveralFoundByTheDeliveryCanBePicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.find = silentCRM
		r.start().tell(ring("a"), hangup("a"))
		pass(2 * time.Second)
		r.knows(match(cti.Sure, "c1", "c2"))
		r.flow.Progress(flow.Progress{Leg: "a", Write: toPick})
		synctest.Wait()
		if c := r.card(); c.Search != flow.Several || len(c.Matches) != 2 {
			t.Fatalf("card %+v, want the candidates", c)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		if w := r.writes(); w[len(w)-1].CustomerID != "c2" {
			t.Errorf("written %+v, want it for c2", w)
		}
	})
}

// The CRM's own conflict on a record of nobody's: there is nobody to pick, and the card must not stay for ever.
func TestAConflictWithNobodyToPickDoesNotHoldTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"))
		r.flow.Progress(flow.Progress{Leg: "a", Write: toPick})
		synctest.Wait()
		must(t, r.flow.Dismiss(t.Context(), "a"))
	})
}

// A long outage leaves thousands of records under way; not each of them asks the CRM when the agent starts.
func TestAfterALongOutageTheNewestCardsAndThoseThatNeedAPersonComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		for i := range 1000 {
			u := unfinished(cti.IdentityKnown, "c1", flow.Write{State: flow.WriteRetrying})
			u.WrapUp = u.WriteBack.Record.WrapUp
			switch i {
			case 0:
				u = unfinished(cti.IdentityUnclear, "", toPick)
			case 1:
				u.WrapUp.Note = "a draft"
			}
			u.Call.Leg = fmt.Sprintf("%04d", i)
			r.earlier = append(r.earlier, u)
		}
		r.start()
		synctest.Wait()
		back := map[string]bool{}
		for _, c := range r.cards {
			back[c.Call.Leg] = true
		}
		if len(back) != 202 || !back["0000"] || !back["0001"] || back["0002"] || !back["0800"] || !back["0999"] {
			t.Errorf("%d cards came back; want the one to pick, the draft, and the newest 200", len(back))
		}
	})
}
