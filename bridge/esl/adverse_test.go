package esl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/esl/esltest"
)

// ends counts the terminal events of each leg. A call that rang in vain may be told better once: a colleague has it.
func ends(events []playedEvent) map[string]int {
	n, vain := map[string]int{}, map[string]bool{}
	for _, e := range events {
		id := e.Event.Call.Refs[refChannel]
		switch e.Event.Type {
		case cti.Diverted:
			if vain[id] && e.Event.Cause.Code == cti.CauseAnsweredElsewhere {
				vain[id] = false
				continue
			}
			vain[id] = e.Event.Cause.Code == cti.CauseNoAnswer
			n[id]++
		case cti.Cleared, cti.Failed:
			n[id]++
		case cti.Transferred:
			if e.Event.Transfer.Role == cti.Transferrer {
				n[id]++
			}
		default:
		}
	}
	return n
}

// Everything told twice, the second time after what came next, comes to the same calls.
func TestRepeatedEventsChangeNoCall(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		sent := wire(scenarios[name])
		var twice [][]byte
		for n, one := range sent {
			twice = append(twice, one)
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
		for leg, n := range ends(got.Events) {
			if n != 1 {
				t.Errorf("%s: leg %s ended %d times", name, leg, n)
			}
		}
		for _, typ := range []cti.EventType{cti.Originated, cti.Delivered, cti.Established} {
			if once, again := count(want.Events, typ), count(got.Events, typ); once != again {
				t.Errorf("%s: %d × %s, want %d", name, again, typ, once)
			}
		}
	}
}

func count(events []playedEvent, typ cti.EventType) int {
	n := 0
	for _, e := range events {
		if e.Event.Type == typ {
			n++
		}
	}
	return n
}

// is makes an event of a channel.
func is(name, id string, more ...string) event {
	e := event{header: map[string]string{"Event-Name": name, "Unique-ID": id}}
	for n := 0; n+1 < len(more); n += 2 {
		e.header[more[n]] = more[n+1]
	}
	return e
}

// A channel whose beginning was missed is told as what it is.
func TestEventsWithoutTheirBeginning(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	agents := []string{"Channel-Presence-ID", "1001@pbx.example", "Call-Direction"}
	for name, test := range map[string]struct {
		events []event
		want   []cti.EventType
	}{
		"the agent's own attempt rings at the far end": {[]event{is("CHANNEL_PROGRESS", "a", append(agents, "inbound")...)}, nil},
		"the agent's phone is rung by a click":         {[]event{is("CHANNEL_PROGRESS", "a", append(agents, "outbound", "variable_ringside_dial", "139")...)}, nil},
		"a call rings at the agent":                    {[]event{is("CHANNEL_PROGRESS", "a", append(agents, "outbound")...)}, []cti.EventType{cti.Delivered}},
		"a bridge with who is gone": {[]event{is("CHANNEL_HANGUP_COMPLETE", "b"), is("CHANNEL_BRIDGE", "a", append(agents, "outbound", "Bridge-A-Unique-ID", "a",
			"Bridge-B-Unique-ID", "b")...)}, nil},
		"a bridge with itself": {[]event{is("CHANNEL_BRIDGE", "a", append(agents, "outbound", "Bridge-A-Unique-ID", "a", "Bridge-B-Unique-ID", "a")...)}, nil},
		"a bridge with who was not heard of": {[]event{is("CHANNEL_BRIDGE", "a", append(agents, "outbound", "Bridge-A-Unique-ID", "b",
			"Bridge-B-Unique-ID", "a")...)}, []cti.EventType{cti.Established}},
	} {
		i := constructed()
		var got []cti.EventType
		for _, e := range test.events {
			for _, told := range i.events(e, at) {
				got = append(got, told.event.Type)
			}
		}
		if !slices.Equal(got, test.want) || i.channels["b"] != nil && len(i.graves) > 0 {
			t.Errorf("%s: told %v, want %v; graves %v", name, got, test.want, i.graves)
		}
	}
}

// Events in any order, with some lost and some repeated: no leg ends twice, and nothing comes of a leg after its end but its recording, and
// that a colleague has it.
func TestEventsInAnyOrderEndNoLegTwice(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 2026))
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		sent := wire(scenarios[name])
		for round := range 40 {
			shuffled := slices.Clone(sent)
			random.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
			shuffled = append(shuffled[random.IntN(3):], shuffled[:len(shuffled)/3]...)
			ended := map[string]bool{}
			for _, e := range interpreted(t, constructed(), shuffled).Events {
				leg := e.Event.Call.Refs[refChannel]
				late := e.Event.Recording != nil || e.Event.Type == cti.Diverted && e.Event.Cause.Code == cti.CauseAnsweredElsewhere
				if ended[leg] && leg != "" && !late {
					t.Fatalf("%s, round %d: %s of a leg that had ended", name, round, e.Event.Type)
				}
				ended[leg] = ended[leg] || ends([]playedEvent{e})[leg] > 0
			}
		}
	}
}

// Whatever events are lost but the last of each channel, every call that was told is told to end.
func TestLostEventsLeaveNoCallOpen(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 2026))
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		sent := wire(scenarios[name])
		for round := range 40 {
			var some [][]byte
			for _, one := range sent {
				if random.IntN(4) > 0 || bytes.Contains(one, []byte("CHANNEL_HANGUP_COMPLETE")) {
					some = append(some, one)
				}
			}
			for _, c := range interpreted(t, constructed(), some).Calls {
				if c.State != cti.StateClosed {
					t.Errorf("%s, round %d: a call of %s is %s though its channel is gone", name, round, c.Local.Extension, c.State)
				}
			}
		}
	}
}

// feed lets an interpreter hear what a PBX tells. It gives what ended calls came to keep.
func feed(t *testing.T, i *interpreter, at *time.Time) *esltest.PBX {
	t.Helper()
	p := esltest.New(func() time.Time { *at = at.Add(time.Millisecond); return *at })
	p.Listen(func(_ string, event []byte) {
		e, err := parseEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		i.events(e, *at)
	})
	return p
}

func TestNothingIsKeptOfCallsThatAreOver(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	p := feed(t, i, &at)
	for n := range 500 {
		c := p.Incoming(fmt.Sprintf("138%08d", n), "Zhang San", "600", nil)
		p.Queue(c, "support@default")
		leg := p.Offer(c, "1001", "1002")[n%2]
		p.Answer(leg)
		p.Conference("room", leg, c)
		p.Hangup(leg)
		p.Hangup(c)
		id := fmt.Sprint("click-", n)
		i.click(id, "13900139000", make(chan struct{}))
		p.Originate(id, "1003", "13900139000", "job")
		p.Answer(p.Channel(id))
		p.Hangup(p.Channel(id))
	}
	if kept := len(i.channels) + len(i.rooms) + len(i.clicks) + len(i.begins) + len(i.joined); kept != 0 {
		t.Errorf("%d channels, %d conferences, %d dialled, %d awaited, %d in queues kept", len(i.channels), len(i.rooms), len(i.clicks), len(i.begins), len(i.joined))
	}
	if len(i.graves) != len(i.buried) || len(i.graves) < 500 {
		t.Errorf("%d graves, %d in their order", len(i.graves), len(i.buried))
	}
	i.bury(&channel{id: "last"}, at.Add(2*graveFor))
	if len(i.graves) != 1 || len(i.buried) != 1 {
		t.Errorf("%d graves kept for ever, %d in their order", len(i.graves), len(i.buried))
	}
}

// An agent who is dialled through a loopback talks with its half first, and then, when it falls away, with the caller: that is no transfer.
func TestALoopbackThatFallsAwayIsNoTransfer(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	bridge := func(a, b string) event {
		return is("CHANNEL_BRIDGE", a, "Bridge-A-Unique-ID", a, "Bridge-B-Unique-ID", b)
	}
	for name, number := range map[string]string{"known": "13800138000", "withheld": "anonymous"} {
		i := constructed()
		var got []cti.EventType
		for _, e := range []event{
			is("CHANNEL_CREATE", "caller", "Channel-Name", "sofia/external/x", "Call-Direction", "inbound", "Caller-Caller-ID-Number", number),
			is("CHANNEL_CREATE", "half", "Channel-Name", "loopback/1001-b", "Call-Direction", "inbound", "Caller-Caller-ID-Number", number),
			is("CHANNEL_PROGRESS", "agent", "Channel-Presence-ID", "1001@pbx.example", "Call-Direction", "outbound", "Caller-Caller-ID-Number", number,
				"Other-Type", "originator", "Other-Leg-Unique-ID", "half"),
			bridge("half", "agent"), is("CHANNEL_HANGUP_COMPLETE", "half"), bridge("caller", "agent"),
		} {
			for _, told := range i.events(e, at) {
				got = append(got, told.event.Type)
			}
		}
		if want := []cti.EventType{cti.Delivered, cti.Established}; !slices.Equal(got, want) {
			t.Errorf("%s: told %v, want %v", name, got, want)
		}
	}
}

// A channel that was taken for over, was listed again and then ended, is remembered from its true end on.
func TestAGraveIsAsOldAsTheLastEnd(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	i.bury(&channel{id: "a"}, at)
	delete(i.graves, "a")
	i.bury(&channel{id: "a"}, at.Add(graveFor))
	i.bury(&channel{id: "b"}, at.Add(graveFor+time.Second))
	if _, kept := i.graves["a"]; !kept {
		t.Error("it was forgotten with its first end")
	}
}

// What the exchange lists is there, whatever was heard of it before.
func TestAChannelThatIsListedLives(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	i.bury(&channel{id: "a"}, at)
	strangers := i.reconcile([]row{{UUID: "a", Direction: "outbound", Presence: "1001@pbx.example", State: "RINGING"}}, at)
	all := i.events(is("CHANNEL_HANGUP_COMPLETE", "a", "Hangup-Cause", "ORIGINATOR_CANCEL"), at)
	if !slices.Equal(strangers, []string{"a"}) || len(all) != 1 || all[0].event.Type != cti.Cleared {
		t.Errorf("new: %v; its end: %v", strangers, all)
	}
}

func TestAFloodIsBounded(t *testing.T) {
	i := constructed()
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	for n := range maxChannels + 100 {
		i.events(is("CHANNEL_CREATE", fmt.Sprint("c", n)), at)
	}
	for n := range maxRooms + 100 {
		i.events(is("CUSTOM", "c200", "Event-Subclass", "conference::maintenance", "Conference-Name", fmt.Sprint("room", n), "Action", "add-member"), at)
	}
	for n := range 2 * maxMembers {
		i.events(is("CUSTOM", fmt.Sprint("c", 200+n), "Event-Subclass", "conference::maintenance", "Conference-Name", "room1", "Action", "add-member"), at)
	}
	for n := range maxChannels + 100 {
		i.events(is("CUSTOM", "", "Event-Subclass", "callcenter::info", "CC-Action", "member-queue-start", "CC-Member-Session-UUID", fmt.Sprint("m", n)), at)
	}
	joined := len(i.joined)
	for n := range maxChannels + 100 {
		i.events(is("CUSTOM", "", "Event-Subclass", "callcenter::info", "CC-Action", "member-queue-end", "CC-Member-Session-UUID", fmt.Sprint("m", n)), at)
	}
	if joined != maxChannels || len(i.joined) != 0 {
		t.Errorf("%d in queues, want %d; %d who left them", joined, maxChannels, len(i.joined))
	}
	for n := range 2 * maxData {
		i.events(is("CHANNEL_ANSWER", "c200", fmt.Sprint("variable_sip_h_X-D", n), "x"), at)
	}
	last := i.channels[fmt.Sprint("c", maxChannels+99)]
	if i.channels["c0"] != nil || last == nil {
		t.Error("the oldest channel was to be forgotten, not the newest")
	}
	if len(i.channels) > maxChannels || len(i.rooms) > maxRooms || len(i.rooms["room1"]) > maxMembers || len(i.channels["c200"].data) > maxData {
		t.Errorf("%d channels, %d conferences, %d members, %d data", len(i.channels), len(i.rooms), len(i.rooms["room1"]), len(i.channels["c200"].data))
	}
	for n := range maxGraves + 100 {
		i.bury(&channel{id: fmt.Sprint("g", n)}, at)
	}
	if len(i.graves) > maxGraves || len(i.buried) > maxGraves {
		t.Errorf("%d graves, %d in their order", len(i.graves), len(i.buried))
	}
	for n := range 2 * maxClicks {
		i.click(fmt.Sprint("k", n), "1", make(chan struct{}))
	}
	if len(i.clicks) > maxClicks {
		t.Errorf("%d dialled", len(i.clicks))
	}
}

func TestNamesOfCallDataAreCanonicalAndVariablesThatAreNotWantedAreNone(t *testing.T) {
	w := newWanted([]string{"Level", "CRM_*"})
	for header, want := range map[string]string{"variable_sip_h_X-Order-Id": "order_id", "variable_sip_h_x-ORDER-ID": "order_id", "variable_sip_h_P-Other": "",
		"variable_level": "level", "variable_LEVEL": "level", "Level": "", "variable_crm_case": "crm_case", "variable_password": "", "variable_": "",
		"variable_sip_h_X-": "", "variable_sip_h_X-\u202e\r\n客": "", "variable_sip_h_X-9": "",
		"variable_sip_h_X-" + strings.Repeat("a", 100): strings.Repeat("a", maxDataName)} {
		if got := w.name(header); got != want {
			t.Errorf("%q is %q, want %q", header, got, want)
		}
	}
}

func TestChannelsBelongToExtensions(t *testing.T) {
	d := newDevices(map[string][]string{"1001": {"agent-1@pbx.example", "sofia/wss/55@"}, "alice": {"77"}})
	asked := func(extension string) bool { return extension == "1003" }
	for channel, want := range map[[2]string]string{
		{"sofia/internal/agent-1@10.0.0.9", "agent-1@pbx.example"}: "1001",
		{"sofia/wss/55@x", ""}:                                    "1001",
		{"sofia/internal/1001@10.0.0.9", "1001@pbx.example"}:      "", // it is told to be another's
		{"sofia/internal/77@x", "77@pbx.example"}:                 "alice",
		{"sofia/internal/1002@10.0.0.9:5060", "1002@pbx.example"}: "1002",
		{"loopback/1002-a", "1002@pbx.example"}:                   "",
		{"sofia/internal/1003@10.0.0.9:5060", ""}:                 "1003", // without a presence the name is enough for who is asked for
		{"sofia/internal/1004@10.0.0.9:5060", ""}:                 "",
		{"sofia/internal/1001@10.0.0.9:5060", ""}:                 "",
		{"sofia/internal/x", "10 02@pbx.example"}:                 "",
		{"", ""}: "",
	} {
		if got := d.extension(channel[0], channel[1], asked); got != want {
			t.Errorf("%q with presence %q belongs to %q, want %q", channel[0], channel[1], got, want)
		}
	}
}

func FuzzEvents(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		f.Add(bytes.Join(wire(scenarios[name]), nil))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		i := constructed()
		at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
		in := newFrames(bytes.NewReader(stream), nil)
		var all []playedEvent
		for {
			one, err := in.next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errFraming) {
					t.Fatal(err)
				}
				break
			}
			e, err := parseEvent(one.body)
			if err != nil {
				continue
			}
			at = at.Add(time.Second)
			for _, told := range i.events(e, at) {
				if told.extension == "" || told.event.Type != cti.AgentState && told.event.Call.Refs[refChannel] == "" {
					t.Fatalf("%+v is for nobody, or of no call", told)
				}
				all = append(all, playedEvent{told.extension, told.event})
			}
		}
		i.snapshots(at)
		for leg, n := range ends(all) {
			if n > 1 && leg != "" {
				t.Errorf("leg %s ended %d times", leg, n)
			}
		}
	})
}
