package leave

import (
	"strings"

	"ringside.dev/ringside/bridge/hook/mailbox"
)

// twinkleTrigger is the variable that tells a script of Twinkle's why it runs.
const twinkleTrigger = "TWINKLE_TRIGGER"

// trigger is what one of Twinkle's eight scripts means. In the messages of a call that came in, From is the other party until the agent
// releases it; then To is.
type trigger struct {
	event, direction, by string
	remote               string // From, To, or neither: the call's id says enough
}

// triggers are all that Twinkle 1.10 has; it tells nothing of holds.
var triggers = map[string]trigger{
	"in_call":           {event: "ring", direction: "in", remote: "FROM"},
	"in_call_answered":  {event: "answer", direction: "in", remote: "FROM"},
	"in_call_failed":    {event: "end", direction: "in", remote: "FROM"},
	"out_call":          {event: "out", direction: "out", remote: "TO"},
	"out_call_answered": {event: "answer", direction: "out", remote: "TO"},
	"out_call_failed":   {event: "end", direction: "out", remote: "TO"},
	"local_release":     {event: "end", by: "local"},
	"remote_release":    {event: "end", by: "remote"},
}

// fromTwinkle reads the environment of one of Twinkle's scripts: SIP_ and a header's name, in capitals, hold what the SIP message has. An
// unknown trigger gives no event: a later Twinkle may have more.
func fromTwinkle(source string, getenv func(string) string) mailbox.Event {
	t, known := triggers[getenv(twinkleTrigger)]
	if !known {
		return mailbox.Event{}
	}
	if !validSource(source) {
		source = "twinkle"
	}
	e := mailbox.Event{Source: source, Event: t.event, Direction: t.direction, By: t.by, SIPCallID: getenv("SIP_CALL_ID"), Line: getenv("TWINKLE_LINE")}
	if t.remote != "" {
		e.Number = getenv("SIP_" + t.remote + "_USER")
		e.Name, e.URI = party(getenv("SIP_" + t.remote))
	}
	if t.event == "ring" {
		e.To = getenv("SIP_TO_USER")
		if subject := getenv("SIP_SUBJECT"); subject != "" {
			e.Data = map[string]string{"subject": subject}
		}
	}
	if t.event == "end" {
		e.Cause = "normal"
		if t.direction != "" {
			e = failed(e, getenv("SIPSTATUS_CODE"), getenv("SIPSTATUS_REASON"))
		}
	}
	return e
}

// party takes display name and URI out of a From or To header (RFC 3261, 20.20): "Zhang San" <sip:201@host>;tag=1.
func party(header string) (name, uri string) {
	name, rest := "", strings.TrimSpace(header)
	if strings.HasPrefix(rest, `"`) {
		var b strings.Builder
		i := 1
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) {
				i++
			}
			b.WriteByte(rest[i])
		}
		name, rest = b.String(), rest[min(i+1, len(rest)):]
	}
	before, after, bracketed := strings.Cut(rest, "<")
	if !bracketed {
		uri, _, _ = strings.Cut(rest, ";") // parameters are the header's then
		return name, strings.TrimSpace(uri)
	}
	if name == "" {
		name = strings.TrimSpace(before)
	}
	uri, _, _ = strings.Cut(after, ">")
	return name, uri
}

// ends is what the final answer to an INVITE (RFC 3261, 21) says: of a call that came in the agent's phone gave it, of one that went out the
// far end did. 487 follows a CANCEL: of the caller, or of the agent.
var ends = map[string]struct{ in, out, inBy, outBy string }{
	"404": {"not_found", "not_found", "local", "remote"},
	"408": {"no_answer", "no_answer", "local", "remote"},
	"480": {"no_answer", "unreachable", "local", "remote"},
	"486": {"rejected", "busy", "local", "remote"}, // Twinkle's reject
	"487": {"abandoned", "abandoned", "remote", "local"},
	"503": {"unknown", "unreachable", "local", "remote"},
	"600": {"rejected", "busy", "local", "remote"},
	"603": {"rejected", "rejected", "local", "remote"},
	"604": {"not_found", "not_found", "local", "remote"},
}

func failed(e mailbox.Event, code, reason string) mailbox.Event {
	e.Cause, e.By, e.Reason = "unknown", "", strings.TrimSpace(code+" "+reason)
	if how, known := ends[code]; known {
		e.Cause, e.By = how.in, how.inBy
		if e.Direction == "out" {
			e.Cause, e.By = how.out, how.outBy
		}
	}
	return e
}
