package relay

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
)

// track is what one exchange told of one extension: the live calls, what each was made of, and those that ended. The line's lock guards it.
type track struct {
	name     string // the exchange's
	exchange bridge.Exchange
	source   cti.Source // as its events have it; empty until the first
	up       bool
	ledger   *cti.Ledger
	live     map[string]cti.Call    // by leg
	stories  map[string][]cti.Event // by leg
	past     []pastCall             // the oldest first
	kept     bool                   // a workstation is enrolled, which may ask for what is past
}

// pastCall is an ended call. Its story is in JSON, which takes a quarter of the memory: two hundred agents have thirty thousand calls a day.
type pastCall struct {
	leg     string
	endedAt time.Time
	story   []byte
}

// told gives the events that a call was made of.
func (p pastCall) told() []cti.Event {
	var story []cti.Event
	if err := json.Unmarshal(p.story, &story); err != nil {
		return nil // it was empty: what written makes can be read
	}
	return story
}

func written(story []cti.Event) []byte {
	text, err := json.Marshal(story)
	if err != nil {
		return nil // a time that cannot be written, which Clean does not let pass
	}
	return text
}

// append adds to the story of an ended call.
func (p *pastCall) append(e cti.Event) { p.story = written(extended(p.told(), e)) }

// The limits of a track's memory.
const (
	maxPast  = 1000 // ended calls
	maxStory = 200  // events of one call
	maxLive  = 100  // calls at a time: no extension has that many
)

func newTrack(name string, x bridge.Exchange) *track {
	return &track{name: name, exchange: x, ledger: cti.NewLedger("relay"), live: map[string]cti.Call{}, stories: map[string][]cti.Event{}}
}

// book takes an event in.
func (t *track) book(e cti.Event) {
	changes := t.ledger.Apply(e)
	if leg, known := t.ledger.Leg(e); known && e.Type == cti.Info && len(changes) == 0 {
		if i := t.pastIndex(leg); i >= 0 { // of an ended call nothing changes any more, and yet it is news
			t.past[i].append(e)
		}
	}
	for _, c := range changes {
		told := e
		if e.Type == cti.Snapshot {
			told = t.listed(c.After, e.At)
		}
		leg := c.After.Leg
		if i := t.pastIndex(leg); i >= 0 {
			t.past[i].append(told)
			continue
		}
		if _, known := t.live[leg]; !known && len(t.live) >= maxLive {
			continue // it is told all the same
		}
		t.live[leg] = c.After
		t.stories[leg] = extended(t.stories[leg], told)
		if c.After.State == cti.StateClosed {
			t.bury(c.After)
		}
	}
}

func (t *track) pastIndex(leg string) int {
	for i := len(t.past) - 1; i >= 0; i-- { // asked for young ones mostly
		if t.past[i].leg == leg {
			return i
		}
	}
	return -1
}

// extended adds an event to a story, which a source that repeats itself for ever cannot make endless: its end always has room.
func extended(story []cti.Event, e cti.Event) []cti.Event {
	if len(story) >= maxStory && !slices.Contains([]cti.EventType{cti.Cleared, cti.Failed, cti.Diverted, cti.Transferred}, e.Type) || len(story) >= 2*maxStory {
		return story
	}
	return append(story, e)
}

// bury books the end of a call. Without a workstation nobody will ask: what was before it is enrolled is not told.
func (t *track) bury(c cti.Call) {
	if t.kept {
		t.past = append(t.past, pastCall{c.Leg, c.ClearedAt, written(t.stories[c.Leg])})
	}
	if extra := len(t.past) - maxPast; extra > 0 {
		t.past = slices.Clone(t.past[extra:])
	}
	delete(t.live, c.Leg)
	delete(t.stories, c.Leg)
}

// keep begins, or ends, to keep what is past.
func (t *track) keep(kept bool) {
	if t.kept = kept; !kept {
		t.past = nil
	}
}

// sweep forgets what ended before a time, and ends calls of which nothing was heard for too long.
func (t *track) sweep(now, before time.Time) {
	for _, c := range t.ledger.Sweep(now) {
		t.stories[c.After.Leg] = extended(t.stories[c.After.Leg], t.listed(c.After, now))
		t.bury(c.After)
	}
	t.past = slices.DeleteFunc(t.past, func(p pastCall) bool { return p.endedAt.Before(before) })
}

// since gives the stories of the calls that ended since a time.
func (t *track) since(from time.Time) []cti.Event {
	var events []cti.Event
	for _, p := range t.past {
		if !p.endedAt.Before(from) {
			events = append(events, p.told()...)
		}
	}
	return events
}

// snapshot lists the live calls.
func (t *track) snapshot(now time.Time) cti.Event {
	e := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: now, Source: t.source, Legs: []cti.Event{}}
	for _, c := range t.sorted() {
		e.Legs = append(e.Legs, t.listed(c, c.LastAt))
	}
	return e
}

func (t *track) sorted() []cti.Call {
	calls := make([]cti.Call, 0, len(t.live))
	for _, c := range t.live {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b cti.Call) int {
		if d := a.StartedAt.Compare(b.StartedAt); d != 0 {
			return d
		}
		return strings.Compare(a.Leg, b.Leg)
	})
	return calls
}

// listed is one event that leads to a call's state.
func (t *track) listed(c cti.Call, at time.Time) cti.Event {
	e := cti.Event{V: cti.EnvelopeVersion, Type: cti.Originated, At: at, Source: t.source, Remote: c.Remote, Local: c.Local, Dialled: c.Dialled, Queue: c.Queue,
		Data: c.Data, Recording: c.Recording, Call: cti.CallRef{Direction: c.Direction, Refs: c.Refs, Purpose: c.Purpose, ClickToDial: c.ClickToDial}}
	if c.Muted {
		muted := true
		e.Muted = &muted
	}
	switch c.State {
	case cti.Alerting:
		e.Type, e.Side, e.At = cti.Delivered, cti.SideLocal, c.DeliveredAt
	case cti.Connected:
		e.Type, e.At = cti.Established, c.EstablishedAt
	case cti.OnHold:
		e.Type, e.By = cti.Held, c.HeldBy[0]
	case cti.Initiated:
		if !c.DeliveredAt.IsZero() {
			e.Type, e.Side = cti.Delivered, cti.SideRemote
		}
	case cti.Null:
		e.Type = cti.Queued
	case cti.StateClosed:
		e.Type, e.Cause, e.At = cti.Cleared, c.Cause, c.ClearedAt
	}
	return e
}

// find gives the live call that has one of these references.
func (t *track) find(refs map[string]string) (cti.Call, bool) {
	leg, known := t.ledger.Leg(cti.Event{Source: t.source, Call: cti.CallRef{Refs: refs}})
	if !known {
		return cti.Call{}, false
	}
	c, live := t.live[leg]
	return c, live
}
