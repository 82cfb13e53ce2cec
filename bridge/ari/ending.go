package ari

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// succeeded is the result of a transfer that took place; all others leave the call as it was.
const succeeded = "Success"

// blind: the channel's device gave its call away.
func (i *interpreter) blind(m message, c *channel, w when) []told {
	i.learn(m.Transferee)
	if m.Result != succeeded {
		return nil
	}
	to := cti.Clean(m.Exten, cti.MaxText)
	var all []told
	if c != nil && c.leg() {
		all = append(all, i.given(c, cti.Blind, to, w))
	}
	if m.Transferee != nil {
		if other := i.channels[m.Transferee.ID]; other != nil && other.leg() && other.stage == established {
			other.farEnd = farEnd{remote: remote(party{Number: to})}
			all = append(all, i.tell(other, w, cti.Event{Type: cti.Transferred,
				Transfer: &cti.Transfer{Kind: cti.Blind, Role: cti.Transferee, To: to}}))
		}
	}
	return all
}

// given ends a leg whose agent gave the call away.
func (i *interpreter) given(c *channel, kind cti.TransferKind, to string, w when) told {
	t := i.tell(c, w, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: kind, Role: cti.Transferrer, To: to},
		Cause: &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal, Raw: "transferred"}})
	c.over = true
	return t
}

// attended: the agent joined who they talked to with who they asked. Both legs of theirs end; the second was a consultation.
func (i *interpreter) attended(m message, w when) []told {
	first, second, transferee, target := i.learn(m.FirstLeg), i.learn(m.SecondLeg), i.learn(m.Transferee), i.learn(m.Target)
	if m.Result != succeeded {
		return nil
	}
	if first == second && first != nil { // by a feature code: one channel talked to both
		second = nil
		target = i.beside(m.Destination, transferee, first)
	}
	if m.JoinedAs == "threeway" {
		return i.threeway(first, second, target, m.Threeway, w)
	}
	to := farEnd{}
	if target != nil {
		to = target.who()
	}
	var all []told
	if second != nil && second.leg() {
		second.purpose = cti.Consultation
		if to.remote.Raw == "" {
			to = second.farEnd
		}
		all = append(all, i.given(second, cti.Consult, to.remote.Raw, w))
	}
	if first != nil && first.leg() {
		all = append(all, i.given(first, cti.Consult, to.remote.Raw, w))
	}
	if target = i.behind(target); target != nil && target.leg() && target.stage == established && first != nil {
		target.farEnd = first.farEnd
		if transferee != nil && first.remote.Raw == "" && !first.hidden {
			target.farEnd = transferee.who()
		}
		all = append(all, i.tell(target, w, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Consult, Role: cti.Target}}))
	}
	if transferee != nil && transferee.leg() && transferee.stage == established {
		transferee.farEnd = to
		all = append(all, i.tell(transferee, w, cti.Event{Type: cti.Transferred,
			Transfer: &cti.Transfer{Kind: cti.Consult, Role: cti.Transferee, To: to.remote.Raw}}))
	}
	return all
}

// threeway: the agent joined both and stayed, in the first of their calls.
func (i *interpreter) threeway(first, second, target *channel, in *bridgeSnap, w when) []told {
	if first == nil || !first.leg() {
		return nil
	}
	if in != nil && target == nil {
		target = i.beside(in.ID, first)
	}
	third := farEnd{}
	switch {
	case target != nil:
		third = target.who()
	case second != nil:
		third = second.farEnd
	}
	return []told{i.tell(first, w, cti.Event{Type: cti.Conferenced, Remote: third.remote})}
}

// beside gives who is in a bridge besides these two; nil if nobody is.
func (i *interpreter) beside(bridge string, these ...*channel) *channel {
	b := i.bridges[bridge]
	if b == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		if c := i.channels[id]; c != nil && !slices.Contains(these, c) {
			return c
		}
	}
	return nil
}

// lateFor is how long a colleague's answer still makes a call that rang in vain no missed one; the ledger takes a better cause as long.
const lateFor = cti.SettleFor - time.Second

func (i *interpreter) destroyed(c *channel, m message, w when) []told {
	if c == nil {
		return nil
	}
	c.gone = true
	all := i.ring(c)
	if c.leg() && c.stage != untold { // what never rang was never the agent's
		typ, cause := i.ending(c, m.Cause)
		cause.Raw = fmt.Sprintf("cause %d", m.Cause)
		if status := firstText(c.ended, c.dialled); status != "" {
			cause.Raw += ", " + status
		}
		all = append(all, i.tell(c, w, cti.Event{Type: typ, Cause: &cause}))
		c.over, c.endedAt = true, w.at
		if cause.Code == cti.CauseNoAnswer && c.role == called && c.stage == ringing && len(i.missed) < maxMembers {
			i.missed = append(i.missed, c)
		}
	}
	i.bury(c.id, w.at)
	return all
}

// The causes of ITU-T Q.850 that Asterisk gives, by number (include/asterisk/causes.h).
const (
	q850Unallocated = 1
	q850Busy        = 17
	q850NoResponse  = 18
	q850NoAnswer    = 19
	q850Absent      = 20
	q850Rejected    = 21
	q850Elsewhere   = 26
	q850OutOfOrder  = 27
	q850BadNumber   = 28
)

var byQ850 = map[int]cti.CauseCode{
	q850Unallocated: cti.CauseNotFound, q850BadNumber: cti.CauseNotFound, q850Busy: cti.CauseBusy, q850NoResponse: cti.CauseNoAnswer,
	q850NoAnswer: cti.CauseNoAnswer, q850Absent: cti.CauseUnreachable, q850Rejected: cti.CauseRejected, q850OutOfOrder: cti.CauseUnreachable,
	34: cti.CauseNetwork, 38: cti.CauseNetwork, 41: cti.CauseNetwork, 42: cti.CauseNetwork, 44: cti.CauseNetwork,
	58: cti.CauseMedia, 88: cti.CauseMedia,
}

var byStatus = map[string]cti.CauseCode{"BUSY": cti.CauseBusy, "NOANSWER": cti.CauseNoAnswer, "CONGESTION": cti.CauseNetwork, "CHANUNAVAIL": cti.CauseUnreachable}

// ending says which event the end of a leg is, and why. How dialling ended says more than the channel's cause, which is "normal
// clearing" also for a caller who gave up.
func (i *interpreter) ending(c *channel, q850 int) (cti.EventType, cti.Cause) {
	switch {
	case c.stage == established:
		code := cti.CauseNormal
		if known := byQ850[q850]; known == cti.CauseNetwork || known == cti.CauseMedia {
			code = known
		}
		return cti.Cleared, cti.Cause{Code: code, By: by(c.hungBy)}
	case c.outgoing():
		return outgoingEnd(c, q850)
	}
	return i.incomingEnd(c, q850)
}

func by(p cti.Party) cti.Party {
	if p == "" {
		return cti.ByUnknown
	}
	return p
}

func (i *interpreter) incomingEnd(c *channel, q850 int) (cti.EventType, cti.Cause) {
	lives, known := i.customer(c)
	switch {
	case q850 == q850Elsewhere: // also if the exchange asked for it itself, for a colleague who picked the call up
		return cti.Diverted, cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}
	case c.hungBy == cti.ByLocal, c.ended == "BUSY", c.ended == "" && (q850 == q850Busy || q850 == q850Rejected):
		return cti.Cleared, cti.Cause{Code: cti.CauseRejected, By: cti.ByLocal}
	case c.hungBy == cti.ByRemote:
		return cti.Cleared, cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	case lives && c.ended == "CANCEL":
		return cti.Diverted, cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}
	case c.ended == "CANCEL", c.ended == "" && known && !lives:
		return cti.Cleared, cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	case c.ended == "NOANSWER", c.ended == "" && (q850 == q850NoAnswer || q850 == q850NoResponse):
		typ := cti.Cleared
		if lives { // it goes on elsewhere: to a colleague, the queue, a voice box
			typ = cti.Diverted
		}
		return typ, cti.Cause{Code: cti.CauseNoAnswer, By: cti.BySystem}
	case byStatus[c.ended] != "":
		return cti.Cleared, cti.Cause{Code: byStatus[c.ended], By: cti.BySystem}
	}
	return cti.Cleared, cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
}

func outgoingEnd(c *channel, q850 int) (cti.EventType, cti.Cause) {
	switch {
	case byStatus[c.dialled] != "":
		code, who := byStatus[c.dialled], cti.ByRemote
		if code == cti.CauseNetwork || code == cti.CauseUnreachable {
			who = cti.BySystem
		}
		better := byQ850[q850]
		if c.dialled == "NOANSWER" { // which Asterisk also says of all it has no word for: a number that does not exist
			better = byQ850[c.result]
		}
		if better != "" {
			code = better
		}
		if code == cti.CauseNotFound {
			who = cti.BySystem
		}
		return cti.Failed, cti.Cause{Code: code, By: who}
	case c.click != "" && byStatus[c.ended] != "": // the agent's own phone was rung first, and not taken up
		code := byStatus[c.ended]
		if c.ended == "BUSY" {
			code = cti.CauseRejected
		}
		return cti.Failed, cti.Cause{Code: code, By: cti.ByLocal}
	case c.click != "" && c.state == "Ringing" && c.hungBy == "" && (byQ850[q850] == "" || byQ850[q850] == cti.CauseNoAnswer): // of which no Dial tells
		return cti.Failed, cti.Cause{Code: cti.CauseNoAnswer, By: cti.ByLocal}
	case c.state == "Up" && c.click == "": // the exchange itself answered: a voice box, an announcement
		return cti.Cleared, cti.Cause{Code: cti.CauseNormal, By: by(c.hungBy)}
	case c.hungBy == cti.ByLocal:
		return cti.Cleared, cti.Cause{Code: cti.CauseAbandoned, By: cti.ByLocal}
	case byQ850[q850] != "":
		return cti.Failed, cti.Cause{Code: byQ850[q850], By: cti.BySystem}
	}
	return cti.Failed, cti.Cause{Code: cti.CauseUnknown, By: by(c.hungBy)}
}
