package baresip

import (
	"context"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxAsks bounds how often a snapshot is begun again because calls came or went between its replies.
const maxAsks = 5

// snapshotter follows the three questions a snapshot takes: reginfo counts the accounts, listcalls lists the calls, before version 4
// without ids and only those of the account in front, and callstat names the call in front. They are sent at once; their replies are
// placed among the events by the order of the stream, so what the phone reported between them is seen, and they are asked again. Where
// the replies leave a call without a name no snapshot can be taken: it is owed until a call has ended.
type snapshotter struct {
	asks     int
	open     bool // asked, not finished
	accounts int  // -1: not known
	list     listing
	listed   bool
	moved    bool // calls came or went since
	owed     bool
}

// saw notes a message and whether it said anything about calls; true asks for the snapshot to be taken now.
func (s *snapshotter) saw(eventType string, told bool) bool {
	s.moved = s.moved || told
	if eventType != "CALL_CLOSED" || !s.owed || s.open {
		return false
	}
	s.owed, s.asks = false, 0
	return true
}

// ask begins a snapshot. It runs, as all of this, on the goroutine that reads the connection.
func (c *session) ask(ctx context.Context, l *link) {
	c.snap.asks++
	c.snap.open, c.snap.accounts, c.snap.listed, c.snap.moved = true, -1, false, false
	for _, question := range []struct {
		command  string
		answered func(message)
	}{
		{"reginfo", func(m message) {
			if n, ok := accounts(m.Data); ok && m.OK {
				c.snap.accounts = n
			}
		}},
		{"listcalls", func(m message) {
			c.snap.list, c.snap.listed = parseListing(m.Data)
			c.snap.listed = c.snap.listed && m.OK
			c.snap.moved = false
		}},
		{"callstat", func(m message) { c.answered(ctx, l, m) }},
	} {
		if _, err := l.send(question.command, "", question.answered); err != nil {
			c.snap.open = false
			c.source.log.Warn("phone not asked for its calls", "error", err)
			return
		}
	}
}

func (c *session) answered(ctx context.Context, l *link, m message) {
	c.snap.open = false
	if c.snap.moved && c.snap.asks < maxAsks {
		c.ask(ctx, l)
		return
	}
	all := c.snap.list.whole || c.snap.accounts >= 0 && c.snap.accounts <= 1
	if c.snap.listed && all && !c.snap.moved {
		if calls, named := c.in.named(c.snap.list, m.Data); named {
			for _, e := range c.in.snapshot(calls, time.Now().UTC()) {
				c.push(ctx, e)
			}
			return
		}
	}
	c.snap.owed = true
	c.source.log.Warn("no snapshot of the phone's calls: it cannot name them all", "calls", c.snap.list.count, "accounts", c.snap.accounts)
}

// named gives the listed calls with their ids and directions, as far as the list, the call in front and what was seen before tell them;
// false when one of them stays without.
func (i *interpreter) named(list listing, callstat string) ([]stat, bool) {
	front, hasFront := parseStat(callstat)
	switch {
	case list.count == 0:
		return nil, true
	case list.count == 1 && hasFront:
		front.Held = len(list.lines) == 1 && list.lines[0].held
		return []stat{front}, true
	case len(list.lines) != list.count:
		return nil, false
	}
	var all []stat
	for _, l := range list.lines {
		s := stat{State: l.state, ID: l.id, Peer: l.peer}
		k := i.calls[l.id]
		switch {
		case l.id == "":
			return nil, false
		case hasFront && front.ID == l.id:
			s = front
		case k != nil:
			s.Direction, s.Account, s.PeerName = k.who.Direction, k.who.Account, k.who.PeerName
		case l.state == "INCOMING":
			s.Direction = dirIn
		case l.state == "OUTGOING" || l.state == "RINGING" || l.state == "EARLY":
			s.Direction = dirOut
		default:
			return nil, false // it goes on, and who began it is not known
		}
		s.Held = l.held
		all = append(all, s)
	}
	return all, true
}

// snapshot lists the live calls, and tells of holds that ended unseen.
func (i *interpreter) snapshot(calls []stat, at time.Time) []cti.Event {
	list := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: at, Source: i.source, Legs: []cti.Event{}}
	var resumed []cti.Event
	before := i.calls
	i.calls = map[string]*known{}
	for _, s := range calls {
		m := message{ID: s.ID, Direction: s.Direction, Peer: s.Peer, PeerName: s.PeerName, Account: s.Account}
		k, seen := before[s.ID]
		if seen {
			i.calls[s.ID] = k
		}
		k = i.call(m, direction(m))
		e := k.stands(s)
		list.Legs = append(list.Legs, i.one(m, at, e)...)
		if e.Type == cti.Established && (k.held || !seen) { // one that was not seen before may have been held when it was last heard of
			resumed = append(resumed, i.one(m, at, cti.Event{Type: cti.Retrieved, By: cti.ByLocal})...)
		}
		k.held = s.Held
	}
	i.dials = nil // an attempt that is not listed has failed
	return append([]cti.Event{list}, resumed...)
}

// stands gives the event that leads to where a listed call stands.
func (k *known) stands(s stat) cti.Event {
	switch {
	case s.State == "ESTABLISHED" && s.Held:
		k.reach(established)
		return cti.Event{Type: cti.Held, By: cti.ByLocal}
	case s.State == "ESTABLISHED":
		k.reach(established)
		return cti.Event{Type: cti.Established}
	case s.Direction == dirIn:
		k.reach(begun)
		return cti.Event{Type: cti.Delivered, Side: cti.SideLocal}
	case s.State == "RINGING" || s.State == "EARLY":
		k.reach(ringing)
		return cti.Event{Type: cti.Delivered, Side: cti.SideRemote}
	}
	k.reach(begun)
	return cti.Event{Type: cti.Originated}
}
