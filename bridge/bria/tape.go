package bria

import (
	"fmt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the phone sends can be listened to. No credentials go over this wire.
func (s *Source) Tape() *tape.Deck { return &s.tape }

// Replay gives the events that the frames of a recording made, at the times they were recorded: the lists of calls and the microphone's
// state say all there is. What the agent commanded is not in them, so ends are by unknown.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	in := newInterpreter(cti.Source{Adapter: "bria", Instance: "recording", Confidence: cti.Polled}, extension)
	var events []cti.Event
	for n, f := range frames {
		if f.Out {
			continue
		}
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", n+1), err)
		}
		m, err := parse(raw)
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of Bria", n+1), err)
		}
		switch {
		case m.status != 200:
		case m.doc.Type == "call":
			events = append(events, in.list(m.doc.Calls, f.At)...)
		case m.doc.Mute != "":
			events = append(events, in.mute(m.doc.Mute == "enabled", f.At)...)
		}
	}
	return events, nil
}
