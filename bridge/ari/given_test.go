package ari

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What is here is constructed: an agent whose customer came through a queue's Local channel asks a colleague with a second call.

// scene plays messages, five milliseconds apart, and answers whether callers withhold their number.
type scene struct {
	in     *interpreter
	at     time.Time
	hidden map[string]bool
	told   []told
}

func (s *scene) play(all ...message) {
	for _, m := range all {
		s.at = s.at.Add(5 * time.Millisecond)
		s.told = append(s.told, s.in.events(m, s.at)...)
		for _, id := range s.in.unasked() {
			answer := "allowed"
			if s.hidden[id] {
				answer = "prohib_passed_screen"
			}
			s.told = append(s.told, s.in.presented(id, answer, s.at)...)
		}
	}
}

// consulting is such a scene, with the colleague connected.
func consulting(hidden ...string) (*scene, func(name string) *channelSnap) {
	s := &scene{in: newInterpreter(cti.Source{}, newDevices(nil), newWanted(nil)), at: time.Unix(1000, 0), hidden: map[string]bool{}}
	for _, id := range hidden {
		s.hidden[id] = true
	}
	snap := func(id string) *channelSnap {
		for _, c := range []channelSnap{
			{ID: "customer", Name: "PJSIP/trunk-00000001", State: "Up", Caller: party{"Zhang", "13800138000"}, Dialplan: dialplan{"600", "Queue", "support"}},
			{ID: "first", Name: "Local/1001@q-00000001;1", State: "Up", Caller: party{"", "1001"}, Connected: party{"Zhang", "13800138000"}},
			{ID: "second", Name: "Local/1001@q-00000001;2", State: "Up", Caller: party{"Zhang", "13800138000"}, Connected: party{"", "1001"}},
			{ID: "agent", Name: "PJSIP/1001-00000001", State: "Up", Caller: party{"", "1001"}, Connected: party{"Zhang", "13800138000"}},
			{ID: "aside", Name: "PJSIP/1001-00000002", State: "Ring", Caller: party{"", "1001"}, Connected: party{"", "1002"}, Dialplan: dialplan{"1002", "Dial", ""}},
			{ID: "colleague", Name: "PJSIP/1002-00000001", State: "Up", Caller: party{"", "1002"}, Connected: party{"", "1001"}},
		} {
			if c.ID == id {
				return &c
			}
		}
		return nil
	}
	enters := func(bridge, id string, members ...string) message {
		return message{Type: "ChannelEnteredBridge", Channel: snap(id), Bridge: &bridgeSnap{ID: bridge, Channels: members}}
	}
	s.play(message{Type: "ChannelCreated", Channel: snap("customer")}, message{Type: "ChannelCreated", Channel: snap("first")},
		message{Type: "ChannelCreated", Channel: snap("second")}, message{Type: "Dial", Caller: snap("customer"), Peer: snap("first")},
		message{Type: "Dial", Caller: snap("second"), Peer: snap("agent")}, message{Type: "Dial", Caller: snap("second"), Peer: snap("agent"), DialStatus: "RINGING"},
		enters("one", "agent", "agent"), enters("one", "second", "agent", "second"),
		message{Type: "ChannelCreated", Channel: snap("aside")}, message{Type: "Dial", Caller: snap("aside"), Peer: snap("colleague")},
		message{Type: "Dial", Caller: snap("aside"), Peer: snap("colleague"), DialStatus: "RINGING"},
		enters("two", "colleague", "colleague"), enters("two", "aside", "colleague", "aside"))
	return s, snap
}

func TestAWithheldCustomerStaysSoWhenGivenOn(t *testing.T) {
	s, snap := consulting("customer")
	s.play(message{Type: "BridgeAttendedTransfer", Result: "Success", FirstLeg: snap("agent"), SecondLeg: snap("aside"), Transferee: snap("second"),
		Target: snap("colleague"), JoinedAs: "bridge", Destination: "one"})
	given := false
	for _, e := range s.told {
		if e.event.Remote.Raw == "13800138000" || e.event.Remote.Name == "Zhang" {
			t.Errorf("%s is told %s of %+v", e.extension, e.event.Type, e.event.Remote)
		}
		given = given || e.extension == "1002" && e.event.Type == cti.Transferred && e.event.Remote.Withheld
	}
	if !given {
		t.Error("the colleague is not told that the customer is theirs")
	}
}

func TestAThreewayTransferKeepsTheAgentInTheCall(t *testing.T) {
	s, snap := consulting()
	s.play(message{Type: "BridgeAttendedTransfer", Result: "Success", FirstLeg: snap("agent"), SecondLeg: snap("aside"), Transferee: snap("second"),
		Target: snap("colleague"), JoinedAs: "threeway", Threeway: &bridgeSnap{ID: "one", Channels: []string{"agent", "second"}}})
	last := s.told[len(s.told)-1]
	if last.extension != "1001" || last.event.Type != cti.Conferenced || last.event.Remote.Raw != "1002" {
		t.Errorf("%s was told %s with %+v", last.extension, last.event.Type, last.event.Remote)
	}
	for _, e := range s.told {
		if e.event.Type == cti.Transferred {
			t.Errorf("%s was told %+v", e.extension, e.event)
		}
	}
}
