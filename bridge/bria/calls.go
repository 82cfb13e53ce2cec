package bria

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// refCall is Bria's own id of a call. It is not the SIP Call-ID, so another source's call is joined by number and time.
const refCall = "bria_call"

// The numbers of things kept at once. Bria has six lines.
const (
	maxCalls   = 64
	maxOver    = 256
	maxParties = 16
)

// Bria's words for the state of a party.
const (
	stateRinging    = "ringing"
	stateConnecting = "connecting"
	stateConnected  = "connected"
	stateFailed     = "failed"
	stateEnded      = "ended"
)

// interpreter turns one list of calls after another into canonical events: what is new, what changed, what is gone. It keeps what the lists
// leave out: the direction, which is that of the first state seen, and what the agent asked for. It is not safe for concurrent use.
type interpreter struct {
	source    cti.Source
	extension string

	live  []*known
	over  map[string]grave
	order []string // of over, the oldest first
	muted *bool    // as the phone said last; nil: not known
	plans []plan
}

// known is one live call.
type known struct {
	id, ref string
	dir     cti.Direction // "" where it was connected when it was first seen
	state   string        // ringing, connecting or connected
	held    cti.Party     // "": nobody holds
	number  string
	name    string
	others  []string // further parties of a conference
	begun   time.Time

	established time.Time
	purpose     cti.Purpose
	mainLeg     string
	aside       string // the id of the consultation about it
	hungUp      bool   // by a command
	given       *gift  // the agent is giving it away
}

// plan is a consultation that was dialled and is not in the list yet.
type plan struct {
	number, mainID, mainLeg string
	until                   time.Time
}

// planFor is reducer rule 7's time for a dialled number to become a call.
const planFor = 20 * time.Second

func newInterpreter(source cti.Source, extension string) *interpreter {
	return &interpreter{source: source, extension: extension, over: map[string]grave{}}
}

// list gives what a list of calls says that the one before did not.
func (i *interpreter) list(calls []listed, at time.Time) []cti.Event {
	var events []cti.Event
	seen := map[string]bool{}
	for _, c := range calls[:min(len(calls), maxCalls)] {
		seen[c.ID] = true
		events = append(events, i.one(c, at)...)
	}
	for _, k := range slices.Clone(i.live) {
		if !seen[k.id] {
			events = append(events, i.end(k, false, at))
		}
	}
	return events
}

// one compares one listed call with what is known of it.
func (i *interpreter) one(c listed, at time.Time) []cti.Event {
	state := c.state()
	k := i.known(c.ID)
	switch {
	case c.ID == "" || state == "":
		return nil
	case k == nil && (state == stateEnded || state == stateFailed):
		return i.unseen(c, state, at)
	case k == nil:
		k = i.begin(c, state, at)
		return slices.Concat(i.begun(k, at), i.hold(k, c.holder(), at), i.grown(k, c, at))
	case state == stateEnded || state == stateFailed:
		return []cti.Event{i.end(k, state == stateFailed, at)}
	}
	events := i.named(k, c, at)
	if state == stateConnected && k.state != stateConnected {
		events = append(events, i.connect(k, at)...)
	}
	return slices.Concat(events, i.hold(k, c.holder(), at), i.grown(k, c, at))
}

// state is that of a call whose parties may each have another: it goes on as long as one of them does.
func (c listed) state() string {
	for _, s := range []string{stateConnected, stateRinging, stateConnecting, stateFailed, stateEnded} {
		if slices.ContainsFunc(c.Parties, func(p party) bool { return p.State == s }) {
			return s
		}
	}
	return ""
}

// holder tells who holds a call; "" for nobody.
func (c listed) holder() cti.Party {
	switch c.Hold {
	case "localHold":
		return cti.ByLocal
	case "remoteHold":
		return cti.ByRemote
	case "", "offHold":
		return ""
	}
	return cti.ByUnknown
}

func (i *interpreter) known(id string) *known {
	if at := slices.IndexFunc(i.live, func(k *known) bool { return k.id == id }); at >= 0 {
		return i.live[at]
	}
	return nil
}

// unseen is a call whose first list has it at its end. One that failed was an attempt of the agent's; of one that ended nothing can be said.
func (i *interpreter) unseen(c listed, state string, at time.Time) []cti.Event {
	if i.over[c.ID].times > 0 {
		return nil // Bria lists it on for a while
	}
	if state == stateEnded {
		i.bury(&known{id: c.ID})
		return nil
	}
	return []cti.Event{i.end(i.begin(c, stateConnecting, at), true, at)}
}

// begin files a call that was not known.
func (i *interpreter) begin(c listed, state string, at time.Time) *known {
	p := c.Parties[0]
	k := &known{id: c.ID, ref: c.ID, state: state, number: p.Number, name: p.Name, begun: seconds(p.Begun)}
	k.dir = map[string]cti.Direction{stateRinging: cti.In, stateConnecting: cti.Out}[state]
	if before := i.over[c.ID]; before.times > 0 { // it came back: a reference names one call for ever
		k.ref = fmt.Sprintf("%s/%d", c.ID, before.times+1)
		k.dir = cmp.Or(k.dir, before.dir)
	}
	if k.dir == cti.Out {
		i.planned(k, at)
	}
	if len(i.live) >= maxCalls {
		i.live = i.live[1:]
	}
	i.live = append(i.live, k)
	return k
}

// planned makes an attempt the consultation that was dialled a moment ago. The number need not be the same: Bria's dial plan may change it.
func (i *interpreter) planned(k *known, at time.Time) {
	i.plans = slices.DeleteFunc(i.plans, func(p plan) bool { return at.After(p.until) })
	if len(i.plans) == 0 {
		return
	}
	p := i.plans[0]
	i.plans = i.plans[1:]
	k.purpose, k.mainLeg = cti.Consultation, p.mainLeg
	if main := i.known(p.mainID); main != nil {
		main.aside = k.id
	}
}

// begun is the first event of a call.
func (i *interpreter) begun(k *known, at time.Time) []cti.Event {
	switch k.state {
	case stateRinging:
		return []cti.Event{i.event(k, at, cti.Event{Type: cti.Delivered, Side: cti.SideLocal, SourceAt: k.begun})}
	case stateConnecting:
		return []cti.Event{i.event(k, at, cti.Event{Type: cti.Originated, SourceAt: k.begun})}
	}
	return i.connect(k, at)
}

func (i *interpreter) connect(k *known, at time.Time) []cti.Event {
	k.state = stateConnected
	if k.established.IsZero() {
		k.established = at
	}
	return []cti.Event{i.event(k, at, cti.Event{Type: cti.Established, Muted: i.muted})}
}

// hold tells of a change of who holds. A change to nobody of a call that was being given away means that nobody took it.
func (i *interpreter) hold(k *known, by cti.Party, at time.Time) []cti.Event {
	if k.state != stateConnected || by == k.held {
		return nil
	}
	var events []cti.Event
	if k.held != "" {
		events = append(events, i.event(k, at, cti.Event{Type: cti.Retrieved, By: k.held}))
	}
	if by != "" {
		events = append(events, i.event(k, at, cti.Event{Type: cti.Held, By: by}))
	} else {
		k.given = nil
	}
	k.held = by
	return events
}

// named tells of a better number or name.
func (i *interpreter) named(k *known, c listed, at time.Time) []cti.Event {
	p := c.Parties[0]
	name := cmp.Or(p.Name, k.name)
	if p.Number == k.number && name == k.name || p.Number == "" || slices.Contains(k.others, p.Number) {
		return nil
	}
	k.number, k.name = p.Number, name
	return []cti.Event{i.event(k, at, cti.Event{Type: cti.Info})}
}

// grown tells of further parties.
func (i *interpreter) grown(k *known, c listed, at time.Time) []cti.Event {
	var events []cti.Event
	for _, p := range c.Parties[1:] {
		if p.State != stateConnected || k.state != stateConnected || p.Number == k.number || slices.Contains(k.others, p.Number) || len(k.others) == maxParties {
			continue
		}
		k.others = append(k.others, p.Number)
		e := i.event(k, at, cti.Event{Type: cti.Conferenced})
		e.Remote = remote(p.Number, p.Name)
		events = append(events, e)
	}
	return events
}

// mute takes what the phone says of the microphone, which is one for all calls.
func (i *interpreter) mute(on bool, at time.Time) []cti.Event {
	if i.muted != nil && *i.muted == on {
		return nil
	}
	i.muted = &on
	var events []cti.Event
	for _, k := range i.live {
		if k.state == stateConnected {
			events = append(events, i.event(k, at, cti.Event{Type: cti.Info, Muted: &on}))
		}
	}
	return events
}

func (i *interpreter) event(k *known, at time.Time, e cti.Event) cti.Event {
	e.V, e.At, e.Source = cti.EnvelopeVersion, at, i.source
	if k.dir == "" {
		e.Source.Confidence = cti.Inferred
	}
	e.Call = cti.CallRef{Direction: k.dir, Purpose: k.purpose, MainLeg: k.mainLeg, Refs: map[string]string{refCall: k.ref}}
	e.Remote = remote(k.number, k.name)
	e.Local.Extension = i.extension
	return e
}

// remote makes the far end: Bria writes 1440, 1440@pbx.example.com or a SIP URI.
func remote(number, name string) cti.Remote {
	r := cti.Remote{Name: name}
	address := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(number), "sip:"), "sips:")
	user, domain, hasDomain := strings.Cut(address, "@")
	user, _, _ = strings.Cut(user, ";")
	if hasDomain {
		r.URI = "sip:" + address
	}
	switch strings.ToLower(strings.TrimSpace(user)) {
	case "", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld":
		r.Withheld = true
	default:
		r.Raw = strings.TrimSpace(user)
	}
	if strings.HasPrefix(strings.ToLower(domain), "anonymous.invalid") { // RFC 3323, 4.1.1.3
		r.Number = cti.Number{Withheld: true}
	}
	return r
}

// seconds reads seconds since 1970; the zero time for what is none.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
