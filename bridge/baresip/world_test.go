package baresip_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// relay passes a TCP port on to another one, and can be cut: the port is closed then and all connections with it.
type relay struct {
	address, target string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	running  sync.WaitGroup
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	r := &relay{address: "127.0.0.1:0", target: target}
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
	r.mu.Unlock()
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		r.running.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // ends by either side, or by cut
			_ = way[0].Close()
			_ = way[1].Close()
		})
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
func inviteByHand(t *testing.T, agent *phonetest.Running, name string) sourcetest.Caller {
	t.Helper()
	conn, err := net.Dial("tcp", agent.SIPAddress())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(phoneTimeout)); err != nil {
		t.Fatal(err)
	}
	const number = "+8613800138000"
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
	request := func(method, extra, body string) string {
		return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKhand\r\nMax-Forwards: 70\r\n"+
			"From: \"%s\" <sip:%s@%[3]s;transport=tcp>;tag=hand\r\nTo: <%[2]s>\r\nCall-ID: by-hand-%[3]s\r\nCSeq: 1 %[1]s\r\n"+
			"%[6]sContent-Length: %[7]d\r\n\r\n%[8]s", method, agent.AOR(), conn.LocalAddr(), quoted, number, extra, len(body), body)
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
	return sourcetest.Caller{Number: number, Hangup: func(t *testing.T) { t.Helper(); send(t, "CANCEL", "", "", "SIP/2.0 487 ") }}
}
