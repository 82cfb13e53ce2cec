package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/mailbox"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what phones leave in the mailbox, and what their programs are told, can be listened to.
func (s *Source) Tape() *tape.Deck { return &s.tape }

// heard notes an event as its file has it.
func (s *Source) heard(e mailbox.Event) {
	if text, err := json.Marshal(e); err == nil { // texts and a time: there is nothing that cannot be written
		s.tape.Note(false, text)
	}
}

// told notes the arguments a phone's program is run with.
func (s *Source) told(args []string) { s.tape.Note(true, []byte(strings.Join(args, " "))) }

// Replay gives the events that the frames of a recording made. What the phone was told is not played: where it ended a call for us, the
// recording's own events say less than the agent knew.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	s, open := &Source{extension: extension}, newCalls()
	var events []cti.Event
	for i, f := range frames {
		if f.Out {
			continue
		}
		text, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", i+1), err)
		}
		e, err := mailbox.Decode(text)
		if errors.Is(err, mailbox.ErrLater) {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is of a later Ringside", i+1), err)
		}
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no event that a phone left", i+1), err)
		}
		for _, out := range open.events(e) {
			events = append(events, s.filled(out, e))
		}
	}
	return events, nil
}
