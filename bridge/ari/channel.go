package ari

import (
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The numbers of things kept at once; beyond them the oldest is forgotten.
const (
	maxChannels = 8192
	maxBridges  = 4096
	maxGraves   = 8192
	maxMembers  = 256 // of one bridge
	maxData     = 32  // pieces of call data of one channel
	maxChain    = 16  // how far a call is followed back to who began it
)

// graveFor is how long the late events of a channel that ended are swallowed.
const graveFor = time.Minute

// Our own channels' ids begin so: what is dialled for an agent is known by it, also after a restart (reducer rule 7).
const clickPrefix = "ringside-"

// role is what a channel is to the exchange.
type role int

const (
	unknown role = iota
	calling      // its device dialled, or its caller came in
	called       // somebody dialled it
)

// stage is how far an agent's leg got, as far as it was told.
type stage int

const (
	untold stage = iota // nothing of it was told: it does not ring yet
	begun               // dialled, or rings at the agent
	ringing
	established
)

// channel is what is known of one channel. It is an agent's leg if it has an extension.
type channel struct {
	id, name, extension string
	callID              string // SIP
	journey             string // id of the channel that began it all; settled with the first event of the leg
	settled             bool
	state               string // Asterisk's: Down, Ring, Ringing, Up
	caller, connected   party
	exten               string // the first that it was in: what was dialled
	app                 string // what the dialplan does with it
	queue               string // while the queue application has it
	listens             bool   // it listens to somebody else's call
	purpose             cti.Purpose
	parent              string // id of the channel that dialled it
	dials               bool   // it dialled another
	role                role
	click               string // the number that is dialled for the agent once they answered; "" for other legs
	bridge, left        string // ids of the bridge that it is in, and of the one that it was in last

	stage   stage
	rang    when // since when it rings; zero: it does not
	over    bool // its end was told
	held    bool // by the agent
	gone    bool // a hang-up was asked for
	hungBy  cti.Party
	ended   string // how dialling it ended
	refusal int    // the cause with which its device hung up; 0: none was told
	dialled string // how the newest dialling by it ended
	result  int    // the refusal of whom it dialled then
	farEnd
	asked    bool // whether its own caller is withheld
	withheld bool // it is
	inQueue  string
	into     string // what was dialled on the way to the agent
	data     map[string]string
	recorded string
	order    uint64
	endedAt  time.Time
}

func (c *channel) leg() bool { return c.extension != "" && !c.over }

// outgoing: the agent dialled, or it is dialled for them.
func (c *channel) outgoing() bool { return c.click != "" || c.role == calling }

// dialledItself tells whether the agent was told to have dialled.
func (c *channel) dialledItself() bool { return c.role == calling && c.stage != untold }

func (c *channel) spy() bool { return strings.HasPrefix(c.name, "Snoop/") }

// learn takes what a snapshot of a channel says; nil for one that ended.
func (i *interpreter) learn(s *channelSnap) *channel {
	if s == nil {
		return nil
	}
	if _, dead := i.graves[s.ID]; dead {
		return nil
	}
	c := i.channels[s.ID]
	if c == nil {
		c = i.begin(s)
	}
	c.state = cti.Clean(s.State, cti.MaxText)
	if s.ProtocolID != "" {
		c.callID = cti.Clean(s.ProtocolID, cti.MaxText)
	}
	c.caller, c.connected = s.Caller.clean(), s.Connected.clean()
	if exten := cti.Clean(s.Dialplan.Exten, cti.MaxText); c.exten == "" && exten != "s" {
		c.exten = exten
	}
	c.queue, c.app = "", cti.Clean(s.Dialplan.App, cti.MaxText)
	switch c.app {
	case "AppDial", "AppDial2", "AppQueue": // what Asterisk writes there for a channel that was dialled
		if !c.dialledItself() { // else it dialled a code for picking a call up, and took the place of whom the call rang
			c.role = called
		}
	case "Dial":
		c.dials = true
	case "Queue":
		c.dials = true
		name, _, _ := strings.Cut(s.Dialplan.AppData, ",")
		c.queue = cti.Clean(name, cti.MaxText)
	case "ChanSpy", "ExtenSpy":
		c.listens = true
	}
	for name, value := range s.Variables {
		i.note(c, name, value)
	}
	return c
}

func (p party) clean() party {
	return party{Name: cti.Clean(p.Name, cti.MaxText), Number: cti.Clean(p.Number, cti.MaxText)}
}

func (i *interpreter) begin(s *channelSnap) *channel {
	for len(i.channels) >= maxChannels {
		i.forget(oldest(i.channels, func(c *channel) uint64 { return c.order }))
	}
	i.seen++
	c := &channel{id: s.ID, name: cti.Clean(s.Name, cti.MaxText), order: i.seen}
	c.extension = i.devices.extension(c.name)
	if strings.HasPrefix(c.name, "Local/") {
		i.locals[c.name] = c.id
	}
	if number, ours := i.clicks[c.id]; ours {
		c.click = number
	} else if strings.HasPrefix(c.id, clickPrefix) && c.extension != "" { // of an earlier run: its number is the other party's
		c.click = firstText(s.Connected.clean().Number, s.Caller.clean().Number, "?")
	}
	i.channels[c.id] = c
	return c
}

func oldest[T any](all map[string]T, order func(T) uint64) string {
	found, least := "", uint64(0)
	for id, one := range all {
		if o := order(one); found == "" || o < least {
			found, least = id, o
		}
	}
	return found
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// forget drops a channel without a word.
func (i *interpreter) forget(id string) {
	c := i.channels[id]
	if c == nil {
		return
	}
	delete(i.channels, id)
	delete(i.clicks, id)
	if i.locals[c.name] == id {
		delete(i.locals, c.name)
	}
	if b := i.bridges[c.bridge]; b != nil {
		delete(b.members, id)
	}
}

// bury drops a channel and swallows what still comes of it.
func (i *interpreter) bury(id string, at time.Time) {
	i.forget(id)
	if len(i.graves) >= maxGraves && at.Sub(i.swept) > time.Second { // a flood must not make every end a search
		i.sweepGraves(at)
		i.swept = at
	}
	if len(i.graves) < maxGraves {
		i.graves[id] = at
	}
}

func (i *interpreter) sweepGraves(now time.Time) {
	for id, at := range i.graves {
		if now.Sub(at) > graveFor {
			delete(i.graves, id)
		}
	}
}

// up gives the channel through which a channel came about: who dialled it, or the other half of a Local pair, which is where the dialplan
// of a queue's or ring group's member runs.
func (i *interpreter) up(id string) string {
	c := i.channels[id]
	if c == nil {
		return ""
	}
	if first, ok := strings.CutSuffix(c.name, ";2"); ok && strings.HasPrefix(c.name, "Local/") {
		return i.locals[first+";1"]
	}
	return c.parent
}

// chain lists a channel and those it came about through, up to who began it all. What Asterisk calls Linkedid is the id of the last.
func (i *interpreter) chain(id string) []string {
	all := []string{id}
	for len(all) < maxChain {
		next := i.up(all[len(all)-1])
		if next == "" {
			break
		}
		all = append(all, next)
	}
	return all
}

// dialledBy tells whether it is known who dialled a channel, if an application of the dialplan did: then Asterisk says so, but it may say first that the
// channel rings.
func (i *interpreter) dialledBy(id string) bool {
	chain := i.chain(id)
	root := i.channels[chain[len(chain)-1]]
	return root == nil || root.app != "AppDial" && root.app != "AppQueue"
}

// behind gives the agent's leg that a channel is, or that is bridged with the other half of a Local one.
func (i *interpreter) behind(c *channel) *channel {
	if c == nil || c.extension != "" {
		return c
	}
	first, is := strings.CutSuffix(c.name, ";1")
	if !is {
		return c
	}
	for _, other := range i.others(i.channels[i.locals[first+";2"]]) {
		if other.extension != "" {
			return other
		}
	}
	return c
}

// customer tells whether who began the call of an agent's leg is still there; not known is false. A pair of Local channels in between ends
// also when a colleague answers, so only the first of the chain counts.
func (i *interpreter) customer(c *channel) (lives, known bool) {
	root := i.channels[c.journey]
	_, dead := i.graves[c.journey]
	return root != nil && root != c && !root.gone, root != nil && root != c || dead
}

// talk is a bridge in which channels hear each other.
type talk struct {
	members map[string]bool
	mixes   bool // two of softmix are no conference by themselves, but a third one is there to stay
	order   uint64
}

// gather takes what a snapshot of a bridge says; nil for one in which nobody talks.
func (i *interpreter) gather(s *bridgeSnap) *talk {
	if s == nil || s.Type == "holding" {
		return nil
	}
	b := i.bridges[s.ID]
	if b == nil {
		for len(i.bridges) >= maxBridges {
			delete(i.bridges, oldest(i.bridges, func(b *talk) uint64 { return b.order }))
		}
		i.seen++
		b = &talk{order: i.seen}
		i.bridges[s.ID] = b
	}
	b.mixes = s.Technology == "softmix"
	b.members = map[string]bool{}
	for _, id := range s.Channels {
		if _, dead := i.graves[id]; !dead && properID(id) && len(b.members) < maxMembers {
			b.members[id] = true
		}
	}
	return b
}

// parties counts who talks in a bridge; who only listens does not.
func (i *interpreter) parties(b *talk) int {
	n := 0
	for id := range b.members {
		if c := i.channels[id]; c == nil || !c.spy() && !c.listens {
			n++
		}
	}
	return n
}
