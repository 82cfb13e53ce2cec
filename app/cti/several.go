package cti

import (
	"slices"
	"time"
)

// Several sources may tell of one call: the phone and the exchange, or the phone and a page in the browser. They are brought together by the
// SIP Call-ID, then by the exchange's own id, then by what they have in common (reducer rule 6).

// The times within which two sources are taken to tell of one call.
const (
	// MergeWithin is how far apart the same event may come from two sources.
	MergeWithin = 3 * time.Second
	// SettleFor is how long after a call's end a better cause for it may still come: that a colleague answered, or which queue was the last.
	SettleFor = 3 * time.Second
	// DialFor is how long a dialled number waits for its call to appear (reducer rule 7).
	DialFor = 20 * time.Second
)

// Sources lists who told of the call, the first first.
func (c Call) Sources() []Source { return append([]Source{c.Source}, c.Also...) }

// ToldBy tells whether a source told of the call.
func (c Call) ToldBy(s Source) bool {
	return slices.ContainsFunc(c.Sources(), func(o Source) bool { return o.Adapter == s.Adapter && o.Instance == s.Instance })
}

func (c Call) toldBy(s Source) Call {
	if c.ToldBy(s) {
		return c
	}
	c.Also = append(slices.Clone(c.Also), s)
	return c
}

// young is a call that another source may still tell of, with the times of what was told of it.
type young struct {
	call  Call
	times map[EventType]time.Time
}

func (l *Ledger) noteYoung(c Call, e Event) {
	y := l.young[c.Leg]
	if y.times == nil {
		y.times = map[EventType]time.Time{}
	}
	y.call = c
	if kind := landmark(e.Type); y.times[kind].IsZero() {
		y.times[kind] = e.At
	}
	l.young[c.Leg] = y
}

// restoreYoung lets the history of another source find a call of an earlier run.
func (l *Ledger) restoreYoung(c Call) {
	times := map[EventType]time.Time{Delivered: firstTime(c.DeliveredAt, c.StartedAt)}
	for kind, at := range map[EventType]time.Time{Established: c.EstablishedAt, Cleared: c.ClearedAt} {
		if !at.IsZero() {
			times[kind] = at
		}
	}
	l.young[c.Leg] = young{call: c, times: times}
}

// mostYoung is how many calls that are over are remembered for another source to tell of them too: a workstation's day. A source that was out
// of reach tells all of them when it is back, from its history.
const mostYoung = 300

func (l *Ledger) forgetYoung(now time.Time) {
	var over []Call
	for _, y := range l.young {
		if y.call.State == StateClosed {
			over = append(over, y.call)
		}
	}
	slices.SortFunc(over, func(a, b Call) int { return b.ClearedAt.Compare(a.ClearedAt) })
	for i, c := range over {
		if i >= mostYoung || now.Sub(c.ClearedAt) > TombstoneFor {
			delete(l.young, c.Leg)
			delete(l.settling, c.Leg)
		}
	}
	l.dials = slices.DeleteFunc(l.dials, func(d Dial) bool { return now.Sub(d.At) > DialFor })
}

// landmark names what two sources may both see of a call: its beginning, its answer, that it goes on, its end.
func landmark(t EventType) EventType {
	switch t {
	case Originated, Delivered:
		return Delivered
	case Established:
		return Established
	case Held, Retrieved:
		return Held
	case Cleared, Failed, Diverted, Transferred:
		return Cleared
	case Conferenced, Info, Queued, AgentState, SourceUp, SourceDown, Snapshot:
	}
	return ""
}

// twin finds the call of another source that an event of an unknown one tells of: the same extension, number and direction, the same thing
// seen at most MergeWithin apart, and exactly one such call. With two there is no telling, and two records are better than one lost.
func (l *Ledger) twin(e Event, from origin) string {
	kind := landmark(e.Type)
	if kind == "" || from == lookalike {
		return ""
	}
	found := ""
	for leg, y := range l.young {
		if !y.alike(e) || !y.near(e, kind, from == listed) {
			continue
		}
		if found != "" {
			return ""
		}
		found = leg
	}
	return found
}

// join ends what a source told of a live call under names of its own, before an event shows that it is another one: so an exchange that learns
// the SIP Call-ID a moment after it told of the ring. What it knew goes to that one.
func (l *Ledger) join(leg string, e Event) []Change {
	main, live := l.calls[leg]
	if !live || len(e.Call.Refs) < 2 || main.ToldBy(e.Source) { // one source does not tell of one call twice
		return nil
	}
	var changes []Change
	for _, name := range strongestFirst(e.Call.Refs) {
		same := l.refs[reference{spaceOf(e.Source, name), e.Call.Refs[name]}.key()]
		other, live := l.calls[same]
		if name == RefJourney || same == leg || !live || len(other.Also) > 0 || !other.ToldBy(e.Source) || !main.mayBe(other.Refs) {
			continue
		}
		main, _ = main.Apply(Event{At: e.At, Source: e.Source, Remote: other.Remote, Dialled: other.Dialled, Queue: other.Queue, Data: other.Data, Recording: other.Recording})
		l.calls[leg] = main
		after := other
		after.Purpose, after.MainLeg = Duplicate, leg
		after.clear(nil, Cause{Code: CauseUnknown, By: BySystem, Raw: "another source told of it, too"}, other.clock(e))
		names := l.names[same]
		l.keep(after)
		delete(l.young, same)
		for _, r := range names {
			l.refs[r.key()] = leg
			l.names[leg] = append(l.names[leg], r)
		}
		changes = append(changes, Change{Before: other, After: after})
	}
	return changes
}

// alike tells whether an event of another source may be about the call.
func (y young) alike(e Event) bool {
	c := y.call
	direction := e.Call.Direction
	if direction == "" {
		direction = map[EventType]Direction{Originated: Out, Delivered: In}[e.Type]
		if e.Type == Delivered && e.Side == SideRemote {
			direction = Out
		}
	}
	return !c.ToldBy(e.Source) && c.mayBe(e.Call.Refs) && (c.Purpose == e.Call.Purpose || c.Purpose == "" || e.Call.Purpose == "") &&
		(direction == "" || c.Direction == "" || c.Direction == direction || c.ClickToDial || e.Call.ClickToDial) &&
		c.Local.Extension == e.Local.Extension && sameNumber(c.Remote.Number, e.Remote.Number)
}

// mayBe is false when a call has another SIP Call-ID, or another id of the same exchange's.
func (c Call) mayBe(refs map[string]string) bool {
	for name, value := range refs {
		if have := c.Refs[name]; shared(name) && value != "" && have != "" && have != value {
			return false
		}
	}
	return true
}

func sameNumber(a, b Number) bool {
	switch {
	case a.Withheld || b.Withheld: // one source may show a word for it, the other nothing
		return a.Withheld && b.Withheld
	case a.E164 != "" && b.E164 != "":
		return a.E164 == b.E164 && a.Ext == b.Ext
	case a.Key != "" && b.Key != "":
		return a.Key == b.Key && a.Ext == b.Ext
	}
	return a.Raw == b.Raw && a.Raw != ""
}

// near tells whether the other source saw the same thing at nearly the same time. What it did not tell yet may be on its way, unless the call
// is over without it.
func (y young) near(e Event, kind EventType, listed bool) bool {
	if listed {
		return y.call.State != StateClosed
	}
	switch at, seen := y.times[kind]; {
	case kind == Delivered && !seen:
		return within(e.At, y.call.StartedAt)
	case seen && kind != Held:
		return within(e.At, at)
	}
	earlier := e.At.Before(y.call.StartedAt.Add(-MergeWithin)) || e.Past && kind == Cleared // of another call of theirs
	return y.call.State != StateClosed && !earlier
}

func within(a, b time.Time) bool {
	d := a.Sub(b)
	return d <= MergeWithin && d >= -MergeWithin
}

// settle books what still comes of a call that is over: nothing, but within SettleFor a better cause, the last queue, and who else told of it.
func (l *Ledger) settle(leg string, e Event) []Change {
	before, young := l.settling[leg]
	if !young {
		return nil
	}
	after := before.toldBy(e.Source)
	l.referGrave(leg, e)
	if d := e.At.Sub(before.ClearedAt); d <= SettleFor && d >= -SettleFor {
		after = after.settled(e)
	}
	l.settling[leg] = after
	if _, is := l.young[leg]; is {
		l.noteYoung(after, e)
	}
	if after.equal(before) || len(after.Also) != len(before.Also) && after.facts(before) {
		return nil
	}
	return []Change{{Before: before, After: after}}
}

// facts tells whether nothing but who told of the call is different.
func (c Call) facts(o Call) bool {
	c.Also = o.Also
	return c.equal(o)
}

func (l *Ledger) referGrave(leg string, e Event) {
	g := l.graves[leg]
	for name, value := range e.Call.Refs {
		if value == "" || name == RefJourney {
			continue
		}
		r := reference{spaceOf(e.Source, name), value}
		if _, taken := l.refs[r.key()]; !taken && len(g.refs) < mostNames {
			l.refs[r.key()] = leg
			g.refs = append(slices.Clone(g.refs), r)
		}
	}
	l.graves[leg] = g
}

// settled is the call with what an event that came after its end knows better.
func (c Call) settled(e Event) Call {
	undecided := c.Settling()
	c = c.copied()
	if e.Queue != nil || e.Recording != nil || len(e.Data) > 0 || e.Type == Info {
		purpose, main := c.Purpose, c.MainLeg
		if c.learn(e); !undecided {
			c.Purpose, c.MainLeg = purpose, main // its record is written
		}
	}
	cause := e.Cause
	switch {
	case e.Type == Diverted && cause == nil:
		cause = &Cause{Code: CauseAnsweredElsewhere, By: BySystem}
	case e.Type == Transferred && e.Transfer != nil && e.Transfer.Role == Transferrer:
		c.Transfer = e.Transfer
		if cause == nil {
			cause = &Cause{Code: CauseTransferred, By: ByLocal}
		}
	}
	if cause == nil || landmark(e.Type) != Cleared {
		return c
	}
	answered := !c.EstablishedAt.IsZero()
	if better := certainty(cause.Code, answered); better > certainty(c.Cause.Code, answered) ||
		better == certainty(c.Cause.Code, answered) && c.Cause.By == ByUnknown && cause.By != ByUnknown {
		told := *cause
		told.By = knownParty(told.By)
		c.Cause = &told
	}
	return c
}

// certainty ranks causes: a phone that stops ringing says that the caller gave up, and only the exchange knows that a colleague answered.
func certainty(code CauseCode, answered bool) int {
	switch code {
	case CauseUnknown, "":
		return 0
	case CauseAbandoned, CauseNoAnswer, CauseNormal:
		return 1
	case CauseNetwork, CauseMedia, CauseUnreachable, CauseNotFound, CauseBusy, CauseRejected:
		return 2
	case CauseAnsweredElsewhere:
		if answered {
			return 0 // it was answered here
		}
		return 3
	case CauseTransferred:
		return 3
	}
	return 0
}

// Settling tells whether something better may still come about a call's end: of one that nobody answered here only others know why it stopped
// ringing.
func (c Call) Settling() bool {
	return c.State == StateClosed && c.Direction == In && c.EstablishedAt.IsZero() && c.Cause != nil && certainty(c.Cause.Code, false) < 2
}

// Dial is a call that was asked for and did not appear yet.
type Dial struct {
	Number     Number
	At         time.Time
	RingsFirst bool    // it comes in at the agent's phone before it goes out (reducer rule 7)
	Purpose    Purpose // Consultation: a second leg
	Main       string  // leg of the call that the consultation is about
}

// asks tells whether a number is the dialled one, as it is read or as it was dialled.
func (d Dial) asks(n Number) bool {
	return sameNumber(d.Number, n) || d.Number.Raw == n.Raw && n.Raw != ""
}

// Expect notes a dial.
func (l *Ledger) Expect(d Dial) { l.dials = append(l.dials, d) }

// Unexpect takes back the newest dial to a number: the phone refused it.
func (l *Ledger) Unexpect(n Number) {
	for i := len(l.dials) - 1; i >= 0; i-- {
		if sameNumber(l.dials[i].Number, n) {
			l.dials = slices.Delete(l.dials, i, i+1)
			return
		}
	}
}

// asDialled gives the first event of a call that was asked for what the asker knows of it.
func (l *Ledger) asDialled(e Event) Event {
	if e.Type != Originated && e.Type != Delivered || e.Past {
		return e
	}
	for i, d := range l.dials {
		incoming := e.Type == Delivered && e.Side != SideRemote && e.Call.Direction != Out
		if e.At.Sub(d.At) > DialFor || incoming && !d.RingsFirst || !d.asks(e.Remote.Number) {
			continue
		}
		l.dials = slices.Delete(l.dials, i, i+1)
		if e.Call.Purpose == "" {
			e.Call.Purpose = d.Purpose
		}
		if incoming {
			e.Call.Direction, e.Call.ClickToDial, e.Remote.Number = Out, true, d.Number
		}
		if e.Call.MainLeg == "" {
			e.Call.MainLeg = d.Main
		}
		return e
	}
	return e
}

// asConsulted takes a call to a colleague that the agent begins during another call for a consultation about it: nobody can talk to two at
// once for another reason.
func (l *Ledger) asConsulted(e Event) Event {
	if e.Remote.Class != ClassInternal || e.Call.Purpose != "" || e.Past || e.Type != Originated && (e.Type != Delivered || e.Side != SideRemote) {
		return e
	}
	main := ""
	for leg, c := range l.calls {
		if c.State != Connected && c.State != OnHold || c.Purpose != "" {
			continue
		}
		if main != "" {
			return e
		}
		main = leg
	}
	if main != "" {
		e.Call.Purpose, e.Call.MainLeg = Consultation, main
	}
	return e
}

// caseOf names the customer's journey: what the source says, else what its exchange calls it, else the leg's own name.
func (l *Ledger) caseOf(e Event, leg string) string {
	if journey := e.Call.Refs[RefJourney]; e.Call.Case == "" && journey != "" {
		return ID(l.tenant, e.Source.Adapter, e.Source.Instance, RefJourney, journey)
	}
	return firstText(e.Call.Case, leg)
}

// Leg gives the call an event belongs to, live or lately over.
func (l *Ledger) Leg(e Event) (string, bool) {
	leg := l.find(e)
	return leg, leg != ""
}
