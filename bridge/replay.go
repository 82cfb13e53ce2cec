package bridge

import (
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/bria"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/tape"
	"ringside.dev/ringside/bridge/webhook"
)

// Taped is a source whose wire can be listened to. Those without have no wire of their own.
type Taped interface{ Tape() *tape.Deck }

// replays are the sources and exchanges whose recordings can be played again: frames and the agent's extension to events.
var replays = map[string]func(frames []tape.Frame, extension string) ([]cti.Event, error){
	"baresip": baresip.Replay, "bria": bria.Replay, "hook": hook.Replay, "ami": ami.Replay, "ari": ari.Replay, "esl": esl.Replay, "relayed": relayed.Replay, "webhook": webhook.Replay,
}

// Replay gives the canonical events that a recording of a source makes. Errors: invalid for a source that has no recordings, or a recording
// of another one.
func Replay(source string, frames []tape.Frame, extension string) ([]cti.Event, error) {
	play := replays[source]
	if play == nil {
		return nil, cti.Errorf(cti.Invalid, "there are no recordings of this source", nil)
	}
	return play(frames, extension)
}
