package asterisktest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// Refuser is a phone that rings for a moment and then refuses every call with a status of SIP, "603 Decline". It gives the phone's address.
func Refuser(t *testing.T, status string) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	ends.Go(func() {
		buffer := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDP(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if message := string(buffer[:n]); err == nil && strings.HasPrefix(message, "INVITE ") {
				for _, line := range []string{"180 Ringing", status} {
					reply := fmt.Sprintf("SIP/2.0 %s\r\n%sTo: %s;tag=%s\r\nContent-Length: 0\r\n\r\n", line,
						copied(message, "via", "from", "call-id", "cseq"), header(message, "to"), rand.Text())
					_, _ = conn.WriteToUDP([]byte(reply), from) // lost as UDP may be; who waits for what follows says so
				}
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close() // ends it
		ends.Wait()
	})
	return conn.LocalAddr().String()
}
