package bria

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func interpret() *interpreter {
	return newInterpreter(cti.Source{Adapter: "bria", Instance: "test", Confidence: cti.Polled}, "1001")
}

// one is a call of one party in the list.
func one(id, state, hold string) listed {
	return listed{ID: id, Hold: hold, Parties: []party{{Number: "13800138000", Name: "Zhang San", State: state, Begun: "1795435200"}}}
}

// brief writes an event as a test reads it.
func brief(e cti.Event) string {
	words := []string{strings.TrimPrefix(string(e.Type), "call.")}
	if e.Call.Refs[refCall] != "" {
		words = append(words, e.Call.Refs[refCall])
	}
	for _, word := range []string{string(e.Call.Direction), string(e.By)} {
		if word != "" {
			words = append(words, word)
		}
	}
	if e.Cause != nil {
		words = append(words, string(e.Cause.Code), "by", string(e.Cause.By))
	}
	if e.Transfer != nil {
		words = append(words, string(e.Transfer.Kind), "to", e.Transfer.To)
	}
	for _, leg := range e.Legs {
		words = append(words, "["+brief(leg)+"]")
	}
	return strings.Join(words, " ")
}

func briefs(events []cti.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, brief(e))
	}
	return all
}

// Each step is a list of calls, or something that the agent asked for between two lists.
func TestListsOfCallsBecomeEvents(t *testing.T) {
	type step any
	type asks func(k *known)
	hangup := asks(func(k *known) { k.hungUp = true })
	give := asks(func(k *known) { k.given = &gift{kind: cti.Blind, to: "2001", until: noon.Add(giftFor)} })
	none := []listed{}
	for name, test := range map[string]struct {
		steps []step
		want  []string
	}{
		"in, answered, ended": {[]step{[]listed{one("a", "ringing", "offHold")}, []listed{one("a", "connected", "offHold")}, []listed{one("a", "ended", "offHold")}, none},
			[]string{"delivered a in", "established a in", "cleared a in normal by unknown"}},
		"in, the caller gives up":           {[]step{[]listed{one("a", "ringing", "")}, none}, []string{"delivered a in", "cleared a in abandoned by unknown"}},
		"in, refused by a command":          {[]step{[]listed{one("a", "ringing", "")}, hangup, none}, []string{"delivered a in", "cleared a in rejected by local"}},
		"out, answered, the agent hangs up": {[]step{[]listed{one("a", "connecting", "")}, []listed{one("a", "connected", "")}, hangup, none}, []string{"originated a out", "established a out", "cleared a out normal by local"}},
		"out, failed":                       {[]step{[]listed{one("a", "connecting", "")}, []listed{one("a", "failed", "")}, []listed{one("a", "failed", "")}, none}, []string{"originated a out", "failed a out unknown by unknown"}},
		"out, gone":                         {[]step{[]listed{one("a", "connecting", "")}, none}, []string{"originated a out", "failed a out unknown by unknown"}},
		"out, given up":                     {[]step{[]listed{one("a", "connecting", "")}, hangup, []listed{one("a", "failed", "")}}, []string{"originated a out", "cleared a out abandoned by local"}},
		"out, failed between two lists":     {[]step{[]listed{one("a", "failed", "")}, []listed{one("a", "failed", "")}}, []string{"failed a out unknown by unknown"}},
		"seen only when it was over":        {[]step{[]listed{one("a", "ended", "")}, []listed{one("a", "ended", "")}, none}, nil},
		"first seen connected":              {[]step{[]listed{one("a", "connected", "")}, none}, []string{"established a", "cleared a normal by unknown"}},
		"first seen on hold":                {[]step{[]listed{one("a", "connected", "localHold")}}, []string{"established a", "held a local"}},
		"held by each and by both in turn": {[]step{[]listed{one("a", "connected", "offHold")}, []listed{one("a", "connected", "localHold")}, []listed{one("a", "connected", "remoteHold")}, []listed{one("a", "connected", "offHold")}, []listed{one("a", "connected", "onHold")}, []listed{one("a", "connected", "")}},
			[]string{"established a", "held a local", "retrieved a local", "held a remote", "retrieved a remote", "held a unknown", "retrieved a unknown"}},
		"a hold while it rings is none": {[]step{[]listed{one("a", "ringing", "remoteHold")}}, []string{"delivered a in"}},
		"given away":                    {[]step{[]listed{one("a", "connected", "")}, give, []listed{one("a", "connected", "localHold")}, none}, []string{"established a", "held a local", "transferred a transferred by local blind to 2001"}},
		"not taken, and hung up later": {[]step{[]listed{one("a", "connected", "")}, give, []listed{one("a", "connected", "localHold")}, []listed{one("a", "connected", "offHold")}, none},
			[]string{"established a", "held a local", "retrieved a local", "cleared a normal by unknown"}},
		"given away, and hung up before anybody took it": {[]step{[]listed{one("a", "connected", "")}, give, hangup, none}, []string{"established a", "cleared a normal by local"}},
		"given away, ended long after":                   {[]step{[]listed{one("a", "connected", "")}, give, giftFor, none}, []string{"established a", "cleared a normal by unknown"}},
		"comes back under its id": {[]step{[]listed{one("a", "ringing", "")}, []listed{one("a", "connected", "")}, give, none, []listed{one("a", "connected", "")}, none, []listed{one("a", "connected", "")}},
			[]string{"delivered a in", "established a in", "transferred a in transferred by local blind to 2001", "established a/2 in", "cleared a/2 in normal by unknown", "established a/3 in"}},
		"two at once, one gone":         {[]step{[]listed{one("a", "connected", ""), one("b", "ringing", "")}, []listed{one("b", "ringing", "")}}, []string{"established a", "delivered b in", "cleared a normal by unknown"}},
		"no id, no party, unknown word": {[]step{[]listed{one("", "ringing", ""), {ID: "x"}, one("y", "dancing", "")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in, at := interpret(), noon
			var got []string
			for _, s := range test.steps {
				switch s := s.(type) {
				case []listed:
					got = append(got, briefs(in.list(s, at))...)
				case asks:
					s(in.live[0])
				case time.Duration:
					at = at.Add(s)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

func TestAFirstSeenCallSaysWhatItKnowsAndHowWell(t *testing.T) {
	in := interpret()
	rang := in.list([]listed{one("a", "ringing", "")}, noon)[0]
	if rang.Source.Confidence != cti.Polled || rang.Side != cti.SideLocal || !rang.SourceAt.Equal(noon) || rang.Local.Extension != "1001" ||
		rang.Remote.Raw != "13800138000" || rang.Remote.Name != "Zhang San" {
		t.Errorf("%+v", rang)
	}
	if unsure := in.list([]listed{one("a", "ringing", ""), one("b", "connected", "")}, noon)[0]; unsure.Source.Confidence != cti.Inferred {
		t.Errorf("a call whose direction nobody knows is told as %s, want inferred", unsure.Source.Confidence)
	}
}

func TestABetterNameAndFurtherPartiesAreTold(t *testing.T) {
	in := interpret()
	c := one("a", "connected", "")
	in.list([]listed{c}, noon)
	c.Parties[0].Name = "Zhang San, Ltd"
	events := in.list([]listed{c}, noon)
	if len(events) != 1 || events[0].Type != cti.Info || events[0].Remote.Name != "Zhang San, Ltd" {
		t.Errorf("a better name: %v", briefs(events))
	}
	c.Parties[0].Name = ""
	if events := in.list([]listed{c}, noon); events != nil {
		t.Errorf("a name that went: %v", briefs(events))
	}
	c.Parties = append(c.Parties, party{Number: "2001@pbx.example.com", Name: "Li Si", State: "connecting"})
	if events := in.list([]listed{c}, noon); events != nil {
		t.Errorf("a party that is called: %v", briefs(events))
	}
	c.Parties[1].State = "connected"
	events = in.list([]listed{c}, noon)
	if len(events) != 1 || events[0].Type != cti.Conferenced || events[0].Remote.Raw != "2001" || events[0].Remote.URI != "sip:2001@pbx.example.com" {
		t.Errorf("a party that joined: %+v", events)
	}
	slices.Reverse(c.Parties)
	if events := in.list([]listed{c}, noon); events != nil {
		t.Errorf("the same two in another order: %v", briefs(events))
	}
}

func TestASnapshotListsWhatLivesAndForgetsTheRest(t *testing.T) {
	in := interpret()
	in.list([]listed{one("gone", "connected", ""), one("talks", "ringing", ""), one("resumed", "connected", ""), one("out", "connecting", "")}, noon)
	in.list([]listed{one("gone", "connected", ""), one("talks", "ringing", ""), one("resumed", "connected", "localHold"), one("out", "connecting", "")}, noon)
	in.live[2].given = &gift{}
	got := briefs(in.snapshot([]listed{one("talks", "connected", ""), one("resumed", "connected", "offHold"), one("out", "connecting", ""), one("held", "connected", "remoteHold"), one("late", "ended", ""), one("new", "ringing", "")}, noon))
	want := []string{"source.snapshot [established talks in] [established resumed] [originated out out] [held held remote] [delivered new in]", "retrieved resumed local"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want - got +:\n%s", diff)
	}
	got = briefs(in.list([]listed{one("talks", "connected", ""), one("out", "connecting", ""), one("held", "connected", ""), one("late", "ended", ""), one("new", "ringing", "")}, noon))
	want = []string{"retrieved held remote", "cleared resumed normal by unknown"} // no transfer: what was asked for before the break is not known any more
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("afterwards: want - got +:\n%s", diff)
	}
}

func TestMutingIsToldOfEveryTalkAndOfTheNext(t *testing.T) {
	in := interpret()
	if events := in.mute(false, noon); len(events) != 0 {
		t.Errorf("without a call: %v", briefs(events))
	}
	in.list([]listed{one("a", "connected", ""), one("b", "ringing", "")}, noon)
	events := in.mute(true, noon)
	if len(events) != 1 || events[0].Muted == nil || !*events[0].Muted || events[0].Call.Refs[refCall] != "a" {
		t.Errorf("muted: %+v", events)
	}
	if again := in.mute(true, noon); again != nil {
		t.Errorf("muted again: %v", briefs(again))
	}
	next := in.list([]listed{one("a", "connected", ""), one("b", "connected", "")}, noon)
	if len(next) != 1 || next[0].Muted == nil || !*next[0].Muted {
		t.Errorf("the next call begins with the microphone off: %+v", next)
	}
}

func TestFarEndsAreReadHoweverBriaWritesThem(t *testing.T) {
	for number, want := range map[string]cti.Remote{
		"1440":                             {Number: cti.Number{Raw: "1440"}},
		"1440@pbx.example.com":             {Number: cti.Number{Raw: "1440"}, URI: "sip:1440@pbx.example.com"},
		"sip:+8613800138000;user=phone@p":  {Number: cti.Number{Raw: "+8613800138000"}, URI: "sip:+8613800138000;user=phone@p"},
		"\tsip:anna@example.com\n":         {Number: cti.Number{Raw: "anna"}, URI: "sip:anna@example.com"},
		"":                                 {Number: cti.Number{Withheld: true}},
		"Anonymous":                        {Number: cti.Number{Withheld: true}},
		"thisisnobody@anonymous.invalid":   {Number: cti.Number{Withheld: true}, URI: "sip:thisisnobody@anonymous.invalid"},
		"anonymous@anonymous.invalid:5060": {Number: cti.Number{Withheld: true}, URI: "sip:anonymous@anonymous.invalid:5060"},
	} {
		if diff := cmp.Diff(want, remote(number, "")); diff != "" {
			t.Errorf("%q: want - got +:\n%s", number, diff)
		}
	}
}

// What is kept is bounded, whatever the list holds.
func TestWhatIsKeptIsBounded(t *testing.T) {
	in := interpret()
	many := func(state string, from int) []listed {
		var list []listed
		for n := range 3 * maxCalls {
			list = append(list, one(fmt.Sprint(from+n), state, ""))
		}
		return list
	}
	for n := range 20 {
		in.list(many("connected", n*1000), noon)
		in.list(many("ended", n*1000+500), noon)
		in.snapshot(many("ringing", n*1000+700), noon)
		in.snapshot(many("failed", n*1000+900), noon)
	}
	if len(in.live) > maxCalls || len(in.over) > maxOver || len(in.order) != len(in.over) {
		t.Errorf("%d live, %d over, %d in order", len(in.live), len(in.over), len(in.order))
	}
	c := one("conference", "connected", "")
	for n := range 100 {
		c.Parties = append(c.Parties, party{Number: fmt.Sprint(n), State: "connected"})
	}
	in.list([]listed{c}, noon)
	if n := len(in.known("conference").others); n != maxParties {
		t.Errorf("%d further parties are kept, want %d", n, maxParties)
	}
}

func TestThePastOfAKnownCallHasItsTrueTimes(t *testing.T) {
	in := interpret()
	in.list([]listed{one("known", "ringing", ""), one("live", "ringing", "")}, noon)
	in.list([]listed{one("known", "connected", ""), one("live", "ringing", "")}, noon.Add(7300*time.Millisecond))
	in.list([]listed{one("live", "ringing", "")}, noon.Add(time.Minute))
	item := func(id, kind, duration string) past {
		return past{ID: id, Type: kind, Number: "13800138000", Duration: duration, Begun: "1795435200"}
	}
	for name, test := range map[string]struct {
		p    past
		want string
	}{
		"seen before":       {item("known", "received", "60"), "12:00:00 delivered known in; 12:00:07.3 established known in; 12:01:07.3 cleared known in normal by unknown"},
		"not seen":          {item("x", "received", "60"), "12:00:00 delivered x in; 12:00:00 established x in; 12:01:00 cleared x in normal by unknown"},
		"missed":            {item("x", "missed", "0"), "12:00:00 delivered x in; 12:00:00 cleared x in abandoned by unknown"},
		"dialled, talked":   {item("x", "dialed", "5"), "12:00:00 originated x out; 12:00:00 established x out; 12:00:05 cleared x out normal by unknown"},
		"dialled, in vain":  {item("x", "dialed", "0"), "12:00:00 originated x out; 12:00:00 failed x out unknown by unknown"},
		"goes on":           {item("live", "received", "0"), ""},
		"another word":      {item("x", "forwarded", "0"), ""},
		"no id":             {item("", "missed", "0"), ""},
		"no time":           {past{ID: "x", Type: "missed"}, ""},
		"a silly duration":  {item("x", "missed", "-5"), "12:00:00 delivered x in; 12:00:00 cleared x in abandoned by unknown"},
		"a longer duration": {item("x", "missed", "99999999999"), "12:00:00 delivered x in; 12:00:00 cleared x in abandoned by unknown"},
	} {
		var got []string
		for _, e := range in.past(test.p, noon) {
			got = append(got, e.At.Format("15:04:05.999")+" "+brief(e))
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(got, "; "), test.want)
		}
	}
	if events := in.past(item("x", "received", "60"), noon.Add(61*time.Second)); events != nil {
		t.Errorf("a call that ended before: %v", briefs(events))
	}
	if events := in.past(item("x", "received", "60"), noon.Add(60*time.Second)); len(events) != 3 {
		t.Errorf("a call that ended just then: %v", briefs(events))
	}
}
