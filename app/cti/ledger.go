package cti

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The times of the ledger.
const (
	// TombstoneFor is how long a cleared call still swallows late events. Reducer rule 2 asks for 60 s at least; it is a day, because
	// an event that comes after it begins the call again under the same leg, and its record in the CRM would be overwritten by an
	// empty one. It must outlast GhostAfter: the true end of a ghost may still come.
	TombstoneFor = 24 * time.Hour
	// GhostAfter ends a call of which nothing was heard: for sources that cannot list their live calls (rule 8).
	GhostAfter = 12 * time.Hour
)

// Ledger finds the call an event belongs to and keeps the live ones. It is not safe for concurrent use: one goroutine owns it.
type Ledger struct {
	tenant string
	calls  map[string]Call        // live ones, by leg
	graves map[string]grave       // cleared ones, by leg
	refs   map[string]string      // source reference → leg
	names  map[string][]reference // what the sources call each live one, by leg

	restored map[string]bool // live calls of an earlier run of which nothing was heard in this one

	young    map[string]young // live calls and those lately over: another source may still tell of them
	settling map[string]Call  // those of them that are over: a better cause may still come
	dials    []Dial           // asked for, not seen yet
}

// grave is what is left of a cleared call: enough to know its late events, and small, for there is one for each call of a day.
type grave struct {
	refs []reference
	at   int64 // unix seconds
}

// reference is what a source calls a call; the space tells whose name it is.
type reference struct{ space, value string }

// Change is one call before and after an event; Before.Leg is empty for a new one.
type Change struct{ Before, After Call }

// Ended tells whether this change cleared the call; it is true once in a call's life.
func (c Change) Ended() bool {
	return c.After.State == StateClosed && c.Before.State != StateClosed
}

// NewLedger makes an empty ledger; tenant keeps the ids of two sites apart.
func NewLedger(tenant string) *Ledger {
	return &Ledger{tenant: tenant, calls: map[string]Call{}, graves: map[string]grave{}, refs: map[string]string{}, names: map[string][]reference{}, restored: map[string]bool{},
		young: map[string]young{}, settling: map[string]Call{}}
}

// Restore takes up a call of an earlier run: a live one goes on, or is cleared by the first snapshot that does not list it; a cleared
// one is remembered, so that neither a late event nor the phone's history begins it again.
func (l *Ledger) Restore(c Call) {
	if c.State != StateClosed {
		l.restored[c.Leg] = true
	}
	for _, from := range c.Sources() {
		l.refer(from, c.Leg, c.Refs)
	}
	l.keep(c)
	l.restoreYoung(c)
}

// Apply books one event and gives the calls it changed: none for a repetition or a late event, several for a snapshot.
func (l *Ledger) Apply(e Event) []Change {
	switch e.Type {
	case SourceUp, SourceDown, AgentState:
		return nil
	case Snapshot:
		return l.reconcile(e)
	default: // tells about one call
	}
	return l.apply(e, news)
}

// origin is where an event is from.
type origin int

const (
	news      origin = iota // it happened now
	listed                  // from a snapshot: its time is not that of what it tells
	lookalike               // from a snapshot in which another leg is like it, so that likeness tells nothing
)

// apply books an event of one call.
func (l *Ledger) apply(e Event, from origin) []Change {
	leg := l.find(e)
	if leg == "" {
		leg = l.twin(e, from)
	}
	if leg == "" {
		if !opens(e.Type) || onlyJourney(e) {
			return nil
		}
		leg = l.newLeg(e)
	}
	if _, cleared := l.graves[leg]; cleared {
		return l.settle(leg, e)
	}
	delete(l.restored, leg)
	joined := l.join(leg, e)
	before, known := l.calls[leg]
	call := before
	if !known {
		call = Call{Leg: leg, Case: l.caseOf(e, leg), Source: e.Source}
		e = l.asConsulted(l.asDialled(e))
	}
	call = call.toldBy(e.Source)
	after, changed := call.Apply(e)
	if known || changed {
		l.refer(e.Source, leg, e.Call.Refs)
	}
	if !changed {
		if len(call.Also) != len(before.Also) {
			l.keep(call)
		}
		return joined
	}
	l.keep(after)
	l.noteYoung(after, e)
	if after.State == StateClosed {
		l.settling[leg] = after
	}
	return append(joined, Change{Before: before, After: after})
}

// refer notes what a source calls a call, but not the references of a live call that had them first. Two sources may use one name for ids of
// their own.
func (l *Ledger) refer(from Source, leg string, refs map[string]string) {
	for name, value := range refs {
		r := reference{spaceOf(from, name), value}
		if value == "" || slices.Contains(l.names[leg], r) || len(l.names[leg]) >= mostNames {
			continue
		}
		if _, live := l.calls[l.refs[r.key()]]; !live {
			l.refs[r.key()] = leg
			l.names[leg] = append(l.names[leg], r)
		}
	}
}

// mostNames bounds what the sources may call one call.
const mostNames = 2 * maxEntries

// keep files a call with the live ones, or buries it.
func (l *Ledger) keep(c Call) {
	if c.State != StateClosed {
		l.calls[c.Leg] = c
		return
	}
	delete(l.calls, c.Leg)
	l.graves[c.Leg] = grave{refs: slices.Clip(l.names[c.Leg]), at: c.ClearedAt.Unix()}
	delete(l.names, c.Leg)
}

// reconcile is reducer rule 8: what the source lists is brought up to date, what it does not list any more is cleared, cause unknown.
func (l *Ledger) reconcile(e Event) []Change {
	var changes []Change
	there := map[string]bool{}
	for _, live := range l.inOrder(e) {
		for _, c := range l.apply(live.Event, live.from) {
			changes = append(changes, c)
			there[c.After.Leg] = true
		}
		there[l.find(live.Event)] = true
	}
	for _, leg := range l.liveOf(e.Source) {
		if !there[leg] {
			changes = append(changes, l.end(leg, e.At, "not in the source's list of calls"))
		}
	}
	return changes
}

type listedLeg struct {
	Event

	from origin
}

// inOrder are the legs of a snapshot: first those whose names are known, so that none of the others is taken for their calls.
func (l *Ledger) inOrder(e Event) []listedLeg {
	var known, others []listedLeg
	for _, live := range e.Legs {
		live.Source = e.Source
		if live.At.IsZero() {
			live.At = e.At
		}
		if l.find(live) != "" {
			known = append(known, listedLeg{live, listed})
		} else {
			others = append(others, listedLeg{live, listed})
		}
	}
	for i := range others {
		for j := range others[:i] {
			if a, b := &others[i], &others[j]; sameNumber(a.Remote.Number, b.Remote.Number) && a.Local.Extension == b.Local.Extension {
				a.from, b.from = lookalike, lookalike
			}
		}
	}
	return append(known, others...)
}

// Sweep ends calls of which nothing was heard for GhostAfter and forgets tombstones.
func (l *Ledger) Sweep(now time.Time) []Change {
	var changes []Change
	for leg, c := range l.calls {
		if now.Sub(c.LastAt) > GhostAfter {
			changes = append(changes, l.end(leg, now, "no sign of it for 12 hours"))
		}
	}
	l.forgetYoung(now)
	for leg, g := range l.graves {
		if now.Unix()-g.at > int64(TombstoneFor/time.Second) {
			l.forget(leg)
		}
	}
	return changes
}

// Call gives a live call by its leg.
func (l *Ledger) Call(leg string) (Call, bool) {
	c, ok := l.calls[leg]
	return c, ok
}

// Cleared tells whether a call ended and is still remembered, so that its late events are known for what they are.
func (l *Ledger) Cleared(leg string) bool {
	_, ok := l.graves[leg]
	return ok
}

// Live counts the calls that are not cleared.
func (l *Ledger) Live() int { return len(l.calls) }

// end clears a call of whose end nobody told. One that ended while Ringside did not run ends when it was last known to live: nobody can
// tell how long it went on, and a night is not talk time.
func (l *Ledger) end(leg string, at time.Time, why string) Change {
	before := l.calls[leg]
	if l.restored[leg] {
		at, why = firstTime(before.SeenAt, before.LastAt), "ended while Ringside was not running; when is not known"
		delete(l.restored, leg)
	}
	e := Event{Type: Cleared, At: at, Source: before.Source, Cause: &Cause{Code: CauseUnknown, By: ByUnknown, Raw: why}}
	after, _ := before.Apply(e)
	l.keep(after)
	l.noteYoung(after, e)
	l.settling[leg] = after
	return Change{Before: before, After: after}
}

func (l *Ledger) forget(leg string) {
	delete(l.graves, leg)
	for ref, of := range l.refs {
		if of == leg {
			delete(l.refs, ref)
		}
	}
}

func (l *Ledger) find(e Event) string {
	if l.knows(e.Call.Leg) {
		return e.Call.Leg
	}
	for _, name := range strongestFirst(e.Call.Refs) {
		if name == RefJourney {
			continue
		}
		leg := l.refs[reference{spaceOf(e.Source, name), e.Call.Refs[name]}.key()]
		if g, cleared := l.graves[leg]; l.knows(leg) && (!cleared || g.agrees(e)) {
			return leg
		}
	}
	return ""
}

func (l *Ledger) knows(leg string) bool {
	_, live := l.calls[leg]
	_, cleared := l.graves[leg]
	return live || cleared
}

// agrees keeps a cleared call from swallowing a new one that shares a reference with it, as the legs of one journey may.
func (g grave) agrees(e Event) bool {
	for name, value := range e.Call.Refs {
		if name == RefJourney || value == "" {
			continue
		}
		space := spaceOf(e.Source, name)
		if !slices.Contains(g.refs, reference{space, value}) && slices.ContainsFunc(g.refs, func(r reference) bool { return r.space == space }) {
			return false
		}
	}
	return true
}

func (l *Ledger) liveOf(s Source) []string {
	var legs []string
	for leg, c := range l.calls {
		if c.ToldBy(s) {
			legs = append(legs, leg)
		}
	}
	sort.Strings(legs)
	return legs
}

// namespace roots every id of ours; it never changes, or one call would become two.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://ringside.dev/ns/v1"))

// ID is uuid5 over its parts: the same parts give the same id on every machine and after every restart.
func ID(parts ...string) string {
	return uuid.NewSHA1(namespace, []byte(strings.Join(parts, "\x00"))).String()
}

// newLeg is reducer rule 10: from tenant, adapter instance, extension and the first strong reference; minted where there is none.
// A source must therefore never use a reference for two calls, not even after its own restart.
func (l *Ledger) newLeg(e Event) string {
	if e.Call.Leg != "" {
		return e.Call.Leg
	}
	names := slices.DeleteFunc(strongestFirst(e.Call.Refs), func(name string) bool { return name == RefJourney })
	if len(names) == 0 {
		return uuid.NewString()
	}
	return ID(l.tenant, e.Source.Adapter, e.Source.Instance, e.Local.Extension, names[0], e.Call.Refs[names[0]])
}

// strongestFirst: the SIP Call-ID, then the source's own names for the call in alphabetical order.
func strongestFirst(refs map[string]string) []string {
	names := make([]string, 0, len(refs))
	for name, value := range refs {
		if value != "" {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		if (names[i] == RefSIPCallID) != (names[j] == RefSIPCallID) {
			return names[i] == RefSIPCallID
		}
		return names[i] < names[j]
	})
	return names
}

// shared tells which names mean the same in every source.
func shared(name string) bool { return name == RefSIPCallID || strings.HasPrefix(name, RefVendor) }

// spaceOf is a name with whose it is.
func spaceOf(s Source, name string) string {
	if shared(name) {
		return name
	}
	return s.Adapter + "\x00" + s.Instance + "\x00" + name
}

func (r reference) key() string { return r.space + "\x00" + r.value }

// opens tells which events may begin a call: an end without a beginning does too, so that a missed ring is not lost (rule 2),
// but holds, transfers and facts about a call nobody knows say nothing.
func opens(t EventType) bool {
	switch t {
	case Originated, Delivered, Established, Queued, Failed, Cleared, Diverted, Held, Conferenced:
		return true
	default:
		return false
	}
}

// onlyJourney: several calls may be meant, so none is begun.
func onlyJourney(e Event) bool {
	return e.Call.Leg == "" && len(e.Call.Refs) == 1 && e.Call.Refs[RefJourney] != ""
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
