package cti

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The lengths at which caller-controlled strings are cut (reducer rule 11).
const (
	MaxText = 256  // names, numbers, references
	MaxURI  = 1024 // SIP and tel URIs with their parameters
	MaxURL  = 4096 // addresses of recordings: signed ones are long
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

// Clean returns the event with every string cleaned: any of them may have been chosen by a caller, an exchange or a program.
func (e Event) Clean() Event {
	tidy(MaxText, &e.Source.Adapter, &e.Source.Instance, &e.Call.Case, &e.Call.Leg, &e.Call.MainLeg, &e.Remote.Raw, &e.Remote.E164, &e.Remote.Key, &e.Remote.Ext,
		&e.Remote.Name, &e.Local.Extension, &e.Dialled)
	tidy(MaxURI, &e.Remote.URI, &e.Remote.Asserted, &e.Local.Account)
	tidy(MaxText, &e.Type)
	tidy(MaxText, &e.Remote.Class)
	tidy(MaxText, &e.Source.Confidence)
	tidy(MaxText, &e.Call.Direction)
	tidy(MaxText, &e.Call.State)
	tidy(MaxText, &e.Side)
	tidy(MaxText, &e.By)
	tidy(MaxText, &e.Call.Purpose)
	e.Call.Refs = cleanRefs(e.Call.Refs, MaxText)
	e.Data = cleanRefs(e.Data, MaxURI)
	e.Cause, e.Queue, e.Transfer, e.Agent = cleaned(e.Cause), cleaned(e.Queue), cleaned(e.Transfer), cleaned(e.Agent)
	e.Recording = cleaned(e.Recording)
	e.Legs = slices.Clone(e.Legs)
	for i := range e.Legs {
		e.Legs[i].Legs = nil // a snapshot lists legs, not snapshots
		e.Legs[i] = e.Legs[i].Clean()
	}
	return e
}

func tidy[T ~string](limit int, texts ...*T) {
	for _, s := range texts {
		*s = T(Clean(string(*s), limit))
	}
}

// maxEntries bounds references and call data: a caller may send as many headers as a packet holds.
const maxEntries = 64

func cleanRefs(refs map[string]string, limit int) map[string]string {
	if refs == nil {
		return nil
	}
	clean := make(map[string]string, len(refs))
	for _, k := range slices.Sorted(maps.Keys(refs)) {
		if len(clean) == maxEntries {
			break
		}
		clean[Clean(k, MaxText)] = Clean(refs[k], limit)
	}
	return clean
}

// cleaned gives a cleaned copy of a part of an event; nil stays nil.
func cleaned[T any, P interface {
	*T
	tidy()
}](part P) P {
	if part == nil {
		return nil
	}
	c := *part
	P(&c).tidy()
	return &c
}

func (c *Cause) tidy() {
	tidy(MaxText, &c.Code)
	tidy(MaxText, &c.By)
	tidy(MaxText, &c.Raw)
}

func (q *Queue) tidy() {
	tidy(MaxText, &q.Name)
	q.WaitMS = min(max(q.WaitMS, 0), maxWait.Milliseconds())
}

func (t *Transfer) tidy() {
	tidy(MaxText, &t.Kind)
	tidy(MaxText, &t.Role)
	tidy(MaxText, &t.To)
}

func (a *AgentStatus) tidy() {
	tidy(MaxText, &a.State)
	tidy(MaxText, &a.Reason)
}

func (r *Recording) tidy() {
	tidy(MaxText, &r.ID, &r.Name, &r.Type)
	if len(r.URL) > MaxURL {
		r.URL = "" // what is left of a cut one is of no use
	}
	tidy(MaxURL, &r.URL)
	r.DurationMS, r.File = max(r.DurationMS, 0), ""
}
