package relayed

import (
	"encoding/json"
	"fmt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the relay and this workstation say to each other can be listened to. No secret passes there: a key never leaves the
// computer, and a certificate is none.
func (s *Source) Tape() *tape.Deck { return &s.tape }

// Replay gives the events that the frames of a recording brought, at the times the relay wrote: each once, as a workstation takes them.
func Replay(frames []tape.Frame, _ string) ([]cti.Event, error) {
	var events []cti.Event
	var seen uint64
	for i, f := range frames {
		if f.Out {
			continue
		}
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", i+1), err)
		}
		var m Message
		if err := json.Unmarshal(raw, &m); err != nil || m.T == "" {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of a relay", i+1), nil)
		}
		switch {
		case m.Welcome != nil: // another connection: the same events may come again, or other ones under their numbers
			seen = min(seen, m.Welcome.Head)
		case (m.T != TEvent && m.T != TPast) || m.Event == nil || m.Seq != 0 && m.Seq <= seen:
		default:
			seen = max(seen, m.Seq)
			events = append(events, m.Event.Clean())
		}
	}
	return events, nil
}
