// Package mailbox is where a phone's program leaves word of a call for the agent: a folder with one small file for each event, which the agent
// takes out in their order. It owns the form of the files, their bounds, and what is true of them after a crash. It is part of a program that
// runs at every event while the phone waits, so it imports nothing of ours and little of the standard library. It must not know what an
// event means.
package mailbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Version is the form of the files this program writes; a reader leaves later ones alone.
const Version = 1

// Event is what a phone said. All strings may have been chosen by a caller: the reader cleans them, the writer only cuts them.
type Event struct {
	V         int               `json:"v"`
	ID        string            `json:"id"` // unique for ever, in the order of the events; Put gives it
	At        time.Time         `json:"at"` // when the program ran, UTC
	Source    string            `json:"source"`
	Event     string            `json:"event"`            // ring, out, answer, end, hold, resume
	Number    string            `json:"number,omitempty"` // the other party's
	Name      string            `json:"name,omitempty"`   // the other party's
	URI       string            `json:"uri,omitempty"`    // the other party's
	SIPCallID string            `json:"sip_call_id,omitempty"`
	CallID    string            `json:"call_id,omitempty"` // the phone's own, unique while the call lives
	To        string            `json:"to,omitempty"`      // the number that was dialled
	Line      string            `json:"line,omitempty"`    // the phone's own, for its commands
	Direction string            `json:"direction,omitempty"`
	Cause     string            `json:"cause,omitempty"`  // of an end: a code of cti.Cause
	By        string            `json:"by,omitempty"`     // of an end or a hold: local or remote
	Reason    string            `json:"reason,omitempty"` // of an end: the phone's own words
	Data      map[string]string `json:"data,omitempty"`   // call data
}

// The bounds of an event, in bytes and entries.
const (
	maxText  = 256
	maxURI   = 1024
	maxValue = 1024
	maxData  = 32
	maxFile  = 64 << 10
)

// cut makes an event as small as it may be.
func (e Event) cut() Event {
	for _, s := range []*string{&e.Source, &e.Event, &e.Number, &e.Name, &e.SIPCallID, &e.CallID, &e.To, &e.Line, &e.Direction, &e.Cause, &e.By, &e.Reason} {
		*s = short(*s, maxText)
	}
	e.URI = short(e.URI, maxURI)
	data := map[string]string{}
	for name, value := range e.Data {
		if len(data) < maxData {
			data[short(name, maxText)] = short(value, maxValue)
		}
	}
	e.Data = data
	return e
}

// short cuts a text without splitting a character.
func short(s string, limit int) string {
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// ErrLater means a file of a later version: it is left for the program that knows it.
var ErrLater = errors.New("written by a later version of Ringside")

// Decode reads what a file holds, bounded and with the id it says it has. Errors: ErrLater, any other for what is no event; none of them has
// the text in it.
func Decode(text []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return e, errors.New("no event in it") // the library's words may quote a number
	}
	switch {
	case e.V > Version:
		return e, ErrLater
	case e.V < 1 || e.Event == "" || e.At.IsZero():
		return e, fmt.Errorf("an event of version %d without what every event has", e.V)
	}
	e.At = e.At.UTC()
	return e.cut(), nil
}
