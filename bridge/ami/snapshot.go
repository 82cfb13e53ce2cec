package ami

import (
	"maps"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// snapshot follows the list of channels that is taken after every connection.
type snapshot struct {
	open    bool
	listing map[string]listing // by Uniqueid
	members bool               // the list of queue members is on its way
	taken   bool               // on this connection
}

type listing struct {
	block               block
	bridge, application string
}

// connected begins a connection: what happens is told from now on, what happened before is found by listing.
func (m *machine) connected() {
	m.block = nil
	m.questions = map[string]question{}
	m.snap = snapshot{open: true, listing: map[string]listing{}, members: true}
	for _, key := range slices.Collect(maps.Keys(m.queue.members)) {
		delete(m.queue.members, key)
	}
	m.list("CoreShowChannels")
	m.ask(action{{"Action", "QueueStatus"}}, func(_ block, ok bool) {
		if !ok {
			m.membersComplete(nil)
		}
	})
}

// list asks for all channels. CoreShowChannels needs the class reporting or system; Status does with call.
func (m *machine) list(with string) {
	m.ask(action{{"Action", with}}, func(_ block, ok bool) {
		switch {
		case ok:
		case with == "CoreShowChannels":
			m.list("Status")
		default:
			m.snap.open = false // no list, no snapshot: what was live is told on by events, or not at all
		}
	})
}

// lost ends a connection: what is waited for will not come.
func (m *machine) lost() {
	m.block = nil
	for _, c := range m.channels {
		if c.leg != nil {
			m.identified(c.leg)
		}
	}
	for _, l := range m.ended {
		if !l.ended {
			e, _ := m.conclude(l)
			m.finish(l, e)
		}
		m.identified(l)
	}
	m.deadlines = nil
	m.questions = map[string]question{}
	m.snap = snapshot{}
}

func (m *machine) listed(b block, bridge, application string) {
	if id := b.get("Uniqueid"); m.snap.open && id != "" && len(m.snap.listing) < maxChannels {
		m.snap.listing[id] = listing{b, bridge, application}
	}
}

// listComplete reconciles: channels that are not listed are over, those that are listed and unknown are taken up as they stand.
func (m *machine) listComplete(block) {
	if !m.snap.open {
		return
	}
	m.snap.open = false
	for _, id := range slices.Sorted(maps.Keys(m.channels)) {
		if _, live := m.snap.listing[id]; !live {
			m.vanished(m.channels[id])
		}
	}
	m.bridges = map[string]map[string]bool{}
	for id, one := range m.snap.listing {
		m.relist(id, one)
	}
	for id, one := range m.snap.listing {
		if c := m.channels[id]; c != nil {
			m.takeUp(c, one)
		}
	}
	m.snap.listing = nil
	m.settleSnapshot()
}

// vanished forgets a channel that ended while nobody listened: the snapshot that does not list its leg clears it.
func (m *machine) vanished(c *channel) {
	if l := c.leg; l != nil {
		l.ended = true
		if j := m.journeys[c.journey]; j != nil {
			delete(j.legs, l)
		}
		delete(m.touched, l)
		m.ended[c.id] = l
		m.forget(recordable, func() { delete(m.ended, c.id) })
	}
	m.drop(c)
}

func (m *machine) relist(id string, one listing) {
	delete(m.over, id)
	c := m.seen(one.block, "")
	if c == nil {
		return
	}
	c.bridge = ""
	if one.bridge == "" || !counts(c.name) {
		return
	}
	c.bridge = strings.Clone(one.bridge)
	if m.bridges[c.bridge] == nil {
		m.bridges[c.bridge] = map[string]bool{}
	}
	m.bridges[c.bridge][c.id] = true
}

// takeUp tells from the application a channel runs how it began: AppDial was dialled by another channel, AppDial2 by the exchange itself; any other
// is the dialplan's, so that the phone dialled.
func (m *machine) takeUp(c *channel, one listing) {
	switch one.application {
	case "AppDial", "AppQueue":
		c.dialled = true
		if c.by == "" {
			c.by = m.dialler(c)
		}
		c.rings = c.rings || c.state == stateRinging
	case "AppDial2":
		c.dialled = true
	case "Dial":
		c.dialledTo = strings.Clone(one.block.get("Exten"))
		c.extension = c.dialledTo
		for id := range m.snap.listing {
			if o := m.channels[id]; o != nil && o != c && o.journey == c.journey && m.snap.listing[id].application == "AppDial" {
				c.dials = o.id
				c.farRings = c.farRings || o.state == stateRinging
			}
		}
		c.state = max(c.state, stateRing)
	}
	if c.leg == nil && c.device != "" && !c.dialled && c.state == stateUp {
		c.state = stateRing // its phone dialled, and something answered
		m.adopt(c)
		c.state = stateUp
	}
	m.adopt(c)
	if c.leg != nil {
		m.touched[c.leg] = true
	}
}

// dialler finds who dialled a channel: another of its journey that is no dialled one.
func (m *machine) dialler(c *channel) string {
	for _, id := range slices.Sorted(maps.Keys(m.snap.listing)) {
		if o := m.channels[id]; o != nil && o != c && o.journey == c.journey && !strings.HasPrefix(m.snap.listing[id].application, "AppDial") {
			return id
		}
	}
	return c.journey
}

// settleSnapshot brings the legs to where the list says they are, which the snapshot tells, and no events of their own: it is not known when they
// came there. What the exchange is asked about them is waited for.
func (m *machine) settleSnapshot() {
	found := slices.Collect(maps.Keys(m.touched))
	m.quiet = true
	m.settle()
	m.quiet = false
	for _, l := range found {
		l.recorded = nil
		m.touched[l] = true // what is neither state nor identity is told as always, after the snapshot
	}
	m.await()
}

// await tells the snapshots when nothing is waited for any more, or snapshotWait is over.
func (m *machine) await() {
	until := m.now.Add(snapshotWait)
	var look func()
	look = func() {
		for _, c := range m.channels {
			if c.leg != nil && c.leg.asked && !c.leg.settled && m.now.Before(until) {
				m.after(snapshotLook, look)
				return
			}
		}
		m.tellSnapshots()
	}
	look()
}

func (m *machine) tellSnapshots() {
	m.snap.taken = true
	wanted := maps.Clone(m.asked)
	for _, c := range m.channels {
		if c.leg != nil {
			wanted[c.leg.extension] = true
		}
	}
	for _, l := range m.ended {
		wanted[l.extension] = true
	}
	for _, extension := range slices.Sorted(maps.Keys(wanted)) {
		m.tellSnapshot(extension)
	}
}

// tellSnapshot gives the live legs of one extension. An extension that is asked for before the first list of a connection gets it with the list.
func (m *machine) tellSnapshot(extension string) {
	e := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: m.now, Source: m.source, Local: cti.Local{Extension: extension}, Legs: []cti.Event{}}
	for _, l := range m.legsOf(extension) {
		if l.begun && !l.ended {
			m.identified(l)
			e.Legs = append(e.Legs, m.asListed(l))
		}
	}
	m.emit(extension, e)
}

// legsOf lists the legs of an extension, the oldest first.
func (m *machine) legsOf(extension string) []*leg {
	var legs []*leg
	for _, c := range m.channels {
		if c.leg != nil && c.leg.extension == extension {
			legs = append(legs, c.leg)
		}
	}
	slices.SortFunc(legs, func(a, b *leg) int {
		if a.born != b.born {
			return int(min(max(int64(a.born)-int64(b.born), -1), 1)) //nolint:gosec // counts of blocks
		}
		return strings.Compare(a.channel.id, b.channel.id)
	})
	return legs
}

func (m *machine) asListed(l *leg) cti.Event {
	e := cti.Event{V: cti.EnvelopeVersion, Type: cti.Originated, At: m.now, Source: m.source, Remote: l.remote, Dialled: l.dialled,
		Local: cti.Local{Extension: l.extension}, Queue: l.queue,
		Call: cti.CallRef{Direction: l.direction, Purpose: l.purpose, ClickToDial: l.clickToDial, Refs: l.refs()}}
	if l.untold {
		e.Data, l.untold = maps.Clone(l.data), false
	}
	switch {
	case l.heldBy[cti.ByLocal]:
		e.Type, e.By = cti.Held, cti.ByLocal
	case l.heldBy[cti.ByRemote]:
		e.Type, e.By = cti.Held, cti.ByRemote
	case l.established:
		e.Type = cti.Established
	case l.direction == cti.In:
		e.Type, e.Side = cti.Delivered, cti.SideLocal
	case l.farRang:
		e.Type, e.Side = cti.Delivered, cti.SideRemote
	}
	return e
}

// membersComplete tells the state of all agents anew.
func (m *machine) membersComplete(block) {
	if !m.snap.members {
		return
	}
	m.snap.members = false
	extensions := map[string]bool{}
	for _, one := range m.queue.members {
		extensions[one.extension] = true
	}
	for extension := range m.queue.states {
		extensions[extension] = true
	}
	m.queue.states = map[string]cti.AgentStatus{}
	for _, extension := range slices.Sorted(maps.Keys(extensions)) {
		m.tellState(extension)
	}
}

// want notes that snapshots of an extension are wanted; one that is new gets its first at once.
func (m *machine) want(extension string) {
	if m.asked[extension] || extension == "" || len(m.asked) >= maxMembers {
		return
	}
	m.asked[extension] = true
	if m.snap.taken {
		m.tellSnapshot(extension)
	}
}
