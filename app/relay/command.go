package relay

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/relayed"
)

// grant is what a workstation of the line is given: what its exchanges can do and its rights allow.
func (l *line) grant() relayed.Grant {
	g := relayed.Grant{Extension: l.extension}
	var can []cti.Command
	for _, t := range l.tracks {
		p := t.exchange.Phone(l.extension)
		can = append(can, p.Abilities()...)
		g.TellsHold, g.RingsFirst = g.TellsHold || p.TellsHold, g.RingsFirst || p.RingsFirst
	}
	g.Can = l.rights.of(can)
	return g
}

// can tells what can be done now with the call an event is about; nil where there is no such call.
func (l *line) can(e cti.Event) []cti.Command {
	if len(e.Call.Refs) == 0 || e.Past {
		return nil
	}
	t, c, live := l.call(e.Call.Refs)
	if !live {
		return nil
	}
	return l.rights.of(t.exchange.Phone(l.extension).Can(c))
}

// dialable is what a workstation may have dialled or sent: a number, or the name of a SIP user with or without a host. Nothing that could be
// a second header, a line or a word of another command, or another device.
var dialable = regexp.MustCompile(`^[0-9A-Za-z+*#][0-9A-Za-z+*#._:@-]{0,127}$`)

// command carries out what a workstation asks, if its extension may: about live calls of its own line and no others.
func (c *conn) command(ctx context.Context, o *relayed.Command) error {
	if o == nil {
		return cti.Errorf(cti.Invalid, "no command was given", nil)
	}
	if _, known := needs[o.Command]; !known {
		return cti.Errorf(cti.Invalid, "the relay does not know this command: is it older than this Ringside?", nil)
	}
	if !c.line.rights.allow(o.Command) {
		return cti.Errorf(cti.Denied, "the relay does not let the extension "+c.line.extension+" do this ("+string(o.Command)+"): ask IT", nil)
	}
	if o.To != "" && !dialable.MatchString(o.To) {
		return cti.Errorf(cti.Invalid, "this is nothing that can be dialled", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, relayed.CommandWithin)
	defer cancel()
	err := c.carryOut(ctx, *o)
	c.relay.log.Info("command", "extension", c.line.extension, "device", c.device.ID, "command", o.Command, "kind", cti.KindOf(err))
	if errors.Is(err, context.DeadlineExceeded) {
		return cti.Errorf(cti.Uncertain, "the exchange did not answer", nil)
	}
	return err
}

func (c *conn) carryOut(ctx context.Context, o relayed.Command) error {
	switch o.Command {
	case cti.CommandDial:
		return c.dial(ctx, o.To)
	case cti.CommandPresence:
		return c.presence(ctx, o.Status)
	default:
		t, call, live := c.line.call(o.Refs)
		if !live {
			if !c.line.reachable() {
				return cti.Errorf(cti.Offline, "the relay has no connection to the exchange", nil)
			}
			return cti.Errorf(cti.NotFound, "the phone does not have this call any more", nil)
		}
		call.Leg = cti.Clean(o.Leg, cti.MaxText)
		return t.exchange.Phone(c.line.extension).Do(ctx, call, o.Instruction)
	}
}

func (l *line) reachable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.tracks, func(t *track) bool { return t.up })
}

// dial goes to the first exchange that can.
func (c *conn) dial(ctx context.Context, number string) error {
	for _, t := range c.line.tracks {
		if dial := t.exchange.Phone(c.line.extension).Dial; dial != nil {
			if number == "" {
				return cti.Errorf(cti.Invalid, "there is no number to dial", nil)
			}
			return dial(ctx, number)
		}
	}
	return cti.Errorf(cti.Invalid, "the exchange cannot dial for this extension", nil)
}

func (c *conn) presence(ctx context.Context, s *cti.AgentStatus) error {
	if s == nil || s.State != cti.Ready && s.State != cti.NotReady {
		return cti.Errorf(cti.Invalid, "the agent's state can be set to ready and to not_ready", nil)
	}
	status := cti.AgentStatus{State: s.State, Reason: cti.Clean(s.Reason, cti.MaxText)}
	for _, t := range c.line.tracks {
		if set := t.exchange.Phone(c.line.extension).Presence; set != nil {
			return set(ctx, status)
		}
	}
	return cti.Errorf(cti.Invalid, "the exchange does not keep the agent's state", nil)
}

// history tells of the calls that ended since a time: from the exchanges that remember them, else from what the relay heard itself.
func (l *line) history(ctx context.Context, since time.Time) ([]cti.Event, error) {
	if !l.rights.hear() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, relayed.CommandWithin)
	defer cancel()
	var events []cti.Event
	own := map[*track]bool{}
	for _, t := range l.tracks {
		ask := t.exchange.Phone(l.extension).History
		if ask == nil {
			own[t] = true
			continue
		}
		told, err := ask(ctx, since)
		if err != nil {
			return nil, err
		}
		for _, e := range told {
			events = append(events, l.ready(e))
		}
	}
	return append(events, l.past(since, func(t *track) bool { return own[t] })...), nil
}
