package ari

import (
	"maps"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxExtensions bounds the extensions snapshots are made for.
const maxExtensions = 8192

// watch notes that an extension is wanted; false if it is noted already, or cannot be one.
func (i *interpreter) watch(extension string) bool {
	if i.watched[extension] || len(i.watched) >= maxExtensions || !extensionName.MatchString(extension) {
		return false
	}
	i.watched[extension] = true
	return true
}

// reconcile brings what is known up to date with the exchange's own lists, and gives the ids of legs that are new.
func (i *interpreter) reconcile(channels []channelSnap, bridges []bridgeSnap, at time.Time) (strangers []string) {
	listed := map[string]bool{}
	for n := range channels {
		s := &channels[n]
		if !properID(s.ID) {
			continue
		}
		delete(i.graves, s.ID) // it is there
		known := i.channels[s.ID] != nil
		c := i.learn(s)
		c.bridge = ""
		listed[s.ID] = true
		if c.leg() && !known {
			strangers = append(strangers, s.ID)
		}
	}
	for _, id := range slices.Collect(maps.Keys(i.channels)) {
		if !listed[id] {
			i.bury(id, at)
		}
	}
	clear(i.bridges)
	i.joins = nil
	i.resume()
	for n := range bridges {
		s := &bridges[n]
		b := i.gather(s)
		if !properID(s.ID) || b == nil {
			continue
		}
		for id := range b.members {
			if c := i.channels[id]; c != nil {
				c.bridge = s.ID
			}
		}
		i.guessRoles(b)
	}
	return strangers
}

// guessRoles finds out for two who talk which of them dialled the other, if that was before the exchange was watched: whom somebody dialled is in no
// application of the dialplan's.
func (i *interpreter) guessRoles(b *talk) {
	var callers, others []*channel
	for id := range b.members {
		c := i.channels[id]
		if c == nil {
			continue
		}
		if c.role == unknown && c.app != "" {
			c.role = calling
		}
		if c.dials && c.role == calling {
			callers = append(callers, c)
		} else if c.role == called && c.parent == "" {
			others = append(others, c)
		}
	}
	if len(callers) == 1 && len(others) == 1 {
		others[0].parent = callers[0].id
	}
}

// linked takes what the exchange says about the journey of a leg.
func (i *interpreter) linked(id, journey string) {
	if c := i.channels[id]; c != nil && c.journey == "" && properID(journey) {
		c.journey = journey
	}
}

// snapshots makes one for each extension that was asked for, or has a call.
func (i *interpreter) snapshots(at time.Time) []told {
	wanted := maps.Clone(i.watched)
	for _, c := range i.channels {
		if c.leg() {
			wanted[c.extension] = true
		}
	}
	all := i.overdue(at.Add(waitPresented)) // of legs that are over, and so not in the lists
	for _, extension := range slices.Sorted(maps.Keys(wanted)) {
		all = append(all, i.snapshot(extension, at))
	}
	return all
}

// snapshot lists the live legs of an extension.
func (i *interpreter) snapshot(extension string, at time.Time) told {
	list := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: at, Source: i.source, Local: cti.Local{Extension: extension}, Legs: []cti.Event{}}
	for _, id := range slices.Sorted(maps.Keys(i.channels)) {
		c := i.channels[id]
		if !c.leg() || c.extension != extension || i.untold(c, at) {
			continue
		}
		if e, ok := i.stands(c, when{at: at}); ok {
			list.Legs = append(list.Legs, i.tell(c, when{at: at}, e).event)
		}
	}
	return told{extension, list}
}

// stands says how a leg is now; false for one that does not ring yet.
func (i *interpreter) stands(c *channel, at when) (cti.Event, bool) {
	b := i.bridges[c.bridge]
	c.listensNow()
	switch {
	case c.stage == established || b != nil && i.parties(b) > 1 && !c.listens:
		if b != nil && c.stage != established {
			i.fetched(c, b, at)
		}
		c.stage = established
		if c.held {
			return cti.Event{Type: cti.Held, By: cti.ByLocal}, true
		}
		return cti.Event{Type: cti.Established}, true
	case c.click != "" || c.role == calling || c.state == "Ring" && c.role != called || c.state == "Up" && c.role == unknown:
		if c.click == "" {
			c.role = calling
		}
		if c.stage == ringing {
			return cti.Event{Type: cti.Delivered, Side: cti.SideRemote}, true
		}
		c.stage = begun
		return cti.Event{Type: cti.Originated}, true
	case c.state == "Ringing" || c.stage != untold || c.state == "Up":
		c.stage, c.role = max(c.stage, ringing), called
		return cti.Event{Type: cti.Delivered, Side: cti.SideLocal}, true
	}
	return cti.Event{}, false
}
