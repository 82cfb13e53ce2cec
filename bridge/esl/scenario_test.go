package esl

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/esl/esltest"
)

var update = flag.Bool("update", false, "write the wire and the golden files anew")

const zhang = "13800138000"

// scenarios are what is played; the wire of each is kept beside what it comes to. All are constructed: no session with a FreeSWITCH is recorded.
var scenarios = map[string]func(p *esltest.PBX){
	"answered": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", map[string]string{"X-Order-Id": "A-17 客户", "Charge-Info": "not wanted"})
		p.Set(c, "level", "gold") // shown with its next event, the answer
		p.Set(c, "secret", "not wanted")
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		p.Wait(time.Second)
		p.Hold(leg, false)
		p.Hold(c, true)
		p.Hold(c, false)
		p.Hangup(c)
	},
	"agent-hangs-up": func(p *esltest.PBX) {
		leg := p.Dial(p.Incoming(zhang, "Zhang San", "600", nil), "1001")[0]
		p.Answer(leg)
		p.Hangup(leg)
	},
	"recorded": func(p *esltest.PBX) { // on the caller's channel, and told after the end
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		p.Hangup(leg)
		p.Wait(time.Minute)
		p.Recorded(c, "/var/lib/freeswitch/recordings/pbx.example/2026/11/23/"+zhang+".wav")
	},
	"abandoned": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Dial(c, "1001")
		p.Hangup(c)
	},
	"busy-and-declined": func(p *esltest.PBX) {
		for _, cause := range []string{"USER_BUSY", "CALL_REJECTED"} {
			p.Refuse(p.Dial(p.Incoming(zhang, "Zhang San", "600", nil), "1001")[0], cause)
		}
	},
	"not-reached": func(p *esltest.PBX) { // it never rang: nothing is told of it
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Unreachable(c, "1001")
		p.Hangup(c)
	},
	"answered-without-a-ring": func(p *esltest.PBX) { // a phone that answers by itself sends no 180
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Dial(c, "1001")
		leg := p.Ringing(c)
		p.Answer(leg)
		p.Hangup(c)
	},
	"withheld": func(p *esltest.PBX) {
		leg := p.Dial(p.Incoming("anonymous", "", "600", nil), "1001")[0]
		p.Answer(leg)
		p.Hangup(leg)
	},
	"withheld-but-known": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", map[string]string{"Privacy": "id", "P-Asserted-Identity": "<sip:" + zhang + "@carrier.example>"})
		p.Answer(p.Dial(c, "1001")[0])
		p.Hangup(c)
	},
	"asserted": func(p *esltest.PBX) { // the network knows better than the caller's From
		c := p.Incoming("1008", "Reception", "600", map[string]string{"P-Asserted-Identity": "<sip:+8613800138000@carrier.example>"})
		p.Answer(p.Dial(c, "1001")[0])
		p.Hangup(c)
	},
	"ring-group": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		legs := p.Dial(c, "1001", "1002")
		p.Answer(legs[1])
		p.Hangup(c)
	},
	"rings-on-then-answered-by-a-colleague-at-once": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.RingOut(p.Dial(c, "1001")[0])
		p.Wait(time.Second)
		p.Answer(p.Dial(c, "1002")[0])
		p.Hangup(c)
	},
	"taken-back": func(p *esltest.PBX) { // the caller left the queue, and is not lost: somebody must call back
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Queue(c, "support@default")
		p.Cancel(p.Offer(c, "1001")[0])
		p.Wait(10 * time.Second)
		p.Hangup(c)
	},
	"queue": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", map[string]string{"X-Order-Id": "A-17"})
		p.Queue(c, "support@default")
		p.Wait(12 * time.Second)
		leg := p.Offer(c, "1001")[0]
		p.Wait(2 * time.Second)
		p.Answer(leg)
		p.Hangup(leg)
	},
	"queue-rings-on-then-answered": func(p *esltest.PBX) { // the first agent lets it ring, the second answers long after
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Queue(c, "support@default")
		first := p.Offer(c, "1001")[0]
		p.Wait(10 * time.Second)
		p.RingOut(first)
		p.Wait(5 * time.Second)
		second := p.Offer(c, "1002")[0]
		p.Wait(5 * time.Second)
		p.Answer(second)
		p.Hangup(c)
	},
	"queue-ring-all": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Queue(c, "support@default")
		p.Answer(p.Offer(c, "1001", "1002", "1003")[1])
		p.Hangup(c)
	},
	"queue-abandoned": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		p.Queue(c, "support@default")
		p.RingOut(p.Offer(c, "1001")[0])
		p.Wait(5 * time.Second)
		p.Offer(c, "1002")
		p.Hangup(c)
	},
	"agent-states": func(p *esltest.PBX) {
		for _, status := range []string{"Available", "On Break", "Available (On Demand)", "Logged Out", "Something New"} {
			p.AgentStatus("1001@pbx.example", status)
		}
	},
	"outbound": func(p *esltest.PBX) {
		far := p.Dial(p.Outgoing("1001", "013900139000"), "trunk/13900139000")[0]
		p.Answer(far)
		p.Hangup(far)
	},
	"outbound-busy": func(p *esltest.PBX) {
		p.Refuse(p.Dial(p.Outgoing("1001", "013900139000"), "trunk/13900139000")[0], "USER_BUSY")
	},
	"outbound-no-such-number": func(p *esltest.PBX) {
		c := p.Outgoing("1001", "000")
		p.Unreachable(c, "trunk/000")
		p.Fail(c, "UNALLOCATED_NUMBER")
	},
	"outbound-given-up": func(p *esltest.PBX) {
		c := p.Outgoing("1001", "013900139000")
		p.Dial(c, "trunk/13900139000")
		p.Hangup(c)
	},
	"outbound-to-voicebox": func(p *esltest.PBX) { // the exchange itself answers
		c := p.Outgoing("1001", "*98")
		p.Voicebox(c)
		p.Hangup(c)
	},
	"colleague": func(p *esltest.PBX) {
		c := p.Outgoing("1001", "1002")
		leg := p.Dial(c, "1002")[0]
		p.Answer(leg)
		p.Hold(c, true)
		p.Hold(c, false)
		p.Hangup(leg)
	},
	"picked-up": func(p *esltest.PBX) { // 1002 takes what rings at 1001
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		picker := p.PickUp("1002", p.Dial(c, "1001")[0])
		p.Hangup(picker)
	},
	"click-to-dial": func(p *esltest.PBX) {
		p.Originate(clickID, "1001", "13900139000", "job-1")
		leg := p.Channel(clickID)
		p.Answer(leg) // the agent takes up the own phone
		far := p.Ringing(leg)
		p.Answer(far)
		p.Hangup(far)
	},
	"click-to-dial-a-colleague": func(p *esltest.PBX) {
		p.Originate(clickID, "1001", "1002", "job-1")
		leg := p.Channel(clickID)
		p.Answer(leg)
		p.Answer(p.Ringing(leg))
		p.Hangup(leg)
	},
	"click-to-dial-refused": func(p *esltest.PBX) {
		p.Originate(clickID, "1001", "13900139000", "job-1")
		leg := p.Channel(clickID)
		p.Answer(leg)
		p.Refuse(p.Ringing(leg), "CALL_REJECTED")
	},
	"click-to-dial-not-taken-up": func(p *esltest.PBX) {
		p.Originate(clickID, "1001", "13900139000", "job-1")
		p.RingOut(p.Channel(clickID))
	},
	"blind-transfer": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		p.Answer(p.BlindTransfer(leg, "1002"))
		p.Hangup(c)
	},
	"attended-transfer": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		aside := p.Outgoing("1001", "1002")
		p.Answer(p.Dial(aside, "1002")[0])
		p.AttendedTransfer(leg, aside)
		p.Hangup(c)
	},
	"attended-transfer-by-code": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		customer, asked := p.AskByCode(leg, "1002")
		p.GiveByCode(leg, customer, asked)
		p.Hangup(c)
	},
	"attended-transfer-by-code-given-up": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		customer, asked := p.AskByCode(leg, "1002")
		p.BackByCode(leg, customer, asked)
		p.Hangup(c)
	},
	"attended-transfer-to-an-outside-number": func(p *esltest.PBX) { // which is another customer's call until the transfer
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		p.Hold(leg, true)
		aside := p.Outgoing("1001", "013900139000")
		p.Answer(p.Dial(aside, "trunk/13900139000")[0])
		p.AttendedTransfer(leg, aside)
		p.Hangup(c)
	},
	"conference": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		third := p.Incoming("13700137000", "Wang Wu", "700", nil)
		p.Conference("room-1", leg, c, third)
		p.LeaveConference("room-1", third)
		p.Hangup(third)
		p.Hangup(leg)
		p.Hangup(c)
	},
	"conference-room": func(p *esltest.PBX) { // being alone in it is no talk yet
		agent := p.Outgoing("1001", "3000")
		p.Conference("room-2", agent)
		p.Wait(30 * time.Second)
		other := p.Incoming(zhang, "Zhang San", "3000", nil)
		p.Conference("room-2", other)
		p.Wait(10 * time.Second)
		p.Hangup(other)
		p.Hangup(agent)
	},
	"supervisor": func(p *esltest.PBX) {
		c := p.Incoming(zhang, "Zhang San", "600", nil)
		leg := p.Dial(c, "1001")[0]
		p.Answer(leg)
		spy := p.Spy("1009", leg)
		p.Hangup(spy)
		p.Hangup(leg)
	},
	"better-number": func(p *esltest.PBX) {
		c := p.Incoming("1008", "Reception", "1001", nil)
		leg := p.Dial(c, "1001")[0]
		p.Update(leg, zhang, "Zhang San")
		p.Answer(leg)
		p.Hangup(c)
	},
}

// clickID is the id we give a channel of click-to-dial.
const clickID = "5f0c2f6e-0000-4000-8000-000000000001"

// played is what a scenario comes to: the golden file.
type played struct {
	Events []playedEvent
	Calls  []cti.Call
}

type playedEvent struct {
	Extension string
	Event     cti.Event
}

// wire plays a scenario and gives the frames, one after the other.
func wire(play func(p *esltest.PBX)) [][]byte {
	at := time.Date(2026, 11, 23, 5, 32, 0, 0, time.UTC)
	p := esltest.New(func() time.Time { at = at.Add(20 * time.Millisecond); return at })
	p.OnWait(func(d time.Duration) { at = at.Add(d) })
	var all [][]byte
	p.Listen(func(name string, event []byte) {
		if name != "BACKGROUND_JOB" {
			all = append(all, esltest.Frame(event))
		}
	})
	play(p)
	return all
}

func constructed() *interpreter {
	return newInterpreter(cti.Source{Adapter: Adapter, Instance: "pbx-1", Confidence: cti.Signalled}, newDevices(nil), newWanted([]string{"level"}))
}

// interpreted reads frames as they come, each at the time it bears, and books what concerns agents.
func interpreted(t testing.TB, i *interpreter, sent [][]byte) played {
	t.Helper()
	var got played
	ledgers, index := map[string]*cti.Ledger{}, map[string]int{}
	in := newFrames(bytes.NewReader(bytes.Join(sent, nil)), nil)
	for {
		f, err := in.next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		e, err := parseEvent(f.body)
		if err != nil {
			t.Fatal(err)
		}
		for _, told := range i.events(e, stamp(e.get("Event-Date-Timestamp"))) {
			if !strings.HasPrefix(told.extension, "10") {
				continue
			}
			got.Events = append(got.Events, playedEvent{told.extension, told.event})
			if ledgers[told.extension] == nil {
				ledgers[told.extension] = cti.NewLedger("test")
			}
			for _, c := range ledgers[told.extension].Apply(told.event.Clean()) {
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
}

func TestScenariosBecomeTheGoldenEventsAndCalls(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			sent := wire(scenarios[name])
			got := interpreted(t, constructed(), sent)
			text, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			for file, now := range map[string][]byte{name + ".esl": bytes.Join(sent, nil), name + ".golden.json": append(text, '\n')} {
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

func TestWaitingAloneInAConferenceIsNoTalk(t *testing.T) {
	c := interpreted(t, constructed(), wire(scenarios["conference-room"])).Calls[0]
	if waited := c.EstablishedAt.Sub(c.StartedAt); waited < 30*time.Second {
		t.Errorf("established %v after it began, though nobody was there for 30 s", waited)
	}
}

func TestAClickedColleagueIsCalledByTheAgentAndDialledNobody(t *testing.T) {
	calls := interpreted(t, constructed(), wire(scenarios["click-to-dial-a-colleague"])).Calls
	if c := calls[1]; c.Dialled != "" || c.Remote.Raw != "1001" || c.ClickToDial {
		t.Errorf("the colleague's call: %+v", c)
	}
}

// What each scenario must come to, besides the golden files, which only say what it comes to now.
func TestScenariosComeToTheCallsTheyAre(t *testing.T) {
	type call struct {
		extension, number string
		direction         cti.Direction
		ending            cti.Ending
		by                cti.Party
	}
	for name, want := range map[string][]call{
		"answered":                {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"agent-hangs-up":          {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByLocal}},
		"abandoned":               {{"1001", zhang, cti.In, cti.EndAbandoned, cti.ByRemote}},
		"busy-and-declined":       {{"1001", zhang, cti.In, cti.EndRejected, cti.ByLocal}, {"1001", zhang, cti.In, cti.EndRejected, cti.ByLocal}},
		"not-reached":             nil,
		"answered-without-a-ring": {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"withheld":                {{"1001", "", cti.In, cti.EndAnswered, cti.ByLocal}},
		"withheld-but-known":      {{"1001", "", cti.In, cti.EndAnswered, cti.ByRemote}},
		"ring-group":              {{"1001", zhang, cti.In, cti.EndAnsweredElsewhere, cti.BySystem}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"rings-on-then-answered-by-a-colleague-at-once": {{"1001", zhang, cti.In, cti.EndAnsweredElsewhere, cti.BySystem},
			{"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"taken-back":                   {{"1001", zhang, cti.In, cti.EndMissed, cti.BySystem}},
		"queue":                        {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByLocal}},
		"queue-rings-on-then-answered": {{"1001", zhang, cti.In, cti.EndMissed, cti.BySystem}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"queue-ring-all": {{"1001", zhang, cti.In, cti.EndAnsweredElsewhere, cti.BySystem}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote},
			{"1003", zhang, cti.In, cti.EndAnsweredElsewhere, cti.BySystem}},
		"queue-abandoned":            {{"1001", zhang, cti.In, cti.EndMissed, cti.BySystem}, {"1002", zhang, cti.In, cti.EndAbandoned, cti.ByRemote}},
		"outbound":                   {{"1001", "013900139000", cti.Out, cti.EndAnswered, cti.ByRemote}},
		"outbound-busy":              {{"1001", "013900139000", cti.Out, cti.EndBusy, cti.ByRemote}},
		"outbound-no-such-number":    {{"1001", "000", cti.Out, cti.EndFailed, cti.ByRemote}},
		"outbound-given-up":          {{"1001", "013900139000", cti.Out, cti.EndNoAnswer, cti.ByLocal}},
		"picked-up":                  {{"1001", zhang, cti.In, cti.EndAnsweredElsewhere, cti.BySystem}, {"1002", zhang, cti.Out, cti.EndAnswered, cti.ByLocal}},
		"click-to-dial":              {{"1001", "13900139000", cti.Out, cti.EndAnswered, cti.ByRemote}},
		"click-to-dial-not-taken-up": {{"1001", "13900139000", cti.Out, cti.EndNoAnswer, cti.ByLocal}},
		"blind-transfer":             {{"1001", zhang, cti.In, cti.EndTransferred, cti.ByLocal}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"attended-transfer": {{"1001", zhang, cti.In, cti.EndTransferred, cti.ByLocal}, {"1001", "1002", cti.Out, cti.EndTransferred, cti.ByLocal},
			{"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"attended-transfer-by-code":          {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByLocal}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByRemote}},
		"attended-transfer-by-code-given-up": {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByRemote}, {"1002", zhang, cti.In, cti.EndAnswered, cti.ByLocal}},
		"click-to-dial-a-colleague":          {{"1001", "1002", cti.Out, cti.EndAnswered, cti.ByLocal}, {"1002", "1001", cti.In, cti.EndAnswered, cti.ByRemote}},
		"conference-room":                    {{"1001", "3000", cti.Out, cti.EndAnswered, cti.ByLocal}},
		"conference":                         {{"1001", zhang, cti.In, cti.EndAnswered, cti.ByLocal}},
	} {
		var got []call
		for _, c := range interpreted(t, constructed(), wire(scenarios[name])).Calls {
			got = append(got, call{c.Local.Extension, c.Remote.Raw, c.Direction, c.Ending(), c.Cause.By})
		}
		slices.SortStableFunc(got, func(a, b call) int { return strings.Compare(a.extension, b.extension) })
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(call{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
