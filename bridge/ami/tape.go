package ami

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the exchange sends and what it is sent, from the sign-in on, can be listened to.
func (x *Exchange) Tape() *tape.Deck { return &x.tape }

// Replay gives the events of one extension that the frames of a recording made, at the times they were recorded. A recording may begin at any
// time; if the lists that follow a sign-in are in it, they become a snapshot. Devices are taken to be called PJSIP/ or SIP/ and the extension.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	p, err := newPlayback(frames, extension)
	if err != nil {
		return nil, err
	}
	for _, one := range p.frames {
		p.pass(one.at)
		if one.out {
			p.commanded(one)
		} else {
			p.machine.apply(one.block, one.at)
		}
	}
	if n := len(p.frames); n > 0 {
		p.pass(p.frames[n-1].at.Add(time.Second)) // what waited for evidence
	}
	return p.events, nil
}

// playback is a machine whose questions and answers are those of a recording.
type playback struct {
	machine *machine
	frames  []taped
	sent    []taped // what went out, and is not yet found to be the machine's question again
	events  []cti.Event
}

type taped struct {
	at    time.Time
	out   bool
	block block
}

func newPlayback(frames []tape.Frame, extension string) (*playback, error) {
	p := &playback{}
	for n, f := range frames {
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", n+1), err)
		}
		b, err := newReader(bytes.NewReader(raw)).next()
		if err != nil || !f.Out && b.get("Event") == "" && b.get("Response") == "" {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of Asterisk's manager interface", n+1), err)
		}
		p.frames = append(p.frames, taped{f.At, f.Out, b})
		if f.Out {
			p.sent = append(p.sent, taped{f.At, true, b})
		}
	}
	c := Config{Address: "127.0.0.1:5038", Username: "recording", Instance: "recording", Secret: func() (string, error) { return "", nil }, Variables: p.variables(),
		Serves: func(e string) bool { return e == extension }}
	if err := c.check(); err != nil {
		return nil, err
	}
	p.machine = newMachine(c, func(e string, event cti.Event) {
		if e == extension {
			p.events = append(p.events, event)
		}
	}, p.asked)
	p.machine.asked[extension] = true
	return p, nil
}

// variables are the call data that was asked for while it was recorded.
func (p *playback) variables() []string {
	var all []string
	for _, one := range p.sent {
		b := one.block
		name, channel := b.get("Variable"), b.get("Channel")
		if b.get("Action") == "Getvar" && channel != "" && callIDVariable(channel) != name && name != presentation && plainVariable.MatchString(name) && dataName(name) != "" &&
			!slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// asked finds the same question in the recording, so that its answer is found too; "" when it was not asked. One that went out before was another extension's.
func (p *playback) asked(a action) string {
	for i, one := range p.sent {
		if !one.at.Before(p.machine.now) && same(block(a), one.block) {
			p.sent = slices.Delete(p.sent, i, i+1)
			return one.block.get("ActionID")
		}
	}
	return ""
}

func same(a, b block) bool {
	for _, f := range a {
		if f.key != "ActionID" && b.get(f.key) != f.value {
			return false
		}
	}
	return true
}

// pass lets time go by, with all that is due in it.
func (p *playback) pass(to time.Time) {
	for {
		next, is := p.machine.wake()
		if !is || next.After(to) {
			break
		}
		p.machine.tick(next)
	}
	p.machine.tick(to)
}

// commanded does to the machine what a command did when it was given, and what a sign-in does: its first question is the list of channels.
func (p *playback) commanded(one taped) {
	m, b := p.machine, one.block
	m.now = one.at
	switch b.get("Action") {
	case "CoreShowChannels":
		m.lost()
		m.connected()
	case "Hangup":
		for _, c := range m.channels {
			if l := c.leg; l != nil && c.name == b.get("Channel") {
				l.weHungUp, l.weRefused = true, b.get("Cause") == "21"
			}
		}
	case "Originate":
		m.originals[b.get("ChannelId")] = originate{m.extensionOfDevice(b.get("Channel")), b.get("Exten")}
	}
}
