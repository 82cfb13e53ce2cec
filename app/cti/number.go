package cti

import (
	"log/slog"
	"strings"
	"unicode"
)

// Number is a telephone number in the three forms that are kept apart: Raw as received (never overwritten), E164 where it
// could be parsed, and Key, the national significant number that is compared. Withheld means there is none to look up.
type Number struct {
	Raw      string `json:"number"`
	E164     string `json:"e164,omitempty"`
	Key      string `json:"key,omitempty"`
	Withheld bool   `json:"withheld,omitempty"`
}

// Best is the form to show and to compare with when only one can be used: E.164, else raw.
func (n Number) Best() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.Raw
}

// LogValue keeps numbers out of the logs: the last two digits help to tell calls apart, the rest is masked.
func (n Number) LogValue() slog.Value {
	s := n.Best()
	if n.Withheld || s == "" {
		return slog.StringValue("withheld")
	}
	if len(s) <= 4 {
		return slog.StringValue("***")
	}
	return slog.StringValue("***" + s[len(s)-2:])
}

// The lengths at which caller-controlled strings are cut (reducer rule 11).
const (
	MaxText = 256  // names, numbers, references
	MaxURI  = 1024 // SIP and tel URIs with their parameters
)

// Clean makes a caller-controlled string fit to keep and to show: control and direction-changing characters go,
// invalid UTF-8 is replaced, and it is cut at limit bytes without splitting a character (reducer rule 11).
func Clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		cut := limit
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	return strings.TrimSpace(s)
}

// Clean returns the event with every caller-controlled string cleaned, those of a snapshot's legs too (rule 11).
func (e Event) Clean() Event {
	if len(e.Legs) > 0 {
		legs := make([]Event, len(e.Legs))
		for i, leg := range e.Legs {
			legs[i] = leg.Clean()
		}
		e.Legs = legs
	}
	e.Remote.Raw = Clean(e.Remote.Raw, MaxText)
	e.Remote.Name = Clean(e.Remote.Name, MaxText)
	e.Remote.URI = Clean(e.Remote.URI, MaxURI)
	e.Local.Extension = Clean(e.Local.Extension, MaxText)
	e.Local.Account = Clean(e.Local.Account, MaxURI)
	e.Dialled = Clean(e.Dialled, MaxText)
	if len(e.Call.Refs) > 0 {
		refs := make(map[string]string, len(e.Call.Refs))
		for k, v := range e.Call.Refs {
			refs[Clean(k, MaxText)] = Clean(v, MaxText)
		}
		e.Call.Refs = refs
	}
	if e.Cause != nil {
		c := *e.Cause
		c.Raw = Clean(c.Raw, MaxText)
		e.Cause = &c
	}
	if e.Queue != nil {
		q := *e.Queue
		q.Name = Clean(q.Name, MaxText)
		q.WaitMS = max(q.WaitMS, 0)
		e.Queue = &q
	}
	if e.Transfer != nil {
		t := *e.Transfer
		t.To = Clean(t.To, MaxText)
		e.Transfer = &t
	}
	return e
}
