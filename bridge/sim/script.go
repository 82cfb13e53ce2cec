package sim

import (
	"cmp"
	"context"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Ring lets a caller ring here and gives the reference of the call. An empty number is a withheld one. The reference is empty
// when the queue is full.
func (s *Source) Ring(number, name string) (ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref = newRef()
	e := s.event(cti.Delivered)
	e.Side, e.Call = cti.SideLocal, cti.CallRef{Direction: cti.In, Refs: map[string]string{Ref: ref}}
	e.Remote = cti.Remote{Number: cti.Number{Raw: number, Withheld: number == ""}, Name: name}
	if s.feed(e) != nil {
		return ""
	}
	return ref
}

// Abandon lets the caller give up. All of these fail with kind notfound when there is no such live call.
func (s *Source) Abandon(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}})
}

// RemoteAnswer lets the far end answer an outbound call.
func (s *Source) RemoteAnswer(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Established})
}

// RemoteHangup lets the far end hang up.
func (s *Source) RemoteHangup(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}})
}

// RemoteRefuse lets the far end refuse an outbound call, with busy when no code is given.
func (s *Source) RemoteRefuse(ref string, code cti.CauseCode) error {
	return s.happen(ref, cti.Event{Type: cti.Failed, Cause: &cti.Cause{Code: cmp.Or(code, cti.CauseBusy), By: cti.ByRemote}})
}

// Disconnect cuts the connection to the phone: source.down, then nothing is emitted and commands fail, while calls go on.
func (s *Source) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return
	}
	s.connected = false
	if s.running {
		e := s.event(cti.SourceDown)
		e.Cause = &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: "scripted"}
		s.queue = append(s.queue, e)
		s.nudge()
	}
}

// Reconnect ends a Disconnect: source.up, then a snapshot of the calls that are live by then.
func (s *Source) Reconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		return
	}
	s.connected = true
	if s.running {
		s.queue = append(s.queue, s.event(cti.SourceUp), s.snapshot())
		s.nudge()
	}
}

// happen feeds an event about a live call.
func (s *Source) happen(ref string, e cti.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.find(cti.Call{Refs: map[string]string{Ref: ref}})
	if !ok {
		return notFound()
	}
	return s.about(c, e)
}

func (s *Source) about(c cti.Call, e cti.Event) error {
	e.Call = cti.CallRef{Refs: c.Refs, Direction: c.Direction}
	e.Source = c.Source
	return s.feed(e)
}

// find gives the live call that shares a reference.
func (s *Source) find(c cti.Call) (cti.Call, bool) {
	for _, live := range s.live {
		for name, value := range c.Refs {
			if value != "" && live.Refs[name] == value {
				return live, true
			}
		}
	}
	return cti.Call{}, false
}

// Phone gives the commands. Errors: offline while Run does not run or the phone is disconnected, notfound for a call that is not
// live, conflict for a command that does not fit the call's state, invalid when the script refuses. Safe for concurrent use.
func (s *Source) Phone() cti.Phone {
	return cti.Phone{Answer: s.answer, Reject: s.reject, Hangup: s.hangup, Dial: s.dial, History: s.history}
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

func (s *Source) dial(_ context.Context, number string) error {
	number = cti.Clean(number, cti.MaxText)
	if number == "" {
		return cti.Errorf(cti.Invalid, "there is no number to dial", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil || s.script.AnswerSilently {
		return err
	}
	e := s.event(cti.Originated)
	e.Call = cti.CallRef{Direction: cti.Out, Refs: map[string]string{Ref: newRef()}}
	e.Remote.Raw = number
	if err := s.feed(e); err != nil {
		return err
	}
	e.Type, e.Side = cti.Delivered, cti.SideRemote
	return s.feed(e)
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
