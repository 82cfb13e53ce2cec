package cti_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"ringside.dev/ringside/app/cti"
)

func TestRule1FactsAboutACallNobodyKnowsOpenNone(t *testing.T) {
	l := cti.NewLedger("site")
	changes := book(l, event(cti.Info, 0), retrieve(0, cti.ByLocal), event(cti.Transferred, 0), event(cti.AgentState, 0), event(cti.SourceUp, 0), event(cti.SourceDown, 0))
	if len(changes) != 0 || l.Live() != 0 {
		t.Errorf("%d changes and %d live calls, want none", len(changes), l.Live())
	}
}

func TestRule2RepetitionsChangeNothing(t *testing.T) {
	l := cti.NewLedger("site")
	for _, e := range []cti.Event{queued(0), ring(10), answer(20), hold(30, cti.ByLocal), retrieve(40, cti.ByLocal), hangup(50)} {
		if first, second := l.Apply(e), l.Apply(e); len(first) != 1 || len(second) != 0 {
			t.Errorf("%s: %d changes, then %d; want 1, then none", e.Type, len(first), len(second))
		}
	}
}

func TestRule2EndedIsTrueOnce(t *testing.T) {
	l := cti.NewLedger("site")
	ended := 0
	for _, c := range book(l, ring(0), answer(10), hangup(20), hangup(20), hangup(30), snapshot(40)) {
		if c.Ended() {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}

// However late a repetition comes, the call is over: a second end would overwrite its record with an empty one.
func TestRule2TombstoneSwallowsLateEvents(t *testing.T) {
	for _, after := range []time.Duration{0, 59 * time.Second, 4 * time.Minute, 6 * time.Minute, time.Hour, cti.GhostAfter + time.Hour, cti.TombstoneFor} {
		l := cti.NewLedger("site")
		book(l, ring(0), answer(100), hangup(200))
		l.Sweep(at(200).Add(after))
		for _, late := range []cti.Event{ring(300), answer(300), hold(300, cti.ByLocal), hangup(300), snapshot(300, answer(300))} {
			late.At = late.At.Add(after)
			if changes := l.Apply(late); len(changes) != 0 {
				t.Errorf("%s came %v after the end and changed the call to %+v", late.Type, after, changes[0].After)
			}
		}
	}
}

func TestRule2TombstonesAreForgotten(t *testing.T) {
	l := cti.NewLedger("site")
	book(l, ring(0), hangup(200))
	leg := book(l, ref(ring(300), "b2"))[0].After.Leg
	if changes := l.Sweep(at(201).Add(cti.TombstoneFor)); len(changes) != 1 || changes[0].After.Leg != leg {
		t.Errorf("the sweep changed %+v, want only the ghost %s", changes, leg)
	}
	if _, there := l.Call(cti.ID("site", "sim", "sim", "1001", cti.RefSIPCallID, "a1")); there {
		t.Error("the cleared call is still there")
	}
}

func TestRule8SnapshotReconciles(t *testing.T) {
	l := cti.NewLedger("site")
	other := ref(ring(0), "far")
	other.Source.Instance = "relay"
	book(l, ref(ring(0), "listed"), ref(ring(0), "unlisted"), other)
	changes := l.Apply(snapshot(1000, ref(answer(900), "listed"), ref(answer(950), "unknown")))
	got := map[string]cti.Call{}
	for _, c := range changes {
		got[c.After.Refs[cti.RefSIPCallID]] = c.After
	}
	if len(changes) != 3 || got["listed"].State != cti.Connected || got["unknown"].State != cti.Connected || got["unlisted"].State != cti.StateClosed {
		t.Fatalf("changed %+v, want listed and unknown connected, unlisted cleared", got)
	}
	if c := got["unlisted"]; c.Cause.Code != cti.CauseUnknown || c.Cause.By != cti.ByUnknown || !c.ClearedAt.Equal(at(1000)) {
		t.Errorf("unlisted was cleared with %+v at %v, want cause unknown at the snapshot", c.Cause, c.ClearedAt)
	}
	if again := l.Apply(snapshot(2000, ref(answer(2000), "listed"), ref(answer(2000), "unknown"))); len(again) != 0 {
		t.Errorf("the same snapshot changed %+v", again)
	}
	if l.Live() != 3 {
		t.Errorf("%d live calls, want listed, unknown and the other source's", l.Live())
	}
}

func TestRule8EmptySnapshotClearsAllOfItsSource(t *testing.T) {
	l := cti.NewLedger("site")
	book(l, ref(ring(0), "x"), ref(answer(0), "y"))
	if changes := l.Apply(snapshot(1000)); len(changes) != 2 || l.Live() != 0 {
		t.Errorf("%d changes, %d live; want 2, 0", len(changes), l.Live())
	}
}

func TestRule8LegWithoutIdentityIsNotClearedByTheSnapshotThatListsIt(t *testing.T) {
	l := cti.NewLedger("site")
	nameless := answer(0)
	nameless.Call.Refs = nil
	if changes := l.Apply(snapshot(1000, nameless)); len(changes) != 1 || l.Live() != 1 {
		t.Errorf("%d changes, %d live; want the one call, live", len(changes), l.Live())
	}
}

func TestRule8LegWithoutTimeTakesTheSnapshots(t *testing.T) {
	l := cti.NewLedger("site")
	timeless := answer(0)
	timeless.At = time.Time{}
	if c := l.Apply(snapshot(1000, timeless)); len(c) != 1 || !c[0].After.EstablishedAt.Equal(at(1000)) {
		t.Errorf("got %+v, want one call established at the snapshot", c)
	}
}

func TestRule8GhostsEndAfterTwelveHours(t *testing.T) {
	l := cti.NewLedger("site")
	book(l, ring(0), answer(1000))
	if changes := l.Sweep(at(1000).Add(12 * time.Hour)); len(changes) != 0 {
		t.Errorf("ended after 12 hours sharp: %+v", changes)
	}
	changes := l.Sweep(at(1001).Add(12 * time.Hour))
	if len(changes) != 1 || !changes[0].Ended() || changes[0].After.Cause.Code != cti.CauseUnknown {
		t.Fatalf("got %+v, want the call ended, cause unknown", changes)
	}
	if again := l.Sweep(at(1002).Add(12 * time.Hour)); len(again) != 0 {
		t.Errorf("ended again: %+v", again)
	}
}

func TestRule10LegIDsAreStable(t *testing.T) {
	leg := func(tenant string, e cti.Event) string { return cti.NewLedger(tenant).Apply(e)[0].After.Leg }
	id := leg("site", ring(0))
	if id != leg("site", answer(5000)) {
		t.Error("after a restart in mid-call the same call has another leg")
	}
	if uuid.MustParse(id).Version() != 5 {
		t.Errorf("%s is no uuid5", id)
	}
	if want := "dd1ff81e-3812-5c98-82fd-e2647a959aed"; id != want {
		t.Errorf("the id of a fixed call is %s, was %s: records in CRMs would be written twice", id, want)
	}
	extension, instance, adapter := ring(0), ring(0), ring(0)
	extension.Local.Extension, instance.Source.Instance, adapter.Source.Adapter = "1002", "b", "baresip"
	for name, other := range map[string]string{"tenant": leg("other", ring(0)), "extension": leg("site", extension),
		"instance": leg("site", instance), "adapter": leg("site", adapter), "reference": leg("site", ref(ring(0), "b2"))} {
		if other == id {
			t.Errorf("another %s has the same leg", name)
		}
	}
}

func TestRule10TheSIPCallIDIsStrongest(t *testing.T) {
	both := ring(0)
	both.Call.Refs = map[string]string{"aaa": "7", cti.RefSIPCallID: "a1"}
	if cti.NewLedger("site").Apply(both)[0].After.Leg != cti.NewLedger("site").Apply(ring(0))[0].After.Leg {
		t.Error("a vendor's reference changed the leg of a call with a SIP Call-ID")
	}
}

func TestRule10WithoutReferenceALegIsMinted(t *testing.T) {
	nameless := ring(0)
	nameless.Call.Refs = map[string]string{"empty": ""}
	l := cti.NewLedger("site")
	a, b := l.Apply(nameless)[0].After, l.Apply(nameless)[0].After
	if a.Leg == "" || a.Leg == b.Leg {
		t.Errorf("legs %q and %q, want two of their own", a.Leg, b.Leg)
	}
	end := hangup(100)
	end.Call = cti.CallRef{Leg: a.Leg}
	if c := l.Apply(end); len(c) != 1 || !c[0].Ended() || c[0].After.Leg != a.Leg {
		t.Errorf("the end by leg gave %+v", c)
	}
}

func TestRule10ReferencesLearntLaterFindTheSameLeg(t *testing.T) {
	l := cti.NewLedger("site")
	dial := originate(0)
	dial.Call.Refs = map[string]string{"vendor": "7"}
	leg := l.Apply(dial)[0].After.Leg
	both := farRing(100)
	both.Call.Refs["vendor"] = "7"
	for _, e := range []cti.Event{both, answer(200), hangup(300)} { // the last two name only the SIP Call-ID
		if c := l.Apply(e); len(c) != 1 || c[0].After.Leg != leg {
			t.Errorf("%s: %+v, want one change of %s", e.Type, c, leg)
		}
	}
}

// A reference names the call that had it first: an event that names two calls changes one and takes nothing from the other.
func TestRule10AReferenceIsNotTakenFromItsCall(t *testing.T) {
	l := cti.NewLedger("site")
	first, second := ring(0), ring(0)
	second.Call.Refs = map[string]string{"vendor": "7"}
	leg := book(l, first, second)[1].After.Leg
	mixed := answer(100)
	mixed.Call.Refs = map[string]string{cti.RefSIPCallID: "a1", "vendor": "7"}
	end := hangup(200)
	end.Call.Refs = map[string]string{"vendor": "7"}
	changes := book(l, mixed, end)
	if last := changes[len(changes)-1]; !last.Ended() || last.After.Leg != leg {
		t.Errorf("the end of call %s ended %s", leg, last.After.Leg)
	}
}

// The same customer rings again within one journey: the exchange's id of the journey is the same, the SIP Call-ID is not.
func TestRule10AClearedCallDoesNotSwallowANewOneThatSharesAReference(t *testing.T) {
	l := cti.NewLedger("site")
	first, second, end := ref(ring(0), "a1"), ref(ring(1000), "b2"), hangup(2000)
	first.Call.Refs["shared"], second.Call.Refs["shared"] = "7", "7"
	end.Call.Refs = map[string]string{"shared": "7"}
	changes := book(l, first, hangup(500), second, end)
	if len(changes) != 4 || changes[2].After.Leg == changes[0].After.Leg || changes[3].After.Leg != changes[2].After.Leg || !changes[3].Ended() {
		t.Errorf("got %+v, want two calls, each rung and ended", changes)
	}
}

func TestCasesAreTheSourcesOrTheLeg(t *testing.T) {
	e := ring(0)
	e.Call.Case = "shared"
	if c := cti.NewLedger("site").Apply(e)[0].After; c.Case != "shared" {
		t.Errorf("case %q", c.Case)
	}
	if c := cti.NewLedger("site").Apply(ring(0))[0].After; c.Case != c.Leg {
		t.Errorf("case %q, want the leg", c.Case)
	}
}

func TestEarlierCopiesKeepTheirReferences(t *testing.T) {
	l := cti.NewLedger("site")
	before := l.Apply(ring(0))[0].After
	had := maps.Clone(before.Refs)
	more := answer(100)
	more.Call.Refs["vendor"] = "7"
	l.Apply(more)
	if !maps.Equal(had, before.Refs) {
		t.Errorf("references were %v and are %v", had, before.Refs)
	}
}

func TestRule2ATombstoneIsFoundByReferencesLearntLater(t *testing.T) {
	l := cti.NewLedger("site")
	dial, both := originate(0), farRing(100)
	dial.Call.Refs = map[string]string{"vendor": "7"} // the leg is made from this one
	both.Call.Refs["vendor"] = "7"
	book(l, dial, both, hangup(200))
	if c := l.Apply(hangup(300)); len(c) != 0 { // names only the SIP Call-ID
		t.Errorf("a repeated end began another call: %+v", c)
	}
}

func TestForgettingOneCallLeavesTheOthersTheirReferences(t *testing.T) {
	l := cti.NewLedger("site")
	book(l, ring(0), hangup(10))
	later := ref(originate(0), "b2")
	later.At = at(0).Add(cti.TombstoneFor)
	later.Call.Refs = map[string]string{"vendor": "7"}
	both := later
	both.Type, both.Side, both.Call.Refs = cti.Delivered, cti.SideRemote, map[string]string{"vendor": "7", cti.RefSIPCallID: "b2"}
	leg := book(l, later, both)[0].After.Leg
	l.Sweep(at(11).Add(cti.TombstoneFor))
	end := ref(hangup(0), "b2")
	end.At = later.At
	if c := l.Apply(end); len(c) != 1 || c[0].After.Leg != leg {
		t.Errorf("got %+v, want the end of %s", c, leg)
	}
}

func TestRule8LegsAreOfTheSnapshotsSource(t *testing.T) {
	l := cti.NewLedger("site")
	leg := l.Apply(ring(0))[0].After.Leg
	unsaid := answer(100)
	unsaid.Source = cti.Source{}
	if c := l.Apply(snapshot(100, unsaid)); len(c) != 1 || c[0].After.Leg != leg || c[0].After.State != cti.Connected {
		t.Errorf("got %+v, want %s connected", c, leg)
	}
}
