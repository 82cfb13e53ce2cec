package baresip

import (
	"context"
	"maps"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// look asks the phone which calls the agent holds. Before version 4 it does not say so by itself, but every hold and resume, also one
// at the phone's own keys, makes it and the far end exchange their media anew, and of that it tells.
func (c *session) look(ctx context.Context, l *link) {
	if c.looking {
		c.lookAgain = true
		return
	}
	c.looking, c.lookAgain = true, false
	_, err := l.send("listcalls", "", func(m message) {
		c.looking = false
		if c.lookAgain {
			c.look(ctx, l)
			return
		}
		if list, ok := parseListing(m.Data); ok && m.OK {
			for _, e := range c.in.looked(list, time.Now().UTC()) {
				c.push(ctx, e)
			}
		}
	})
	if err != nil {
		c.looking = false
		c.source.log.Warn("phone not asked for its holds", "error", err)
	}
}

// mayHold tells whether after this message a call may be on hold, or not be any more, without the phone saying so.
func (i *interpreter) mayHold(m message) bool {
	k := i.calls[m.ID]
	return m.Type == "CALL_REMOTE_SDP" && m.LocalDir == "" && k != nil && k.at == established
}

// looked compares a list with what is known. Without ids a line is known by its far end, if there is no second call with the same.
func (i *interpreter) looked(list listing, at time.Time) []cti.Event {
	var events []cti.Event
	for _, k := range slices.SortedFunc(maps.Values(i.calls), func(a, b *known) int { return a.order - b.order }) {
		if l, found := i.lineOf(k, list); found && k.at == established {
			for _, e := range i.holding(k, l.held, at) {
				e.Source.Confidence = cti.Polled
				events = append(events, e)
			}
		}
	}
	return events
}

func (i *interpreter) lineOf(k *known, list listing) (line, bool) {
	if at := slices.IndexFunc(list.lines, func(l line) bool { return l.id != "" && l.id == k.who.ID }); at >= 0 {
		return list.lines[at], true
	}
	var same []line
	for _, l := range list.lines {
		if l.id == "" && l.peer == k.who.Peer {
			same = append(same, l)
		}
	}
	calls := 0
	for _, o := range i.calls {
		if o.who.Peer == k.who.Peer {
			calls++
		}
	}
	if len(same) != 1 || calls != 1 {
		return line{}, false
	}
	return same[0], true
}
