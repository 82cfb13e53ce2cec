package baresip_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// netstring splits what the phone says into its messages.
func netstring(data []byte, _ bool) (int, []byte, error) {
	head, _, whole := bytes.Cut(data, []byte(":"))
	if !whole {
		return 0, nil, nil
	}
	size, err := strconv.Atoi(string(head))
	if err != nil {
		return 0, nil, err
	}
	if end := len(head) + 1 + size + 1; len(data) >= end {
		return end, data[:end], nil
	}
	return 0, nil, nil
}

// isEvent tells what may come twice from what is an answer.
func isEvent(message []byte) bool { return bytes.Contains(message, []byte(`"event":true`)) }

// inviteByHand sends an INVITE as no phone does, over TCP since baresip takes 8 KiB at most over UDP, and returns when it rings.
func inviteByHand(t *testing.T, agent *phonetest.Running, r sourcetest.Ringer) sourcetest.Caller {
	t.Helper()
	conn, err := net.Dial("tcp", agent.SIPAddress())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(phoneTimeout)); err != nil {
		t.Fatal(err)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.Name)
	headers := &strings.Builder{}
	for name, value := range r.Data { // what would end a header ends the message
		fmt.Fprintf(headers, "%s: %s\r\n", strings.Map(token, name), strings.NewReplacer("\r", " ", "\n", " ").Replace(value))
	}
	request := func(method, extra, body string) string {
		return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKhand\r\nMax-Forwards: 70\r\n"+
			"From: \"%s\" <sip:%s@%[3]s;transport=tcp>;tag=hand\r\nTo: <%[2]s>\r\nCall-ID: by-hand-%[3]s\r\nCSeq: 1 %[1]s\r\n"+
			"%[6]s%[7]sContent-Length: %[8]d\r\n\r\n%[9]s", method, agent.AOR(), conn.LocalAddr(), quoted, escaped(r.Number), headers, extra, len(body), body)
	}
	send := func(t *testing.T, method, extra, body, until string) {
		t.Helper()
		if _, err := io.WriteString(conn, request(method, extra, body)); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(got.String(), until) {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%s: %v, no %q in %d bytes", method, err, until, got.Len())
			}
			got.Write(buf[:n])
		}
	}
	sdp := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
	contact := fmt.Sprintf("Contact: <sip:hand@%s;transport=tcp>\r\nContent-Type: application/sdp\r\n", conn.LocalAddr())
	send(t, "INVITE", contact, sdp, "SIP/2.0 180 ")
	return sourcetest.Caller{Number: r.Number, Hangup: func(t *testing.T) { t.Helper(); send(t, "CANCEL", "", "", "SIP/2.0 487 ") }}
}

// escaped writes the user part of a SIP URI (RFC 3261, 25.1).
func escaped(user string) string {
	var b strings.Builder
	for _, c := range []byte(user) {
		if c == '+' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// token keeps what a header's name may be made of.
func token(r rune) rune {
	if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}
