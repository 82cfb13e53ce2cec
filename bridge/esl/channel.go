package esl

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The numbers of things kept at once; beyond them the oldest is forgotten.
const (
	maxChannels = 8192
	maxGraves   = 1 << 15 // 20,000 calls an hour of three channels each are 10,000 in graveFor
	maxRooms    = 1024
	maxMembers  = 256 // of one conference
	maxData     = 32  // pieces of call data of one channel
	maxID       = 64
	maxMet      = 16 // channels that one talked with, one after the other
)

// graveFor is how long a channel that ended is remembered: late events of it are swallowed, and its recording may still be told.
const graveFor = 10 * time.Minute

// clickVariable marks a channel of ours with the number it is for, so that it is known also after a restart (reducer rule 7).
const clickVariable = "ringside_dial"

// stage is how far an agent's leg got, as far as it was told.
type stage int

const (
	untold stage = iota // nothing of it was told: it does not ring yet
	begun               // dialled
	ringing
	established
)

// channel is what is known of one channel. It is an agent's leg if it has an extension.
type channel struct {
	id, name, extension string
	callID              string // SIP
	journey             string
	outbound            bool // as the switch sees it: to a phone
	number, caller      string
	dest                string // what was dialled
	asserted            string // P-Asserted-Identity
	parent              string // id of the channel it was dialled for
	queue               string
	joined              time.Time // entered the queue
	click               string    // the number that is dialled for the agent once they answered; "" for other legs
	listens             bool      // it listens to somebody else's call
	purpose             cti.Purpose

	stage    stage
	settled  bool
	over     bool // its end was told
	answered bool
	held     bool   // by the agent
	gone     bool   // its hang-up was told
	hidden   bool   // it withholds its number, which the exchange knows all the same: from a trunk that is trusted
	vain     bool   // it ended as not answered: that a colleague did may still come
	killed   bool   // we were asked to end it
	givenTo  string // we were asked to transfer its call there
	passed   bool   // an agent gave it away blindly: whoever it rings next receives a transfer
	peer     string // id of the channel it talks with
	last     string // id of the channel it talked with last
	met      []string
	remote   cti.Remote
	into     string // what was dialled on the way to the agent
	waited   time.Duration
	data     map[string]string
	order    uint64
}

func (c *channel) leg() bool { return c.extension != "" && !c.over }

// outgoing: the agent dialled, or it is dialled for them.
func (c *channel) outgoing() bool { return c.click != "" || !c.outbound }

// meets notes whom a channel talks with from now on.
func (c *channel) meets(with *channel) {
	c.peer, c.last = with.id, with.id
	if !slices.Contains(c.met, with.id) && len(c.met) < maxMet {
		c.met = append(c.met, with.id)
	}
}

// grave is a channel that ended.
type grave struct {
	c  *channel
	at time.Time
}

// lateFor is how long a colleague's answer still makes a call that rang in vain no missed one; the ledger takes a better cause as long.
const lateFor = cti.SettleFor - time.Second

// learn takes what an event says of its own channel; nil for one that ended, or none.
func (i *interpreter) learn(e event) *channel {
	id := e.get("Unique-ID")
	if !properID(id) {
		return nil
	}
	if _, dead := i.graves[id]; dead {
		return nil
	}
	c := i.channels[id]
	if c == nil {
		c = i.begin(id)
	}
	c.name = cmp.Or(clean(e.get("Channel-Name")), c.name)
	if direction := e.get("Call-Direction"); direction != "" {
		c.outbound = direction == "outbound"
	}
	if c.extension == "" {
		c.extension = i.devices.extension(c.name, e.get("Channel-Presence-ID"), i.known)
	}
	c.callID = cmp.Or(clean(e.get("variable_sip_call_id")), c.callID)
	c.number = cmp.Or(c.number, clean(e.get("Caller-Caller-ID-Number")))
	c.caller = cmp.Or(c.caller, clean(e.get("Caller-Caller-ID-Name")))
	c.dest = cmp.Or(c.dest, clean(e.get("Caller-Destination-Number")))
	if e.get("Caller-Privacy-Hide-Number") == "true" {
		c.hides()
	}
	c.asserted = cmp.Or(c.asserted, cti.Clean(e.get("variable_sip_P-Asserted-Identity"), cti.MaxURI))
	if e.get("Other-Type") == "originator" {
		c.parent = cmp.Or(c.parent, i.properOther(e.get("Other-Leg-Unique-ID")))
	}
	c.learnQueue(e)
	if c.journey == "" || !c.settled {
		c.journey = cmp.Or(i.properOther(e.get("variable_cc_member_session_uuid")), i.properOther(e.get("Channel-Call-UUID")), c.journey)
	}
	if number := clean(e.get("variable_" + clickVariable)); number != "" && c.extension != "" && c.outbound {
		c.click = number
	}
	switch e.get("variable_current_application") {
	case "eavesdrop", "userspy":
		c.listens = true
	}
	i.learnData(c, e)
	return c
}

// hides: its caller withholds the number. A leg that was told of before is told of so from now on.
func (c *channel) hides() {
	if !c.hidden && c.settled && !c.outgoing() {
		c.remote = withheld
	}
	c.hidden = true
}

// learnQueue takes what mod_callcenter writes into an agent's channel.
func (c *channel) learnQueue(e event) {
	if e.get("variable_cc_side") != "agent" {
		return
	}
	c.queue = cmp.Or(clean(e.get("variable_cc_queue")), c.queue)
	if member := e.get("variable_cc_member_session_uuid"); properID(member) {
		c.parent = member
	}
}

func (i *interpreter) learnData(c *channel, e event) {
	for header, value := range e.header {
		if name := i.wanted.name(header); name != "" {
			c.keep(name, cti.Clean(value, cti.MaxURI))
		}
	}
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

func clean(s string) string { return cti.Clean(s, cti.MaxText) }

func properID(id string) bool { return len(id) <= maxID && uuid_.MatchString(id) }

func (i *interpreter) properOther(id string) string {
	if properID(id) {
		return id
	}
	return ""
}

func (i *interpreter) begin(id string) *channel {
	for len(i.channels) >= maxChannels {
		oldest, least := "", uint64(0)
		for other, c := range i.channels {
			if oldest == "" || c.order < least {
				oldest, least = other, c.order
			}
		}
		i.forget(oldest)
	}
	i.seen++
	c := &channel{id: id, order: i.seen, click: i.clicks[id]}
	i.channels[id] = c
	return c
}

func (i *interpreter) forget(id string) {
	delete(i.channels, id)
	delete(i.clicks, id)
	delete(i.joined, id)
	for name, room := range i.rooms {
		if delete(room, id); len(room) == 0 {
			delete(i.rooms, name)
		}
	}
}

// bury drops a channel, swallows what still comes of it, and remembers whose it was for its recording. The oldest graves make room.
func (i *interpreter) bury(c *channel, at time.Time) {
	i.forget(c.id)
	g := grave{c, at}
	i.graves[c.id] = g
	i.buried = append(i.buried, g)
	for n := range i.buried {
		if old := i.buried[n]; len(i.buried)-n <= maxGraves && at.Sub(old.at) <= graveFor {
			i.buried = i.buried[n:]
			return
		} else if i.graves[old.c.id] == old { // and not a later one
			delete(i.graves, old.c.id)
		}
	}
}

// known tells whether an extension was asked for or set, so that a channel's name alone is enough to be its.
func (i *interpreter) known(extension string) bool { return i.watched[extension] }

// far gives who is at a channel's own end, for whoever talks with it.
func (c *channel) far() cti.Remote {
	switch {
	case c.extension != "":
		return remote(c.extension, "", "")
	case c.outbound:
		return remote(c.dest, "", "")
	case c.hidden:
		return withheld
	}
	return remote(c.number, c.caller, c.asserted)
}

var withheld = cti.Remote{Number: cti.Number{Withheld: true}}

// remote makes the far end; nobody, or one who does not want to be known, is withheld.
func remote(number, name, asserted string) cti.Remote {
	switch strings.ToLower(number) {
	case "", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld", "0000000000": // the last is FreeSWITCH's own for nobody
		return cti.Remote{Number: cti.Number{Withheld: true}, Name: name, Asserted: asserted}
	}
	return cti.Remote{Number: cti.Number{Raw: number}, Name: name, Asserted: asserted}
}
