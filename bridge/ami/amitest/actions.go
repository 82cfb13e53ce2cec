package amitest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// actions is what the server answers, with the class a manager user must be allowed to write; "" is for everybody.
var actions = map[string]struct {
	class string
	does  func(s *Server, c *client, id string, a Block)
}{
	"Ping":             {"", func(_ *Server, c *client, id string, _ Block) { c.send(reply(id, "Success", "Ping", "Pong")) }},
	"Getvar":           {"call", (*Server).getvar},
	"Hangup":           {"call", (*Server).hangupAction},
	"BlindTransfer":    {"call", (*Server).blindTransfer},
	"PlayDTMF":         {"call", (*Server).playDTMF},
	"Originate":        {"originate", (*Server).originate},
	"QueuePause":       {"agent", (*Server).queuePause},
	"MuteAudio":        {"system", (*Server).muteAudio},
	"CoreShowChannels": {"reporting", (*Server).coreShowChannels},
	"Status":           {"call", (*Server).status},
	"QueueStatus":      {"", (*Server).queueStatus},
}

// act carries an action out; the lock is held.
func (s *Server) act(c *client, name, id string, a Block) {
	known, is := actions[name]
	switch {
	case !is:
		c.send(reply(id, "Error", "Message", "Invalid/unknown command: "+name+"."))
	case known.class != "" && len(s.options.Write) > 0 && !slices.Contains(s.options.Write, known.class):
		c.send(reply(id, "Error", "Message", "Permission denied"))
	default:
		known.does(s, c, id, a)
	}
}

func (s *Server) named(c *client, id string, a Block) *Channel {
	for _, o := range s.channels {
		if o.Name == a.Get("Channel") {
			return o
		}
	}
	c.send(reply(id, "Error", "Message", "No such channel"))
	return nil
}

func (s *Server) getvar(c *client, id string, a Block) {
	variable := a.Get("Variable")
	value, known := "", true
	switch channel := a.Get("Channel"); {
	case s.options.Scene != nil:
		value, known = s.options.Scene.CallIDs[channel], s.options.Scene.CallIDs[channel] != ""
	case channel == "":
		value = s.global(variable)
	default:
		o := s.named(c, id, a)
		if o == nil {
			return
		}
		value = o.vars[variable]
		if variable == "SIPCALLID" || variable == "CHANNEL(pjsip,call-id)" {
			value = o.callID
		}
	}
	answer := reply(id, "Success", "Variable", variable, "Value", line(value))
	if !known {
		answer = reply(id, "Error", "Message", "No such channel")
	}
	if s.options.SlowGetvar > 0 {
		time.AfterFunc(s.options.SlowGetvar, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.clients[c] {
				c.send(answer)
			}
		})
		return
	}
	c.send(answer)
}

func (s *Server) global(variable string) string {
	device, is := strings.CutPrefix(strings.TrimSuffix(variable, ")"), "DEVICE_STATE(")
	switch {
	case is && strings.HasPrefix(device, s.options.Technology+"/"):
		return "NOT_INUSE"
	case is:
		return "INVALID"
	}
	return ""
}

func (s *Server) hangupAction(c *client, id string, a Block) {
	if o := s.named(c, id, a); o != nil {
		c.send(reply(id, "Success", "Message", "Channel Hungup"))
		s.end(o, false)
	}
}

// blindTransfer is S4 but for what the phone did; the action itself "worked first time".
func (s *Server) blindTransfer(c *client, id string, a Block) {
	o := s.named(c, id, a)
	if o == nil {
		return
	}
	if o.bridge == "" || o.peer == nil {
		c.send(reply(id, "Error", "Message", "Failed to transfer"))
		return
	}
	customer, to := o.peer, a.Get("Exten")
	events := []Block{o.say("Unhold"), say("BlindTransfer", "call", []Field{{"Result", "Success"}}, o.about("Transferer"), customer.about("Transferee"),
		[]Field{{"BridgeUniqueid", o.bridge}, {"IsExternal", "Yes"}, {"Context", a.Get("Context")}, {"Extension", to}})}
	events = append(append(events, s.leave(customer)...), s.leave(o)...)
	customer.peer = nil
	s.tell(append(events, o.hangup(16))...)
	c.send(reply(id, "Success", "Message", "Transfer succeeded"))
	s.dialOut(customer, to)
	s.sweep()
}

func (s *Server) playDTMF(c *client, id string, a Block) {
	if o := s.named(c, id, a); o != nil {
		o.heard += a.Get("Digit")
		c.send(reply(id, "Success", "Message", "DTMF successfully queued"))
	}
}

func (s *Server) muteAudio(c *client, id string, a Block) {
	if o := s.named(c, id, a); o != nil {
		if a.Get("Direction") == "in" {
			o.muted = a.Get("State") == "on"
		}
		c.send(reply(id, "Success"))
	}
}

// originate is S6; an extension without a phone is constructed from L3.
func (s *Server) originate(c *client, id string, a Block) {
	c.send(reply(id, "Success", "Message", "Originate successfully queued"))
	device, number := a.Get("Channel"), a.Get("Exten")
	_, extension, _ := strings.Cut(device, "/")
	if strings.HasPrefix(extension, "absent") {
		s.tell(say("OriginateResponse", "call", []Field{{"ActionID", id}, {"Response", "Failure"}, {"Channel", device}, {"Exten", a.Get("Exten")},
			{"Reason", "0"}, {"Uniqueid", "<unknown>"}, {"CallerIDNum", number}}))
		return
	}
	o := s.newChannel(device, "", extension, "Agent "+extension, "s")
	o.ID, o.linked = a.Get("ChannelId"), a.Get("ChannelId")
	o.extension, o.application = extension, "AppDial2"
	born := o.say("Newchannel")
	o.number, o.name, o.exten, o.connNumber = number, "", "", number
	events := []Block{born, o.say("NewCallerid", Field{"CID-CallingPres", "0 (Presentation Allowed, Not Screened)"}), o.say("NewConnectedLine"),
		both("DialBegin", nil, o, Field{"DialString", extension})}
	o.state = 5
	s.tell(append(events, o.say("Newstate"), both("DialState", nil, o, Field{"DialStatus", "RINGING"}))...)
	o.exten = a.Get("Exten")
}

func (s *Server) queuePause(c *client, id string, a Block) {
	found := false
	for _, m := range s.members {
		if m.device != a.Get("Interface") {
			continue
		}
		found = true
		m.paused, m.reason = a.Get("Paused") == "true", a.Get("Reason")
		s.tell(say("QueueMemberPause", "agent", m.about()))
	}
	if !found {
		c.send(reply(id, "Error", "Message", "Interface not found"))
		return
	}
	c.send(reply(id, "Success", "Message", "Interface paused successfully"))
}

func (m *member) about() []Field {
	paused := map[bool]string{true: "1", false: "0"}[m.paused]
	return []Field{{"Queue", m.queue}, {"MemberName", "Agent " + m.extension}, {"Interface", m.device}, {"StateInterface", m.device},
		{"Paused", paused}, {"PausedReason", m.reason}}
}

func (s *Server) queueStatus(c *client, id string, _ Block) {
	c.send(reply(id, "Success", "EventList", "start", "Message", "Queue status will follow"))
	for _, m := range s.members {
		fields := append([]Field{{"Event", "QueueMember"}, {"ActionID", id}, {"Name", "Agent " + m.extension}, {"Location", m.device}}, m.about()...)
		c.send(Block{Fields: fields}.Bytes())
	}
	for _, o := range s.channels {
		if o.queue != "" && o.bridge == "" {
			c.send(Block{Fields: []Field{{"Event", "QueueEntry"}, {"ActionID", id}, {"Queue", o.queue}, {"Channel", o.Name}, {"Uniqueid", o.ID},
				{"Wait", fmt.Sprint(int(time.Since(o.joined).Seconds()))}}}.Bytes())
		}
	}
	c.send(Block{Fields: []Field{{"Event", "QueueStatusComplete"}, {"ActionID", id}, {"EventList", "Complete"}}}.Bytes())
}

func (s *Server) coreShowChannels(c *client, id string, _ Block) {
	s.channelList(c, id, "CoreShowChannel", "CoreShowChannelsComplete", "BridgeId")
}

func (s *Server) status(c *client, id string, _ Block) {
	s.channelList(c, id, "Status", "StatusComplete", "BridgeID")
}

func (s *Server) channelList(c *client, id, event, complete, bridge string) {
	c.send(reply(id, "Success", "EventList", "start", "Message", "Channels will follow"))
	for _, o := range s.channels {
		fields := append([]Field{{"Event", event}, {"ActionID", id}}, o.about("")...)
		c.send(Block{Fields: append(fields, Field{"Application", o.application}, Field{bridge, o.bridge})}.Bytes())
	}
	c.send(Block{Fields: []Field{{"Event", complete}, {"ActionID", id}, {"EventList", "Complete"}}}.Bytes())
}
