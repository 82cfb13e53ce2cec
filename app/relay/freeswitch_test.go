package relay_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/esl/esltest"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/tape"
)

// freeswitch is a small FreeSWITCH inside TLS, and a relay file that names it.
func freeswitch(t *testing.T) (*esltest.Server, settings.Relay) {
	t.Helper()
	pair, ca := certified(t)
	server := esltest.Start(t, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})
	_, port, err := net.SplitHostPort(server.Address())
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "socket"), []byte(esltest.Password+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600))
	s := full()
	s.Exchanges = []settings.RelayExchange{{Kind: "esl", Name: "hq", Address: "tls://localhost:" + port, User: esltest.User, Password: "file:" + filepath.Join(dir, "socket"),
		Extensions: settings.Extensions{"10xx"}, Variables: []string{"level"},
		Params: map[string]string{"tls_ca": filepath.Join(dir, "ca.pem"), "context": "default", "agent_domain": esltest.Domain, "phone_events": "yes"}}}
	return server, s
}

// A FreeSWITCH, the relay as its file has it, TLS on both ways, and two workstations: each has its own calls, and commands them.
func TestAFreeSWITCHsCallsReachTheirExtension(t *testing.T) {
	server, s := freeswitch(t)
	w := newWorldOf(t, s)
	one, two := w.source("1001", w.enrol("1001")), w.source("1002", w.enrol("1002"))
	first, second := w.station(one), w.station(two)
	first.awaitEvents(cti.SourceUp, 1)
	second.awaitEvents(cti.SourceUp, 1)
	caller := server.Incoming("13800138000", "Zhang San", "600", map[string]string{"X-Order-Id": "A-17"})
	server.Dial(caller, "1001")
	ringing := first.awaitCall("13800138000", cti.Alerting)
	if ringing.Data["order_id"] != "A-17" || ringing.Dialled != "600" {
		t.Errorf("data %v, dialled %q", ringing.Data, ringing.Dialled)
	}
	must(t, one.Phone().Answer(t.Context(), ringing))
	talk := first.awaitCall("13800138000", cti.Connected)
	if err := two.Phone().Hangup(t.Context(), talk); cti.KindOf(err) != cti.NotFound {
		t.Errorf("a colleague's call ended: %v", err)
	}
	must(t, one.Phone().Hold(t.Context(), talk))
	held := first.awaitCall("13800138000", cti.OnHold)
	must(t, one.Phone().Hangup(t.Context(), held))
	if c := first.awaitCall("13800138000", cti.StateClosed); c.Cause.By != cti.ByLocal {
		t.Errorf("cause %+v", c.Cause)
	}
	must(t, two.Phone().Presence(t.Context(), cti.AgentStatus{State: cti.NotReady}))
	second.awaitEvents(cti.AgentState, 1)
	second.mu.Lock()
	defer second.mu.Unlock()
	if len(second.calls) != 0 {
		t.Errorf("1002 was told of %+v", second.calls)
	}
}

// What an exchange sends is recorded at the relay, without the password, while calls go on; the recording replays to the calls.
func TestWhatAnExchangeSendsIsRecorded(t *testing.T) {
	server, s := freeswitch(t)
	s.State = filepath.Join(t.TempDir(), "state")
	must(t, os.Mkdir(s.State, 0o700))
	control, err := loopback.Listen(relay.Endpoint(s.State))
	if err != nil {
		t.Skipf("the test's folder has too long a name for a socket: %v", err)
	}
	w := &world{t: t}
	w.cfg = relay.Config{Settings: s, Log: logger(t), Control: control, Secrets: openly()}
	w.start()
	t.Cleanup(func() { w.stop() })
	station := w.station(w.source("1001", w.enrol("1001")))
	station.awaitEvents(cti.SourceUp, 1)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	frames, ended := make(chan tape.Frame, 1000), make(chan error, 1)
	go func() {
		ended <- relay.Record(ctx, s.State, "hq", func(f tape.Frame) error { frames <- f; return nil })
	}()
	var recording []tape.Frame
	timeout := time.After(patience)
	for calls := 1; len(recording) == 0; calls++ { // nothing tells when it has begun to listen
		c := server.Incoming("13800138000", "Zhang San", "600", nil)
		server.Dial(c, "1001")
		server.Hangup(c)
		station.awaitEvents(cti.Cleared, calls)
		select {
		case f := <-frames:
			recording = append(recording, f)
		case <-timeout:
			t.Fatal("nothing is recorded")
		default:
		}
	}
	c := server.Incoming("13900139000", "Li Si", "600", nil)
	server.Answer(server.Dial(c, "1001")[0])
	server.Hangup(c)
	for !slices.ContainsFunc(recording, func(f tape.Frame) bool {
		return strings.Contains(f.Text, "CHANNEL_HANGUP_COMPLETE") && strings.Contains(f.Text, "Caller-Destination-Number: 600") && strings.Contains(f.Text, "13900139000")
	}) {
		select {
		case f := <-frames:
			recording = append(recording, f)
		case <-timeout:
			t.Fatalf("the last call's end is not recorded: %d frames", len(recording))
		}
	}
	cancel()
	must(t, <-ended)
	for _, f := range recording {
		if strings.Contains(f.Text, esltest.Password) {
			t.Error("the password is in the recording")
		}
	}
	events, err := esl.Replay(recording, "1001")
	must(t, err)
	if !slices.ContainsFunc(events, func(e cti.Event) bool { return e.Type == cti.Established && e.Remote.Raw == "13900139000" }) {
		t.Errorf("replayed %v", types(events))
	}
	if err := relay.Record(t.Context(), s.State, "nothing", nil); cti.KindOf(err) != cti.NotFound {
		t.Errorf("an exchange there is not: %v", err)
	}
	go func() {
		ended <- relay.Record(context.Background(), s.State, "hq", func(f tape.Frame) error { frames <- f; return nil })
	}()
	w.stop() // whether it listens already or not
	if err := <-ended; cti.KindOf(err) != cti.Offline {
		t.Errorf("the relay stopped: %v", err)
	}
	if err := relay.Record(t.Context(), s.State, "hq", nil); cti.KindOf(err) != cti.Offline {
		t.Errorf("a relay that does not run: %v", err)
	}
	w.stop = func() {}
}
