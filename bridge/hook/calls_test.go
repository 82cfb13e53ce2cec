package hook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// step is what a phone leaves after a while, and what must come of it: types, each with the cause of an end.
type step struct {
	after time.Duration
	mailbox.Event
	want string
}

func ringing(number string) mailbox.Event  { return mailbox.Event{Event: "ring", Number: number} }
func outgoing(number string) mailbox.Event { return mailbox.Event{Event: "out", Number: number} }
func answered(number string) mailbox.Event { return mailbox.Event{Event: "answer", Number: number} }
func over(number string) mailbox.Event     { return mailbox.Event{Event: "end", Number: number} }
func because(e mailbox.Event, cause, by string) mailbox.Event {
	e.Cause, e.By = cause, by
	return e
}

func of(e mailbox.Event, sip string) mailbox.Event { e.SIPCallID = sip; return e }

func TestWhatAPhoneLeavesAddsUpToCalls(t *testing.T) {
	for name, steps := range map[string][]step{
		"a call": {{0, ringing("1"), "call.delivered 1"}, {time.Second, answered("1"), "call.established 1"}, {time.Second, over("1"), "call.cleared 1 normal unknown"}},
		"an outgoing call": {{0, outgoing("1"), "call.originated 1"}, {time.Second, answered("1"), "call.established 1"},
			{time.Second, over("1"), "call.cleared 1 normal unknown"}},
		"missed, and the phone does not say why": {{0, ringing("1"), "call.delivered 1"}, {time.Second, over("1"), "call.cleared 1 unknown unknown"}},
		"the caller gave up":                     {{0, ringing("1"), "call.delivered 1"}, {1, because(over("1"), "normal", "remote"), "call.cleared 1 abandoned remote"}},
		"the agent rejected":                     {{0, ringing("1"), "call.delivered 1"}, {1, because(over("1"), "", "local"), "call.cleared 1 rejected local"}},
		"the agent was busy":                     {{0, ringing("1"), "call.delivered 1"}, {1, because(over("1"), "busy", ""), "call.cleared 1 busy unknown"}},
		"it says busy of a call that was answered": {{0, ringing("1"), "call.delivered 1"}, {1, answered("1"), "call.established 1"},
			{1, because(over("1"), "busy", ""), "call.cleared 1 normal unknown"}},
		"nobody there":                       {{0, outgoing("1"), "call.originated 1"}, {1, because(over("1"), "no_answer", "remote"), "call.failed 1 no_answer remote"}},
		"the agent gave up":                  {{0, outgoing("1"), "call.originated 1"}, {1, because(over("1"), "", "local"), "call.cleared 1 abandoned local"}},
		"it does not say how dialling ended": {{0, outgoing("1"), "call.originated 1"}, {1, over("1"), "call.cleared 1 unknown unknown"}},
		"a cause that is none":               {{0, ringing("1"), "call.delivered 1"}, {1, because(over("1"), "tired", "nobody"), "call.cleared 1 unknown unknown"}},
		"one ring, told twice":               {{0, ringing("1"), "call.delivered 1"}, {time.Second, ringing("1"), "call.delivered 1"}, {1, over("1"), "call.cleared 1 unknown unknown"}},
		"the same number again, the end untold": {{0, ringing("1"), "call.delivered 1"}, {3 * time.Second, ringing("1"), "call.cleared 1 unknown unknown, call.delivered 2"},
			{1, over("1"), "call.cleared 2 unknown unknown"}},
		"the same number at once, after it was answered": {{0, ringing("1"), "call.delivered 1"}, {1, answered("1"), "call.established 1"},
			{time.Second, ringing("1"), "call.cleared 1 unknown unknown, call.delivered 2"}},
		"the end overtook the ring":              {{0, over("1"), ""}, {-time.Millisecond, ringing("1"), "call.delivered 1, call.cleared 1 unknown unknown"}, {1, over("1"), ""}},
		"an end, and a ring from long before it": {{0, over("1"), ""}, {-3 * time.Second, ringing("1"), "call.delivered 1"}},
		"an end long before another ring":        {{0, over("1"), ""}, {3 * time.Second, ringing("1"), "call.delivered 1"}},
		"two calls at a time": {{0, ringing("1"), "call.delivered 1"}, {1, ringing("2"), "call.delivered 2"}, {1, answered("2"), "call.established 2"},
			{1, over("1"), "call.cleared 1 unknown unknown"}, {1, over("2"), "call.cleared 2 normal unknown"}},
		"no number, one call":       {{0, ringing("1"), "call.delivered 1"}, {1, answered(""), "call.established 1"}, {1, over(""), "call.cleared 1 normal unknown"}},
		"no number, two calls":      {{0, ringing("1"), "call.delivered 1"}, {1, ringing("2"), "call.delivered 2"}, {1, answered(""), ""}, {1, over(""), ""}},
		"a withheld number":         {{0, ringing(""), "call.delivered 1"}, {1, answered(""), "call.established 1"}, {1, over(""), "call.cleared 1 normal unknown"}},
		"answered, the ring untold": {{0, answered("1"), "call.established 1"}, {1, over("1"), "call.cleared 1 normal unknown"}},
		"something was answered":    {{0, answered(""), ""}, {1, over(""), ""}},
		"hold and resume": {{0, ringing("1"), "call.delivered 1"}, {1, answered("1"), "call.established 1"}, {1, mailbox.Event{Event: "hold", Number: "1"}, "call.held 1"},
			{1, mailbox.Event{Event: "resume", Number: "1"}, "call.retrieved 1"}},
		"hold of nothing": {{0, mailbox.Event{Event: "hold", Number: "1"}, ""}},
		"the same SIP call again is the same, also late": {{0, of(ringing("1"), "x"), "call.delivered x"}, {time.Hour, of(ringing("1"), "x"), "call.delivered x"},
			{1, of(over("1"), "x"), "call.cleared x unknown unknown"}},
		"two calls of one number, by SIP Call-ID": {{0, of(ringing("1"), "x"), "call.delivered x"}, {1, of(ringing("1"), "y"), "call.delivered y"},
			{1, of(over(""), "x"), "call.cleared x unknown unknown"}},
		"an end whose ring nobody told is a missed call where it says whose": {
			{0, mailbox.Event{Event: "end", SIPCallID: "x", Number: "1", Direction: "in", Cause: "abandoned", By: "remote"}, "call.cleared x abandoned remote"}},
		"the same number at another phone": {{0, ringing("1"), "call.delivered 1"}, {1, mailbox.Event{Source: "twinkle", Event: "end", Number: "1"}, ""}},
		"a number that looks like an id":   {{0, mailbox.Event{Event: "ring", CallID: "1"}, "call.delivered 1"}, {1, over("1"), ""}, {1, mailbox.Event{Event: "end", CallID: "1"}, "call.cleared 1 unknown unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, func(d *desk) {
				d.start()
				calls := map[string]string{} // our own references, counted as they come
				for i, s := range steps {
					if s.after > 0 {
						pass(s.after)
					}
					if s.after < 0 {
						s.At = time.Now().Add(s.after)
					}
					if got := lines(d.tell(s.Event), calls); got != s.want {
						t.Errorf("step %d, %s: %q, want %q", i+1, s.Event.Event, got, s.want)
					}
				}
			})
		})
	}
}

func lines(events []cti.Event, calls map[string]string) string {
	var all []string
	for _, e := range events {
		id := e.Call.Refs[cti.RefSIPCallID]
		if own := e.Call.Refs["hook_call"]; own != "" {
			if calls[own] == "" {
				calls[own] = fmt.Sprint(len(calls) + 1)
			}
			id = calls[own]
		}
		line := fmt.Sprintf("%s %s", e.Type, id)
		if e.Cause != nil {
			line += fmt.Sprintf(" %s %s", e.Cause.Code, e.Cause.By)
		}
		all = append(all, line)
	}
	return strings.Join(all, ", ")
}

func TestAnEventSaysWhoseItIsAndWhatCameWithIt(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		got := d.tell(mailbox.Event{Source: "other", Event: "ring", Number: "138", Name: "Chen\x1b[2J", URI: "sip:138@pbx", SIPCallID: "x", To: "600",
			Data: map[string]string{"X-Order-Id": "A-1", "Level": "gold", "!": "no"}})
		if len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		e := got[0]
		if e.Source != (cti.Source{Adapter: "hook", Instance: "other", Confidence: cti.Hook}) || e.Local.Extension != "1001" || e.Dialled != "600" || e.Side != cti.SideLocal ||
			e.Remote.Raw != "138" || e.Remote.Name != "Chen[2J" || e.Remote.URI != "sip:138@pbx" || e.Call.Direction != cti.In || e.Past {
			t.Errorf("%+v", e)
		}
		if len(e.Data) != 2 || e.Data["order_id"] != "A-1" || e.Data["level"] != "gold" {
			t.Errorf("data %v", e.Data)
		}
	})
}

func TestWhatIsOpenIsBounded(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.start()
		for i := range 300 {
			d.tell(ringing(fmt.Sprint(1000 + i)))
		}
		if n := d.source.Open(); n != 256 {
			t.Errorf("%d calls are open", n)
		}
		if got := d.tell(over("1000")); len(got) != 0 {
			t.Errorf("the oldest: %q", types(got))
		}
		if got := types(d.tell(over("1299"))); !slices.Equal(got, []string{"call.cleared"}) {
			t.Errorf("the newest: %q", got)
		}
		pass(12 * time.Hour)
		d.tell(ringing("5"))
		pass(10 * time.Second)
		if n := d.source.Open(); n != 1 {
			t.Errorf("%d calls are open after twelve hours", n)
		}
	})
}
