package flow_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func (r *rig) save(outcome, note string) error {
	err := r.flow.SaveWrapUp(r.t.Context(), "a", cti.WrapUp{Outcome: outcome, Note: note}, false)
	synctest.Wait()
	return err
}

func (r *rig) draft(note string) error {
	err := r.flow.SaveWrapUp(r.t.Context(), "a", cti.WrapUp{Note: note}, true)
	synctest.Wait()
	return err
}

func TestAWrapUpDuringTheCallIsWrittenWithItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), answer("a"))
		must(t, r.save("Order placed", "call back"))
		if len(r.accepted) != 0 || r.card().WrapUp.Note != "call back" {
			t.Errorf("%d records before the end, card %+v", len(r.accepted), r.card().WrapUp)
		}
		r.tell(hangup("a"))
		w := r.writes()
		if len(w) != 1 || w[0].Record.WrapUp.Note != "call back" || w[0].Record.WrapUp.SavedAt.IsZero() || r.lastAccepted().wrap != w[0].Record.WrapUp {
			t.Errorf("written %+v, want once with the wrap-up", w)
		}
	})
}

func TestAWrapUpAfterTheCallIsAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"))
		pass(7 * time.Second)
		must(t, r.save("Order placed", "call back"))
		w := r.writes()
		if len(w) != 2 || w[1].Key != w[0].Key || w[1].Record.WrapUp.Outcome != "Order placed" || w[1].Record.WrapMS != 7000 {
			t.Errorf("written %+v, want the same record with outcome and 7 s of wrap-up", w)
		}
		if c := r.card(); c.Write.State != flow.WriteQueued || c.WrapUp.Note != "call back" {
			t.Errorf("card %+v", c)
		}
	})
}

func TestTheSameWrapUpAgainIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"))
		must(t, r.save("", "call back"))
		done := flow.Write{State: flow.WriteDelivered, RecordID: "r1"}
		r.flow.Progress(flow.Progress{Leg: "a", Write: done})
		pass(time.Minute)
		must(t, r.save("", " call back "))
		if w := r.writes(); !w[len(w)-1].Equal(w[len(w)-2]) {
			t.Errorf("the second time another record was written: %+v", w)
		}
		if c := r.card(); c.Write != done {
			t.Errorf("write %+v, want it delivered as before: nobody will tell of it again", c.Write)
		}
		must(t, r.save("", "another"))
		if c := r.card(); c.Write.State != flow.WriteQueued {
			t.Errorf("write %+v, want the change queued", c.Write)
		}
	})
}

func TestADraftIsKeptAndNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2")).start()
		r.tell(ring("a"), answer("a"))
		must(t, r.draft("half a th"))
		r.tell(hangup("a"))
		if got := r.lastAccepted(); got.wrap.Note != "half a th" || got.writes[0].Record.WrapUp != (cti.WrapUp{}) {
			t.Errorf("at the end %+v, want the draft with the call and not in the record", got)
		}
		must(t, r.draft("half a thought"))
		if got := r.lastAccepted(); got.wrap.Note != "half a thought" || len(got.writes) != 0 {
			t.Errorf("after the end %+v, want only the call with its draft", got)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c1"))
		if got := r.lastAccepted(); got.wrap.Note != "half a thought" || got.writes[0].Record.WrapUp != (cti.WrapUp{}) {
			t.Errorf("with the pick %+v, want the draft not in the record", got)
		}
		must(t, r.save("", "a thought"))
		must(t, r.draft("a thought and a ha"))
		if got := r.lastAccepted(); got.wrap.Note != "a thought and a ha" || got.wrap.SavedAt.IsZero() || len(got.writes) != 0 {
			t.Errorf("after saving %+v", got)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		if got := r.lastAccepted(); got.writes[0].Record.WrapUp.Note != "a thought" {
			t.Errorf("with the second pick %+v, want what was saved", got.writes[0].Record.WrapUp)
		}
	})
}

func TestADraftOnAnUnsavedCardSavesTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.full.Store(true)
		r.start().tell(ring("a"), hangup("a"))
		if err := r.draft("x"); err == nil {
			t.Error("a draft was kept on a full disk")
		}
		r.full.Store(false)
		must(t, r.draft("x"))
		if c := r.card(); c.Write.State != flow.WriteQueued || c.Notice != "" || len(r.writes()) != 1 {
			t.Errorf("write %+v, notice %q, written %+v; want it queued", c.Write, c.Notice, r.writes())
		}
	})
}

func TestAWrapUpThatIsRefusedChangesNothing(t *testing.T) {
	for name, wrap := range map[string]cti.WrapUp{
		"note too long":      {Note: strings.Repeat("陈", cti.MaxNote/3+2)},
		"outcome not listed": {Outcome: "Sold", Note: "call back"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.outcomes = []string{"Order placed", "Complaint"}
			r.start().tell(ring("a"), hangup("a"))
			must(t, r.save("Complaint", "first"))
			before, n := r.card(), len(r.accepted)
			if err := r.flow.SaveWrapUp(t.Context(), "a", wrap, false); cti.KindOf(err) != cti.Invalid || cti.MessageOf(err) == "" {
				t.Errorf("%s: %v, want invalid with a reason", name, err)
			}
			synctest.Wait()
			if after := r.card(); after.WrapUp != before.WrapUp || after.Write != before.Write || len(r.accepted) != n {
				t.Errorf("%s: the card is %+v, was %+v", name, after, before)
			}
		})
	}
}

func TestANoteOfFullLengthIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(ring("a"), hangup("a"))
		must(t, r.save("", "  "+strings.Repeat("x", cti.MaxNote)+"\n"))
		must(t, r.save("", "a\xffb"))
		if w := r.writes(); w[2].Record.WrapUp.Note != "a\uFFFDb" {
			t.Errorf("note %q", w[2].Record.WrapUp.Note)
		}
	})
}

func TestAWrapUpTheDiskRefusesIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.full.Store(false)
		r.start().tell(ring("a"), hangup("a"))
		must(t, r.save("", "first"))
		r.full.Store(true)
		if err := r.save("", "second"); cti.KindOf(err) != cti.Internal {
			t.Errorf("got %v", err)
		}
		if c := r.card(); c.Notice != flow.WrapUpNotSaved || c.WrapUp.Note != "first" || c.Write.State != flow.WriteQueued {
			t.Errorf("card %+v, want the first wrap-up, queued, and a notice", c)
		}
		r.full.Store(false)
		must(t, r.save("", "second"))
		w := r.writes()
		if c := r.card(); c.Notice != "" || w[len(w)-1].Record.WrapUp.Note != "second" {
			t.Errorf("notice %q, written %+v", c.Notice, w)
		}
	})
}

func TestAWrapUpOfNoCallIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		if err := r.save("", "x"); cti.KindOf(err) != cti.NotFound {
			t.Errorf("got %v", err)
		}
	})
}
