// Package esltest is a FreeSWITCH that exists only for tests: it owns channels, bridges and queues, plays calls among them, and tells of them and
// answers commands as mod_event_socket does.
// It must not know what anybody makes of its events.
//
// It is constructed, not recorded: from the design's facts, FreeSWITCH's published event list and its sources (switch_channel.c,
// switch_ivr_bridge.c, switch_ivr_originate.c, mod_sofia, mod_callcenter, mod_event_socket). Where it differs from a real FreeSWITCH, the real
// one is right.
package esltest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Domain is that of the PBX's users.
const Domain = "pbx.example"

// PBX is the exchange's switch. Its methods may be called concurrently; each plays one thing that happens, whole.
type PBX struct {
	mu       sync.Mutex
	now      func() time.Time
	tell     []func(name string, event []byte)
	channels map[string]*Channel
	agents   map[string]string // status of mod_callcenter's agents
	made     int
	sequence int
	waited   func(time.Duration)
	changed  chan struct{} // closed at every event

	// Desk lets the phones of agents take up what the exchange rings them for by itself, as click-to-dial does.
	Desk bool
	// Deaf phones ignore NOTIFY with the events talk and hold.
	Deaf bool
}

// Channel is one of the PBX's channels. Only the PBX changes it.
type Channel struct {
	ID, Name, CallID string
	Presence         string // Channel-Presence-ID
	Outbound         bool   // to a phone, as the switch sees it
	Number, Caller   string // caller id
	Dest             string // destination number
	State            string // Channel-Call-State: DOWN, RINGING, ACTIVE, HELD
	Made             int

	digits    string // what was sent out of it with uuid_send_dtmf
	variables map[string]string
	order     []string // of the variables
	callUUID  string
	dialler   *Channel   // it was dialled for it
	rings     []*Channel // it dials them
	member    *Channel   // whom a queue rings it for
	queue     string
	job       string // of the originate that made it
	peer      *Channel
	leads     bool // it is the first of its bridge, on which CHANNEL_UNBRIDGE comes
	gone      bool
}

// New makes a PBX with nothing going on. now is its clock.
func New(now func() time.Time) *PBX {
	return &PBX{now: now, channels: map[string]*Channel{}, agents: map[string]string{}, changed: make(chan struct{}), waited: func(time.Duration) {}}
}

// Listen passes on every event from now on, in order, as the body of its frame. The function must not call back.
func (p *PBX) Listen(tell func(name string, event []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = append(p.tell, tell)
}

func (p *PBX) id() string {
	p.made++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", p.made)
}

func (c *Channel) set(name, value string) {
	if _, known := c.variables[name]; !known {
		c.order = append(c.order, name)
	}
	c.variables[name] = value
}

// add makes a channel; an empty id is given one.
func (p *PBX) add(id, name string, f func(c *Channel)) *Channel {
	fresh := p.id()
	if id == "" {
		id = fresh
	}
	c := &Channel{ID: id, Name: name, State: "DOWN", Made: p.made, CallID: fmt.Sprintf("call-%d@198.51.100.1", p.made), variables: map[string]string{}}
	c.callUUID = c.ID
	f(c)
	c.set("sip_call_id", c.CallID)
	p.channels[c.ID] = c
	return c
}

// Incoming lets a caller from outside reach the dialplan at exten. headers are SIP's, besides the usual ones.
func (p *PBX) Incoming(number, name, exten string, headers map[string]string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.add("", "sofia/external/"+number+"@198.51.100.7", func(c *Channel) { c.Number, c.Caller, c.Dest, c.State = number, name, exten, "RINGING" })
	for _, header := range sorted(headers) {
		if strings.HasPrefix(header, "P-") { // mod_sofia knows it
			c.set("sip_"+header, headers[header])
		} else {
			c.set("sip_h_"+header, headers[header])
		}
	}
	p.event("CHANNEL_CREATE", c)
	return c
}

// Outgoing lets the phone of an extension dial a number.
func (p *PBX) Outgoing(extension, number string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.add("", "sofia/internal/"+extension+"@"+Domain, func(c *Channel) {
		c.Number, c.Caller, c.Dest, c.State, c.Presence = extension, "Agent "+extension, number, "RINGING", extension+"@"+Domain
	})
	p.event("CHANNEL_CREATE", c)
	return c
}

// Set gives a channel a variable; the next event shows it.
func (p *PBX) Set(c *Channel, variable, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.set(variable, value)
}

// Dial rings users for a channel (1001), or a number outside over a gateway (trunk/139...). It gives the channels that ring.
func (p *PBX) Dial(from *Channel, whom ...string) []*Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ringing []*Channel
	for _, who := range whom {
		ringing = append(ringing, p.dial(from, who, true))
	}
	return ringing
}

func (p *PBX) dial(from *Channel, who string, rings bool) *Channel {
	c := p.add("", "sofia/internal/"+who+"@192.0.2.11:5060", func(c *Channel) {
		c.Outbound, c.Number, c.Caller, c.Dest, c.dialler, c.callUUID = true, from.Number, from.Caller, who, from, from.callUUID
		if number, outside := strings.CutPrefix(who, "trunk/"); outside {
			c.Name, c.Dest = "sofia/external/"+number, number
		} else {
			c.Presence = who + "@" + Domain
		}
	})
	if shown := from.variables["effective_caller_id_number"]; shown != "" {
		c.Number, c.Caller = shown, from.variables["effective_caller_id_name"]
	}
	from.rings = append(from.rings, c)
	p.event("CHANNEL_CREATE", c)
	if rings {
		p.ring(c)
		if from.State == "RINGING" { // and so it hears
			p.event("CHANNEL_PROGRESS", from)
		}
	}
	return c
}

func (p *PBX) ring(c *Channel) {
	c.State = "RINGING"
	p.event("CHANNEL_PROGRESS", c)
}

// Queue puts a channel into a queue of mod_callcenter, which has answered it.
func (p *PBX) Queue(c *Channel, queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.State, c.queue = "ACTIVE", queue
	c.set("cc_queue", queue)
	c.set("cc_side", "member")
	p.event("CHANNEL_ANSWER", c)
	p.custom("callcenter::info", "CC-Queue", queue, "CC-Action", "member-queue-start", "CC-Member-UUID", "member-of-"+c.ID, "CC-Member-Session-UUID", c.ID,
		"CC-Member-CID-Name", c.Caller, "CC-Member-CID-Number", c.Number, "CC-Member-Joined-Time", p.seconds())
}

// Offer lets the queue a channel waits in ring agents. It gives their channels: no dialplan dialled them, so nobody is their originator.
func (p *PBX) Offer(c *Channel, whom ...string) []*Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ringing []*Channel
	for _, who := range whom {
		p.custom("callcenter::info", "CC-Queue", c.queue, "CC-Action", "agent-offering", "CC-Agent", who+"@"+Domain, "CC-Member-Session-UUID", c.ID)
		leg := p.add("", "sofia/internal/"+who+"@192.0.2.11:5060", func(l *Channel) {
			l.Outbound, l.Number, l.Caller, l.Dest, l.Presence, l.member, l.queue = true, c.Number, c.Caller, who, who+"@"+Domain, c, c.queue
			for _, v := range [][2]string{{"cc_queue", c.queue}, {"cc_member_uuid", "member-of-" + c.ID}, {"cc_member_session_uuid", c.ID},
				{"cc_agent", who + "@" + Domain}, {"cc_side", "agent"}} {
				l.set(v[0], v[1])
			}
		})
		c.rings = append(c.rings, leg)
		p.event("CHANNEL_CREATE", leg)
		p.ring(leg)
		ringing = append(ringing, leg)
	}
	return ringing
}

// Answer lets a ringing channel be answered: others that ring for the same caller stop, and both can talk.
func (p *PBX) Answer(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer(c)
}

func (p *PBX) answer(c *Channel) {
	if c.gone || c.State == "ACTIVE" {
		return
	}
	c.State = "ACTIVE"
	p.event("CHANNEL_ANSWER", c)
	if c.job != "" { // click-to-dial: the agent took up the own phone
		p.finish(c.job, "+OK "+c.ID)
		number := c.variables["ringside_dial"]
		if len(number) > 4 {
			number = "trunk/" + number
		}
		p.dial(c, number, true)
		return
	}
	from := c.dialler
	if from == nil {
		from = c.member
	}
	if from == nil {
		return
	}
	for _, other := range slices.Clone(from.rings) {
		if other != c && !other.gone && other.peer == nil {
			p.drop(other, "LOSE_RACE", "send_cancel")
		}
	}
	if c.member != nil {
		p.event("CUSTOM", c, "Event-Subclass", "callcenter::info", "CC-Queue", c.queue, "CC-Action", "bridge-agent-start", "CC-Agent", c.Dest+"@"+Domain,
			"CC-Agent-UUID", c.ID, "CC-Agent-Answered-Time", p.seconds(), "CC-Member-Joined-Time", from.variables["cc_joined"], "CC-Member-Session-UUID", from.ID)
	} else if from.State != "ACTIVE" {
		from.State = "ACTIVE"
		p.event("CHANNEL_ANSWER", from)
	}
	p.bridge(from, c)
}

// bridge lets two channels talk; the event comes once, for the first.
func (p *PBX) bridge(a, b *Channel) {
	a.peer, b.peer, a.leads, b.leads = b, a, true, false
	b.callUUID = a.callUUID
	p.event("CHANNEL_BRIDGE", a, "Bridge-A-Unique-ID", a.ID, "Bridge-B-Unique-ID", b.ID)
}

func (p *PBX) unbridge(c *Channel) *Channel {
	other := c.peer
	if other == nil {
		return nil
	}
	first := c
	if other.leads {
		first = other
	}
	p.event("CHANNEL_UNBRIDGE", first, "Bridge-A-Unique-ID", first.ID, "Bridge-B-Unique-ID", first.peer.ID)
	c.peer, other.peer = nil, nil
	return other
}

// hangup ends a channel with a cause. disposition is who ended the SIP dialog: recv_bye, send_cancel.
func (p *PBX) hangup(c *Channel, cause, disposition string) {
	if c.gone {
		return
	}
	c.gone = true
	c.State = "HANGUP"
	c.set("hangup_cause", cause)
	p.event("CHANNEL_HANGUP", c, "Hangup-Cause", cause)
	for _, ringing := range slices.Clone(c.rings) {
		if !ringing.gone && ringing.peer == nil {
			p.drop(ringing, "ORIGINATOR_CANCEL", "send_cancel")
		}
	}
	other := p.unbridge(c)
	if other != nil {
		p.drop(other, "NORMAL_CLEARING", "send_bye")
	}
	c.set("sip_hangup_disposition", disposition)
	p.complete(c, cause)
	if c.job != "" {
		p.finish(c.job, "-ERR "+cause)
	}
}

// drop is hangup by the switch.
func (p *PBX) drop(c *Channel, cause, disposition string) { p.hangup(c, cause, disposition) }

func (p *PBX) complete(c *Channel, cause string) {
	delete(p.channels, c.ID)
	p.event("CHANNEL_HANGUP_COMPLETE", c, "Hangup-Cause", cause)
}

// Hangup lets a channel's own end hang up, in whatever state it is.
func (p *PBX) Hangup(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.State == "ACTIVE" || c.State == "HELD":
		p.hangup(c, "NORMAL_CLEARING", "recv_bye")
	case c.Outbound:
		p.refuse(c, "CALL_REJECTED")
	default:
		p.hangup(c, "ORIGINATOR_CANCEL", "recv_cancel")
	}
}

// Refuse lets a ringing phone answer USER_BUSY or CALL_REJECTED.
func (p *PBX) Refuse(c *Channel, cause string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse(c, cause)
}

// refuse: if nobody else rings for the caller, the caller's attempt ends with the same cause.
func (p *PBX) refuse(c *Channel, cause string) {
	p.hangup(c, cause, "recv_refuse")
	from := c.dialler
	if from == nil || from.gone || slices.ContainsFunc(from.rings, func(o *Channel) bool { return !o.gone }) {
		return
	}
	p.hangup(from, cause, "send_refuse")
}

// Fail lets the exchange end a call that it cannot connect.
func (p *PBX) Fail(c *Channel, cause string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangup(c, cause, "send_refuse")
}

// RingOut lets a phone ring in vain; the caller goes on.
func (p *PBX) RingOut(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangup(c, "NO_ANSWER", "send_cancel")
}

// Cancel takes back what rings for a channel that goes on: it left the queue, or another part of the dialplan has it.
func (p *PBX) Cancel(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangup(c, "ORIGINATOR_CANCEL", "send_cancel")
}

// Unreachable dials a phone that does not answer the INVITE at all: it never rings.
func (p *PBX) Unreachable(from *Channel, who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangup(p.dial(from, who, false), "RECOVERY_ON_TIMER_EXPIRE", "")
}

// Voicebox lets the exchange itself answer a channel.
func (p *PBX) Voicebox(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.State = "ACTIVE"
	c.set("current_application", "voicemail")
	p.event("CHANNEL_ANSWER", c)
}

// Hold lets a channel's own end hold, or not any more.
func (p *PBX) Hold(c *Channel, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold(c, held)
}

func (p *PBX) hold(c *Channel, held bool) {
	if held {
		c.State = "HELD"
		p.event("CHANNEL_HOLD", c)
		return
	}
	c.State = "ACTIVE"
	p.event("CHANNEL_UNHOLD", c)
}

// Update tells a channel's phone better who is at the other end.
func (p *PBX) Update(c *Channel, number, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Number, c.Caller = number, name
	p.event("CALL_UPDATE", c, "Direction", "SEND")
}

// BlindTransfer lets a phone give its call to exten (REFER), which rings a phone. It gives the channel that rings.
func (p *PBX) BlindTransfer(c *Channel, exten string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.set("sip_refer_to", "<sip:"+exten+"@"+Domain+";user=phone>")
	c.set("endpoint_disposition", "BLIND_TRANSFER")
	other := p.unbridge(c)
	p.hangup(c, "BLIND_TRANSFER", "recv_bye")
	other.Dest = exten
	return p.dial(other, exten, true)
}

// AttendedTransfer lets a phone join the far ends of two calls of its own.
func (p *PBX) AttendedTransfer(first, second *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range []*Channel{first, second} {
		c.set("endpoint_disposition", "ATTENDED_TRANSFER")
	}
	transferee, target := p.unbridge(first), p.unbridge(second)
	p.bridge(transferee, target)
	p.hangup(first, "ATTENDED_TRANSFER", "send_bye")
	p.hangup(second, "ATTENDED_TRANSFER", "send_bye")
}

// AskByCode lets the agent's phone type the code of att_xfer (mod_dptools), and a colleague, who is shown the customer, answer: the same channel talks
// with them, and the customer waits.
func (p *PBX) AskByCode(c *Channel, who string) (customer, asked *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	customer = p.unbridge(c)
	asked = p.dial(c, who, true)
	asked.State = "ACTIVE"
	p.event("CHANNEL_ANSWER", asked)
	p.bridge(c, asked)
	return customer, asked
}

// GiveByCode lets the agent hang up then: the colleague has the customer.
func (p *PBX) GiveByCode(c, customer, asked *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unbridge(c)
	p.bridge(customer, asked)
	p.hangup(c, "NORMAL_CLEARING", "recv_bye")
}

// BackByCode lets the colleague hang up: the agent has the customer again.
func (p *PBX) BackByCode(c, customer, asked *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unbridge(asked)
	p.hangup(asked, "NORMAL_CLEARING", "recv_bye")
	p.bridge(customer, c)
}

// PickUp lets a phone dial a code that takes a call which rings for others (intercept).
func (p *PBX) PickUp(extension string, ringing *Channel) *Channel {
	picker := p.Outgoing(extension, "**"+ringing.Dest)
	p.mu.Lock()
	defer p.mu.Unlock()
	picker.State = "ACTIVE"
	p.event("CHANNEL_ANSWER", picker)
	caller := ringing.dialler
	p.drop(ringing, "PICKED_OFF", "send_cancel")
	caller.State = "ACTIVE"
	p.event("CHANNEL_ANSWER", caller)
	p.bridge(caller, picker)
	return picker
}

// Conference brings channels together that may have talked in twos.
func (p *PBX) Conference(room string, all ...*Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conference(room, all...)
}

func (p *PBX) conference(room string, all ...*Channel) {
	for _, c := range all {
		p.unbridge(c)
		c.State = "ACTIVE"
		p.event("CUSTOM", c, "Event-Subclass", "conference::maintenance", "Conference-Name", room, "Action", "add-member")
	}
}

// LeaveConference takes one out.
func (p *PBX) LeaveConference(room string, c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event("CUSTOM", c, "Event-Subclass", "conference::maintenance", "Conference-Name", room, "Action", "del-member")
}

// Spy lets a phone listen to another channel's call.
func (p *PBX) Spy(extension string, on *Channel) *Channel {
	c := p.Outgoing(extension, "*33"+on.Dest)
	p.mu.Lock()
	defer p.mu.Unlock()
	c.State = "ACTIVE"
	c.set("current_application", "eavesdrop")
	c.set("current_application_data", on.ID)
	p.event("CHANNEL_ANSWER", c)
	return c
}

// Recorded tells that the recording of a channel is whole.
func (p *PBX) Recorded(c *Channel, path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.set("record_ms", "61500")
	p.event("RECORD_STOP", c, "Record-File-Path", path)
}

// Originate is the API command: a user's phone first, the number through the dialplan once they answered.
func (p *PBX) Originate(id, extension, number, job string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.originate(id, extension, number, job)
}

func (p *PBX) originate(id, extension, number, job string) *Channel {
	c := p.add(id, "sofia/internal/"+extension+"@192.0.2.11:5060", func(c *Channel) {
		c.Outbound, c.Number, c.Caller, c.Dest, c.Presence, c.job = true, number, number, extension, extension+"@"+Domain, job
		c.set("origination_uuid", id)
		c.set("ringside_dial", number)
		c.set("effective_caller_id_number", extension)
		c.set("effective_caller_id_name", extension)
	})
	p.event("CHANNEL_CREATE", c)
	p.ring(c)
	if p.Desk {
		p.answer(c)
	}
	return c
}

// AgentStatus sets what an agent of mod_callcenter wants to do.
func (p *PBX) AgentStatus(agent, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agentStatus(agent, status)
}

func (p *PBX) agentStatus(agent, status string) {
	p.agents[agent] = status
	p.custom("callcenter::info", "CC-Action", "agent-status-change", "CC-Agent", agent, "CC-Agent-Status", status)
}

// Heard gives all digits that were sent out of a channel.
func (p *PBX) Heard(c *Channel) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.digits
}

// Channel gives a channel by its id, or nil.
func (p *PBX) Channel(id string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[id]
}

// Ringing gives the channel that rings for another, or nil.
func (p *PBX) Ringing(from *Channel) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range from.rings {
		if !c.gone {
			return c
		}
	}
	return nil
}

// Await waits for a channel that a function picks, and gives the newest.
func (p *PBX) Await(t *testing.T, what string, pick func(c *Channel) bool) *Channel {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		var found *Channel
		for _, c := range p.channels {
			if !c.gone && pick(c) && (found == nil || c.Made > found.Made) {
				found = c
			}
		}
		changed := p.changed
		p.mu.Unlock()
		if found != nil {
			return found
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("%s: no such channel", what)
		}
	}
}

// OnWait is told of every Wait.
func (p *PBX) OnWait(wait func(time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited = wait
}

// Wait lets time pass on the PBX's own clock, if that is one that can be set.
func (p *PBX) Wait(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited(d)
}

// Crash ends everything without a word.
func (p *PBX) Crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.channels)
	clear(p.agents)
}
