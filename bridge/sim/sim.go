// Package sim is the reference call source: a phone that exists only as a script. Tests, the demo, training and `ringctl event`
// feed it. It owns the queue of scripted events and the list of calls they add up to.
// It must not know what becomes of the events, other sources, or who gives commands.
package sim

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Ref is the name of the reference that Ring and Dial give a call.
const Ref = "sim_call"

// maxQueue is how many events may wait for Run, or for an emit that blocks: a feed beyond it fails with kind limited.
const maxQueue = 4096

// Script says how the phone behaves; the zero value is a phone that works.
type Script struct {
	AnswerSilently bool // commands are accepted and nothing follows: what a phone with a broken sound device does
	Refuse         bool // commands fail with kind invalid
	Disorder       bool // every event comes twice, and once more after the next one
}

// Source is one scripted phone. Make it with New. All methods are safe for concurrent use.
type Source struct {
	extension string

	mu        sync.Mutex
	wake      chan struct{} // holds one token when something waits
	running   bool
	connected bool // cut by Disconnect
	script    Script
	queue     []cti.Event
	told      cti.Event              // the newest that went into the queue
	ledger    *cti.Ledger            // what the events add up to
	live      map[string]cti.Call    // by leg: the ledger's calls that are not cleared
	stories   map[string][]cti.Event // by leg: what the live calls are made of
	past      []pastCall             // the oldest first
	digits    map[string]string      // by leg: what the agent sent to the far ends of live calls
	consults  map[string]string      // by leg of a live call: the reference of the consultation about it
}

// pastCall is an ended call in the phone's history.
type pastCall struct {
	endedAt time.Time
	refs    map[string]string
	story   []cti.Event
}

// maxPast is how many ended calls the phone remembers.
const maxPast = 1000

// New makes a phone of this extension; it is connected, and events may be fed before Run.
func New(extension string) *Source {
	return &Source{extension: extension, wake: make(chan struct{}, 1), connected: true,
		ledger: cti.NewLedger("sim"), live: map[string]cti.Call{}, stories: map[string][]cti.Event{},
		digits: map[string]string{}, consults: map[string]string{}}
}

// SetScript changes how the phone behaves from now on.
func (s *Source) SetScript(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Run feeds the events to emit until ctx ends, then returns nil; emit is not called after that, and may block. First come
// source.up, what was fed before, and a snapshot of the calls that are live by then. It runs once at a time: a second Run beside
// the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return cti.Errorf(cti.Conflict, "run the simulated phone: it runs already", nil)
	}
	s.running = true
	if s.connected {
		s.queue = append(append([]cti.Event{s.event(cti.SourceUp)}, s.queue...), s.snapshot())
	}
	s.mu.Unlock()
	s.nudge()
	defer func() {
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			for ctx.Err() == nil {
				e, ok := s.next()
				if !ok {
					break
				}
				emit(e)
			}
		}
	}
}

// next takes the oldest event off the queue.
func (s *Source) next() (cti.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return cti.Event{}, false
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	return e, true
}

func (s *Source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Feed emits any canonical event as it is; only an empty source, version, time or extension is filled in. While disconnected it
// changes the calls but is not emitted, as with a real phone. Errors: invalid for an unknown type or version, limited when nobody
// has been listening for too long.
func (s *Source) Feed(e cti.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feed(e)
}

func (s *Source) feed(e cti.Event) error {
	if !slices.Contains(types, e.Type) {
		return cti.Errorf(cti.Invalid, "there is no event of this type", nil)
	}
	if e.V > cti.EnvelopeVersion {
		return cti.Errorf(cti.Invalid, "this event is of a later version than this program", nil)
	}
	if len(s.queue) >= maxQueue {
		return cti.Errorf(cti.Limited, "the simulated phone's queue is full", nil)
	}
	e = s.filled(e)
	s.track(e)
	if !s.connected {
		return nil
	}
	s.queue = append(s.queue, e)
	if s.script.Disorder {
		s.queue = append(s.queue, e)
		if s.told.Type != "" {
			s.queue = append(s.queue, s.told)
		}
	}
	s.told = e
	s.nudge()
	return nil
}

// types are the events that may be fed.
var types = []cti.EventType{
	cti.Originated, cti.Delivered, cti.Established, cti.Held, cti.Retrieved, cti.Transferred, cti.Conferenced, cti.Diverted,
	cti.Failed, cti.Cleared, cti.Info, cti.Queued, cti.AgentState, cti.SourceUp, cti.SourceDown, cti.Snapshot,
}

func (s *Source) filled(e cti.Event) cti.Event {
	blank := s.event(e.Type)
	if e.Source == (cti.Source{}) {
		e.Source = blank.Source
	}
	if e.V == 0 {
		e.V = blank.V
	}
	if e.At.IsZero() {
		e.At = blank.At
	}
	if e.Local.Extension == "" && strings.HasPrefix(string(e.Type), "call.") {
		e.Local.Extension = s.extension
	}
	return e
}

// track books an event, so that a snapshot and the commands know the calls.
func (s *Source) track(e cti.Event) {
	if at := s.pastOf(e.Call.Refs); at >= 0 && e.Type == cti.Info {
		s.past[at].story = append(s.past[at].story, e) // a late fact, such as the recording
	}
	changes := s.ledger.Apply(e.Clean())
	changes = append(changes, s.ledger.Sweep(time.Now().UTC())...)
	for _, c := range changes {
		if c.Before.State == cti.StateClosed {
			continue // a late fact
		}
		s.live[c.After.Leg] = c.After
		s.stories[c.After.Leg] = append(s.stories[c.After.Leg], e)
		if c.After.State == cti.StateClosed {
			s.bury(c.After)
		}
	}
	if len(s.live) == 0 { // who listens remembers the cleared calls, and for longer
		s.ledger = cti.NewLedger("sim")
	}
}

// bury moves a call to the history.
func (s *Source) bury(c cti.Call) {
	s.past = append(s.past, pastCall{endedAt: c.ClearedAt, refs: c.Refs, story: s.stories[c.Leg]})
	if extra := len(s.past) - maxPast; extra > 0 {
		s.past = s.past[extra:]
	}
	delete(s.live, c.Leg)
	delete(s.stories, c.Leg)
	delete(s.digits, c.Leg)
	delete(s.consults, c.Leg)
}

func (s *Source) event(t cti.EventType) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(),
		Source: cti.Source{Adapter: "sim", Instance: "sim", Confidence: cti.Signalled}}
}

// Live lists the calls that are not cleared, the oldest first.
func (s *Source) Live() []cti.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

func (s *Source) sorted() []cti.Call {
	calls := make([]cti.Call, 0, len(s.live))
	for _, c := range s.live {
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

// snapshot lists the live calls of this source, as events that lead to their states.
func (s *Source) snapshot() cti.Event {
	e := s.event(cti.Snapshot)
	e.Legs = []cti.Event{}
	for _, c := range s.sorted() {
		if c.Source.Adapter == e.Source.Adapter && c.Source.Instance == e.Source.Instance {
			e.Legs = append(e.Legs, s.leg(c))
		}
	}
	return e
}

func (s *Source) leg(c cti.Call) cti.Event {
	e := s.event(cti.Originated)
	e.Call, e.Remote, e.Local, e.Dialled, e.Queue, e.Data = refOf(c), c.Remote, c.Local, c.Dialled, c.Queue, c.Data
	e.Recording = c.Recording
	if !c.EstablishedAt.IsZero() {
		e.Muted = &c.Muted
	}
	switch c.State {
	case cti.Alerting:
		e.Type, e.Side = cti.Delivered, cti.SideLocal
	case cti.Connected:
		e.Type = cti.Established
	case cti.OnHold:
		e.Type, e.By = cti.Held, c.HeldBy[0]
	case cti.Initiated:
		if !c.DeliveredAt.IsZero() {
			e.Type, e.Side = cti.Delivered, cti.SideRemote
		}
	case cti.Null:
		e.Type = cti.Queued
	case cti.StateClosed: // is not live
	}
	return e
}

// refOf names a call in an event about it.
func refOf(c cti.Call) cti.CallRef {
	return cti.CallRef{Refs: c.Refs, Direction: c.Direction, Purpose: c.Purpose, MainLeg: c.MainLeg, ClickToDial: c.ClickToDial}
}

// newRef is unique over restarts: call ids are made from it.
func newRef() string { return "sim-" + rand.Text() }
