package baresip

import (
	"context"
	"errors"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Phone gives the commands. Each returns nil when the phone said it accepted the command, and that is all it means: with a broken
// sound device baresip accepts an answer and nothing follows (reducer rule 4). Errors: offline while not connected or when no
// reply came within 3 s, notfound when the phone does not have the call, invalid when it refuses, conflict when it cannot be told
// which call is meant, or when the call was not answered yet. Safe for concurrent use: they are carried out one after the other.
//
// There is no Complete: 1.0.0 has no attended transfer, and that of later versions works on whichever call is in front.
func (s *Source) Phone() cti.Phone {
	return cti.Phone{
		Answer: func(ctx context.Context, c cti.Call) error { return s.onCall(ctx, c, "accept") },
		Reject: func(ctx context.Context, c cti.Call) error { return s.onCall(ctx, c, "hangup") },
		Hangup: func(ctx context.Context, c cti.Call) error { return s.onCall(ctx, c, "hangup") },
		Hold:   func(ctx context.Context, c cti.Call) error { return s.onTalk(ctx, c, "hold", "") },
		Resume: func(ctx context.Context, c cti.Call) error { return s.onTalk(ctx, c, "resume", "") },
		Mute:   s.mute, DTMF: s.dtmf, Transfer: s.transfer, Consult: s.consult,
		Dial: s.dialNumber, TellsHold: true,
	}
}

// onCall makes the call the current one and then commands, since accept and hangup act on the current call only.
// A call that begins at the phone in the microseconds between would become current instead: the interface has no way to exclude it.
func (s *Source) onCall(ctx context.Context, c cti.Call, command string) error {
	l, done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := l.choose(ctx, c); err != nil {
		return err
	}
	reply, err := l.ask(ctx, command, "")
	if err != nil {
		return err
	}
	return refusal(reply)
}

// dialNumber dials digits, which the phone completes with its account's domain, or a sip: URI.
func (s *Source) dialNumber(ctx context.Context, number string) error {
	to, err := target(number)
	if err != nil {
		return err
	}
	l, done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	reply, err := l.ask(ctx, "dial", to)
	if err != nil {
		return err
	}
	if !reply.OK {
		return cti.Errorf(cti.Invalid, "the phone could not dial this", nil) // its words hold the number
	}
	return nil
}

// choose makes a call the current one. "call not found" comes with ok:true, and while there is no call at all the phone does not
// even know the command; anything but the known confirmation is taken for a no, so that never another call is hung up. 1.0.0 finds
// only calls of the account in front, so the call's own is brought there before it is given up.
func (l *link) choose(ctx context.Context, c cti.Call) error {
	id := c.Refs[cti.RefSIPCallID]
	if id == "" {
		return l.chooseAttempt(ctx, c)
	}
	if unsayable(id) {
		return cti.Errorf(cti.Conflict, "this call's id cannot be told to the phone: use the phone itself", nil)
	}
	reply, err := l.ask(ctx, "callfind", id)
	if err != nil || chosen(reply, id) {
		return err
	}
	account := c.Local.Account
	if account == "" || unsayable(account) {
		return notFound()
	}
	if _, err = l.ask(ctx, "uafind", account); err != nil {
		return err
	}
	if reply, err = l.ask(ctx, "callfind", id); err != nil || chosen(reply, id) {
		return err
	}
	return notFound()
}

// unsayable: with a blank or a control character in it, it would be no longer one parameter of one command.
func unsayable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F })
}

// chosen tells whether a callfind reply confirms the call.
func chosen(reply message, id string) bool {
	return reply.OK && strings.TrimSpace(reply.Data) == "setting current call: "+id
}

// chooseAttempt is for an outbound call that has no id yet, for instance because nobody answers the INVITE: it may be commanded
// only while it is the current call.
func (l *link) chooseAttempt(ctx context.Context, c cti.Call) error {
	if c.Refs[refDial] == "" {
		return notFound()
	}
	reply, err := l.ask(ctx, "callstat", "")
	if err != nil {
		return err
	}
	current, ok := parseStat(reply.Data)
	if !ok {
		return notFound()
	}
	if current.Direction != dirOut || current.State == "ESTABLISHED" || current.Peer != c.Remote.URI {
		return cti.Errorf(cti.Conflict, "another call is in front on the phone: use the phone itself", nil)
	}
	return nil
}

func notFound() error {
	return cti.Errorf(cti.NotFound, "the phone does not have this call any more", nil)
}

// refusal gives the error of a reply that says no, nil for a yes.
func refusal(reply message) error {
	text := strings.TrimSpace(cti.Clean(reply.Data, cti.MaxText))
	switch {
	case reply.OK:
		return nil
	case strings.HasPrefix(text, "command not found"): // in-call commands exist only while there is a call
		return notFound()
	}
	return cti.Errorf(cti.Invalid, "the phone refused the command", errors.New(text))
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
