package ami

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// RefVendor is the reference that holds a leg's Uniqueid, as ARI spells it too.
const RefVendor = cti.RefVendor + "asterisk"

// ourIDs begins the Uniqueids of calls we had the exchange make (Originate's ChannelId).
const ourIDs = "ringside-"

// leg is an agent's part of a call: one channel of an extension's device, from its first sign to its Hangup, or to its being given away.
type leg struct {
	extension   string
	channel     *channel
	born        uint64
	direction   cti.Direction
	clickToDial bool
	purpose     cti.Purpose
	remote      cti.Remote
	dialled     string
	wrapped     bool // a Local channel dialled it: a bit of dialplan, not the caller
	queue       *cti.Queue
	journey     string

	asked   bool        // the exchange was asked for the Call-ID and the call data
	open    int         // how many of those questions have no answer yet
	settled bool        // what is known of its identity is known: events need not wait
	waiting []cti.Event // for the answers
	data    map[string]string
	untold  bool // of its data

	asksPrivacy, overdue bool      // whether the caller withholds the number is not known yet; the time for all else is over
	nextTone             time.Time // when the next may begin
	recorded             *string   // what was told of its recording

	begun, farRang, established bool
	heldBy                      map[cti.Party]bool
	parties                     map[string]bool

	weHungUp   bool // we had the exchange end it
	weRefused  bool
	noAnswer   bool      // the queue says that the agent did not answer
	endBy      cti.Party // as the queue says
	goneAt     time.Time // when its Hangup came, and when the exchange says it was
	ending     bool      // its channel is gone, and it waits for evidence of why
	ended      bool
	endedAt    time.Time
	unanswered bool // it ended as not answered: that a colleague did may still come

	goneSourceAt time.Time
	talkStep     uint64 // when it was established
	home         string // the bridge in which it was
}

// adopt makes a leg of a channel that is the device of an extension, as soon as it is known how it began.
func (m *machine) adopt(c *channel) {
	if c.leg != nil || c.device == "" || c.gone && c.outcome == "" {
		return
	}
	l := &leg{extension: c.device, channel: c, born: m.step, journey: c.journey, heldBy: map[cti.Party]bool{}}
	switch {
	case strings.HasPrefix(c.id, ourIDs), c.dialled && c.by == "": // the exchange dialled it by itself: the agent is rung first
		l.direction, l.clickToDial = cti.Out, true
	case c.dialled:
		l.direction = cti.In
	case c.state == stateRing:
		l.direction = cti.Out
	default:
		return
	}
	c.leg = l
	m.journeyOf(c.journey).legs[l] = true
}

// Asterisk's channel states that matter here (enum ast_channel_state).
const (
	stateRing    = 4 // the phone dials
	stateRinging = 5 // the phone rings
	stateUp      = 6
)

// tell gives the events that follow from what is known of a leg's channel now and were not given before.
func (m *machine) tell(l *leg) {
	c := l.channel
	if l.ended {
		m.late(l)
		return
	}
	m.identify(l)
	talking := len(m.peers(c)) > 0
	if !l.begun {
		m.begin(l, talking)
	}
	if l.begun && l.direction == cti.Out && c.farRings && !l.farRang && !l.established {
		l.farRang = true
		m.out(l, cti.Event{Type: cti.Delivered, Side: cti.SideRemote})
	}
	if l.begun && talking && !l.established {
		l.established, l.talkStep, l.home = true, m.step, c.bridge
		if m.nameFar(l) {
			m.out(l, cti.Event{Type: cti.Info}) // only this replaces the number that was dialled
		}
		m.out(l, cti.Event{Type: cti.Established})
		m.wantRecording(l)
	}
	if l.established {
		m.tellHolds(l)
	}
	m.tellRecording(l)
	switch {
	case c.gone:
		m.end(l)
	case l.established && m.leftWaiting(l):
		l.goneAt, l.goneSourceAt = m.now, sourceTime(m.block)
		m.finish(l, cleared(cti.CauseNormal, cti.ByRemote))
	}
}

// begin tells the first event: the agent's phone rings, or the agent dials.
func (m *machine) begin(l *leg, talking bool) {
	c := l.channel
	if l.direction == cti.In && !c.rings && c.state < stateRinging && c.outcome != "ANSWER" && !talking {
		return // it is dialled, but its phone did not ring yet
	}
	if l.clickToDial && !c.dialled && c.state < stateRinging {
		return // it is not dialled yet: until then it does not say whom it is for
	}
	l.begun = true
	j := m.journeys[c.journey]
	e := cti.Event{Type: cti.Originated}
	if l.direction == cti.In {
		e = cti.Event{Type: cti.Delivered, Side: cti.SideLocal}
		m.nameCaller(l)
		if j != nil && j.queue != "" && l.queue == nil {
			l.queue = &cti.Queue{Name: j.queue, WaitMS: waited(j, m.now)}
		}
	} else {
		m.nameDialled(l)
		m.purposeOf(l)
	}
	m.out(l, e)
	if l.direction == cti.In && j != nil && j.transfer != nil {
		m.out(l, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: j.transfer.kind, Role: cti.Target, To: l.extension}})
	}
}

func waited(j *journey, now time.Time) int64 {
	if j.joined.IsZero() {
		return 0
	}
	return max(0, now.Sub(j.joined).Milliseconds())
}

// nameCaller: the caller is who dialled the agent's channel, which is the same as the agent's connected line.
func (m *machine) nameCaller(l *leg) {
	c := l.channel
	l.remote = remote(c.connected, c.connNamed)
	if from := m.channels[c.by]; from != nil {
		if from.number != "" {
			l.remote = remote(from.number, from.caller)
		}
		l.dialled, l.wrapped = from.dialledTo, from.local()
	}
	for _, id := range []string{c.by, c.journey} {
		if from := m.channels[id]; from != nil && from.withheld {
			l.remote = nobody
		}
	}
	if root := m.channels[c.journey]; root != nil && (m.dialledBy(c, root) || !dialable(l.dialled)) { // a member of a queue is not what the customer dialled
		for _, theirs := range []string{root.extension, root.dialledTo} {
			if dialable(theirs) {
				l.dialled = theirs
			}
		}
	}
}

// dialledBy tells whether a channel's call goes through Local channels back to another's, which dialled it for somebody: a queue's or a ring group's caller.
func (m *machine) dialledBy(c, caller *channel) bool {
	for range mostHops {
		half := m.otherHalf(m.channels[c.by])
		if half == nil {
			return false
		}
		if half.by == caller.id {
			return true
		}
		c = half
	}
	return false
}

// dialable tells that an Exten is a number, and none of the dialplan's own labels: s, h, i, t.
func dialable(exten string) bool { return len(exten) > 1 || exten >= "0" && exten <= "9" }

func (m *machine) nameDialled(l *leg) {
	c := l.channel
	number := c.extension
	if l.clickToDial {
		number = cmp.Or(m.originals[c.id].number, c.dialledTo, c.connected, c.number)
	}
	l.remote, l.dialled = remote(number, ""), number
}

// nameFar: who retrieves a parked call dialled no number of the caller's; the bridge shows whose call it is. It tells whether that is news.
func (m *machine) nameFar(l *leg) bool {
	if l.direction != cti.Out || l.channel.dials != "" {
		return false
	}
	for _, p := range m.peers(l.channel) {
		if p.number != "" && p.number != l.extension && !p.dialled {
			l.remote = remote(p.number, p.caller)
			if p.withheld {
				l.remote = nobody
			}
			return true
		}
	}
	return false
}

// purposeOf: a colleague dialled during another call is consulted about it.
func (m *machine) purposeOf(l *leg) {
	if l.clickToDial || !m.asked[l.remote.Raw] && !m.config.Colleague(l.remote.Raw) {
		return
	}
	for _, c := range m.channels {
		if o := c.leg; o != nil && o != l && o.extension == l.extension && o.established && !o.ended {
			l.purpose = cti.Consultation
			return
		}
	}
}

// away: by a feature code the agent asks a colleague in another bridge, with the same channel, while the customer waits.
func (m *machine) away(l *leg) bool {
	return l.home != "" && l.channel.bridge != l.home && len(m.bridges[l.home]) > 0
}

// leftWaiting: the customer gave up while the agent asked a colleague by a feature code. The agent's channel goes on, with the colleague.
func (m *machine) leftWaiting(l *leg) bool {
	c := l.channel
	if l.home == "" || c.bridge == "" || c.bridge == l.home || len(m.bridges[l.home]) > 0 {
		return false
	}
	customer := c.journey
	if l.direction == cti.Out {
		customer = c.dials
	}
	return customer != c.id && m.over[customer]
}

// shown: the phone shows another caller now, after a transfer for instance.
func (m *machine) shown(l *leg) {
	c := l.channel
	if m.away(l) {
		return
	}
	if l.direction != cti.In || !l.begun || l.ended || c.connected == "" || c.connected == l.remote.Raw || c.connected == l.extension || l.remote.Withheld {
		return
	}
	if l.remote = remote(c.connected, c.connNamed); m.hides(c.connected) {
		l.remote = nobody
	}
	m.out(l, cti.Event{Type: cti.Info})
}

// hides tells that a number is that of somebody who withholds it.
func (m *machine) hides(number string) bool {
	for _, c := range m.channels {
		if c.withheld && c.number == number {
			return true
		}
	}
	return false
}

// nobody is a far end that does not want to be known.
var nobody = cti.Remote{Number: cti.Number{Withheld: true}}

func remote(number, name string) cti.Remote {
	r := cti.Remote{Name: name}
	switch strings.ToLower(number) {
	case "", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld", "asterisk":
		r.Withheld = true
	default:
		r.Raw = number
	}
	return r
}

// peers are the others in the bridge a channel is in.
func (m *machine) peers(c *channel) []*channel {
	in := m.bridges[c.bridge]
	if c.bridge == "" || !in[c.id] {
		return nil
	}
	var others []*channel
	for id := range in {
		if o := m.channels[id]; o != nil && o != c {
			others = append(others, o)
		}
	}
	return others
}

// tellHolds: what holds the agent's own channel was the agent, what holds another's was the far end.
func (m *machine) tellHolds(l *leg) {
	m.tellHold(l, cti.ByLocal, l.channel.held)
	peers := m.peers(l.channel)
	if len(peers) == 0 {
		return
	}
	far := false
	for _, p := range peers {
		far = far || p.held
	}
	m.tellHold(l, cti.ByRemote, far)
}

func (m *machine) tellHold(l *leg, by cti.Party, held bool) {
	if l.heldBy[by] == held { // an Unhold of what was not held comes before each blind transfer
		return
	}
	l.heldBy[by] = held
	e := cti.Event{Type: cti.Retrieved, By: by}
	if held {
		e.Type = cti.Held
	}
	m.out(l, e)
}

// joined: a third in a bridge makes a conference of the calls that were in it.
func (m *machine) joined(c *channel) {
	there := m.peers(c)
	there = slices.DeleteFunc(there, func(o *channel) bool { return o.leg != nil && o.leg.ended }) // gave the call away, and is about to leave
	if len(there) < 2 || c.number == "" {
		return
	}
	for _, o := range there {
		l := o.leg
		if l == nil || !l.established || l.parties[c.number] || c.number == l.remote.Raw {
			continue
		}
		if l.parties == nil {
			l.parties = map[string]bool{}
		}
		l.parties[c.number] = true
		third := remote(c.number, c.caller)
		if c.withheld {
			third = nobody
		}
		m.about(l, cti.Event{Type: cti.Conferenced, Remote: third})
	}
}

// out gives an event of a leg, with the far end as it is known.
func (m *machine) out(l *leg, e cti.Event) {
	e.Remote = l.remote
	m.about(l, e)
}

// about gives an event of a leg; it waits with those before it until the leg's identity is known.
func (m *machine) about(l *leg, e cti.Event) {
	if m.quiet {
		return
	}
	e.V, e.Source = cti.EnvelopeVersion, m.source
	if e.At.IsZero() {
		e.At, e.SourceAt = m.now, sourceTime(m.block)
	}
	e.Call = cti.CallRef{Direction: l.direction, Purpose: l.purpose, ClickToDial: l.clickToDial}
	e.Local.Extension, e.Dialled = l.extension, l.dialled
	if l.queue != nil && e.Queue == nil {
		q := *l.queue
		e.Queue = &q
	}
	if l.settled {
		m.withIdentity(l, e)
		return
	}
	if len(l.waiting) == 0 {
		m.after(identityWait, func() {
			if l.overdue = true; !l.asksPrivacy {
				m.identified(l)
			}
		})
		m.after(privacyWait, func() { m.identified(l) })
	}
	l.waiting = append(l.waiting, e)
}

// refs names the leg. What it was called first stays: a joined journey has two names.
func (l *leg) refs() map[string]string {
	refs := map[string]string{RefVendor: l.channel.id, cti.RefJourney: l.journey}
	if l.channel.callID != "" {
		refs[cti.RefSIPCallID] = l.channel.callID
	}
	return refs
}

// identify asks the exchange, once, for what its events do not tell: the SIP Call-ID of the agent's dialog, and the call data.
func (m *machine) identify(l *leg) {
	if l.asked {
		return
	}
	l.asked = true
	c := l.channel
	l.open = 1
	m.askData(l)
	m.askWithheld(l)
	if variable := callIDVariable(c.name); variable != "" && c.callID == "" {
		l.open++
		m.ask(action{{"Action", "Getvar"}, {"Channel", c.name}, {"Variable", variable}}, func(b block, ok bool) {
			if ok && c.callID == "" {
				c.callID = strings.Clone(cti.Clean(b.get("Value"), cti.MaxText))
			}
			m.answered(l)
		})
	}
	m.answered(l)
}

func (m *machine) answered(l *leg) {
	if l.open--; l.open <= 0 {
		m.identified(l)
	}
}

// identified lets the events go that waited. What is not known by now is not waited for any more.
func (m *machine) identified(l *leg) {
	if l.settled {
		return
	}
	l.settled = true
	waiting := l.waiting
	l.waiting = nil
	for _, e := range waiting {
		m.withIdentity(l, e)
	}
}

// withIdentity lets an event go, with what names the leg; the first of them has the call data that was known before it.
func (m *machine) withIdentity(l *leg, e cti.Event) {
	e.Call.Refs = l.refs()
	if l.untold {
		e.Data, l.untold = maps.Clone(l.data), false
	}
	m.emit(l.extension, e)
}

// callIDVariable is how the channel driver calls the Call-ID of its dialog: observed with chan_sip, from source with chan_pjsip.
func callIDVariable(channel string) string {
	switch technology, _, _ := strings.Cut(channel, "/"); technology {
	case "SIP":
		return "SIPCALLID"
	case "PJSIP":
		return "CHANNEL(pjsip,call-id)"
	}
	return ""
}
