package bria

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFrame caps one message in bytes. A history of maxHistory calls, the longest there is, has about 400 kB.
const maxFrame = 1 << 20

// message is what Bria sends, in a form that resembles HTTP: the reply to a request, or a notice that something changed.
type message struct {
	status      int    // of a reply: 200, 4xx, 503; 0 for a notice
	transaction string // of a reply: which request it is to
	notice      string // of a notice: what changed
	doc         doc    // empty where there is no body
}

// doc is the XML of a reply to GET /status, or of a notice. Each type of status uses its own part of it; unknown elements are ignored.
type doc struct {
	Type string `xml:"type,attr"` // phone, call, callHistory, audioProperties, systemSettings, systemInformation, …

	Calls   []listed `xml:"call"`        // call; in phone the element says whether calls are allowed
	History []past   `xml:"callHistory"` // callHistory
	State   string   `xml:"state"`       // phone: ready or notReady
	Account string   `xml:"accountStatus"`
	Mute    string   `xml:"mute"`                            // audioProperties: enabled or disabled
	AtOnce  string   `xml:"callRightAwayOnceNumberSelected"` // systemSettings: false: dialling only fills in the number
	Version string   `xml:"systemProductVersion"`            // systemInformation
}

// listed is one call of the phone's list.
type listed struct {
	ID      string  `xml:"id"`
	Hold    string  `xml:"holdStatus"` // offHold, localHold, remoteHold; onHold in one of the guide's examples
	Parties []party `xml:"participants>participant"`
}

type party struct {
	Number string `xml:"number"`
	Name   string `xml:"displayName"`
	State  string `xml:"state"`         // ringing, connecting, connected, failed, ended
	Begun  string `xml:"timeInitiated"` // seconds since 1970
}

// past is one call of the phone's history.
type past struct {
	ID       string `xml:"id"`   // the same as while it was live
	Type     string `xml:"type"` // missed, received, dialed
	Number   string `xml:"number"`
	Name     string `xml:"displayName"`
	Duration string `xml:"duration"`      // seconds; of the talk
	Begun    string `xml:"timeInitiated"` // seconds since 1970
}

var (
	errNoMessage = errors.New("not a message of Bria's interface")
	errBody      = errors.New("the body is no XML")
)

// parse reads one message. Its errors hold nothing of what came: it may be a customer's.
func parse(frame []byte) (message, error) {
	head, body := frame, []byte(nil)
	if at := bytes.IndexByte(frame, '<'); at >= 0 { // headers hold none, and the body is XML always
		head, body = frame[:at], frame[at:]
	}
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	var m message
	switch first := strings.Fields(lines[0]); {
	case len(first) >= 2 && strings.HasPrefix(first[0], "HTTP/"):
		status, err := strconv.Atoi(first[1])
		if err != nil || status < 100 || status > 599 {
			return message{}, errNoMessage
		}
		m.status = status
	case len(first) == 2 && first[0] == "POST":
	default:
		return message{}, errNoMessage
	}
	for _, line := range lines[1:] {
		if name, value, found := strings.Cut(line, ":"); found && strings.EqualFold(strings.TrimSpace(name), "Transaction-ID") {
			m.transaction = strings.TrimSpace(value)
		}
	}
	if len(body) > 0 {
		if err := xml.Unmarshal(legal(body), &m.doc); err != nil {
			return message{}, errBody
		}
	}
	if m.status == 0 {
		m.notice = m.doc.Type
	}
	return m, nil
}

// reference is what may stand behind & in XML without a declaration, or nothing.
var reference = regexp.MustCompile(`&(?:#x[0-9A-Fa-f]{1,6};|#[0-9]{1,7};|(?:amp|lt|gt|quot|apos);)?`)

// legal makes XML 1.0 of what nearly is: a caller's name may hold characters that XML forbids, as they are or as references to them, and
// one such name must not hide all calls.
func legal(raw []byte) []byte {
	raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	raw = bytes.Map(func(r rune) rune {
		if !allowed(r) {
			return ' '
		}
		return r
	}, raw)
	return reference.ReplaceAllFunc(raw, func(ref []byte) []byte {
		switch {
		case len(ref) == 1:
			return []byte("&amp;")
		case ref[1] != '#':
			return ref
		}
		digits, base := string(ref[2:len(ref)-1]), 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		if n, err := strconv.ParseInt(digits, base, 32); err != nil || !allowed(rune(n)) {
			return []byte(" ")
		}
		return ref
	})
}

// allowed is the Char of XML 1.0, 2.2.
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// agent is what we are called in Bria, where the user is asked whether we may come in.
const agent = "Ringside"

// element is one element of a request's body, or a text in it.
type element struct {
	name, attribute, value string // attribute is name="value", with a blank before it; may be empty
	within                 []element
	text                   string
}

func (e element) write(b *strings.Builder) {
	b.WriteString("<" + e.name)
	if e.attribute != "" {
		b.WriteString(" " + e.attribute + `="` + escaped(e.value) + `"`)
	}
	b.WriteString(">" + escaped(e.text))
	for _, in := range e.within {
		in.write(b)
	}
	b.WriteString("</" + e.name + ">")
}

// escapes are the five that the guide names.
var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

func escaped(s string) string { return escapes.Replace(strings.ToValidUTF8(s, "")) }

// request writes a request. All of Bria's are GET.
func request(path, transaction string, body element) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8" ?>` + "\r\n")
	body.write(&b)
	return fmt.Appendf(nil, "GET /%s\r\nUser-Agent: %s\r\nTransaction-ID: %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s",
		path, agent, transaction, b.Len(), b.String())
}

// status asks for the details of something.
func status(of string, more ...element) element {
	return element{name: "status", within: append([]element{{name: "type", text: of}}, more...)}
}

// about is a request that names a call.
func about(name, id string, more ...element) element {
	return element{name: name, within: append([]element{{name: "callId", text: id}}, more...)}
}
