package ami_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/asterisktest"
)

const (
	busyCalls  = 1200
	busyRate   = 20                    // a second: 72,000 an hour
	busyTalk   = 10 * time.Second      // so that 200 go on at once
	busyAgents = 200                   // 1200 to 1399
	busyLeast  = busyRate * 10 * 3 / 4 // at once, of 200: a loaded machine answers late
)

// busyCustomer is a SIPp scenario: it dials the extension of its line in the file, talks, and hangs up.
const busyCustomer = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="busy">
<send retrans="500"><![CDATA[

INVITE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200"/>
<send><![CDATA[

ACK sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause/>
<send retrans="500"><![CDATA[

BYE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

// A real Asterisk with 200 calls at once, more than three times as many an hour as are promised: each call is told, each of its events once, and to its own
// extension.
func TestReal_aBusyMinute(t *testing.T) {
	if os.Getenv("RINGSIDE_SOAK") == "" {
		t.Skip("a minute of calls is make soak's")
	}
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		const message = "sipp is not installed (Debian and Ubuntu: apt-get install --no-install-recommends sip-tester)"
		if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "phones") {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	port := freePort(t)
	answering := fmt.Sprintf("127.0.0.1:%d", port)
	phones := map[string]string{}
	for n := range busyAgents {
		phones[fmt.Sprint(1200+n)] = answering
	}
	a := asterisktest.Start(t, asterisktest.Options{Phones: phones})
	x := exchange(t, ami.Config{Address: a.AMI(), Username: asterisktest.Username, Secret: func() (string, error) { return a.Secret, nil }, Instance: "pbx-1",
		Serves: func(e string) bool { return phones[e] != "" }})
	b := &busy{legs: map[string]*busyLeg{}, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	up := make(chan struct{}, 100)
	parts.Go(func() {
		if err := x.Run(ctx, func(extension string, e cti.Event) {
			if e.Type == cti.SourceUp {
				up <- struct{}{}
			}
			b.take(extension, e)
		}); err != nil {
			t.Error(err)
		}
	})
	defer parts.Wait()
	defer cancel()
	<-up

	folder := t.TempDir()
	var lines strings.Builder
	lines.WriteString("SEQUENTIAL\n")
	for n := range busyCalls {
		fmt.Fprintf(&lines, "1380%07d;%d\n", n, 1200+n%busyAgents)
	}
	scenario, numbers := filepath.Join(folder, "busy.xml"), filepath.Join(folder, "numbers.csv")
	for name, text := range map[string]string{scenario: busyCustomer, numbers: lines.String()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answers := exec.CommandContext(ctx, sipp, "-sn", "uas", "-nostdin", "-i", "127.0.0.1", "-p", fmt.Sprint(port))
	answers.Dir = folder
	if err := answers.Start(); err != nil {
		t.Fatal(err)
	}
	parts.Go(func() { _ = answers.Wait() }) // it is killed
	customers := exec.CommandContext(ctx, sipp, "-sf", scenario, "-inf", numbers, "-nostdin", "-i", "127.0.0.1", "-p", fmt.Sprint(freePort(t)),
		"-r", fmt.Sprint(busyRate), "-m", fmt.Sprint(busyCalls), "-l", fmt.Sprint(busyCalls), "-d", fmt.Sprint(busyTalk.Milliseconds()), a.SIP())
	customers.Dir = folder
	if said, err := customers.CombinedOutput(); err != nil {
		t.Fatalf("the customers: %v\n%s", err, said[max(0, len(said)-3000):])
	}
	select {
	case <-b.done:
	case <-time.After(bound):
	}
	b.judge(t)
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // nothing was sent
	address, is := c.LocalAddr().(*net.UDPAddr)
	if !is {
		t.Fatal("no address of UDP")
	}
	return address.Port
}

// busy counts what the exchange tells.
type busy struct {
	mu         sync.Mutex
	legs       map[string]*busyLeg
	live, most int
	over       int
	ups        int
	done       chan struct{} // closed when all calls are over
}

type busyLeg struct {
	extension, number string
	events            []cti.EventType
}

func (b *busy) take(extension string, e cti.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Type == cti.SourceUp {
		b.ups++
	}
	id := e.Call.Refs[ami.RefVendor]
	if id == "" {
		return
	}
	l := b.legs[id]
	if l == nil {
		l = &busyLeg{extension: extension, number: e.Remote.Raw}
		b.legs[id] = l
		b.live++
		b.most = max(b.most, b.live)
	}
	l.events = append(l.events, e.Type)
	if e.Type == cti.Cleared {
		b.live--
		if b.over++; b.over == busyCalls {
			close(b.done)
		}
	}
}

func (b *busy) judge(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Logf("figure: %d calls of a real Asterisk, at most %d at once, %d told, %d of them to their end", busyCalls, b.most, len(b.legs), b.over)
	if len(b.legs) != busyCalls || b.over != busyCalls || b.most < busyLeast || b.ups != 1 {
		t.Errorf("%d calls told, %d over, at most %d at once, %d connections; want all %d, %d at once, over one", len(b.legs), b.over, b.most, b.ups, busyCalls, busyLeast)
	}
	told := map[string]bool{}
	for id, l := range b.legs {
		if fmt.Sprint(l.events) != fmt.Sprint([]cti.EventType{cti.Delivered, cti.Established, cti.Cleared}) {
			t.Errorf("call %s: %v", id, l.events)
		}
		var n int
		if _, err := fmt.Sscanf(l.number, "1380%d", &n); err != nil || l.extension != fmt.Sprint(1200+n%busyAgents) || told[l.number] {
			t.Errorf("the call of %s was told to %s", l.number, l.extension)
		}
		told[l.number] = true
	}
}
