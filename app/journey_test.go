package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func text(s string) *string { return &s }

// one gives the CRM's only record of a call.
func (w *world) one(t *testing.T, leg string) sandbox.Call {
	t.Helper()
	records := w.records(leg)
	if len(records) != 1 {
		t.Fatalf("the CRM holds %d records of the call, not 1: %+v\n%s", len(records), records, w.log)
	}
	return records[0]
}

func wantContact(t *testing.T, r sandbox.Call, want string) {
	t.Helper()
	if got := r.ContactID; want == "" && got != nil || want != "" && (got == nil || *got != want) {
		t.Errorf("the record's customer is %v, want %q", got, want)
	}
}

func TestAKnownCustomersCallBecomesOneRecordWithEveryFieldRight(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	before := len(w.crm.Calls())
	start := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)
	at := func(ms int, e cti.Event) cti.Event {
		e.At = start.Add(time.Duration(ms) * time.Millisecond)
		e.Call = cti.CallRef{Refs: map[string]string{"id": "full"}}
		return e
	}
	ring := delivered("full", knownNumber)
	ring.Queue = &cti.Queue{Name: "sales", WaitMS: 7000}
	leg := a.feed(t, at(0, ring))
	card := a.card(t, "the customer with history and tickets", leg, func(c wire.Card) bool { return len(c.History) > 0 && len(c.Tickets) > 0 })
	if card.Picked != knownCustomer || card.Search != wire.SearchFound || !card.Pop || card.Matches[0].Grade != cti.Sure || card.Matches[0].Customer.Name != "陈丽华" {
		t.Errorf("the card is %+v", card)
	}
	a.feed(t, at(4200, cti.Event{Type: cti.Established}), at(10_000, cti.Event{Type: cti.Held, By: cti.ByLocal}),
		at(15_000, cti.Event{Type: cti.Retrieved, By: cti.ByLocal}), at(30_000, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}}))
	a.card(t, "the end", leg, func(c wire.Card) bool { return c.State == cti.StateClosed && c.Ending == cti.EndAnswered })
	a.wrapUp(t, leg)
	a.saved(t, leg)
	logged, err := a.client.Call(t.Context(), leg)
	if err != nil {
		t.Fatal(err)
	}
	wrap := logged.Call.WrapEndedAt.Sub(start.Add(30 * time.Second))
	if wrap < 30*time.Second || wrap > time.Minute {
		t.Errorf("the wrap-up took %v", wrap)
	}
	stamp := func(ms int) sandbox.Stamp {
		return sandbox.Stamp{Time: start.Add(time.Duration(ms) * time.Millisecond)}
	}
	answered, ended := stamp(4200), stamp(30_000)
	got := w.one(t, leg)
	want := sandbox.Call{ID: got.ID, ExternalKey: cti.WriteKey("test", leg, cti.LogCall, 0), ContactID: text(knownCustomer),
		Agent: sandbox.Agent{ID: "u_01", Name: "Lin Yue", Email: "lin.yue@ringside.example"}, Direction: "in", Number: "+86" + knownNumber, Extension: "1001",
		StartedAt: stamp(0), AnsweredAt: &answered, EndedAt: &ended, RingMS: 4200, QueueMS: 7000, TalkMS: 20_800, HoldMS: 5000, WrapMS: wrap.Milliseconds(),
		Ending: "answered", Cause: "normal", Outcome: text("Sold"), Note: text(note), Case: leg, Leg: leg}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sandbox.Call{}, "CreatedAt", "UpdatedAt", "Revision")); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}
	if n := len(w.crm.Calls()) - before; n != 1 {
		t.Errorf("the CRM has %d new records", n)
	}
}

func TestTheDeskAnswersAndHangsUp(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "1", knownNumber)
	card := a.talk(t, leg)
	if card.Ending != cti.EndAnswered || card.Picked != knownCustomer {
		t.Errorf("the card is %+v", card)
	}
	a.wrapUp(t, leg)
	a.saved(t, leg)
	r := w.one(t, leg)
	wantContact(t, r, knownCustomer)
	if r.Ending != "answered" || r.AnsweredAt == nil || *r.Outcome != "Sold" || *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
	if err := a.client.Command(t.Context(), leg, cti.Instruction{Command: cti.CommandAnswer}); cti.KindOf(err) != cti.Conflict {
		t.Errorf("answering again gives %v", err)
	}
}

func TestWithTheCRMDownAllTheWhileTheRecordReachesTheRightCustomerLater(t *testing.T) {
	w := newWorld(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	a := w.start(t)
	leg := a.ring(t, "down", knownNumber)
	if card := a.talk(t, leg); card.Search != wire.SearchFailed || card.SearchError != cti.Offline || card.Picked != "" {
		t.Errorf("the card is %+v", card)
	}
	a.wrapUp(t, leg)
	a.card(t, "a failed attempt", leg, func(c wire.Card) bool {
		return c.Write.State == wire.WriteRetrying && c.Write.Kind == cti.Offline && c.Write.Attempts > 0
	})
	if s := a.Status(); s.CRM.State != wire.LinkDown || s.Outbox.Waiting != 1 {
		t.Errorf("the status is %+v", s)
	}
	w.fault(t, sandbox.Fault{})
	a.saved(t, leg)
	r := w.one(t, leg)
	wantContact(t, r, knownCustomer)
	if *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
	a.until(t, "the CRM link", func() bool { return a.now.CRM.State == wire.LinkUp })
}

func TestAnAnswerLostAfterTheCRMAcceptedLeavesOneRecord(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "lost", knownNumber)
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked != "" })
	w.fault(t, sandbox.Fault{DropAnswer: true, Count: 2, Match: "/api/calls"})
	a.talk(t, leg)
	a.card(t, "the lost answer", leg, func(c wire.Card) bool { return c.Write.Kind == cti.Uncertain && c.Write.State == wire.WriteRetrying })
	a.delivered(t, leg)
	if dropped := w.crm.Stats().Dropped; dropped != 2 {
		t.Errorf("%d answers were dropped", dropped)
	}
	wantContact(t, w.one(t, leg), knownCustomer)
	a.wrapUp(t, leg)
	a.saved(t, leg)
	if r := w.one(t, leg); *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
}

func TestASharedNumberNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "shared", "+44 20 7946 0999")
	if card := a.talk(t, leg); card.Search != wire.SearchSeveral || len(card.Matches) != 2 || card.Picked != "" {
		t.Errorf("the card is %+v", card)
	}
	a.wrapUp(t, leg)
	a.until(t, "an item for a person", func() bool { return a.now.Outbox == wire.Outbox{Review: 1} })
	items := a.outbox(t)
	if len(items) != 1 || items[0].State != wire.WriteReview || items[0].Kind != cti.Conflict {
		t.Fatalf("the outbox holds %+v", items)
	}
	if err := a.client.Retry(t.Context(), items[0].Seq); cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), "pick the customer") {
		t.Errorf("retrying gives %v", err)
	}
	if err := a.client.Pick(t.Context(), leg, knownCustomer); cti.KindOf(err) != cti.NotFound {
		t.Errorf("picking a stranger gives %v", err)
	}
	if n := len(w.records(leg)); n != 0 {
		t.Errorf("%d records were written before anybody picked", n)
	}
	if err := a.client.Pick(t.Context(), leg, "c_000004"); err != nil {
		t.Fatal(err)
	}
	a.saved(t, leg)
	r := w.one(t, leg)
	wantContact(t, r, "c_000004")
	if *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
}

// synchronise brings the CRM's customers to this computer.
func (a *agent) synchronise(t *testing.T) {
	t.Helper()
	if err := <-a.Synchronised(true); err != nil {
		t.Fatal(err)
	}
}

func TestAKnownCustomerPopsWithTheNetworkUnplugged(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	a.synchronise(t)
	a.stop()
	w.fault(t, sandbox.Fault{Refuse: true})
	a = w.start(t)
	leg := a.ring(t, "unplugged", "0086 138 0013 8000")
	card := a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked != "" })
	if m := card.Matches[0]; card.Picked != knownCustomer || m.From != cti.FromIndex || m.Grade != cti.Sure || m.At.IsZero() || time.Since(m.At) > time.Minute {
		t.Errorf("the card is %+v", card)
	}
	w.fault(t, sandbox.Fault{})
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.saved(t, leg)
	wantContact(t, w.one(t, leg), knownCustomer)
}

func TestAPickIsRememberedForTheNextCall(t *testing.T) {
	const shared = "+44 20 7946 0999"
	w := newWorld(t)
	a := w.start(t)
	first := a.ring(t, "first", shared)
	a.card(t, "the list", first, func(c wire.Card) bool { return c.Search == wire.SearchSeveral })
	if err := a.client.Pick(t.Context(), first, "c_000004"); err != nil {
		t.Fatal(err)
	}
	a.talk(t, first)
	a.delivered(t, first)
	a.stop()

	a = w.start(t)
	second := a.ring(t, "second", "0044 (0)20 7946 0999")
	card := a.card(t, "the customer", second, func(c wire.Card) bool { return c.Picked != "" })
	if card.Picked != "c_000004" || len(card.Matches) != 2 || !card.Matches[0].Picked() {
		t.Errorf("the card is %+v", card)
	}

	// Taken back, the record waits for a person, and the next caller is open again.
	if err := a.client.Wrong(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := a.client.Wrong(t.Context(), second); cti.KindOf(err) != cti.Conflict {
		t.Errorf("taking it back twice gives %v", err)
	}
	a.talk(t, second)
	a.until(t, "an item for a person", func() bool { return a.now.Outbox == wire.Outbox{Review: 1} })
	third := a.ring(t, "third", shared)
	if card := a.card(t, "the list", third, func(c wire.Card) bool { return c.Search == wire.SearchSeveral }); card.Picked != "" {
		t.Errorf("the card is %+v", card)
	}
	if err := a.client.Pick(t.Context(), second, "c_000003"); err != nil {
		t.Fatal(err)
	}
	a.delivered(t, second)
	wantContact(t, w.one(t, second), "c_000003")
}

func TestNobodysNumbersBecomeARecordWithoutCustomer(t *testing.T) {
	for name, test := range map[string]struct {
		number string
		search wire.Search
		record string
	}{
		"unknown":  {"010 9999 0001", wire.SearchNone, "+861099990001"},
		"withheld": {"", wire.SearchWithheld, ""},
		"own":      {"+86 21 6555 0100", wire.SearchOwn, "+862165550100"},
		"internal": {"1002", wire.SearchInternal, "1002"},
		"hostile":  {"\u202e<script>", wire.SearchUnreadable, "<script>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.start(t)
			leg := a.ring(t, name, test.number)
			if card := a.talk(t, leg); card.Search != test.search || card.Number.Withheld != (test.number == "") {
				t.Errorf("the card is %+v", card)
			}
			a.delivered(t, leg)
			r := w.one(t, leg)
			wantContact(t, r, "")
			if r.Number != test.record {
				t.Errorf("the record's number is %q, want %q", r.Number, test.record)
			}
		})
	}
}

func TestACallOfNoLengthBecomesARecord(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	ring, gone := delivered("zero", knownNumber), cti.Event{Type: cti.Cleared, Call: cti.CallRef{Refs: map[string]string{"id": "zero"}},
		Remote: cti.Remote{Number: cti.Number{Raw: knownNumber}}}
	ring.At, gone.At = at, at
	met := gone
	met.Type = cti.Established
	for name, test := range map[string]struct {
		events []cti.Event
		ending string
	}{
		"rang and gone":           {[]cti.Event{ring, gone}, "missed"},
		"rang, answered and gone": {[]cti.Event{ring, met, gone}, "answered"},
		"only its end is known":   {[]cti.Event{gone}, "missed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.start(t)
			leg := a.feed(t, test.events...)
			a.delivered(t, leg)
			r := w.one(t, leg)
			wantContact(t, r, knownCustomer)
			if r.RingMS != 0 || r.TalkMS != 0 || r.HoldMS != 0 || r.Ending != test.ending || !r.StartedAt.Equal(at) || r.EndedAt == nil || !r.EndedAt.Equal(at) {
				t.Errorf("the record is %+v", r)
			}
			if r.Direction != "in" {
				t.Errorf("the direction is %q", r.Direction)
			}
		})
	}
}

func TestFiftyCallsAtOnceBecomeFiftyRecords(t *testing.T) {
	const calls = 50
	w := newWorld(t)
	a := w.start(t)
	before := len(w.crm.Calls())
	legs := make([]string, calls)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			e := delivered(fmt.Sprint(i), fmt.Sprintf("010 9999 %04d", i))
			if i%5 == 0 {
				e.Remote.Raw = knownNumber // these must stay in order, one after the other
			}
			legs[i] = a.feedQuietly(t, e)
			a.feedQuietly(t, cti.Event{Type: cti.Established, Call: e.Call})
			a.feedQuietly(t, cti.Event{Type: cti.Cleared, Call: e.Call})
		})
	}
	all.Wait()
	for _, leg := range legs {
		a.delivered(t, leg)
	}
	a.emptied(t)
	for i, leg := range legs {
		want := ""
		if i%5 == 0 {
			want = knownCustomer
		}
		wantContact(t, w.one(t, leg), want)
	}
	if n := len(w.crm.Calls()) - before; n != calls {
		t.Errorf("the CRM has %d new records", n)
	}
}

// feedQuietly is feed for goroutines, which may not end the test.
func (a *agent) feedQuietly(t *testing.T, e cti.Event) string {
	if err := a.client.Feed(t.Context(), e); err != nil {
		t.Error(err)
	}
	return cti.ID("test", "sim", "sim", "1001", "id", e.Call.Refs["id"])
}

func TestAnOutgoingCallIsDialledAndLogged(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	if err := a.client.Dial(t.Context(), knownNumber); err != nil {
		t.Fatal(err)
	}
	snapshot, err := a.client.Snapshot(t.Context())
	if err != nil || len(snapshot.Cards) != 1 {
		t.Fatalf("the snapshot is %+v, %v", snapshot, err)
	}
	leg := snapshot.Cards[0].Leg
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer })
	a.command(t, leg, cti.CommandHangup)
	a.delivered(t, leg)
	if r := w.one(t, leg); r.Direction != "out" || r.Ending != "no_answer" || r.AnsweredAt != nil {
		t.Errorf("the record is %+v", r)
	}
}

func TestASecondClickDialsOnce(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	for _, written := range []string{knownNumber, "138 0013 8000", "sip:600@pbx", "sip:600@pbx"} {
		if err := a.client.Dial(t.Context(), written); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Open(t.Context(), "tel:+86-138-0013-8000;ext=1?subject=x"); err != nil {
		t.Fatal(err)
	}
	if err := a.Open(t.Context(), "javascript:13900139000"); cti.KindOf(err) != cti.Invalid {
		t.Errorf("a link that is none: %v", err)
	}
	if snapshot, err := a.client.Snapshot(t.Context()); err != nil || len(snapshot.Cards) != 2 {
		t.Errorf("%d calls, %v; want one for each number", len(snapshot.Cards), err)
	}
}

func TestEventsThatAreNoneAreRefused(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	for name, e := range map[string]cti.Event{"newer": {V: cti.EnvelopeVersion + 1, Type: cti.Delivered}, "unknown": {Type: "call.exploded"}, "nothing": {}} {
		if err := a.client.Feed(t.Context(), e); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s gives %v", name, err)
		}
	}
}

func TestHowFastACardWasIsMeasured(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "timing", knownNumber)
	a.card(t, "the details", leg, func(c wire.Card) bool { return len(c.History) > 0 })
	got, err := a.client.Timing(t.Context(), leg)
	if err != nil || got.ShownMS < 0 || got.FoundMS < got.ShownMS || got.PaintedMS >= 0 || got.FilledMS >= 0 {
		t.Errorf("before any window painted it is %+v, %v", got, err)
	}
	a.Painted(a.Board().Snapshot().Seq, leg)
	if got, err = a.client.Timing(t.Context(), leg); err != nil || got.PaintedMS < got.ShownMS || got.FilledMS < got.FoundMS {
		t.Errorf("after it painted it is %+v, %v", got, err)
	}
	if _, err := a.client.Timing(t.Context(), "nobody"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("of a call there was none: %v", err)
	}
	a.talk(t, leg)
	a.delivered(t, leg)
}
