package cti

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State is where the agent's leg stands.
type State string

// The states: initiated → alerting → connected ⇄ hold → cleared.
const (
	Null        State = ""          // known only from queue or call information: nothing rings yet
	Initiated   State = "initiated" // in: Originated, or the far end rings. out: any later event
	Alerting    State = "alerting"  // in: it rings at the agent. out: answered, diverted or cleared
	Connected   State = "connected" // in: both parties can talk, or retrieved. out: held or cleared
	OnHold      State = "hold"      // in: somebody holds. out: the last holder retrieves, or cleared
	StateClosed State = "cleared"   // in: cleared, failed, diverted or given away. out: none, ever
)

// Call is the agent's leg of a customer's journey (Case). Times are UTC; a zero time means it did not happen.
type Call struct {
	Case      string            `json:"case"`
	Leg       string            `json:"leg"`
	Source    Source            `json:"source"`
	Also      []Source          `json:"also,omitempty"` // further sources that told of it
	Purpose   Purpose           `json:"purpose,omitempty"`
	MainLeg   string            `json:"main_leg,omitempty"` // of a Consultation: the call it is about
	Direction Direction         `json:"direction"`
	State     State             `json:"state"`
	Refs      map[string]string `json:"refs,omitempty"`
	Remote    Remote            `json:"remote"`
	Local     Local             `json:"local"`
	Dialled   string            `json:"dialled,omitempty"`
	Queue     *Queue            `json:"queue,omitempty"`
	Parties   []string          `json:"parties,omitempty"` // further parties of a conference
	Transfer  *Transfer         `json:"transfer,omitempty"`
	Cause     *Cause            `json:"cause,omitempty"`
	Data      map[string]string `json:"data,omitempty"` // what came with it, under its declared names
	Recording *Recording        `json:"recording,omitempty"`
	Muted     bool              `json:"muted,omitempty"`

	ClickToDial bool `json:"click_to_dial,omitempty"` // the exchange rings the agent first

	StartedAt     time.Time     `json:"started_at,omitzero"`     // first sign of the call
	QueuedAt      time.Time     `json:"queued_at,omitzero"`      // entered the queue
	DeliveredAt   time.Time     `json:"delivered_at,omitzero"`   // began to ring, at either side
	EstablishedAt time.Time     `json:"established_at,omitzero"` // both could talk
	ClearedAt     time.Time     `json:"cleared_at,omitzero"`     // ended
	WrapEndedAt   time.Time     `json:"wrap_ended_at,omitzero"`  // the agent was done with it
	HeldSince     time.Time     `json:"held_since,omitzero"`     // on hold now, since then
	HeldBy        []Party       `json:"held_by,omitempty"`       // who holds now
	HeldFor       time.Duration `json:"held_for,omitempty"`      // finished holds, nanoseconds
	HoldAt        time.Time     `json:"hold_at,omitzero"`        // when the newest change of a hold happened, by its source's clock
	LastAt        time.Time     `json:"last_at,omitzero"`        // time of the last event that changed something
	SeenAt        time.Time     `json:"seen_at,omitzero"`        // a live call as it is kept on disk: it still lived then
}

// Apply is the call state machine. It is pure: the same call and event give the same result, and neither is changed.
// The second result tells whether anything changed. Events may come late, twice, out of order or not at all (reducer rule 2);
// the receiver decides which call an event belongs to (Ledger does). An event must have its time, At.
func (c Call) Apply(e Event) (Call, bool) {
	if c.State == StateClosed {
		return c, false // terminal, never resurrected (rule 2)
	}
	old := c
	c = c.copied()
	at := c.clock(e)
	c.learn(e)
	if step, ok := steps[e.Type]; ok {
		step(&c, e, at)
	}
	if c.equal(old) {
		return old, false
	}
	if c.StartedAt.IsZero() || begins(e.Type) && !e.At.IsZero() && e.At.UTC().Before(c.StartedAt) {
		c.StartedAt = firstTime(e.At.UTC(), at)
	}
	if at.After(c.LastAt) {
		c.LastAt = at
	}
	return c, true
}

// begins tells which events, come late, move a call's start back. For any other an earlier time means that the clock was set back.
func begins(t EventType) bool { return t == Queued || t == Originated || t == Delivered }

// steps holds what each event does to the state; an event that is not here only teaches facts.
var steps = map[EventType]func(c *Call, e Event, at time.Time){
	Queued:     func(c *Call, e Event, at time.Time) { setOnce(&c.QueuedAt, firstTime(e.At.UTC(), at)) },
	Originated: func(c *Call, _ Event, _ time.Time) { c.originate() },
	Delivered:  func(c *Call, e Event, at time.Time) { c.deliver(e, at) },
	Established: func(c *Call, e Event, at time.Time) {
		if c.ClickToDial && !e.Call.ClickToDial {
			return // the agent took up the phone; the customer did not yet (rule 3)
		}
		c.establish(at)
	},
	Held: func(c *Call, e Event, at time.Time) {
		if c.newsOfHold(e) {
			c.hold(e.By, at)
		}
	},
	Retrieved: func(c *Call, e Event, at time.Time) {
		if c.newsOfHold(e) {
			c.retrieve(e.By, at)
		}
	},
	Conferenced: func(c *Call, e Event, at time.Time) { c.conference(e, at) },
	Transferred: func(c *Call, e Event, at time.Time) { c.transfer(e, at) },
	Diverted: func(c *Call, e Event, at time.Time) {
		c.clear(e.Cause, Cause{Code: CauseAnsweredElsewhere, By: BySystem}, at)
	},
	Failed:  func(c *Call, e Event, at time.Time) { c.clear(e.Cause, Cause{Code: CauseUnknown, By: ByUnknown}, at) },
	Cleared: func(c *Call, e Event, at time.Time) { c.clear(e.Cause, Cause{Code: CauseNormal, By: ByUnknown}, at) },
}

func (c *Call) originate() {
	c.Direction = Out
	if c.State == Null {
		c.State = Initiated
	}
}

// deliver: a late ring after the answer only fills in when it began (rule 2).
func (c *Call) deliver(e Event, at time.Time) {
	if c.Direction == "" {
		c.Direction = map[Side]Direction{SideRemote: Out}[e.Side]
		if c.Direction == "" {
			c.Direction = In
		}
	}
	switch c.State {
	case Null, Initiated:
		c.State = Initiated
		if e.Side != SideRemote && !c.ClickToDial {
			c.State = Alerting
		}
		setOnce(&c.DeliveredAt, at)
	case Connected, OnHold:
		if rang := e.At.UTC(); rang.Before(c.EstablishedAt) {
			setOnce(&c.DeliveredAt, rang)
		}
	case Alerting, StateClosed: // a repeated ring says nothing new
	}
}

// establish: a repeated one while on hold is no retrieve: hold is never invented or undone by us (rule 5).
func (c *Call) establish(at time.Time) {
	if c.State == OnHold {
		return
	}
	if c.Direction == "" {
		c.Direction = In
	}
	c.State = Connected
	setOnce(&c.EstablishedAt, at)
}

// slowest is how far one of two sources may be behind the other. What seems older still is a clock that was set back.
const slowest = 10 * time.Second

// newsOfHold drops what is older than what is known: of two sources one may be slower.
func (c *Call) newsOfHold(e Event) bool {
	at := firstTime(e.SourceAt, e.At).UTC()
	if behind := c.HoldAt.Sub(at); behind > 0 && behind < slowest {
		return false
	}
	c.HoldAt = at
	return true
}

func (c *Call) hold(by Party, at time.Time) {
	c.establish(at) // a hold without an answer: the answer was missed (rule 2)
	by = knownParty(by)
	if slices.Contains(c.HeldBy, by) || by == ByUnknown && len(c.HeldBy) > 0 {
		return
	}
	c.HeldBy = slices.DeleteFunc(append(c.HeldBy, by), func(p Party) bool { return p == ByUnknown && by != ByUnknown }) // now it is known
	slices.Sort(c.HeldBy)
	c.State = OnHold
	setOnce(&c.HeldSince, at)
}

func (c *Call) retrieve(by Party, at time.Time) {
	if c.State != OnHold {
		c.establish(at)
		return
	}
	by = knownParty(by)
	switch {
	case by == ByUnknown || c.HeldBy[0] == ByUnknown:
		c.HeldBy = nil
	default:
		c.HeldBy = slices.DeleteFunc(c.HeldBy, func(p Party) bool { return p == by })
	}
	if len(c.HeldBy) == 0 {
		c.endHold(at)
		c.State = Connected
	}
}

func (c *Call) conference(e Event, at time.Time) {
	if c.State == OnHold {
		c.HeldBy = nil
		c.endHold(at)
		c.State = Connected
	}
	c.establish(at)
	if who := e.Remote.Best(); who != "" && who != c.Remote.Best() && !slices.Contains(c.Parties, who) {
		c.Parties = append(c.Parties, who)
	}
}

// transfer: who gave the call away is out of it; for the others it goes on.
func (c *Call) transfer(e Event, at time.Time) {
	t := Transfer{Kind: Blind, Role: Transferrer}
	if e.Transfer != nil {
		t = *e.Transfer
	}
	c.Transfer = &t
	if t.Role == Transferrer {
		c.clear(e.Cause, Cause{Code: CauseTransferred, By: ByLocal}, at)
	}
}

func (c *Call) clear(cause *Cause, missing Cause, at time.Time) {
	if cause != nil && cause.Code != "" {
		missing = *cause
	}
	missing.By = knownParty(missing.By)
	c.endHold(at)
	c.HeldBy = nil
	c.Cause = &missing
	c.State = StateClosed
	c.ClearedAt = at
}

func (c *Call) endHold(at time.Time) {
	if !c.HeldSince.IsZero() {
		c.HeldFor += max(0, at.Sub(c.HeldSince))
		c.HeldSince = time.Time{}
	}
}

// learn takes the facts of an event: what is known stays, what Info says replaces it (better number, better name).
func (c *Call) learn(e Event) {
	if e.Type != Conferenced {
		c.learnRemote(e.Remote, e.Type == Info || e.Type == Transferred && e.Transfer != nil && e.Transfer.Role != Transferrer)
	}
	fill(&c.Local.Extension, e.Local.Extension, false)
	fill(&c.Local.Account, e.Local.Account, false)
	fill(&c.Dialled, e.Dialled, false)
	if e.Call.ClickToDial {
		c.ClickToDial, c.Direction = true, Out
		if c.State == Alerting {
			c.State = Initiated
		}
	}
	if c.Direction == "" {
		c.Direction = e.Call.Direction
	}
	c.Purpose, c.MainLeg = cmp.Or(c.Purpose, e.Call.Purpose), cmp.Or(c.MainLeg, e.Call.MainLeg)
	for k, v := range e.Data {
		if v != "" {
			c.Data[k] = v
		}
	}
	if e.Recording != nil {
		c.Recording = c.Recording.Then(*e.Recording)
	}
	if e.Muted != nil {
		c.Muted = *e.Muted
	}
	if e.Queue != nil {
		q := *e.Queue
		if c.Queue != nil {
			q.Name, q.WaitMS = cmp.Or(q.Name, c.Queue.Name), cmp.Or(q.WaitMS, c.Queue.WaitMS)
		}
		c.Queue = &q
	}
	for k, v := range e.Call.Refs {
		if _, known := c.Refs[k]; !known && v != "" {
			c.Refs[k] = v
		}
	}
}

func (c *Call) learnRemote(r Remote, better bool) {
	fill(&c.Remote.Name, r.Name, better)
	fill(&c.Remote.URI, r.URI, better)
	switch known := c.Remote.Raw != ""; {
	case r.Withheld && known && !c.Remote.Withheld: // "anonymous" is no better number
	case r.Raw != "" && (better || !known):
		c.Remote.Number = r.Number
	case r.Withheld && !known:
		c.Remote.Withheld = true
	}
}

// clock gives the time to book an event at: its own, but never before what was booked already, so that no duration is negative.
func (c *Call) clock(e Event) time.Time {
	at := e.At.UTC()
	if at.Before(c.LastAt) {
		return c.LastAt
	}
	return at
}

func (c Call) copied() Call {
	c.Refs = maps.Clone(c.Refs)
	if c.Refs == nil {
		c.Refs = map[string]string{}
	}
	c.Data = maps.Clone(c.Data)
	if c.Data == nil {
		c.Data = map[string]string{}
	}
	c.HeldBy = slices.Clone(c.HeldBy)
	c.Parties = slices.Clone(c.Parties)
	c.Also = slices.Clone(c.Also)
	return c
}

func (c Call) equal(o Call) bool {
	return c.State == o.State && c.Direction == o.Direction && c.Remote == o.Remote && c.Local == o.Local &&
		c.Dialled == o.Dialled && same(c.Queue, o.Queue) && same(c.Transfer, o.Transfer) && same(c.Cause, o.Cause) &&
		c.Purpose == o.Purpose && c.MainLeg == o.MainLeg && c.ClickToDial == o.ClickToDial && c.Muted == o.Muted && same(c.Recording, o.Recording) &&
		slices.Equal(c.Also, o.Also) && maps.Equal(c.Data, o.Data) && maps.Equal(c.Refs, o.Refs) && slices.Equal(c.HeldBy, o.HeldBy) && slices.Equal(c.Parties, o.Parties) &&
		c.DeliveredAt.Equal(o.DeliveredAt) && c.QueuedAt.Equal(o.QueuedAt) && c.EstablishedAt.Equal(o.EstablishedAt)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func fill(have *string, got string, better bool) {
	if got != "" && (better || *have == "") {
		*have = got
	}
}

func setOnce(t *time.Time, at time.Time) {
	if t.IsZero() {
		*t = at
	}
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func knownParty(p Party) Party {
	if p == "" {
		return ByUnknown
	}
	return p
}
