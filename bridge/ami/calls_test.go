package ami_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
)

var zhang = amitest.Caller{Number: "13800138000", Name: "Zhang San"}

// world starts an exchange and the server it is connected to.
func world(t *testing.T, o amitest.Options, change func(*ami.Config)) (*watch, *amitest.Server, *ami.Exchange) {
	t.Helper()
	s := amitest.Start(t, o)
	s.Member("support", "1001")
	s.Member("support", "1002")
	c := config(s)
	if change != nil {
		change(&c)
	}
	x := exchange(t, c)
	w := run(t, x)
	w.awaitCount("", cti.SourceUp, 1)
	w.awaitCount("1002", cti.AgentState, 1) // the lists came
	return w, s, x
}

func TestInARingGroupTheOthersAreToldWhoAnswered(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	rung := s.RingGroup(zhang, "1001", "1002")
	w.call("1001", 0, cti.Alerting)
	w.call("1002", 0, cti.Alerting)
	rung[1].Answer()
	w.call("1002", 0, cti.Connected)
	c := w.call("1001", 0, cti.StateClosed)
	wantEnd(t, c, cti.EndAnsweredElsewhere, cti.CauseAnsweredElsewhere, cti.BySystem)
	if c.Missed() || w.count("1001", cti.Diverted) != 1 || w.count("1001", cti.Cleared) != 0 {
		t.Errorf("missed %v, %d × diverted, %d × cleared", c.Missed(), w.count("1001", cti.Diverted), w.count("1001", cti.Cleared))
	}
	if a, b := w.call("1001", 0, cti.StateClosed), w.call("1002", 0, cti.Connected); a.Refs[cti.RefJourney] != b.Refs[cti.RefJourney] || a.Case != b.Case {
		t.Error("the legs of one journey are of two cases")
	}
}

func TestARingGroupWhoseCallerGivesUpIsMissedByAll(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	rung := s.RingGroup(zhang, "1001", "1002")
	w.call("1002", 0, cti.Alerting)
	rung[0].Peer().Hangup()
	for _, e := range []string{"1001", "1002"} {
		wantEnd(t, w.call(e, 0, cti.StateClosed), cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote)
	}
}

func TestAColleagueWhoRejectsLeavesTheOthersRinging(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	s.RingGroup(zhang, "1001", "1002")
	c := w.call("1001", 0, cti.Alerting)
	other := w.call("1002", 0, cti.Alerting)
	if err := x.Phone("1001").Reject(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndRejected, cti.CauseRejected, cti.ByLocal)
	if got := s.AwaitAction("Hangup", 1).Get("Cause"); got != "21" {
		t.Errorf("hung up with cause %s, want 21, call rejected", got)
	}
	if w.count("1002", cti.Cleared, cti.Diverted) != 0 {
		t.Errorf("the colleague's call ended too: %+v", other)
	}
	if err := x.Phone("1001").Reject(t.Context(), c); cti.KindOf(err) != cti.NotFound {
		t.Errorf("rejecting it again: %v", err)
	}
}

// A queue tries one after the other; who let it ring missed nothing if a colleague answers next.
func TestAQueueThatGoesOnToAColleague(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	first := s.RingQueue("support", zhang, "1001")[0]
	w.call("1001", 0, cti.Alerting)
	first.RingNoAnswer()
	c := w.call("1001", 0, cti.StateClosed)
	wantEnd(t, c, cti.EndMissed, cti.CauseNoAnswer, cti.BySystem)
	second := s.RingAgain(first, "1002")
	w.call("1002", 0, cti.Alerting)
	second.Answer()
	got := w.call("1002", 0, cti.Connected)
	if got.Queue == nil || got.Queue.Name != "support" {
		t.Errorf("queue %+v, want support", got.Queue)
	}
	w.await("the first learns that it was answered elsewhere", func() bool {
		return w.calls["1001"][c.Leg].Cause.Code == cti.CauseAnsweredElsewhere
	})
}

func TestWhoHungUpAQueuedCall(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(agent *amitest.Channel)
		by   cti.Party
	}{
		{"the agent, AgentComplete names no channel", func(c *amitest.Channel) { c.Hangup() }, cti.ByLocal},
		{"the caller, AgentComplete names all", func(c *amitest.Channel) { c.Peer().Hangup() }, cti.ByRemote},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s, _ := world(t, amitest.Options{}, nil)
			agent := s.RingQueue("support", zhang, "1001")[0]
			c := w.call("1001", 0, cti.Alerting)
			if c.Queue == nil || c.Queue.Name != "support" || c.Dialled != "600" || c.Remote.Raw != zhang.Number {
				t.Errorf("queue %+v, dialled %q, from %q", c.Queue, c.Dialled, c.Remote.Raw)
			}
			agent.Answer()
			w.call("1001", 0, cti.Connected)
			test.end(agent)
			wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, test.by)
		})
	}
}

func TestAnAttendedTransferGivesTheColleagueTheCustomer(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	agent := s.Ring("1001", zhang)
	agent.Answer()
	w.call("1001", 0, cti.Connected)
	s.Reachable("7788")
	agent.Consult("7788")
	aside := w.call("1001", 1, cti.Initiated)
	if aside.Purpose != cti.Consultation {
		t.Errorf("purpose %q", aside.Purpose)
	}
	s.Reachable("7788").Rings().Answer()
	w.call("1001", 1, cti.Connected)
	if !agent.Complete() {
		t.Fatal("it could not be completed")
	}
	for n := range 2 {
		c := w.call("1001", n, cti.StateClosed)
		wantEnd(t, c, cti.EndTransferred, cti.CauseTransferred, cti.ByLocal)
		if c.Transfer.Kind != cti.Consult || c.Transfer.To != "7788" {
			t.Errorf("transfer %+v", c.Transfer)
		}
	}
}

func TestASupervisorWhoListensHasNoCustomersCall(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	agent := s.Ring("1001", zhang)
	agent.Answer()
	w.call("1001", 0, cti.Connected)
	spy := s.Dial("1002", "*555")
	w.call("1002", 0, cti.Initiated)
	spy.Spy(agent)
	c := w.call("1002", 0, cti.Connected)
	if c.Purpose != cti.Monitoring || c.Remote.Raw != "1001" && c.Remote.Raw != "*555" {
		t.Errorf("purpose %q, remote %+v", c.Purpose, c.Remote)
	}
	spy.Hangup()
	if c := w.call("1002", 0, cti.StateClosed); c.Purpose != cti.Monitoring || c.Cause.By != cti.ByLocal {
		t.Errorf("%q ended by %q", c.Purpose, c.Cause.By)
	}
}

func TestClickToDialIsOneOutboundCall(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	callee := s.Reachable("13900139000")
	if err := x.Phone("1001").Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	a := s.AwaitAction("Originate", 1)
	want := map[string]string{"Channel": "SIP/1001", "Context": "internal", "Exten": "13900139000", "Async": "true", "CallerID": "", "Variable": "CONNECTEDLINE(num)=13900139000"}
	for key, value := range want {
		if a.Get(key) != value {
			t.Errorf("%s: %q, want %q", key, a.Get(key), value)
		}
	}
	if !strings.HasPrefix(a.Get("ChannelId"), "ringside-") {
		t.Errorf("the channel's id is %q", a.Get("ChannelId"))
	}
	c := w.call("1001", 0, cti.Initiated)
	if !c.ClickToDial || c.Direction != cti.Out || c.Remote.Raw != "13900139000" || c.Refs[ami.RefVendor] != a.Get("ChannelId") {
		t.Errorf("click to dial %v, %s, %+v, %v", c.ClickToDial, c.Direction, c.Remote, c.Refs)
	}
	callee.Rings() // the agent took up the own phone, and that is no answer
	w.awaitCount("1001", cti.Delivered, 1)
	if w.count("1001", cti.Established) != 0 || w.first("1001", cti.Delivered).Side != cti.SideRemote {
		t.Error("the agent's own phone was taken for the customer's")
	}
	callee.Rings().Answer()
	w.call("1001", 0, cti.Connected)
	callee.Talks().Hangup()
	wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.extension == "1001" && strings.HasPrefix(string(e.Type), "call.") && (!e.Call.ClickToDial || e.Call.Direction != cti.Out) {
			t.Errorf("%s is not told as an outbound click: %+v", e.Type, e.Call)
		}
	}
}

func TestAClickOfAnAgentWhoseOwnPhoneIsNotThereFails(t *testing.T) {
	w, _, x := world(t, amitest.Options{}, func(c *ami.Config) { c.Serves = nil })
	if err := x.Phone("absent1").Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	c := w.call("absent1", 0, cti.StateClosed)
	wantEnd(t, c, cti.EndFailed, cti.CauseUnreachable, cti.BySystem)
	if !c.ClickToDial || c.Remote.Raw != "13900139000" {
		t.Errorf("%+v", c)
	}
}

// The click's own phone is let ring, and refused.
func TestAClickTheAgentDoesNotTakeUp(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	s.Reachable("13900139000")
	if err := x.Phone("1001").Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	c := w.call("1001", 0, cti.Initiated)
	s.Find(c.Refs[ami.RefVendor]).Hangup()
	wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndRejected, cti.CauseRejected, cti.ByLocal)
}

func TestWhatTheManagerUserMayNotDoIsToldInPlainWords(t *testing.T) {
	w, s, x := world(t, amitest.Options{Read: []string{"call", "agent"}, Write: []string{"call"}}, nil)
	agent := s.Ring("1001", zhang)
	agent.Answer()
	c := w.call("1001", 0, cti.Connected)
	p := x.Phone("1001")
	for class, err := range map[string]error{
		"originate": p.Dial(t.Context(), "123"),
		"agent":     p.Presence(t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "lunch"}),
		"system":    p.Mute(t.Context(), c, true),
	} {
		if cti.KindOf(err) != cti.Denied || !strings.Contains(cti.MessageOf(err), "write="+class) {
			t.Errorf("without %s: %v of kind %q", class, err, cti.KindOf(err))
		}
	}
	if err := p.Hangup(t.Context(), c); err != nil {
		t.Error(err)
	}
	wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
}

func TestNumbersThatAreNoneAreNotDialled(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	s.Ring("1001", zhang).Answer()
	c := w.call("1001", 0, cti.Connected)
	p := x.Phone("1001")
	for _, number := range []string{"", "12 34", "1&PJSIP/1002", "1\r\nAction: Command\r\nCommand: core stop now", "${EVIL}", "a,b", strings.Repeat("1", 65)} {
		if err := p.Dial(t.Context(), number); cti.KindOf(err) != cti.Invalid {
			t.Errorf("dialled %q: %v", number, err)
		}
		if err := p.Transfer(t.Context(), c, number); cti.KindOf(err) != cti.Invalid {
			t.Errorf("transferred to %q: %v", number, err)
		}
	}
	if len(s.Actions("Originate"))+len(s.Actions("BlindTransfer"))+len(s.Actions("Command")) != 0 {
		t.Error("one of them reached the exchange")
	}
	if err := p.Presence(t.Context(), cti.AgentStatus{State: cti.NotReady, Reason: "a\r\nAction: Command"}); err != nil {
		t.Errorf("a reason with a line end: %v", err)
	}
	if len(s.Actions("Command")) != 0 {
		t.Error("a reason became an action")
	}
}

func TestAnotherProgramsPauseIsTold(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	if got := w.first("1001", cti.AgentState); got.Agent.State != cti.Ready {
		t.Errorf("at first %+v", got.Agent)
	}
	s.Pause("1001", true, "lunch")
	w.await("not ready", func() bool {
		last := w.events[len(w.events)-1]
		return last.extension == "1001" && last.Agent != nil && *last.Agent == cti.AgentStatus{State: cti.NotReady, Reason: "lunch"}
	})
	if err := x.Phone("1001").Presence(t.Context(), cti.AgentStatus{State: cti.AfterCall}); cti.KindOf(err) != cti.Invalid {
		t.Errorf("after-call work: %v", err)
	}
	if err := x.Phone("2001").Presence(t.Context(), cti.AgentStatus{State: cti.Ready}); cti.KindOf(err) != cti.NotFound {
		t.Errorf("an extension in no queue: %v", err)
	}
}

// The first event of a leg waits for its Call-ID, and for the word whether the caller may be seen, and not for ever.
func TestALegsIdentityIsSettledWithItsFirstEvent(t *testing.T) {
	for _, test := range []struct {
		name  string
		slow  time.Duration
		knows bool
	}{{"in time", 60 * time.Millisecond, true}, {"too late", 5 * time.Second, false}} {
		t.Run(test.name, func(t *testing.T) {
			w, s, _ := world(t, amitest.Options{Technology: "PJSIP", SlowGetvar: test.slow}, func(c *ami.Config) { c.Variables = nil })
			began := time.Now()
			agent := s.Ring("1001", zhang)
			e := w.first("1001", cti.Delivered)
			took := time.Since(began)
			if got := e.Call.Refs[cti.RefSIPCallID] != ""; got != test.knows {
				t.Errorf("the Call-ID is known: %v", got)
			}
			if test.knows != (took >= test.slow) {
				t.Errorf("it came after %v, the answer takes %v", took, test.slow)
			}
			if late := e.At.Sub(began); late > 100*time.Millisecond {
				t.Errorf("it says that it rang %v after it did", late)
			}
			agent.Answer()
			w.call("1001", 0, cti.Connected)
		})
	}
}

func TestCallDataOfTheCallersChannelAndOfTheAgents(t *testing.T) {
	for name, o := range map[string]amitest.Options{"seen being set": {}, "asked for": {Read: []string{"call", "agent", "user"}}} {
		t.Run(name, func(t *testing.T) {
			w, s, _ := world(t, o, func(c *ami.Config) { c.Variables = []string{"ORDER_ID", "SIP_HEADER(X-Level)"} })
			who := zhang
			who.Vars = map[string]string{"ORDER_ID": "A-17 客户", "SIP_HEADER(X-Level)": "gold", "SECRET": "no"}
			agent := s.Ring("1001", who)
			e := w.first("1001", cti.Delivered)
			if len(e.Data) != 2 || e.Data["order_id"] != "A-17 客户" || e.Data["level"] != "gold" {
				t.Errorf("the ring came with %v", e.Data)
			}
			agent.Answer()
			w.call("1001", 0, cti.Connected)
			if name == "asked for" {
				return
			}
			agent.Peer().Set("__ORDER_ID", "B-18")
			w.await("the new value is told", func() bool {
				for _, c := range w.calls["1001"] {
					return c.Data["order_id"] == "B-18"
				}
				return false
			})
		})
	}
}

func TestRecordings(t *testing.T) {
	const path = "/var/spool/asterisk/monitor/2026/11/26/in 1001.wav"
	recorded := func(w *watch) *cti.Recording {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.events {
			if e.Recording != nil {
				return e.Recording
			}
		}
		return nil
	}
	ring := func(t *testing.T, o amitest.Options, url string, before func(*amitest.Channel)) (*watch, *amitest.Channel) {
		w, s, _ := world(t, o, func(c *ami.Config) { c.RecordingURL = url })
		agent := s.Ring("1001", zhang)
		w.call("1001", 0, cti.Alerting)
		if before != nil {
			before(agent.Peer())
		}
		agent.Answer()
		w.call("1001", 0, cti.Connected)
		return w, agent
	}
	t.Run("a variable that was set before the answer", func(t *testing.T) {
		w, _ := ring(t, amitest.Options{}, "https://pbx.example/rec{path}?u={uniqueid}", func(c *amitest.Channel) { c.Set("MIXMONITOR_FILENAME", path) })
		w.awaitCount("1001", cti.Info, 1)
		r := recorded(w)
		want := "https://pbx.example/rec/var/spool/asterisk/monitor/2026/11/26/in%201001.wav?u="
		if r == nil || r.ID != "in 1001.wav" || r.Type != "audio/wav" || !strings.HasPrefix(r.URL, want) {
			t.Errorf("%+v, want %s", r, want)
		}
	})
	t.Run("a variable that may not be seen is asked for", func(t *testing.T) {
		w, _ := ring(t, amitest.Options{Read: []string{"call", "agent", "user"}}, "", func(c *amitest.Channel) { c.Set("MIXMONITOR_FILENAME", path) })
		w.awaitCount("1001", cti.Info, 1)
		if r := recorded(w); r == nil || r.ID != "in 1001.wav" || r.URL != "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a template without a variable", func(t *testing.T) {
		w, agent := ring(t, amitest.Options{}, "https://pbx.example/by-call/{linkedid}", nil)
		w.awaitCount("1001", cti.Info, 1)
		if r := recorded(w); r == nil || r.URL != "https://pbx.example/by-call/"+agent.Peer().ID || r.ID != agent.Peer().ID {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a script that tells after the end", func(t *testing.T) {
		w, agent := ring(t, amitest.Options{}, "", nil)
		agent.Hangup()
		w.call("1001", 0, cti.StateClosed)
		agent.Recorded(path)
		w.awaitCount("1001", cti.Info, 1)
		if r := recorded(w); r == nil || r.ID != "in 1001.wav" {
			t.Errorf("%+v", r)
		}
	})
}

func TestDigitsNeedOneFarEnd(t *testing.T) {
	w, s, x := world(t, amitest.Options{}, nil)
	agent := s.Ring("1001", zhang)
	p := x.Phone("1001")
	c := w.call("1001", 0, cti.Alerting)
	for name, err := range map[string]error{"digits": p.DTMF(t.Context(), c, "1"), "mute": p.Mute(t.Context(), c, true), "transfer": p.Transfer(t.Context(), c, "1002")} {
		if cti.KindOf(err) != cti.Conflict {
			t.Errorf("%s while it rings: %v", name, err)
		}
	}
	agent.Answer()
	c = w.call("1001", 0, cti.Connected)
	if err := p.Reject(t.Context(), c); cti.KindOf(err) != cti.Conflict {
		t.Errorf("rejecting an answered call: %v", err)
	}
	agent.Join("13900139000")
	w.awaitCount("1001", cti.Conferenced, 1)
	if err := p.DTMF(t.Context(), c, "1"); cti.KindOf(err) != cti.Conflict {
		t.Errorf("digits in a conference: %v", err)
	}
}

func TestASnapshotTellsANewRelayHowCallsStand(t *testing.T) {
	for name, o := range map[string]amitest.Options{"CoreShowChannels": {}, "Status, for a user without the class reporting": {Technology: "PJSIP", Write: []string{"call"}}} {
		t.Run(name, func(t *testing.T) {
			s := amitest.Start(t, o)
			in := s.Ring("1001", zhang)
			in.Answer()
			s.Ring("1002", amitest.Caller{Number: "13900139000"})
			s.Reachable("7788")
			s.Dial("1003", "7788")
			c := config(s)
			c.Serves = func(e string) bool { return strings.HasPrefix(e, "100") }
			x := exchange(t, c)
			x.Phone("1004")
			w := run(t, x)
			for e, want := range map[string]struct {
				state     cti.State
				direction cti.Direction
				number    string
			}{"1001": {cti.Connected, cti.In, zhang.Number}, "1002": {cti.Alerting, cti.In, "13900139000"}, "1003": {cti.Initiated, cti.Out, "7788"}} {
				c := w.call(e, 0, want.state)
				if c.Direction != want.direction || c.Remote.Raw != want.number || c.Refs[cti.RefSIPCallID] == "" || c.Refs[ami.RefVendor] == "" {
					t.Errorf("%s: %s with %+v, refs %v", e, c.Direction, c.Remote, c.Refs)
				}
				if w.count(e, cti.Snapshot) != 1 || w.count(e, cti.Delivered, cti.Established, cti.Originated) != 0 {
					t.Errorf("%s was not told by one snapshot alone", e)
				}
			}
			if e := w.first("1004", cti.Snapshot); e.Legs == nil || len(e.Legs) != 0 {
				t.Errorf("the snapshot of an idle extension lists %v", e.Legs)
			}
			x.Phone("1005") // asked for later
			w.awaitCount("1005", cti.Snapshot, 1)
			in.Hangup()
			wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
		})
	}
}

func TestACallThatIsAnsweredDuringABreak(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	agent := s.Ring("1001", zhang)
	w.call("1001", 0, cti.Alerting)
	s.Cut()
	w.awaitCount("", cti.SourceDown, 1)
	agent.Answer()
	s.Restore()
	w.call("1001", 0, cti.Connected)
	agent.Peer().Hangup()
	wantEnd(t, w.call("1001", 0, cti.StateClosed), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	if n := len(w.order["1001"]); n != 1 {
		t.Errorf("it became %d calls", n)
	}
}

// pauses is a log that hands on how long the exchange waits before the next connection.
type pauses struct {
	slog.Handler
	told chan time.Duration
}

func (p pauses) WithAttrs([]slog.Attr) slog.Handler { return p }

func (p pauses) Enabled(context.Context, slog.Level) bool { return true }

func (p pauses) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "retry_in" {
			p.told <- a.Value.Duration()
		}
		return true
	})
	return nil
}

// Many refused sign-ins would lock the account, or have fail2ban shut the relay out.
func TestARefusedSignInSaysWhyAndIsNotTriedAgainSoon(t *testing.T) {
	s := amitest.Start(t, amitest.Options{Secret: "another"})
	log := pauses{slog.DiscardHandler, make(chan time.Duration, 10)}
	x, err := ami.New(config(s), slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	w := run(t, x)
	e := w.first("", cti.SourceDown)
	if e.Cause == nil || !strings.Contains(e.Cause.Raw, "manager user") || strings.Contains(e.Cause.Raw, amitest.Secret) {
		t.Errorf("cause %+v", e.Cause)
	}
	if pause := <-log.told; pause < 20*time.Second {
		t.Errorf("the next sign-in is %v later", pause)
	}
}

func TestAServerThatIsNotThereIsTriedAgainSlowly(t *testing.T) {
	s := amitest.Start(t, amitest.Options{})
	c := config(s)
	c.Address = freeAddress(t)
	log := pauses{slog.DiscardHandler, make(chan time.Duration, 10)}
	x, err := ami.New(c, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	w := run(t, x)
	for i, least := range []time.Duration{500 * time.Millisecond, 750 * time.Millisecond} {
		if pause := <-log.told; pause < least || pause > 2*time.Second {
			t.Errorf("pause %d is %v", i, pause)
		}
	}
	if w.count("", cti.SourceDown) != 1 {
		t.Errorf("%d × source.down", w.count("", cti.SourceDown))
	}
}

// freeAddress is where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody came
	return l.Addr().String()
}

func TestTheSecretIsNeverOnTheWire(t *testing.T) {
	_, s, _ := world(t, amitest.Options{}, nil)
	for _, b := range append(s.Actions("Login"), s.Actions("Challenge")...) {
		for _, f := range b.Fields {
			if strings.Contains(f.Value, amitest.Secret) {
				t.Errorf("%s: %s", f.Key, f.Value)
			}
		}
	}
	if s.Actions("Login")[0].Get("AuthType") != "MD5" {
		t.Error("it is not signed in by challenge")
	}
}

func TestASecretThatIsNotThereIsNoSignIn(t *testing.T) {
	s := amitest.Start(t, amitest.Options{})
	c := config(s)
	c.Secret = func() (string, error) {
		return "", cti.Errorf(cti.Auth, "the keychain is locked", errors.New("no D-Bus"))
	}
	w := run(t, exchange(t, c))
	if e := w.first("", cti.SourceDown); e.Cause.Raw != "the keychain is locked" {
		t.Errorf("cause %+v", e.Cause)
	}
	if len(s.Actions("Login")) != 0 {
		t.Error("it signed in without")
	}
}
