package baresip

import (
	"maps"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// refDial names an outbound attempt until the phone tells its SIP Call-ID: 1.0.0 announces it without one.
const refDial = "baresip_dial"

// baresip's words for the direction.
const (
	dirIn  = "incoming"
	dirOut = "outgoing"
)

// The numbers of things kept at once. Real phones have four calls at most; beyond that the oldest is forgotten.
const (
	maxCalls    = 64
	maxDials    = 16
	maxAccounts = 64
)

// interpreter turns baresip's messages into canonical events. It is pure but for mint: the same messages give the same events.
// It keeps only what the wire leaves out: which attempt an id belongs to, and how far a call got before it closed.
type interpreter struct {
	source    cti.Source
	extension string        // for events that name no account
	mint      func() string // a new, unique attempt name

	plans  *plans            // what was asked for
	dials  []attempt         // oldest first: announced, id not known yet
	calls  map[string]*known // by SIP Call-ID
	failed map[string]bool   // accounts that could not register
	seen   int               // counts calls, for forgetting the oldest
}

type attempt struct {
	account, peer, ref string
	aside              aside
}

type known struct {
	who   message // what the first message said of the parties
	dial  string  // the attempt's name, "" inbound
	aside aside
	at    stage
	held  bool // the agent holds
	order int
}

func newInterpreter(source cti.Source, extension string, mint func() string) *interpreter {
	return &interpreter{source: source, extension: extension, mint: mint, plans: newPlans(), calls: map[string]*known{}, failed: map[string]bool{}}
}

// events gives what one message means, at the given time: usually one event, often none. Unknown types say nothing.
//
// Connection and registration share source.up and source.down: the control connection alone is up (accounts with regint=0 never
// register), REGISTER_FAIL and UNREGISTERING take it down with cause network, since no call reaches that account any more, and
// REGISTER_OK of the last such account brings it up again. Commands keep working meanwhile.
func (i *interpreter) events(m message, at time.Time) []cti.Event {
	switch m.Type {
	case "CALL_INCOMING":
		i.call(m, cti.In).reach(begun)
		return i.one(m, at, cti.Event{Type: cti.Delivered, Side: cti.SideLocal})
	case "CALL_LOCAL_SDP":
		if m.ID == "" && m.Direction == dirOut {
			return i.announced(m, at)
		}
	case "CALL_OUTGOING": // from 1.1.0
		i.call(m, cti.Out).reach(begun)
		return i.one(m, at, cti.Event{Type: cti.Originated})
	case "CALL_RINGING", "CALL_PROGRESS":
		if m.Direction == dirOut {
			i.call(m, cti.Out).reach(ringing)
			return i.one(m, at, cti.Event{Type: cti.Delivered, Side: cti.SideRemote})
		}
	case "CALL_ESTABLISHED":
		i.call(m, direction(m)).reach(established)
		return append(i.one(m, at, cti.Event{Type: cti.Established}), i.holds(m, at)...)
	case "CALL_HOLD": // from 3.7.0, and only when the far end did it
		return i.one(m, at, cti.Event{Type: cti.Held, By: cti.ByRemote})
	case "CALL_RESUME":
		return i.one(m, at, cti.Event{Type: cti.Retrieved, By: cti.ByRemote})
	case "TRANSFER": // the far end gives us on: a new call follows under its own id, this one closes
		return i.one(m, at, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Blind, Role: cti.Transferee, To: user(m.Param)}})
	case "CALL_CLOSED":
		return i.closed(m, at)
	case "REGISTER_OK", "REGISTER_FAIL", "UNREGISTERING":
		return i.registered(m, at)
	}
	return i.holds(m, at)
}

// announced is an outbound attempt without an id: it gets a name of ours, which goes on every event of it from then on.
func (i *interpreter) announced(m message, at time.Time) []cti.Event {
	if len(i.dials) == maxDials {
		i.dials = slices.Delete(i.dials, 0, 1)
	}
	a := attempt{account: m.Account, peer: m.Peer, ref: i.mint(), aside: i.plans.takeAside()}
	i.dials = append(i.dials, a)
	e := i.event(m, at, cti.Event{Type: cti.Originated})
	e.Call.Refs, e.Call.Purpose, e.Call.MainLeg = map[string]string{refDial: a.ref}, a.aside.purpose, a.aside.main
	return []cti.Event{e}
}

func (i *interpreter) closed(m message, at time.Time) []cti.Event {
	if m.ID == "" {
		return nil
	}
	reached := i.call(m, direction(m)).at
	typ, cause := ending(m.Param, direction(m), reached)
	e := cti.Event{Type: typ, Cause: &cause}
	if typ == cti.Transferred {
		e.Transfer = &cti.Transfer{Kind: cti.Blind, Role: cti.Transferrer, To: i.plans.transferTo(m.ID)}
	}
	events := i.one(m, at, e)
	i.forget(m.ID)
	return events
}

func (i *interpreter) forget(id string) {
	delete(i.calls, id)
	i.plans.transfer(id, "")
}

// lost ends a call that the phone dropped without CALL_CLOSED, as 1.0.0 does when whoever a call was transferred to does not take it.
func (i *interpreter) lost(id, why string, at time.Time) []cti.Event {
	k := i.calls[id]
	if k == nil {
		return nil
	}
	events := i.one(k.who, at, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.BySystem, Raw: "the transfer failed: " + why}})
	i.forget(id)
	return events
}

// muted tells what the phone said of a call's microphone.
func (i *interpreter) muted(id string, on bool, at time.Time) []cti.Event {
	m := message{ID: id}
	if k := i.calls[id]; k != nil {
		m = k.who
	}
	return i.one(m, at, cti.Event{Type: cti.Info, Muted: &on})
}

func (i *interpreter) registered(m message, at time.Time) []cti.Event {
	wasDown := len(i.failed) > 0
	if m.Type == "REGISTER_OK" {
		delete(i.failed, m.Account)
	} else if len(i.failed) < maxAccounts {
		i.failed[m.Account] = true
	}
	switch down := len(i.failed) > 0; {
	case down && !wasDown:
		raw := strings.TrimSpace(m.Type + " " + m.Param)
		return []cti.Event{{V: cti.EnvelopeVersion, Type: cti.SourceDown, At: at, Source: i.source,
			Cause: &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: raw}}}
	case !down && wasDown:
		return []cti.Event{{V: cti.EnvelopeVersion, Type: cti.SourceUp, At: at, Source: i.source}}
	}
	return nil
}

// holds reads the agent's own hold from version 4's audio directions. "sendonly" here while the far end still sends is the only
// combination that means nothing else; without it no hold is invented (reducer rule 5). Versions before are asked: see look.
func (i *interpreter) holds(m message, at time.Time) []cti.Event {
	k := i.calls[m.ID]
	if k == nil || k.at != established || m.LocalDir == "" {
		return nil
	}
	farSends := m.RemoteDir == "" || m.RemoteDir == "sendrecv" || m.RemoteDir == "recvonly"
	switch {
	case m.LocalDir == "sendonly" && farSends:
		return i.holding(k, true, at)
	case m.LocalDir == "sendrecv":
		return i.holding(k, false, at)
	}
	return nil
}

func (i *interpreter) holding(k *known, held bool, at time.Time) []cti.Event {
	if k.held == held {
		return nil
	}
	k.held = held
	e := cti.Event{Type: cti.Retrieved, By: cti.ByLocal}
	if held {
		e.Type = cti.Held
	}
	return i.one(k.who, at, e)
}

// connected forgets what only the connection before could know.
func (i *interpreter) connected(p *plans) {
	clear(i.failed)
	i.plans = p
}

// call gives what is known about a call, and joins it with the oldest attempt to the same peer that has no id yet.
func (i *interpreter) call(m message, dir cti.Direction) *known {
	if k := i.calls[m.ID]; k != nil || m.ID == "" {
		if k == nil {
			k = &known{}
		}
		return k
	}
	i.seen++
	k := &known{order: i.seen, who: message{ID: m.ID, Direction: m.Direction, Peer: m.Peer, PeerName: m.PeerName, Account: m.Account}}
	if dir == cti.Out {
		at := slices.IndexFunc(i.dials, func(a attempt) bool { return a.account == m.Account && a.peer == m.Peer })
		if at >= 0 {
			k.dial, k.aside, k.at = i.dials[at].ref, i.dials[at].aside, begun
			i.dials = slices.Delete(i.dials, at, at+1)
		}
		if m.Type == "CALL_OUTGOING" && k.dial == "" {
			k.aside = i.plans.takeAside()
		}
	}
	if len(i.calls) >= maxCalls {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(i.calls)), func(a, b string) int { return i.calls[a].order - i.calls[b].order })
		delete(i.calls, oldest)
	}
	i.calls[m.ID] = k
	return k
}

func (k *known) reach(s stage) { k.at = max(k.at, s) }

// one is an event about the call a message names; nothing when it names none.
func (i *interpreter) one(m message, at time.Time, e cti.Event) []cti.Event {
	if m.ID == "" {
		return nil
	}
	e = i.event(m, at, e)
	e.Call.Refs = map[string]string{cti.RefSIPCallID: m.ID}
	if k := i.calls[m.ID]; k != nil {
		e.Call.Purpose, e.Call.MainLeg = k.aside.purpose, k.aside.main
		if k.dial != "" {
			e.Call.Refs[refDial] = k.dial
		}
	}
	return []cti.Event{e}
}

func (i *interpreter) event(m message, at time.Time, e cti.Event) cti.Event {
	e.V, e.At, e.Source = cti.EnvelopeVersion, at, i.source
	e.Call.Direction = direction(m)
	e.Remote = remote(m.Peer, m.PeerName)
	e.Local = cti.Local{Extension: i.extension, Account: m.Account}
	if own := user(m.Account); own != "" {
		e.Local.Extension = own
	}
	return e
}

func direction(m message) cti.Direction {
	switch m.Direction {
	case dirIn:
		return cti.In
	case dirOut:
		return cti.Out
	}
	return ""
}
