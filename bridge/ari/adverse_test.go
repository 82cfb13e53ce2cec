package ari

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
)

// ends counts the terminal events of each leg.
func ends(p played) map[string]int {
	n := map[string]int{}
	for _, e := range p.Events {
		leg := e.Event.Call.Refs[refChannel]
		if corrects(e.Event) {
			continue
		}
		switch e.Event.Type {
		case cti.Cleared, cti.Failed, cti.Diverted:
			n[leg]++
		case cti.Transferred:
			if e.Event.Transfer.Role == cti.Transferrer {
				n[leg]++
			}
		default:
		}
	}
	return n
}

// corrects tells whether an event is a better cause for an end that was told before: a colleague answered later.
func corrects(e cti.Event) bool {
	return e.Type == cti.Diverted && e.Cause.Code == cti.CauseAnsweredElsewhere && e.Cause.Raw == ""
}

// Everything told twice, the second time after what came next, comes to the same calls.
func TestRepeatedEventsChangeNoCall(t *testing.T) {
	all := sessions(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sent := all[name]
		var twice [][]byte
		for n, line := range sent {
			twice = append(twice, line)
			if n > 0 {
				twice = append(twice, sent[n-1])
			}
		}
		want, got := interpreted(t, constructed(), sent), interpreted(t, constructed(), append(twice, sent[len(sent)-1]))
		if len(got.Calls) != len(want.Calls) {
			t.Errorf("%s: %d calls, want %d", name, len(got.Calls), len(want.Calls))
			continue
		}
		for n, c := range got.Calls {
			if w := want.Calls[n]; c.State != w.State || c.Remote.Raw != w.Remote.Raw || (c.Cause == nil) != (w.Cause == nil) ||
				c.Cause != nil && (c.Cause.Code != w.Cause.Code || c.Cause.By != w.Cause.By) || c.EstablishedAt.IsZero() != w.EstablishedAt.IsZero() {
				t.Errorf("%s: call %d is %+v, want %+v", name, n, c, w)
			}
		}
		for leg, n := range ends(got) {
			if n != 1 {
				t.Errorf("%s: leg %s ended %d times", name, leg, n)
			}
		}
	}
}

// Events in any order, with some lost and some repeated: no leg ends twice, and nothing comes of a leg after its end.
func TestEventsInAnyOrderEndNoLegTwice(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 2026))
	all := sessions(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sent := all[name]
		for round := range 40 {
			shuffled := slices.Clone(sent)
			random.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
			shuffled = append(shuffled[random.IntN(3):], shuffled[:len(shuffled)/3]...)
			ended := map[string]bool{}
			for _, e := range interpreted(t, constructed(), shuffled).Events {
				leg := e.Event.Call.Refs[refChannel]
				if corrects(e.Event) {
					continue
				}
				if ended[leg] {
					t.Fatalf("%s, round %d: %s of a leg that had ended", name, round, e.Event.Type)
				}
				ended[leg] = ends(played{Events: []playedEvent{e}})[leg] > 0
			}
		}
	}
}

func TestNothingIsKeptOfCallsThatAreOver(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	p := aritest.New(func() time.Time { at = at.Add(time.Millisecond); return at })
	p.Listen(func(event []byte) {
		m, err := parse(event)
		if err != nil {
			t.Fatal(err)
		}
		i.events(m, at)
	})
	for n := range 500 {
		c := p.Incoming(fmt.Sprintf("138%08d", n), "Zhang San", "600", nil)
		p.Queue(c, "support")
		p.Answer(p.Dial(c, "Local/1001@agents", "Local/1002@agents")[n%2])
		p.Hangup(c)
		p.Click(fmt.Sprintf("ringside-%d", n), "PJSIP/1003", "13900139000")
		p.Hangup(p.TakeUp(p.Channel(fmt.Sprintf("ringside-%d", n))))
	}
	if kept := len(i.channels) + len(i.locals) + len(i.bridges) + len(i.clicks) + len(i.joins); kept != 0 || len(i.graves) > maxGraves {
		t.Errorf("%d channels, %d pairs, %d bridges, %d dialled, %d joins kept, %d graves", len(i.channels), len(i.locals), len(i.bridges),
			len(i.clicks), len(i.joins), len(i.graves))
	}
	i.sweepGraves(at.Add(2 * graveFor))
	if len(i.graves) != 0 {
		t.Errorf("%d graves kept for ever", len(i.graves))
	}
}

func TestAFloodOfChannelsAndBridgesIsBounded(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	for n := range maxChannels + 100 {
		i.events(message{Type: "ChannelCreated", Channel: &channelSnap{ID: fmt.Sprint("c", n), Name: fmt.Sprintf("Local/%d@x-1;1", n), State: "Ring"}}, at)
	}
	members := make([]string, 2*maxMembers)
	for n := range members {
		members[n] = fmt.Sprint("c", n)
	}
	for n := range maxBridges + 100 {
		i.gather(&bridgeSnap{ID: fmt.Sprint("b", n), Type: "mixing", Channels: members[:2]})
	}
	b := i.gather(&bridgeSnap{ID: "wide", Type: "mixing", Channels: members})
	last := i.channels[fmt.Sprint("c", maxChannels+99)]
	for n := range 2 * maxData {
		i.wanted = newWanted([]string{"v*"})
		i.note(last, fmt.Sprint("v", n), "x")
	}
	if len(i.channels) > maxChannels || len(i.locals) > maxChannels || len(i.bridges) > maxBridges || len(b.members) > maxMembers || len(last.data) > maxData {
		t.Errorf("%d channels, %d pairs, %d bridges, %d members, %d data", len(i.channels), len(i.locals), len(i.bridges), len(b.members), len(last.data))
	}
	if i.channels["c0"] != nil || last == nil {
		t.Error("the oldest channel was to be forgotten, not the newest")
	}
}

func TestNamesOfCallDataAreCanonicalAndVariablesThatAreNotWantedAreNone(t *testing.T) {
	w := newWanted([]string{"X-Order-Id", "level", "CRM_*"})
	for variable, want := range map[string]string{"X-Order-Id": "order_id", "__X-ORDER-ID": "order_id", "order_id": "", "LEVEL": "level", "_LEVEL": "level",
		"CRM_case": "crm_case", "__crm_Case": "crm_case", "PASSWORD": "", "": "", "CRM_\u202e\r\n": "crm", "X-Level": "level"} {
		if got := w.name(variable); got != want {
			t.Errorf("%q is %q, want %q", variable, got, want)
		}
	}
	for variable, want := range map[string]string{"9lives": "", "X-9": "", "__": "", "客户": "", strings.Repeat("a", 100): strings.Repeat("a", maxDataName)} {
		if got := dataName(variable); got != want {
			t.Errorf("%q is %q, want %q", variable, got, want)
		}
	}
}

func TestChannelsBelongToExtensions(t *testing.T) {
	d := newDevices(map[string][]string{"1001": {"PJSIP/agent-1", "SIP/55"}, "alice": {"PJSIP/a"}})
	for channel, want := range map[string]string{"PJSIP/agent-1-0000000a": "1001", "SIP/55-1": "1001", "PJSIP/1001-1": "", "PJSIP/1002-1": "1002",
		"SIP/1002-1": "1002", "PJSIP/a-1": "alice", "Local/1002@x-1;1": "", "PJSIP/1002": "", "": "", "IAX2/1002-1": "", "PJSIP/10 02-1": ""} {
		if got := d.extension(channel); got != want {
			t.Errorf("%q belongs to %q, want %q", channel, got, want)
		}
	}
	if d.ring("1001") != "PJSIP/agent-1" || d.ring("1002") != "PJSIP/1002" {
		t.Errorf("click-to-dial rings %s and %s", d.ring("1001"), d.ring("1002"))
	}
}

func FuzzEvents(f *testing.F) {
	for _, sent := range sessions(f) {
		f.Add(bytes.Join(sent, []byte("\n")))
	}
	f.Add([]byte(`{"type":"Dial","peer":{"id":"1","name":"PJSIP/1001-1"},"caller":{"id":"1"},"dialstatus":"RINGING"}`))
	f.Add([]byte(`{"type":"ChannelEnteredBridge","bridge":{"id":"b","channels":["",null]}}`))
	f.Fuzz(func(t *testing.T, stream []byte) {
		i := constructed()
		at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
		ended := map[string]int{}
		for _, line := range bytes.Split(stream, []byte("\n")) {
			m, err := parse(line)
			if err != nil {
				continue
			}
			at = at.Add(time.Second)
			for _, e := range append(i.due(at), i.events(m, at)...) {
				if corrects(e.event) {
					continue
				}
				if e.extension == "" || e.event.Call.Refs[refChannel] == "" {
					t.Fatalf("%+v is for nobody, or of no call", e)
				}
				ended[e.event.Call.Refs[refChannel]] += ends(played{Events: []playedEvent{{Event: e.event}}})[e.event.Call.Refs[refChannel]]
			}
		}
		i.snapshots(at)
		for leg, n := range ended {
			if n > 1 {
				t.Errorf("leg %s ended %d times", leg, n)
			}
		}
	})
}
