package baresip

import (
	"regexp"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// What CALL_CLOSED says when no SIP status does. The first two are the same in every state of the call.
const (
	byPeer     = "Connection reset by peer"
	byUser     = "Connection reset by user"
	givenAway  = "Call transfered" // sic
	localTimer = "Local timeout"   // call_local_timeout: nobody answered here
)

// stage is how far a call got, as far as we saw it.
type stage int

const (
	unseen      stage = iota // it began while we were not connected: nothing is known
	begun                    // dialled, or rings here
	ringing                  // the far end rings
	established              // both could talk
)

// ending says which event a CALL_CLOSED is, and why: protocols.md, mapping A, and the table of baresip's texts.
func ending(text string, dir cti.Direction, at stage) (cti.EventType, cti.Cause) {
	cause := cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown, Raw: text}
	if strings.HasPrefix(text, givenAway) || strings.HasPrefix(text, "Call transferred") {
		cause.Code, cause.By = cti.CauseTransferred, cti.ByLocal
		return cti.Transferred, cause
	}
	status, hasStatus := statusOf(text)
	switch {
	case hasStatus && at == established:
		cause.Code, cause.By = cti.CauseNormal, cti.ByRemote
	case hasStatus:
		cause.Code, cause.By = byStatus(status, text, dir)
	case strings.EqualFold(text, byUser):
		cause.Code, cause.By = localEnd(dir, at), cti.ByLocal
	case strings.HasPrefix(strings.ToLower(text), "connection reset"), text == "session closed":
		cause.Code, cause.By = remoteEnd(dir, at), cti.ByRemote
	default:
		cause.Code, cause.By = byText(text, dir, at)
	}
	if dir == cti.Out && at != established && cause.By != cti.ByLocal && (at != unseen || hasStatus) {
		return cti.Failed, cause
	}
	return cti.Cleared, cause
}

// localEnd: the agent hung up, refused, or gave up an attempt of their own.
func localEnd(dir cti.Direction, at stage) cti.CauseCode {
	switch {
	case at == unseen:
		return cti.CauseUnknown
	case at == established:
		return cti.CauseNormal
	case dir == cti.Out:
		return cti.CauseAbandoned
	}
	return cti.CauseRejected
}

func remoteEnd(dir cti.Direction, at stage) cti.CauseCode {
	switch {
	case at == unseen:
		return cti.CauseUnknown
	case at == established:
		return cti.CauseNormal
	case dir == cti.Out:
		return cti.CauseUnreachable
	}
	return cti.CauseAbandoned
}

// byText reads the system's own error texts, which baresip passes on as they are.
func byText(text string, dir cti.Direction, at stage) (cti.CauseCode, cti.Party) {
	t := strings.ToLower(text)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(t, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("rtp", "audio", "media", "codec"):
		return cti.CauseMedia, cti.BySystem
	case at == established && has("timed out", "timeout"):
		return cti.CauseNetwork, cti.BySystem
	case strings.EqualFold(text, localTimer), at == ringing && has("timed out", "timeout"), dir == cti.In && has("timed out", "timeout"):
		return cti.CauseNoAnswer, cti.BySystem
	case has("timed out", "timeout", "refused", "unreachable", "no route", "destination address", "host"):
		return cti.CauseUnreachable, cti.BySystem
	case has("network", "protocol", "broken pipe"):
		return cti.CauseNetwork, cti.BySystem
	}
	return cti.CauseUnknown, cti.BySystem
}

var statusLine = regexp.MustCompile(`^([3-6][0-9][0-9]) `)

func statusOf(text string) (int, bool) {
	m := statusLine.FindStringSubmatch(text + " ")
	if m == nil {
		return 0, false
	}
	status, err := strconv.Atoi(m[1])
	return status, err == nil
}

// byStatus maps a SIP status that ended an unanswered call.
func byStatus(status int, text string, dir cti.Direction) (cti.CauseCode, cti.Party) {
	if dir == cti.In && status == 487 {
		return cti.CauseAbandoned, cti.ByRemote
	}
	if status == 486 && strings.Contains(text, "Rejected") {
		return cti.CauseRejected, cti.ByRemote // baresip's own words for a person who pressed reject
	}
	if code, ok := statusCauses[status]; ok {
		return code, cti.ByRemote
	}
	switch {
	case status >= 500 && status < 600:
		return cti.CauseNetwork, cti.BySystem
	case status >= 600:
		return cti.CauseRejected, cti.ByRemote
	}
	return cti.CauseUnknown, cti.ByRemote
}

var statusCauses = map[int]cti.CauseCode{
	403: cti.CauseRejected, 603: cti.CauseRejected, 607: cti.CauseRejected, 608: cti.CauseRejected,
	404: cti.CauseNotFound, 410: cti.CauseNotFound, 484: cti.CauseNotFound, 604: cti.CauseNotFound,
	408: cti.CauseNoAnswer, 480: cti.CauseNoAnswer, 487: cti.CauseNoAnswer,
	415: cti.CauseMedia, 488: cti.CauseMedia, 606: cti.CauseMedia,
	430: cti.CauseNetwork,
	486: cti.CauseBusy, 600: cti.CauseBusy,
}
