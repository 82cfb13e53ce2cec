package flow

import (
	"context"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Command asks the phone to do something with a call. A nil error means that the phone accepted it: what becomes of it shows on the
// card. When nothing follows within three seconds the card says so (reducer rule 4).
func (f *Flow) Command(ctx context.Context, leg string, do cti.Instruction) error {
	if aside, err := f.commandAside(ctx, leg, do); aside || err != nil {
		return err
	}
	var call cti.Call
	var number int
	if err := f.onCard(ctx, leg, func(card *Card) error {
		if !slices.Contains(f.commands(card), do.Command) {
			return cti.Errorf(cti.Conflict, "the phone cannot do this with the call now", nil)
		}
		f.asks++
		number = f.asks
		call, card.awaited, card.Notice = card.Call, number, ""
		if do.Command == cti.CommandConsult {
			f.ledger.Expect(cti.Dial{Number: f.number(do.To), At: time.Now(), RingsFirst: f.cfg.Phone.RingsFirst, Purpose: cti.Consultation, Main: leg})
		}
		f.show(card)
		if f.shows(do.Command) {
			f.after(phoneLimit, func() { f.silent(leg, do.Command, number) })
		}
		return nil
	}); err != nil {
		return err
	}
	err := f.cfg.Phone.Do(ctx, call, do)
	if err == nil {
		return nil
	}
	if do.Command == cti.CommandConsult {
		f.unexpect(do.To)
	}
	return f.refused(ctx, leg, number, err)
}

func (f *Flow) number(dialled string) cti.Number {
	if f.cfg.Number == nil {
		return cti.Number{Raw: dialled}
	}
	return f.cfg.Number(dialled)
}

// unexpect forgets a number that the phone did not dial.
func (f *Flow) unexpect(dialled string) {
	select {
	case f.posted <- func() { f.ledger.Unexpect(f.number(dialled)) }:
	case <-f.stopped:
	}
}

// shows tells whether a command that is carried out changes the call's state, so that a phone that does nothing can be told.
func (f *Flow) shows(c cti.Command) bool {
	switch c {
	case cti.CommandAnswer, cti.CommandReject, cti.CommandHangup:
		return true
	case cti.CommandHold, cti.CommandResume:
		return f.cfg.Phone.TellsHold
	default: // a transfer may ring for long at its target; tones and mute change no state
		return false
	}
}

// refused notes on the card that the phone said no, if the call has not moved on since; the phone's error is what the caller gets.
func (f *Flow) refused(ctx context.Context, leg string, number int, refusal error) error {
	err := f.onCard(ctx, leg, func(card *Card) error {
		if card.awaited != number {
			return nil
		}
		card.awaited, card.Notice = 0, PhoneRefused
		if cti.KindOf(refusal) == cti.Offline {
			card.Notice = PhoneOffline
		}
		f.show(card)
		return nil
	})
	if err != nil {
		f.cfg.Log.Warn("refused command has no card any more", "leg", leg, "err", err)
	}
	return refusal
}

// silent is the watchdog: the phone accepted a command and the call is still as it was. A refusal may still come.
func (f *Flow) silent(leg string, cmd cti.Command, number int) {
	if card := f.cards[leg]; card != nil && card.awaited == number {
		card.Notice = PhoneSilent
		f.cfg.Log.Warn("phone accepted a command and did nothing", "leg", leg, "command", cmd)
		f.show(card)
	}
}

// moved: the call went into another state, so the phone owes nothing any more.
func (c *Card) moved() {
	c.awaited = 0
	switch c.Notice {
	case PhoneSilent, PhoneRefused, PhoneOffline:
		c.Notice = ""
	case NotSaved, WrapUpNotSaved:
	}
}

// Dial asks the phone to call a number and waits until the call appears, at most three seconds.
func (f *Flow) Dial(ctx context.Context, number string) error {
	if f.cfg.Phone.Dial == nil {
		return cti.Errorf(cti.Invalid, "this phone cannot be told to dial", nil)
	}
	appeared := make(chan struct{})
	if err := f.ask(ctx, func() error {
		f.dials = append(f.dials, appeared)
		if f.cfg.Phone.RingsFirst {
			f.ledger.Expect(cti.Dial{Number: f.number(number), At: time.Now(), RingsFirst: true})
		}
		return nil
	}); err != nil {
		return err
	}
	defer f.forgetDial(appeared)
	if err := f.cfg.Phone.Dial(ctx, number); err != nil {
		f.unexpect(number)
		return err
	}
	timer := time.NewTimer(phoneLimit)
	defer timer.Stop()
	select {
	case <-appeared:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return cti.Errorf(cti.Offline, "the phone did not answer", nil)
	}
}

// dialled tells the oldest waiting Dial that an outgoing call appeared.
func (f *Flow) dialled() {
	if len(f.dials) > 0 {
		close(f.dials[0])
		f.dials = f.dials[1:]
	}
}

func (f *Flow) forgetDial(appeared chan struct{}) {
	forget := func() { f.dials = slices.DeleteFunc(f.dials, func(c chan struct{}) bool { return c == appeared }) }
	select {
	case f.posted <- forget:
	case <-f.stopped:
	}
}

// Pick says which of several customers it is.
func (f *Flow) Pick(ctx context.Context, leg, customerID string) error {
	return f.onCard(ctx, leg, func(card *Card) error { return f.pick(card, customerID) })
}

// Wrong takes back whom a call is with; the pick is not made by itself again.
func (f *Flow) Wrong(ctx context.Context, leg string) error { return f.onCard(ctx, leg, f.wrong) }

// Attach says whom a finished call was with, also when the look-up did not find that customer.
func (f *Flow) Attach(ctx context.Context, leg, customerID string) error {
	return f.onCard(ctx, leg, func(card *Card) error { return f.attach(card, customerID) })
}

// SaveWrapUp takes outcome and note. When it returns nil they are on the disk, or the call is still going on and they will be written
// with its end. A draft is kept the same way but not sent.
func (f *Flow) SaveWrapUp(ctx context.Context, leg string, w cti.WrapUp, draft bool) error {
	return f.onCard(ctx, leg, func(card *Card) error { return f.wrapUp(card, w, draft, time.Now()) })
}

// Dismiss takes a finished call's card off the screen.
func (f *Flow) Dismiss(ctx context.Context, leg string) error {
	return f.onCard(ctx, leg, f.dismiss)
}

func (f *Flow) onCard(ctx context.Context, leg string, do func(*Card) error) error {
	return f.ask(ctx, func() error {
		card := f.cards[leg]
		if card == nil {
			return cti.Errorf(cti.NotFound, "there is no such call on the screen", nil)
		}
		return do(card)
	})
}
