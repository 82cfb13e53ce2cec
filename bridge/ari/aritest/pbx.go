// Package aritest is an Asterisk that exists only for tests: it owns channels and bridges, plays calls among them, and tells of them and
// answers requests as the Asterisk REST Interface does.
// It must not know what anybody makes of its events.
//
// It is constructed from Asterisk's published models (rest-api/api-docs), and corrected where a real Asterisk did otherwise (bridge/ari/testdata/recorded).
// Where it differs from a real one, the real one is right.
package aritest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// PBX is the exchange's switch. Its methods may be called concurrently; each plays one thing that happens, whole.
type PBX struct {
	mu       sync.Mutex
	now      func() time.Time
	tell     []func(event []byte)
	channels map[string]*Channel
	bridges  map[string]*bridge
	made     int
	waited   func(time.Duration)
	changed  chan struct{} // closed at every event
	filtered map[string]bool

	// Desk lets the phones of agents take up what the exchange rings them for by itself, as click-to-dial does.
	Desk bool
}

// Channel is one of the PBX's channels.
type Channel struct {
	ID, Name, CallID, State string
	Number, CallerName      string // its own
	With, WithName          string // connected line
	Exten, App, AppData     string
	Linked                  string
	Presentation            string     // of its own number
	peers                   []*Channel // it dials them
	dialler                 *Channel
	bridge                  *bridge
}

type bridge struct {
	id         string
	kind       string // "": mixing
	technology string
	members    []*Channel
}

// New makes a PBX with nothing going on. now is its clock.
func New(now func() time.Time) *PBX {
	return &PBX{now: now, channels: map[string]*Channel{}, bridges: map[string]*bridge{}, filtered: map[string]bool{},
		changed: make(chan struct{}), waited: func(time.Duration) {}}
}

// Listen passes on every event from now on, in order. The function must not call back.
func (p *PBX) Listen(tell func(event []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = append(p.tell, tell)
}

type fields map[string]any

// event tells of something; p.mu is held.
func (p *PBX) event(kind string, f fields) {
	close(p.changed)
	p.changed = make(chan struct{})
	if p.filtered[kind] {
		return
	}
	f["type"], f["application"], f["asterisk_id"] = kind, "ringside", "aritest"
	f["timestamp"] = p.now().UTC().Format("2006-01-02T15:04:05.000-0700")
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // a map of texts: a fault of this package
	}
	for _, tell := range p.tell {
		tell(b)
	}
}

func (c *Channel) snap() fields {
	return fields{"id": c.ID, "name": c.Name, "state": c.State, "protocol_id": c.CallID, "accountcode": "", "language": "en",
		"caller": fields{"name": c.CallerName, "number": c.Number}, "connected": fields{"name": c.WithName, "number": c.With},
		"dialplan":     fields{"context": "from-internal", "exten": c.Exten, "priority": 1, "app_name": c.App, "app_data": c.AppData},
		"creationtime": "2026-11-23T05:32:18.118+0000"}
}

func (b *bridge) snap() fields {
	ids := []string{}
	for _, c := range b.members {
		ids = append(ids, c.ID)
	}
	kind := b.kind
	if kind == "" {
		kind = "mixing"
	}
	return fields{"id": b.id, "technology": b.technology, "bridge_type": kind, "bridge_class": "basic", "creator": "", "name": "",
		"channels": ids, "creationtime": "2026-11-23T05:32:18.118+0000", "video_mode": "none"}
}

// add makes a channel of a device; an empty id is given one.
func (p *PBX) add(id, device, state string, f func(c *Channel)) *Channel {
	p.made++
	if id == "" {
		id = fmt.Sprintf("1795411938.%d", p.made)
	}
	c := &Channel{Presentation: "allowed_not_screened", ID: id, Name: fmt.Sprintf("%s-%08x", device, p.made), State: state, CallID: fmt.Sprintf("call-%d@198.51.100.1", p.made), Linked: id}
	if strings.HasPrefix(device, "Local/") {
		c.CallID = ""
	}
	f(c)
	p.channels[c.ID] = c
	p.event("ChannelCreated", fields{"channel": c.snap()})
	return c
}

// Incoming lets a caller from outside reach the dialplan at exten. data are channel variables.
func (p *PBX) Incoming(number, name, exten string, data map[string]string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.add("", "PJSIP/trunk", "Ring", func(c *Channel) { c.Number, c.CallerName, c.Exten = number, name, exten })
	for _, variable := range slices.Sorted(maps.Keys(data)) {
		p.set(c, variable, data[variable])
	}
	return c
}

// Withhold keeps the number of a channel's caller from being shown. Events and lists have it all the same.
func (p *PBX) Withhold(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Presentation = "prohib_not_screened"
}

// Set gives a channel a variable.
func (p *PBX) Set(c *Channel, variable, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(c, variable, value)
}

func (p *PBX) set(c *Channel, variable, value string) {
	p.event("ChannelVarset", fields{"channel": c.snap(), "variable": variable, "value": value})
}

// Outgoing lets the phone of an extension dial a number.
func (p *PBX) Outgoing(extension, number string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.add("", "PJSIP/"+extension, "Ring", func(c *Channel) { c.Number, c.CallerName, c.Exten = extension, "Agent "+extension, number })
}

// Queue puts a channel into a queue, which answers it.
func (p *PBX) Queue(c *Channel, queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.App, c.AppData, c.State = "Queue", queue+",tT,,,60", "Up"
	p.event("ChannelStateChange", fields{"channel": c.snap()})
}

// Dial rings devices for a channel, which may be "PJSIP/1001", an outside line "PJSIP/trunk" or a pair "Local/1001@agents".
// It gives the channels that ring. A Local one rings what lies behind it, whose channel is given in its stead.
func (p *PBX) Dial(from *Channel, devices ...string) []*Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ringing []*Channel
	for _, device := range devices {
		ringing = append(ringing, p.dial(from, device))
	}
	return ringing
}

func (p *PBX) dial(from *Channel, device string) *Channel {
	if from.App != "Queue" {
		from.App, from.AppData = "Dial", device
	}
	if inner, ok := strings.CutPrefix(device, "Local/"); ok {
		member, _, _ := strings.Cut(inner, "@")
		pair := fmt.Sprintf("%s-%08x", device, p.made+1)
		first := p.add("", device, "Down", func(c *Channel) {
			c.Name, c.Linked, c.With, c.WithName = pair+";1", from.Linked, from.Number, from.CallerName
		})
		second := p.add("", device, "Ring", func(c *Channel) {
			c.Name, c.Linked, c.Exten, c.Number, c.CallerName = pair+";2", from.Linked, member, from.Number, from.CallerName
		})
		first.App, first.AppData, first.dialler = "AppDial", "(Outgoing Line)", from
		from.peers = append(from.peers, first)
		first.peers = []*Channel{second}
		p.dialEvent(from, first, "")
		return p.dial(second, "PJSIP/"+member)
	}
	_, number, _ := strings.Cut(device, "/")
	c := p.add("", device, "Down", func(c *Channel) {
		c.Linked, c.Number, c.With, c.WithName, c.dialler = from.Linked, number, from.Number, from.CallerName, from
		if number == "trunk" {
			c.Number = from.Exten
		}
	})
	c.App, c.AppData = "AppDial", "(Outgoing Line)"
	from.peers = append(from.peers, c)
	p.dialEvent(from, c, "")
	c.State = "Ringing"
	p.event("ChannelStateChange", fields{"channel": c.snap()})
	p.dialEvent(from, c, "RINGING")
	return c
}

func (p *PBX) dialEvent(from, to *Channel, status string) {
	f := fields{"peer": to.snap(), "dialstatus": status, "dialstring": to.Number, "forward": ""}
	if from != nil {
		f["caller"] = from.snap()
	}
	p.event("Dial", f)
}

// Answer lets a ringing channel be answered: others that ring for the same caller stop, and both can talk.
func (p *PBX) Answer(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.State = "Up"
	p.event("ChannelStateChange", fields{"channel": c.snap()})
	from := c.dialler
	p.dialEvent(from, c, "ANSWER")
	p.cancelOthers(from, c)
	if strings.HasPrefix(from.Name, "Local/") {
		first := p.firstOf(from)
		p.dialEvent(first.dialler, first, "ANSWER")
		p.cancelOthers(first.dialler, first)
	}
	if from.State != "Up" {
		from.State = "Up"
		p.event("ChannelStateChange", fields{"channel": from.snap()})
	}
	if strings.HasPrefix(from.Name, "Local/") { // it is optimised away: who dialled it talks to the phone itself
		first := p.firstOf(from)
		p.drop(from, 16)
		from = first.dialler
		p.drop(first, 16)
		c.dialler = from
	}
	p.join(from, c)
}

// cancelOthers stops what else rings for a caller; the pairs of Local channels among it end from their near half on.
func (p *PBX) cancelOthers(from, answered *Channel) {
	for _, other := range slices.Clone(from.peers) {
		if other == answered || p.channels[other.ID] == nil || other.bridge != nil {
			continue
		}
		p.dialEvent(from, other, "CANCEL")
		p.drop(other, 26)
		p.stopDialling(other)
	}
}

func (p *PBX) firstOf(second *Channel) *Channel {
	name := strings.TrimSuffix(second.Name, ";2") + ";1"
	for _, c := range p.channels {
		if c.Name == name {
			return c
		}
	}
	panic("no first half of " + second.Name)
}

// join puts channels into a bridge, one after the other.
func (p *PBX) join(all ...*Channel) {
	p.made++
	b := &bridge{id: fmt.Sprintf("bridge-%d", p.made), technology: "simple_bridge"}
	p.bridges[b.id] = b
	p.event("BridgeCreated", fields{"bridge": b.snap()})
	for _, c := range all {
		p.enter(b, c)
	}
}

func (p *PBX) enter(b *bridge, c *Channel) {
	b.members = append(b.members, c)
	c.bridge = b
	p.event("ChannelEnteredBridge", fields{"bridge": b.snap(), "channel": c.snap()})
}

func (p *PBX) leave(c *Channel) {
	b := c.bridge
	if b == nil {
		return
	}
	c.bridge = nil
	b.members = slices.DeleteFunc(b.members, func(o *Channel) bool { return o == c })
	p.event("ChannelLeftBridge", fields{"bridge": b.snap(), "channel": c.snap()})
	if len(b.members) == 0 {
		delete(p.bridges, b.id)
		p.event("BridgeDestroyed", fields{"bridge": b.snap()})
	}
}

// Join lets a third channel into the bridge of another.
func (p *PBX) Join(c, third *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	third.State = "Up"
	p.enter(c.bridge, third)
}

// drop ends a channel without a request.
func (p *PBX) drop(c *Channel, cause int) {
	if p.channels[c.ID] == nil {
		return
	}
	p.leave(c)
	delete(p.channels, c.ID)
	p.event("ChannelDestroyed", fields{"channel": c.snap(), "cause": cause, "cause_txt": "constructed"})
}

// Hangup lets a channel's own end hang up, in whatever state it is.
func (p *PBX) Hangup(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangup(c, 16, false)
}

func (p *PBX) hangup(c *Channel, cause int, soft bool) {
	if p.channels[c.ID] == nil {
		return
	}
	p.event("ChannelHangupRequest", fields{"channel": c.snap(), "cause": cause, "soft": soft})
	p.stopDialling(c)
	var others []*Channel
	if c.bridge != nil {
		others = slices.DeleteFunc(slices.Clone(c.bridge.members), func(o *Channel) bool { return o == c })
	}
	from := c.dialler
	talked := c.bridge != nil
	p.leave(c)
	if len(others) == 1 {
		p.leave(others[0])
		p.event("ChannelHangupRequest", fields{"channel": others[0].snap(), "cause": cause, "soft": true})
	}
	p.drop(c, cause)
	switch {
	case talked && len(others) == 1:
		p.drop(others[0], 16)
	case !talked && from != nil:
		p.fallen(from, c, cause, soft)
	}
}

// stopDialling takes back what rings for a channel that ends.
func (p *PBX) stopDialling(c *Channel) {
	for _, peer := range slices.Clone(c.peers) {
		if p.channels[peer.ID] == nil || peer.bridge != nil {
			continue
		}
		if strings.HasSuffix(peer.Name, ";2") { // the far half of a pair hears of the end last
			p.event("ChannelHangupRequest", fields{"channel": peer.snap(), "cause": 0})
			p.stopDialling(peer)
			p.drop(peer, 0)
			continue
		}
		p.dialEvent(c, peer, "CANCEL")
		p.drop(peer, 16)
		p.stopDialling(peer)
	}
}

// fallen ends the caller's attempt once the only one that rang for it is gone.
func (p *PBX) fallen(from, c *Channel, cause int, told bool) {
	from.peers = slices.DeleteFunc(from.peers, func(o *Channel) bool { return o == c || p.channels[o.ID] == nil })
	if told && c.State == "Ringing" {
		p.dialEvent(from, c, map[int]string{17: "BUSY", 21: "BUSY"}[cause])
	}
	if len(from.peers) == 0 && from.App == "Dial" {
		p.drop(from, cause)
	}
}

// Refuse lets a ringing phone answer "busy" (cause 17) or "decline" (21).
func (p *PBX) Refuse(c *Channel, cause int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event("ChannelHangupRequest", fields{"channel": c.snap(), "cause": cause})
	status := "BUSY"
	if cause == 21 {
		status = "NOANSWER" // as of all Asterisk has no word for
	}
	p.dialEvent(c.dialler, c, status)
	p.drop(c, cause)
	p.fallen(c.dialler, c, cause, false)
}

// Unreachable dials a phone that is not registered, or takes no more calls: it never rings.
func (p *PBX) Unreachable(from *Channel, device, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.add("", device, "Down", func(c *Channel) { c.Linked, c.With, c.WithName = from.Linked, from.Number, from.CallerName })
	p.dialEvent(from, c, "")
	p.dialEvent(from, c, status)
	p.drop(c, 20)
}

// Park puts a channel where it waits together with others, who do not hear each other.
func (p *PBX) Park(all ...*Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	b := &bridge{id: fmt.Sprintf("bridge-%d", p.made), kind: "holding", technology: "holding_bridge"}
	p.bridges[b.id] = b
	for _, c := range all {
		p.leave(c)
		p.enter(b, c)
	}
}

// Hold lets a channel's own end hold, or not any more.
func (p *PBX) Hold(c *Channel, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held {
		p.event("ChannelHold", fields{"channel": c.snap(), "musicclass": "default"})
		return
	}
	p.event("ChannelUnhold", fields{"channel": c.snap()})
}

// Connected tells a channel better who it is connected with.
func (p *PBX) Connected(c *Channel, number, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.With, c.WithName = number, name
	p.event("ChannelConnectedLine", fields{"channel": c.snap()})
}

// BlindTransfer lets a phone give its call to exten, which rings a phone; result is Success or a failure. It gives the channel that rings.
func (p *PBX) BlindTransfer(c *Channel, exten, result string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	other := c.bridge.members[0]
	if other == c {
		other = c.bridge.members[1]
	}
	p.event("ChannelUnhold", fields{"channel": c.snap()}) // before every blind transfer by a feature code
	p.event("BridgeBlindTransfer", fields{"bridge": c.bridge.snap(), "channel": c.snap(), "transferee": other.snap(), "context": "from-internal",
		"exten": exten, "is_external": true, "result": result})
	if result != "Success" {
		return nil
	}
	p.leave(c)
	p.leave(other)
	p.drop(c, 16)
	other.peers, other.Exten, other.App = nil, exten, "Dial"
	return p.dial(other, "PJSIP/"+exten)
}

// AttendedTransfer lets a phone join the far ends of two calls of its own.
func (p *PBX) AttendedTransfer(first, second *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	other := func(c *Channel) *Channel {
		return c.bridge.members[1-slices.Index(c.bridge.members, c)]
	}
	transferee, target := other(first), other(second)
	into := second.bridge
	p.leave(transferee)
	p.enter(into, transferee) // before the one it replaces is out
	p.event("BridgeAttendedTransfer", fields{"transferer_first_leg": first.snap(), "transferer_second_leg": second.snap(),
		"transferee": transferee.snap(), "transfer_target": target.snap(), "destination_type": "bridge", "destination_bridge": into.id,
		"is_external": true, "result": "Success"})
	p.leave(second)
	p.leave(first)
	p.drop(second, 16)
	p.drop(first, 16)
	target.With, target.WithName = transferee.Number, transferee.CallerName
	p.event("ChannelConnectedLine", fields{"channel": target.snap()})
}

// Spy lets a phone listen to another channel's call.
func (p *PBX) Spy(extension string, on *Channel) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.add("", "PJSIP/"+extension, "Ring", func(c *Channel) { c.Number, c.Exten = extension, "*222" })
	c.State, c.App, c.AppData = "Up", "ChanSpy", on.Name
	p.event("ChannelStateChange", fields{"channel": c.snap()})
	return c
}

// click is an origination over REST: the agent's phone first, the number once they answered.
func (p *PBX) click(id, device, number string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, extension, _ := strings.Cut(device, "/")
	c := p.add(id, device, "Down", func(c *Channel) { c.Number, c.With, c.Exten = extension, number, number })
	c.App, c.AppData = "AppDial2", "(Outgoing Line)"
	p.dialEvent(nil, c, "")
	c.State = "Ringing"
	p.event("ChannelStateChange", fields{"channel": c.snap()})
	p.dialEvent(nil, c, "RINGING")
	if p.Desk {
		p.takeUp(c)
	}
}

// TakeUp lets an agent answer their own phone, which click-to-dial rings; the customer's rings then. It gives the customer's channel.
func (p *PBX) TakeUp(c *Channel) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeUp(c)
}

func (p *PBX) takeUp(c *Channel) *Channel {
	c.State = "Up"
	p.event("ChannelStateChange", fields{"channel": c.snap()})
	p.dialEvent(nil, c, "ANSWER")
	return p.dial(c, "PJSIP/trunk")
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
			if pick(c) && (found == nil || c.Name[len(c.Name)-8:] > found.Name[len(found.Name)-8:]) {
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

// Snoop lets a channel listen to another's call, as a program does over ARI.
func (p *PBX) Snoop(on, listener *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	listener.State = "Up"
	p.event("ChannelStateChange", fields{"channel": listener.snap()})
	snoop := p.add("", "Snoop/"+on.ID, "Up", func(*Channel) {})
	p.join(listener, snoop)
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

// Channel gives a channel by its id, or nil.
func (p *PBX) Channel(id string) *Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[id]
}

// Click plays an origination as a POST to channels does.
func (p *PBX) Click(id, device, number string) { p.click(id, device, number) }

// Leaves tells whether events of a kind are left out, as a client wished.
func (p *PBX) Leaves(kind string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.filtered[kind]
}

// Replaced tells that another program took the application.
func (p *PBX) Replaced() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event("ApplicationReplaced", fields{})
}

// Crash ends everything without a word.
func (p *PBX) Crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.channels)
	clear(p.bridges)
	clear(p.filtered)
}
