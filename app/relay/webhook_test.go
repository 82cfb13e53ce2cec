package relay_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
)

// cloudFile is a relay file with a cloud call centre that pushes, as the guide has it.
const cloudFile = `version: 1
name: hq-pbx
state: STATE
exchanges:
  - kind: webhook
    name: udesk
    address: ADDRESS
    password: file:DIR/token
    extensions: [3xx]
    params: {vendor: udesk, certificate: DIR/tls.pem, key: DIR/tls.key}
rights:
  - extensions: [3xx]
    allow: [hear]
`

const pushToken = "test-key-0123456789abcdef"

// pushes is a vendor's cloud that knows where the relay listens.
type pushes struct {
	t      *testing.T
	url    string
	client *http.Client
}

// cloud writes a relay file with its secret and its certificate, and reads it as ringctl relay does.
func cloud(t *testing.T) (settings.Relay, pushes) {
	t.Helper()
	dir := t.TempDir()
	pair, ca := certified(t)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(t, err)
	write := func(name string, text []byte) { must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600)) }
	write("tls.pem", ca)
	write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	write("token", []byte(pushToken+"\n"))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	must(t, err)
	must(t, free.Close())
	write("relay.yaml", []byte(strings.NewReplacer("DIR", filepath.ToSlash(dir), "STATE", filepath.ToSlash(dir)+"/state", "ADDRESS", "0.0.0.0:"+port).Replace(cloudFile)))
	s, err := settings.LoadRelay(filepath.Join(dir, "relay.yaml"), relay.Kinds())
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return s, pushes{t, "https://localhost:" + port + "/udesk?token=", &http.Client{Transport: transport, Timeout: patience}}
}

// push sends a call's whole state, with the times that have passed.
func (p pushes) push(token, conversation, number, more string) int {
	p.t.Helper()
	body := fmt.Sprintf(`{"call_id":"case-%[1]s","conversation_id":%[1]s,"customer_phone":%[2]q,"workflow":"in","agent_id":397%[3]s}`, conversation, number, more)
	r, err := p.client.Post(p.url+token, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	must(p.t, r.Body.Close())
	return r.StatusCode
}

func stamp(name string, at time.Time) string {
	return fmt.Sprintf(`,%q:%q`, name, at.In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04:05 -0700"))
}

func TestACloudsPushesReachTheWorkstation(t *testing.T) {
	s, cloud := cloud(t)
	w := newWorldOf(t, s)
	agent, other := w.station(w.source("397", w.enrol("397"))), w.station(w.source("398", w.enrol("398")))
	for _, one := range []*station{agent, other} {
		one.awaitEvents(cti.SourceUp, 1)
	}
	now := time.Now()
	rang := stamp("agent_ring_at", now)
	taken := func(what string, code int) {
		t.Helper()
		if code != http.StatusOK {
			t.Errorf("%s: %d, want 200", what, code)
		}
	}
	if code := cloud.push("another-key-0123456789abcdef", "1", "13800138000", rang); code != http.StatusUnauthorized {
		t.Errorf("a push with another token: %d, want 401", code)
	}
	taken("a ring", cloud.push(pushToken, "1", "13800138000", rang))
	c := agent.awaitCall("13800138000", cti.Alerting)
	if c.Source.Adapter != "webhook-udesk" || c.Source.Instance != "udesk" || c.Refs["vendor_udesk"] != "1/397" || c.Local.Extension != "397" {
		t.Errorf("%+v", c)
	}
	answered := rang + stamp("agent_answer_at", now.Add(time.Second))
	taken("the answer", cloud.push(pushToken, "1", "13800138000", answered))
	agent.awaitCall("13800138000", cti.Connected)
	over := answered + stamp("agent_hangup_at", now.Add(2*time.Second)) + `,"drop_side":"customer","call_result":"客服接听"`
	taken("the end", cloud.push(pushToken, "1", "13800138000", over))
	c = agent.awaitCall("13800138000", cti.StateClosed)
	if c.Cause == nil || c.Cause.Code != cti.CauseNormal || c.Cause.By != cti.ByRemote {
		t.Errorf("ended with %+v", c.Cause)
	}
	hour := now.Add(-time.Hour)
	taken("a call of an hour ago", cloud.push(pushToken, "2", "13900139000", stamp("agent_ring_at", hour)+stamp("agent_hangup_at", hour.Add(20*time.Second))+`,"call_result":"客户速挂"`))
	late := agent.awaitCall("13900139000", cti.StateClosed)
	if !late.Missed() || now.Sub(late.DeliveredAt) < 59*time.Minute {
		t.Errorf("a call that was pushed an hour late: %s, rang at %v", late.Ending(), late.DeliveredAt)
	}
	agent.mu.Lock()
	for _, e := range agent.events {
		if old := e.Remote.Raw == "13900139000"; e.Past != old {
			t.Errorf("%s of %s: past %v, so that it pops when it should not, or does not when it should", e.Type, e.Remote.Raw, e.Past)
		}
	}
	agent.mu.Unlock()
	other.mu.Lock()
	defer other.mu.Unlock()
	if len(other.calls) != 0 {
		t.Errorf("a colleague was told %+v", other.calls)
	}
}

// What would let anybody make up calls is refused before the relay starts.
func TestAWebhookThatIsNotSafeIsRefusedByTheFilesReader(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "relay.yaml")
	for what, say := range map[string]string{"params: {vendor: udesk, certificate: DIR/tls.pem, key: DIR/tls.key}": "certificate cannot be used", "params: {vendor: udesk}": "needs TLS",
		"params: {vendor: nobody}": "no webhook preset of this name", "params: {certificat: x}": "params.certificat is none that webhook knows"} {
		text := strings.Replace(cloudFile, "params: {vendor: udesk, certificate: DIR/tls.pem, key: DIR/tls.key}", what, 1)
		must(t, os.WriteFile(file, []byte(strings.NewReplacer("DIR", filepath.ToSlash(dir), "STATE", filepath.ToSlash(dir), "ADDRESS", "0.0.0.0:8443").Replace(text)), 0o600))
		if _, err := settings.LoadRelay(file, relay.Kinds()); cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want %q", what, err, say)
		}
	}
}
