package webhook

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// told is one canonical event of a push, before it is known which call it belongs to.
type told struct {
	event   cti.Event
	current current
}

// longAgo is how old an event is that nobody waits for any more: no phone rings so long. After an outage the vendor pushes what it could not;
// those calls are booked and do not pop.
const longAgo = 2 * time.Minute

// interpret gives what a pushed event means. It is pure but for the clock, which it teaches.
func (v *Vendor) interpret(m *message, event any, clock *vendorClock, now time.Time) []told {
	pushed, known := v.fields.format.parse(v.fields.time.of(m, event, false))
	var list []told
	var times []time.Time
	latest := pushed
	way := v.way(m, event)
	for _, r := range v.rules {
		if !r.applies(m, event) {
			continue
		}
		direction := way
		if r.direction != "" {
			direction = r.direction
		}
		when := r.at.of(m, event, direction.outgoing())
		happened, is := v.fields.format.parse(when)
		switch {
		case !is && when != "" && strings.Trim(when, "0-/:.TZ+ ") == "":
			continue // 0, or 0000-00-00 00:00:00: it did not happen
		case !is:
			happened = pushed
		}
		if !known && happened.After(latest) {
			latest = happened
		}
		times = append(times, happened)
		list = append(list, told{v.event(m, event, r, direction), r.current})
	}
	if !latest.IsZero() {
		clock.saw(latest, now)
	}
	for i, at := range times {
		list[i].event.At, list[i].event.SourceAt = now, at
		if !at.IsZero() {
			list[i].event.At = clock.local(at, now)
		}
		list[i].event.Past = now.Sub(list[i].event.At) > longAgo
	}
	return list
}

func (v *Vendor) way(m *message, event any) direction {
	way, _ := v.fields.direction.of(m, event, false)
	return way
}

func (d direction) outgoing() bool { return d == dirOut || d == dirBack }

func (d direction) known() cti.Direction {
	if d.outgoing() {
		return cti.Out
	}
	return cti.Direction(d)
}

// event builds one canonical event, but for its times.
func (v *Vendor) event(m *message, event any, r rule, way direction) cti.Event {
	f, out := v.fields, way.outgoing()
	text := func(from value) string { return strings.TrimSpace(from.of(m, event, out)) }
	e := cti.Event{V: cti.EnvelopeVersion, Type: r.is, Side: r.side, By: r.by,
		Call:  cti.CallRef{Direction: way.known(), Purpose: r.purpose, ClickToDial: way == dirBack, Refs: f.references(m, event, out)},
		Local: cti.Local{Extension: text(f.extension), Account: text(f.account)}}
	if r.is == cti.AgentState {
		e.Call = cti.CallRef{}
		e.Agent = &cti.AgentStatus{State: r.state, Reason: text(f.reason)}
		return e
	}
	e.Remote = remote(text(f.number), text(f.name), text(f.uri))
	if r.is == cti.Delivered && r.side == cti.SideLocal && !out && e.Remote.Raw == "" {
		e.Remote.Withheld = true
	}
	e.Dialled = text(f.dialled)
	e.Data = f.callData(m, event, out)
	e.Recording = f.recordingOf(m, event, out)
	if queue := text(f.queue); queue != "" {
		e.Queue = &cti.Queue{Name: queue, WaitMS: f.wait.of(m, event, out)}
	}
	if r.is == cti.Transferred {
		t := r.transfer
		t.To = text(f.transferTo)
		e.Transfer = &t
	}
	if ends(e) {
		e.Cause = f.causeOf(m, event, r, out)
	}
	return e
}

// ends tells whether an event is its call's last.
func ends(e cti.Event) bool {
	switch e.Type {
	case cti.Cleared, cti.Failed, cti.Diverted:
		return true
	case cti.Transferred:
		return e.Transfer != nil && e.Transfer.Role == cti.Transferrer
	default:
		return false
	}
}

func (f fields) references(m *message, event any, out bool) map[string]string {
	refs := map[string]string{}
	for name, from := range f.refs {
		if text := from.of(m, event, out); text != "" {
			refs[name] = text
		}
	}
	return refs
}

func (f fields) causeOf(m *message, event any, r rule, out bool) *cti.Cause {
	cause, word := f.cause.of(m, event, out)
	if r.cause.Code != "" {
		cause.Code = r.cause.Code
	}
	if r.cause.By != "" {
		cause.By = r.cause.By
	}
	if cause.By == "" {
		cause.By, _ = f.by.of(m, event, out)
	}
	cause.Raw = word
	return &cause
}

// remote is the other party; "anonymous" is nobody's number.
func remote(number, name, uri string) cti.Remote {
	r := cti.Remote{Name: name, URI: uri}
	switch strings.ToLower(number) {
	case "":
	case "anonymous", "unknown", "unavailable", "restricted", "private", "withheld", "匿名", "未知":
		r.Withheld = true
	default:
		r.Raw = number
	}
	return r
}

func (q quantity) of(m *message, event any, out bool) int64 {
	n, err := strconv.ParseFloat(q.from.of(m, event, out), 64)
	if err != nil || n < 0 || n > float64(maxBehind/q.unit) {
		return 0
	}
	return int64(n * float64(q.unit/time.Millisecond))
}

func (f fields) recordingOf(m *message, event any, out bool) *cti.Recording {
	r := cti.Recording{ID: f.recording.id.of(m, event, out), URL: f.recording.url.of(m, event, out)}
	if r.URL == "" && (r.ID == "" || f.recording.url.known()) {
		return nil // not there yet: some vendors name it before
	}
	r.Name, r.Type = f.recording.name.of(m, event, out), f.recording.kind.of(m, event, out)
	if f.recording.length.unit > 0 {
		r.DurationMS = f.recording.length.of(m, event, out)
	}
	return &r
}

func (f fields) callData(m *message, event any, out bool) map[string]string {
	data := map[string]string{}
	for _, p := range f.members {
		tree := m.body
		if p.scope == inEvent {
			tree = event
		}
		members, _ := at(tree, p.path).(map[string]any) // what is no object has no members
		for name, member := range members {
			if text := scalar(member); text != "" && len(data) < maxKeys && dataName(name) != "" {
				data[dataName(name)] = text
			}
		}
	}
	for name, from := range f.data {
		if text := from.of(m, event, out); text != "" {
			data[name] = text
		}
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

var (
	notInName = regexp.MustCompile(`[^a-z0-9]+`)
	goodName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

// dataName is how call data is called: X-Order-Id is order_id; "" for what cannot be.
func dataName(s string) string {
	if len(s) > cti.MaxText {
		return ""
	}
	name := notInName.ReplaceAllString(strings.TrimPrefix(strings.ToLower(s), "x-"), "_")
	if name = strings.Trim(name, "_"); !goodName.MatchString(name) {
		return ""
	}
	return name
}

// ending completes the cause of a call's end from how far the call had come; g is nil for a call of which nothing was told before.
func ending(e cti.Event, g *leg) cti.Event {
	cause := cti.Cause{}
	if e.Cause != nil {
		cause = *e.Cause
	}
	out := e.Call.Direction == cti.Out
	if g != nil && g.call.Direction != "" {
		out = g.call.Direction == cti.Out
	}
	answered := g != nil && !g.call.EstablishedAt.IsZero()
	if cause.By == "" {
		cause.By = cti.ByUnknown
	}
	if cause.Code == "" || cause.Code == cti.CauseNormal && g != nil && !answered {
		cause.Code = usual(e.Type, cause.By, out, answered, g != nil)
	}
	if e.Type == cti.Cleared && out && g != nil && !answered && cause.By != cti.ByLocal {
		e.Type = cti.Failed
	}
	e.Cause = &cause
	return e
}

// usual is the cause of an end for which the vendor has no word.
func usual(t cti.EventType, by cti.Party, out, answered, known bool) cti.CauseCode {
	switch {
	case t == cti.Transferred:
		return cti.CauseTransferred
	case t == cti.Diverted:
		return cti.CauseAnsweredElsewhere
	case answered:
		return cti.CauseNormal
	case !known:
		return cti.CauseUnknown
	case by == cti.BySystem, out && by == cti.ByRemote:
		return cti.CauseNoAnswer
	case by == cti.ByLocal && !out:
		return cti.CauseRejected
	case by == cti.ByUnknown:
		return cti.CauseUnknown
	}
	return cti.CauseAbandoned
}
