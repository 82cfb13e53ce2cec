package esl

import (
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// callcenter reads what mod_callcenter tells: who waits since when, who got whom, and the agents' own state.
func (i *interpreter) callcenter(e event, w when) []told {
	switch e.get("CC-Action") {
	case "member-queue-start":
		if id := e.get("CC-Member-Session-UUID"); properID(id) && len(i.joined) < maxChannels {
			i.joined[id] = firstTime(seconds(e.get("CC-Member-Joined-Time")), w.source, w.at)
		}
	case "member-queue-end":
		delete(i.joined, e.get("CC-Member-Session-UUID"))
	case "bridge-agent-start":
		return i.gotMember(e, w)
	case "agent-status-change":
		return i.agentState(e, w)
	}
	return nil
}

// gotMember: the agent's leg and the member's are joined; how long the member waited is told with it.
func (i *interpreter) gotMember(e event, w when) []told {
	c := i.channels[e.get("CC-Agent-UUID")]
	if c == nil || !c.leg() || c.stage == untold {
		return nil
	}
	if queue := clean(e.get("CC-Queue")); queue != "" {
		c.queue = queue
	}
	joined, answered := seconds(e.get("CC-Member-Joined-Time")), seconds(e.get("CC-Agent-Answered-Time"))
	if !joined.IsZero() && answered.After(joined) {
		c.waited = answered.Sub(joined)
	}
	return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
}

// statuses are mod_callcenter's words for what an agent wants to do.
var statuses = map[string]cti.Presence{"Available": cti.Ready, "Available (On Demand)": cti.Ready, "On Break": cti.NotReady, "Logged Out": cti.LoggedOff}

func (i *interpreter) agentState(e event, w when) []told {
	state, known := statuses[e.get("CC-Agent-Status")]
	extension, _, _ := strings.Cut(clean(e.get("CC-Agent")), "@")
	if !known || !extensionName.MatchString(extension) {
		return nil
	}
	return []told{{extension, cti.Event{V: cti.EnvelopeVersion, Type: cti.AgentState, At: w.at, SourceAt: w.source, Source: i.source,
		Local: cti.Local{Extension: extension}, Agent: &cti.AgentStatus{State: state}}}}
}

// seconds reads a time in seconds since 1970; zero when it is none.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
