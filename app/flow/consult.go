package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Consult is the leg to a colleague whom the agent asks while the customer waits: it has no card and leaves no record.
type Consult struct {
	Leg    string
	Number cti.Number
	Name   string
	State  cti.State
	Since  time.Time
}

// aside follows a leg that is no customer's call: a consultation shows on the card it is about, a supervisor's listening nowhere.
func (f *Flow) aside(change cti.Change) {
	call := change.After
	main := f.cards[call.MainLeg]
	if card := f.cards[call.Leg]; card != nil { // it had a card until its purpose became known
		f.tracker.over(call.Leg)
		f.moveNotes(card, main)
		f.putAway(card)
	}
	if call.Purpose != cti.Consultation || main == nil {
		return
	}
	switch {
	case call.State != cti.StateClosed:
		main.Consult = &Consult{Leg: call.Leg, Number: call.Remote.Number, Name: call.Remote.Name, State: call.State, Since: firstTime(call.EstablishedAt, call.StartedAt)}
	case main.Consult != nil && main.Consult.Leg == call.Leg:
		main.Consult = nil
	}
	f.show(main)
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// moveNotes keeps what was typed on the card of a leg that turned out to be a consultation: notes belong to the main call.
func (f *Flow) moveNotes(from, to *Card) {
	if to == nil || from.WrapUp.Note == "" {
		return
	}
	to.WrapUp.Note = strings.TrimSpace(to.WrapUp.Note + "\n" + from.WrapUp.Note)
	if call, live := f.ledger.Call(to.Call.Leg); live {
		f.tracker.alive(call, to.WrapUp, time.Now())
	}
}

// commandAside asks the phone to do something with a consultation; false when the leg is none.
func (f *Flow) commandAside(ctx context.Context, leg string, do cti.Instruction) (bool, error) {
	var call cti.Call
	known := false
	err := f.ask(ctx, func() error {
		live := false
		call, live = f.ledger.Call(leg)
		known = live && call.Purpose == cti.Consultation
		if known && !slices.Contains([]cti.Command{cti.CommandHangup, cti.CommandDTMF}, do.Command) {
			return cti.Errorf(cti.Conflict, "the phone cannot do this with the call now", nil)
		}
		return nil
	})
	if !known || err != nil {
		return known, err
	}
	return true, f.cfg.Phone.Do(ctx, call, do)
}
