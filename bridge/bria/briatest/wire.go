package briatest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// serve answers one request. A request that cannot be read is answered with 400.
func (s *Server) serve(frame []byte) {
	head, body, _ := bytes.Cut(frame, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	path := strings.TrimPrefix(lines[0], "GET /")
	transaction := ""
	for _, line := range lines[1:] {
		if rest, found := strings.CutPrefix(line, "Transaction-ID: "); found {
			transaction = rest
		}
	}
	var o order
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs {
		return
	}
	status, reply := 400, ""
	if err := xml.Unmarshal(body, &o); err == nil && path != lines[0] { //nolint:gosec // a test's own
		status, reply = s.obey(path, o)
	}
	words := map[int]string{200: "OK", 400: "Bad Request", 503: "Service Unavailable"}[status]
	if reply != "" {
		reply = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n" + reply
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nTransaction-ID: %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s", status, words, transaction, len(reply), reply)
	if s.delay > 0 {
		time.AfterFunc(s.delay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.all(answer)
		})
		return
	}
	s.all(answer)
	if s.repeats {
		s.all(answer)
	}
	s.changed.Broadcast()
}

// obey carries a request out. What a real Bria answers to a call it does not have is not known; ours says 400.
func (s *Server) obey(path string, o order) (status int, reply string) {
	s.asked[o.Type]++
	switch {
	case !s.mayCome:
		return 503, ""
	case path == s.refuses:
		return 400, ""
	}
	c := s.find(o.CallID)
	switch {
	case path == "status":
		return s.status(o)
	case s.silent:
		return 200, ""
	case path == "call" && o.Number != "":
		s.suppressed = o.Suppress
		if !s.fills {
			s.begin(o.Number, "", connecting)
		}
	case path == "audioProperties":
		if on := o.Mute == "enabled"; on != s.muted {
			s.muted = on
			s.notify("audioProperties")
		}
	case path == "dtmf":
		if o.Tone.Text == "start" {
			s.digits += o.Tone.Digit
		}
	case c == nil:
		return 400, ""
	case path == "answer" && c.parties[0].state == ringing:
		s.connect(c)
	case path == "endCall":
		s.end(c, ended, false)
	case path == "hold":
		c.hold = localHold
		s.notify("call")
	case path == "resume":
		c.hold = offHold
		s.notify("call")
	case path == "transferCall":
		return s.pass(c, o)
	default:
		return 400, ""
	}
	return 200, ""
}

// pass gives a call away: to a number, in the words of each version, or to another call, at once.
func (s *Server) pass(c *call, o order) (status int, reply string) {
	old := strings.HasPrefix(s.version, "5.") || s.version == ""
	to := o.TargetNumber
	if old {
		to = o.Target
	}
	switch other := s.find(o.TargetCallID); {
	case to != "":
		c.hold = localHold
		s.transfers = append(s.transfers, transfer{c.id, to})
		s.notify("call")
	case other != nil && !old:
		s.end(other, ended, false)
		s.end(c, ended, false)
	default:
		return 400, ""
	}
	return 200, ""
}

func (s *Server) status(o order) (status int, reply string) {
	var b strings.Builder
	fmt.Fprintf(&b, "<status type=\"%s\">\r\n", escape(o.Type))
	switch o.Type {
	case "phone":
		fmt.Fprintf(&b, " <state>ready</state>\r\n <call>allow</call>\r\n <maxLines>6</maxLines>\r\n <accountStatus>%s</accountStatus>\r\n <accountFailureCode>0</accountFailureCode>\r\n", s.account)
	case "systemSettings":
		fmt.Fprintf(&b, " <defaultCallType>audio</defaultCallType>\r\n <callRightAwayOnceNumberSelected>%v</callRightAwayOnceNumberSelected>\r\n", !s.fills)
	case "systemInformation":
		if strings.HasPrefix(s.version, "5.") {
			return 400, ""
		}
		fmt.Fprintf(&b, " <systemProductName>Bria</systemProductName>\r\n <systemProductVersion>%s</systemProductVersion>\r\n", s.version)
	case "audioProperties":
		fmt.Fprintf(&b, " <mute>%s</mute>\r\n <speakerMute>disabled</speakerMute>\r\n <volume type=\"speaker\">50</volume>\r\n", map[bool]string{true: "enabled", false: "disabled"}[s.muted])
	case "call":
		for _, c := range s.calls {
			writeCall(&b, c)
		}
	case "callHistory":
		for _, it := range s.history[:min(len(s.history), max(o.Count, 0))] {
			fmt.Fprintf(&b, " <callHistory>\r\n  <type>%s</type>\r\n  <id>%s</id>\r\n  <number>%s</number>\r\n  <displayName>%s</displayName>\r\n  <accountId>0</accountId>\r\n"+
				"  <duration>%d</duration>\r\n  <timeInitiated>%d</timeInitiated>\r\n </callHistory>\r\n",
				it.kind, it.id, escape(it.number), escape(it.name), int(it.talk.Seconds()), it.begun.Unix())
		}
	default:
		return 400, ""
	}
	b.WriteString("</status>")
	return 200, b.String()
}

func writeCall(b *strings.Builder, c *call) {
	fmt.Fprintf(b, " <call>\r\n  <id>%s</id>\r\n  <holdStatus>%s</holdStatus>\r\n  <recordingStatus>notRecording</recordingStatus>\r\n  <recordingFile></recordingFile>\r\n  <participants>\r\n", c.id, c.hold)
	for _, p := range c.parties {
		fmt.Fprintf(b, "   <participant>\r\n    <number>%s</number>\r\n    <displayName>%s</displayName>\r\n    <state>%s</state>\r\n    <timeInitiated>%d</timeInitiated>\r\n   </participant>\r\n",
			escape(p.number), escape(p.name), p.state, c.begun.Unix())
	}
	b.WriteString("  </participants>\r\n </call>\r\n")
}
