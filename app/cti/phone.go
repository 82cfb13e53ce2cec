package cti

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Phone is what a call source can do when asked. A nil field means the phone cannot do it, and it is then not offered.
// A nil error means only that the phone accepted the command: what became of it comes as events, or not at all (reducer rule 4).
// All may be called concurrently. Errors: offline while the phone is not connected, notfound for a call it does not have, conflict for one
// that is not in a state for it, invalid for what it refuses.
type Phone struct {
	Answer func(ctx context.Context, c Call) error
	Reject func(ctx context.Context, c Call) error
	Hangup func(ctx context.Context, c Call) error
	Hold   func(ctx context.Context, c Call) error
	Resume func(ctx context.Context, c Call) error
	// Mute keeps the agent from being heard, or lets them be heard again.
	Mute func(ctx context.Context, c Call, on bool) error
	// DTMF sends digits: 0-9, *, # and A-D.
	DTMF func(ctx context.Context, c Call, digits string) error
	// Transfer gives the call to a number at once: a blind transfer.
	Transfer func(ctx context.Context, c Call, to string) error
	// Consult holds the call and dials a number, as a second leg of purpose Consultation.
	Consult func(ctx context.Context, c Call, to string) error
	// Complete joins the call with the leg that Consult began, and leaves both.
	Complete func(ctx context.Context, c Call) error
	Dial     func(ctx context.Context, number string) error
	// Presence sets the agent's state at the phone: Ready, or NotReady with a reason.
	Presence func(ctx context.Context, s AgentStatus) error
	// History gives the calls that ended since a time, also those that nobody listened to, the oldest first: each as the events it
	// was made of, with their own times and references, the last of which clears it. Calls that go on are not in it.
	History func(ctx context.Context, since time.Time) ([]Event, error)

	// TellsHold: holds come as events. Where they do not, nothing shows them (reducer rule 5), and both Hold and Resume are offered.
	TellsHold bool
	// RingsFirst: Dial has the agent's own phone rung before the customer's (reducer rule 7).
	RingsFirst bool
	// Offers tells what can be done with a call now, and with no call for the zero Call; nil: all the phone can do.
	Offers func(c Call) []Command
}

// Command names an ability of a phone.
type Command string

// The commands. Those that need more than the call say what in their Instruction.
const (
	CommandAnswer   Command = "answer"
	CommandReject   Command = "reject"
	CommandHangup   Command = "hangup"
	CommandHold     Command = "hold"
	CommandResume   Command = "resume"
	CommandMute     Command = "mute"
	CommandUnmute   Command = "unmute"
	CommandDTMF     Command = "dtmf"
	CommandTransfer Command = "transfer"
	CommandConsult  Command = "consult"
	CommandComplete Command = "complete"
	CommandDial     Command = "dial"
	CommandPresence Command = "presence"
)

// Instruction is a command about a call: To is the number of a transfer or consultation, or the digits of DTMF.
type Instruction struct {
	Command Command `json:"command"`
	To      string  `json:"to,omitempty"`
}

// MaxDTMF is how many digits one instruction may send.
const MaxDTMF = 64

// Do carries an instruction out.
func (p Phone) Do(ctx context.Context, c Call, o Instruction) error {
	plain := map[Command]func(context.Context, Call) error{CommandAnswer: p.Answer, CommandReject: p.Reject, CommandHangup: p.Hangup,
		CommandHold: p.Hold, CommandResume: p.Resume, CommandComplete: p.Complete}
	to := map[Command]func(context.Context, Call, string) error{CommandDTMF: p.DTMF, CommandTransfer: p.Transfer, CommandConsult: p.Consult}
	switch {
	case plain[o.Command] != nil:
		return plain[o.Command](ctx, c)
	case to[o.Command] != nil && o.To == "":
		return Errorf(Invalid, "say the number, or the digits", nil)
	case o.Command == CommandDTMF && p.DTMF != nil && !Digits(o.To):
		return Errorf(Invalid, "only 0-9, *, # and A-D can be sent as tones, 64 at most", nil)
	case to[o.Command] != nil:
		return to[o.Command](ctx, c, o.To)
	case p.Mute != nil && (o.Command == CommandMute || o.Command == CommandUnmute):
		return p.Mute(ctx, c, o.Command == CommandMute)
	}
	return Errorf(Invalid, "the phone cannot do this with a call", nil)
}

// Digits tells whether a text can be sent as DTMF (RFC 4733, the events 0 to 15).
func Digits(s string) bool {
	return s != "" && len(s) <= MaxDTMF && strings.Trim(s, "0123456789*#ABCD") == ""
}

// Abilities lists what the phone can do.
func (p Phone) Abilities() []Command {
	var can []Command
	for _, a := range []struct {
		name Command
		has  bool
	}{{CommandAnswer, p.Answer != nil}, {CommandReject, p.Reject != nil}, {CommandHangup, p.Hangup != nil}, {CommandHold, p.Hold != nil},
		{CommandResume, p.Resume != nil}, {CommandMute, p.Mute != nil}, {CommandUnmute, p.Mute != nil}, {CommandDTMF, p.DTMF != nil},
		{CommandTransfer, p.Transfer != nil}, {CommandConsult, p.Consult != nil}, {CommandComplete, p.Complete != nil},
		{CommandDial, p.Dial != nil}, {CommandPresence, p.Presence != nil}} {
		if a.has {
			can = append(can, a.name)
		}
	}
	return can
}

// Can lists what can be done with a call now.
func (p Phone) Can(c Call) []Command {
	can := p.Abilities()
	if p.Offers == nil {
		return can
	}
	offered := p.Offers(c)
	return slices.DeleteFunc(can, func(one Command) bool { return !slices.Contains(offered, one) })
}
