package bria

import (
	"cmp"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// snapshot lists the live calls after a break, and tells of holds that ended unseen. Calls that are not listed any more are forgotten
// without an event: why and when they ended nobody saw.
func (i *interpreter) snapshot(calls []listed, at time.Time) []cti.Event {
	list := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: at, Source: i.source, Legs: []cti.Event{}}
	var more []cti.Event
	seen := map[string]bool{}
	for _, c := range calls[:min(len(calls), maxCalls)] {
		state := c.state()
		if c.ID == "" || state == "" || state == stateEnded || state == stateFailed || seen[c.ID] {
			if c.ID != "" && i.known(c.ID) == nil && i.over[c.ID].times == 0 {
				i.bury(&known{id: c.ID})
			}
			continue
		}
		seen[c.ID] = true
		k := i.known(c.ID)
		isNew := k == nil
		if isNew {
			k = i.begin(c, state, at)
		} else {
			k.state, k.given, k.hungUp = state, nil, false
		}
		leg, was := i.begun(k, at), k.held
		k.held = ""
		held := i.hold(k, c.holder(), at)
		switch {
		case len(held) > 0:
			list.Legs = append(list.Legs, held[0])
		case k.state == stateConnected && (isNew || was != ""): // one that is new to us may have been held when it was last heard of
			list.Legs = append(list.Legs, leg...)
			more = append(more, i.event(k, at, cti.Event{Type: cti.Retrieved, By: cmp.Or(was, cti.ByUnknown)}))
		default:
			list.Legs = append(list.Legs, leg...)
		}
		more = append(more, i.grown(k, c, at)...)
	}
	for _, k := range slices.Clone(i.live) {
		if !seen[k.id] {
			i.live = slices.DeleteFunc(i.live, func(o *known) bool { return o == k })
			i.bury(k)
		}
	}
	return append([]cti.Event{list}, more...)
}
