package baresip

import (
	"fmt"
	"net"
	"testing"

	"ringside.dev/ringside/bridge/sourcetest"
)

func TestLatency(t *testing.T) {
	sourcetest.Latency(t, func(t *testing.T) sourcetest.Rig {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(listener.Addr().String(), "1001", nil)
		if err != nil {
			t.Fatal(err)
		}
		f, served := &fake{answer: works}, make(chan error, 1)
		go func() {
			conn, err := listener.Accept()
			served <- err
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }() // the source has gone
			f.mu.Lock()
			f.conn = conn
			f.mu.Unlock()
			f.obey(conn)
		}()
		t.Cleanup(func() { _ = listener.Close() }) // nobody else comes
		count := 0
		say := func(t *testing.T, kind string, id int) {
			t.Helper()
			f.mu.Lock()
			defer f.mu.Unlock()
			if err := f.say(fmt.Sprintf(`{"event":true,"type":%q,"class":"call","accountaor":"sip:1001@pbx","direction":"incoming","peeruri":"sip:%d@pbx","id":"c%d","param":""}`,
				kind, 13800000000+id, id)); err != nil {
				t.Fatal(err)
			}
		}
		return sourcetest.Rig{Source: s, Ring: func(t *testing.T, _ string) sourcetest.Caller {
			t.Helper()
			if count == 0 {
				if err := <-served; err != nil {
					t.Fatal(err)
				}
			}
			count++
			id := count
			say(t, "CALL_INCOMING", id)
			return sourcetest.Caller{Number: fmt.Sprint(13800000000 + id), Hangup: func(t *testing.T) { t.Helper(); say(t, "CALL_CLOSED", id) }}
		}}
	})
}
