package ami

import (
	"maps"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxMembers bounds the members of queues that are followed.
const maxMembers = 20_000

// queues is what is known of the queues' members, and which calls they have.
type queues struct {
	members map[memberKey]membership
	states  map[string]cti.AgentStatus // as told last, by extension
	talks   map[string]*leg            // the last call a member was connected to, by Interface: AgentComplete may name nothing else
}

type memberKey struct{ queue, member string }

type membership struct {
	extension string
	paused    bool
	reason    string
}

func newQueues() queues {
	return queues{members: map[memberKey]membership{}, states: map[string]cti.AgentStatus{}, talks: map[string]*leg{}}
}

func (m *machine) queueJoin(b block) {
	c := m.seen(b, "")
	if c == nil {
		return
	}
	j := m.journeyOf(c.journey)
	if queue := b.get("Queue"); j.queue != queue || j.joined.IsZero() {
		j.queue, j.joined, j.abandoned = strings.Clone(queue), m.now, false // the last queue counts
	}
	m.touch(c)
}

// queueEntry is a caller who waited before we came: Wait is in seconds.
func (m *machine) queueEntry(b block) {
	if c := m.channels[b.get("Uniqueid")]; c != nil {
		j := m.journeyOf(c.journey)
		j.queue, j.joined = strings.Clone(b.get("Queue")), m.now.Add(-time.Duration(number(b.get("Wait")))*time.Second)
	}
}

func (m *machine) queueAbandon(b block) {
	m.touch(m.seen(b, ""))
	if j := m.journeys[b.get("Linkedid")]; j != nil {
		j.abandoned = true
		m.touchJourney(j)
	}
}

// agentCalled: the queue has a member's phone rung; which queue that is goes with the ring.
func (m *machine) agentCalled(b block) {
	from, to := m.seen(b, ""), m.seen(b, "Dest")
	if to == nil {
		return
	}
	j := m.journeyOf(to.journey)
	keep(&j.queue, b.get("Queue"))
	if from != nil {
		to.by = from.id
		if from.dialledTo == "" {
			from.dialledTo = strings.Clone(b.get("Exten"))
		}
	}
	to.dialled = true
	m.touch(to)
}

// agentConnect: the member took the call. HoldTime and RingTime are in seconds here (AgentRingNoAnswer has milliseconds); the wait ended when
// the phone rang.
func (m *machine) agentConnect(b block) {
	m.touch(m.seen(b, ""))
	to := m.seen(b, "Dest")
	if to == nil {
		return
	}
	m.answeredBy(m.journeys[to.journey], to.id)
	m.touch(to)
	m.settle()
	l := m.answererOf(to)
	if l == nil {
		return
	}
	if len(m.queue.talks) < maxMembers {
		m.queue.talks[strings.Clone(b.get("Interface"))] = l
	}
	m.inQueue(l, b.get("Queue"), max(0, number(b.get("HoldTime"))-number(b.get("RingTime"))))
}

// answererOf gives the leg that is behind a channel a queue dialled: its own, or, when that is half of a Local channel, the one of its journey that
// answered last.
func (m *machine) answererOf(c *channel) *leg {
	if c.leg != nil || !c.local() {
		return c.leg
	}
	j := m.journeys[c.journey]
	if j == nil {
		return nil
	}
	for _, a := range slices.Backward(j.answered) {
		if o := m.channels[a.by]; o != nil && o.leg != nil && o.leg.direction == cti.In {
			return o.leg
		}
	}
	return nil
}

// inQueue tells which queue a call came through and how long it waited in it, in whole seconds, where that was not known when it rang.
func (m *machine) inQueue(l *leg, queue string, seconds int) {
	if queue == "" || l.queue != nil && l.queue.Name == queue && (l.queue.WaitMS > 0 || seconds == 0) {
		return
	}
	l.queue = &cti.Queue{Name: strings.Clone(queue), WaitMS: int64(seconds) * 1000}
	if l.begun {
		m.out(l, cti.Event{Type: cti.Info})
	}
}

// agentComplete: the talk is over. When the agent hung up there are no fields of channels in it, so that the call is the last one the member was
// connected to. Reason is agent, caller or transfer.
func (m *machine) agentComplete(b block) {
	member := b.get("Interface")
	l := m.queue.talks[member]
	delete(m.queue.talks, member)
	if id := b.get("DestUniqueid"); id != "" && (l == nil || l.channel.id != id) {
		switch c := m.channels[id]; {
		case c != nil && c.leg != nil:
			l = c.leg
		case m.ended[id] != nil:
			l = m.ended[id]
		}
	}
	if l == nil {
		return
	}
	m.inQueue(l, b.get("Queue"), 0)
	switch b.get("Reason") {
	case "agent":
		l.endBy = cti.ByLocal
	case "caller":
		l.endBy = cti.ByRemote
	}
	m.touched[l] = true
}

// agentRingNoAnswer: the member let it ring. RingTime is in milliseconds here.
func (m *machine) agentRingNoAnswer(b block) {
	m.touch(m.seen(b, ""))
	to := m.seen(b, "Dest")
	if to == nil {
		if l := m.ended[b.get("DestUniqueid")]; l != nil {
			l.noAnswer = true
			m.touched[l] = true
		}
		return
	}
	m.touch(to)
	for _, l := range m.behind(to) {
		l.noAnswer = true
		m.touched[l] = true
	}
}

// behind gives the legs for which a channel was dialled: its own, or those which a Local channel's dialplan had rung.
func (m *machine) behind(c *channel) []*leg {
	var all []*leg
	if j := m.journeys[c.journey]; j != nil {
		for l := range j.legs {
			if !l.ended && m.cameThrough(l, c) {
				all = append(all, l)
			}
		}
	}
	return all
}

// mostHops bounds the Local channels one behind the other.
const mostHops = 8

// cameThrough tells whether a leg was dialled by a channel of a dialplan's, or by one that that had dialled.
func (m *machine) cameThrough(l *leg, c *channel) bool {
	at := l.channel
	for range mostHops {
		if at == c {
			return true
		}
		if at = m.otherHalf(m.channels[at.by]); at == nil {
			return false
		}
	}
	return false
}

// otherHalf gives the first half of a Local channel of which this is the second.
func (m *machine) otherHalf(second *channel) *channel {
	if second == nil || !strings.HasSuffix(second.name, ";2") {
		return nil
	}
	first := strings.TrimSuffix(second.name, ";2") + ";1"
	for _, c := range m.channels {
		if c.name == first {
			return c
		}
	}
	return nil
}

// member notes a member of a queue, and tells the agent's state where it is another now.
func (m *machine) member(b block, interfaceName, paused, reason string) {
	queue := b.get("Queue")
	if queue == "" || interfaceName == "" || paused == "" {
		return
	}
	key := memberKey{queue, interfaceName}
	known, is := m.queue.members[key]
	if !is {
		extension := m.extensionOfMember(b.get("StateInterface"), interfaceName)
		if extension == "" || len(m.queue.members) >= maxMembers {
			return
		}
		key = memberKey{strings.Clone(queue), strings.Clone(interfaceName)}
		known.extension = strings.Clone(extension)
	}
	before := known
	known.paused, known.reason = paused == "1", ""
	if known.paused {
		known.reason = strings.Clone(reason)
	}
	if is && known == before {
		return
	}
	m.queue.members[key] = known
	if m.snap.members { // all are told at once when the list is complete
		return
	}
	m.tellState(known.extension)
}

func (m *machine) memberPause(b block) {
	reason := b.get("PausedReason")
	if reason == "" {
		reason = b.get("Reason")
	}
	member := b.get("Interface")
	if member == "" {
		member = b.get("Location")
	}
	m.member(b, member, b.get("Paused"), reason)
}

func (m *machine) memberRemoved(b block) {
	key := memberKey{b.get("Queue"), b.get("Interface")}
	if gone, is := m.queue.members[key]; is {
		delete(m.queue.members, key)
		m.tellState(gone.extension)
	}
}

// tellState: an agent who is paused in all queues is not ready, one who is in none is logged off.
func (m *machine) tellState(extension string) {
	state := cti.AgentStatus{State: cti.LoggedOff}
	for _, one := range m.queue.members {
		switch {
		case one.extension != extension:
			continue
		case !one.paused:
			state = cti.AgentStatus{State: cti.Ready}
		case state.State != cti.Ready && state.Reason == "":
			state = cti.AgentStatus{State: cti.NotReady, Reason: one.reason}
		}
	}
	if m.queue.states[extension] == state {
		return
	}
	if state.State == cti.LoggedOff {
		delete(m.queue.states, extension)
	} else {
		m.queue.states[extension] = state
	}
	m.emit(extension, cti.Event{V: cti.EnvelopeVersion, Type: cti.AgentState, At: m.now, SourceAt: sourceTime(m.block), Source: m.source,
		Local: cti.Local{Extension: extension}, Agent: &state})
}

// interfaces lists how the queues call an extension.
func (m *machine) interfaces(extension string) []string {
	all := map[string]bool{}
	for key, one := range m.queue.members {
		if one.extension == extension {
			all[key.member] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
