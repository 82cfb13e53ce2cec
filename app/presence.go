package app

import (
	"context"
	"log/slog"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/presence"
)

// SetPresence makes the agent ready, or not ready for a reason, at the phone too where it can be told.
func (a *App) SetPresence(ctx context.Context, r wire.PresenceRequest) error {
	return a.flow.SetPresence(ctx, cti.AgentStatus{State: r.State, Reason: cti.Clean(r.Reason, cti.MaxText)})
}

// PresenceLog gives the agent's states since a time, the oldest first.
func (a *App) PresenceLog(since time.Time) ([]cti.PresenceChange, error) {
	changes, err := a.states.journal.Since(since)
	return filled(changes), err
}

func (s *screen) Presence(p flow.Presence) {
	now := s.presence
	now.State, now.Reason, now.Since, now.Until, now.Owed = p.State, p.Reason, p.Since, p.Until, p.Owed
	s.board.Publish(wire.Delta{Presence: &now})
}

// firstPresence is what is known of the agent's state before anything happened: whether it can be changed here, and the reasons.
func firstPresence(p cti.Profile, phone cti.Phone) wire.Presence {
	can := phone.Presence != nil || p.WrapUp.Seconds > 0 || p.WrapUp.Required || len(p.Presence.Reasons) > 0
	return wire.Presence{Can: can, Reasons: filled(p.Presence.Reasons)}
}

// states brings the changes of the agent's state to the disk beside the loop, in their order.
type states struct {
	journal *presence.Journal
	changes chan cti.PresenceChange
	log     *slog.Logger
}

// mostStates is how many changes may wait for the disk. A person makes a few in an hour.
const mostStates = 256

func openStates(cfg Config) (*states, error) {
	keep := time.Duration(cfg.Profile.Storage.KeepCallsDays) * 24 * time.Hour
	if keep == 0 {
		keep = cti.DefaultKeepCalls * 24 * time.Hour
	}
	j, err := presence.Open(cfg.StateDir, cfg.Keys, keep, cfg.Log)
	if err != nil {
		return nil, err
	}
	return &states{journal: j, changes: make(chan cti.PresenceChange, mostStates), log: cfg.Log}, nil
}

func (s *states) note(c cti.PresenceChange) {
	select {
	case s.changes <- c:
	default:
		s.log.Error("a change of the agent's state is not journalled: the disk does not keep up", "state", c.State)
	}
}

// run writes until ctx ends, and then what is still waiting.
func (s *states) run(ctx context.Context) error {
	for {
		select {
		case c := <-s.changes:
			s.write(c)
		case <-ctx.Done():
			for {
				select {
				case c := <-s.changes:
					s.write(c)
				default:
					return nil
				}
			}
		}
	}
}

func (s *states) write(c cti.PresenceChange) {
	if err := s.journal.Append(c); err != nil {
		s.log.Error("a change of the agent's state is not journalled", "state", c.State, "err", err)
	}
}
