package esltest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func (p *PBX) seconds() string { return strconv.FormatInt(p.now().Unix(), 10) }

// text is an event as it is written: header after header, the values URL-encoded.
type text struct{ strings.Builder }

func (t *text) add(name, value string) {
	if value != "" {
		t.WriteString(name + ": " + encoded(value) + "\n")
	}
}

// encoded escapes as switch_url_encode does: everything but what a URL may hold, by bytes.
func encoded(s string) string {
	const unsafe = "\r\n \"#%&+:;<=>?@[\\]^`{|}"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || strings.IndexByte(unsafe, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// begin writes what every event has.
func (p *PBX) begin(name string) *text {
	p.sequence++
	t := &text{}
	t.add("Event-Name", name)
	t.add("Core-UUID", "00000000-0000-4000-8000-00000000c0de")
	t.add("FreeSWITCH-Hostname", "esltest")
	t.add("Event-Date-Timestamp", strconv.FormatInt(p.now().UnixMicro(), 10))
	t.add("Event-Sequence", strconv.Itoa(p.sequence))
	return t
}

func (p *PBX) send(name string, t *text) {
	t.WriteString("\n")
	close(p.changed)
	p.changed = make(chan struct{})
	for _, tell := range p.tell {
		tell(name, []byte(t.String()))
	}
}

// event tells of a channel; p.mu is held.
func (p *PBX) event(name string, c *Channel, extra ...string) {
	t := p.begin(name)
	for i := 0; i+1 < len(extra); i += 2 {
		t.add(extra[i], extra[i+1])
	}
	p.channel(t, c)
	p.send(name, t)
}

// custom tells of something that is no channel's.
func (p *PBX) custom(subclass string, headers ...string) {
	t := p.begin("CUSTOM")
	t.add("Event-Subclass", subclass)
	for i := 0; i+1 < len(headers); i += 2 {
		t.add(headers[i], headers[i+1])
	}
	if i := slices.Index(headers, "CC-Member-Joined-Time"); i >= 0 {
		if c := p.channels[headers[slices.Index(headers, "CC-Member-Session-UUID")+1]]; c != nil {
			c.set("cc_joined", headers[i+1])
		}
	}
	p.send("CUSTOM", t)
}

func direction(outbound bool) string {
	if outbound {
		return "outbound"
	}
	return "inbound"
}

func (p *PBX) channel(t *text, c *Channel) {
	t.add("Channel-Call-State", c.State)
	t.add("Channel-Name", c.Name)
	t.add("Unique-ID", c.ID)
	t.add("Call-Direction", direction(c.Outbound))
	t.add("Presence-Call-Direction", direction(c.Outbound))
	t.add("Channel-Presence-ID", c.Presence)
	t.add("Channel-Call-UUID", c.callUUID)
	t.add("Answer-State", map[string]string{"DOWN": "ringing", "RINGING": "ringing", "ACTIVE": "answered", "HELD": "answered", "HANGUP": "hangup"}[c.State])
	t.add("Caller-Caller-ID-Name", c.Caller)
	t.add("Caller-Caller-ID-Number", c.Number)
	t.add("Caller-Destination-Number", c.Dest)
	t.add("Caller-Unique-ID", c.ID)
	if c.hides() {
		t.add("Caller-Privacy-Hide-Name", "true")
		t.add("Caller-Privacy-Hide-Number", "true")
	}
	if other, what := c.other(); other != nil {
		t.add("Other-Type", what)
		t.add("Other-Leg-Direction", direction(other.Outbound))
		t.add("Other-Leg-Caller-ID-Name", other.Caller)
		t.add("Other-Leg-Caller-ID-Number", other.Number)
		t.add("Other-Leg-Destination-Number", other.Dest)
		t.add("Other-Leg-Unique-ID", other.ID)
		t.add("Other-Leg-Channel-Name", other.Name)
		if other.hides() {
			t.add("Other-Leg-Privacy-Hide-Number", "true")
		}
	}
	for _, name := range c.order {
		t.add("variable_"+name, c.variables[name])
	}
}

// hides tells that the caller's Privacy: id was heeded (mod_sofia), in their channel and those that are dialled from it.
func (c *Channel) hides() bool {
	return c.variables["sip_h_Privacy"] == "id" || c.dialler != nil && c.dialler.hides()
}

func (c *Channel) other() (*Channel, string) {
	if c.dialler != nil {
		return c.dialler, "originator"
	}
	if c.peer != nil {
		return c.peer, "originatee"
	}
	return nil, ""
}

// Frame puts an event into the frame it is sent in.
func Frame(event []byte) []byte {
	return fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(event), event)
}

// finish tells what a background job came to.
func (p *PBX) finish(job, result string) {
	t := p.begin("BACKGROUND_JOB")
	t.add("Job-UUID", job)
	t.add("Content-Length", strconv.Itoa(len(result)+1))
	t.WriteString("\n" + result)
	p.send("BACKGROUND_JOB", t)
}
