package webhook

import (
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Vendor is one cloud call centre, as its file describes it: how its pushes are proven, and what they mean. It holds no secret. Make it
// with Load; it does not change afterwards.
type Vendor struct {
	ID       string // a-z, 0-9 and -
	Name     string
	Verified bool // whether what the file says was seen on the vendor's real system

	file    string   // as Load was asked for it
	headers []string // in which it looks for facts
	path    string
	methods []string
	content content
	list    []string // where in the body the event, or the list of them, lies; empty: the body is the event
	answer  answer
	sign    signature
	fields  fields
	rules   []rule
}

// Path is where the vendor pushes to, such as /udesk.
func (v *Vendor) Path() string { return v.path }

// answer is what a vendor wants to hear when it was understood.
type answer struct{ kind, body string }

// fields tells where in an event the facts stand. All but extension, number and refs may be unknown.
type fields struct {
	extension, number, name, uri, account, dialled, queue, transferTo, reason value
	id                                                                        value // the push's own, the same when it is pushed again
	wait                                                                      quantity
	time                                                                      value // when it was pushed
	format                                                                    timeFormat
	refs                                                                      map[string]value
	data                                                                      map[string]value
	members                                                                   []place // objects whose members are call data
	direction                                                                 table[direction]
	cause                                                                     table[cti.Cause]
	by                                                                        table[cti.Party]
	recording                                                                 recording
}

type recording struct {
	id, url, name, kind value
	length              quantity
}

// quantity is a number of seconds or milliseconds.
type quantity struct {
	from value
	unit time.Duration
}

// direction is cti.Direction, or that the exchange rings the agent first.
type direction string

const (
	dirIn   direction = "in"
	dirOut  direction = "out"
	dirBack direction = "click_to_dial"
)

// table translates a vendor's words.
type table[T any] struct {
	from      value
	to        map[string]T
	otherwise *T
}

func (t table[T]) of(m *message, event any, outgoing bool) (result T, word string) {
	word = t.from.of(m, event, outgoing)
	if one, known := t.to[word]; known {
		return one, word
	}
	if t.otherwise != nil {
		return *t.otherwise, word
	}
	return result, word
}

// rule says what an event means. Every rule whose conditions hold tells one canonical event, in the order of the file: some vendors push a
// call's whole state each time.
type rule struct {
	when      []condition
	is        cti.EventType
	side      cti.Side
	by        cti.Party
	direction direction
	purpose   cti.Purpose
	state     cti.Presence
	cause     cti.Cause
	transfer  cti.Transfer
	at        value // when it happened, if not when it was pushed
	current   current
}

// current says that an event is about the extension's only call, where it names none.
type current string

// The calls an event may be about. Of ringing: if the agent's phone is idle, no call can ring at it.
const (
	currentAny     current = "any"
	currentRinging current = "ringing" // and only while it rings, also where the event names it
)

// condition holds if one of the texts stands at the place.
type condition struct {
	at      place
	want    []string
	present bool // anything
}

func (c condition) holds(m *message, event any) bool {
	text := m.text(c.at, event)
	return c.present && text != "" || slices.Contains(c.want, text)
}

func (r rule) applies(m *message, event any) bool {
	return !slices.ContainsFunc(r.when, func(c condition) bool { return !c.holds(m, event) })
}
