package esl

import (
	"cmp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

func (i *interpreter) ended(c *channel, e event, w when) []told {
	var all []told
	cause := cmp.Or(clean(e.get("Hangup-Cause")), clean(e.get("variable_hangup_cause")))
	c.gone = true
	if c.listens && c.purpose == "" {
		c.purpose = cti.Monitoring
	}
	if c.leg() && c.stage != untold { // what never rang was never the agent's
		all = append(all, i.farewell(c, cause, e, w))
		c.over = true
	}
	if peer := i.channels[c.peer]; peer != nil && peer.peer == c.id {
		peer.peer = ""
	}
	i.bury(c, w.at)
	return all
}

// farewell is the last event of a leg.
func (i *interpreter) farewell(c *channel, cause string, e event, w when) told {
	end := cti.Event{Type: cti.Cleared}
	if t, is := i.transfer(c, cause, e); is {
		end.Type, end.Transfer = cti.Transferred, &t
		end.Cause = &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal, Raw: cause}
	} else {
		var why cti.Cause
		end.Type, why = i.ending(c, cause, e.get("variable_sip_hangup_disposition"))
		why.Raw = cause
		end.Cause = &why
		c.vain = end.Type == cti.Diverted && why.Code == cti.CauseNoAnswer
	}
	if path := cti.Clean(e.get("variable_record_path"), cti.MaxText); path != "" && c.stage == established {
		if name := clean(e.get("variable_record_name")); name != "" {
			path = strings.TrimSuffix(path, "/") + "/" + name
		}
		end.Recording = &cti.Recording{ID: cti.Clean(path, cti.MaxText), Name: path[strings.LastIndexByte(path, '/')+1:]}
	}
	return i.tell(c, w, end)
}

// transfer tells whether the agent gave the call away: with the phone (REFER), or over us.
func (i *interpreter) transfer(c *channel, cause string, e event) (cti.Transfer, bool) {
	how := cause
	if disposition := e.get("variable_endpoint_disposition"); strings.HasSuffix(disposition, "_TRANSFER") {
		how = disposition
	}
	switch {
	case c.stage != established:
	case how == "BLIND_TRANSFER":
		i.pass(c)
		return cti.Transfer{Kind: cti.Blind, Role: cti.Transferrer, To: referred(e.get("variable_sip_refer_to"))}, true
	case how == "ATTENDED_TRANSFER":
		return cti.Transfer{Kind: cti.Consult, Role: cti.Transferrer, To: i.consulted(c)}, true
	case c.givenTo != "" && !c.killed && !strings.HasPrefix(e.get("variable_sip_hangup_disposition"), "recv_"):
		i.pass(c)
		return cti.Transfer{Kind: cti.Blind, Role: cti.Transferrer, To: c.givenTo}, true
	}
	return cti.Transfer{}, false
}

// pass notes that whom the agent talked with is somebody else's now.
func (i *interpreter) pass(c *channel) {
	if other := i.channels[c.last]; other != nil {
		other.passed = true
	}
}

// consulted gives whom the agent asked before giving the call away: of their two legs the later one, which they dialled. That one is told to
// be a consultation, with its end or, if it ends later, from now on.
func (i *interpreter) consulted(c *channel) string {
	first, second := c, c
	consider := func(other *channel) {
		if other != nil && other != c && other.extension == c.extension && other.stage == established && !other.listens {
			if other.order > second.order {
				second = other
			}
			if other.order < first.order {
				first = other
			}
		}
	}
	for _, other := range i.channels {
		consider(other)
	}
	if second == c && first == c {
		for _, g := range i.graves {
			consider(g.c)
		}
	}
	if second.outgoing() && second != first && second.purpose == "" {
		second.purpose = cti.Consultation
	}
	if second == first {
		return ""
	}
	return second.remote.Raw
}

// referred gives the user of a Refer-To header: <sip:1003@pbx;user=phone>.
func referred(to string) string {
	_, rest, found := strings.Cut(to, ":")
	if !found {
		return ""
	}
	if at := strings.IndexAny(rest, "@;>?"); at >= 0 {
		rest = rest[:at]
	}
	return clean(rest)
}

// causes are FreeSWITCH's words (switch_channel.c, after Q.850) for why a call did not come about.
var causes = map[string]cti.CauseCode{
	"USER_BUSY": cti.CauseBusy, "CALL_REJECTED": cti.CauseRejected, "NO_ANSWER": cti.CauseNoAnswer, "NO_USER_RESPONSE": cti.CauseNoAnswer,
	"ALLOTTED_TIMEOUT": cti.CauseNoAnswer, "PROGRESS_TIMEOUT": cti.CauseNoAnswer, "MEDIA_TIMEOUT": cti.CauseMedia,
	"UNALLOCATED_NUMBER": cti.CauseNotFound, "NO_ROUTE_DESTINATION": cti.CauseNotFound, "INVALID_NUMBER_FORMAT": cti.CauseNotFound,
	"NUMBER_CHANGED": cti.CauseNotFound, "SUBSCRIBER_ABSENT": cti.CauseUnreachable, "USER_NOT_REGISTERED": cti.CauseUnreachable,
	"DESTINATION_OUT_OF_ORDER": cti.CauseUnreachable, "GATEWAY_DOWN": cti.CauseNetwork, "INVALID_GATEWAY": cti.CauseNetwork,
	"NORMAL_TEMPORARY_FAILURE": cti.CauseNetwork, "NETWORK_OUT_OF_ORDER": cti.CauseNetwork, "SWITCH_CONGESTION": cti.CauseNetwork,
	"NORMAL_CIRCUIT_CONGESTION": cti.CauseNetwork, "RECOVERY_ON_TIMER_EXPIRE": cti.CauseNetwork, "SYSTEM_SHUTDOWN": cti.CauseNetwork,
	"EXCHANGE_ROUTING_ERROR": cti.CauseNetwork, "INCOMPATIBLE_DESTINATION": cti.CauseMedia, "BEARERCAPABILITY_NOTAVAIL": cti.CauseMedia,
}

// ending says which event the end of a leg is, and why. disposition tells who ended the SIP dialog with the agent's phone: received by the
// exchange is from the agent, sent to them is from the far end.
func (i *interpreter) ending(c *channel, cause, disposition string) (cti.EventType, cti.Cause) {
	byAgent := c.killed || strings.HasPrefix(disposition, "recv_")
	switch {
	case c.stage == established:
		code, by := cti.CauseNormal, cti.ByUnknown
		switch known := causes[cause]; {
		case known == cti.CauseNetwork || known == cti.CauseMedia:
			code, by = known, cti.BySystem
		case byAgent:
			by = cti.ByLocal
		case strings.HasPrefix(disposition, "send_"):
			by = cti.ByRemote
		}
		return cti.Cleared, cti.Cause{Code: code, By: by}
	case c.outgoing():
		return outgoingEnd(c, cause, byAgent)
	}
	return i.incomingEnd(c, cause, byAgent)
}

func (i *interpreter) incomingEnd(c *channel, cause string, byAgent bool) (cti.EventType, cti.Cause) {
	up := i.channels[c.parent]
	lives := up != nil && !up.gone
	_, buried := i.graves[c.parent]
	switch {
	case cause == "LOSE_RACE" || cause == "PICKED_OFF":
		return cti.Diverted, cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}
	case c.killed, cause == "CALL_REJECTED", cause == "USER_BUSY":
		return cti.Cleared, cti.Cause{Code: cti.CauseRejected, By: cti.ByLocal}
	case cause == "ORIGINATOR_CANCEL" && lives && up.peer != "":
		return cti.Diverted, cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}
	case cause == "ORIGINATOR_CANCEL" && lives: // the caller is still there, and talks with nobody: the queue or the dialplan goes on
		return cti.Diverted, cti.Cause{Code: cti.CauseNoAnswer, By: cti.BySystem}
	case cause == "ORIGINATOR_CANCEL", up != nil && up.gone, buried:
		return cti.Cleared, cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}
	case causes[cause] == cti.CauseNoAnswer && lives: // it goes on elsewhere: to a colleague, the queue, a voice box
		return cti.Diverted, cti.Cause{Code: cti.CauseNoAnswer, By: cti.BySystem}
	case causes[cause] != "":
		return cti.Cleared, cti.Cause{Code: causes[cause], By: cti.BySystem}
	case byAgent:
		return cti.Cleared, cti.Cause{Code: cti.CauseRejected, By: cti.ByLocal}
	}
	return cti.Cleared, cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
}

func outgoingEnd(c *channel, cause string, byAgent bool) (cti.EventType, cti.Cause) {
	code := causes[cause]
	switch {
	case c.click != "" && !c.answered && !c.killed && (code == cti.CauseBusy || code == cti.CauseRejected || code == cti.CauseNoAnswer):
		if code == cti.CauseBusy { // the agent's own phone was rung first, and not taken up
			code = cti.CauseRejected
		}
		return cti.Failed, cti.Cause{Code: code, By: cti.ByLocal}
	case byAgent && !strings.HasPrefix(cause, "BLIND") && c.answered && c.click == "" && c.stage < ringing:
		return cti.Cleared, cti.Cause{Code: cti.CauseNormal, By: cti.ByLocal} // the exchange itself had answered: a voice box, an announcement
	case byAgent, cause == "ORIGINATOR_CANCEL":
		return cti.Cleared, cti.Cause{Code: cti.CauseAbandoned, By: cti.ByLocal}
	case code == cti.CauseNetwork, code == cti.CauseMedia, code == cti.CauseUnreachable:
		return cti.Failed, cti.Cause{Code: code, By: cti.BySystem}
	case code != "":
		return cti.Failed, cti.Cause{Code: code, By: cti.ByRemote}
	case c.answered && c.click == "":
		return cti.Cleared, cti.Cause{Code: cti.CauseNormal, By: cti.BySystem}
	}
	return cti.Failed, cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
}
