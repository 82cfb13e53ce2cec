package relay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ami/amitest"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/sourcetest"
	"ringside.dev/ringside/bridge/tape"
)

// asterisk is a small Asterisk with an encrypted manager interface, and a relay file that names it.
func asterisk(t *testing.T) (*amitest.Server, settings.Relay) {
	t.Helper()
	pair, ca := certified(t)
	server := amitest.Start(t, amitest.Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}})
	server.Member("support", "1001")
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "manager"), []byte(amitest.Secret+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600))
	s := full()
	s.Exchanges = []settings.RelayExchange{{Kind: "ami", Name: "hq", Address: "tls://localhost:" + port, User: amitest.Username, Password: "file:" + filepath.Join(dir, "manager"),
		Extensions: settings.Extensions{"10xx"}, Variables: []string{"SIP_HEADER(X-Order-Id)", "SIP_HEADER(X-Level)", "SIP_HEADER(X-Crlf)"},
		Params: map[string]string{"tls_ca": filepath.Join(dir, "ca.pem"), "context": "internal", "recording_variable": "MIXMONITOR_FILENAME"}}}
	return server, s
}

// certified makes a certificate for localhost, which is its own authority, as an Asterisk's usually is.
func certified(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// handset is a workstation's source together with the hands at the agent's phone, which do what a manager interface cannot: answer, hold and
// consult. It gives the errors that a source's own command would.
type handset struct {
	bridge.Source
	server  *amitest.Server
	running *atomic.Bool
}

func (h handset) Run(ctx context.Context, emit func(cti.Event)) error {
	if h.running.CompareAndSwap(false, true) {
		defer h.running.Store(false)
	}
	return h.Source.Run(ctx, emit)
}

func (h handset) Phone() cti.Phone {
	can := withoutHistory{h.Source}.Phone()
	offers := can.Offers
	can.Offers = func(c cti.Call) []cti.Command {
		return append(offers(c), cti.CommandAnswer, cti.CommandHold, cti.CommandResume, cti.CommandConsult, cti.CommandComplete)
	}
	hand := func(do func(c *amitest.Channel) error) func(context.Context, cti.Call) error {
		return func(_ context.Context, c cti.Call) error {
			if !h.running.Load() || !h.server.Connected() {
				return cti.Errorf(cti.Offline, "not connected", nil)
			}
			channel := h.server.Find(c.Refs[cti.RefVendor+"asterisk"])
			if channel == nil {
				return cti.Errorf(cti.NotFound, "no such call", nil)
			}
			return do(channel)
		}
	}
	can.Answer = hand(func(c *amitest.Channel) error { c.Answer(); return nil })
	can.Hold = hand(func(c *amitest.Channel) error { c.Hold(true); return nil })
	can.Resume = hand(func(c *amitest.Channel) error { c.Hold(false); return nil })
	can.Consult = func(ctx context.Context, c cti.Call, to string) error {
		return hand(func(c *amitest.Channel) error { c.Consult(to); return nil })(ctx, c)
	}
	can.Complete = hand(func(c *amitest.Channel) error {
		if !c.Complete() {
			return cti.Errorf(cti.Conflict, "there is nobody to give it to", nil)
		}
		return nil
	})
	return can
}

// An Asterisk, the relay as its file has it, TLS on both ways, and a workstation that was enrolled.
func TestConformanceWithAnAsterisk(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		server, s := asterisk(t)
		w := newWorldOf(t, s)
		source := w.source("1001", w.enrol("1001"))
		var last *amitest.Channel
		ring := func(_ *testing.T, r sourcetest.Ringer) sourcetest.Caller {
			vars := map[string]string{}
			for name, value := range r.Data {
				vars["SIP_HEADER("+name+")"] = value
			}
			data := map[string]string{}
			maps.Copy(data, map[string]string{"order_id": r.Data["X-Order-Id"], "level": r.Data["X-Level"]})
			last = server.Ring("1001", amitest.Caller{Number: r.Number, Name: r.Name, Vars: vars})
			agent, caller := last, last.Peer()
			return sourcetest.Caller{Number: r.Number, Data: data, Hangup: func(*testing.T) { caller.Hangup() }, FarEnd: sourcetest.FarEnd{
				Heard: func(t *testing.T, digits string) {
					if got := caller.Heard(); got != digits || agent.Heard() != "" {
						t.Errorf("the far end heard %q and the agent %q, want %q and nothing", got, agent.Heard(), digits)
					}
				},
				AwaitMuted: func(t *testing.T, muted bool) {
					if agent.Muted() != muted {
						t.Errorf("muted %v, want %v", agent.Muted(), muted)
					}
				},
				Hold: func(_ *testing.T, held bool) { caller.Hold(held) },
			}}
		}
		return sourcetest.Rig{
			Source: handset{source, server, new(atomic.Bool)},
			Ring: func(t *testing.T, name string) sourcetest.Caller {
				return ring(t, sourcetest.Ringer{Number: "13800138000", Name: name})
			},
			RingWith: ring,
			Reachable: func(*testing.T) sourcetest.Callee {
				c := server.Reachable("7788")
				return sourcetest.Callee{Target: "7788", Number: "7788", Answer: func(*testing.T) { c.Rings().Answer() },
					Refuse: func(*testing.T) { c.Rings().Hangup() }, Hangup: func(*testing.T) { c.Talks().Hangup() }}
			},
			Join: func(*testing.T) string { last.Join("13900139000"); return "13900139000" },
			Recorded: func(*testing.T) string {
				last.Recorded("/var/spool/asterisk/monitor/2026/11/26/q-600-1.wav")
				return "q-600-1.wav"
			},
			Break: func(*testing.T) { server.Cut() }, Restore: func(*testing.T) { server.Restore() },
			Kill: func(*testing.T) { server.Kill() }, Revive: func(*testing.T) { server.Restore() },
			Garbage:      func(_ *testing.T, raw []byte) { server.Raw(raw) },
			Disorder:     func(*testing.T) { server.SetDisorder() },
			TellsFarHold: true, TellsMute: true,
		}
	})
}

// A real Asterisk with an encrypted manager interface, real phones, the relay and a workstation that was enrolled.
func TestConformanceWithARealAsterisk(t *testing.T) {
	pair, ca := certified(t)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(t, err)
	dir := t.TempDir()
	certificate, authority := filepath.Join(dir, "asterisk.pem"), filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(certificate, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), ca...), 0o600))
	must(t, os.WriteFile(authority, ca, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "manager"), []byte(amitest.Secret+"\n"), 0o600))
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		a := asterisktest.NewWorld(t, asterisktest.Options{Secret: amitest.Secret, Certificate: certificate})
		line := sourcetest.NewLine(t, a.AMIS(), nil)
		_, port, err := net.SplitHostPort(line.Address())
		must(t, err)
		s := full()
		s.Exchanges = []settings.RelayExchange{{Kind: "ami", Name: "hq", Address: "tls://localhost:" + port, User: asterisktest.Username,
			Password: "file:" + filepath.Join(dir, "manager"), Extensions: settings.Extensions{"10xx"}, Variables: []string{"ORDER_ID", "LEVEL"},
			Params: map[string]string{"tls_ca": authority, "recording_variable": "MIXMONITOR_FILENAME"}}}
		w := newWorldOf(t, s)
		rig := a.Rig(withoutHistory{w.source(asterisktest.AgentExtension, w.enrol(asterisktest.AgentExtension))}, line)
		rig.TellsMute = true
		return rig
	})
}

// withoutHistory: what happened while the relay had no manager interface nobody knows; what it heard itself is told in break_test.go.
type withoutHistory struct{ bridge.Source }

func (w withoutHistory) Phone() cti.Phone {
	can := w.Source.Phone()
	can.History = nil
	return can
}

// newWorldOf runs a relay with the exchanges that its file names.
func newWorldOf(t *testing.T, s settings.Relay) *world {
	t.Helper()
	s.State = filepath.Join(t.TempDir(), "state")
	w := &world{t: t}
	w.cfg = relay.Config{Settings: s, Log: logger(t), Secrets: openly()}
	w.start()
	t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
	})
	return w
}

// What the exchange says can be recorded at the running relay, without its secret, and comes to the same calls when it is played again.
func TestAnExchangeIsRecordedAtTheRelay(t *testing.T) {
	server, s := asterisk(t)
	s.State = filepath.Join(t.TempDir(), "state")
	control, err := loopback.ListenAdmin(relay.Endpoint(s.State))
	if err != nil {
		t.Skipf("the test's folder has too long a name for a socket: %v", err)
	}
	w := &world{t: t, cfg: relay.Config{Settings: s, Log: logger(t), Control: control, Secrets: openly()}}
	w.start()
	defer func() { w.stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := relay.Record(ctx, s.State, "other", nil); cti.KindOf(err) != cti.NotFound {
		t.Errorf("an exchange there is not: %v", err)
	}
	frames := make(chan tape.Frame, 4096)
	ended := make(chan error, 1)
	go func() {
		ended <- relay.Record(ctx, s.State, "hq", func(f tape.Frame) error { frames <- f; return nil })
	}()
	again := time.NewTicker(50 * time.Millisecond) // nothing tells when the relay begins to listen
	defer again.Stop()
	for len(frames) == 0 && ctx.Err() == nil {
		<-again.C
		server.Ring("1002", amitest.Caller{Number: "13900139000"}).Peer().Hangup()
	}
	leg := server.Ring("1001", amitest.Caller{Number: "13800138000"})
	leg.Answer()
	leg.Peer().Hangup()
	var heard []tape.Frame
	for hungUp := false; !hungUp; {
		var f tape.Frame
		select {
		case f = <-frames:
		case <-ctx.Done():
			t.Fatalf("the end of the call is not among %d frames", len(heard))
		}
		heard = append(heard, f)
		if strings.Contains(f.Text, amitest.Secret) {
			t.Errorf("the secret is in it: %s", f.Text)
		}
		hungUp = strings.Contains(f.Text, "Event: Hangup") && strings.Contains(f.Text, "SIP/1001-")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the recording ended with %v", err)
	}
	events, err := bridge.Replay("ami", heard, "1001")
	must(t, err)
	calls := map[string]cti.Call{}
	ledger := cti.NewLedger("test")
	for _, e := range events {
		for _, c := range ledger.Apply(e.Clean()) {
			calls[c.After.Leg] = c.After
		}
	}
	if len(calls) != 1 {
		t.Fatalf("%d calls come of %d frames: %+v", len(calls), len(heard), calls)
	}
	for _, c := range calls {
		if c.Remote.Raw != "13800138000" || c.EstablishedAt.IsZero() || c.State != cti.StateClosed {
			t.Errorf("the call: %+v", c)
		}
	}
}
