package webhook

import (
	"maps"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The bounds of what is remembered of calls. An ended one is kept as long as receivers keep theirs.
const (
	maxLegs   = 50_000
	keepEnded = cti.TombstoneFor
	keepLive  = cti.GhostAfter // of a call whose end was never pushed
)

// leg is one call of one extension, as far as pushes told it.
type leg struct {
	call  cti.Call
	ended bool
}

func (g *leg) rings() bool {
	return g != nil && !g.ended && (g.call.State == cti.Alerting || g.call.State == cti.Initiated)
}

// legs knows the calls, so that what is pushed twice, late or in another order is told once. It is not safe for concurrent use.
type legs struct {
	byRef map[string]*leg
	live  map[string][]*leg // by extension
	order []*leg            // the oldest first
}

func newLegs() *legs { return &legs{byRef: map[string]*leg{}, live: map[string][]*leg{}} }

func refKey(extension, name, text string) string { return extension + "\x00" + name + "\x00" + text }

// find gives the call that has one of the references, and no other where both have that one: a colleague may hand a call back, and then
// the journey's id is the same and the leg's is not.
func (l *legs) find(extension string, refs map[string]string) *leg {
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		g := l.byRef[refKey(extension, name, refs[name])]
		if name != cti.RefJourney && g != nil && (!g.ended || agrees(g.call.Refs, refs)) {
			return g
		}
	}
	return nil
}

func agrees(have, refs map[string]string) bool {
	for name, text := range refs {
		if other := have[name]; name != cti.RefJourney && other != "" && other != text {
			return false
		}
	}
	return true
}

// current is the extension's only live call; nil if it has none, or several.
func (l *legs) current(extension string) *leg {
	if live := l.live[extension]; len(live) == 1 {
		return live[0]
	}
	return nil
}

// take gives what an event makes of its call, and whether there is anything to tell. Nothing is changed before keep.
func (l *legs) take(e cti.Event, g *leg) (after cti.Call, news bool) {
	before := cti.Call{}
	if g != nil {
		if g.ended {
			return late(g.call, e)
		}
		before = g.call
	}
	return before.Apply(e)
}

// late is what still comes of a call that is over: its recording, minutes later, and what was typed in the menu.
func late(c cti.Call, e cti.Event) (after cti.Call, news bool) {
	if e.Type != cti.Info {
		return c, false
	}
	if e.Recording != nil && (c.Recording == nil || *c.Recording != *e.Recording) {
		c.Recording, news = e.Recording, true
	}
	data := maps.Clone(c.Data)
	for name, text := range e.Data {
		if text != "" && data[name] != text {
			if data == nil {
				data = map[string]string{}
			}
			data[name], news = text, true
		}
	}
	c.Data = data
	return c, news
}

// keep files what take gave, once the event was handed on.
func (l *legs) keep(e cti.Event, g *leg, after cti.Call) {
	extension := e.Local.Extension
	if g == nil {
		g = &leg{}
		l.order = append(l.order, g)
		l.live[extension] = append(l.live[extension], g)
	}
	g.call = after
	for name, text := range after.Refs {
		l.byRef[refKey(extension, name, text)] = g
	}
	if after.State == cti.StateClosed && !g.ended {
		g.ended = true
		l.bury(extension, g)
	}
	l.forgetOld(e.At)
}

func (l *legs) bury(extension string, g *leg) {
	l.live[extension] = slices.DeleteFunc(l.live[extension], func(o *leg) bool { return o == g })
	if len(l.live[extension]) == 0 {
		delete(l.live, extension)
	}
	g.call = cti.Call{Refs: g.call.Refs, Local: g.call.Local, State: cti.StateClosed, LastAt: g.call.LastAt, Recording: g.call.Recording, Data: g.call.Data}
}

func (l *legs) forgetOld(now time.Time) {
	for len(l.order) > 0 {
		g := l.order[0]
		keep := keepLive
		if g.ended {
			keep = keepEnded
		}
		if len(l.order) <= maxLegs && now.Sub(g.call.LastAt) < keep {
			return
		}
		l.order = l.order[1:]
		extension := g.call.Local.Extension
		if !g.ended {
			l.bury(extension, g)
		}
		for name, text := range g.call.Refs {
			if key := refKey(extension, name, text); l.byRef[key] == g {
				delete(l.byRef, key)
			}
		}
	}
}
