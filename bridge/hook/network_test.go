//go:build linux

package hook_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// latency is how long an answer is on its way. Twinkle 1.10.2 loses a call's first answer, and all its repetitions, when it comes within
// about a millisecond of the request, before it has noted the transaction (observed in one call of a hundred); no network is that quick.
const latency = 100 * time.Millisecond

// network is what lies between phones: datagrams go through at once, what comes back takes its time.
type network struct {
	t   *testing.T
	far string

	mu     sync.Mutex
	near   net.PacketConn
	by     map[string]net.Conn // one for each phone that sends, as a router has
	closed bool
	all    sync.WaitGroup
}

// behind gives the address at which a phone is reached through a network.
func behind(t *testing.T, far string) string {
	t.Helper()
	near, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, far: far, near: near, by: map[string]net.Conn{}}
	n.all.Go(n.there)
	t.Cleanup(n.close)
	return near.LocalAddr().String()
}

func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	err := n.near.Close()
	for _, conn := range n.by {
		err = errors.Join(err, conn.Close())
	}
	n.mu.Unlock()
	n.all.Wait()
	if err != nil {
		n.t.Error(err)
	}
}

func (n *network) there() {
	for buffer := make([]byte, 64<<10); ; {
		size, from, err := n.near.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		if conn := n.of(from); conn != nil {
			_, _ = conn.Write(buffer[:size]) // a datagram may be lost
		}
	}
}

// of gives the way for who sends, and makes it; nil when the test is over.
func (n *network) of(from net.Addr) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if conn := n.by[from.String()]; conn != nil || n.closed {
		return conn
	}
	conn, err := net.Dial("udp", n.far) //nolint:noctx // it ends with the test
	if err != nil {
		n.t.Error(err)
		return nil
	}
	n.by[from.String()] = conn
	n.all.Go(func() { n.back(conn, from) })
	return conn
}

func (n *network) back(conn net.Conn, to net.Addr) {
	for buffer := make([]byte, 64<<10); ; {
		size, err := conn.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // nobody listens there
		}
		<-time.After(latency)
		_, _ = n.near.WriteTo(buffer[:size], to) // a datagram may be lost
	}
}
