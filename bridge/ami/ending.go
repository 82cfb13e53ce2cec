package ami

import (
	"slices"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
)

// end tells how a leg ended whose channel is gone. The exchange's Cause lies about who gave up (a caller's CANCEL is "Normal Clearing" at the
// agent's leg), so what DialEnd and HangupRequest said counts first, and where they say nothing yet they are waited for.
func (m *machine) end(l *leg) {
	if !l.begun {
		l.ended = true // its phone never rang: nobody saw a call
		m.buried(l)
		return
	}
	e, sure := m.conclude(l)
	if !sure && !l.ending {
		l.ending = true
		m.after(evidenceWait, func() {
			if !l.ended {
				e, _ := m.conclude(l)
				m.finish(l, e)
			}
		})
	}
	if sure {
		m.finish(l, e)
	}
}

func (m *machine) finish(l *leg, e cti.Event) {
	l.ended, l.endedAt = true, m.now
	e.Cause.Raw = rawCause(l.channel)
	e.At, e.SourceAt = l.goneAt, l.goneSourceAt
	m.out(l, e)
	l.unanswered = !l.established && l.direction == cti.In && e.Cause.Code == cti.CauseNoAnswer
	m.buried(l)
}

// buried keeps an ended leg with its journey only as long as something may be told of it.
func (m *machine) buried(l *leg) {
	m.forget(remembered, func() {
		if j := m.journeys[l.channel.journey]; j != nil {
			delete(j.legs, l)
		}
	})
}

func rawCause(c *channel) string {
	raw := ""
	for _, word := range []string{c.outcome, c.result} {
		if word != "" && word != "ANSWER" {
			raw = word + " "
			break
		}
	}
	if c.gone {
		return raw + "cause " + strconv.Itoa(c.cause)
	}
	return raw
}

// conclude gives the terminal event that the evidence speaks for, and whether nothing better can come.
func (m *machine) conclude(l *leg) (cti.Event, bool) {
	switch {
	case l.established:
		return m.concludeTalk(l)
	case l.direction == cti.In:
		return m.concludeRing(l)
	case l.clickToDial && l.channel.outcome != "ANSWER" && l.channel.state < stateUp:
		return m.concludeFirstRing(l)
	}
	return m.concludeAttempt(l)
}

func cleared(code cti.CauseCode, by cti.Party) cti.Event {
	return cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: code, By: by}}
}

func failed(code cti.CauseCode, by cti.Party) cti.Event {
	return cti.Event{Type: cti.Failed, Cause: &cti.Cause{Code: code, By: by}}
}

func diverted(code cti.CauseCode) cti.Event {
	return cti.Event{Type: cti.Diverted, Cause: &cti.Cause{Code: code, By: cti.BySystem}}
}

func (m *machine) concludeTalk(l *leg) (cti.Event, bool) {
	by := m.whoHungUp(l)
	switch {
	case by == cti.ByUnknown && lost[l.channel.cause]:
		return cleared(cti.CauseNetwork, cti.BySystem), true
	default:
		return cleared(cti.CauseNormal, by), by != cti.ByUnknown
	}
}

// whoHungUp: HangupRequest names the side that did. A command of ours leaves none; another program's leaves none either, and is nobody's.
func (m *machine) whoHungUp(l *leg) cti.Party {
	switch {
	case l.channel.requested || l.weHungUp:
		return cti.ByLocal
	case l.endBy != "":
		return l.endBy
	}
	j := m.journeys[l.channel.journey]
	if j != nil && slices.ContainsFunc(j.leavers, func(one leaver) bool { return one.asked && one.id != l.channel.id && one.step >= l.talkStep }) {
		return cti.ByRemote
	}
	return cti.ByUnknown
}

// concludeRing: it rang at the agent, who did not answer.
func (m *machine) concludeRing(l *leg) (cti.Event, bool) {
	c := l.channel
	switch {
	case l.weRefused, c.outcome == "BUSY", c.outcome == "" && c.cause == 17, (c.outcome == "" || c.outcome == "NOANSWER") && c.cause == 21:
		return cleared(cti.CauseRejected, cti.ByLocal), true
	case c.cause == 26, m.answeredElsewhere(l): // AST_CAUSE_ANSWERED_ELSEWHERE
		return diverted(cti.CauseAnsweredElsewhere), true
	case c.outcome == "ANSWER": // taken up, and nobody was there to talk to
		by := m.whoHungUp(l)
		return cleared(cti.CauseNormal, by), by != cti.ByUnknown
	case l.noAnswer:
		return diverted(cti.CauseNoAnswer), true
	case c.outcome == "NOANSWER":
		return cleared(cti.CauseNoAnswer, cti.BySystem), true
	case c.outcome == "CHANUNAVAIL" || c.outcome == "CONGESTION":
		return cleared(cti.CauseUnreachable, cti.BySystem), true
	case m.callerGone(l):
		return cleared(cti.CauseAbandoned, cti.ByRemote), true
	case c.outcome == "CANCEL" && m.wrapperGone(l):
		return cleared(cti.CauseAbandoned, cti.ByRemote), false
	case c.outcome == "CANCEL" || c.cause == 19:
		return cleared(cti.CauseNoAnswer, cti.BySystem), false
	}
	return cleared(cti.CauseUnknown, cti.ByUnknown), false
}

// answeredElsewhere: somebody else took the call after it began to ring here.
func (m *machine) answeredElsewhere(l *leg) bool {
	j := m.journeys[l.channel.journey]
	return j != nil && slices.ContainsFunc(j.answered, func(a answer) bool { return a.step >= l.born && a.by != l.channel.id })
}

// callerGone: who dialled the agent went, or the one whose journey it is did, or the queue says so.
func (m *machine) callerGone(l *leg) bool {
	j := m.journeys[l.channel.journey]
	if j == nil {
		return false
	}
	return j.abandoned || j.lost(j.id) || !l.wrapped && j.lost(l.channel.by)
}

// lost tells whether a channel went from a journey.
func (j *journey) lost(id string) bool {
	return slices.ContainsFunc(j.leavers, func(one leaver) bool { return one.id == id })
}

// wrapperGone: half of a Local channel dialled the agent, and is gone, which it also is when a colleague answered.
func (m *machine) wrapperGone(l *leg) bool {
	j := m.journeys[l.channel.journey]
	return j != nil && j.lost(l.channel.by)
}

// concludeFirstRing: the agent did not take up the own phone that a click made ring.
func (m *machine) concludeFirstRing(l *leg) (cti.Event, bool) {
	switch c := l.channel; {
	case l.weHungUp:
		return cleared(cti.CauseAbandoned, cti.ByLocal), true
	case c.outcome == "BUSY", c.cause == 17, c.cause == 21:
		return failed(cti.CauseRejected, cti.ByLocal), true
	case c.outcome == "NOANSWER", c.cause == 19:
		return failed(cti.CauseNoAnswer, cti.ByLocal), true
	case c.outcome == "CHANUNAVAIL", c.outcome == "CONGESTION":
		return failed(cti.CauseUnreachable, cti.BySystem), true
	case c.outcome == "CANCEL":
		return cleared(cti.CauseAbandoned, cti.BySystem), true
	}
	return failed(cti.CauseUnknown, cti.ByUnknown), false
}

// concludeAttempt: the agent dialled, and it never came to a talk. The last DialEnd counts: a dialplan may try several trunks.
func (m *machine) concludeAttempt(l *leg) (cti.Event, bool) {
	c := l.channel
	if code, is := results[c.result]; is {
		if better := causes[c.cause]; c.result == "NOANSWER" && better != "" { // which is what DialEnd says of all it has no word for (observed)
			code = better
		}
		return failed(code, farOrSystem(code)), true
	}
	switch {
	case c.requested || l.weHungUp:
		if c.result == "" && c.state >= stateUp { // voice mail, an echo test: an application answered
			return cleared(cti.CauseNormal, cti.ByLocal), true
		}
		return cleared(cti.CauseAbandoned, cti.ByLocal), true
	case c.result == "CANCEL":
		return cleared(cti.CauseAbandoned, cti.ByLocal), true
	case c.result == "ANSWER", c.state >= stateUp:
		return cleared(cti.CauseNormal, m.whoHungUp(l)), false
	}
	if code, is := causes[c.cause]; is {
		return failed(code, farOrSystem(code)), true
	}
	return failed(cti.CauseUnknown, cti.ByUnknown), false
}

func farOrSystem(code cti.CauseCode) cti.Party {
	if code == cti.CauseBusy || code == cti.CauseRejected || code == cti.CauseNoAnswer {
		return cti.ByRemote
	}
	return cti.BySystem
}

// results maps DialStatus of an attempt that failed.
var results = map[string]cti.CauseCode{
	"BUSY": cti.CauseBusy, "NOANSWER": cti.CauseNoAnswer, "CONGESTION": cti.CauseNetwork, "CHANUNAVAIL": cti.CauseUnreachable,
	"DONTCALL": cti.CauseRejected, "TORTURE": cti.CauseRejected, "INVALIDARGS": cti.CauseNotFound,
}

// causes maps the hang-up causes of Q.850 that an attempt which never was dialled may end with.
var causes = map[int]cti.CauseCode{
	1: cti.CauseNotFound, 2: cti.CauseNotFound, 3: cti.CauseNotFound, 22: cti.CauseNotFound, 28: cti.CauseNotFound,
	17: cti.CauseBusy, 18: cti.CauseNoAnswer, 19: cti.CauseNoAnswer, 20: cti.CauseUnreachable, 21: cti.CauseRejected, 27: cti.CauseUnreachable,
	34: cti.CauseNetwork, 38: cti.CauseNetwork, 41: cti.CauseNetwork, 42: cti.CauseNetwork, 44: cti.CauseNetwork, 58: cti.CauseMedia, 88: cti.CauseMedia,
}

// lost are the causes with which a talk ends because the way to a phone is lost; 44 is a time without sound.
var lost = map[int]bool{27: true, 38: true, 41: true, 42: true, 44: true}

// lateFor is how long a colleague's answer still makes a call that rang in vain no missed one; the ledger takes a better cause as long.
const lateFor = cti.SettleFor - time.Second

// late tells what comes after a leg's end: a colleague answered whom the queue tried next, or there is a recording.
func (m *machine) late(l *leg) {
	if l.unanswered && m.answeredElsewhere(l) {
		l.unanswered = false
		if m.now.Sub(l.endedAt) <= lateFor {
			m.out(l, diverted(cti.CauseAnsweredElsewhere))
		}
	}
	m.tellRecording(l)
}

// diverted ends a leg whose call a colleague took over before it was answered.
func (m *machine) diverted(l *leg) {
	if l.ended {
		return
	}
	if !l.begun {
		l.ended = true
		m.buried(l)
		return
	}
	m.finish(l, diverted(cti.CauseAnsweredElsewhere))
}
