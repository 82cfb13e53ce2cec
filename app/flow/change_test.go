package flow_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func twoActive() []cti.Match {
	return []cti.Match{
		{Customer: cti.Customer{ID: "c1", Name: "One", Status: "active", Tags: []string{"vip"}}, Grade: cti.Sure},
		{Customer: cti.Customer{ID: "c2", Name: "Two", Status: "active"}, Grade: cti.Sure},
	}
}

func picked(c flow.Card) cti.Customer {
	for _, m := range c.Matches {
		if m.Customer.ID == c.Picked {
			return m.Customer
		}
	}
	return cti.Customer{}
}

// last is the newest write-back.
func (r *rig) last() cti.WriteBack {
	all := r.writes()
	return all[len(all)-1]
}

// came tells what became of the newest change.
func (r *rig) came(leg, state string, kind cti.Kind, theirs string) {
	c := flow.ChangeOf(r.last())
	c.Item, c.Theirs, c.Write = 7, theirs, flow.Write{State: state, Kind: kind}
	r.flow.ChangeProgress(leg, c)
	synctest.Wait()
}

func changing(t *testing.T, matches []cti.Match, test func(t *testing.T, r *rig, leg string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(matches)
		r.details = func(context.Context, string) (flow.Details, error) {
			return flow.Details{Tickets: []cti.Ticket{{ID: "t1", Status: "open"}}}, nil
		}
		r.start().tell(ring("a"), answer("a"))
		test(t, r, r.card().Call.Leg)
	})
}

// A change that waits behind another one, or for the network, has no news: a page of the synchronisation must not undo it on the card, and the next
// change begins at it, or it would be taken for somebody else's.
func TestWhatIsOnItsWayStaysAsTheAgentSeesIt(t *testing.T) {
	changing(t, twoActive()[:1], func(t *testing.T, r *rig, leg string) {
		must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
		must(t, r.flow.ChangeTags(t.Context(), leg, []string{"x"}, []string{"vip"}))
		must(t, r.flow.SetTicketStatus(t.Context(), leg, "t1", "pending"))
		r.flow.Refreshed([]cti.Customer{twoActive()[0].Customer}, nil)
		synctest.Wait()
		c := r.card()
		if who := picked(c); who.Status != "follow_up" || !slices.Equal(who.Tags, []string{"x"}) || c.Details.Tickets[0].Status != "pending" || len(c.Changes) != 4 {
			t.Errorf("the card shows %+v, %+v, %+v though all of it waits", who, c.Details.Tickets, c.Changes)
		}
		must(t, r.flow.SetStatus(t.Context(), leg, "closed"))
		if w := r.last(); *w.Was != "follow_up" {
			t.Errorf("the next change says it was %q", *w.Was)
		}
		r.came(leg, flow.WriteDelivered, "", "")
		r.flow.Refreshed([]cti.Customer{{ID: "c1", Name: "One", Status: "by a colleague"}}, nil)
		synctest.Wait()
		if who := picked(r.card()); who.Status != "follow_up" {
			t.Errorf("the first change waits still, and the card shows %q", who.Status)
		}
	})
}

func TestAChangeIsTheCustomersWhomItWasMadeOf(t *testing.T) {
	changing(t, twoActive(), func(t *testing.T, r *rig, leg string) {
		must(t, r.flow.Pick(t.Context(), leg, "c1"))
		must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
		must(t, r.flow.Pick(t.Context(), leg, "c2"))
		r.flow.Refreshed([]cti.Customer{twoActive()[1].Customer}, nil)
		synctest.Wait()
		if c := picked(r.card()); c.ID != "c2" || c.Status != "active" {
			t.Errorf("the card shows %+v", c)
		}
		must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
		if w := r.last(); w.CustomerID != "c2" || *w.Was != "active" {
			t.Errorf("the change of the right customer is %+v", w)
		}
	})
}

// The CRM's stands until a person decides, and the next change begins at that.
func TestWhatTheCRMDidNotTakeIsTakenBackOnTheCard(t *testing.T) {
	for theirs, kind := range map[string]cti.Kind{"": cti.Invalid, "inactive": cti.Conflict} {
		changing(t, twoActive()[:1], func(t *testing.T, r *rig, leg string) {
			want := theirs
			if want == "" {
				want = "active"
			}
			must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
			r.came(leg, flow.WriteReview, kind, theirs)
			if c := r.card(); picked(c).Status != want || len(c.Changes) != 1 || c.Changes[0].Item != 7 {
				t.Errorf("the card shows %+v, %+v", picked(c), c.Changes)
			}
			must(t, r.flow.SetStatus(t.Context(), leg, "closed"))
			if w := r.last(); *w.Was != want {
				t.Errorf("the next change says it was %q, want %q", *w.Was, want)
			}
			must(t, r.flow.ChangeTags(t.Context(), leg, nil, []string{"vip"}))
			r.came(leg, flow.WriteReview, cti.Denied, "")
			if who := picked(r.card()); !slices.Equal(who.Tags, []string{"vip"}) {
				t.Errorf("the tags are %v: one is missing that the CRM has", who.Tags)
			}
			must(t, r.flow.SetTicketStatus(t.Context(), leg, "t1", "solved"))
			r.came(leg, flow.WriteReview, cti.Denied, "")
			if tickets := r.card().Details.Tickets; tickets[0].Status != "open" {
				t.Errorf("the ticket shows %q", tickets[0].Status)
			}
		})
	}
}

func TestACardIsNotPutAwayWhileTheAgentHasToDecide(t *testing.T) {
	changing(t, twoActive()[:1], func(t *testing.T, r *rig, leg string) {
		must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
		r.came(leg, flow.WriteReview, cti.Conflict, "inactive")
		r.tell(hangup("a"))
		r.delivered(leg)
		if err := r.flow.Dismiss(t.Context(), leg); cti.KindOf(err) != cti.Conflict {
			t.Errorf("Dismiss gives %v", err)
		}
		r.flow.ChangeProgress(leg, flow.Change{Key: r.card().Changes[0].Key, Write: flow.Write{State: flow.WriteDiscarded}})
		synctest.Wait()
		if err := r.flow.Dismiss(t.Context(), leg); err != nil {
			t.Errorf("decided, it gives %v", err)
		}
	})
}

// The CRM deleted the customer while the call's record waits: it must not be sent for them.
func TestARecordThatWaitsIsNotForWhomTheCRMDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).knows(twoActive()[:1])
		r.start().tell(ring("a"), answer("a"), hangup("a"))
		r.flow.Refreshed(nil, []string{"c1"})
		synctest.Wait()
		if c := r.card(); c.Picked != "" || r.last().CustomerID != "" {
			t.Errorf("picked is %q, the record is for %q", c.Picked, r.last().CustomerID)
		}
	})
}

// Two calls of one customer are on the screen: what is changed on one card is on the other.
func TestAllCardsOfACustomerShowAChange(t *testing.T) {
	changing(t, twoActive()[:1], func(t *testing.T, r *rig, leg string) {
		r.tell(hangup("a"), ring("b"), answer("b"))
		second := r.card().Call.Leg
		if second == leg {
			t.Fatal("there is no second card")
		}
		must(t, r.flow.SetStatus(t.Context(), leg, "follow_up"))
		for _, one := range []string{leg, second} {
			if who := picked(r.cardOf(one)); who.Status != "follow_up" {
				t.Errorf("the card of %s shows %+v", one, who)
			}
		}
	})
}

// cardOf is the newest card of a call.
func (r *rig) cardOf(leg string) flow.Card {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range slices.Backward(r.cards) {
		if c.Call.Leg == leg {
			return c
		}
	}
	r.t.Fatalf("%s has no card", leg)
	return flow.Card{}
}
