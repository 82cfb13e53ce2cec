package app_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/wire"
)

// startWith runs an agent as start does, with a phone that is not its own: it lives on when the agent ends.
func (w *world) startWith(t *testing.T, phone *sim.Source) *agent {
	t.Helper()
	config := w.config()
	config.Phones = []bridge.Source{phone}
	a, err := app.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran, watched := make(chan error, 1), make(chan struct{})
	g := &agent{App: a, client: client.New(w.socket), desk: newDesk(w.log)}
	go func() { ran <- a.Run(ctx) }()
	go func() { defer close(watched); g.watch(ctx, g.client) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		<-watched
		g.client.Close()
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(g.stop)
	g.until(t, "the agent", func() bool { return g.now.V > 0 && g.now.CRM.State != wire.LinkUnknown })
	return g
}

// rings lets a caller ring the phone and gives the call's reference and leg.
func rings(t *testing.T, phone *sim.Source, number string) (ref, leg string) {
	t.Helper()
	ref = phone.Ring(number, phoneName)
	return ref, cti.ID("test", "sim", "sim", "1001", sim.Ref, ref)
}

func TestAStartWithoutAnyNetworkWorksInFull(t *testing.T) {
	t.Parallel() // most of the time it waits until a CRM that was away is asked again
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	a := w.start(t)
	var legs []string
	for n := range 3 {
		leg := a.ring(t, fmt.Sprint("dark ", n), knownNumber)
		a.card(t, "the ring", leg, func(c wire.Card) bool {
			return c.State == cti.Alerting && c.Pop && c.PhoneName == phoneName && c.Number.Best() != ""
		})
		a.talk(t, leg)
		a.wrapUp(t, leg)
		a.card(t, "the record that waits", leg, func(c wire.Card) bool {
			return c.WrapUp.Note == note && (c.Write.State == wire.WriteQueued || c.Write.State == wire.WriteRetrying)
		})
		legs = append(legs, leg)
	}
	if s := a.Status(); s.Outbox.Waiting != 3 || s.Outbox.Review != 0 || s.CRM.State != wire.LinkDown || s.Storage.State != wire.StorageOK {
		t.Errorf("the status is %+v", s)
	}
	w.fault(t, sandbox.Fault{})
	for late := time.Now().Add(3 * patience); w.crm.Ledger().Keys < 3 && time.Now().Before(late); {
		<-time.After(50 * time.Millisecond)
	}
	a.emptied(t)
	for _, leg := range legs {
		r := w.one(t, leg)
		wantContact(t, r, knownCustomer)
		if r.Note == nil || *r.Note != note || r.Ending != "answered" {
			t.Errorf("the record is %+v", r)
		}
	}
	if l := w.crm.Ledger(); l.Keys != 3 || l.Duplicates != 0 || l.Reordered != 0 {
		t.Errorf("the ledger says %+v", l)
	}
}

// Fault 34: the token ends between calls; what came after waits at no cost. The same token made valid again is enough, without a restart.
func TestATokenThatEndsInTheMiddleCostsNothing(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	first := a.ring(t, "before", knownNumber)
	a.talk(t, first)
	a.delivered(t, first)
	if err := w.crm.SetTraits(sandbox.Traits{TokenRequests: 1}); err != nil {
		t.Fatal(err)
	}
	second := a.ring(t, "after", knownNumber)
	a.talk(t, second)
	card := a.card(t, "a refused attempt", second, func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying && c.Write.Kind == cti.Auth })
	if card.Write.Attempts != 0 {
		t.Errorf("the refusal was charged: %+v", card.Write)
	}
	if err := w.crm.SetTraits(sandbox.Traits{}); err != nil {
		t.Fatal(err)
	}
	w.crm.RenewToken("")
	if _, err := a.client.RetryAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.emptied(t)
	wantContact(t, w.one(t, first), knownCustomer)
	wantContact(t, w.one(t, second), knownCustomer)
}

// Fault 34: another token is read from the keychain at the next start.
func TestANewTokenHoldsAfterTheNextStart(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked != "" })
	w.crm.RenewToken(wrongToken) // wrong no more
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.card(t, "a refused attempt", leg, func(c wire.Card) bool { return c.Write.Kind == cti.Auth && c.Write.Attempts == 0 })
	a.stop()
	w.token = wrongToken
	b := w.start(t)
	b.emptied(t)
	if r := w.one(t, leg); r.Note == nil || *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
}

// Fault 49: what happened on the phone while Ringside was not there is asked for at the start, and booked once.
func TestCallsThatEndedWithoutRingsideAreRecordedOnce(t *testing.T) {
	w := newWorld(t)
	phone := sim.New("1001")
	a := w.startWith(t, phone)
	earlier, earlierLeg := rings(t, phone, knownNumber) // so that there is a last call to ask from
	a.card(t, "the ring", earlierLeg, func(c wire.Card) bool { return c.State == cti.Alerting })
	if err := phone.Abandon(earlier); err != nil {
		t.Fatal(err)
	}
	a.delivered(t, earlierLeg)
	live, liveLeg := rings(t, phone, knownNumber)
	a.card(t, "the ring", liveLeg, func(c wire.Card) bool { return c.State == cti.Alerting })
	a.command(t, liveLeg, cti.CommandAnswer)
	a.card(t, "the answer", liveLeg, func(c wire.Card) bool { return c.State == cti.Connected })
	stays, staysLeg := rings(t, phone, "010 9999 0001")
	a.card(t, "the second ring", staysLeg, func(c wire.Card) bool { return c.State == cti.Alerting && c.Search == wire.SearchNone })
	a.stop()

	phone.Disconnect() // so that it does not keep for the next run what nobody hears now: its history alone tells
	ended := time.Now().UTC()
	if err := phone.RemoteHangup(live); err != nil {
		t.Fatal(err)
	}
	unknown, unknownLeg := rings(t, phone, "010 9999 0002")
	if err := phone.Abandon(unknown); err != nil {
		t.Fatal(err)
	}
	phone.Reconnect()
	b := w.startWith(t, phone)
	b.delivered(t, liveLeg)
	b.delivered(t, unknownLeg)
	r := w.one(t, liveLeg)
	wantContact(t, r, knownCustomer)
	if r.Ending != "answered" || r.EndedAt == nil || r.EndedAt.Before(ended.Truncate(time.Millisecond)) || r.EndedAt.After(time.Now()) || r.AnsweredAt == nil {
		t.Errorf("the record of the call that went on is %+v; it ended after %s", r, ended)
	}
	if r = w.one(t, unknownLeg); r.Ending != "abandoned" || r.Number != "+861099990002" {
		t.Errorf("the record of the call nobody saw is %+v", r)
	}
	b.card(t, "the call that goes on", staysLeg, func(c wire.Card) bool { return c.State == cti.Alerting })
	if err := phone.RemoteHangup(stays); err != nil {
		t.Fatal(err)
	}
	b.delivered(t, staysLeg)
	b.stop()

	entries := w.crm.Ledger().Writes
	c := w.startWith(t, phone) // the phone remembers the same calls again
	_, lastLeg := c.pass(t, phone)
	for _, leg := range []string{earlierLeg, liveLeg, unknownLeg, staysLeg, lastLeg} {
		w.one(t, leg)
	}
	if l := w.crm.Ledger(); l.Writes != entries+1 || l.Keys != 5 {
		t.Errorf("after the same history there are %d writes of %d calls, want one more than %d, of 5", l.Writes, l.Keys, entries)
	}
}

// pass lets a call come and go, after which everything before it has been booked.
func (a *agent) pass(t *testing.T, phone *sim.Source) (ref, leg string) {
	t.Helper()
	ref, leg = rings(t, phone, "010 9999 0003")
	a.card(t, "the ring", leg, func(c wire.Card) bool { return c.State == cti.Alerting })
	if err := phone.Abandon(ref); err != nil {
		t.Fatal(err)
	}
	a.delivered(t, leg)
	a.emptied(t)
	return ref, leg
}

// Fault 50: the end of a call comes twice, also over a restart: one record, which nothing touches any more.
func TestTheSameEndTwiceIsOneSetOfItems(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	at := time.Now().UTC().Truncate(time.Millisecond)
	ring, gone := delivered("twice", knownNumber), cti.Event{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"id": "twice"}}}
	ring.At, gone.At = at, at.Add(time.Second)
	leg := a.feed(t, ring, gone, gone)
	a.delivered(t, leg)
	a.feed(t, gone)
	later := gone
	later.At = at.Add(time.Minute) // another end of the same call
	a.feed(t, ring, later)
	a.pause(t)
	a.stop()
	b := w.start(t)
	b.feed(t, ring, gone)
	b.pause(t)
	r := w.one(t, leg)
	if !r.EndedAt.Equal(gone.At) || r.Revision != 1 {
		t.Errorf("the record is %+v, want the first end and no change after it", r)
	}
	// A look-up that ends while its record is being sent has the same sent once more, which changes nothing.
	if l := w.crm.Ledger(); l.Keys != 3 {
		t.Errorf("%d calls are in the CRM, want 3: this one and two that only mark the time", l.Keys)
	}
}

// pause lets a call of its own go through: whatever was fed before it has had its effect.
func (a *agent) pause(t *testing.T) {
	t.Helper()
	ref := fmt.Sprint("mark ", time.Now().UnixNano())
	leg := a.feed(t, delivered(ref, "010 9999 0003"), cti.Event{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"id": ref}}})
	a.delivered(t, leg)
	a.emptied(t)
}
