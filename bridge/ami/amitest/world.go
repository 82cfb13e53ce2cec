package amitest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// world is the exchange behind the interface: its channels, bridges and queue members.
type world struct {
	count    int
	epoch    int64
	channels []*Channel
	bridges  map[string][]*Channel
	members  []*member
	callees  map[string]*Callee // by number
	variable map[string]string  // global functions
}

type member struct {
	queue, extension, device string
	paused                   bool
	reason                   string
}

func newWorld() world {
	return world{epoch: time.Now().Unix(), bridges: map[string][]*Channel{}, callees: map[string]*Callee{}, variable: map[string]string{}}
}

// Channel is one channel of the exchange.
type Channel struct {
	s                          *Server
	Name, ID                   string
	linked                     string
	extension                  string // whose phone it is; "" for a line outside
	number, name               string
	connNumber, connName       string
	exten                      string
	state                      int
	application                string
	callID                     string
	vars                       map[string]string
	bridge                     string
	gone                       bool
	peer                       *Channel // who is at the other end, or is to be
	heard                      string
	held, muted                bool
	queue                      string
	holding                    *Channel // the channel of the same phone that holds its customer while this one asks a colleague
	joined, connected, rangFor time.Time
}

// Caller rings, and Vars are the variables of its channel.
type Caller struct {
	Number, Name string
	Vars         map[string]string
}

func (s *Server) newChannel(device, linked, number, name, exten string) *Channel {
	s.count++
	id := fmt.Sprintf("%d.%d", s.epoch, s.count)
	c := &Channel{s: s, Name: fmt.Sprintf("%s-%08x", device, s.count), ID: id, linked: linked, number: number, name: name, exten: exten,
		callID: fmt.Sprintf("%032x@127.0.0.1:5060", s.count), vars: map[string]string{}}
	if linked == "" {
		c.linked = id
	}
	s.channels = append(s.channels, c)
	return c
}

func (s *Server) device(extension string) string { return s.options.Technology + "/" + extension }

func orUnknown(v string) string {
	if v == "" {
		return "<unknown>"
	}
	return v
}

// line makes a value fit for one line, as Asterisk does.
func line(v string) string { return lines.Replace(v) }

var lines = strings.NewReplacer("\r", "", "\n", "\\n", "\x00", "")

// about gives the fields of a channel, each name with a prefix.
func (c *Channel) about(prefix string) []Field {
	states := map[int]string{0: "Down", 4: "Ring", 5: "Ringing", 6: "Up"}
	fields := []Field{{"Channel", c.Name}, {"ChannelState", fmt.Sprint(c.state)}, {"ChannelStateDesc", states[c.state]},
		{"CallerIDNum", orUnknown(line(c.number))}, {"CallerIDName", orUnknown(line(c.name))}, {"ConnectedLineNum", orUnknown(line(c.connNumber))},
		{"ConnectedLineName", orUnknown(line(c.connName))}, {"Language", "en"}, {"AccountCode", ""}, {"Context", "internal"}, {"Exten", c.exten},
		{"Priority", "1"}, {"Uniqueid", c.ID}, {"Linkedid", c.linked}}
	for i := range fields {
		fields[i].Key = prefix + fields[i].Key
	}
	return fields
}

// say makes an event of a class.
func say(event, class string, parts ...[]Field) Block {
	b := Block{Fields: []Field{{"Event", event}, {"Privilege", class + ",all"}, {"Timestamp", fmt.Sprintf("%.6f", float64(time.Now().UnixMicro())/1e6)}}}
	for _, p := range parts {
		b.Fields = append(b.Fields, p...)
	}
	return b
}

func (c *Channel) say(event string, more ...Field) Block {
	return say(event, "call", c.about(""), more)
}

// both makes an event about a channel that dials another; from is nil when the exchange dials by itself.
func both(event string, from, to *Channel, more ...Field) Block {
	var fields []Field
	if from != nil {
		fields = from.about("")
	}
	return say(event, "call", fields, to.about("Dest"), more)
}

// tell sends events in order, or as disorder wants it.
func (s *Server) tell(events ...Block) {
	if s.disorder {
		for i := 0; i+1 < len(events); i += 2 {
			events[i], events[i+1] = events[i+1], events[i]
		}
		var twice []Block
		for _, e := range events {
			twice = append(twice, e, e)
		}
		events = twice
	}
	for _, e := range events {
		s.event(e)
	}
	s.touched()
}

// Ring lets a caller ring an extension, as in S1.
func (s *Server) Ring(extension string, who Caller) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.incoming(who, extension)
	return s.ring(from, extension)
}

// RingGroup lets a caller ring several at once. It is not recorded: several S1 in one Dial.
func (s *Server) RingGroup(who Caller, extensions ...string) []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.incoming(who, "700")
	var all []*Channel
	for _, e := range extensions {
		all = append(all, s.ring(from, e))
	}
	return all
}

// RingQueue lets a caller wait in a queue whose members ring, as in Q1.
func (s *Server) RingQueue(queue string, who Caller, extensions ...string) []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.incoming(who, "600")
	from.state = 6
	from.queue, from.joined = queue, time.Now()
	s.tell(from.say("Newstate"), from.say("QueueCallerJoin", Field{"Queue", queue}, Field{"Position", "1"}, Field{"Count", "1"}))
	var all []*Channel
	for _, e := range extensions {
		all = append(all, s.ring(from, e))
	}
	return all
}

func (s *Server) incoming(who Caller, exten string) *Channel {
	from := s.newChannel("SIP/trunk", "", who.Number, who.Name, exten)
	from.vars = who.Vars
	born := from.say("Newchannel")
	from.state, from.application = 4, "Dial"
	s.tell(born, from.say("Newstate"))
	return from
}

// ring has a channel dial an extension.
func (s *Server) ring(from *Channel, extension string) *Channel {
	to := s.newChannel(s.device(extension), from.linked, extension, "Agent "+extension, "s")
	to.extension, to.peer, to.application = extension, from, "AppDial"
	if from.peer == nil {
		from.peer = to
	}
	events := []Block{to.say("Newchannel")}
	if s.options.Technology == "SIP" {
		events = append(events, s.varSet(to, "SIPCALLID", to.callID))
	}
	to.exten, to.connNumber, to.connName = from.exten, from.number, from.name
	if from.queue != "" {
		events = append(events, say("AgentCalled", "agent", from.about(""), to.about("Dest"), s.inQueue(from.queue, extension)))
	}
	events = append(events, to.say("NewConnectedLine"), both("DialBegin", from, to, Field{"DialString", extension}))
	to.state = 5
	events = append(events, to.say("Newstate"), both("DialState", from, to, Field{"DialStatus", "RINGING"}))
	to.rangFor = time.Now()
	s.tell(events...)
	return to
}

func (s *Server) inQueue(queue, extension string) []Field {
	return []Field{{"Queue", queue}, {"Interface", s.device(extension)}, {"MemberName", "Agent " + extension}}
}

func (s *Server) varSet(c *Channel, name, value string) Block {
	return say("VarSet", "dialplan", c.about(""), []Field{{"Variable", name}, {"Value", line(value)}})
}

// Answer lets the phone that rings be taken up: by the agent, or by whom the agent dialled.
func (c *Channel) Answer() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.answer(c)
}

func (s *Server) answer(to *Channel) {
	from := to.peer
	to.state = 6
	if from == nil { // the first leg of a click
		s.tell(to.say("Newstate"), both("DialEnd", nil, to, Field{"DialStatus", "ANSWER"}))
		s.dialOut(to, to.exten)
		return
	}
	events := []Block{to.say("Newstate"), both("DialEnd", from, to, Field{"DialStatus", "ANSWER"})}
	for _, o := range s.channels {
		if o != to && o.peer == from && o.state == 5 && !o.gone { // the others of the group ring in vain
			events = append(events, both("DialEnd", from, o, Field{"DialStatus", "CANCEL"}))
			o.gone = true
			events = append(events, o.hangup(26))
		}
	}
	if from.queue != "" {
		wait, rang := int(time.Since(from.joined).Seconds()), int(time.Since(to.rangFor).Seconds())
		events = append(events, from.say("QueueCallerLeave", Field{"Queue", from.queue}),
			say("AgentConnect", "agent", from.about(""), to.about("Dest"), s.inQueue(from.queue, to.extension),
				[]Field{{"HoldTime", fmt.Sprint(wait)}, {"RingTime", fmt.Sprint(rang)}}))
	}
	if from.state != 6 {
		from.state = 6
		events = append(events, from.say("Newstate"))
	}
	from.peer, to.connected = to, time.Now()
	s.tell(append(events, s.enter(fmt.Sprintf("bridge-%d", s.count), to, from)...)...)
	s.sweep()
}

// enter puts channels into a bridge.
func (s *Server) enter(bridge string, channels ...*Channel) []Block {
	var events []Block
	for _, c := range channels {
		c.bridge = bridge
		s.bridges[bridge] = append(s.bridges[bridge], c)
		events = append(events, c.say("BridgeEnter", Field{"BridgeUniqueid", bridge}, Field{"BridgeTechnology", "simple_bridge"},
			Field{"BridgeNumChannels", fmt.Sprint(len(s.bridges[bridge]))}))
	}
	return events
}

func (s *Server) leave(c *Channel) []Block {
	if c.bridge == "" {
		return nil
	}
	bridge := c.bridge
	s.bridges[bridge] = slices.DeleteFunc(s.bridges[bridge], func(o *Channel) bool { return o == c })
	c.bridge = ""
	if len(s.bridges[bridge]) == 0 {
		delete(s.bridges, bridge)
	}
	return []Block{c.say("BridgeLeave", Field{"BridgeUniqueid", bridge}, Field{"BridgeNumChannels", fmt.Sprint(len(s.bridges[bridge]))})}
}

func (c *Channel) hangup(cause int) Block {
	c.gone = true
	return c.say("Hangup", Field{"Cause", fmt.Sprint(cause)}, Field{"Cause-txt", "as recorded"})
}

func (s *Server) sweep() {
	s.channels = slices.DeleteFunc(s.channels, func(c *Channel) bool { return c.gone })
}

// Hangup lets the phone of a channel hang up, refuse, or give up, as in S1 to S5.
func (c *Channel) Hangup() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.end(c, true)
}

// end hangs up; asked is false when an action did it, which leaves no HangupRequest (S6).
func (s *Server) end(c *Channel, asked bool) {
	if c.gone {
		return
	}
	defer s.sweep()
	var events []Block
	if asked && c.state != 5 {
		events = append(events, c.say("HangupRequest", Field{"Cause", "16"}))
	}
	others := slices.DeleteFunc(slices.Clone(s.bridges[c.bridge]), func(o *Channel) bool { return o == c })
	switch {
	case c.bridge != "" && len(others) > 1: // a conference goes on
		events = append(append(events, s.leave(c)...), c.hangup(16))
	case c.bridge != "":
		events = append(append(events, s.leave(c)...), c.hangup(16))
		for _, o := range others {
			events = append(append(events, s.leave(o)...), o.say("SoftHangupRequest", Field{"Cause", "16"}), o.hangup(16))
			events = append(events, s.complete(c, o)...)
		}
	case c.state == 5 && asked: // the phone refuses
		events = append(events, both("DialEnd", c.peer, c, Field{"DialStatus", "BUSY"}), c.hangup(17))
		events = append(events, s.unanswered(c, 17)...)
	case c.state == 5: // an action hangs the ringing phone up: constructed, hangup_cause_to_dial_status in app_dial
		events = append(events, both("DialEnd", c.peer, c, Field{"DialStatus", "NOANSWER"}), c.hangup(21))
		events = append(events, s.unanswered(c, 0)...)
	default: // who dials gives up
		for _, o := range s.channels {
			if o.peer == c && o.state == 5 && !o.gone {
				events = append(events, both("DialEnd", c, o, Field{"DialStatus", "CANCEL"}), o.hangup(16))
			}
		}
		if c.queue != "" {
			events = append(events, say("QueueCallerAbandon", "agent", c.about(""), []Field{{"Queue", c.queue}, {"HoldTime", "1"}}))
		}
		events = append(events, c.say("SoftHangupRequest", Field{"Cause", "16"}), c.hangup(0))
	}
	s.tell(events...)
}

// unanswered ends who dialled a phone that did not answer, unless others of the group ring on.
func (s *Server) unanswered(c *Channel, cause int) []Block {
	from := c.peer
	if from == nil || from.queue != "" || slices.ContainsFunc(s.channels, func(o *Channel) bool { return o != c && o.peer == from && !o.gone }) {
		return nil
	}
	return []Block{from.say("SoftHangupRequest", Field{"Cause", "16"}), from.hangup(cause)}
}

// complete is AgentComplete: without fields of channels when the agent hung up (Q1), with them when the caller did (constructed).
func (s *Server) complete(first, other *Channel) []Block {
	caller, agent := first, other
	if other.queue != "" {
		caller, agent = other, first
	}
	if caller.queue == "" {
		return nil
	}
	talk := []Field{{"HoldTime", "0"}, {"TalkTime", fmt.Sprint(int(time.Since(agent.connected).Seconds()))}}
	if first == agent {
		return []Block{say("AgentComplete", "agent", s.inQueue(caller.queue, agent.extension), talk, []Field{{"Reason", "agent"}})}
	}
	return []Block{say("AgentComplete", "agent", caller.about(""), agent.about("Dest"), s.inQueue(caller.queue, agent.extension), talk,
		[]Field{{"Reason", "caller"}})}
}

// RingNoAnswer lets a queue give a member up who does not answer, as in Q2; the caller waits on.
func (c *Channel) RingNoAnswer() {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	from := c.peer
	s.tell(say("AgentRingNoAnswer", "agent", from.about(""), c.about("Dest"), s.inQueue(from.queue, c.extension), []Field{{"RingTime", "8000"}}),
		both("DialEnd", from, c, Field{"DialStatus", "NOANSWER"}), both("DialEnd", from, c, Field{"DialStatus", "CANCEL"}), c.hangup(16))
	s.sweep()
}

// RingAgain lets the queue that a channel's caller waits in try another member.
func (s *Server) RingAgain(c *Channel, extension string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring(c.peer, extension)
}

// Pause lets another program pause a member, or the reverse.
func (s *Server) Pause(extension string, paused bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.extension == extension {
			m.paused, m.reason = paused, reason
			s.tell(say("QueueMemberPause", "agent", m.about()))
		}
	}
}

// Peer gives who is at the other end.
func (c *Channel) Peer() *Channel {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.peer
}

// Hold lets the phone of a channel hold the other end, or stop.
func (c *Channel) Hold(held bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.hold(c, held)
}

func (s *Server) hold(c *Channel, held bool) {
	c.held = held
	s.tell(c.say(map[bool]string{true: "Hold", false: "Unhold"}[held]))
}

// Join lets a third party come into the bridge a channel is in: constructed.
func (c *Channel) Join(number string) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	third := s.newChannel("SIP/trunk", c.linked, number, "Wang Wu", "s")
	born := third.say("Newchannel")
	third.state = 6
	s.tell(append([]Block{born, third.say("Newstate")}, s.enter(c.bridge, third)...)...)
}

// Set sets a variable of a channel, live or over.
func (c *Channel) Set(name, value string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.vars == nil {
		c.vars = map[string]string{}
	}
	c.vars[name] = value
	c.s.tell(c.s.varSet(c, name, value))
}

// Recorded has a script tell by UserEvent where the recording of a channel is.
func (c *Channel) Recorded(file string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.tell(say("UserEvent", "user", []Field{{"UserEvent", "Recording"}, {"Uniqueid", c.ID}, {"File", file}}))
}

// Spy lets a channel listen to another's call (ChanSpy): constructed.
func (c *Channel) Spy(on *Channel) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.state = 6
	c.s.tell(c.say("Newstate"), say("ChanSpyStart", "call", c.about("Spyer"), on.about("Spyee")))
}

// Heard gives the digits that were played to a channel since it was asked last.
func (c *Channel) Heard() string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	digits := c.heard
	c.heard = ""
	return digits
}

// Muted tells whether what a channel says is kept from the others, and Held whether its phone holds.
func (c *Channel) Muted() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.muted
}

// Held tells whether the phone of a channel holds.
func (c *Channel) Held() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.held
}

// Member puts an extension into a queue.
func (s *Server) Member(queue, extension string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, &member{queue: queue, extension: extension, device: s.device(extension)})
}

// Callee is somebody outside who can be dialled by a number.
type Callee struct {
	s      *Server
	Number string
}

// Reachable makes a number that can be dialled.
func (s *Server) Reachable(number string) *Callee {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Callee{s, number}
	s.callees[number] = c
	return c
}

// Rings waits until it rings there, having the agent take up the own phone where a click made that ring first, and gives the channel.
func (c *Callee) Rings() *Channel {
	c.s.t.Helper()
	return c.find("it rings at the number", func(o *Channel) bool { return o.state == 5 })
}

// Talks gives the channel of whoever was reached.
func (c *Callee) Talks() *Channel {
	c.s.t.Helper()
	return c.find("the number was reached", func(o *Channel) bool { return o.bridge != "" })
}

func (c *Callee) find(what string, is func(*Channel) bool) *Channel {
	c.s.t.Helper()
	var found *Channel
	c.s.await(what, func() bool {
		for _, o := range slices.Clone(c.s.channels) {
			switch {
			case o.application == "AppDial2" && o.state == 5 && o.exten == c.Number:
				c.s.answer(o)
			case o.number == c.Number && o.extension == "" && o.application == "AppDial" && is(o):
				found = o
			}
		}
		return found != nil
	})
	return found
}

// Dial lets the phone of an extension dial a number, as in S5.
func (s *Server) Dial(extension, number string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dial(extension, number)
}

func (s *Server) dial(extension, number string) *Channel {
	from := s.newChannel(s.device(extension), "", extension, "Agent "+extension, number)
	from.extension, from.application = extension, "Dial"
	born := from.say("Newchannel")
	from.state = 4
	events := []Block{born}
	if s.options.Technology == "SIP" {
		events = append(events, s.varSet(from, "SIPCALLID", from.callID))
	}
	s.tell(append(events, from.say("Newstate"))...)
	s.dialOut(from, number)
	return from
}

// dialOut has a channel dial a number outside.
func (s *Server) dialOut(from *Channel, number string) {
	from.application, from.exten = "Dial", number
	if s.callees[number] == nil {
		return
	}
	to := s.newChannel("SIP/trunk", from.linked, number, "", "s")
	to.peer, to.application = from, "AppDial"
	from.peer = to
	born := to.say("Newchannel")
	to.connNumber, to.connName = from.number, from.name
	begin := both("DialBegin", from, to, Field{"DialString", number})
	to.state = 5
	s.tell(born, to.say("NewConnectedLine"), begin, to.say("Newstate"), both("DialState", from, to, Field{"DialStatus", "RINGING"}))
}

// Find gives the live channel with a Uniqueid, or nil.
func (s *Server) Find(id string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// Consult lets the phone of an answered channel hold its customer and dial a colleague.
func (c *Channel) Consult(number string) *Channel {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(c, true)
	aside := s.dial(c.extension, number)
	aside.holding = c
	return aside
}

// Complete lets the phone that consults join its customer with the colleague. AttendedTransfer is constructed: it is in none of the recordings.
func (c *Channel) Complete() bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var aside *Channel
	for _, o := range s.channels {
		if o.holding == c && o.bridge != "" {
			aside = o
		}
	}
	if aside == nil {
		return false
	}
	customer, colleague := c.peer, aside.peer
	events := []Block{say("AttendedTransfer", "call", []Field{{"Result", "Success"}}, c.about("OrigTransferer"), aside.about("SecondTransferer"),
		[]Field{{"DestType", "Bridge"}, {"DestBridgeUniqueid", aside.bridge}}, customer.about("Transferee"), colleague.about("TransferTarget"))}
	events = append(append(events, s.leave(c)...), s.leave(customer)...)
	events = append(append(events, s.leave(aside)...), s.enter(colleague.bridge, customer)...)
	customer.peer, colleague.peer = colleague, customer
	s.tell(append(events, aside.hangup(16), c.hangup(16))...)
	s.sweep()
	return true
}
