package esl

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the exchange sends, and what it is sent but for the password, can be listened to.
func (x *Exchange) Tape() *tape.Deck { return &x.tape }

// Replay gives the events of one extension that the frames of a recording made, at the times they were recorded. A recording may begin at any
// time; the exchange's list of its channels, if it is in it, becomes a snapshot. X-headers are call data, other variables are not.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	p := player{in: newInterpreter(cti.Source{Adapter: Adapter, Instance: "recording", Confidence: cti.Signalled}, newDevices(nil), newWanted(nil))}
	p.in.watch(extension)
	var events []cti.Event
	for n, f := range frames {
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", n+1), err)
		}
		all, err := p.take(f, raw)
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of FreeSWITCH's event socket", n+1), err)
		}
		for _, t := range all {
			if t.extension == extension {
				events = append(events, t.event)
			}
		}
	}
	return events, nil
}

// player feeds an interpreter with a recording.
type player struct {
	in    *interpreter
	asked []string // commands without their replies yet
}

func (p *player) take(f tape.Frame, raw []byte) ([]told, error) {
	if f.Out {
		command := strings.TrimSpace(string(raw))
		p.asked = append(p.asked, command)
		p.commanded(command)
		return nil, nil
	}
	one, err := newFrames(bytes.NewReader(raw), nil).next()
	if err != nil {
		return nil, err
	}
	switch one.kind() {
	case "command/reply", "api/response":
		return p.replied(string(one.body), f.At)
	case "text/event-plain":
		e, err := parseEvent(one.body)
		if err != nil {
			return nil, err
		}
		return p.in.events(e, f.At), nil
	case "":
		return nil, errFraming
	}
	return nil, nil
}

// commanded does to what is known of a channel what the command did when it was given.
func (p *player) commanded(command string) {
	words := strings.Fields(command)
	if len(words) < 3 || words[0] != "bgapi" {
		return
	}
	c := p.in.channels[words[2]]
	switch {
	case c == nil:
	case words[1] == "uuid_kill":
		c.killed = true
	case words[1] == "uuid_transfer" && len(words) > 4:
		c.givenTo = clean(words[4])
	}
}

// replied takes the answer to the oldest command. Without one the recording began after it was given.
func (p *player) replied(body string, at time.Time) ([]told, error) {
	if len(p.asked) == 0 {
		return nil, nil
	}
	command := p.asked[0]
	p.asked = p.asked[1:]
	if words := strings.Fields(command); len(words) == 4 && words[1] == "uuid_getvar" {
		p.in.variable(words[2], words[3], body)
		return nil, nil
	}
	if command != "api "+listing {
		return nil, nil
	}
	rows, err := channels(body)
	if err != nil {
		return nil, err
	}
	p.in.reconcile(rows, at)
	return p.in.snapshots(at), nil
}
