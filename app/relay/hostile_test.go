package relay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/relayed"
)

// stolen is what an attacker finds in an identity.
type stolen struct {
	Key       []byte `json:"key"`
	Cert      []byte `json:"cert"`
	Authority []byte `json:"authority"`
}

func (m *memory) steal(t *testing.T) stolen {
	t.Helper()
	text, err := m.Load()
	if err != nil {
		t.Fatal(err)
	}
	var s stolen
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s stolen) pair(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{s.Cert}, PrivateKey: key}
}

// attacker speaks the wire by hand.
type attacker struct {
	t    *testing.T
	conn *tls.Conn
	link *relayed.Link
	head relayed.Welcome
}

// attack connects with a certificate, or none, and gives the first thing the relay lets it see or the error.
func (w *world) attack(certs ...tls.Certificate) (*attacker, error) {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.address, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, Certificates: certs,
		NextProtos: []string{relayed.ProtoRelay}, ServerName: relayed.ServerName})
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { _ = conn.Close() }) // the relay may have closed it
	a := &attacker{t: w.t, conn: conn, link: relayed.NewLink(conn, relayed.MaxDown)}
	if err := a.link.Write(relayed.Message{T: relayed.THello, Hello: &relayed.Hello{Version: 1, Host: "evil"}}); err != nil {
		return nil, err
	}
	m, err := a.link.Read(patience)
	if err != nil {
		return nil, err
	}
	if m.Welcome == nil {
		return nil, m.Refusal.Err()
	}
	a.head = *m.Welcome
	return a, nil
}

// asks gives a command and returns the relay's answer; what else comes meanwhile goes to seen.
func (a *attacker) asks(m relayed.Message, seen *[]relayed.Message) error {
	a.t.Helper()
	if err := a.link.Write(m); err != nil {
		a.t.Fatal(err)
	}
	for {
		got, err := a.link.Read(patience)
		if err != nil {
			a.t.Fatal(err)
		}
		if got.T == relayed.TReply && got.ID == m.ID {
			return got.Problem.Err()
		}
		if seen != nil {
			*seen = append(*seen, got)
		}
	}
}

func (a *attacker) commands(id uint64, o cti.Instruction, refs map[string]string) error {
	a.t.Helper()
	return a.asks(relayed.Message{T: relayed.TCommand, ID: id, Command: &relayed.Command{Instruction: o, Refs: refs}}, nil)
}

func TestWithoutACertificateOfTheRelayNothingIsSaid(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	other := newWorld(t, full())
	foreign := other.enrol("1001").steal(t)
	own := selfSigned(t, "1001")
	for name, certs := range map[string][]tls.Certificate{
		"none": nil, "of another relay's authority": {foreign.pair(t)}, "of its own": {own},
		"of its own, with the relay's authority behind it": {{Certificate: [][]byte{own.Certificate[0], keep.steal(t).Authority}, PrivateKey: own.PrivateKey}},
	} {
		a, err := w.attack(certs...)
		if err == nil {
			t.Errorf("%s: the relay said %+v", name, a.head)
		} else if cti.KindOf(err) != cti.Internal { // a refusal in words would be a message of the relay
			t.Errorf("%s: the relay answered %v", name, err)
		}
	}
	s := w.through(w.address, "1001", other.enrol("1001")) // an honest workstation at the wrong relay
	st := w.station(s)
	st.awaitEvents(cti.SourceDown, 1)
	if raw := st.events[0].Cause.Raw; !strings.Contains(raw, "is not the relay this computer knows") {
		t.Errorf("the workstation says %q", raw)
	}
}

func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func TestAnotherExtensionsCallsAreNeitherHeardNorCommanded(t *testing.T) {
	w := newWorld(t, full())
	victim := w.station(w.source("1001", w.enrol("1001")))
	a, err := w.attack(w.enrol("1002").steal(t).pair(t))
	if err != nil {
		t.Fatal(err)
	}
	w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
	call := victim.awaitCall("13800138000", cti.Alerting)
	for n, command := range []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandTransfer} {
		if err := a.commands(uint64(n+1), cti.Instruction{Command: command, To: "600"}, call.Refs); cti.KindOf(err) != cti.NotFound {
			t.Errorf("%s of a colleague's call: %v, want kind notfound", command, err)
		}
	}
	var seen []relayed.Message
	if err := a.asks(relayed.Message{T: relayed.THistory, ID: 9}, &seen); err != nil {
		t.Errorf("the own history: %v", err)
	}
	ref := w.exchange.Extension("1002").Ring("13900139000", "Li Si") // its own call comes after all that was not its own
	for own := false; !own; {
		m, err := a.link.Read(patience)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, m)
		own = m.Event != nil && m.Event.Call.Refs["sim_call"] == ref
	}
	text, err := json.Marshal(seen)
	if err != nil || strings.Contains(string(text), "13800138000") || strings.Contains(string(text), "1001") {
		t.Errorf("1002 was told of 1001: %s, %v", text, err)
	}
	victim.mu.Lock()
	defer victim.mu.Unlock()
	if state := victim.calls[call.Leg].State; state != cti.Alerting {
		t.Errorf("the call of 1001 is %s", state)
	}
}

func TestTheProfileCannotClaimAnotherExtension(t *testing.T) {
	w := newWorld(t, full())
	st := w.station(w.source("1001", w.enrol("1002")))
	st.awaitEvents(cti.SourceDown, 1)
	if raw := st.events[0].Cause.Raw; !strings.Contains(raw, "enrolled for the extension 1002, and the profile says 1001") {
		t.Errorf("the workstation says %q", raw)
	}
}

func TestRightsAreEnforcedByTheRelay(t *testing.T) {
	s := full()
	s.Rights = []settings.RelayRights{{Extensions: settings.Extensions{"1001"}, Allow: []settings.Right{settings.RightHear}}, {Extensions: settings.Extensions{"1003"}}}
	w := newWorld(t, s)
	phone := w.exchange.Extension("1001")
	ref := phone.Ring("13800138000", "Zhang San")
	a, err := w.attack(w.enrol("1001").steal(t).pair(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.head.Can) != 0 {
		t.Errorf("1001 may only hear, and is granted %v", a.head.Can)
	}
	all := []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandHold, cti.CommandResume, cti.CommandMute, cti.CommandUnmute,
		cti.CommandDTMF, cti.CommandTransfer, cti.CommandConsult, cti.CommandComplete, cti.CommandDial}
	for n, command := range all {
		if err := a.commands(uint64(n+1), cti.Instruction{Command: command, To: "600"}, map[string]string{"sim_call": ref}); cti.KindOf(err) != cti.Denied {
			t.Errorf("%s: %v, want kind denied", command, err)
		}
	}
	status := &relayed.Command{Instruction: cti.Instruction{Command: cti.CommandPresence}, Status: &cti.AgentStatus{State: cti.Ready}}
	if err := a.asks(relayed.Message{T: relayed.TCommand, ID: 99, Command: status}, nil); cti.KindOf(err) != cti.Denied {
		t.Errorf("presence: %v, want kind denied", err)
	}
	if calls := phone.Live(); len(calls) != 1 || calls[0].State != cti.Alerting {
		t.Errorf("the call is not as it was: %+v", calls)
	}
	named := w.source("1002", w.enrol("1002")) // not named: the default
	if can := named.Phone().Abilities(); !slices.Equal(can, []cti.Command{cti.CommandReject, cti.CommandHangup}) {
		t.Errorf("an extension that is not named may %v", can)
	}
	deaf := w.station(w.source("1003", w.enrol("1003")))
	deaf.awaitEvents(cti.SourceUp, 1)
	w.exchange.Extension("1003").Ring("13900139000", "Li Si")
	if events, err := deaf.source.Phone().History(t.Context(), time.Time{}); err != nil || len(events) != 0 {
		t.Errorf("who may not hear asked for the history and got %d events, %v", len(events), err)
	}
	w.exchange.Extension("1003").Disconnect() // comes behind the ring
	deaf.awaitEvents(cti.SourceDown, 1)
	if got := types(deaf.events); !slices.Equal(got, []cti.EventType{cti.SourceUp, cti.SourceDown}) {
		t.Errorf("who may not hear was told %v", got)
	}
}

func TestWhatCouldBeTwoCommandsIsNone(t *testing.T) {
	w := newWorld(t, full())
	a, err := w.attack(w.enrol("1001").steal(t).pair(t))
	if err != nil {
		t.Fatal(err)
	}
	for n, to := range []string{"600\r\nAction: Originate", "600\n\nbgapi system reboot", "600;rm", "600\x00", " 600", strings.Repeat("6", 200), "600&Local/1", "{x=y}600", ""} {
		if err := a.commands(uint64(n+1), cti.Instruction{Command: cti.CommandDial, To: to}, nil); cti.KindOf(err) != cti.Invalid {
			t.Errorf("dial %q: %v, want kind invalid", to, err)
		}
	}
	for n, m := range []relayed.Message{{T: relayed.TCommand}, {T: relayed.TCommand, Command: &relayed.Command{}}, {T: relayed.TRenew, CSR: []byte("x")}, {T: relayed.TRenew},
		{T: relayed.TCommand, Command: &relayed.Command{Instruction: cti.Instruction{Command: "reboot"}}},
		{T: relayed.TCommand, Command: &relayed.Command{Instruction: cti.Instruction{Command: cti.CommandPresence}, Status: &cti.AgentStatus{State: "asleep"}}}} {
		m.ID = uint64(n + 20)
		if n > 3 { // of another second: there is a limit
			<-time.After(time.Second / 4)
		}
		if err := a.asks(m, nil); cti.KindOf(err) != cti.Invalid && cti.KindOf(err) != cti.Limited {
			t.Errorf("message %d: %v, want kind invalid", n, err)
		}
	}
	if calls := w.exchange.Extension("1001").Live(); len(calls) != 0 {
		t.Errorf("something was dialled: %+v", calls)
	}
}

func TestAFloodOfCommandsIsLimited(t *testing.T) {
	w := newWorld(t, full())
	a, err := w.attack(w.enrol("1001").steal(t).pair(t))
	if err != nil {
		t.Fatal(err)
	}
	const flood = 500
	for n := range flood {
		if err := a.link.Write(relayed.Message{T: relayed.TCommand, ID: uint64(n + 1), Command: &relayed.Command{Instruction: cti.Instruction{Command: cti.CommandHangup}}}); err != nil {
			t.Fatal(err)
		}
	}
	limited := 0
	for n := 0; n < flood; {
		m, err := a.link.Read(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.T == relayed.TReply {
			n++
			if cti.KindOf(m.Problem.Err()) == cti.Limited {
				limited++
			}
		}
	}
	if limited < flood/2 {
		t.Errorf("%d of %d commands were limited", limited, flood)
	}
}

func TestGarbageEndsTheConnectionAndNothingElse(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	st := w.station(w.source("1001", keep))
	st.awaitEvents(cti.SourceUp, 1)
	for name, raw := range map[string]string{
		"another protocol": "GET / HTTP/1.1\r\n\r\n", "a length nothing has": "\xff\xff\xff\xff", "one byte too long": string(binary.BigEndian.AppendUint32(nil, relayed.MaxUp+1)),
		"no JSON": "\x00\x00\x00\x02xx", "deep": string(binary.BigEndian.AppendUint32(nil, 60000)) + strings.Repeat("[", 60000),
	} {
		a, err := w.attack(w.enrol("1001").steal(t).pair(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(a.conn, raw); err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = a.link.Read(patience)
		}
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			t.Errorf("%s: the relay did not hang up", name)
		}
	}
	w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
	st.awaitCall("13800138000", cti.Alerting)
}

func TestARevocationEndsTheConnectionAtOnceAndForGood(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	st := w.station(w.source("1001", keep))
	other := w.station(w.source("1002", w.enrol("1002")))
	st.awaitEvents(cti.Snapshot, 1)
	other.awaitEvents(cti.Snapshot, 1)
	thief, err := w.attack(w.enrol("1001").steal(t).pair(t)) // somebody else who was enrolled for it
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.relay.Revoke("1001"); n != 2 || err != nil {
		t.Fatalf("revoked %d, %v", n, err)
	}
	w.exchange.Extension("1001").Ring("13800138000", "Zhang San") // after the revocation: for nobody
	st.await("the reason", func() bool {
		return slices.ContainsFunc(st.events, func(e cti.Event) bool { return e.Cause != nil && strings.Contains(e.Cause.Raw, "revoked") })
	})
	for {
		m, err := thief.link.Read(patience)
		if err != nil {
			break
		}
		if m.Event != nil && m.Event.Type == cti.Delivered {
			t.Error("the thief still heard a call")
		}
	}
	if _, err := w.attack(keep.steal(t).pair(t)); cti.KindOf(err) != cti.Auth || !strings.Contains(cti.MessageOf(err), "revoked") {
		t.Errorf("with a revoked certificate: %v", err)
	}
	if _, err := w.relay.Revoke("1001"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("a second revocation: %v", err)
	}
	list := w.relay.List()
	if len(list) != 3 || list[0].RevokedAt.IsZero() || list[0].Connected || list[1].RevokedAt.IsZero() || list[1].Connected || !list[2].Connected {
		t.Errorf("the list: %+v", list)
	}
	w.exchange.Extension("1002").Ring("13900139000", "Li Si")
	other.awaitCall("13900139000", cti.Alerting)
	st.mu.Lock()
	defer st.mu.Unlock()
	if count(st.events, cti.Delivered) != 0 {
		t.Error("the revoked workstation heard a call")
	}
}

func TestARevocationIsRemembered(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	serial := w.relay.List()[0].Certs[0].Serial
	if n, err := w.relay.Revoke(serial); n != 1 || err != nil {
		t.Fatalf("revoked %d by its serial number, %v", n, err)
	}
	w.stop()
	w.start()
	if _, err := w.attack(keep.steal(t).pair(t)); cti.KindOf(err) != cti.Auth {
		t.Errorf("after the relay started anew: %v", err)
	}
}

func TestACodeIsGoodOnce(t *testing.T) {
	w := newWorld(t, full())
	code, err := w.relay.Enrol("1001")
	if err != nil {
		t.Fatal(err)
	}
	o := relayed.Options{Address: w.address, Keep: &memory{}}
	if _, err := relayed.Enrol(t.Context(), o, " "+strings.ToLower(code)+" "); err != nil {
		t.Fatal(err)
	}
	o.Keep = &memory{}
	if _, err := relayed.Enrol(t.Context(), o, code); cti.KindOf(err) != cti.Auth || !strings.Contains(cti.MessageOf(err), "does not take this code") {
		t.Errorf("the second time: %v", err)
	}
	if text, err := o.Keep.Load(); text != nil || err != nil {
		t.Error("something was kept of it")
	}
	if _, err := w.relay.Enrol("2001"); cti.KindOf(err) != cti.NotFound {
		t.Errorf("an extension that no exchange has: %v", err)
	}
	if _, err := w.relay.Enrol("1001\r\n"); cti.KindOf(err) != cti.Invalid {
		t.Errorf("no extension: %v", err)
	}
}

func TestACodeIsBurntByGuessing(t *testing.T) {
	w := newWorld(t, full())
	text, err := w.relay.Enrol("1001")
	if err != nil {
		t.Fatal(err)
	}
	code, err := relayed.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		guess := code
		guess.Proof = append([]byte{byte(n) ^ code.Proof[0] ^ 0x80}, code.Proof[1:]...)
		if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, guess.String()); cti.KindOf(err) != cti.Auth {
			t.Errorf("guess %d: %v", n, err)
		}
	}
	if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, text); cti.KindOf(err) != cti.Auth {
		t.Errorf("the right code after five wrong ones: %v, want it burnt", err)
	}
	for range 4 {
		if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, text); err == nil {
			t.Error("a burnt code was taken")
		}
	}
	if _, err = relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, text); cti.KindOf(err) != cti.Limited {
		t.Errorf("the eleventh try of a minute: %v, want kind limited", err)
	}
}

// Who answers in the relay's place learns nothing of the code.
func TestACodeIsShownToItsRelayOnly(t *testing.T) {
	w := newWorld(t, full())
	code, err := w.relay.Enrol("1001")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan int, 1)
	victim := w.enrol("1002").steal(t) // a certificate of the right authority, but not the relay's
	go func() {
		defer close(heard)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		pair := victim.pair(t)
		pair.Certificate = append(pair.Certificate, victim.Authority)
		conn := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{relayed.ProtoEnrol}})
		n, _ := io.Copy(io.Discard, conn) // its error is what is wanted
		_ = raw.Close()
		heard <- int(n)
	}()
	_, err = relayed.Enrol(t.Context(), relayed.Options{Address: l.Addr().String(), Keep: &memory{}}, code)
	if cti.KindOf(err) != cti.Denied {
		t.Errorf("somebody else in the relay's place: %v, want kind denied", err)
	}
	if n := <-heard; n != 0 {
		t.Errorf("it heard %d bytes", n)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	other := newWorld(t, full())
	if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: other.address, Keep: &memory{}}, code); cti.KindOf(err) != cti.Denied {
		t.Errorf("another relay: %v, want kind denied", err)
	}
	if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, code); err != nil {
		t.Errorf("and then its own: %v", err)
	}
}

// A workstation's certificate is of the same authority as the relay's, and must not pass for it.
func TestAWorkstationCannotPassForTheRelay(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	evil := w.enrol("1002").steal(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		conn := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{evil.pair(t)}, NextProtos: []string{relayed.ProtoRelay}})
		err = conn.Handshake()
		_ = raw.Close()
		served <- err
	}()
	st := w.station(w.through(l.Addr().String(), "1001", keep))
	if err := <-served; err == nil {
		t.Error("the handshake succeeded")
	}
	st.awaitEvents(cti.SourceDown, 1)
	if count(st.events, cti.SourceUp) != 0 {
		t.Error("the workstation is up")
	}
	st.stop()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestASecretNobodyElseMayReadIsNotUsedWhenTheyMay(t *testing.T) {
	s := full()
	s.State = t.TempDir()
	s.Exchanges[0].Password = "file:" + s.State + "/none"
	_, err := relay.New(relay.Config{Settings: s, Log: logger(t), Secrets: relay.OpenSecrets(nil, func(string) string { return "" })})
	if cti.KindOf(err) != cti.Auth || !strings.Contains(fmt.Sprint(err), "sim.password names file:") {
		t.Errorf("a secret that is not there: %v", err)
	}
}
