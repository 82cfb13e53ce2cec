package relayed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxPast is how many events of the past a relay may answer with: more is no relay of ours.
const maxPast = 1 << 17

// Phone gives what the relay granted when it was asked last, also in an earlier run: what it grants beyond that shows once Phone is asked
// again, what it takes away is not offered any more at once, and refused by the relay. Before this computer was ever enrolled everything may
// yet be granted: all of it can be asked for then, and is offered as soon as it is granted. Errors beside those of the exchange: offline
// while the relay is not connected, denied for what the extension may not do, uncertain when the answer was lost or took longer than 3 s.
func (s *Source) Phone() cti.Phone {
	s.mu.Lock()
	grant := s.grant
	s.mu.Unlock()
	if grant.Extension == "" {
		grant = Grant{Can: everything, TellsHold: true, RingsFirst: true}
	}
	p := cti.Phone{History: s.history, Offers: s.offers, TellsHold: grant.TellsHold, RingsFirst: grant.RingsFirst}
	plain := func(name cti.Command) func(context.Context, cti.Call) error {
		if !slices.Contains(grant.Can, name) {
			return nil
		}
		return func(ctx context.Context, c cti.Call) error { return s.command(ctx, c, cti.Instruction{Command: name}) }
	}
	to := func(name cti.Command) func(context.Context, cti.Call, string) error {
		if !slices.Contains(grant.Can, name) {
			return nil
		}
		return func(ctx context.Context, c cti.Call, to string) error {
			return s.command(ctx, c, cti.Instruction{Command: name, To: to})
		}
	}
	p.Answer, p.Reject, p.Hangup = plain(cti.CommandAnswer), plain(cti.CommandReject), plain(cti.CommandHangup)
	p.Hold, p.Resume, p.Complete = plain(cti.CommandHold), plain(cti.CommandResume), plain(cti.CommandComplete)
	p.DTMF, p.Transfer, p.Consult = to(cti.CommandDTMF), to(cti.CommandTransfer), to(cti.CommandConsult)
	if mute, unmute := plain(cti.CommandMute), plain(cti.CommandUnmute); mute != nil && unmute != nil {
		p.Mute = func(ctx context.Context, c cti.Call, on bool) error {
			if on {
				return mute(ctx, c)
			}
			return unmute(ctx, c)
		}
	}
	if dial := to(cti.CommandDial); dial != nil {
		p.Dial = func(ctx context.Context, number string) error { return dial(ctx, cti.Call{}, number) }
	}
	if slices.Contains(grant.Can, cti.CommandPresence) {
		p.Presence = func(ctx context.Context, status cti.AgentStatus) error {
			return s.send(ctx, Command{Instruction: cti.Instruction{Command: cti.CommandPresence}, Status: &status})
		}
	}
	return p
}

// everything is what a relay can grant.
var everything = []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandHold, cti.CommandResume, cti.CommandMute, cti.CommandUnmute,
	cti.CommandDTMF, cti.CommandTransfer, cti.CommandConsult, cti.CommandComplete, cti.CommandDial, cti.CommandPresence}

func (s *Source) command(ctx context.Context, c cti.Call, o cti.Instruction) error {
	return s.send(ctx, Command{Instruction: o, Refs: c.Refs, Leg: c.Leg})
}

func (s *Source) send(ctx context.Context, c Command) error {
	l, err := s.connected()
	if err != nil {
		return err
	}
	_, err = l.ask(ctx, Message{T: TCommand, Command: &c}, nil)
	return err
}

func (s *Source) connected() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil, offline()
	}
	return s.session, nil
}

func (s *Source) history(ctx context.Context, since time.Time) ([]cti.Event, error) {
	l, err := s.connected()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	offset := s.offset
	s.mu.Unlock()
	events := []cti.Event{}
	_, err = l.ask(ctx, Message{T: THistory, Since: since.UTC().Add(offset)}, func(m Message) error {
		if m.Event == nil || len(events) == maxPast {
			return cti.Errorf(cti.Internal, "the relay told of the past what cannot be", nil)
		}
		events = append(events, s.timed(m.Event.Clean()))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// offers tells what can be done now: nothing while the relay is not there.
func (s *Source) offers(c cti.Call) []cti.Command {
	s.mu.Lock()
	grant, connected := s.grant, s.session != nil
	s.mu.Unlock()
	if !connected {
		return nil
	}
	if c.Leg == "" && len(c.Refs) == 0 {
		return slices.DeleteFunc(slices.Clone(grant.Can), ofCall)
	}
	can, told := s.can.of(c)
	if !told {
		can = grant.Can
	}
	return slices.DeleteFunc(slices.Clone(can), func(one cti.Command) bool { return !slices.Contains(grant.Can, one) })
}

// ofCall tells which commands are about a call.
func ofCall(c cti.Command) bool { return c != cti.CommandDial && c != cti.CommandPresence }

func sameGrant(a, b Grant) bool {
	return a.Extension == b.Extension && a.TellsHold == b.TellsHold && a.RingsFirst == b.RingsFirst && slices.Equal(a.Can, b.Can)
}

// maxOffers is how many references of live calls are remembered: far more than one agent has.
const maxOffers = 1024

// offers is what the relay said can be done with each live call, by its references.
type offers struct {
	mu  sync.Mutex
	can map[string][]cti.Command
}

func (o *offers) note(e cti.Event, can []cti.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.can == nil || len(o.can) > maxOffers {
		o.can = map[string][]cti.Command{}
	}
	for name, value := range e.Call.Refs {
		key := name + "\x00" + value
		switch {
		case name == cti.RefJourney: // is not one call's alone
		case ends(e.Type):
			delete(o.can, key)
		case can != nil:
			o.can[key] = can
		}
	}
}

func ends(t cti.EventType) bool { return t == cti.Cleared || t == cti.Failed || t == cti.Diverted }

func (o *offers) of(c cti.Call) ([]cti.Command, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.Refs)) {
		if can, told := o.can[name+"\x00"+c.Refs[name]]; told && name != cti.RefJourney {
			return can, true
		}
	}
	return nil, false
}
