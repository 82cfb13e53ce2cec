package ami_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
)

// What is here was not recorded: it is constructed from the documentation and the source of Asterisk, each as the events of a script of lines. A
// line is an event and its fields; "c=PJSIP/1001-1 u=1.2 l=1.1" are Channel, Uniqueid and Linkedid, "dc= du= dl=" the same of the dialled channel;
// "+" is 100 ms.
func script(p *ami.Player, lines string) {
	at := time.Duration(0)
	short := map[string]string{"c": "Channel", "u": "Uniqueid", "l": "Linkedid", "s": "ChannelState", "n": "CallerIDNum", "dc": "DestChannel",
		"du": "DestUniqueid", "dl": "DestLinkedid", "ds": "DestChannelState", "b": "BridgeUniqueid", "x": "Exten"}
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if strings.Trim(line, "+") == "" {
			at += time.Duration(len(line)) * 100 * time.Millisecond
			p.Pass(at)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "Event: %s\r\n", words[0])
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			if long, is := short[key]; is {
				key = long
			}
			fmt.Fprintf(&b, "%s: %s\r\n", key, strings.ReplaceAll(value, "_", " "))
		}
		p.Take(at, []byte(b.String()+"\r\n"))
	}
	p.Pass(at + time.Minute)
}

// types gives the types of the events of an extension, without the prefix.
func types(p *ami.Player, extension string) string {
	var all []string
	for _, e := range p.Events[extension] {
		all = append(all, strings.TrimPrefix(string(e.Type), "call."))
	}
	return strings.Join(all, " ")
}

func wantTypes(t *testing.T, p *ami.Player, extension, want string) {
	t.Helper()
	if got := types(p, extension); got != want {
		t.Errorf("%s was told %q, want %q", extension, got, want)
	}
}

// onlyCall gives the one call of an extension.
func onlyCall(t *testing.T, p *ami.Player, extension string) cti.Call {
	t.Helper()
	calls := book(p.Events[extension])
	if len(calls) != 1 {
		t.Fatalf("%s had %d calls: %s", extension, len(calls), types(p, extension))
	}
	return calls[0]
}

func players(t *testing.T) *ami.Player {
	t.Helper()
	return ami.NewPlayer(ami.Config{Serves: func(e string) bool { return strings.HasPrefix(e, "100") }})
}

// FreePBX rings the members of a group or queue through Local channels, so that a bit of dialplan dials the phones: when that is gone, the caller need
// not be.
const freePBX = `
	Newchannel c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=4 n=13800138000 x=02012345678
	Newchannel c=Local/1001@from-queue-00000001;1 u=1.2 l=1.1 s=0
	Newchannel c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 s=4 n=13800138000 x=1001
	Newchannel c=Local/1002@from-queue-00000002;1 u=1.4 l=1.1 s=0
	Newchannel c=Local/1002@from-queue-00000002;2 u=1.5 l=1.1 s=4 n=13800138000 x=1002
	DialBegin c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=Local/1001@from-queue-00000001;1 du=1.2 dl=1.1 x=s
	DialBegin c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=Local/1002@from-queue-00000002;1 du=1.4 dl=1.1 x=s
	Newchannel c=PJSIP/1001-00000003 u=1.6 l=1.1 s=0
	Newchannel c=PJSIP/1002-00000004 u=1.7 l=1.1 s=0
	DialBegin c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 n=13800138000 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 x=s
	DialBegin c=Local/1002@from-queue-00000002;2 u=1.5 l=1.1 n=13800138000 dc=PJSIP/1002-00000004 du=1.7 dl=1.1 x=s
	Newstate c=PJSIP/1001-00000003 u=1.6 l=1.1 s=5
	Newstate c=PJSIP/1002-00000004 u=1.7 l=1.1 s=5
	++`

func TestALocalChannelThatGoesIsNotTheCaller(t *testing.T) {
	p := players(t)
	script(p, freePBX+`
		HangupRequest c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1
		DialEnd c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 DialStatus=CANCEL
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16
		Hangup c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 Cause=0
		+
		DialEnd c=Local/1002@from-queue-00000002;2 u=1.5 l=1.1 dc=PJSIP/1002-00000004 du=1.7 dl=1.1 DialStatus=ANSWER
		BridgeEnter b=B1 c=PJSIP/1002-00000004 u=1.7 l=1.1 s=6
		BridgeEnter b=B1 c=Local/1002@from-queue-00000002;2 u=1.5 l=1.1 s=6
		+++++
		HangupRequest c=PJSIP/trunk-00000001 u=1.1 l=1.1
		BridgeLeave b=B1 c=PJSIP/1002-00000004 u=1.7 l=1.1
		Hangup c=PJSIP/1002-00000004 u=1.7 l=1.1 Cause=16`)
	wantTypes(t, p, "1001", "delivered diverted")
	wantEnd(t, onlyCall(t, p, "1001"), cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	wantTypes(t, p, "1002", "delivered established cleared")
	c := onlyCall(t, p, "1002")
	wantEnd(t, c, cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	if c.Dialled != "02012345678" || c.Remote.Raw != "13800138000" {
		t.Errorf("dialled %q by %q; want what the caller dialled", c.Dialled, c.Remote.Raw)
	}
}

func TestThroughLocalChannelsTheCallerWhoGivesUpIsTold(t *testing.T) {
	p := players(t)
	script(p, freePBX+`
		HangupRequest c=PJSIP/trunk-00000001 u=1.1 l=1.1
		HangupRequest c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1
		DialEnd c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 DialStatus=CANCEL
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16`)
	wantEnd(t, onlyCall(t, p, "1001"), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)
}

// Where nothing says why a call stopped ringing, that is waited for and then said, but never that the caller gave up.
func TestACancelWithoutAnyReason(t *testing.T) {
	p := players(t)
	script(p, freePBX+`
		DialEnd c=Local/1001@from-queue-00000001;2 u=1.3 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 DialStatus=CANCEL
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16`)
	wantEnd(t, onlyCall(t, p, "1001"), cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
	events := p.Events["1001"]
	if last := events[len(events)-1]; last.At != ami.Began.Add(200*time.Millisecond) {
		t.Errorf("it ended at %v, want when its channel did", last.At)
	}
}

func TestAPhoneThatNeverRangHasNoCall(t *testing.T) {
	p := players(t)
	script(p, `
		Newchannel c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=4 n=13800138000 x=1001
		DialBegin c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 ds=0 x=1001
		DialEnd c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 ds=0 DialStatus=CHANUNAVAIL
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 s=0 Cause=20`)
	wantTypes(t, p, "1001", "")
}

// ringing is S1 in few words: a caller, and 1001 rings.
const ringing = `
	Newchannel c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=4 n=13800138000 x=1001
	DialBegin c=PJSIP/trunk-00000001 u=1.1 l=1.1 n=13800138000 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 ds=0 x=1001
	DialState c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 ds=5 DialStatus=RINGING
	+`

const talking = ringing + `
	DialEnd c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 ds=6 DialStatus=ANSWER
	BridgeEnter b=B1 c=PJSIP/1001-00000003 u=1.6 l=1.1 s=6
	BridgeEnter b=B1 c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 n=13800138000
	+`

func TestACallThatAColleaguePicksUp(t *testing.T) {
	p := players(t)
	script(p, ringing+`
		Newchannel c=PJSIP/1002-00000004 u=1.9 l=1.9 s=4 x=*8
		Rename c=PJSIP/1002-00000004 Newname=PJSIP/1002-00000004<MASQ> u=1.9
		Rename c=PJSIP/1001-00000003 Newname=PJSIP/1002-00000004 u=1.6
		Hangup c=PJSIP/1001-00000003<ZOMBIE> u=1.9 l=1.9 Cause=16
		DialEnd c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1002-00000004 du=1.6 dl=1.1 ds=6 DialStatus=ANSWER
		BridgeEnter b=B1 c=PJSIP/1002-00000004 u=1.6 l=1.1 s=6
		BridgeEnter b=B1 c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6`)
	wantTypes(t, p, "1001", "delivered diverted")
	wantEnd(t, onlyCall(t, p, "1001"), cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	if got := types(p, "1002"); !strings.Contains(got, "delivered established") {
		t.Errorf("1002 was told %q", got)
	}
}

func TestWhatIsInABridgeAndIsNobody(t *testing.T) {
	p := players(t)
	script(p, ringing+`
		Newstate c=PJSIP/1001-00000003 u=1.6 l=1.1 s=6
		BridgeEnter b=B1 c=PJSIP/1001-00000003 u=1.6 l=1.1 s=6
		BridgeEnter b=B1 c=CBAnn/conf-00000001;1 u=1.8 l=1.8
		BridgeEnter b=PARK BridgeTechnology=holding_bridge c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6
		+++`)
	wantTypes(t, p, "1001", "delivered")
}

func TestAChannelThatTakesAnothersPlaceIsNoThird(t *testing.T) {
	p := players(t)
	script(p, talking+`
		Newchannel c=PJSIP/trunk-00000009 u=1.9 l=1.1 s=6 n=13900139000
		BridgeEnter b=B1 BridgeNumChannels=3 SwapUniqueid=1.1 c=PJSIP/trunk-00000009 u=1.9 l=1.1 s=6 n=13900139000
		BridgeLeave b=B1 c=PJSIP/trunk-00000001 u=1.1 l=1.1`)
	wantTypes(t, p, "1001", "delivered established")
}

func TestAThirdMakesAConference(t *testing.T) {
	p := players(t)
	script(p, talking+`
		Newchannel c=PJSIP/trunk-00000009 u=1.9 l=1.1 s=6 n=13900139000
		BridgeEnter b=B1 c=PJSIP/trunk-00000009 u=1.9 l=1.1 s=6 n=13900139000
		BridgeEnter b=B1 c=PJSIP/trunk-00000009 u=1.9 l=1.1 s=6 n=13900139000
		BridgeLeave b=B1 c=PJSIP/trunk-00000009 u=1.9 l=1.1
		HangupRequest c=PJSIP/1001-00000003 u=1.6 l=1.1
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16`)
	wantTypes(t, p, "1001", "delivered established conferenced cleared")
	c := onlyCall(t, p, "1001")
	if len(c.Parties) != 1 || c.Parties[0] != "13900139000" || c.Remote.Raw != "13800138000" {
		t.Errorf("parties %v, customer %q", c.Parties, c.Remote.Raw)
	}
	wantEnd(t, c, cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
}

func TestAThreewayTransferKeepsTheAgentInTheCall(t *testing.T) {
	p := players(t)
	script(p, talking+consulting+strings.Replace(attended, "DestType=Bridge", "DestType=Threeway", 1))
	wantTypes(t, p, "1001", "delivered established held originated established conferenced")
}

// consulting: 1001 asks 1002 while the customer is on hold.
const consulting = `
	Hold c=PJSIP/1001-00000003 u=1.6 l=1.1
	Newchannel c=PJSIP/1001-00000005 u=2.1 l=2.1 s=4 n=1001 x=1002
	DialBegin c=PJSIP/1001-00000005 u=2.1 l=2.1 n=1001 dc=PJSIP/1002-00000006 du=2.2 dl=2.1 ds=5 x=1002
	Newstate c=PJSIP/1002-00000006 u=2.2 l=2.1 s=5
	DialEnd c=PJSIP/1001-00000005 u=2.1 l=2.1 dc=PJSIP/1002-00000006 du=2.2 dl=2.1 ds=6 DialStatus=ANSWER
	BridgeEnter b=B2 c=PJSIP/1002-00000006 u=2.2 l=2.1 s=6
	BridgeEnter b=B2 c=PJSIP/1001-00000005 u=2.1 l=2.1 s=6
	+`

const attended = `
	AttendedTransfer Result=Success OrigTransfererChannel=PJSIP/1001-00000003 OrigTransfererUniqueid=1.6 OrigTransfererLinkedid=1.1 SecondTransfererChannel=PJSIP/1001-00000005 SecondTransfererUniqueid=2.1 SecondTransfererLinkedid=2.1 TransfereeChannel=PJSIP/trunk-00000001 TransfereeUniqueid=1.1 TransfereeLinkedid=1.1 TransferTargetChannel=PJSIP/1002-00000006 TransferTargetUniqueid=2.2 TransferTargetLinkedid=2.1 DestType=Bridge`

func TestAnAttendedTransferTellsAllThree(t *testing.T) {
	p := players(t)
	script(p, talking+consulting+attended+`
		BridgeEnter b=B2 c=PJSIP/trunk-00000001 u=1.1 l=1.1 n=13800138000 s=6
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16
		Hangup c=PJSIP/1001-00000005 u=2.1 l=1.1 Cause=16
		++++
		HangupRequest c=PJSIP/trunk-00000001 u=1.1 l=1.1
		Hangup c=PJSIP/1002-00000006 u=2.2 l=1.1 Cause=16`)
	wantTypes(t, p, "1001", "delivered established held originated established transferred transferred")
	wantTypes(t, p, "1002", "delivered established transferred cleared")
	c := onlyCall(t, p, "1002")
	if c.Remote.Raw != "13800138000" || c.Transfer == nil || c.Transfer.Role != cti.Target || c.Transfer.Kind != cti.Consult {
		t.Errorf("the colleague has %+v by %+v", c.Remote, c.Transfer)
	}
	wantEnd(t, c, cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	calls := book(p.Events["1001"])
	if len(calls) != 2 || calls[0].Purpose != "" || calls[1].Purpose != cti.Consultation {
		t.Errorf("the agent had %+v", calls)
	}
}

func TestOnlyAColleagueIsConsulted(t *testing.T) {
	p := players(t)
	script(p, talking+strings.NewReplacer("x=1002", "x=13900139000").Replace(consulting))
	calls := book(p.Events["1001"])
	if len(calls) != 2 || calls[1].Purpose != "" || calls[1].Remote.Raw != "13900139000" {
		t.Errorf("a call to a second customer was taken for a consultation: %+v", calls)
	}
}

func TestAttemptsAndWhyTheyFailed(t *testing.T) {
	const lifted = `
		Newchannel c=PJSIP/1001-00000003 u=1.6 l=1.6 s=4 x=13800138000
		`
	const dial = lifted + `DialBegin c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000004 du=1.7 dl=1.6 x=13800138000
		`
	end := func(status string) string {
		return "DialEnd c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000004 du=1.7 dl=1.6 DialStatus=" + status + "\n"
	}
	const hangup = "Hangup c=PJSIP/1001-00000003 u=1.6 l=1.6 Cause="
	const request = "HangupRequest c=PJSIP/1001-00000003 u=1.6 l=1.6\n"
	const second = `DialBegin c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000005 du=1.8 dl=1.6 x=13800138000
		DialEnd c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000005 du=1.8 dl=1.6 DialStatus=`
	for name, test := range map[string]struct {
		lines string
		code  cti.CauseCode
		by    cti.Party
		typ   cti.EventType
	}{
		"busy":                             {dial + end("BUSY") + hangup + "17", cti.CauseBusy, cti.ByRemote, cti.Failed},
		"not answered":                     {dial + end("NOANSWER") + hangup + "0", cti.CauseNoAnswer, cti.ByRemote, cti.Failed},
		"no line":                          {dial + end("CONGESTION") + hangup + "34", cti.CauseNetwork, cti.BySystem, cti.Failed},
		"no phone":                         {dial + end("CHANUNAVAIL") + hangup + "20", cti.CauseUnreachable, cti.BySystem, cti.Failed},
		"given up":                         {dial + request + end("CANCEL") + hangup + "0", cti.CauseAbandoned, cti.ByLocal, cti.Cleared},
		"no such number":                   {lifted + hangup + "1", cti.CauseNotFound, cti.BySystem, cti.Failed},
		"the second trunk is busy":         {dial + end("CHANUNAVAIL") + second + "BUSY\n" + hangup + "17", cti.CauseBusy, cti.ByRemote, cti.Failed},
		"voice mail answers, agent leaves": {lifted + "Newstate c=PJSIP/1001-00000003 u=1.6 l=1.6 s=6\n" + request + hangup + "16", cti.CauseNormal, cti.ByLocal, cti.Cleared},
		"nobody says why":                  {dial + hangup + "0", cti.CauseUnknown, cti.ByUnknown, cti.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			p := players(t)
			script(p, test.lines)
			events := p.Events["1001"]
			last := events[len(events)-1]
			if last.Type != test.typ || last.Cause == nil || last.Cause.Code != test.code || last.Cause.By != test.by {
				t.Errorf("%s, %+v; want %s, %s by %s", last.Type, last.Cause, test.typ, test.code, test.by)
			}
			if c := onlyCall(t, p, "1001"); c.State != cti.StateClosed || !c.EstablishedAt.IsZero() {
				t.Errorf("state %s, answered at %v", c.State, c.EstablishedAt)
			}
		})
	}
}

func TestACallerWhoHidesIsWithheld(t *testing.T) {
	for name, change := range map[string]*strings.Replacer{
		"no number":       strings.NewReplacer("n=13800138000", "n=<unknown>"),
		"anonymous":       strings.NewReplacer("n=13800138000", "n=Anonymous"),
		"not to be shown": strings.NewReplacer("x=1001\n\tDialBegin", "x=1001\n\tNewCallerid c=PJSIP/trunk-00000001 u=1.1 l=1.1 n=13800138000 CID-CallingPres=35_(Presentation_Prohibited)\n\tDialBegin"),
	} {
		t.Run(name, func(t *testing.T) {
			p := players(t)
			script(p, change.Replace(ringing))
			if c := onlyCall(t, p, "1001"); !c.Remote.Withheld || c.Remote.Raw != "" {
				t.Errorf("%+v", c.Remote)
			}
		})
	}
}

func TestABetterNumberThePhoneShowsIsTold(t *testing.T) {
	p := players(t)
	script(p, talking+`
		NewConnectedLine c=PJSIP/1001-00000003 u=1.6 l=1.1 ConnectedLineNum=13900139000 ConnectedLineName=Li_Si
		NewConnectedLine c=PJSIP/1001-00000003 u=1.6 l=1.1 ConnectedLineNum=13900139000 ConnectedLineName=Li_Si`)
	wantTypes(t, p, "1001", "delivered established info")
	if c := onlyCall(t, p, "1001"); c.Remote.Raw != "13900139000" || c.Remote.Name != "Li Si" {
		t.Errorf("%+v", c.Remote)
	}
}

// AgentConnect counts HoldTime and RingTime in seconds, and the wait ends when the phone rings.
func TestTheWaitInAQueueEndsWithTheRing(t *testing.T) {
	p := players(t)
	script(p, talking+`
		AgentConnect c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000003 du=1.6 dl=1.1 Queue=support Interface=PJSIP/1001 HoldTime=42 RingTime=2
		AgentComplete Queue=support Interface=PJSIP/1001 HoldTime=42 TalkTime=3 Reason=agent
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.1 Cause=16`)
	c := onlyCall(t, p, "1001")
	if c.Queue == nil || *c.Queue != (cti.Queue{Name: "support", WaitMS: 40_000}) {
		t.Errorf("queue %+v, want 40 s in support", c.Queue)
	}
	wantEnd(t, c, cti.EndAnswered, cti.CauseNormal, cti.ByLocal) // as AgentComplete says, which names no channel
}

func TestAParkedCallThatIsFetchedShowsTheCaller(t *testing.T) {
	p := players(t)
	script(p, `
		Newchannel c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 n=13800138000 x=600
		Newchannel c=PJSIP/1001-00000003 u=2.1 l=2.1 s=4 x=701
		BridgeEnter b=B1 c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 n=13800138000
		BridgeEnter b=B1 c=PJSIP/1001-00000003 u=2.1 l=1.1 s=6`)
	events := p.Events["1001"]
	if last := events[len(events)-1]; last.Type != cti.Established || last.Remote.Raw != "13800138000" {
		t.Errorf("%s with %+v", last.Type, last.Remote)
	}
	if c := onlyCall(t, p, "1001"); c.Remote.Raw != "13800138000" || c.Dialled != "701" {
		t.Errorf("the call is with %q, dialled %q", c.Remote.Raw, c.Dialled)
	}
}

// Of a call that was dialled before the connection it is not known that it was: who was dialled is no caller all the same.
func TestWhoWasDialledIsNoCallerWhoWaited(t *testing.T) {
	p := players(t)
	script(p, `
		Newchannel c=PJSIP/1001-00000003 u=1.1 l=1.1 s=4 x=0013900139000
		DialEnd dc=PJSIP/trunk-00000004 du=1.2 dl=1.1 ds=6 DialStatus=ANSWER
		BridgeEnter b=B1 c=PJSIP/1001-00000003 u=1.1 l=1.1 s=6
		BridgeEnter b=B1 c=PJSIP/trunk-00000004 u=1.2 l=1.1 s=6 n=5551000`)
	if c := onlyCall(t, p, "1001"); c.Remote.Raw != "0013900139000" || c.EstablishedAt.IsZero() {
		t.Errorf("the call is with %q, answered at %v", c.Remote.Raw, c.EstablishedAt)
	}
}

func TestALegKeepsItsNamesWhenJourneysJoin(t *testing.T) {
	p := players(t)
	script(p, strings.NewReplacer("l=1.1 s=6\n\tBridgeEnter b=B1 c=PJSIP/trunk", "l=0.9 s=6\n\tBridgeEnter b=B1 c=PJSIP/trunk").Replace(talking)+`
		HangupRequest c=PJSIP/1001-00000003 u=1.6 l=0.9
		Hangup c=PJSIP/1001-00000003 u=1.6 l=0.9 Cause=16`)
	for _, e := range p.Events["1001"] {
		if e.Call.Refs[cti.RefJourney] != "1.1" || e.Call.Refs[ami.RefVendor] != "1.6" {
			t.Errorf("%s: %v", e.Type, e.Call.Refs)
		}
	}
	wantTypes(t, p, "1001", "delivered established cleared")
}

// A DialBegin without Channel is the exchange's own doing, whoever had it done: another program's click, for instance.
func TestAnotherProgramsClickIsNoInboundCall(t *testing.T) {
	p := players(t)
	script(p, `
		Newchannel c=PJSIP/1001-00000003 u=1.6 l=1.6 s=0 x=s
		NewConnectedLine c=PJSIP/1001-00000003 u=1.6 l=1.6 ConnectedLineNum=13800138000
		DialBegin dc=PJSIP/1001-00000003 du=1.6 dl=1.6 ds=0
		Newstate c=PJSIP/1001-00000003 u=1.6 l=1.6 s=5
		+
		Newstate c=PJSIP/1001-00000003 u=1.6 l=1.6 s=6
		DialEnd dc=PJSIP/1001-00000003 du=1.6 dl=1.6 DialStatus=ANSWER
		DialBegin c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000004 du=1.7 dl=1.6 x=13800138000
		DialState c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000004 du=1.7 dl=1.6 DialStatus=RINGING
		++++
		DialEnd c=PJSIP/1001-00000003 u=1.6 l=1.6 dc=PJSIP/trunk-00000004 du=1.7 dl=1.6 DialStatus=BUSY
		Hangup c=PJSIP/1001-00000003 u=1.6 l=1.6 Cause=17`)
	wantTypes(t, p, "1001", "originated delivered failed")
	c := onlyCall(t, p, "1001")
	if !c.ClickToDial || c.Direction != cti.Out || c.Remote.Raw != "13800138000" {
		t.Errorf("%+v", c)
	}
}
