package ami

import (
	"strings"
	"time"
)

// channel is one channel of the exchange and what was said of it. Only those of extensions are legs; the others are callers, trunks and halves of
// Local channels.
type channel struct {
	id, name, journey    string
	device               string // the extension it is the device of
	state                int    // the highest of Asterisk's: 4 it dials, 5 it rings, 6 it is up
	number, caller       string
	connected, connNamed string // the connected line: what the phone shows
	extension            string // the dialplan's when the channel was new: what it dialled
	withheld             bool
	callID               string

	dialled   bool   // it was dialled, by:
	by        string // the channel that dialled it; "" when the exchange did by itself
	rings     bool
	outcome   string // DialEnd of its being dialled, the first that was said
	dials     string // the channel it dials or dialled last
	dialledTo string // the extension it dialled with
	farRings  bool
	result    string // DialEnd of its dialling

	bridge    string
	held      bool
	requested bool // HangupRequest: this side hung up
	gone      bool
	cause     int // of its Hangup

	leg *leg
}

// local tells that it is half of a Local channel: a bit of dialplan, no phone and no line.
func (c *channel) local() bool { return strings.HasPrefix(c.name, "Local/") }

// counts tells that somebody is there to talk to.
func counts(name string) bool {
	for _, no := range []string{"Announcer/", "Recorder/", "CBAnn/", "CBRec/", "Snoop/", "UnicastRTP/"} {
		if strings.HasPrefix(name, no) {
			return false
		}
	}
	return true
}

// journey is what all channels with one Linkedid share: the customer's way through the exchange.
type journey struct {
	id        string
	channels  int // live ones
	queue     string
	joined    time.Time // entered the queue
	data      map[string]string
	recording string
	answered  []answer
	leavers   []leaver // those who went, and are no extension that only rang
	abandoned bool     // the queue says that the caller gave up
	transfer  *passed
	legs      map[*leg]bool // those that are live, and those that ended and may be told more
}

type answer struct {
	by   string // the channel that was dialled
	step uint64
}

type leaver struct {
	id    string
	step  uint64
	asked bool // HangupRequest: it was that side which hung up
}

// keptAnswers is how many answers and leavers of a journey are remembered: the last ones decide.
const keptAnswers = 32

func bounded[T any](list []T, one T) []T {
	if len(list) >= keptAnswers {
		list = append(list[:0], list[1:]...)
	}
	return append(list, one)
}

func (m *machine) journeyOf(id string) *journey {
	j := m.journeys[id]
	if j == nil {
		j = &journey{id: strings.Clone(id), legs: map[*leg]bool{}}
		m.journeys[j.id] = j
	}
	return j
}

// seen notes what a block says about the channel whose fields begin with prefix: "" or Dest. nil when it says nothing, or the channel is over.
func (m *machine) seen(b block, prefix string) *channel {
	id, name := b.get(prefix+"Uniqueid"), b.get(prefix+"Channel")
	if id == "" || name == "" {
		return nil
	}
	if m.over[id] {
		return nil
	}
	c := m.channels[id]
	if c == nil {
		if c = m.newChannel(id, name, b.get(prefix+"Linkedid")); c == nil {
			return nil
		}
	}
	m.link(c, b.get(prefix+"Linkedid"))
	c.state = max(c.state, number(b.get(prefix+"ChannelState")))
	keep(&c.number, b.get(prefix+"CallerIDNum"))
	keep(&c.caller, b.get(prefix+"CallerIDName"))
	keep(&c.connected, b.get(prefix+"ConnectedLineNum"))
	keep(&c.connNamed, b.get(prefix+"ConnectedLineName"))
	if c.extension == "" {
		keep(&c.extension, b.get(prefix+"Exten"))
	}
	return c
}

// keep notes what is known now, and never that nothing is.
func keep(have *string, got string) {
	if got != "" && got != *have {
		*have = strings.Clone(got)
	}
}

func (m *machine) newChannel(id, name, linked string) *channel {
	if len(m.channels) >= maxChannels || len(id) > 150 || len(linked) > 150 { // AST_MAX_UNIQUEID
		return nil
	}
	c := &channel{id: strings.Clone(id), name: strings.Clone(name)}
	m.channels[c.id] = c
	if linked == "" {
		linked = id
	}
	j := m.journeyOf(linked)
	c.journey = j.id
	j.channels++
	c.device = m.extensionOf(c.name)
	return c
}

// link notes that a channel is of another journey now: two have been joined, and the older name is kept.
func (m *machine) link(c *channel, linked string) {
	if linked == "" || linked == c.journey || len(linked) > 150 {
		return
	}
	old, j := m.journeys[c.journey], m.journeyOf(linked)
	c.journey = j.id
	j.channels++
	m.left(old)
	if l := c.leg; l != nil && old != nil {
		delete(old.legs, l)
		j.legs[l] = true
	}
}

// left notes that a channel is no more of a journey; when it was the last, the journey is forgotten after what is late may still have come.
func (m *machine) left(j *journey) {
	if j == nil {
		return
	}
	if j.channels--; j.channels <= 0 {
		m.forget(remembered, func() {
			if j.channels <= 0 && m.journeys[j.id] == j {
				delete(m.journeys, j.id)
			}
		})
	}
}

// drop takes a channel out of everything.
func (m *machine) drop(c *channel) {
	m.leave(c)
	delete(m.channels, c.id)
	m.over[c.id] = true
	m.forget(remembered, func() { delete(m.over, c.id) })
	m.left(m.journeys[c.journey])
}

// touch has the legs that a channel's evidence is about looked at again.
func (m *machine) touch(c *channel) {
	if c == nil {
		return
	}
	m.adopt(c)
	if c.leg != nil {
		m.touched[c.leg] = true
	}
	for other := range m.bridges[c.bridge] {
		if o := m.channels[other]; o != nil && o.leg != nil {
			m.touched[o.leg] = true
		}
	}
}

// touchJourney has all legs of a journey looked at again.
func (m *machine) touchJourney(j *journey) {
	if j == nil {
		return
	}
	for l := range j.legs {
		m.touched[l] = true
	}
}

func (m *machine) newCallerID(b block) {
	c := m.seen(b, "")
	if c == nil {
		return
	}
	// AST_PRES_RESTRICTION, bits 5 and 6 of CID-CallingPres: 32 is prohibited.
	digits, _, _ := strings.Cut(b.get("CID-CallingPres"), " ")
	if digits != "" {
		c.withheld = number(digits)&0x60 == 0x20
	}
	m.touch(c)
}

// connectedLine: the phone shows another number or name now.
func (m *machine) connectedLine(b block) {
	c := m.seen(b, "")
	m.touch(c)
	if c != nil && c.leg != nil {
		m.shown(c.leg)
	}
}

// rename: a picked-up call goes on in the same channel under the name of who picked it up (from source; not recorded).
func (m *machine) rename(b block) {
	c, name := m.channels[b.get("Uniqueid")], b.get("Newname")
	if c == nil || name == "" {
		return
	}
	c.name, c.device = strings.Clone(name), m.extensionOf(name)
	if l := c.leg; l != nil && c.device != l.extension {
		c.leg = nil
		m.diverted(l)
	}
	m.touch(c)
}

func (m *machine) dialBegin(b block) {
	m.dialling(b, false)
}

func (m *machine) dialState(b block) {
	status := b.get("DialStatus")
	m.dialling(b, status == "RINGING" || status == "PROGRESS")
}

// dialling notes that one channel dials another, and whether it rings there. A block that is late, or comes again, finds it noted.
func (m *machine) dialling(b block, rings bool) {
	from, to := m.seen(b, ""), m.seen(b, "Dest")
	if to == nil {
		return
	}
	to.dialled = true
	to.rings = to.rings || rings
	if from != nil {
		to.by = from.id
		if from.dials != to.id {
			from.dials, from.result = to.id, ""
			from.dialledTo = strings.Clone(b.get("Exten"))
		}
		from.farRings = from.farRings || rings
	}
	m.touch(to)
	m.touch(from)
}

func (m *machine) dialEnd(b block) {
	status := strings.Clone(b.get("DialStatus"))
	from, to := m.seen(b, ""), m.seen(b, "Dest")
	if to != nil {
		to.dialled = true
		if from != nil {
			to.by = from.id
		}
		if to.outcome == "" {
			to.outcome = status
		}
		if status == "NOANSWER" && to.local() { // the agents' phones behind it are cancelled then, as if the caller had gone
			for _, l := range m.behind(to) {
				if l.channel.outcome == "" {
					l.channel.outcome = status
				}
			}
		}
		m.touch(to)
	}
	if from != nil {
		if status != "CANCEL" || from.result == "" { // the losers of a ring group are cancelled after the winner answered
			from.result = status
		}
		m.touch(from)
	}
	m.dialEndLate(b, status)
	if status == "ANSWER" {
		linked := b.get("DestLinkedid")
		if to != nil {
			linked = to.journey
		}
		m.answeredBy(m.journeys[linked], b.get("DestUniqueid"))
	}
}

// dialEndLate is for a DialEnd which the Hangup overtook.
func (m *machine) dialEndLate(b block, status string) {
	if l := m.ended[b.get("DestUniqueid")]; l != nil && l.channel.outcome == "" {
		l.channel.outcome = status
		m.touched[l] = true
	}
	if l := m.ended[b.get("Uniqueid")]; l != nil && l.channel.result == "" {
		l.channel.result = status
		m.touched[l] = true
	}
}

// answeredBy notes who took a customer's call, so that the others know that it was answered elsewhere.
func (m *machine) answeredBy(j *journey, channel string) {
	if j == nil || channel == "" {
		return
	}
	j.answered = bounded(j.answered, answer{strings.Clone(channel), m.step})
	m.touchJourney(j)
}

func (m *machine) bridgeEnter(b block) {
	c, bridge := m.seen(b, ""), b.get("BridgeUniqueid")
	if c == nil || bridge == "" {
		return
	}
	if c.bridge != bridge {
		m.leave(c)
		c.bridge = strings.Clone(bridge)
	}
	if b.get("BridgeTechnology") == "holding_bridge" || !counts(c.name) {
		return // parked, or an announcement
	}
	in := m.bridges[c.bridge]
	if in == nil {
		in = map[string]bool{}
		m.bridges[c.bridge] = in
	}
	if swapped := b.get("SwapUniqueid"); swapped != "" { // it takes another's place, which is not going away to ask somebody
		delete(in, swapped)
		if c.leg != nil && c.leg.established {
			c.leg.home = c.bridge
		}
	}
	in[c.id] = true
	m.touch(c)
	m.joined(c)
}

func (m *machine) bridgeLeave(b block) {
	c := m.seen(b, "")
	if c == nil || c.bridge != b.get("BridgeUniqueid") {
		return
	}
	m.touch(c)
	m.leave(c)
}

func (m *machine) leave(c *channel) {
	in := m.bridges[c.bridge]
	delete(in, c.id)
	if len(in) == 0 {
		delete(m.bridges, c.bridge)
	}
	c.bridge = ""
}

// bridgeMerge: all of one bridge go over into another.
func (m *machine) bridgeMerge(b block) {
	from, to := b.get("FromBridgeUniqueid"), b.get("ToBridgeUniqueid")
	for _, c := range m.channels {
		if l := c.leg; l != nil && from != "" && l.home == from {
			l.home = strings.Clone(to)
		}
	}
}

func (m *machine) destroyBridge(id string) {
	for other := range m.bridges[id] {
		if c := m.channels[other]; c != nil {
			c.bridge = ""
		}
	}
	delete(m.bridges, id)
}

func (m *machine) hold(b block, held bool) {
	if c := m.seen(b, ""); c != nil {
		c.held = held
		m.touch(c)
	}
}

func (m *machine) hangupRequest(b block) {
	c := m.seen(b, "")
	if c == nil {
		if l := m.ended[b.get("Uniqueid")]; l != nil { // the Hangup overtook it
			l.channel.requested = true
			m.touched[l] = true
		}
		if j := m.journeys[b.get("Linkedid")]; j != nil {
			m.goes(j, b.get("Uniqueid"), true)
		}
		return
	}
	c.requested = true
	m.touch(c)
	if j := m.journeys[c.journey]; j != nil && (!c.dialled || c.outcome == "ANSWER") {
		m.goes(j, c.id, true)
	}
}

// goes notes that somebody leaves a journey: the caller, most often.
func (m *machine) goes(j *journey, id string, asked bool) {
	j.leavers = bounded(j.leavers, leaver{strings.Clone(id), m.step, asked})
	m.touchJourney(j)
}

func (m *machine) hangup(b block) {
	c := m.seen(b, "")
	if c == nil {
		return
	}
	m.adopt(c)
	c.gone, c.cause = true, number(b.get("Cause"))
	m.touch(c)
	if l := c.leg; l != nil {
		l.goneAt, l.goneSourceAt = m.now, sourceTime(b)
		m.ended[c.id] = l
		m.forget(recordable, func() {
			if m.ended[c.id] == l {
				delete(m.ended, c.id)
			}
		})
	} else if j := m.journeys[c.journey]; j != nil && !c.dialled {
		m.goes(j, c.id, c.requested)
	}
	m.drop(c)
}
