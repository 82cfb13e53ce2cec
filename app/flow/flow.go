// Package flow is THE loop: one goroutine with one select owns the calls. It must not know which phone, which CRM, which database or
// which window there is: it asks for the small interfaces below.
//
//	          events                       found, details
//	phone ───────────▶ ┌──────────────┐ ◀─────────────── Finder (own goroutines, with a deadline)
//	                   │   Run        │
//	          asked    │  one select  │    progress
//	window ──────────▶ │              │ ◀─────────────── outbox
//	                   └──────┬───────┘
//	           cards ◀────────┴────────▶ Queue: call and write-backs, durable before anything else happens
//
// On the first sign of a call: card on the screen at once (number, state, whoever is cached), then the look-up.
// On its end: call and write-backs into the Queue, then everything else.
package flow

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Finder knows customers. Cached answers at once; Find and Details may take until their context ends; they, Picked, Wrong and Added are called from several
// goroutines, and only read.
type Finder interface {
	Cached(n cti.Number) []cti.Match
	Find(ctx context.Context, n cti.Number) ([]cti.Match, error)
	Picked(n cti.Number, customerID string) // remember that the agent chose them for the number
	Wrong(n cti.Number)                     // forget it
	Added(c cti.Customer)                   // a person made them, or gave them the number
	Read(c cti.Customer)                    // they are known better now
	Details(ctx context.Context, customerID string) (Details, error)
}

// Details is what the card shows below the name.
type Details struct {
	History []cti.Contact
	Tickets []cti.Ticket
}

// Screen shows cards. Its methods are called by the loop only, in order, and must not block.
type Screen interface {
	Show(c Card)
	Drop(leg string)
	Phone(up bool, since time.Time)
	Presence(p Presence)
}

// Queue makes a finished call durable together with its write-backs: when Accept returns nil they survive anything. A second Accept
// of the same call replaces what was not sent yet and updates what was.
//
// Track makes a live call durable with what the agent typed so far, until its Accept. It is called beside the loop, never for a call after its Accept.
//
// Recorded makes the recording of a finished call durable that has no card any more.
type Queue interface {
	Accept(call cti.Call, wrap cti.WrapUp, writes []cti.WriteBack) error
	Track(call cti.Call, wrap cti.WrapUp) error
	Recorded(leg string, r cti.Recording) error
}

// Config holds what the flow works with; all fields are required but the last seven.
type Config struct {
	Tenant   string
	Phone    cti.Phone
	Finder   Finder
	Screen   Screen
	Queue    Queue
	Log      *slog.Logger
	Number   func(dialled string) cti.Number // reads a number that a person wants to call; nil: as it is
	Outcomes []string                        // the outcomes to choose from; empty: any text
	Several  bool                            // more than one source tells of the calls
	Presence PresenceConfig
	Journal  func(cti.PresenceChange) // keeps the changes of the agent's state; must not block; nil: nobody does

	Unfinished []Unfinished        // calls of an earlier run whose records have not reached the CRM, the oldest first
	Earlier    []Earlier           // calls of an earlier run: live when it ended, or over for less than cti.TombstoneFor
	Owing      *cti.PresenceChange // the after-call work it ended in; nil: none
}

// The times of the flow.
const (
	// lookupLimit: a customer who is not found by then is not on the card in time to be of use.
	lookupLimit = 1500 * time.Millisecond
	// phoneLimit is how long a phone may take to follow a command it accepted (reducer rule 4).
	phoneLimit = 3 * time.Second
	// saveAgain is how often a record the disk refused is tried again.
	saveAgain = 2 * time.Second
	// sweepEvery is how often ghosts, tombstones and old cards are looked for.
	sweepEvery = time.Minute
	// keepCards is how long a finished call stays at hand for a late note.
	keepCards = time.Hour
	// maxCards bounds the finished calls at hand, maxUnderWay those whose records are still on their way.
	maxCards    = 50
	maxUnderWay = 200
)

// Flow owns the calls. Its methods may be called from any goroutine; they take effect in the loop.
type Flow struct {
	cfg    Config
	ledger *cti.Ledger
	cards  map[string]*Card
	dials  []chan struct{}       // waiting for an outgoing call to appear
	asks   int                   // commands so far
	past   bool                  // the event being booked is from the phone's history
	up     map[string]bool       // sources that told how they are
	asides map[string]cti.WrapUp // what was typed on legs that had a card until it was known that they are no customer's calls; live ones only

	tracker  *tracker
	presence presence

	events  chan cti.Event
	asked   chan ask
	posted  chan func() // results of what the flow started itself
	stopped chan struct{}
	started sync.WaitGroup // look-ups and timers
	ctx     context.Context
}

// ask is a request from outside the loop.
type ask struct {
	do    func() error
	reply chan error
}

// New makes a flow; Run starts it.
func New(cfg Config) *Flow {
	if cfg.Journal == nil {
		cfg.Journal = func(cti.PresenceChange) {}
	}
	return &Flow{cfg: cfg, ledger: cti.NewLedger(cfg.Tenant), cards: map[string]*Card{}, up: map[string]bool{}, asides: map[string]cti.WrapUp{},
		tracker: newTracker(cfg.Queue, cfg.Log), events: make(chan cti.Event), asked: make(chan ask), posted: make(chan func()), stopped: make(chan struct{})}
}

// Run is the loop. It returns when ctx ends, after everything it started has stopped. Run once.
func (f *Flow) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	f.ctx = ctx
	sweep, seen := time.NewTicker(sweepEvery), time.NewTicker(seenEvery)
	defer sweep.Stop()
	defer seen.Stop()
	f.started.Go(f.tracker.run)
	defer f.started.Wait()
	defer close(f.tracker.stop)
	defer func() { f.stillAlive(time.Now()) }()
	defer close(f.stopped)
	defer cancel()
	f.restoreAll()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-f.events:
			f.event(e)
		case a := <-f.asked:
			a.reply <- a.do()
		case do := <-f.posted:
			do()
		case now := <-sweep.C:
			f.sweep(now)
		case now := <-seen.C:
			f.stillAlive(now)
		}
	}
}

// Event hands a canonical event to the loop: cleaned, numbered, with its number in all three forms.
func (f *Flow) Event(ctx context.Context, e cti.Event) {
	select {
	case f.events <- e:
	case <-f.stopped:
	case <-ctx.Done():
	}
}

// event is what happens on each event: the ledger books it, every call it changed is followed up.
func (f *Flow) event(e cti.Event) {
	switch e.Type {
	case cti.SourceUp, cti.SourceDown:
		f.heard(e)
	case cti.AgentState:
		f.agentState(e)
	default: // says nothing about the phone itself
	}
	f.past = e.Past
	for _, change := range f.ledger.Apply(e) {
		f.follow(change)
	}
	f.past = false
	if e.Recording != nil {
		f.recorded(e)
	}
}

// heard tells the screen how the phone is: connected when every source of it is.
func (f *Flow) heard(e cti.Event) {
	f.up[e.Source.Adapter+" "+e.Source.Instance] = e.Type == cti.SourceUp
	f.cfg.Screen.Phone(!slices.Contains(slices.Collect(maps.Values(f.up)), false), e.At)
}

// follow brings card, look-up and write-back in line with a changed call. The order matters: durable, visible, then curious.
func (f *Flow) follow(change cti.Change) {
	call := change.After
	if call.Purpose != "" {
		f.aside(change)
		return
	}
	card := f.card(change.Before, call)
	if card == nil {
		return
	}
	if call.State != change.Before.State {
		card.moved()
	}
	lookup := f.needsLookup(card)
	f.keep(change, card)
	f.show(card)
	f.leave(card)
	if lookup {
		f.lookUp(card)
	}
	if change.Ended() {
		f.wrap(card)
		f.tidy(call.ClearedAt)
	}
	if call.Direction == cti.Out && change.Before.Direction != cti.Out && !f.past {
		f.dialled()
	}
}

// keep brings a changed call to the disk: a live one as far as it got, a finished one with what the CRM is told.
func (f *Flow) keep(change cti.Change, card *Card) {
	switch call := change.After; {
	case change.Ended() && f.cfg.Several && !f.past && call.Settling():
		f.settle(card)
	case call.State == cti.StateClosed && !card.settling:
		f.end(card) // it ended, or something better is known about its end
	default:
		f.tracker.alive(call, card.WrapUp, time.Now())
	}
}

// end writes a finished call down.
func (f *Flow) end(card *Card) {
	card.settling = false
	f.tracker.over(card.Call.Leg)
	f.write(card)
}

// settle waits with a call that nobody answered here: another source may know that a colleague did, or which queue was the last. Until then it
// is on the disk as a call of which nothing was decided.
func (f *Flow) settle(card *Card) {
	card.settling = true
	f.tracker.alive(card.Call, card.WrapUp, time.Now())
	leg := card.Call.Leg
	f.after(cti.SettleFor, func() {
		if card := f.cards[leg]; card != nil && card.settling {
			f.end(card)
			f.settled(card)
		}
	})
}

// settled shows what was decided about a call's end. A card that the agent put away meanwhile stays away, if nothing of it needs them.
func (f *Flow) settled(card *Card) {
	away := card.away
	card.away = false
	if away && f.dismiss(card) == nil {
		return
	}
	f.show(card)
	f.leave(card)
}

// leave takes the card of a call away that a colleague answered: there is nothing to do about it here.
func (f *Flow) leave(card *Card) {
	if card.Call.Ending() == cti.EndAnsweredElsewhere && !card.settling && card.Write.State != WriteUnsaved {
		f.putAway(card)
	}
}

// recorded takes the reference of a recording, which may come minutes after the call.
func (f *Flow) recorded(e cti.Event) {
	leg, known := f.ledger.Leg(e)
	if !known {
		f.cfg.Log.Warn("recording of a call nobody knows", "adapter", e.Source.Adapter)
		return
	}
	if _, live := f.ledger.Call(leg); live {
		return // the call has it, and writes it down with its end
	}
	if card := f.cards[leg]; card != nil {
		card.Call.Recording = card.Call.Recording.Then(*e.Recording)
		if !card.settling && card.Write.State != WriteUnsaved {
			f.write(card)
		}
		f.show(card)
		return
	}
	if err := f.cfg.Queue.Recorded(leg, *e.Recording); err != nil {
		f.cfg.Log.Error("recording not written down", "leg", leg, "err", err)
	}
}

// stillAlive tells the disk which calls live.
func (f *Flow) stillAlive(now time.Time) {
	for leg, card := range f.cards {
		if call, live := f.ledger.Call(leg); live {
			f.tracker.alive(call, card.WrapUp, now)
		}
	}
}

// ask runs do in the loop and gives its answer.
func (f *Flow) ask(ctx context.Context, do func() error) error {
	a := ask{do: do, reply: make(chan error, 1)}
	select {
	case f.asked <- a:
		return <-a.reply
	case <-f.stopped:
		return cti.Errorf(cti.Offline, "Ringside is closing", nil)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start runs work beside the loop; what it gives back, unless it is nil, runs in the loop. The work must end with its context.
func (f *Flow) start(work func(ctx context.Context) func()) {
	f.started.Add(1)
	go func() {
		defer f.started.Done()
		then := work(f.ctx)
		if then == nil {
			return
		}
		select {
		case f.posted <- then:
		case <-f.stopped:
		}
	}()
}

// after runs do in the loop once the time has passed.
func (f *Flow) after(d time.Duration, do func()) {
	f.start(func(ctx context.Context) func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return do
		case <-ctx.Done():
			return nil
		}
	})
}
