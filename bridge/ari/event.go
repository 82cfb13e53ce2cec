package ari

import (
	"maps"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// joinAfter is how long a third party must stay in a bridge to make it a conference. Asterisk lets the new channel in before the one it
// replaces is out, in every attended transfer.
const joinAfter = 300 * time.Millisecond

// interpreter turns ARI's events into canonical ones. It is pure: the same events at the same times give the same. It keeps what the wire
// leaves out: whose a channel is, who dialled it, how far it got.
type interpreter struct {
	source  cti.Source
	devices devices
	wanted  wanted

	channels map[string]*channel
	locals   map[string]string // name of a Local channel → id
	bridges  map[string]*talk
	graves   map[string]time.Time
	watched  map[string]bool   // extensions that were asked for
	clicks   map[string]string // id of a channel of ours → the number it is for
	joins    []join
	ringing  []string   // ids of legs that ring, while it is waited for who dialled them
	missed   []*channel // legs that rang in vain a moment ago
	seen     uint64
	swept    time.Time // when graves were looked through
	withheld
}

// join is a channel that came to two others a moment ago.
type join struct {
	bridge, channel string
	at              time.Time
}

func newInterpreter(source cti.Source, d devices, w wanted) *interpreter {
	return &interpreter{source: source, devices: d, wanted: w, channels: map[string]*channel{}, locals: map[string]string{},
		bridges: map[string]*talk{}, graves: map[string]time.Time{}, clicks: map[string]string{}, watched: map[string]bool{},
		withheld: withheld{open: map[string]bool{}, held: map[string]*held{}}}
}

// when is the time of an event: here, and by the exchange's own clock.
type when struct{ at, source time.Time }

// events gives what one event of ARI means: usually nothing, since most channels are nobody's leg. Unknown types say nothing.
func (i *interpreter) events(m message, at time.Time) []told {
	all := i.overdue(at)
	return append(all, i.gate(i.means(m, at))...)
}

func (i *interpreter) means(m message, at time.Time) []told {
	w := when{at, stamp(m.Timestamp)}
	c := i.learn(m.Channel)
	switch m.Type {
	case "ChannelCreated", "ChannelStateChange":
		return i.moved(c, w)
	case "Dial":
		return i.dial(m, w)
	case "ChannelEnteredBridge":
		return i.entered(m.Bridge, c, w)
	case "ChannelLeftBridge":
		return i.left(m, c)
	case "BridgeDestroyed":
		if m.Bridge != nil {
			delete(i.bridges, m.Bridge.ID)
		}
	case "ChannelHold":
		return i.holding(c, true, w)
	case "ChannelUnhold":
		return i.holding(c, false, w)
	case "ChannelConnectedLine":
		return i.better(c, w)
	case "ChannelHangupRequest":
		i.hangupAsked(c, m)
	case "ChannelVarset":
		return i.varset(c, m, w)
	case "BridgeBlindTransfer":
		return i.blind(m, c, w)
	case "BridgeAttendedTransfer":
		return i.attended(m, w)
	case "ChannelDestroyed":
		return i.destroyed(c, m, w)
	}
	return i.listening(c, w)
}

// tell makes an event of a leg, with all that is known of it.
func (i *interpreter) tell(c *channel, w when, e cti.Event) told {
	if !c.settled {
		i.settle(c, w)
	}
	e.V, e.At, e.SourceAt, e.Source = cti.EnvelopeVersion, w.at, w.source, i.source
	e.Call.Direction = cti.In
	if c.outgoing() {
		e.Call.Direction = cti.Out
	}
	e.Call.ClickToDial, e.Call.Purpose = c.click != "", c.purpose
	e.Call.Refs = map[string]string{refChannel: c.id, cti.RefJourney: c.journey}
	if c.callID != "" {
		e.Call.Refs[cti.RefSIPCallID] = c.callID
	}
	if e.Type != cti.Conferenced && (e.Remote == cti.Remote{}) {
		e.Remote = c.remote
	}
	e.Local = cti.Local{Extension: c.extension}
	e.Dialled = c.into
	if c.inQueue != "" {
		e.Queue = &cti.Queue{Name: c.inQueue}
	}
	if len(c.data) > 0 {
		e.Data = maps.Clone(c.data)
	}
	return told{c.extension, e}
}

// settle finds out, for the first event of a leg, who is at its far end and how they came there.
func (i *interpreter) settle(c *channel, w when) {
	i.askFor(c, w)
	c.settled = true
	if chain := i.chain(c.id); c.journey == "" {
		c.journey = chain[len(chain)-1]
	}
	switch {
	case c.click != "":
		c.remote = remote(party{Number: strings.TrimPrefix(c.click, "?")})
	case c.role == calling:
		c.remote = remote(party{Number: firstText(c.exten, c.connected.Number)})
	default:
		who := c.connected
		for _, id := range i.chain(c.id)[1:] {
			up := i.channels[id]
			if up == nil {
				break
			}
			if who.Number == "" && up.click == "" {
				who = party{Number: up.caller.Number, Name: firstText(who.Name, up.caller.Name)}
			}
			c.into, c.inQueue = firstText(up.exten, c.into), firstText(up.queue, c.inQueue)
			c.recorded = firstText(up.recorded, c.recorded)
			for name, value := range up.data {
				c.keep(name, value)
			}
		}
		if !c.hidden {
			c.remote = i.far(who)
		}
		i.hold(c, w.at)
	}
	c.listensNow()
}

func (c *channel) listensNow() {
	if c.listens && c.purpose == "" {
		c.purpose = cti.Monitoring
	}
}

// remote makes the far end; nobody, or one who does not want to be known, is withheld.
func remote(p party) cti.Remote {
	switch strings.ToLower(p.Number) {
	case "", "anonymous", "unknown", "<unknown>", "unavailable", "restricted", "private", "withheld", "asterisk":
		return cti.Remote{Number: cti.Number{Withheld: true}, Name: p.Name}
	}
	return cti.Remote{Number: cti.Number{Raw: p.Number}, Name: p.Name}
}

// moved: a channel came to be or changed its state. Up says nothing: a queue answers before any agent rings, and in click-to-dial the
// agent's own phone is up before the customer's.
func (i *interpreter) moved(c *channel, w when) []told {
	switch {
	case c == nil || !c.leg():
		return nil
	case c.click != "":
		return i.originated(c, w)
	case c.state == "Ringing" && c.role != calling:
		return i.rings(c, w)
	case c.state == "Ring" && c.role != called:
		c.role = calling
		return i.originated(c, w)
	}
	return i.listening(c, w)
}

func (i *interpreter) originated(c *channel, w when) []told {
	if c.stage != untold {
		return nil
	}
	c.stage = begun
	i.aside(c)
	return []told{i.tell(c, w, cti.Event{Type: cti.Originated})}
}

// aside marks a consultation: what an agent dials while they hold a call, if it is a colleague's extension by its length. Somebody outside
// may be another customer, whose record must not be lost.
func (i *interpreter) aside(c *channel) {
	if c.click != "" || len(c.exten) > len(c.extension) || strings.Trim(c.exten, "0123456789") != "" {
		return
	}
	for _, other := range i.channels {
		if other != c && other.leg() && other.extension == c.extension && other.held && other.stage == established {
			c.purpose = cti.Consultation
		}
	}
}

func (i *interpreter) rings(c *channel, w when) []told {
	if c.stage != untold || c.click != "" {
		return nil
	}
	waits := !c.rang.at.IsZero()
	if !waits {
		c.rang = w
	}
	if i.dialledBy(c.id) || w.at.Sub(c.rang.at) >= waitDialled || len(i.ringing) >= maxMembers {
		return i.ring(c)
	}
	if !waits {
		i.ringing = append(i.ringing, c.id)
	}
	return nil
}

// ring tells that a leg rings, if that was not told yet.
func (i *interpreter) ring(c *channel) []told {
	if c.rang.at.IsZero() || c.stage != untold || !c.leg() {
		return nil
	}
	c.stage, c.role = ringing, called
	return []told{i.tell(c, c.rang, cti.Event{Type: cti.Delivered, Side: cti.SideLocal})}
}

// waitDialled is how long at most it is waited for the word of who dialled a leg that rings.
const waitDialled = 150 * time.Millisecond

// awaited tells of the legs that ring and of which is known now who dialled them, or of which nobody says so.
func (i *interpreter) awaited(now time.Time) []told {
	var all []told
	i.ringing = slices.DeleteFunc(i.ringing, func(id string) bool {
		c := i.channels[id]
		if c == nil || c.stage != untold || c.over {
			return true
		}
		if !i.dialledBy(id) && now.Sub(c.rang.at) < waitDialled {
			return false
		}
		all = append(all, i.ring(c)...)
		return true
	})
	return all
}

// dial: the peer is rung for the caller; without a caller the exchange itself does it.
func (i *interpreter) dial(m message, w when) []told {
	caller, peer := i.learn(m.Caller), i.learn(m.Peer)
	if peer != nil && (m.DialStatus != "ANSWER" || !peer.dialledItself()) {
		peer.role = called
		if caller != nil && caller != peer {
			peer.parent = caller.id
		}
	}
	all := i.askFor(peer, w)
	if caller != nil {
		caller.dials = true
		if caller.role == unknown {
			caller.role = calling
		}
	}
	return slices.Concat(all, i.awaited(w.at), i.dialStatus(m, caller, peer, w))
}

func (i *interpreter) dialStatus(m message, caller, peer *channel, w when) []told {
	switch m.DialStatus {
	case "":
		if caller != nil && caller.leg() {
			return i.originated(caller, w)
		}
	case "RINGING", "PROGRESS":
		var all []told
		if peer != nil && peer.leg() && m.DialStatus == "RINGING" {
			all = i.rings(peer, w)
		}
		if caller != nil && caller.leg() && caller.outgoing() && caller.stage < ringing {
			all = append(all, i.originated(caller, w)...)
			caller.stage = ringing
			all = append(all, i.tell(caller, w, cti.Event{Type: cti.Delivered, Side: cti.SideRemote}))
		}
		return all
	case "ANSWER", "PROCEEDING":
	default: // it is over: CANCEL, NOANSWER, BUSY, CONGESTION, CHANUNAVAIL, and what later versions add
		if peer == nil {
			return nil // told again, of one that is gone
		}
		i.dialEnded(peer, cti.Clean(m.DialStatus, cti.MaxText))
		if caller != nil && !caller.gone {
			caller.dialled, caller.result = cti.Clean(m.DialStatus, cti.MaxText), peer.refusal
		}
	}
	return nil
}

// dialEnded notes how dialling a channel ended, for the legs behind a Local one, too. The first word counts: a queue whose agent does not answer says
// NOANSWER, and CANCEL at once, and what lies behind a Local channel is told CANCEL alone.
func (i *interpreter) dialEnded(peer *channel, status string) {
	for id, c := range i.channels {
		if c.ended == "" && (c == peer || c.leg() && c.stage < established && slices.Contains(i.chain(id), peer.id)) {
			c.ended = status
		}
	}
}

// entered: with the second party in the bridge they can talk, and not before.
func (i *interpreter) entered(s *bridgeSnap, c *channel, w when) []told {
	b := i.gather(s)
	if b == nil || c == nil {
		i.parked(s, c)
		return nil
	}
	b.members[c.id], c.bridge = true, s.ID
	if c.spy() {
		return i.overheard(b, w)
	}
	n := i.parties(b)
	if n < 2 || c.listens {
		return i.listening(c, w)
	}
	var all []told
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		leg := i.channels[id]
		if leg == nil {
			continue
		}
		leg.bridge = s.ID
		if leg.leg() && leg.stage != established && !leg.listens {
			all = append(all, i.ring(leg)...)
			leg.stage = established
			if i.fetched(leg, b, w) {
				all = append(all, i.tell(leg, w, cti.Event{Type: cti.Info}))
			}
			all = append(all, i.tell(leg, w, cti.Event{Type: cti.Established, Recording: leg.recording()}))
			all = append(all, i.answered(leg, w)...)
		}
	}
	if n > 2 && len(i.joins) < maxMembers {
		i.ask(c.id)
		i.joins = append(i.joins, join{s.ID, c.id, w.at})
	}
	return all
}

// parked: who is put into a place where channels wait was put there by the agent they talked to, who does not hang up for it.
func (i *interpreter) parked(s *bridgeSnap, c *channel) {
	if s == nil || c == nil || s.Type != "holding" || c.left == "" {
		return
	}
	for _, leg := range i.channels {
		if leg != c && leg.leg() && leg.stage == established && leg.bridge == c.left && leg.hungBy == "" {
			leg.hungBy = cti.ByLocal
		}
	}
}

// answered corrects the end of those that a queue rang before in vain: nobody need call back.
func (i *interpreter) answered(leg *channel, w when) []told {
	var all []told
	i.missed = slices.DeleteFunc(i.missed, func(one *channel) bool {
		if w.at.Sub(one.endedAt) > lateFor || one.journey != leg.journey || one.extension == leg.extension {
			return false
		}
		all = append(all, i.tell(one, w, cti.Event{Type: cti.Diverted, Cause: &cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}}))
		return true
	})
	return all
}

// fetched: who takes a parked call back, or picks one up, dialled a code and nobody's number; the bridge shows whose call it is.
func (i *interpreter) fetched(leg *channel, b *talk, w when) bool {
	if !leg.outgoing() || leg.click != "" || leg.dials {
		return false
	}
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		if o := i.channels[id]; o != nil && o != leg && o.role != called && !o.spy() && !o.listens && o.caller.Number != "" && o.caller.Number != leg.extension {
			if !leg.settled {
				i.settle(leg, w)
			}
			i.ask(o.id)
			leg.farEnd = o.who()
			i.hold(leg, w.at)
			return true
		}
	}
	return false
}

// overheard: who shares a bridge with a snoop channel listens to somebody else's call.
func (i *interpreter) overheard(b *talk, w when) []told {
	var all []told
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		if c := i.channels[id]; c != nil && !c.spy() {
			c.listens = true
			all = append(all, i.listening(c, w)...)
		}
	}
	return all
}

// listening says so of a leg that turned out to listen to somebody else's call.
func (i *interpreter) listening(c *channel, w when) []told {
	if c == nil || !c.leg() || !c.listens || c.purpose != "" {
		return nil
	}
	c.purpose = cti.Monitoring
	if c.stage == untold {
		return nil
	}
	return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
}

// due tells of the third parties that stayed, and forgets what no colleague's answer mends any more.
func (i *interpreter) due(now time.Time) []told {
	i.missed = slices.DeleteFunc(i.missed, func(c *channel) bool { return now.Sub(c.endedAt) > lateFor })
	all := i.awaited(now)
	w := when{at: now}
	i.joins = slices.DeleteFunc(i.joins, func(j join) bool {
		if now.Sub(j.at) < joinAfter {
			return false
		}
		b, who := i.bridges[j.bridge], i.channels[j.channel]
		if b == nil || who == nil || !b.members[j.channel] || i.parties(b) < 3 {
			return true
		}
		for _, id := range slices.Sorted(maps.Keys(b.members)) {
			if leg := i.channels[id]; leg != nil && leg.leg() && leg.stage == established && leg != who {
				all = append(all, i.tell(leg, w, cti.Event{Type: cti.Conferenced, Remote: who.who().remote}))
			}
		}
		return true
	})
	return append(i.overdue(now), i.gate(all)...)
}

func (i *interpreter) left(m message, c *channel) []told {
	b := i.gather(m.Bridge)
	if c == nil {
		return nil
	}
	if b != nil {
		delete(b.members, c.id)
	}
	if m.Bridge != nil && c.bridge == m.Bridge.ID {
		c.bridge, c.left = "", m.Bridge.ID
	}
	return nil
}

// holding: on the agent's channel the agent holds, on another in its bridge the far end does.
func (i *interpreter) holding(c *channel, held bool, w when) []told {
	if c == nil {
		return nil
	}
	typ := cti.Retrieved
	if held {
		typ = cti.Held
	}
	var all []told
	if c.leg() && c.stage == established {
		c.held = held
		all = append(all, i.tell(c, w, cti.Event{Type: typ, By: cti.ByLocal}))
	}
	for _, other := range i.others(c) {
		if other.leg() && other.stage == established {
			all = append(all, i.tell(other, w, cti.Event{Type: typ, By: cti.ByRemote}))
		}
	}
	if !held {
		all = append(all, i.better(c, w)...)
	}
	return all
}

// others lists the channels in the same bridge.
func (i *interpreter) others(c *channel) []*channel {
	if c == nil || i.bridges[c.bridge] == nil {
		return nil
	}
	b := i.bridges[c.bridge]
	var all []*channel
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		if other := i.channels[id]; other != nil && other != c {
			all = append(all, other)
		}
	}
	return all
}

// better: the exchange knows better who is at the far end of a call that came in. What the agent dialled stays what it is. While the agent holds, the
// same channel may be connected with a colleague who is asked, by a feature code.
func (i *interpreter) better(c *channel, w when) []told {
	if c == nil || !c.leg() || c.stage == untold || c.outgoing() || c.held || c.hidden {
		return nil
	}
	r := i.far(c.connected)
	if r.Withheld || r.Raw == c.extension || r == c.remote {
		return nil
	}
	c.remote = r
	return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
}

// hangupAsked notes who hung up first: the agent, or who they are connected with or rung by.
func (i *interpreter) hangupAsked(c *channel, m message) {
	if c == nil {
		return
	}
	c.gone = true
	if !m.Soft && c.refusal == 0 {
		c.refusal = m.Cause
	}
	if c.leg() && c.hungBy == "" && (c.stage == established || c.outgoing() || refuses(m.Cause)) {
		c.hungBy = cti.ByLocal
	}
	for _, leg := range i.channels {
		if leg == c || !leg.leg() || leg.hungBy != "" {
			continue
		}
		with := c.bridge != "" && leg.bridge == c.bridge && i.bridges[c.bridge] != nil && i.parties(i.bridges[c.bridge]) < 3
		if with || leg.stage != established && !leg.outgoing() && leg.journey == c.id && leg.ended == "" && !m.Soft {
			leg.hungBy = cti.ByRemote
		}
	}
}

// refuses tells whether a phone that rings says so with this cause that its agent does not want the call: others are of a phone that cannot take it.
func refuses(q850 int) bool {
	code := byQ850[q850]
	return code == "" || code == cti.CauseBusy || code == cti.CauseRejected
}

// varset: a variable that is wanted came, on the agent's channel or on one that it came about through.
func (i *interpreter) varset(c *channel, m message, w when) []told {
	if c == nil || !i.note(c, m.Variable, m.Value) {
		return nil
	}
	var all []told
	for _, id := range slices.Sorted(maps.Keys(i.channels)) {
		leg := i.channels[id]
		if !leg.leg() || leg.stage == untold || leg != c && !slices.Contains(i.chain(id), c.id) {
			continue
		}
		for name, value := range c.data {
			leg.keep(name, value)
		}
		e := cti.Event{Type: cti.Info}
		e.Recording = c.recording()
		all = append(all, i.tell(leg, w, e))
	}
	return all
}

// recordingVariable is where the application MixMonitor writes the name of its file.
const recordingVariable = "MIXMONITOR_FILENAME"

// recording is where the call is recorded; nil if that is not known.
func (c *channel) recording() *cti.Recording {
	name := c.recorded[strings.LastIndexByte(c.recorded, '/')+1:]
	if name == "" {
		return nil
	}
	return &cti.Recording{ID: name, Name: name}
}

// note keeps a variable if it is wanted, and tells whether it says anything new.
func (i *interpreter) note(c *channel, variable, value string) bool {
	if variable == recordingVariable {
		value = cti.Clean(value, cti.MaxText)
		changed := c.recorded != value
		c.recorded = value
		return changed && value != ""
	}
	name := i.wanted.name(variable)
	return name != "" && c.keep(name, cti.Clean(value, cti.MaxURI))
}

func (c *channel) keep(name, value string) bool {
	if old, known := c.data[name]; value == "" || old == value || !known && len(c.data) >= maxData {
		return false
	}
	if c.data == nil {
		c.data = map[string]string{}
	}
	c.data[name] = value
	return true
}
