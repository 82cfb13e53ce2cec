package baresip

import (
	"context"
	"errors"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// The commands about a call that goes on. The phone takes hold, mute and digits for a call that only rings too, with lasting harm
// (1.0.0 answers such a call on hold), so the state is asked first.

// talking makes an answered call the current one and carries out what the agent wants, with what callstat said of it.
func (s *Source) talking(ctx context.Context, c cti.Call, do func(l *link, current stat) error) error {
	l, done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	id := c.Refs[cti.RefSIPCallID]
	if id == "" && c.Refs[refDial] != "" {
		return notAnswered()
	}
	if err := l.choose(ctx, c); err != nil {
		return err
	}
	reply, err := l.ask(ctx, "callstat", "")
	if err != nil {
		return err
	}
	current, ok := parseStat(reply.Data)
	switch {
	case !ok || current.ID != id:
		return cti.Errorf(cti.Conflict, "another call is in front on the phone: use the phone itself", nil)
	case current.State != "ESTABLISHED":
		return notAnswered()
	}
	return do(l, current)
}

func notAnswered() error {
	return cti.Errorf(cti.Conflict, "this call was not answered yet", nil)
}

// order gives a command and takes its reply for the answer.
func (l *link) order(ctx context.Context, command, params string) error {
	reply, err := l.ask(ctx, command, params)
	if err != nil {
		return err
	}
	return refusal(reply)
}

func (s *Source) onTalk(ctx context.Context, c cti.Call, command, params string) error {
	return s.talking(ctx, c, func(l *link, _ stat) error { return l.order(ctx, command, params) })
}

func (s *Source) dtmf(ctx context.Context, c cti.Call, digits string) error {
	if !cti.Digits(digits) {
		return cti.Errorf(cti.Invalid, "only 0-9, *, # and A-D can be sent as tones", nil)
	}
	return s.onTalk(ctx, c, "sndcode", digits)
}

// mute toggles until the phone says what is wanted: it has no other command, and says only then how it stands. A call that is muted
// already is heard for the moment between two commands, which is shorter than one packet of sound.
func (s *Source) mute(ctx context.Context, c cti.Call, on bool) error {
	return s.talking(ctx, c, func(l *link, current stat) error {
		var reply message
		for range 2 {
			var err error
			if reply, err = l.askAnd(ctx, "mute", "", func(m message) {
				if is, said := muted(m); said {
					l.muted(current.ID, is)
				}
			}); err != nil {
				return err
			}
			if is, said := muted(reply); said && is == on {
				return nil
			}
		}
		if err := refusal(reply); err != nil {
			return err
		}
		return cti.Errorf(cti.Invalid, "the phone did not say whether the microphone is muted: look at the phone", errors.New("unknown reply"))
	})
}

// muted reads a mute reply; the second result is false when it says nothing of the kind.
func muted(reply message) (is, said bool) {
	switch text := strings.TrimSpace(reply.Data); {
	case !reply.OK:
		return false, false
	case text == "call muted":
		return true, true
	case text == "call un-muted":
		return false, true
	}
	return false, false
}

// transfer gives a call away. The phone refers the far end to exactly what it is told, so digits are completed here.
func (s *Source) transfer(ctx context.Context, c cti.Call, number string) error {
	to, err := target(number)
	if err != nil {
		return err
	}
	return s.talking(ctx, c, func(l *link, current stat) error {
		uri, err := complete(to, current.Account)
		if err != nil {
			return err
		}
		l.plans.transfer(current.ID, to)
		err = l.order(ctx, "transfer", uri)
		if err != nil && cti.KindOf(err) != cti.Offline { // without an answer it may still be on its way
			l.plans.transfer(current.ID, "")
		}
		return err
	})
}

// consult holds the call and dials; the call that this begins is known by its being the next.
func (s *Source) consult(ctx context.Context, c cti.Call, number string) error {
	to, err := target(number)
	if err != nil {
		return err
	}
	return s.talking(ctx, c, func(l *link, _ stat) error {
		if err := l.order(ctx, "hold", ""); err != nil {
			return err
		}
		l.plans.setAside(aside{purpose: cti.Consultation, main: c.Leg})
		defer l.plans.takeAside() // the phone tells of the attempt before it replies
		reply, err := l.ask(ctx, "dial", to)
		switch {
		case err != nil:
			return err
		case reply.OK:
			return nil
		}
		refused := cti.Errorf(cti.Invalid, "the phone could not dial this", nil) // its words hold the number
		if err := l.order(ctx, "resume", ""); err != nil {
			return cti.Errorf(cti.Invalid, "the phone could not dial this, and the call is still on hold: take it back", err)
		}
		return refused
	})
}
