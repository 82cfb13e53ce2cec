package esl

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What is here is constructed: who has whom after transfers, and that a customer who withholds the number stays so.

const (
	uuidCustomer  = "00000000-0000-4000-8000-000000000001"
	uuidAgent     = "00000000-0000-4000-8000-000000000002"
	uuidAside     = "00000000-0000-4000-8000-000000000003"
	uuidColleague = "00000000-0000-4000-8000-000000000004"
)

// line is one event of a channel.
func line(name, id, channel, direction, number, dest string, more ...string) map[string]string {
	h := map[string]string{"Event-Name": name, "Unique-ID": id, "Channel-Name": channel, "Call-Direction": direction, "Caller-Caller-ID-Number": number,
		"Caller-Destination-Number": dest}
	for pair := range slices.Chunk(more, 2) {
		h[pair[0]] = pair[1]
	}
	return h
}

// gist plays lines, a second apart, and tells what an extension was told: type and number.
func gist(extension string, lines ...map[string]string) string {
	in := newInterpreter(cti.Source{}, newDevices(nil), newWanted(nil))
	for _, e := range []string{"1001", "1002", "1003"} {
		in.watched[e] = true
	}
	at, words := time.Unix(1000, 0), []string{}
	for _, h := range lines {
		at = at.Add(time.Second)
		for _, t := range in.events(event{header: h}, at) {
			if t.extension == extension {
				words = append(words, strings.TrimPrefix(string(t.event.Type), "call.")+" "+t.event.Remote.Raw)
			}
		}
	}
	return strings.Join(words, ", ")
}

func wantGist(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("told %s; want %s", got, want)
	}
}

func hidden(name string, more ...string) map[string]string {
	return line(name, uuidCustomer, "sofia/external/x@t", "inbound", "13800138000", "600", append([]string{"Caller-Privacy-Hide-Number", "true"}, more...)...)
}

func rungFor(from, name, id, extension, number string, more ...string) map[string]string {
	return line(name, id, "sofia/internal/"+extension+"@h", "outbound", number, extension,
		append([]string{"Other-Type", "originator", "Other-Leg-Unique-ID", from}, more...)...)
}

func bridge(name func(string, ...string) map[string]string, a, b string) map[string]string {
	return name("CHANNEL_BRIDGE", "Bridge-A-Unique-ID", a, "Bridge-B-Unique-ID", b)
}

func TestAWithheldCustomerIsBackAfterAConsultationByCode(t *testing.T) {
	agent := func(name string, more ...string) map[string]string {
		return rungFor(uuidCustomer, name, uuidAgent, "1001", "13800138000", append([]string{"Caller-Privacy-Hide-Number", "true"}, more...)...)
	}
	asked := func(name string, more ...string) map[string]string {
		return rungFor(uuidAgent, name, uuidAside, "1002", "1001", more...)
	}
	wantGist(t, gist("1001", hidden("CHANNEL_CREATE"), agent("CHANNEL_CREATE"), agent("CHANNEL_PROGRESS"), bridge(hidden, uuidCustomer, uuidAgent),
		hidden("CHANNEL_UNBRIDGE"), asked("CHANNEL_CREATE"), asked("CHANNEL_PROGRESS"), bridge(agent, uuidAgent, uuidAside),
		asked("CHANNEL_HANGUP_COMPLETE", "Hangup-Cause", "NORMAL_CLEARING"), bridge(hidden, uuidCustomer, uuidAgent)), "delivered , established ")
}

func TestTwoColleaguesWhoAreJoinedAreToldSo(t *testing.T) {
	first := func(name string, more ...string) map[string]string {
		return line(name, uuidCustomer, "sofia/internal/1001@h", "inbound", "1001", "1002", more...)
	}
	second := func(name string, more ...string) map[string]string {
		return line(name, uuidAside, "sofia/internal/1001@h", "inbound", "1001", "1003", more...)
	}
	one := func(name string, more ...string) map[string]string {
		return rungFor(uuidCustomer, name, uuidAgent, "1002", "1001", more...)
	}
	other := func(name string, more ...string) map[string]string {
		return rungFor(uuidAside, name, uuidColleague, "1003", "1001", more...)
	}
	lines := []map[string]string{first("CHANNEL_CREATE"), one("CHANNEL_CREATE"), one("CHANNEL_PROGRESS"), bridge(first, uuidCustomer, uuidAgent),
		second("CHANNEL_CREATE"), other("CHANNEL_CREATE"), other("CHANNEL_PROGRESS"), bridge(second, uuidAside, uuidColleague),
		first("CHANNEL_UNBRIDGE"), second("CHANNEL_UNBRIDGE"), bridge(one, uuidAgent, uuidColleague)}
	wantGist(t, gist("1002", lines...), "delivered 1001, established 1001, transferred 1003")
	wantGist(t, gist("1003", lines...), "delivered 1001, established 1001, transferred 1002")
}

func TestAWithheldCustomerStaysSoWhenGivenOn(t *testing.T) {
	agent := func(name string, more ...string) map[string]string {
		return rungFor(uuidCustomer, name, uuidAgent, "1001", "13800138000", append([]string{"Caller-Privacy-Hide-Number", "true"}, more...)...)
	}
	aside := func(name string, more ...string) map[string]string {
		return line(name, uuidAside, "sofia/internal/1001@h", "inbound", "1001", "1003", more...)
	}
	colleague := func(name string, more ...string) map[string]string {
		return rungFor(uuidAside, name, uuidColleague, "1003", "1001", more...)
	}
	wantGist(t, gist("1003", hidden("CHANNEL_CREATE"), agent("CHANNEL_CREATE"), agent("CHANNEL_PROGRESS"), bridge(hidden, uuidCustomer, uuidAgent),
		aside("CHANNEL_CREATE"), colleague("CHANNEL_CREATE"), colleague("CHANNEL_PROGRESS"), bridge(aside, uuidAside, uuidColleague),
		hidden("CHANNEL_UNBRIDGE"), aside("CHANNEL_UNBRIDGE"), bridge(hidden, uuidCustomer, uuidColleague),
		colleague("CALL_UPDATE", "Caller-Callee-ID-Number", "13800138000")), "delivered 1001, established 1001, transferred ")
}

func TestAWithheldCallFromBeforeTheConnectionIsWithheld(t *testing.T) {
	for _, asked := range []bool{true, false} { // else its next event says so
		in := newInterpreter(cti.Source{}, newDevices(nil), newWanted(nil))
		in.watched["1001"] = true
		at := time.Unix(1000, 0)
		in.reconcile([]row{{UUID: uuidCustomer, Name: "sofia/external/x@t", Direction: "inbound", Number: "13800138000", Dest: "600", State: "ACTIVE", CallUUID: uuidCustomer},
			{UUID: uuidAgent, Name: "sofia/internal/1001@h", Direction: "outbound", Number: "13800138000", Dest: "1001", State: "ACTIVE", CallUUID: uuidCustomer}}, at)
		if asked {
			in.variable(uuidAgent, privacyVariable, "true")
		}
		for _, s := range in.snapshots(at) {
			for _, l := range s.event.Legs {
				if asked && (l.Remote.Raw != "" || !l.Remote.Withheld) {
					t.Errorf("the list has %+v", l.Remote)
				}
			}
		}
		for _, e := range in.events(event{header: rungFor(uuidCustomer, "CHANNEL_HOLD", uuidAgent, "1001", "13800138000", "Caller-Privacy-Hide-Number", "true")}, at) {
			if e.event.Remote.Raw != "" || !e.event.Remote.Withheld {
				t.Errorf("%s tells %+v", e.event.Type, e.event.Remote)
			}
		}
	}
}
