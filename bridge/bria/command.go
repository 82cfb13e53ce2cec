package bria

import (
	"context"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
)

// The length of a tone and of the silence after it: ITU-T Q.24 asks for 40 ms of each at least, networks for more.
const (
	toneFor    = 100 * time.Millisecond
	silenceFor = 70 * time.Millisecond
)

// Phone gives the commands. Each returns nil when Bria said it accepted the command, and that is all it means (reducer rule 4). Errors: offline
// while not connected, not let in, or when no reply came within 3 s; notfound when the phone does not have the call; conflict when the call
// is not in a state for it, or this Bria is too old; invalid for what it refuses. Safe for concurrent use: they are carried out one after
// the other.
func (s *Source) Phone() cti.Phone {
	phone := cti.Phone{
		Answer: func(ctx context.Context, c cti.Call) error {
			return s.onCall(ctx, c, rings, func(l *link, k *known) error {
				_, err := l.ask(ctx, "answer", about("answerCall", k.id, element{name: "withVideo", text: "false"}))
				return err
			})
		},
		Reject: s.hangup, Hangup: s.hangup,
		Hold: func(ctx context.Context, c cti.Call) error {
			return s.onCall(ctx, c, talks, func(l *link, k *known) error { return hold(ctx, l, k) })
		},
		Resume: func(ctx context.Context, c cti.Call) error {
			return s.onCall(ctx, c, talks, func(l *link, k *known) error { return resume(ctx, l, k) })
		},
		Mute: s.mute, DTMF: s.dtmf, Transfer: s.transfer, Consult: s.consult, Complete: s.complete,
		Dial: s.dialNumber, History: s.history, TellsHold: true,
	}
	all := phone.Abilities()
	phone.Offers = func(cti.Call) []cti.Command {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.link == nil || s.version.joins() {
			return all
		}
		return slices.DeleteFunc(slices.Clone(all), func(c cti.Command) bool { return c == cti.CommandComplete })
	}
	return phone
}

// The states a call must be in for a command.
func anyState(known) bool { return true }
func rings(k known) bool  { return k.state == stateRinging }
func talks(k known) bool  { return k.state == stateConnected }
func heard(k known) bool  { return talks(k) && k.held == "" }

// onCall carries out a command about a call that is there, and in a state for it.
func (s *Source) onCall(ctx context.Context, c cti.Call, fit func(known) bool, do func(l *link, k *known) error) error {
	l, done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	k, err := s.in.of(c)
	fits := err == nil && fit(*k)
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case !fits:
		return cti.Errorf(cti.Conflict, "the call is not in a state for this", nil)
	}
	return do(l, k)
}

// of finds the call that is meant.
func (i *interpreter) of(c cti.Call) (*known, error) {
	if at := slices.IndexFunc(i.live, func(k *known) bool { return k.ref == c.Refs[refCall] }); at >= 0 {
		return i.live[at], nil
	}
	return nil, cti.Errorf(cti.NotFound, "the phone does not have this call any more", nil)
}

// noting changes what is known of a call, and takes it back if the command fails: the call may end before the reply is read.
func (s *Source) noting(change, back func(), command func() error) error {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	err := command()
	if err != nil {
		s.mu.Lock()
		back()
		s.mu.Unlock()
	}
	return err
}

func (s *Source) hangup(ctx context.Context, c cti.Call) error {
	return s.onCall(ctx, c, anyState, func(l *link, k *known) error {
		return s.noting(func() { k.hungUp = true }, func() { k.hungUp = false }, func() error {
			_, err := l.ask(ctx, "endCall", about("endCall", k.id))
			return err
		})
	})
}

func hold(ctx context.Context, l *link, k *known) error {
	_, err := l.ask(ctx, "hold", about("holdCall", k.id))
	return err
}

func resume(ctx context.Context, l *link, k *known) error {
	_, err := l.ask(ctx, "resume", about("resumeCall", k.id))
	return err
}

// mute is for the microphone, which all calls share.
func (s *Source) mute(ctx context.Context, c cti.Call, on bool) error {
	return s.onCall(ctx, c, talks, func(l *link, _ *known) error {
		word := map[bool]string{true: "enabled", false: "disabled"}[on]
		_, err := l.ask(ctx, "audioProperties", element{name: "audioProperties", within: []element{{name: "mute", text: word}}})
		return err
	})
}

// dtmf sends digits to the call that is heard: Bria knows no other.
func (s *Source) dtmf(ctx context.Context, c cti.Call, digits string) error {
	return s.onCall(ctx, c, heard, func(l *link, _ *known) error {
		if !cti.Digits(digits) || strings.ContainsAny(digits, "ABCD") {
			return cti.Errorf(cti.Invalid, "Bria can send 0-9, * and # as tones, 64 at most", nil)
		}
		for _, digit := range digits {
			for _, step := range []struct {
				word string
				wait time.Duration
			}{{"start", toneFor}, {"stop", silenceFor}} {
				tone := element{name: "tone", attribute: "digit", value: string(digit), text: step.word}
				if _, err := l.ask(ctx, "dtmf", element{name: "dtmf", within: []element{tone}}); err != nil {
					return err
				}
				if !running.Sleep(ctx, step.wait) {
					return cti.Errorf(cti.Offline, "the tones were cut off", ctx.Err())
				}
			}
		}
		return nil
	})
}

func (s *Source) transfer(ctx context.Context, c cti.Call, to string) error {
	return s.onCall(ctx, c, talks, func(l *link, k *known) error {
		if err := sayable(to); err != nil {
			return err
		}
		s.mu.Lock()
		target := element{name: "target", text: to}
		if s.version.joins() {
			target.name = "targetNumber"
		}
		s.mu.Unlock()
		g := &gift{kind: cti.Blind, to: to, until: time.Now().Add(giftFor)}
		return s.noting(func() { k.given = g }, func() { k.given = nil }, func() error {
			_, err := l.ask(ctx, "transferCall", about("transferCall", k.id, target))
			return err
		})
	})
}

// consult holds the call and dials. A call that could not be dialled leaves the customer as they were.
func (s *Source) consult(ctx context.Context, c cti.Call, to string) error {
	return s.onCall(ctx, c, talks, func(l *link, k *known) error {
		if err := sayable(to); err != nil {
			return err
		}
		s.mu.Lock()
		held := k.held == cti.ByLocal
		s.mu.Unlock()
		if !held {
			if err := hold(ctx, l, k); err != nil {
				return err
			}
		}
		p := plan{number: to, mainID: k.id, mainLeg: c.Leg, until: time.Now().Add(planFor)}
		err := s.noting(func() { s.in.plans = append(s.in.plans, p) }, func() {
			s.in.plans = slices.DeleteFunc(s.in.plans, func(o plan) bool { return o == p })
		}, func() error { return s.place(ctx, l, to) })
		if err != nil && !held {
			if again := resume(ctx, l, k); again != nil {
				s.log.Warn("call not resumed", "error", again)
			}
		}
		return err
	})
}

// complete gives the customer to whom the agent consulted.
func (s *Source) complete(ctx context.Context, c cti.Call) error {
	return s.onCall(ctx, c, talks, func(l *link, k *known) error {
		s.mu.Lock()
		aside, joins := s.in.known(k.aside), s.version.joins()
		ready := aside != nil && aside.state == stateConnected
		s.mu.Unlock()
		switch {
		case !ready:
			return cti.Errorf(cti.Conflict, "nobody is being consulted about this call, or they have not answered", nil)
		case !joins:
			return cti.Errorf(cti.Conflict, "Bria can join two calls from version 6.2: use Bria's own window", nil)
		}
		until := time.Now().Add(giftFor)
		return s.noting(func() {
			k.given = &gift{kind: cti.Consult, to: aside.number, until: until}
			aside.given = &gift{kind: cti.Consult, to: k.number, until: until}
		}, func() { k.given, aside.given = nil, nil }, func() error {
			_, err := l.ask(ctx, "transferCall", about("transferCall", k.id, element{name: "targetCallId", text: aside.id}))
			return err
		})
	})
}

// dialNumber dials digits, which Bria completes with its account's domain, or a SIP address.
func (s *Source) dialNumber(ctx context.Context, number string) error {
	if err := sayable(number); err != nil {
		return err
	}
	l, done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.place(ctx, l, number)
}

// place begins a call. Bria's window comes to the front only where its user must press Call there.
func (s *Source) place(ctx context.Context, l *link, number string) error {
	s.mu.Lock()
	quiet := map[bool]string{true: "false", false: "true"}[s.fills]
	s.mu.Unlock()
	_, err := l.ask(ctx, "call", element{name: "dial", attribute: "type", value: "audio", within: []element{
		{name: "number", text: number}, {name: "displayName"}, {name: "suppressMainWindow", text: quiet}}})
	return err
}

// sayable refuses what can be no number or SIP address.
func sayable(to string) error {
	if to == "" || len(to) > cti.MaxText || strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == 0x7F }) {
		return cti.Errorf(cti.Invalid, "this cannot be dialled: write digits, or an address such as sip:anna@example.com", nil)
	}
	return nil
}

// turn waits for the commands before to be finished, and gives the connection.
func (s *Source) turn(ctx context.Context) (*link, func(), error) {
	select {
	case s.commands <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, cti.Errorf(cti.Offline, "the phone is busy with another command", ctx.Err())
	}
	done := func() { <-s.commands }
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		done()
		return nil, nil, offline(nil)
	}
	return s.link, done, nil
}
