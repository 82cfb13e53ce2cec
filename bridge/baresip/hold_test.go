package baresip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The lists of real phones: 1.0.0 with two calls, as recorded, and the form of later versions, with ids and a part for each account.
const (
	list100 = "\n--- Active calls (2) ---\n  [line 1]  0:00:04  ESTABLISHED  (on hold)  sip:600@pbx\n> [line 2]  0:00:02   INCOMING             sip:601@pbx\n\n"
	list4   = "\nUser-Agent: agent@pbx\n--- Active calls (1) ---\n> [line 1, id a]  0:00:04  ESTABLISHED  (on hold)  sip:600@pbx\n\n" +
		"\nUser-Agent: sales@pbx\n--- Active calls (1) ---\n> [line 1, id b]  1:00:02  ESTABLISHED             sip:600@pbx\n\n"
)

func TestListsOfAllVersionsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"none":            {"\n--- Active calls (0) ---\n\n", "{[] 0 false}"},
		"1.0.0":           {list100, "{[{ ESTABLISHED sip:600@pbx true} { INCOMING sip:601@pbx false}] 2 false}"},
		"later":           {list4, "{[{a ESTABLISHED sip:600@pbx true} {b ESTABLISHED sip:600@pbx false}] 2 true}"},
		"an unknown form": {"--- Active calls (1) ---\n#1 sip:600@pbx\n", "{[] 1 false}"},
		"a far end that poses as a hold": {"--- Active calls (1) ---\n> [line 1]  0:00:04  ESTABLISHED             sip:x(on_hold)@pbx\n",
			"{[{ ESTABLISHED sip:x(on_hold)@pbx false}] 1 false}"},
	} {
		if got, ok := parseListing(c.text); !ok || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, %v; want %s", name, got, ok, c.want)
		}
	}
	for _, text := range []string{"", "command not found", "--- Active calls (x) ---", "--- Active calls (-1) ---"} {
		if got, ok := parseListing(text); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// two gives an interpreter that knows an answered call a to 600, and one b to peer.
func two(t *testing.T, peer string) *interpreter {
	t.Helper()
	in := newInterpreter(cti.Source{Adapter: "baresip"}, "1001", func() string { return "minted" })
	for id, to := range map[string]string{"a": "sip:600@pbx", "b": peer} {
		in.events(message{Type: "CALL_ESTABLISHED", Direction: dirIn, ID: id, Peer: to}, time.Time{})
	}
	return in
}

func lines(events []cti.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprint(e.Type, " ", e.By, " ", e.Call.Refs[cti.RefSIPCallID], " ", e.Source.Confidence))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestHoldsAreFoundInTheListAndNeverInvented(t *testing.T) {
	held := list100
	resumed := strings.Replace(list100, "(on hold)", "         ", 1)
	both := strings.Replace(held, "601", "600", 1)
	for name, c := range map[string]struct {
		peer  string
		lists []string
		want  string
	}{
		"held":                               {"sip:601@pbx", []string{held, held}, "call.held local a polled"},
		"held and resumed":                   {"sip:601@pbx", []string{held, resumed, resumed}, "call.held local a polled, call.retrieved local a polled"},
		"not held":                           {"sip:601@pbx", []string{resumed}, ""},
		"two calls with one far end":         {"sip:600@pbx", []string{both}, ""},
		"a call that is not listed":          {"sip:601@pbx", []string{strings.Replace(held, "600", "602", 1)}, ""},
		"one of the two is not known by now": {"sip:600@pbx", []string{held}, ""},
		"ids":                                {"sip:600@pbx", []string{list4}, "call.held local a polled"},
	} {
		in := two(t, c.peer)
		var events []cti.Event
		for _, text := range c.lists {
			list, ok := parseListing(text)
			if !ok {
				t.Fatal(name)
			}
			events = append(events, in.looked(list, time.Time{})...)
		}
		if got := lines(events); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A far end may ask for new media as often as it likes: the phone is asked once at a time, and once more when something came meanwhile.
func TestThePhoneIsAskedForHoldsOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var pending order
		f := &fake{}
		f.answer = talks(map[string]func(order) []string{"listcalls": func(o order) []string {
			if asked++; asked == 2 { // the first is the snapshot's
				pending = o
				return nil
			}
			return works(f, o)
		}})
		play(t, f, time.Minute, func(context.Context, cti.Phone) {
			if err := f.say(msg("CALL_REMOTE_SDP", "incoming", `,"param":"offer"`)); err != nil { // of a call that was not answered
				t.Error(err)
			}
			if err := f.say(msg("CALL_ESTABLISHED", "incoming", "")); err != nil {
				t.Error(err)
			}
			for range 100 {
				if err := f.say(msg("CALL_REMOTE_SDP", "incoming", `,"param":"offer"`)); err != nil {
					t.Error(err)
				}
			}
			synctest.Wait()
			if asked != 2 {
				t.Errorf("asked %d times, want the snapshot's and one", asked)
			}
			if err := f.say(reply(pending, true, list100)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if asked != 3 {
				t.Errorf("asked %d times, want once more, for what came meanwhile", asked)
			}
		})
	})
}

// Version 4 says it in its events, and is not asked.
func TestAPhoneThatTellsOfHoldsIsNotAsked(t *testing.T) {
	in := two(t, "sip:601@pbx")
	m := message{Type: "CALL_REMOTE_SDP", Direction: dirIn, ID: "a", LocalDir: "sendonly", RemoteDir: "recvonly"}
	if got := lines(in.events(m, time.Time{})); got != "call.held local a " || in.mayHold(m) {
		t.Errorf("%q, asked %v", got, in.mayHold(m))
	}
}

func TestSnapshotsNameEveryCallOrNone(t *testing.T) {
	front := callstat("ESTABLISHED", "b", "Outgoing")
	later := strings.Replace(list4, "ESTABLISHED             ", "   RINGING             ", 1) // b rings at the far end
	for name, c := range map[string]struct {
		list, stat string
		known      bool // the calls were seen before
		want       string
	}{
		"none":                             {"--- Active calls (0) ---", "", false, "[]"},
		"one, on hold":                     {"--- Active calls (1) ---\n> [line 1]  0:00:04  ESTABLISHED  (on hold)  sip:600@pbx\n", front, false, "[b outgoing ESTABLISHED true]"},
		"one that callstat does not tell":  {"--- Active calls (1) ---\n> [line 1]  0:00:04  ESTABLISHED             sip:600@pbx\n", "", false, ""},
		"two without ids":                  {list100, front, true, ""},
		"two, the other one's way unknown": {list4, front, false, ""},
		"two, seen before":                 {list4, front, true, "[a incoming ESTABLISHED true b outgoing ESTABLISHED false]"},
		"two, a is known and b rings":      {later, "", true, "[a incoming ESTABLISHED true b incoming RINGING false]"},
		"two in an unknown form":           {"--- Active calls (2) ---\n> [line 1, id a]  0:00:04  ESTABLISHED             sip:600@pbx\n", front, true, ""},
	} {
		in := newInterpreter(cti.Source{}, "1001", func() string { return "minted" })
		if c.known {
			in = two(t, "sip:600@pbx")
		}
		list, ok := parseListing(c.list)
		calls, named := in.named(list, c.stat)
		got := []string{}
		for _, s := range calls {
			got = append(got, fmt.Sprint(s.ID, " ", s.Direction, " ", s.State, " ", s.Held))
		}
		if text := fmt.Sprint(got); !ok || named != (c.want != "") || named && text != c.want {
			t.Errorf("%s: %s, %v; want %q", name, text, named, c.want)
		}
	}
}

// A hold that ended while nobody listened must end here too, and one that began unseen shows.
func TestASnapshotEndsAHoldThatEndedUnseen(t *testing.T) {
	in := two(t, "sip:601@pbx")
	list, _ := parseListing(list100)
	in.looked(list, time.Time{})
	talk, hold := stat{State: "ESTABLISHED", ID: "a", Direction: dirIn}, stat{State: "ESTABLISHED", ID: "a", Direction: dirIn, Held: true}
	for _, c := range []struct {
		now  stat
		leg  cti.EventType
		more string
	}{{hold, cti.Held, ""}, {talk, cti.Established, "call.retrieved local a "}, {talk, cti.Established, ""}, {hold, cti.Held, ""}} {
		events := in.snapshot([]stat{c.now}, time.Time{})
		if leg := events[0].Legs[0]; leg.Type != c.leg || lines(events[1:]) != c.more {
			t.Errorf("leg %s, then %q; want %s, then %q", leg.Type, lines(events[1:]), c.leg, c.more)
		}
	}
}
