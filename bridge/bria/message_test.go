package bria

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

// The bytes of requests are those of CounterPath's guide, but for its line breaks inside the body.
func TestRequestsAreWrittenAsTheGuideHasThem(t *testing.T) {
	for name, test := range map[string]struct {
		path string
		body element
		want string
	}{
		"answer": {"answer", about("answerCall", "391A", element{name: "withVideo", text: "false"}), "GET /answer\r\nUser-Agent: Ringside\r\nTransaction-ID: 7\r\nContent-Type: application/xml\r\n" +
			"Content-Length: 115\r\n\r\n<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<answerCall><callId>391A</callId><withVideo>false</withVideo></answerCall>"},
		"status": {"status", status("call"), "GET /status\r\nUser-Agent: Ringside\r\nTransaction-ID: 7\r\nContent-Type: application/xml\r\n" +
			"Content-Length: 75\r\n\r\n<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<status><type>call</type></status>"},
		"what would break the XML": {"call", element{name: "dial", attribute: "type", value: `au"dio`, text: "<&>'\xff"}, "GET /call\r\nUser-Agent: Ringside\r\nTransaction-ID: 7\r\nContent-Type: application/xml\r\n" +
			"Content-Length: 92\r\n\r\n<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<dial type=\"au&quot;dio\">&lt;&amp;&gt;&apos;</dial>"},
	} {
		if diff := cmp.Diff(test.want, string(request(test.path, "7", test.body))); diff != "" {
			t.Errorf("%s: want - got +:\n%s", name, diff)
		}
	}
}

func TestMessagesAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		frame string
		want  message
	}{
		"the guide's notice": {"POST /statusChange\r\nUser-Agent: Bria 5\r\nContent-Type: application/xml\r\nContent-Length: 62\r\n\r\n<?xml version=\"1.0\" encoding=\"utf-8\" ?><event type=\"call\"></event>",
			message{notice: "call", doc: doc{Type: "call"}}},
		"the guide's reply": {"HTTP/1.1 200 OK\r\nTransaction-ID: 7\r\nContent-Type: application/xml\r\nContent-Length: 0", message{status: 200, transaction: "7"}},
		"a refusal":         {"HTTP/1.1 503 Service Unavailable\nTransaction-Id:  ringside-1 \n\n", message{status: 503, transaction: "ringside-1"}},
		"bare line ends, no empty line": {"HTTP/1.1 200 OK\nTransaction-ID: 7\n<status type=\"phone\"><state>ready</state><call>allow</call><accountStatus>connected</accountStatus></status>",
			message{status: 200, transaction: "7", doc: doc{Type: "phone", State: "ready", Account: "connected", Calls: []listed{{}}}}},
		"a length that is wrong": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<status type=\"audioProperties\"><mute>enabled</mute></status>", message{status: 200, doc: doc{Type: "audioProperties", Mute: "enabled"}}},
		"no type":                {"POST /somethingNew\r\n\r\n", message{}},
	} {
		got, err := parse([]byte(test.frame))
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(message{})); diff != "" || err != nil {
			t.Errorf("%s: %v, want - got +:\n%s", name, err, diff)
		}
	}
	for name, frame := range map[string]string{"nothing": "", "XML alone": "<event type=\"call\"/>", "another method": "PUT /x HTTP/1.1", "no status": "HTTP/1.1 OK", "a silly status": "HTTP/1.1 99999 X",
		"half XML": "HTTP/1.1 200 OK\r\n\r\n<status type=\"call\"><call>", "no text": "\x00\xff\xfe", "XML that ends another": "POST /statusChange\r\n\r\n<event></status>", "a customer": "POST /x y z 13800138000"} {
		if _, err := parse([]byte(frame)); err == nil || strings.Contains(err.Error(), "138") || strings.Contains(err.Error(), "event") {
			t.Errorf("%s: %v, want an error that quotes nothing", name, err)
		}
	}
}

// A caller's name may hold what XML forbids. It must not hide the other calls.
func TestNoNameHidesTheCalls(t *testing.T) {
	for text, want := range map[string]string{
		"Zhang &amp; Li":               "Zhang & Li",
		"Zhang & Li &copy;":            "Zhang & Li &copy;",
		"a\x01b\x1b[31m":               "a b [31m",
		"a&#1;b&#x1F;c&#x26;d&#65;":    "a b c&dA",
		"&#xD800;&#0;&#9999999;|":      "   |",
		"\xff\xfeab":                   "\uFFFDab",
		"&#x110000;&#99999999;":        " &#99999999;",
		"&lt;state&gt;ended&lt;/state": "<state>ended</state",
	} {
		frame := `HTTP/1.1 200 OK` + "\r\n\r\n" + `<status type="call"><call><id>a</id><participants><participant><displayName>` + text + `</displayName><state>ringing</state></participant></participants></call></status>`
		m, err := parse([]byte(frame))
		if err != nil || len(m.doc.Calls) != 1 || m.doc.Calls[0].Parties[0].Name != want || m.doc.Calls[0].Parties[0].State != "ringing" {
			t.Errorf("%q: %v, %+v, want %q", text, err, m.doc, want)
		}
	}
}

func TestVersionsThatJoinCalls(t *testing.T) {
	for text, want := range map[string]bool{"6.4.1": true, "6.2": true, "6.10.0.123": true, "7.0.1": true, "6.1.9": false, "5.8.4": false, "": false, "six": false, "-1.5": false} {
		if got := parseVersion(text).joins(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// FuzzWire: whatever comes over the wire, nothing breaks, little is kept, and every event is whole.
func FuzzWire(f *testing.F) {
	head := "HTTP/1.1 200 OK\r\nTransaction-ID: 1\r\n\r\n"
	call := func(id, state, hold string) string {
		return "<call><id>" + id + "</id><holdStatus>" + hold + "</holdStatus><participants><participant><number>1440@zippy</number><displayName>Rita</displayName><state>" + state +
			"</state><timeInitiated>1303931552</timeInitiated></participant></participants></call>"
	}
	for _, seed := range []string{
		head + `<status type="call">` + call("a", "ringing", "offHold") + call("b", "connecting", "onHold") + "</status>",
		head + `<status type="call">` + call("a", "connected", "remoteHold") + call("a", "failed", "") + "</status>",
		head + `<status type="call"></status>`, head + `<status type="call"><call/></status>`,
		head + `<status type="callHistory"><callHistory><type>missed</type><id>a</id><duration>3</duration><timeInitiated>1303931552</timeInitiated></callHistory></status>`,
		head + `<status type="audioProperties"><mute>enabled</mute></status>`, "POST /statusChange\r\n\r\n" + `<event type="call"></event>`,
		head + strings.Repeat("<call>", 5000), "\x00", head + "<!DOCTYPE a [<!ENTITY b \"c\">]><status type=\"call\">&b;</status>",
	} {
		f.Add([]byte(seed), []byte(head+`<status type="call">`+call("a", "connected", "localHold")+"</status>"))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		in := newInterpreter(cti.Source{Adapter: "bria", Instance: "test", Confidence: cti.Polled}, "1001")
		at := time.Unix(1795435200, 0).UTC()
		var events []cti.Event
		for n, frame := range [][]byte{first, second, first} {
			m, err := parse(frame)
			if err != nil {
				continue
			}
			if n == 1 {
				events = append(events, in.snapshot(m.doc.Calls, at)...)
			} else {
				events = append(events, in.list(m.doc.Calls, at)...)
			}
			for _, p := range m.doc.History {
				events = append(events, in.past(p, at)...)
			}
			events = append(events, in.mute(m.doc.Mute == "enabled", at)...)
		}
		if len(in.live) > maxCalls || len(in.over) > maxOver {
			t.Errorf("%d live, %d over", len(in.live), len(in.over))
		}
		for _, e := range events {
			for _, e := range append([]cti.Event{e}, e.Legs...) {
				whole(t, e)
			}
		}
	})
}

func whole(t *testing.T, e cti.Event) {
	t.Helper()
	if e.V != cti.EnvelopeVersion || e.At.IsZero() || e.Source.Confidence == "" {
		t.Errorf("%s at %v from %+v", e.Type, e.At, e.Source)
	}
	if e.Type != cti.Snapshot && e.Call.Refs[refCall] == "" {
		t.Errorf("%s of no call", e.Type)
	}
	switch e.Type {
	case cti.Cleared, cti.Failed, cti.Transferred:
		if e.Cause == nil || e.Cause.Code == "" || e.Cause.By == "" {
			t.Errorf("%s without a cause: %+v", e.Type, e.Cause)
		}
	default:
	}
}
