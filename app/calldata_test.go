//go:build linux

package app_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/wire"
)

// proxyConfig is a Kamailio that passes every call on to the agent's phone and runs ringhook first. The values reach it through the environment, never
// as a part of the command: callers choose them.
const proxyConfig = `#!KAMAILIO
debug=1
log_stderror=yes
fork=no
children=1
listen=udp:127.0.0.1:%d
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "exec.so"
modparam("exec", "setvars", 1)
request_route {
	if (is_method("INVITE") && !has_totag()) {
		exec_msg("%s --source other --event ring --call-id \"$$SIP_HF_CALLID\" --data X-Order-Id=\"$$SIP_HF_X_ORDER_ID\" --data X-Level=\"$$SIP_HF_X_LEVEL\"");
	}
	$du = "sip:%s";
	t_relay();
}
`

// hostileHeader is what a caller may put into a header of theirs.
const hostileHeader = "A-17';$(touch pwned)`touch pwned`\"<img src=x>客户|&%0a"

// customer is a SIPp scenario: it rings with headers of its own, talks, and waits for the agent to hang up.
const customer = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="customer">
<send retrans="500"><![CDATA[

INVITE sip:agent@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "` + phoneName + `" <sip:` + knownNumber + `@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:agent@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:` + knownNumber + `@[local_ip]:[local_port]>
Max-Forwards: 70
X-Order-Id: ` + hostileHeader + `
X-Level: gold
X-Card-Number: 4111111111111111
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
<recv response="200" rrs="true"/>
<send><![CDATA[

ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:` + knownNumber + `@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="BYE"/>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

// need gives a program's path, or skips; RINGSIDE_REQUIRE=phones makes its absence an error.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		absent(t, program+" is not installed (Debian and Ubuntu: apt-get install --no-install-recommends "+pkg+")")
	}
	return path
}

func absent(t *testing.T, why any) {
	t.Helper()
	if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "phones") {
		t.Fatal(why)
	}
	t.Skip(why)
}

// freeUDP finds a port nobody has.
func freeUDP(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // nothing was sent
	address, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		t.Fatalf("%v is no address of UDP", c.LocalAddr())
	}
	return address.Port
}

// beside runs a program until the test ends, and shows what it said if the test failed.
func beside(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	said := &recorder{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), said, said
	cmd.Env = append(os.Environ(), asHook+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it runs ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	var waited sync.WaitGroup
	waited.Go(func() { _ = cmd.Wait() }) // it is killed
	t.Cleanup(func() {
		cancel()
		waited.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), said)
		}
		if _, err := os.Stat(filepath.Join(cmd.Dir, "pwned")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a header of the caller's was run as a command: %v", err)
		}
	})
}

// A real phone tells of the call, a real SIP proxy of what came with it: a customer's hostile headers become declared call data, of the same one call, and
// reach the CRM's own fields.
func TestTheHeadersOfACustomersCallReachTheCRM(t *testing.T) {
	kamailio, sipp := need(t, "kamailio", "kamailio"), need(t, "sipp", "sip-tester")
	w := newWorld(t)
	t.Setenv("RINGSIDE_HOOKS", filepath.Join(t.TempDir(), "hooks"))
	t.Setenv("RINGSIDE_SOCKET", w.socket)
	if _, err := w.crm.AddUser(sandbox.User{Name: "Mo Bai", Email: "mo.bai@ringside.example", Role: "admin", Token: "admin-t0ken"}); err != nil {
		t.Fatal(err)
	}
	agentsToken := w.token
	w.token = "admin-t0ken"
	w.crmDo(t, http.MethodPost, "/api/fields/call", map[string]any{"name": "order", "type": "string"}, nil)
	w.crmDo(t, http.MethodPost, "/api/fields/call", map[string]any{"name": "level", "type": "enum", "values": []string{"1", "2"}}, nil)
	w.token = agentsToken
	w.site = filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(w.site, []byte(`apiVersion: ringside.dev/v1
kind: Mapping
fields:
  call:
    - {field: order, from: call.data.order_id}
    - {field: level, from: call.data.level, type: enum, values: {gold: "1"}, default: "2", when: "${call.direction == 'in'}"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	phone, err := phonetest.Start(t.Context(), phonetest.Phone{User: "agent"})
	if errors.Is(err, phonetest.ErrNotInstalled) {
		absent(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := phone.Stop(); err != nil {
			t.Error(err)
		}
	}()
	w.phone = cti.PhoneProfile{Source: "baresip", Address: phone.Address(), Extension: "agent", Data: []string{"order_id", "level"},
		Also: []cti.PhoneSource{{Source: "hook", Program: "other"}}}
	a := w.start(t)

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, port := t.TempDir(), freeUDP(t)
	config, scenario := filepath.Join(folder, "kamailio.cfg"), filepath.Join(folder, "customer.xml")
	for name, text := range map[string]string{config: fmt.Sprintf(proxyConfig, port, self, phone.SIPAddress()), scenario: customer} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	beside(t, kamailio, "-f", config, "-Y", folder, "-w", folder)
	beside(t, sipp, "-sf", scenario, "-m", "1", "-nostdin", "-i", "127.0.0.1", "-p", fmt.Sprint(freeUDP(t)), fmt.Sprintf("127.0.0.1:%d", port))

	var leg string
	a.until(t, "the customer's card with the call data", func() bool {
		i := slices.IndexFunc(a.seen, func(c wire.Card) bool {
			return c.Picked == knownCustomer && c.State == cti.Alerting && c.Data["level"] == "gold" && c.Data["order_id"] == hostileHeader && len(c.Data) == 2
		})
		if i >= 0 {
			leg = a.seen[i].Leg
		}
		return i >= 0
	})
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.saved(t, leg)
	r := w.one(t, leg)
	wantContact(t, r, knownCustomer)
	if r.Fields["order"] != hostileHeader || r.Fields["level"] != "1" || r.Number != "+86"+knownNumber || r.Ending != "answered" {
		t.Errorf("the record is %+v", r)
	}
	if all := w.crm.Calls(); slices.ContainsFunc(all, func(c sandbox.Call) bool { return c.Leg != leg && c.StartedAt.Equal(r.StartedAt.Time) }) {
		t.Errorf("the call has another record beside its own: %+v", all)
	}
	a.stop()
	if i := slices.IndexFunc(a.seen, func(c wire.Card) bool { return c.Leg != leg }); i >= 0 {
		t.Errorf("the call had a second card: %+v", a.seen[i])
	}
}
