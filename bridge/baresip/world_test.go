package baresip_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// relay passes a TCP port on to another one, and can be cut: the port is closed then and all connections with it. It can also put words
// into the phone's mouth, and let it stammer.
type relay struct {
	address, target string
	disorder        atomic.Bool // every event comes twice, and once more after the next one

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	source   net.Conn      // the newest connection of the source
	joined   chan struct{} // closed when there is another
	running  sync.WaitGroup
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	r := &relay{address: "127.0.0.1:0", target: target, joined: make(chan struct{})}
	r.restore(t)
	t.Cleanup(func() { r.cut(t) })
	return r
}

func (r *relay) restore(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.address, r.listener = l.Addr().String(), l
	r.mu.Unlock()
	r.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // cut
			}
			r.pass(conn)
		}
	})
}

func (r *relay) pass(from net.Conn) {
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		_ = from.Close() // the source sees that the phone is gone
		return
	}
	r.mu.Lock()
	r.conns = append(r.conns, from, to)
	r.source = from
	close(r.joined)
	r.joined = make(chan struct{})
	r.mu.Unlock()
	done := func() {
		_ = from.Close()
		_ = to.Close()
		r.mu.Lock()
		if r.source == from {
			r.source = nil
		}
		r.mu.Unlock()
	}
	r.running.Go(func() {
		defer done()
		_, _ = io.Copy(to, from) // ends by either side, or by cut
	})
	r.running.Go(func() {
		defer done()
		r.speak(from, bufio.NewReader(to))
	})
}

// speak passes on what the phone says, message by message, until either side ends.
func (r *relay) speak(source io.Writer, phone *bufio.Reader) {
	var last []byte
	for {
		head, err := phone.ReadString(':')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil {
			return
		}
		body := make([]byte, size+1)
		if _, err := io.ReadFull(phone, body); err != nil {
			return
		}
		frame := append([]byte(head), body...)
		said := frame
		if r.disorder.Load() && bytes.Contains(body, []byte(`"event":true`)) {
			said, last = slices.Concat(frame, frame, last), frame
		}
		r.mu.Lock() // inject writes too
		_, err = source.Write(said)
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// inject says something to the source in the phone's place, as soon as the source is connected.
func (r *relay) inject(t *testing.T, raw []byte) {
	t.Helper()
	timeout := time.NewTimer(phoneTimeout)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		joined := r.joined
		if r.source != nil {
			_, err := r.source.Write(raw)
			r.mu.Unlock()
			if err == nil {
				return
			}
		} else {
			r.mu.Unlock()
		}
		select {
		case <-joined:
		case <-timeout.C:
			t.Fatal("the source did not come back")
		}
	}
}

func (r *relay) cut(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	if r.listener != nil {
		if err := r.listener.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range r.conns {
		_ = c.Close() // may be closed already
	}
	r.listener, r.conns = nil, nil
	r.mu.Unlock()
	r.running.Wait()
}

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
