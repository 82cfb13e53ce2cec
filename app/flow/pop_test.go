package flow_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func TestPopIsShownBeforeAnybodyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.find = silentCRM
		r.start().tell(ring("a"))
		c := r.card()
		if c.Call.State != cti.Alerting || c.Call.Remote.E164 != customersNumber || c.Search != flow.Looking || !c.Pop {
			t.Errorf("first card %+v, want it alerting, with the number, looking, popped", c)
		}
		if diff := cmp.Diff([]string{"show ", "find"}, r.happened()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestACachedCustomerIsOnTheFirstCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cached = func(cti.Number) []cti.Match { return match(cti.Sure, "c1") }
		r.find = silentCRM
		r.start().tell(ring("a"))
		if c := r.cards[0]; c.Search != flow.Found || c.Picked != "c1" || len(c.Matches) != 1 {
			t.Errorf("first card %+v, want customer c1", c)
		}
	})
}

func TestLiveAnswersFillIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Likely, "c1"))
		r.details = func(_ context.Context, id string) (flow.Details, error) {
			return flow.Details{History: []cti.Contact{{Note: "history of " + id}}}, nil
		}
		r.start().tell(ring("a"))
		if c := r.card(); c.Picked != "c1" || c.Search != flow.Found || len(c.Details.History) != 1 || c.Details.History[0].Note != "history of c1" {
			t.Errorf("card %+v, want c1 with history", c)
		}
	})
}

func TestALiveAnswerReplacesTheCachedCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			live   []cti.Match
			search flow.Search
			picked string
		}{
			"another":  {match(cti.Sure, "c2"), flow.Found, "c2"},
			"the same": {match(cti.Sure, "c1"), flow.Found, "c1"},
			"nobody":   {nil, flow.Nobody, ""},
			"several":  {match(cti.Sure, "c1", "c2"), flow.Several, ""},
		} {
			r := newRig(t).knows(test.live)
			r.cached = func(cti.Number) []cti.Match { return match(cti.Sure, "c1") }
			r.details = func(_ context.Context, id string) (flow.Details, error) {
				return flow.Details{History: []cti.Contact{{Note: id}}}, nil
			}
			r.start().tell(ring("a"))
			c := r.card()
			if c.Search != test.search || c.Picked != test.picked {
				t.Errorf("%s: %s, picked %q; want %s, %q", name, c.Search, c.Picked, test.search, test.picked)
			}
			if known := len(c.Details.History) == 1 && c.Details.History[0].Note == test.picked; known != (test.picked != "") {
				t.Errorf("%s: history %+v", name, c.Details.History)
			}
		}
	})
}

func TestALookUpThatNeverAnswersEndsAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.find = silentCRM
		r.start().tell(ring("a"))
		pass(time.Second)
		r.tell(ring("b"), answer("b"))
		if c := r.card(); c.Call.Leg != "b" || c.Call.State != cti.Connected {
			t.Errorf("the other call is %+v", c.Call)
		}
		pass(499 * time.Millisecond)
		if c := r.card(); c.Call.Leg != "b" {
			t.Errorf("the look-up of a ended early: %+v", c)
		}
		pass(time.Millisecond)
		if c := r.card(); c.Call.Leg != "a" || c.Search != flow.Failed || c.SearchKind != cti.Offline {
			t.Errorf("after 1.5 s %+v, want a failed, offline", c)
		}
	})
}

func TestAFailedLookUp(t *testing.T) {
	for name, find := range map[string]func(context.Context, cti.Number) ([]cti.Match, error){
		"refused": func(context.Context, cti.Number) ([]cti.Match, error) {
			return nil, cti.Errorf(cti.Auth, "sign in", nil)
		},
		"panic": func(context.Context, cti.Number) ([]cti.Match, error) { panic("nil map") },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.find = find
			r.start().tell(ring("a"))
			want := map[string]cti.Kind{"refused": cti.Auth, "panic": cti.Internal}[name]
			if c := r.card(); c.Search != flow.Failed || c.SearchKind != want {
				t.Errorf("%s: %s, kind %q; want failed, %q", name, c.Search, c.SearchKind, want)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.find, r.cached = find, func(cti.Number) []cti.Match { return match(cti.Sure, "c1") }
			r.start().tell(ring("a"))
			if c := r.card(); c.Search != flow.Found || c.Picked != "c1" || c.SearchKind == "" {
				t.Errorf("%s: card %+v, want the cached customer and why nobody answered", name, c)
			}
		})
	}
}

func TestFailedDetailsLeaveTheCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		r.details = func(context.Context, string) (flow.Details, error) { return flow.Details{}, errDisk }
		r.start().tell(ring("a"))
		if c := r.card(); c.Picked != "c1" {
			t.Errorf("card %+v", c)
		}
	})
}

func TestAStaleAnswerIsDroppedWhenTheNumberGotBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow := make(chan struct{})
		r.find = func(_ context.Context, n cti.Number) ([]cti.Match, error) {
			if n.E164 == customersNumber {
				<-slow
				return match(cti.Sure, "stale"), nil
			}
			return match(cti.Sure, "right"), nil
		}
		r.start().tell(ring("a"), better("a", "+442079460123"))
		close(slow)
		synctest.Wait()
		if c := r.card(); c.Picked != "right" || c.SearchKind != "" || c.Call.Remote.E164 != "+442079460123" {
			t.Errorf("card %+v, want the customer of the better number", c)
		}
	})
}

func TestABetterNumberAfterAFailedLookUpIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.find = func(_ context.Context, n cti.Number) ([]cti.Match, error) {
			if n.E164 == customersNumber {
				return nil, errDisk
			}
			return match(cti.Sure, "right"), nil
		}
		r.start().tell(ring("a"), better("a", "+442079460123"))
		if c := r.card(); c.Picked != "right" || c.SearchKind != "" {
			t.Errorf("card %+v, want the customer of the better number and no trace of the failure", c)
		}
	})
}

func TestABetterNumberClearsTheFormerCustomerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		r.start().tell(ring("a"))
		r.find = silentCRM
		r.tell(better("a", "+442079460123"))
		if c := r.card(); c.Search != flow.Looking || c.Picked != "" || len(c.Matches) != 0 {
			t.Errorf("card %+v, want it looking anew", c)
		}
	})
}

func TestNumbersThatTellNobodyAreNotLookedUp(t *testing.T) {
	from := func(n cti.Number) cti.Event {
		e := ring("a")
		e.Remote.Number = n
		return e
	}
	for _, test := range []struct {
		name   string
		number cti.Number
		search flow.Search
	}{
		{"withheld", cti.Number{Raw: "anonymous", Class: cti.ClassWithheld, Withheld: true}, flow.Withheld},
		{"no number", cti.Number{}, flow.Withheld},
		{"own", cti.Number{Raw: "02160008888", E164: "+862160008888", Class: cti.ClassOwn}, flow.OwnLine},
		{"a colleague", cti.Number{Raw: "8012", Key: "8012", Class: cti.ClassInternal}, flow.Colleague},
		{"lent by a platform", cti.Number{Raw: "17012345678", E164: "+8617012345678", Class: cti.ClassPrivacy}, flow.Privacy},
		{"no telephone number", cti.Number{Raw: "alice", Class: cti.ClassInvalid}, flow.Unreadable},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).start()
			r.tell(from(test.number), hangup("a"))
			if diff := cmp.Diff([]string{"show ", "accept", "show queued"}, r.happened()); diff != "" {
				t.Errorf("%s:\n%s", test.name, diff)
			}
			if c := r.card(); c.Search != test.search {
				t.Errorf("%s: search %s, want %s", test.name, c.Search, test.search)
			}
			if w := r.writes()[0]; w.Identity != cti.IdentityKnown || w.CustomerID != "" {
				t.Errorf("%s: written for %q, %s; want nobody, known", test.name, w.CustomerID, w.Identity)
			}
		})
	}
}

// A transfer brings another customer: what the agent chose for the one before is not theirs. The card changes in place.
func TestAnotherPartyIsIdentifiedAnewEvenAfterAPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		r.start().tell(ring("a"))
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		r.knows(match(cti.Sure, "c3"))
		e := event(cti.Transferred, "a")
		e.Transfer, e.Remote.Number = &cti.Transfer{Kind: cti.Blind, Role: cti.Transferee, To: "13900139000"}, number("+8613900139000")
		r.tell(e)
		if c := r.card(); c.Picked != "c3" || len(c.Matches) != 1 || c.Call.Leg != "a" {
			t.Errorf("card %+v, want c3 in the same card", c)
		}
	})
}

// What the agent chose while the number was withheld stays when it comes.
func TestAPickForAWithheldCallerStaysWhenTheNumberComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		e := ring("a")
		e.Remote.Number = cti.Number{Withheld: true}
		r.start().tell(e)
		must(t, r.flow.AttachTo(t.Context(), "a", cti.Customer{ID: "c2", Name: "by voice"}, false))
		r.tell(better("a", customersNumber))
		if c := r.card(); c.Picked != "c2" {
			t.Errorf("card %+v, want c2 as chosen", c)
		}
	})
}

// Digits of no country may be in a CRM all the same.
func TestUnreadableDigitsAreLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Likely, "c1"))
		e := ring("a")
		e.Remote.Number = cti.Number{Raw: "138001380001", Key: "138001380001", Class: cti.ClassInvalid}
		r.start().tell(e)
		if c := r.card(); c.Picked != "c1" {
			t.Errorf("card %+v, want c1", c)
		}
	})
}

func TestAWithheldCallerWhoseNumberComesLaterIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1"))
		e := ring("a")
		e.Remote.Number = cti.Number{Withheld: true}
		r.start().tell(e, better("a", customersNumber))
		if c := r.card(); c.Picked != "c1" {
			t.Errorf("card %+v, want c1", c)
		}
	})
}

func TestSeveralOrAPerhapsWaitForAPick(t *testing.T) {
	for name, matches := range map[string][]cti.Match{"several": match(cti.Sure, "c1", "c2"), "a perhaps": match(cti.Perhaps, "c1")} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).knows(matches)
			r.start().tell(ring("a"), answer("a"), hangup("a"))
			c := r.card()
			if c.Search != flow.Several || c.Picked != "" || c.Write.State != flow.WriteReview || c.Write.Kind != cti.Conflict {
				t.Errorf("%s: card %+v, want several, nobody picked, for review", name, c)
			}
			if w := r.writes()[0]; w.Identity != cti.IdentityUnclear || w.CustomerID != "" {
				t.Errorf("%s: written for %q, %s", name, w.CustomerID, w.Identity)
			}
			if err := r.flow.Pick(t.Context(), "a", "stranger"); cti.KindOf(err) != cti.NotFound {
				t.Errorf("%s: picking a stranger gave %v", name, err)
			}
			must(t, r.flow.Pick(t.Context(), "a", "c1"))
			if w := r.writes(); len(w) != 2 || w[1].Identity != cti.IdentityKnown || w[1].CustomerID != "c1" || w[1].Key != w[0].Key {
				t.Errorf("%s: after the pick %+v, want the same record for c1", name, w)
			}
			if c := r.card(); c.Write.State != flow.WriteQueued || c.Search != flow.Found {
				t.Errorf("%s: card %+v, want it queued", name, c)
			}
		})
	}
}

func TestAPickDuringTheCallIsWrittenWithItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		r.start().tell(ring("a"), answer("a"))
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		r.tell(hangup("a"))
		if w := r.writes(); len(w) != 1 || w[0].CustomerID != "c2" || w[0].Identity != cti.IdentityKnown {
			t.Errorf("written %+v, want once for c2", w)
		}
	})
}

func TestNoLookUpUndoesAPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow := make(chan struct{})
		r.cached = func(cti.Number) []cti.Match { return match(cti.Sure, "c1", "c2") }
		r.find = func(context.Context, cti.Number) ([]cti.Match, error) { <-slow; return match(cti.Sure, "c1"), nil }
		r.start().tell(ring("a"))
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		close(slow)
		synctest.Wait()
		r.tell(better("a", "+442079460123"))
		if c := r.card(); c.Picked != "c2" {
			t.Errorf("picked %q, want c2", c.Picked)
		}
	})
}

func TestDetailsOfAFormerPickAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(match(cti.Sure, "c1", "c2"))
		slow := make(chan struct{})
		r.details = func(_ context.Context, id string) (flow.Details, error) {
			if id == "c1" {
				<-slow
			}
			return flow.Details{History: []cti.Contact{{Note: id}}}, nil
		}
		r.start().tell(ring("a"))
		must(t, r.flow.Pick(t.Context(), "a", "c1"))
		if c := r.card(); c.Picked != "c1" || c.Search != flow.Found {
			t.Errorf("card %+v, want c1 before there are details", c)
		}
		must(t, r.flow.Pick(t.Context(), "a", "c2"))
		close(slow)
		synctest.Wait()
		if c := r.card(); len(c.Details.History) != 1 || c.Details.History[0].Note != "c2" {
			t.Errorf("history %+v, want that of c2", c.Details.History)
		}
	})
}

func TestAQueueCallIsNotOnTheScreenBeforeItRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(event(cti.Queued, "gone"), hangup("gone"), event(cti.Queued, "a"))
		if r.shown() != 0 || len(r.accepted) != 0 {
			t.Errorf("%d cards, %d records; want none for callers who only waited", r.shown(), len(r.accepted))
		}
		r.tell(ring("a"))
		if c := r.card(); c.Call.Leg != "a" || !c.Pop {
			t.Errorf("card %+v, want a popped", c)
		}
	})
}

func TestThePhonesConnectionIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		r.tell(event(cti.SourceUp, ""), event(cti.SourceDown, ""))
		if diff := cmp.Diff([]bool{true, false}, r.up); diff != "" || r.shown() != 0 {
			t.Errorf("%d cards\n%s", r.shown(), diff)
		}
	})
}
