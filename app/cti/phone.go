package cti

import (
	"context"
	"time"
)

// Phone is what a call source can do when asked. A nil field means the phone cannot do it, and it is then not offered.
// A nil error means only that the phone accepted the command: what became of it comes as events, or not at all (reducer rule 4).
// All may be called concurrently and fail with kind offline while the phone is not connected.
type Phone struct {
	Answer func(ctx context.Context, c Call) error
	Reject func(ctx context.Context, c Call) error
	Hangup func(ctx context.Context, c Call) error
	Dial   func(ctx context.Context, number string) error
	// History gives the calls that ended since a time, also those that nobody listened to, the oldest first: each as the events it
	// was made of, with their own times and references, the last of which clears it. Calls that go on are not in it.
	History func(ctx context.Context, since time.Time) ([]Event, error)
}

// Command names an ability of a phone.
type Command string

// The commands.
const (
	CommandAnswer Command = "answer"
	CommandReject Command = "reject"
	CommandHangup Command = "hangup"
	CommandDial   Command = "dial"
)

// Abilities lists what the phone can do.
func (p Phone) Abilities() []Command {
	var can []Command
	for _, a := range []struct {
		name Command
		has  bool
	}{{CommandAnswer, p.Answer != nil}, {CommandReject, p.Reject != nil}, {CommandHangup, p.Hangup != nil}, {CommandDial, p.Dial != nil}} {
		if a.has {
			can = append(can, a.name)
		}
	}
	return can
}
