package app

import (
	"context"
	"errors"
	"os"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/uri"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store"
)

// What a person at the desk may ask, through the window or through the local API.

// Board is where the cards are, for those who watch.
func (a *App) Board() *loopback.Board { return a.board }

// Command asks the phone to do something with a call; what becomes of it shows on the card.
func (a *App) Command(ctx context.Context, leg string, do cti.Instruction) error {
	if do.Command == cti.CommandConsult || do.Command == cti.CommandTransfer {
		if err := a.mayReach(ctx, do.To); err != nil {
			return err
		}
	}
	return a.flow.Command(ctx, leg, do)
}

// Dial asks the phone to call a number and waits until the call appears, at most three seconds.
// A number is dialled as the site does that; a SIP address as it is. The same again within two seconds is not dialled again, and no error.
func (a *App) Dial(ctx context.Context, number string) error {
	if strings.HasPrefix(number, "sip:") || strings.HasPrefix(number, "sips:") {
		if err := a.mayReach(ctx, number); err != nil {
			return err
		}
		return a.dialling.clicks.once(ctx, number, a.flow.Dial)
	}
	dialled, err := a.plan.Dial(number)
	if err != nil {
		return err
	}
	if err := a.dialling.allow(ctx, a.plan.Written(number)); err != nil {
		return err
	}
	return a.dialling.clicks.once(ctx, dialled, a.flow.Dial)
}

// mayReach gives why whoever is called by what goes to the phone as it is must not be: it may hold what is dialled for an outside line.
func (a *App) mayReach(ctx context.Context, to string) error {
	n, behind := a.plan.Written(to), a.plan.Callee(to, "")
	if err := a.dialling.allow(ctx, n); err != nil || behind.E164 == n.E164 {
		return err
	}
	return a.dialling.allow(ctx, behind)
}

// Open calls the number of a tel:, sip: or callto: link, which comes from anybody. Kind invalid for any other.
func (a *App) Open(ctx context.Context, link string) error {
	target, err := uri.Target(link)
	if err != nil {
		return err
	}
	return a.Dial(ctx, target)
}

// CallBack dials the number of a finished call, which the reader may not be shown.
func (a *App) CallBack(ctx context.Context, leg string) error {
	l, err := a.store.Call(leg)
	if err != nil {
		return err
	}
	dialled, err := a.plan.Dialled(l.Call.Remote.Number)
	if err != nil {
		return err
	}
	if err := a.dialling.allow(ctx, l.Call.Remote.Number); err != nil {
		return err
	}
	return a.dialling.clicks.once(ctx, dialled, a.flow.Dial)
}

// Pick says which of several customers it is.
func (a *App) Pick(ctx context.Context, leg, customerID string) error {
	return a.flow.Pick(ctx, leg, customerID)
}

// Wrong takes back whom a call is with, and forgets it for the number.
func (a *App) Wrong(ctx context.Context, leg string) error { return a.flow.Wrong(ctx, leg) }

// WrapUp takes outcome and note.
func (a *App) WrapUp(ctx context.Context, leg string, w wire.WrapUpRequest) error {
	return a.flow.SaveWrapUp(ctx, leg, cti.WrapUp{Outcome: w.Outcome, Note: w.Note}, w.Draft)
}

// Dismiss takes a finished call's card away.
func (a *App) Dismiss(ctx context.Context, leg string) error { return a.flow.Dismiss(ctx, leg) }

// Link gives the CRM's own page of a record: kind is contact, ticket or call.
func (a *App) Link(kind, id string) (string, error) {
	link := a.connector.Features().DeepLink
	if link == nil {
		return "", cti.Errorf(cti.Invalid, "this CRM's connector knows no links", nil)
	}
	return link(kind, id)
}

// Painted is the window's word that it has painted a card as of a delta.
func (a *App) Painted(seq uint64, leg string) { a.timings.painted(leg, seq) }

// WindowReady is the window's word that its page is alive; show brings it to the screen.
func (a *App) WindowReady(show func()) { a.window.Store(&show) }

// Show brings the window to the screen.
func (a *App) Show() error {
	show := a.window.Load()
	if show == nil {
		return cti.Errorf(cti.NotFound, "this Ringside runs without a window", nil)
	}
	(*show)()
	return nil
}

// Feed takes a canonical event from outside: the simulated phone's, if that is the profile's, else straight to the loop.
func (a *App) Feed(ctx context.Context, e cti.Event) error {
	if e.V > cti.EnvelopeVersion {
		return cti.Errorf(cti.Invalid, "the event is of a newer version than this Ringside knows", nil)
	}
	if !known(e.Type) {
		return cti.Errorf(cti.Invalid, "type is not a canonical event: see docs/events.md", nil)
	}
	if about := string(e.Type); strings.HasPrefix(about, "call.") && e.Call.Leg == "" && len(e.Call.Refs) == 0 {
		return cti.Errorf(cti.Invalid, `an event about a call names it, the same way in all its events and differently for each call: "call":{"refs":{"id":"…"}}`, nil)
	}
	if err := a.phones.feed(e); !errors.Is(err, errNoFeed) {
		return err
	}
	e.Source = cti.Source{Adapter: "fed", Instance: "local", Confidence: cti.Inferred}
	a.intake.book(ctx, e)
	return nil
}

func known(t cti.EventType) bool {
	switch t {
	case cti.Originated, cti.Delivered, cti.Established, cti.Held, cti.Retrieved, cti.Transferred, cti.Conferenced, cti.Diverted,
		cti.Failed, cti.Cleared, cti.Info, cti.Queued, cti.AgentState, cti.SourceUp, cti.SourceDown, cti.Snapshot:
		return true
	}
	return false
}

// Status tells how the agent is.
func (a *App) Status() wire.Status {
	s := a.board.Snapshot()
	status := wire.Status{Version: Version, PID: os.Getpid(), StartedAt: a.started, Agent: s.Agent, Extension: s.Extension,
		Phone: s.Phone, CRM: s.CRM, Outbox: s.Outbox, Storage: s.Storage, Window: a.window.Load() != nil}
	for _, c := range s.Cards {
		if c.State != cti.StateClosed {
			status.LiveCalls++
		}
	}
	return status
}

func (a *App) calls(limit int) ([]wire.LoggedCall, error) {
	logged, err := a.store.Calls(limit)
	list := make([]wire.LoggedCall, 0, len(logged))
	for _, l := range logged {
		if l.Call.Purpose != "" && l.WrapUp.Note == "" {
			continue // no customer's call of its own; it is kept because it had a card at first
		}
		list = append(list, a.mask.call(loggedCall(l)))
	}
	return list, err
}

func (a *App) call(leg string) (wire.LoggedCall, error) {
	l, err := a.store.Call(leg)
	return a.mask.call(loggedCall(l)), err
}

func loggedCall(l store.LoggedCall) wire.LoggedCall {
	d := l.Call.Durations(l.Call.ClearedAt)
	return wire.LoggedCall{Call: l.Call, Ending: l.Call.Ending(), RingMS: d.Ring.Milliseconds(), TalkMS: d.Talk.Milliseconds(),
		HoldMS: d.Hold.Milliseconds(), WrapUp: l.WrapUp}
}

// api is what the local API's routes call.
func (a *App) api() loopback.Agent {
	return loopback.Agent{Board: a.board, Status: a.Status, Feed: a.Feed, Command: a.Command, Dial: a.Dial, CallBack: a.CallBack, Pick: a.Pick, Wrong: a.Wrong, Search: a.Search, Create: a.CreateCustomer, AttachCall: a.AttachTo, WrapUp: a.WrapUp,
		Events: a.Events, Record: a.Record,
		Presence: a.SetPresence, PresenceLog: a.PresenceLog,
		Tags: a.ChangeTags, SetStatus: a.SetStatus, SetTicket: a.SetTicketStatus, Options: a.Options,
		Calls: a.calls, Call: a.call, Timing: a.timings.of, Show: a.Show, Look: a.phones.look,
		Index: a.IndexStats, SyncIndex: a.SyncIndex, ClearIndex: a.ClearIndex, Identify: a.Identify,
		Outbox: a.OutboxItems, Item: a.OutboxItem, Retry: a.Retry, RetryAll: a.RetryAll, Edit: a.EditItem, Attach: a.Attach, Discard: a.Discard,
		Preview: a.Preview, PreviewCall: a.PreviewCall, Rebuild: a.Rebuild}
}
