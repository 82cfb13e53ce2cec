package ami

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// wired is a machine that was just connected; what it asks is answered by answer.
type wired struct {
	*machine
	now    time.Time
	events []cti.Event
	asked  []block
}

func connect(t *testing.T, c Config) *wired {
	t.Helper()
	c.Address, c.Username, c.Instance, c.Secret = "127.0.0.1:5038", "ringside", "pbx-1", func() (string, error) { return "", nil }
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	w := &wired{now: time.Unix(1000, 0).UTC()}
	w.machine = newMachine(c, func(_ string, e cti.Event) { w.events = append(w.events, e) }, func(a action) string {
		id := fmt.Sprint("q", len(w.asked)+1)
		w.asked = append(w.asked, append(block(a), field{"ActionID", id}))
		return id
	})
	w.machine.now = w.now
	w.connected()
	return w
}

// hear lets the machine hear lines with a / between the fields.
func (w *wired) hear(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		b, err := newReader(bytes.NewReader([]byte(strings.ReplaceAll(line, " / ", "\r\n") + "\r\n\r\n"))).next()
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Millisecond)
		w.apply(b, w.now)
	}
}

// answer answers all Getvars so far.
func (w *wired) answer(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, q := range w.asked {
		if q.get("Action") == "Getvar" {
			w.hear(t, "Response: Success / ActionID: "+q.get("ActionID")+" / Value: "+variables[q.get("Variable")])
		}
	}
}

// Call data of a call that was there before the connection is in the list of calls.
func TestTheListHasTheCallData(t *testing.T) {
	w := connect(t, Config{Variables: []string{"ORDER"}})
	w.hear(t, "Response: Success / ActionID: q1",
		"Event: CoreShowChannel / Channel: PJSIP/trunk-00000001 / Uniqueid: 1.1 / Linkedid: 1.1 / ChannelState: 6 / CallerIDNum: 13800138000 / BridgeId: B1 / Application: Dial",
		"Event: CoreShowChannel / Channel: PJSIP/1001-00000001 / Uniqueid: 1.2 / Linkedid: 1.1 / ChannelState: 6 / CallerIDNum: 1001 / BridgeId: B1 / Application: AppDial",
		"Event: CoreShowChannelsComplete")
	w.answer(t, map[string]string{"ORDER": "A-17", presentation: "allowed"})
	for range 300 {
		w.now = w.now.Add(10 * time.Millisecond)
		w.tick(w.now)
	}
	for _, e := range w.events {
		for _, l := range e.Legs {
			if l.Data["order"] == "A-17" {
				return
			}
		}
	}
	t.Errorf("no list has it: %+v", w.events)
}

// The phone may show another form of the number while it is not known yet that nobody is to see it.
func TestWhatIsWithheldIsInNoEventThatWaited(t *testing.T) {
	w := connect(t, Config{})
	w.hear(t, "Event: CoreShowChannelsComplete",
		"Event: Newchannel / Channel: PJSIP/trunk-00000001 / Uniqueid: 1.1 / Linkedid: 1.1 / ChannelState: 4 / CallerIDNum: +8613800138000",
		"Event: DialBegin / Channel: PJSIP/trunk-00000001 / Uniqueid: 1.1 / Linkedid: 1.1 / CallerIDNum: +8613800138000 / DestChannel: PJSIP/1001-00000001 / DestUniqueid: 1.2 / DestLinkedid: 1.1 / DestChannelState: 0",
		"Event: Newstate / Channel: PJSIP/1001-00000001 / Uniqueid: 1.2 / Linkedid: 1.1 / ChannelState: 5",
		"Event: NewConnectedLine / Channel: PJSIP/1001-00000001 / Uniqueid: 1.2 / Linkedid: 1.1 / ChannelState: 5 / ConnectedLineNum: 013800138000")
	w.answer(t, map[string]string{presentation: "prohib_not_screened"})
	told := false
	for _, e := range w.events {
		if strings.Contains(e.Remote.Raw, "13800138000") {
			t.Errorf("%s tells %+v", e.Type, e.Remote)
		}
		told = told || e.Type == cti.Delivered
	}
	if !told {
		t.Errorf("the ring was not told: %+v", w.events)
	}
}
