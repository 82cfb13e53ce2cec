package ari

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
)

var update = flag.Bool("update", false, "write the wire and the golden files anew")

// scenarios are what is constructed, because no real Asterisk was brought to it; the wire of each is kept beside what it comes to. What a real one sent is
// in testdata/recorded.
var scenarios = map[string]func(p *aritest.PBX){
	"answered": func(p *aritest.PBX) {
		c := p.Incoming("13800138000", "Zhang San", "600", map[string]string{"X-Order-Id": "A-17", "SECRET": "not wanted"})
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		p.Hold(leg, false)
		p.Hold(c, true)
		p.Hold(c, false)
		p.Set(leg, "__LEVEL", "gold")
		p.Set(c, "MIXMONITOR_FILENAME", "/var/spool/asterisk/monitor/2026/11/in-13800138000-1.wav")
		p.Hangup(c)
	},
	"busy-and-declined": func(p *aritest.PBX) {
		for _, cause := range []int{17, 21} {
			c := p.Incoming("13800138000", "Zhang San", "600", nil)
			p.Refuse(p.Dial(c, "PJSIP/1001")[0], cause)
		}
	},
	"not-reached": func(p *aritest.PBX) { // it never rang: nothing is told of it
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		p.Unreachable(c, "PJSIP/1001", "CHANUNAVAIL")
		p.Unreachable(c, "PJSIP/1002", "BUSY")
		p.Hangup(c)
	},
	"parked": func(p *aritest.PBX) { // waiting side by side is not talking
		one, two := p.Outgoing("1001", "700"), p.Outgoing("1002", "700")
		p.Park(one, two)
		p.Hangup(one)
		p.Hangup(two)
	},
	"outbound-to-voicebox": func(p *aritest.PBX) { // the exchange itself answers
		c := p.Outgoing("1001", "*98")
		p.Queue(c, "") // any application that answers
		p.Hangup(c)
	},
	"another-programs-click-to-dial": func(p *aritest.PBX) { // cannot be told from a call that a program brings to the agent
		p.Click("other-1", "PJSIP/1001", "13900139000")
		p.Answer(p.TakeUp(p.Channel("other-1")))
	},
	"blind-transfer": func(p *aritest.PBX) {
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		p.BlindTransfer(leg, "1003", "Not Permitted")
		next := p.BlindTransfer(leg, "1002", "Success")
		p.Answer(next)
		p.Hangup(c)
	},
	"attended-transfer": func(p *aritest.PBX) {
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		aside := p.Outgoing("1001", "1002")
		p.Answer(p.Dial(aside, "PJSIP/1002")[0])
		p.AttendedTransfer(leg, aside)
		p.Hangup(c)
	},
	"attended-transfer-to-an-outside-number": func(p *aritest.PBX) { // which is another customer's call until the transfer
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		aside := p.Outgoing("1001", "013900139000")
		p.Answer(p.Dial(aside, "PJSIP/trunk")[0])
		p.AttendedTransfer(leg, aside)
		p.Hangup(c)
	},
	"conference": func(p *aritest.PBX) {
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		third := p.Incoming("13700137000", "Wang Wu", "700", nil)
		p.Join(leg, third)
		p.Wait(time.Second)
		p.Hangup(third)
		p.Hangup(c)
	},
	"supervisor-through-snoop": func(p *aritest.PBX) {
		c := p.Incoming("13800138000", "Zhang San", "600", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Answer(leg)
		listener := p.Outgoing("1009", "*55")
		p.Snoop(leg, listener)
		p.Hangup(listener)
		p.Hangup(c)
	},
	"better-number": func(p *aritest.PBX) {
		c := p.Incoming("1008", "Reception", "1001", nil)
		leg := p.Dial(c, "PJSIP/1001")[0]
		p.Connected(leg, "13800138000", "Zhang San")
		p.Answer(leg)
		p.Connected(leg, "1001", "Agent 1001") // its own: no news
		p.Hangup(c)
	},
}

// played is what a scenario comes to: the golden file.
type played struct {
	Events []playedEvent
	Calls  []cti.Call
}

type playedEvent struct {
	Extension string
	Event     cti.Event
}

// wire plays a scenario and gives ARI's events, one in a line.
func wire(play func(p *aritest.PBX)) []byte {
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	p := aritest.New(func() time.Time { at = at.Add(20 * time.Millisecond); return at })
	p.OnWait(func(d time.Duration) { at = at.Add(d) })
	var all bytes.Buffer
	p.Listen(func(event []byte) { all.Write(append(event, '\n')) })
	play(p)
	return all.Bytes()
}

func constructed() *interpreter {
	return newInterpreter(cti.Source{Adapter: Adapter, Instance: "pbx-1", Confidence: cti.Signalled}, newDevices(nil), newWanted([]string{"x-order-id", "level"}))
}

// interpreted reads events as they come, each at the time it bears, and books what concerns agents.
func interpreted(t testing.TB, i *interpreter, lines [][]byte) played {
	t.Helper()
	return interpretedOf(t, i, lines, func(string) string { return "allowed_not_screened" })
}

// interpretedOf is interpreted where each caller is shown or not as the exchange says when it is asked.
func interpretedOf(t testing.TB, i *interpreter, lines [][]byte, presented func(channel string) string) played {
	t.Helper()
	var got played
	ledgers, index := map[string]*cti.Ledger{}, map[string]int{}
	book := func(all []told) {
		for _, e := range all {
			if !strings.HasPrefix(e.extension, "10") {
				continue
			}
			got.Events = append(got.Events, playedEvent{e.extension, e.event})
			if ledgers[e.extension] == nil {
				ledgers[e.extension] = cti.NewLedger("test")
			}
			for _, c := range ledgers[e.extension].Apply(e.event.Clean()) {
				n, known := index[c.After.Leg]
				if !known {
					n = len(got.Calls)
					index[c.After.Leg] = n
					got.Calls = append(got.Calls, cti.Call{})
				}
				got.Calls[n] = c.After
			}
		}
	}
	for _, line := range lines {
		m, err := parse(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		at := stamp(m.Timestamp)
		book(i.due(at))
		book(i.events(m, at))
		for _, id := range i.unasked() {
			book(i.presented(id, presented(id), at))
		}
	}
	return got
}

func lines(all []byte) [][]byte { return bytes.Split(bytes.TrimSpace(all), []byte("\n")) }

func TestScenariosBecomeTheGoldenEventsAndCalls(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			sent := wire(scenarios[name])
			i := constructed()
			got := interpreted(t, i, lines(sent))
			text, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			for file, now := range map[string][]byte{name + ".jsonl": sent, name + ".golden.json": append(text, '\n')} {
				file = filepath.Join("testdata", file)
				if *update {
					if err := os.WriteFile(file, now, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(now)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
			if strings.Contains(string(text), "not wanted") {
				t.Error("a variable that nobody wants was told")
			}
		})
	}
}

// Asterisk 22 may say that a phone rings before it says for whom (observed): the card waits for that, but not for ever.
func TestARingWaitsForTheWordOfWhoDialled(t *testing.T) {
	rings := func(line []byte) bool {
		return bytes.Contains(line, []byte(`"ChannelStateChange"`)) && bytes.Contains(line, []byte(`"Ringing"`))
	}
	dial := func(line []byte) bool { return bytes.Contains(line, []byte(`"type":"Dial"`)) }
	sent := lines(wire(scenarios["answered"]))
	want := interpreted(t, constructed(), sent).Events[0].Event
	first, ring := slices.IndexFunc(sent, dial), slices.IndexFunc(sent, rings)
	early := slices.Insert(slices.Delete(slices.Clone(sent), ring, ring+1), first, sent[ring])
	got := interpreted(t, constructed(), early).Events[0].Event
	if got.Type != cti.Delivered || got.Dialled != "600" || got.Call.Refs[cti.RefJourney] != want.Call.Refs[cti.RefJourney] || got.Data["order_id"] != "A-17" {
		t.Errorf("%+v, want as with the word first: %+v", got, want)
	}
	i := constructed()
	at := stamp("2026-11-23T05:32:00.000+0000")
	for _, line := range early[:first+1] { // and the word never comes
		m, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if told := slices.DeleteFunc(i.events(m, at), func(e told) bool { return e.extension != "1001" }); len(told) != 0 {
			t.Fatalf("%+v was told at once", told)
		}
	}
	if all := i.due(at.Add(waitDialled)); len(all) != 1 || all[0].event.Type != cti.Delivered || !all[0].event.At.Equal(at) {
		t.Errorf("%+v, want the ring, at the time it began", all)
	}
}
