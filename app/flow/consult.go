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
	f.hadCard(call, main)
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

// hadCard follows a leg that had a card until its purpose became known. By then it is on the disk as a customer's call: there it becomes what it is,
// so that a later run writes no record of it.
func (f *Flow) hadCard(call cti.Call, main *Card) {
	var typed cti.WrapUp
	if card := f.cards[call.Leg]; card != nil {
		if !f.moveNotes(card, main) {
			typed = card.WrapUp
		}
		f.putAway(card)
		f.asides[call.Leg] = typed
	}
	typed, kept := f.asides[call.Leg]
	switch {
	case !kept:
	case call.State != cti.StateClosed:
		f.tracker.alive(call, typed, time.Now())
	default:
		f.endAside(call, typed)
	}
}

// endAside: it is live no more, and leaves nothing but itself, with what nobody knew where to put.
func (f *Flow) endAside(call cti.Call, typed cti.WrapUp) {
	f.tracker.over(call.Leg)
	delete(f.asides, call.Leg)
	if err := f.cfg.Queue.Accept(call, typed, nil); err != nil {
		f.cfg.Log.Error("end of a consultation not written down", "leg", call.Leg, "err", err) // the next run ends it
	}
}

// moveNotes keeps what was typed on the card of a leg that turned out to be a consultation: notes belong to the main call. False: there is none
// that takes them.
func (f *Flow) moveNotes(from, to *Card) bool {
	if to == nil || from.WrapUp.Note == "" {
		return from.WrapUp.Note == ""
	}
	w := to.WrapUp
	w.Note = strings.TrimSpace(w.Note + "\n" + from.WrapUp.Note)
	return f.wrapUp(to, w, true, time.Now()) == nil
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
