package sim

import (
	"context"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Phone gives the commands. Errors: offline while Run does not run or the phone is disconnected, notfound for a call that is not
// live, conflict for a command that does not fit the call's state, invalid when the script refuses. Safe for concurrent use.
func (s *Source) Phone() cti.Phone {
	return cti.Phone{
		Answer: s.answer, Reject: s.reject, Hangup: s.hangup, Hold: s.hold, Resume: s.resume, Mute: s.mute, DTMF: s.dtmf,
		Transfer: s.transfer, Consult: s.consult, Complete: s.complete, Dial: s.dial, Presence: s.presence, History: s.history,
		TellsHold: true,
	}
}

func (s *Source) history(_ context.Context, since time.Time) ([]cti.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return nil, err
	}
	var events []cti.Event
	for _, c := range s.past {
		if !c.endedAt.Before(since) {
			events = append(events, c.story...)
		}
	}
	return events, nil
}

func (s *Source) answer(_ context.Context, c cti.Call) error {
	return s.command(c, func(live cti.Call) error {
		if live.State != cti.Alerting {
			return cti.Errorf(cti.Conflict, "this call does not ring any more", nil)
		}
		return s.about(live, cti.Event{Type: cti.Established})
	})
}

func (s *Source) reject(_ context.Context, c cti.Call) error {
	return s.command(c, func(live cti.Call) error {
		if live.State != cti.Alerting {
			return cti.Errorf(cti.Conflict, "this call does not ring any more", nil)
		}
		return s.about(live, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseRejected, By: cti.ByLocal}})
	})
}

func (s *Source) hangup(_ context.Context, c cti.Call) error {
	return s.command(c, func(live cti.Call) error {
		cause := cti.Cause{Code: cti.CauseNormal, By: cti.ByLocal}
		switch {
		case live.State == cti.Alerting:
			cause.Code = cti.CauseRejected
		case live.EstablishedAt.IsZero():
			cause.Code = cti.CauseAbandoned
		}
		return s.about(live, cti.Event{Type: cti.Cleared, Cause: &cause})
	})
}

func (s *Source) hold(_ context.Context, c cti.Call) error {
	return s.talking(c, func(live cti.Call) error {
		if slices.Contains(live.HeldBy, cti.ByLocal) {
			return cti.Errorf(cti.Conflict, "this call is on hold", nil)
		}
		return s.about(live, cti.Event{Type: cti.Held, By: cti.ByLocal})
	})
}

func (s *Source) resume(_ context.Context, c cti.Call) error {
	return s.talking(c, func(live cti.Call) error {
		if !slices.Contains(live.HeldBy, cti.ByLocal) {
			return cti.Errorf(cti.Conflict, "this call is not on hold", nil)
		}
		return s.about(live, cti.Event{Type: cti.Retrieved, By: cti.ByLocal})
	})
}

func (s *Source) mute(_ context.Context, c cti.Call, on bool) error {
	return s.talking(c, func(live cti.Call) error { return s.about(live, cti.Event{Type: cti.Info, Muted: &on}) })
}

func (s *Source) dtmf(_ context.Context, c cti.Call, digits string) error {
	if !cti.Digits(digits) {
		return cti.Errorf(cti.Invalid, "only 0-9, *, # and A-D can be sent as tones", nil)
	}
	return s.talking(c, func(live cti.Call) error {
		if s.digits[live.Leg] += digits; len(s.digits[live.Leg]) > maxDigits {
			s.digits[live.Leg] = s.digits[live.Leg][len(s.digits[live.Leg])-maxDigits:]
		}
		return nil
	})
}

// maxDigits is how many sent digits of one call are remembered.
const maxDigits = 1024

func (s *Source) transfer(_ context.Context, c cti.Call, to string) error {
	to, err := number(to)
	if err != nil {
		return err
	}
	return s.talking(c, func(live cti.Call) error { return s.giveAway(live, cti.Blind, to) })
}

func (s *Source) giveAway(c cti.Call, kind cti.TransferKind, to string) error {
	return s.about(c, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: kind, Role: cti.Transferrer, To: to},
		Cause: &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal}})
}

func (s *Source) consult(_ context.Context, c cti.Call, to string) error {
	to, err := number(to)
	if err != nil {
		return err
	}
	return s.talking(c, func(live cti.Call) error {
		if _, consults := s.aside(live); consults {
			return cti.Errorf(cti.Conflict, "there is a consultation about this call", nil)
		}
		if !slices.Contains(live.HeldBy, cti.ByLocal) {
			if err := s.about(live, cti.Event{Type: cti.Held, By: cti.ByLocal}); err != nil {
				return err
			}
		}
		ref := newRef()
		s.consults[live.Leg] = ref
		return s.originate(cti.CallRef{Refs: map[string]string{Ref: ref}, Purpose: cti.Consultation, MainLeg: c.Leg}, to)
	})
}

func (s *Source) complete(_ context.Context, c cti.Call) error {
	return s.talking(c, func(live cti.Call) error {
		aside, consults := s.aside(live)
		if !consults || aside.EstablishedAt.IsZero() {
			return cti.Errorf(cti.Conflict, "nobody has answered a consultation about this call", nil)
		}
		if err := s.giveAway(live, cti.Consult, aside.Remote.Raw); err != nil {
			return err
		}
		return s.giveAway(aside, cti.Consult, aside.Remote.Raw)
	})
}

// aside gives the live consultation about a call.
func (s *Source) aside(c cti.Call) (cti.Call, bool) {
	ref := s.consults[c.Leg]
	if ref == "" {
		return cti.Call{}, false
	}
	return s.find(cti.Call{Refs: map[string]string{Ref: ref}})
}

func (s *Source) dial(_ context.Context, to string) error {
	to, err := number(to)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil || s.script.AnswerSilently {
		return err
	}
	return s.originate(cti.CallRef{Refs: map[string]string{Ref: newRef()}}, to)
}

// originate begins an outbound call, which rings at the far end at once.
func (s *Source) originate(ref cti.CallRef, to string) error {
	e := s.event(cti.Originated)
	e.Call, e.Remote.Raw = ref, to
	e.Call.Direction = cti.Out
	if err := s.feed(e); err != nil {
		return err
	}
	e.Type, e.Side = cti.Delivered, cti.SideRemote
	return s.feed(e)
}

func number(to string) (string, error) {
	if to = cti.Clean(to, cti.MaxText); to == "" {
		return "", cti.Errorf(cti.Invalid, "there is no number to dial", nil)
	}
	return to, nil
}

func (s *Source) presence(_ context.Context, status cti.AgentStatus) error {
	if status.State != cti.Ready && status.State != cti.NotReady {
		return cti.Errorf(cti.Invalid, "an agent can be set ready or not ready", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil || s.script.AnswerSilently {
		return err
	}
	e := s.event(cti.AgentState)
	e.Agent = &status
	return s.feed(e)
}

// talking carries a command out that needs a call which was answered.
func (s *Source) talking(c cti.Call, do func(live cti.Call) error) error {
	return s.command(c, func(live cti.Call) error {
		if live.EstablishedAt.IsZero() {
			return cti.Errorf(cti.Conflict, "this call was not answered yet", nil)
		}
		return do(live)
	})
}

// command carries out what a phone would do, or what the script says instead.
func (s *Source) command(c cti.Call, do func(live cti.Call) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	live, ok := s.find(c)
	if !ok {
		return notFound()
	}
	if s.script.AnswerSilently {
		return nil
	}
	return do(live)
}

func (s *Source) ready() error {
	switch {
	case !s.running || !s.connected:
		return cti.Errorf(cti.Offline, "the phone is not connected", nil)
	case s.script.Refuse:
		return cti.Errorf(cti.Invalid, "the phone refused the command", nil)
	}
	return nil
}

func notFound() error {
	return cti.Errorf(cti.NotFound, "the phone does not have this call any more", nil)
}
