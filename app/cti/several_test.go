package cti_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringside.dev/ringside/app/cti"
)

var (
	desktop  = cti.Source{Adapter: "baresip", Instance: "127.0.0.1:4444", Confidence: cti.Signalled}
	exchange = cti.Source{Adapter: "ami", Instance: "pbx-1", Confidence: cti.Signalled}
)

// saw is an event of a call as one of two sources tells it.
func saw(by cti.Source, typ cti.EventType, at time.Duration, number string, refs map[string]string) cti.Event {
	e := cti.Event{V: 1, Type: typ, At: start.Add(at), Source: by, Call: cti.CallRef{Direction: cti.In, Refs: refs},
		Remote: cti.Remote{Number: cti.Number{Raw: number, Key: number, Withheld: number == ""}}, Local: cti.Local{Extension: "1001"}}
	if typ == cti.Cleared {
		e.Cause = &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}
	}
	return e
}

// book gives the calls that events make, by leg, and the ledger.
func booked(events ...cti.Event) map[string]cti.Call {
	ledger, calls := cti.NewLedger("site"), map[string]cti.Call{}
	for _, e := range events {
		for _, c := range ledger.Apply(e) {
			calls[c.After.Leg] = c.After
		}
	}
	return calls
}

func sip(id string) map[string]string { return map[string]string{cti.RefSIPCallID: id} }
func ami(id string) map[string]string { return map[string]string{"vendor_asterisk": id} }

func TestRule6TwoSourcesOfOneCallMakeOne(t *testing.T) {
	both := map[string]string{cti.RefSIPCallID: "a", "vendor_asterisk": "1"}
	for name, test := range map[string]struct {
		events []cti.Event
		calls  int
	}{
		"the same SIP Call-ID, far apart": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Established, 9*time.Second, "139", both)}, 1},
		"the exchange's own id": {[]cti.Event{saw(exchange, cti.Delivered, 0, "138", ami("1")),
			saw(cti.Source{Adapter: "ari", Instance: "pbx-1"}, cti.Delivered, time.Minute, "", ami("1"))}, 1},
		"extension, number and direction within three seconds": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 3*time.Second, "138", ami("1"))}, 1},
		"later than three seconds":                             {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 3001*time.Millisecond, "138", ami("1"))}, 2},
		"another number":                                       {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 0, "139", ami("1"))}, 2},
		"another SIP Call-ID":                                  {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 0, "138", sip("b"))}, 2},
		"withheld on both sides":                               {[]cti.Event{saw(desktop, cti.Delivered, 0, "", sip("a")), saw(exchange, cti.Delivered, 0, "", ami("1"))}, 1},
		"the same source twice":                                {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Delivered, 0, "138", sip("b"))}, 2},
		"two candidates": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Delivered, time.Second, "138", sip("b")),
			saw(exchange, cti.Delivered, time.Second, "138", ami("1"))}, 3},
		"the ring of the second comes after the first's end": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Cleared, time.Second, "138", sip("a")),
			saw(exchange, cti.Delivered, 1200*time.Millisecond, "138", ami("1")), saw(exchange, cti.Cleared, 1300*time.Millisecond, "138", ami("1"))}, 1},
		"a new call of the same number after it": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 0, "138", ami("1")), saw(desktop, cti.Cleared, time.Second, "138", sip("a")),
			saw(exchange, cti.Delivered, 2*time.Second, "138", ami("2"))}, 2},
		"an answer whose ring was lost": {[]cti.Event{saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Established, 40*time.Second, "138", ami("1"))}, 1},
	} {
		if got := booked(test.events...); len(got) != test.calls {
			t.Errorf("%s: %d calls, want %d: %+v", name, len(got), test.calls, got)
		}
	}
}

func TestAnOutboundCallIsNotMergedWithAnInboundOne(t *testing.T) {
	out := saw(exchange, cti.Originated, 0, "138", ami("1"))
	out.Call.Direction = cti.Out
	if got := booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), out); len(got) != 2 {
		t.Errorf("%d calls, want 2", len(got))
	}
}

func TestASnapshotEndsOnlyTheCallsItsSourceTold(t *testing.T) {
	empty := cti.Event{V: 1, Type: cti.Snapshot, At: start.Add(time.Minute), Source: exchange}
	got := booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), empty)
	if only(t, got).State != cti.Alerting {
		t.Error("the exchange's list ended a call of the phone alone")
	}
	got = booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Delivered, 0, "138", ami("1")), empty)
	if only(t, got).State != cti.StateClosed {
		t.Error("a call of both, which the exchange does not list any more, goes on")
	}
}

func TestASnapshotFindsTheCallThatAnotherSourceTold(t *testing.T) {
	list := cti.Event{V: 1, Type: cti.Snapshot, At: start.Add(5 * time.Minute), Source: exchange,
		Legs: []cti.Event{saw(exchange, cti.Established, 5*time.Minute, "138", ami("1"))}}
	got := booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a")), list)
	if c := only(t, got); !c.EstablishedAt.Equal(start.Add(time.Second)) || len(c.Also) != 1 {
		t.Errorf("answered at %v, told by %v as well", c.EstablishedAt, c.Also)
	}
}

func only(t *testing.T, calls map[string]cti.Call) cti.Call {
	t.Helper()
	if len(calls) != 1 {
		t.Fatalf("%d calls, want 1: %+v", len(calls), calls)
	}
	for _, c := range calls {
		return c
	}
	return cti.Call{}
}

func TestTheHistoryOfASecondSourceFindsTheCallsOfAnEarlierRun(t *testing.T) {
	was := only(t, booked(saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Established, time.Second, "138", sip("a")), saw(desktop, cti.Cleared, time.Minute, "138", sip("a"))))
	ledger := cti.NewLedger("site")
	ledger.Restore(was)
	for _, e := range []cti.Event{saw(exchange, cti.Delivered, 100*time.Millisecond, "138", ami("1")), saw(exchange, cti.Established, 1100*time.Millisecond, "138", ami("1")),
		saw(exchange, cti.Cleared, time.Minute, "138", ami("1"))} {
		if changes := ledger.Apply(e); len(changes) != 0 {
			t.Errorf("%s began %+v", e.Type, changes)
		}
	}
}

func TestTheTrueEndOfACallThatOneSourceLost(t *testing.T) {
	empty := cti.Event{V: 1, Type: cti.Snapshot, At: start.Add(time.Minute), Source: desktop}
	ring, end := saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(exchange, cti.Cleared, time.Minute+time.Second, "138", sip("a"))
	end.Cause = &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	if c := only(t, booked(ring, empty, end)); c.Cause.Code != cti.CauseAbandoned {
		t.Errorf("cause %+v, want the one the exchange told", c.Cause)
	}
}

// What only the exchange knows: the phone stopped ringing because a colleague answered.
func TestABetterCauseMayComeAfterTheEnd(t *testing.T) {
	ring, ended := saw(desktop, cti.Delivered, 0, "138", sip("a")), saw(desktop, cti.Cleared, time.Second, "138", sip("a"))
	ended.Cause = &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	elsewhere := saw(exchange, cti.Diverted, 1100*time.Millisecond, "138", sip("a"))
	if c := only(t, booked(ring, ended, elsewhere)); c.Ending() != cti.EndAnsweredElsewhere {
		t.Errorf("ending %s, want answered elsewhere", c.Ending())
	}
	elsewhere.At = ended.At.Add(cti.SettleFor + time.Millisecond)
	if c := only(t, booked(ring, ended, elsewhere)); c.Ending() != cti.EndAbandoned {
		t.Errorf("ending %s: what comes so late changes nothing", c.Ending())
	}
	worse := saw(exchange, cti.Cleared, 1100*time.Millisecond, "138", sip("a"))
	worse.Cause = &cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
	if c := only(t, booked(ring, ended, worse)); c.Cause.Code != cti.CauseAbandoned {
		t.Errorf("cause %s: a worse one replaced it", c.Cause.Code)
	}
	answered := []cti.Event{ring, saw(desktop, cti.Established, 500*time.Millisecond, "138", sip("a")), saw(desktop, cti.Cleared, time.Second, "138", sip("a"))}
	elsewhere.At = ended.At.Add(time.Millisecond)
	if c := only(t, booked(append(answered, elsewhere)...)); c.Cause.Code != cti.CauseNormal {
		t.Errorf("cause %s: it was answered here", c.Cause.Code)
	}
}

func TestAllLegsOfAJourneyHaveOneCase(t *testing.T) {
	first, second := ami("1"), ami("2")
	first[cti.RefJourney], second[cti.RefJourney] = "9", "9"
	other := saw(exchange, cti.Delivered, time.Minute, "138", second)
	other.Local.Extension = "1002"
	got := booked(saw(exchange, cti.Delivered, 0, "138", first), saw(exchange, cti.Cleared, time.Second, "138", first), other)
	cases := map[string]bool{}
	for _, c := range got {
		cases[c.Case] = true
	}
	if len(got) != 2 || len(cases) != 1 {
		t.Errorf("%d calls of %d journeys, want two of one", len(got), len(cases))
	}
}

// Reducer rule 7: the exchange rings the agent first.
func TestClickToDialIsOutgoingFromItsFirstRing(t *testing.T) {
	ledger := cti.NewLedger("site")
	ledger.Expect(cti.Dial{Number: cti.Number{Raw: "138", Key: "138"}, At: start, RingsFirst: true})
	ring := saw(desktop, cti.Delivered, time.Second, "138", sip("a"))
	ring.Side = cti.SideLocal
	c := ledger.Apply(ring)[0].After
	if c.Direction != cti.Out || c.State != cti.Initiated {
		t.Fatalf("%s and %s, want outgoing and initiated", c.Direction, c.State)
	}
	if changes := ledger.Apply(saw(desktop, cti.Established, 2*time.Second, "138", sip("a"))); len(changes) > 0 && changes[0].After.State == cti.Connected {
		t.Error("the agent's own answer counts as the customer's")
	}
	bridged := saw(exchange, cti.Established, 3*time.Second, "138", sip("a"))
	bridged.Call.ClickToDial = true
	if changes := ledger.Apply(bridged); len(changes) != 1 || changes[0].After.State != cti.Connected {
		t.Errorf("the bridge did not connect: %+v", changes)
	}
	if next := ledger.Apply(saw(desktop, cti.Delivered, 4*time.Second, "138", sip("b"))); next[0].After.Direction != cti.In {
		t.Error("a second call of the number is taken for the dialled one")
	}
}

func TestADialIsForgottenAfterAWhile(t *testing.T) {
	ledger := cti.NewLedger("site")
	ledger.Expect(cti.Dial{Number: cti.Number{Raw: "138", Key: "138"}, At: start, RingsFirst: true})
	if c := ledger.Apply(saw(desktop, cti.Delivered, cti.DialFor+time.Second, "138", sip("a")))[0].After; c.Direction != cti.In {
		t.Error("a customer who calls is taken for the one who was dialled long ago")
	}
}

// story is one call as it really was.
type story struct {
	number                        string
	rings, answered, over         time.Duration // answered 0: never
	holds                         [][2]time.Duration
	cause                         cti.CauseCode
	phoneKnowsSIP, exchangeHasSIP bool
}

// perfect is the story as one source tells it that misses nothing.
func (s story) perfect(by cti.Source, refs map[string]string) []cti.Event {
	events := []cti.Event{saw(by, cti.Delivered, s.rings, s.number, refs)}
	if s.answered > 0 {
		events = append(events, saw(by, cti.Established, s.answered, s.number, refs))
	}
	for _, h := range s.holds {
		held, retrieved := saw(by, cti.Held, h[0], s.number, refs), saw(by, cti.Retrieved, h[1], s.number, refs)
		held.By, retrieved.By = cti.ByLocal, cti.ByLocal
		events = append(events, held, retrieved)
	}
	end := saw(by, cti.Cleared, s.over, s.number, refs)
	end.Cause = &cti.Cause{Code: s.cause, By: cti.ByRemote}
	for i := range events {
		events[i].Call.Direction = cti.In
	}
	return append(events, end)
}

// drawStories tells of calls one after the other and overlapping; two of one number are far enough apart to tell them apart, unless both
// sources know the SIP Call-ID.
func drawStories(t *rapid.T) []story {
	var list []story
	ms := func(what string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, what)) * time.Millisecond
	}
	at := time.Duration(0)
	for i := range rapid.IntRange(1, 5).Draw(t, "calls") {
		s := story{number: fmt.Sprint(138, i), rings: at + ms("gap", 0, 4000)}
		if i > 0 && rapid.Bool().Draw(t, "the same customer again") {
			s.number, s.rings = list[i-1].number, max(s.rings, list[i-1].over+7*time.Second)
		}
		s.over = s.rings + ms("rang", 300, 20_000)
		s.cause = rapid.SampledFrom([]cti.CauseCode{cti.CauseAbandoned, cti.CauseAnsweredElsewhere, cti.CauseRejected}).Draw(t, "cause")
		if rapid.Bool().Draw(t, "answered") {
			s.answered, s.cause = s.over, cti.CauseNormal
			s.over += ms("talked", 300, 60_000)
			for h := s.answered + ms("first hold", 300, 9000); len(s.holds) < 3; h = s.holds[len(s.holds)-1][1] + ms("next hold", 300, 9000) {
				back := h + ms("held", 300, 9000)
				if back+300*time.Millisecond > s.over {
					break
				}
				s.holds = append(s.holds, [2]time.Duration{h, back})
			}
		}
		s.phoneKnowsSIP, s.exchangeHasSIP = rapid.Bool().Draw(t, "phone tells the Call-ID"), rapid.Bool().Draw(t, "exchange tells the Call-ID")
		list, at = append(list, s), s.rings
	}
	return list
}

// TestTwoImperfectSourcesTellTheSameAsOnePerfectOne: each event reaches us from the phone, from the exchange or from both, up to 140 ms late
// and in any order that gives, some of them twice, and the phone does not know that a colleague answered.
func TestTwoImperfectSourcesTellTheSameAsOnePerfectOne(t *testing.T) {
	const latest = 140 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		stories := drawStories(t)
		var want, got []cti.Event
		for i, s := range stories {
			id := fmt.Sprint("call-", i)
			want = append(want, s.perfect(desktop, sip(id))...)
			phoneRefs, exchangeRefs := map[string]string{"own": id}, ami(id)
			if s.phoneKnowsSIP {
				phoneRefs = sip(id)
			}
			if s.exchangeHasSIP {
				exchangeRefs[cti.RefSIPCallID] = id
			}
			byPhone, byExchange := s.perfect(desktop, phoneRefs), s.perfect(exchange, exchangeRefs)
			for j := range byPhone {
				last := j == len(byPhone)-1
				weak := last && s.cause == cti.CauseAnsweredElsewhere
				if weak {
					byPhone[j].Cause = &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
				}
				who := rapid.SampledFrom([]string{"phone", "exchange", "both", "both", "both"}).Draw(t, "told by")
				late := func(e cti.Event) cti.Event {
					e.SourceAt = e.At
					e.At = e.At.Add(time.Duration(rapid.Int64Range(0, int64(latest)).Draw(t, "late")))
					return e
				}
				if who != "exchange" {
					got = append(got, late(byPhone[j]))
				}
				if who != "phone" || weak {
					got = append(got, late(byExchange[j]))
					if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
						got = append(got, late(byExchange[j]))
					}
				}
			}
		}
		inOrder := func(a, b cti.Event) int { return a.At.Compare(b.At) }
		slices.SortStableFunc(want, inOrder)
		slices.SortStableFunc(got, inOrder)
		compare(t, booked(want...), booked(got...), got, 4*latest) // one for each of three holds and the end
	})
}

func compare(t *rapid.T, want, got map[string]cti.Call, events []cti.Event, slack time.Duration) {
	if len(got) != len(want) {
		t.Fatalf("%d calls, want %d: %s", len(got), len(want), telling(events))
	}
	byStart := func(calls map[string]cti.Call) []cti.Call {
		return slices.SortedFunc(maps.Values(calls), func(a, b cti.Call) int {
			if a.Remote.Key != b.Remote.Key {
				return cmpText(a.Remote.Key, b.Remote.Key)
			}
			return a.StartedAt.Compare(b.StartedAt)
		})
	}
	w, g := byStart(want), byStart(got)
	for i := range w {
		d, e := w[i].Durations(w[i].ClearedAt), g[i].Durations(g[i].ClearedAt)
		near := func(a, b time.Duration) bool { return (a - b).Abs() <= slack }
		if g[i].Remote.Key != w[i].Remote.Key || g[i].Direction != w[i].Direction || g[i].Ending() != w[i].Ending() || g[i].State != w[i].State ||
			g[i].EstablishedAt.IsZero() != w[i].EstablishedAt.IsZero() || !near(d.Talk+d.Hold, e.Talk+e.Hold) || !near(d.Hold, e.Hold) {
			t.Fatalf("call of %s: %s %s %+v, want %s %s %+v: %s", w[i].Remote.Key, g[i].State, g[i].Ending(), e, w[i].State, w[i].Ending(), d, telling(events))
		}
	}
}

func cmpText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func telling(events []cti.Event) string {
	var s string
	for _, e := range events {
		s += fmt.Sprintf("\n%8d ms %-8s %-17s %s %v", e.At.Sub(start).Milliseconds(), e.Source.Adapter, e.Type, e.Remote.Raw, e.Call.Refs)
	}
	return s
}
