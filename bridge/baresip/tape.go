package baresip

import (
	"fmt"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the phone sends can be listened to.
func (s *Source) Tape() *tape.Deck { return &s.tape }

// Replay gives the events that the frames of a recording made, at the times they were recorded. The phone's replies say nothing about calls.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	minted := 0
	in := newInterpreter(cti.Source{Adapter: "baresip", Instance: "recording", Confidence: cti.Signalled}, extension,
		func() string { minted++; return fmt.Sprintf("dial-%d", minted) })
	var events []cti.Event
	for i, f := range frames {
		if f.Out {
			continue
		}
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", i+1), err)
		}
		m, err := parse(raw)
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of baresip", i+1), err)
		}
		if !m.Response {
			events = append(events, in.events(m, f.At)...)
		}
	}
	return events, nil
}
