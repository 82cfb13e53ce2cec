// Package sourcetest is the conformance suite every call source runs: what bridge.Source promises, and what reducer rules 2, 4, 5
// and 8 of the design ask of a source. It owns the stories and what must come of them.
// It must not know any source: a Rig plays the world around one.
package sourcetest

import (
	"context"
	"testing"

	"ringside.dev/ringside/app/cti"
)

// Source is bridge.Source; it is declared again so that sources can be tested without the package that lists them.
type Source interface {
	Run(ctx context.Context, emit func(cti.Event)) error
	Phone() cti.Phone
}

// Rig is a fresh source and the world around it. Functions that are nil are things that cannot be done with this source; the
// stories that need them are skipped and say so. All functions fail the test by themselves when they cannot do what they are for.
type Rig struct {
	Source Source
	// Ring lets a caller nobody has seen yet ring the agent, under this display name. Each call of Ring is another caller.
	Ring func(t *testing.T, name string) Caller
	// RingWith is Ring with a number and call data as well, any of which may be hostile. What the wire of this source cannot carry at
	// all may be left out or cut.
	RingWith func(t *testing.T, r Ringer) Caller
	// Reachable gives somebody the agent can dial, or give a call to.
	Reachable func(t *testing.T) Callee
	// Join lets a third party join the call the agent has, and gives its number as it must arrive in Parties. For sources that report it.
	Join func(t *testing.T) (number string)
	// Recorded lets the recording of the call that ended last be told, and gives its id or link as it must arrive.
	Recorded func(t *testing.T) string

	// Break cuts the source off its phone, Restore lets it reconnect. The phone and its calls go on meanwhile.
	Break, Restore func(t *testing.T)
	// Kill ends the phone in the middle of whatever it does, and all its calls with it; Revive starts it again in its place.
	Kill, Revive func(t *testing.T)
	// Garbage sends these bytes to the source as if they came from its phone, where a message could begin; it waits until they can be
	// sent. The source may skip them, or give the connection up and come back by itself.
	Garbage func(t *testing.T, raw []byte)
	// Disorder makes the world tell everything twice from now on, and out of order as far as its wire can do that.
	Disorder func(t *testing.T)

	// Agent is what the agent does at the phone itself, for sources that take no such command; nil functions: the command is given.
	Agent Agent
	// NoSnapshot: the source cannot list its live calls, and does not pretend to (reducer rule 8).
	NoSnapshot bool

	// NoReasons: the wire tells neither who ended a call nor why one could not be made. What the agent did not command is by unknown then.
	NoReasons bool
	// Digits are what can be sent as tones; nil: all there are.
	Digits []string

	TellsFarHold bool // the far end's hold comes as an event
	TellsMute    bool // muting comes as an event with Muted
}

// Agent acts at the phone. The functions return when that is done, not when the source has told of it.
type Agent struct {
	Answer, Reject, Hangup, Hold, Resume func(t *testing.T, c cti.Call)
}

// Ringer is who rings with RingWith. Data has the names the source's wire has them under: X-Order-Id, or a variable's name.
type Ringer struct {
	Number, Name string
	Data         map[string]string
}

// Caller is who rings the agent. Hangup, before the answer, is giving up. The optional functions are nil where the rig cannot tell.
type Caller struct {
	Number string            // as it must arrive in Remote.Raw
	Data   map[string]string // as it must arrive in Data: what RingWith could send of it
	Hangup func(t *testing.T)
	FarEnd
}

// Callee is whom the agent dials. Answer and Refuse wait until it rings there.
type Callee struct {
	Target string // what to dial
	Number string // as it must arrive in Remote.Raw
	Answer func(t *testing.T)
	Refuse func(t *testing.T)
	Hangup func(t *testing.T)
	FarEnd
}

// FarEnd is what can be done and seen at the other phone. All are optional.
type FarEnd struct {
	// Heard waits until the far end heard these digits, in this order and nothing else since it was asked last.
	Heard func(t *testing.T, digits string)
	// AwaitHold waits until the far end sees that the agent holds it, or does not hold it any more.
	AwaitHold func(t *testing.T, held bool)
	// AwaitMuted waits until nothing is heard of the agent, or something again.
	AwaitMuted func(t *testing.T, muted bool)
	// Hold lets the far end hold the agent, or stop holding them.
	Hold func(t *testing.T, held bool)
}
