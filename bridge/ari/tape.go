package ari

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where what the exchange sends can be listened to: its events, what it was asked and answered when the connection began, and the calls it
// was asked to make. Neither user nor password is in it.
func (x *Exchange) Tape() *tape.Deck { return &x.tape }

// noAnswer begins what is noted in the place of an answer that did not come, or was a refusal.
const noAnswer = "HTTP "

// Replay gives the events of one extension that the frames of a recording made, at the times they were recorded. A recording may begin at any
// time; the exchange's lists of channels and bridges, if they are in it, become a snapshot. X-headers are call data, other variables are not.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	source := cti.Source{Adapter: Adapter, Instance: "recording", Confidence: cti.Signalled}
	p := playback{extension: extension, in: newInterpreter(source, newDevices(nil), newWanted([]string{"X-*"}))}
	p.in.watch(extension)
	p.silent = !slices.ContainsFunc(frames, func(f tape.Frame) bool { return f.Out && strings.Contains(f.Text, "num-pres") })
	for n, f := range frames {
		raw, err := f.Data()
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording cannot be read", n+1), err)
		}
		p.keep(p.in.due(f.At))
		if p.listing && !p.asks(f.Out, raw) { // of an earlier version, which did not ask
			p.list()
		}
		if err := p.take(f.Out, bytes.TrimSpace(raw), f.At); err != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no message of Asterisk's REST interface", n+1), err)
		}
		p.unanswered(f.At)
	}
	if p.listing {
		p.list()
	}
	if n := len(frames); n > 0 {
		p.keep(p.in.due(frames[n-1].At.Add(time.Second))) // who stayed in a bridge long enough
	}
	return p.events, nil
}

// unanswered has nobody wait for the word about a caller in a recording that has none: of events alone, or of an earlier version.
func (p *playback) unanswered(at time.Time) {
	if p.silent {
		for _, id := range p.in.unasked() {
			p.keep(p.in.presented(id, "", at))
		}
	}
}

// playback feeds an interpreter with a recording.
type playback struct {
	extension string
	in        *interpreter
	events    []cti.Event
	silent    bool     // it was not asked whether a caller withholds the number
	asked     []string // requests without their answers yet
	channels  []channelSnap
	listing   bool      // the lists are there, and what was asked because of them is not yet answered
	listed    time.Time // when they were
	open      int       // of those questions
}

func (p *playback) keep(all []told) {
	for _, t := range all {
		if t.extension == p.extension {
			p.events = append(p.events, t.event)
		}
	}
}

func (p *playback) take(out bool, raw []byte, at time.Time) error {
	switch {
	case out && bytes.HasPrefix(raw, []byte("POST ")):
		return p.originated(raw)
	case out:
		p.asked = append(p.asked, strings.TrimPrefix(string(raw), "GET "))
		return nil
	case bytes.HasPrefix(raw, []byte("[")), bytes.HasPrefix(raw, []byte(noAnswer)):
		return p.answered(raw, at)
	}
	m, err := parse(raw)
	if err == nil && m.Type == "" { // an answer, and no event
		return p.answered(raw, at)
	}
	if err == nil {
		p.keep(p.in.events(m, at))
	}
	return err
}

// originated: a channel of ours will come.
func (p *playback) originated(raw []byte) error {
	_, body, _ := bytes.Cut(raw, []byte("\n"))
	var o struct {
		Extension string `json:"extension"`
		ChannelID string `json:"channelId"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return withoutText(err)
	}
	p.in.click(o.ChannelID, o.Extension)
	return nil
}

// answered takes the answer to the oldest request. Without one the recording began after it was made.
func (p *playback) answered(raw []byte, at time.Time) error {
	if len(p.asked) == 0 {
		return nil
	}
	path := strings.Split(p.asked[0], "/")
	p.asked = p.asked[1:]
	refused := bytes.HasPrefix(raw, []byte(noAnswer))
	var err error
	switch {
	case len(path) == 3 && path[2] == "channels" && !refused:
		err = json.Unmarshal(raw, &p.channels)
	case len(path) == 3 && path[2] == "bridges" && !refused:
		var bridges []bridgeSnap
		if err = json.Unmarshal(raw, &bridges); err == nil {
			p.listing, p.listed = true, at
			p.open = min(len(p.in.reconcile(p.channels, bridges, at)), maxMembers)
			p.onward()
		}
	case len(path) == 5:
		var answer variableAnswer
		if !refused {
			err = json.Unmarshal(raw, &answer)
		}
		if channel, unescaped := url.PathUnescape(path[3]); err == nil && unescaped == nil {
			p.variable(channel, path[4], answer.Value, at)
		}
	}
	if err != nil {
		return withoutText(err)
	}
	return nil
}

func (p *playback) variable(channel, asked, value string, at time.Time) {
	switch asked {
	case "variable", "variable?" + linkedID: // earlier versions did not note which
		p.in.linked(channel, value)
	case "variable?" + presentation:
		p.keep(p.in.presented(channel, value, at))
	}
	if p.listing {
		p.open--
		p.onward()
	}
}

// onward goes on once all is answered that was asked because of the lists: journeys, then callers.
func (p *playback) onward() {
	if p.open > 0 {
		return
	}
	p.in.inquire(p.listed)
	if p.open = len(p.in.unasked()); p.open == 0 {
		p.list()
	}
}

// list makes the snapshot.
func (p *playback) list() {
	p.listing = false
	p.in.resume()
	p.keep(p.in.snapshots(p.listed))
}

// asks tells whether a frame is a question about a channel, or its answer.
func (p *playback) asks(out bool, raw []byte) bool {
	if out {
		return bytes.Contains(raw, []byte("/variable"))
	}
	return len(p.asked) > 0 && strings.Contains(p.asked[0], "/variable")
}
