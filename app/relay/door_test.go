package relay_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/relayed"
)

// A computer that opens connections and says nothing fills its own part of the door, and the administrator is heard all the same.
func TestWhoFillsTheDoorKeepsNobodyElseOut(t *testing.T) {
	w := newWorld(t, full())
	w.stop()
	control, err := loopback.Listen(relay.Endpoint(w.cfg.Settings.State))
	if err != nil {
		t.Skipf("the test's folder has too long a name for a socket: %v", err)
	}
	w.cfg.Control = control
	w.start()
	keep := w.enrol("1001")
	var silent []net.Conn
	for range 100 { // more than one address may have there
		c, err := net.Dial("tcp", w.address)
		must(t, err)
		silent = append(silent, c)
	}
	ends := make(chan error, len(silent))
	for _, c := range silent {
		must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		go func() {
			_, err := c.Read(make([]byte, 1))
			ends <- err
		}()
	}
	turnedAway := 0
	for range silent {
		if err := <-ends; !errors.Is(err, os.ErrDeadlineExceeded) {
			turnedAway++
		}
	}
	if turnedAway != 100-64 {
		t.Errorf("%d of 100 silent connections were turned away, want 36", turnedAway)
	}
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}} // another computer
	if c, err := other.Dial("tcp", w.address); err != nil {
		t.Logf("this computer has no second loopback address: %v", err)
	} else {
		must(t, c.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("another computer is turned away, too: %v", err)
		}
		must(t, c.Close())
	}
	if _, err := relay.Ask(t.Context(), w.cfg.Settings.State, relay.Order{Verb: "list"}); err != nil {
		t.Errorf("the administrator is not heard: %v", err)
	}
	for _, c := range silent {
		must(t, c.Close())
	}
	st := w.station(w.source("1001", keep))
	st.awaitEvents(cti.SourceUp, 1)
}

// Two connections with one certificate are one workstation that came back, or a thief: the newest is served, the older is told why not.
func TestAWorkstationHasOneConnection(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	first, err := w.attack(keep.steal(t).pair(t))
	must(t, err)
	second, err := w.attack(keep.steal(t).pair(t))
	must(t, err)
	for {
		m, err := first.link.Read(patience)
		must(t, err)
		if m.T == relayed.TRefuse {
			if err := m.Refusal.Err(); cti.KindOf(err) != cti.Conflict || !strings.Contains(cti.MessageOf(err), "took the place of this one") {
				t.Errorf("the older connection is told %v", err)
			}
			break
		}
	}
	w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
	for {
		m, err := second.link.Read(patience)
		must(t, err)
		if m.Event != nil && m.Event.Type == cti.Delivered {
			break
		}
	}
	for err == nil {
		_, err = first.link.Read(patience) // and is hung up on
	}
	if list := w.relay.List(); len(list) != 1 || !list[0].Connected {
		t.Errorf("the list: %+v", list)
	}
}
