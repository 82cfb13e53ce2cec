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
	// Reachable gives somebody the agent can dial.
	Reachable func(t *testing.T) Callee
	// Break cuts the source off its phone, Restore lets it reconnect. The phone and its calls go on meanwhile.
	Break, Restore func(t *testing.T)
}

// Caller is who rings the agent. Hangup, before the answer, is giving up.
type Caller struct {
	Number string // as it must arrive in Remote.Raw
	Hangup func(t *testing.T)
}

// Callee is whom the agent dials. Answer and Refuse wait until it rings there.
type Callee struct {
	Target string // what to dial
	Number string // as it must arrive in Remote.Raw
	Answer func(t *testing.T)
	Refuse func(t *testing.T)
	Hangup func(t *testing.T)
}
