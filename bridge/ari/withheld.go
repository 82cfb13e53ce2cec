package ari

import (
	"maps"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// presentation is the dialplan's function that tells whether the number of who calls on a channel may be shown. No event and no list of Asterisk's says so: they
// have the true number and name also of a caller who withholds them (Privacy: id, RFC 3325, on a trunk that is trusted), whom Asterisk shows to no phone.
const presentation = "CALLERID(num-pres)"

// The bounds of what waits for the word whether a caller is withheld.
const (
	maxOpen       = 1024 // callers that are asked about at once; one more is shown as the exchange has them
	maxHeld       = 256  // legs whose events wait
	maxHeldEvents = 32   // of one leg
)

// waitPresented is how long at most a leg waits for that word, on an exchange that is slow: to show it late is better than to show what is not to be seen.
const waitPresented = time.Second

// withheldRemote is the far end that does not want to be known.
var withheldRemote = cti.Remote{Number: cti.Number{Withheld: true}}

// hides tells whether a presentation keeps the number from being shown: prohib, prohib_passed_screen and the like, and unavailable.
func hides(presentation string) bool {
	return strings.HasPrefix(presentation, "prohib") || presentation == "unavailable"
}

// withheld is what the interpreter keeps of callers who may be.
type withheld struct {
	questions []string         // ids of channels to ask about
	open      map[string]bool  // ids of channels of which no answer came yet
	held      map[string]*held // by the leg's id
}

// held is a leg of which nothing is told until it is known whether its far end is withheld, at most for a while.
type held struct {
	leg    *channel
	until  time.Time
	events []told
}

// ask wants to know of a channel whether its caller is withheld, once.
func (i *interpreter) ask(id string) {
	if c := i.channels[id]; c != nil && !c.asked && len(i.open) < maxOpen && !i.open[id] {
		c.asked, i.open[id] = true, true
		i.questions = append(i.questions, id)
	}
}

// unasked gives the channels to ask about since the last time. Of each one it must be told what came of it (presented).
func (i *interpreter) unasked() []string {
	all := i.questions
	i.questions = nil
	return all
}

// askFor asks about who is at the far end of a leg that was dialled: who calls on the channel that began the journey.
func (i *interpreter) askFor(c *channel, w when) []told {
	if c == nil || !c.leg() || c.outgoing() {
		return nil
	}
	if c.about == "" {
		c.about = i.origin(c)
	}
	if root := i.channels[c.about]; root != nil && root.withheld {
		return i.withhold(c, w)
	}
	i.ask(c.about)
	return nil
}

// origin gives the id of the channel through which a leg came about, or "".
func (i *interpreter) origin(c *channel) string {
	chain := i.chain(c.id)
	if root := chain[len(chain)-1]; root != c.id && i.dialledBy(c.id) {
		return root
	}
	if root := i.channels[c.journey]; root != nil && root != c && i.dialledBy(root.id) { // as the exchange says of a call from before
		return root.id
	}
	return ""
}

// farEnd is who is at the far end of a leg.
type farEnd struct {
	remote cti.Remote
	about  string // id of the channel on which they call; "" if there is none, or none is known
	hidden bool   // they do not want to be known
}

// who is who calls on a channel.
func (c *channel) who() farEnd {
	if c.withheld {
		return farEnd{withheldRemote, c.id, true}
	}
	return farEnd{remote(c.caller), c.id, false}
}

// far is who is at the far end, by what the exchange says of a leg's connection.
func (i *interpreter) far(p party) cti.Remote {
	for _, c := range i.channels {
		if c.withheld && p.Number != "" && c.caller.Number == p.Number {
			return withheldRemote
		}
	}
	return remote(p)
}

// hold lets a leg wait for an answer that is open.
func (i *interpreter) hold(c *channel, since time.Time) {
	if i.open[c.about] && i.held[c.id] == nil && len(i.held) < maxHeld {
		i.held[c.id] = &held{leg: c, until: since.Add(waitPresented)}
	}
}

// gate gives what may be told now.
func (i *interpreter) gate(all []told) []told {
	if len(i.held) == 0 {
		return all
	}
	var now []told
	for _, t := range all {
		id := t.event.Call.Refs[refChannel]
		h := i.held[id]
		switch {
		case h == nil:
			now = append(now, t)
		case len(h.events) < maxHeldEvents:
			h.events = append(h.events, t)
		default:
			now = append(append(now, i.release(id)...), t)
		}
	}
	return now
}

// release gives what waited of a leg.
func (i *interpreter) release(id string) []told {
	all := i.held[id].events
	delete(i.held, id)
	return all
}

// overdue gives what waited too long.
func (i *interpreter) overdue(now time.Time) []told {
	var all []told
	for _, id := range slices.Sorted(maps.Keys(i.held)) {
		if !now.Before(i.held[id].until) {
			all = append(all, i.release(id)...)
		}
	}
	return all
}

// presented takes what the exchange says about the presentation of a channel's caller; "" if it says nothing: then they are shown as it has them.
func (i *interpreter) presented(id, presentation string, at time.Time) []told {
	all := i.overdue(at)
	delete(i.open, id)
	if hides(presentation) {
		if c := i.channels[id]; c != nil {
			c.asked, c.withheld = true, true
		}
		for _, leg := range i.facing(id) {
			all = append(all, i.withhold(leg, when{at: at})...)
		}
	}
	for _, leg := range slices.Sorted(maps.Keys(i.held)) {
		if i.held[leg].leg.about == id {
			all = append(all, i.release(leg)...)
		}
	}
	return all
}

// facing lists the legs at whose far end is who calls on a channel, also those that are over and of which something may yet be told.
func (i *interpreter) facing(id string) []*channel {
	all := slices.Clone(i.missed)
	for _, leg := range slices.Sorted(maps.Keys(i.held)) {
		all = append(all, i.held[leg].leg)
	}
	for _, leg := range slices.Sorted(maps.Keys(i.channels)) {
		all = append(all, i.channels[leg])
	}
	return slices.DeleteFunc(all, func(c *channel) bool { return c.about != id })
}

// withhold takes number and name from a leg. What was told of it with them is told better.
func (i *interpreter) withhold(c *channel, w when) []told {
	if c.hidden {
		return nil
	}
	c.hidden, c.remote = true, withheldRemote
	if h := i.held[c.id]; h != nil {
		for n := range h.events {
			h.events[n].event.Remote = withheldRemote
		}
		return nil
	}
	if !c.leg() || !c.settled {
		return nil
	}
	return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
}

// inquire asks about all who may be shown, of the exchange's lists.
func (i *interpreter) inquire(at time.Time) {
	for _, id := range slices.Sorted(maps.Keys(i.channels)) {
		c := i.channels[id]
		if !c.leg() {
			continue
		}
		i.askFor(c, when{at: at})
		for _, other := range i.others(c) {
			if other.role != called {
				i.ask(other.id)
			}
		}
	}
}

// untold tells whether it is yet waited for what a leg may tell: its first events come soon.
func (i *interpreter) untold(c *channel, at time.Time) bool {
	if !c.settled {
		i.askFor(c, when{at: at})
	}
	return i.held[c.id] != nil || !c.settled && (i.open[c.about] || slices.Contains(i.ringing, c.id))
}

// resume begins anew after a break: no answer comes any more to what is open. Legs that waited are in the exchange's lists, or their events are told before them.
func (i *interpreter) resume() {
	for id := range i.open {
		if c := i.channels[id]; c != nil {
			c.asked = false
		}
	}
	i.questions = nil
	clear(i.open)
	for id, h := range i.held {
		if i.channels[id] == h.leg && h.leg.leg() {
			h.leg.settled = false
			delete(i.held, id)
		}
	}
}
