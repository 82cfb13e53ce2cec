package app

import (
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// screen is the flow's Screen: it turns cards into messages and hands them to the board, which tells whoever watches.
type screen struct {
	board   *loopback.Board
	mask    masker
	links   *links
	timings *timings

	presence wire.Presence // as it was at first
}

func (s *screen) Show(c flow.Card) {
	card := s.mask.card(toWire(c))
	seq := s.board.Publish(wire.Delta{Card: &card})
	s.timings.shown(c.Call.Leg, c.Call.StartedAt, seq, c.Picked != "")
}

func (s *screen) Drop(leg string) { s.board.Publish(wire.Delta{Drop: leg}) }

func (s *screen) Phone(up bool, since time.Time) {
	state := wire.LinkDown
	if up {
		state = wire.LinkUp
	}
	s.links.phone(state, since)
}

func toWire(c flow.Card) wire.Card {
	call, d := c.Call, c.Call.Durations(time.Now())
	return wire.Card{
		Leg: call.Leg, Case: call.Case, Direction: call.Direction, State: call.State, Number: call.Remote.Number,
		PhoneName: call.Remote.Name, Extension: call.Local.Extension, Dialled: call.Dialled, Queue: call.Queue,
		StartedAt: call.StartedAt, EstablishedAt: call.EstablishedAt, ClearedAt: call.ClearedAt, HeldSince: call.HeldSince,
		RingMS: d.Ring.Milliseconds(), TalkMS: d.Talk.Milliseconds(), HoldMS: d.Hold.Milliseconds(), Ending: call.Ending(),
		Search: wire.Search(c.Search), SearchError: c.SearchKind, Matches: filled(c.Matches), Picked: c.Picked,
		History: filled(c.Details.History), Tickets: filled(c.Details.Tickets), WrapUp: c.WrapUp, Changes: changesOf(c.Changes),
		Write: wire.Write{State: wire.WriteState(c.Write.State), Kind: c.Write.Kind, Message: c.Write.Message,
			Attempts: c.Write.Attempts, NextAt: c.Write.NextAt, RecordID: c.Write.RecordID},
		Commands: filled(c.Commands), Notice: wire.Notice(c.Notice), Pop: c.Pop, Again: c.Again,
		Muted: call.Muted && call.State != cti.StateClosed, Consult: consultOf(c.Consult), Data: call.Data, Recording: recordingOf(call),
	}
}

func consultOf(c *flow.Consult) *wire.Consult {
	if c == nil {
		return nil
	}
	return &wire.Consult{Leg: c.Leg, Number: c.Number, Name: c.Name, State: c.State, Since: c.Since}
}

func recordingOf(c cti.Call) wire.RecordingState {
	if c.Recording == nil {
		return ""
	}
	return wire.RecordingKnown
}

func changesOf(changes []flow.Change) []wire.Change {
	out := []wire.Change{}
	for _, c := range changes {
		out = append(out, wire.Change{Item: c.Item, Op: c.Op, Ticket: c.Ticket, Value: c.Value, Theirs: c.Theirs,
			State: wire.WriteState(c.Write.State), Kind: c.Write.Kind, Message: c.Write.Message})
	}
	return out
}

// filled makes an empty list of none: readers need not know the difference.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// links tells the board how the connections are, each change once.
type links struct {
	board              *loopback.Board
	phoneName, crmName string

	mu       sync.Mutex
	crmState wire.LinkState
}

func (l *links) phone(state wire.LinkState, since time.Time) {
	l.board.Publish(wire.Delta{Phone: &wire.Link{Name: l.phoneName, State: state, Since: since.UTC()}})
}

// crm takes how a request to the CRM ended. Only what tells about the connection counts: a refused record does not.
func (l *links) crm(err error) {
	var state wire.LinkState
	switch cti.KindOf(err) {
	case "", cti.Invalid, cti.NotFound, cti.Conflict, cti.Denied, cti.Limited:
		state = wire.LinkUp
	case cti.Auth:
		state = wire.LinkAuth
	case cti.Offline, cti.Uncertain:
		state = wire.LinkDown
	case cti.Internal:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if state != l.crmState {
		l.crmState = state
		l.board.Publish(wire.Delta{CRM: &wire.Link{Name: l.crmName, State: state, Since: time.Now().UTC()}})
	}
}

func counts(o *outbox.Outbox) *wire.Outbox {
	c := o.Counts()
	return &wire.Outbox{Waiting: c.Waiting, Review: c.Review, OldestAt: c.Since}
}

// progressed takes the outbox's news to the loop and the board.
func (a *App) progressed(p outbox.Progress) {
	a.board.Publish(wire.Delta{Outbox: counts(a.outbox)})
	a.files.progressed(p.Item)
	if w := p.Item.WriteBack; w.Op != cti.LogCall {
		switch {
		case w.Op.Changes():
			a.changeProgressed(p)
		case w.Op != cti.CreateCustomer:
		case p.Item.State == outbox.Done && p.Item.Receipt.ID != "":
			a.created(w, p.Item.Receipt.ID)
		case p.Item.State == outbox.Discarded:
			a.customers.Replaced(w.CustomerID)
			a.flow.Created(w.CustomerID, "")
		}
		return
	}
	a.flow.Progress(flow.Progress{Leg: p.Item.WriteBack.Leg, Write: writeOf(p.Item, p.Sending)})
}

// created: a customer of ours is in the CRM, under an id of its own. Its own search may not show them for minutes.
func (a *App) created(w cti.WriteBack, id string) {
	c := cti.Customer{ID: id, Type: w.New.Type, Name: w.New.Name, Company: w.New.Company, Email: w.New.Email}
	if n := w.Record.Number; n.Tells() {
		c.Numbers = []string{n.Best()}
		a.customers.Picked(n, id)
	}
	a.customers.Replaced(w.CustomerID)
	a.customers.Added(c)
	a.flow.Created(w.CustomerID, id)
}

// writeOf puts an outbox item into the card's words.
func writeOf(it outbox.Item, sending bool) flow.Write {
	last := it.LastTry()
	w := flow.Write{Attempts: it.Attempts, Kind: last.Kind, Message: last.Message, RecordID: it.Receipt.ID}
	switch {
	case sending:
		w.State = flow.WriteSending
	case it.State == outbox.Done:
		w = flow.Write{State: flow.WriteDelivered, RecordID: it.Receipt.ID, Attempts: it.Attempts}
	case it.State == outbox.Review:
		w.State = flow.WriteReview
		if it.WriteBack.Identity == cti.IdentityUnclear {
			w.Kind = cti.Conflict
		}
	case it.State == outbox.Retry:
		w.State, w.NextAt = flow.WriteRetrying, it.Due
	case it.State == outbox.Reconcile:
		w.State, w.NextAt = flow.WriteReconciling, it.Due
	case it.State == outbox.Discarded:
		w.State = flow.WriteDiscarded
	default:
		w.State = flow.WriteQueued
	}
	return w
}
