package ami_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
)

const (
	hourCalls   = 20_000
	hourAgents  = 300
	hourBetween = time.Hour / hourCalls // from one call's ring to the next one's
	hourRing    = 6 * time.Second
	hourTalk    = 40 * time.Second // with four calls of five answered, some 200 go on at once
)

// timed is a block of an exchange's hour.
type timed struct {
	at  time.Duration
	raw string
}

// hour is what an exchange tells of an hour's calls, each to the next agent; every fifth caller gives up.
func hour() []timed {
	var all []timed
	for i := range hourCalls {
		at := time.Duration(i) * hourBetween
		from, to := fmt.Sprintf("%d.1", i+1), fmt.Sprintf("%d.2", i+1)
		agent := fmt.Sprint(1000 + i%hourAgents)
		say := func(after time.Duration, event string, fields ...string) {
			all = append(all, timed{at + after, "Event: " + event + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"})
		}
		channel := func(prefix, name, id, state string) string {
			return fmt.Sprintf("%[1]sChannel: %[2]s\r\n%[1]sUniqueid: %[3]s\r\n%[1]sLinkedid: %[4]s\r\n%[1]sChannelState: %[5]s", prefix, name, id, from, state)
		}
		caller := func(state string) string {
			return channel("", fmt.Sprintf("PJSIP/trunk-%08x", 2*i), from, state) + "\r\nCallerIDNum: " + hourNumber(i)
		}
		phone := func(prefix, state string) string {
			return channel(prefix, fmt.Sprintf("PJSIP/%s-%08x", agent, 2*i+1), to, state)
		}
		say(0, "Newchannel", caller("4"), "Exten: 02012345678")
		say(0, "Newchannel", phone("", "0"))
		say(0, "DialBegin", caller("4"), phone("Dest", "0"))
		say(0, "Newstate", phone("", "5"))
		end := hourRing
		if hourAnswered(i) {
			say(hourRing, "DialEnd", caller("6"), phone("Dest", "6"), "DialStatus: ANSWER")
			say(hourRing, "Newstate", phone("", "6"))
			say(hourRing, "BridgeEnter", "BridgeUniqueid: b"+from, "BridgeNumChannels: 1", phone("", "6"))
			say(hourRing, "BridgeEnter", "BridgeUniqueid: b"+from, "BridgeNumChannels: 2", caller("6"))
			end += hourTalk
			say(end, "BridgeLeave", "BridgeUniqueid: b"+from, phone("", "6"))
			say(end, "BridgeLeave", "BridgeUniqueid: b"+from, caller("6"))
			say(end, "BridgeDestroy", "BridgeUniqueid: b"+from)
		} else {
			say(end, "DialEnd", caller("4"), phone("Dest", "5"), "DialStatus: CANCEL")
		}
		say(end, "Hangup", phone("", "6"), "Cause: 16", "Cause-txt: Normal Clearing")
		say(end, "Hangup", caller("6"), "Cause: 16", "Cause-txt: Normal Clearing")
	}
	slices.SortStableFunc(all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
	return all
}

func hourNumber(i int) string { return fmt.Sprintf("1380%07d", i) }
func hourAnswered(i int) bool { return i%5 != 4 }
func hourWant(i int) (want string) {
	if hourAnswered(i) {
		return "delivered established cleared"
	}
	return "delivered cleared"
}

// One connection carries a whole exchange: 20,000 calls in an hour, some 200 at once. None is lost or told twice, and nothing is remembered longer than
// it may be needed.
func TestAnHourOfTwentyThousandCalls(t *testing.T) {
	p := ami.NewPlayer(ami.Config{Serves: func(e string) bool { return len(e) == 4 && strings.HasPrefix(e, "1") }})
	told, live, most := map[string][]string{}, map[string]bool{}, 0
	var numberOf = map[string]string{} // by the exchange's id of the agent's leg
	take := func() {
		for _, events := range p.Events {
			for _, e := range events {
				leg := e.Call.Refs[cti.RefVendor+"asterisk"]
				if e.Remote.Raw != "" {
					numberOf[leg] = e.Remote.Raw
				}
				number := numberOf[leg]
				if told[number] = append(told[number], strings.TrimPrefix(string(e.Type), "call.")); e.Type == cti.Cleared {
					delete(live, leg)
					delete(numberOf, leg)
				} else {
					live[leg] = true
				}
			}
		}
		most = max(most, len(live))
		clear(p.Events)
		p.Order = p.Order[:0]
	}
	var early map[string]int // what is remembered after 40 minutes: recordings are waited for half an hour
	for _, b := range hour() {
		if early == nil && b.at > 40*time.Minute {
			early = p.Kept()
		}
		p.Take(b.at, []byte(b.raw))
		take()
	}
	late := p.Kept()
	for what, n := range late {
		if n > early[what]+early[what]/10+hourAgents/10 {
			t.Errorf("%d %s are remembered after an hour, %d after 40 minutes", n, what, early[what])
		}
	}
	p.Pass(2 * time.Hour)
	take()
	for i := range hourCalls {
		if got := strings.Join(told[hourNumber(i)], " "); got != hourWant(i) {
			t.Fatalf("call %d of %d was told as %q, want %q", i, hourCalls, got, hourWant(i))
		}
	}
	if len(told) != hourCalls || len(live) != 0 || most < 200 {
		t.Errorf("%d calls, %d of them still live, at most %d at once", len(told), len(live), most)
	}
	for what, n := range p.Kept() {
		if n != 0 {
			t.Errorf("%d %s are remembered an hour after the last call", n, what)
		}
	}
	t.Logf("%d calls, at most %d at once; remembered at the end of the hour: %v", len(told), most, late)
}
