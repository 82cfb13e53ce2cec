package esl

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/esl/esltest"
)

// bound is how long anything is waited for that comes as a signal.
const bound = 20 * time.Second

// heard is what an exchange emits while it runs.
type heard struct {
	t *testing.T

	mu      sync.Mutex
	all     []told
	changed chan struct{}
}

func (h *heard) emit(extension string, e cti.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, told{extension, e})
	close(h.changed)
	h.changed = make(chan struct{})
}

// await gives the first event that a function picks.
func (h *heard) await(what string, pick func(told) bool) told {
	h.t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		at, changed := slices.IndexFunc(h.all, pick), h.changed
		var found told
		if at >= 0 {
			found = h.all[at]
		}
		h.mu.Unlock()
		if at >= 0 {
			return found
		}
		select {
		case <-changed:
		case <-timeout.C:
			h.t.Fatalf("%s: not told; %+v", what, h.all)
		}
	}
}

func (h *heard) awaitType(t cti.EventType) told {
	h.t.Helper()
	return h.await(string(t), func(e told) bool { return e.event.Type == t })
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// awaitSnapshotOf gives the first list of an extension's calls.
func (h *heard) awaitSnapshotOf(extension string) cti.Event {
	h.t.Helper()
	return h.await("the list of "+extension, func(e told) bool { return e.extension == extension && e.event.Type == cti.Snapshot }).event
}

func (h *heard) count(typ cti.EventType) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, e := range h.all {
		if e.event.Type == typ {
			n++
		}
	}
	return n
}

func start(t *testing.T, x *Exchange) *heard {
	t.Helper()
	h := &heard{t: t, changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx, h.emit) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

func exchange(t *testing.T, server *esltest.Server, change func(c *Config)) *Exchange {
	t.Helper()
	c := Config{Address: server.Address(), Password: esltest.Password, Context: "default", AgentDomain: esltest.Domain}
	if change != nil {
		change(&c)
	}
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSettingsThatCannotWorkOrLeakAreRefused(t *testing.T) {
	good := Config{Address: "127.0.0.1:8021", Password: "p"}
	for _, address := range []string{"127.0.0.1:8021", "[::1]:8021", "localhost:8021"} {
		c := good
		if c.Address = address; newError(c) != nil {
			t.Errorf("%s: refused", address)
		}
	}
	encrypted := good
	encrypted.Address, encrypted.TLS = "pbx.example:8022", &tls.Config{MinVersion: tls.VersionTLS12}
	if newError(encrypted) != nil {
		t.Error("TLS to another machine: refused")
	}
	for name, change := range map[string]func(c *Config){
		"no address":              func(c *Config) { c.Address = "" },
		"no port":                 func(c *Config) { c.Address = "127.0.0.1" },
		"port 0":                  func(c *Config) { c.Address = "127.0.0.1:0" },
		"all interfaces":          func(c *Config) { c.Address = "0.0.0.0:8021" },
		"unencrypted to another":  func(c *Config) { c.Address = "pbx.example:8021" },
		"a name like ours":        func(c *Config) { c.Address = "localhost.example:8021" },
		"no password":             func(c *Config) { c.Password = "" },
		"line in password":        func(c *Config) { c.Password = "secret\r\nevent plain ALL" },
		"user with a colon":       func(c *Config) { c.User = "a:b" },
		"user with a space":       func(c *Config) { c.User = "a b" },
		"context":                 func(c *Config) { c.Context = "default inline" },
		"domain":                  func(c *Config) { c.Domain = "a}b" },
		"agents' domain":          func(c *Config) { c.AgentDomain = "a'b" },
		"device":                  func(c *Config) { c.Devices = map[string][]string{"1001": {"a b"}} },
		"no device":               func(c *Config) { c.Devices = map[string][]string{"1001": {}} },
		"extension with a space":  func(c *Config) { c.Devices = map[string][]string{"10 01": {"1001"}} },
		"extension with a comma":  func(c *Config) { c.Devices = map[string][]string{"1001,x=y": {"1001"}} },
		"extension with a dollar": func(c *Config) { c.Devices = map[string][]string{"${x}": {"1001"}} },
	} {
		c := good
		change(&c)
		if err := newError(c); cti.KindOf(err) != cti.Invalid || cti.MessageOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v of kind %q; want kind invalid, words, and no secret", name, err, cti.KindOf(err))
		}
	}
}

// newError gives New's error alone.
func newError(c Config) error {
	_, err := New(c)
	return err
}

// firstDown runs an exchange until it says that it is down, and gives why.
func firstDown(t *testing.T, x *Exchange) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var why []string
	if err := x.Run(ctx, func(_ string, e cti.Event) {
		if e.Type != cti.SourceDown {
			t.Errorf("told %s before it was up", e.Type)
			return
		}
		why = append(why, e.Cause.Raw)
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(why, "; ")
}

func TestWhyThereIsNoConnectionSaysWhatToDoAndNoSecret(t *testing.T) {
	for name, test := range map[string]struct {
		server func(s *esltest.Server)
		change func(c *Config)
		want   string
	}{
		"password": {nil, func(c *Config) { c.Password = "wrong-s3cret" }, "event_socket.conf.xml"},
		"user":     {nil, func(c *Config) { c.User = "nobody@pbx.example" }, "esl-password"},
		"acl":      {(*esltest.Server).Rude, nil, "apply-inbound-acl"},
		"listing":  {func(s *esltest.Server) { s.Deny("show") }, nil, "esl-allowed-api"},
	} {
		server := esltest.Start(t, nil)
		if test.server != nil {
			test.server(server)
		}
		var log logged
		x := exchange(t, server, func(c *Config) {
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			if test.change != nil {
				test.change(c)
			}
		})
		if why := firstDown(t, x); !strings.Contains(why, test.want) {
			t.Errorf("%s: %q, want it to name %s", name, why, test.want)
		}
		if strings.Contains(log.String(), "s3cret") {
			t.Errorf("%s: the log holds the password: %s", name, log.String())
		}
	}
}

// FreeSWITCH cuts its answer to a user with long lists of rights: its end never comes.
func TestAnAnswerToTheSignInThatIsCutSaysWhatToShorten(t *testing.T) {
	for user, want := range map[string]string{"ringside@pbx.example": "esl-allowed-events", "": "did not answer in time"} {
		synctest.Test(t, func(t *testing.T) {
			x := piped(t, answering("Content-Type: auth/request\n\n", "Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: CHANNEL_CRE"))
			x.config.User = user
			if why := firstDown(t, x); !strings.Contains(why, want) {
				t.Errorf("down because %q, want it to name %s", why, want)
			}
		})
	}
}

func TestAUserOfItsOwnSignsIn(t *testing.T) {
	server := esltest.Start(t, nil)
	start(t, exchange(t, server, func(c *Config) { c.User = esltest.User })).awaitType(cti.SourceUp)
}

// The certificate of httptest's server is as good as any for a name that it holds.
func TestASocketInsideTLS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	t.Cleanup(pair.Close)
	server := esltest.Start(t, &tls.Config{Certificates: pair.TLS.Certificates, MinVersion: tls.VersionTLS12})
	trusted := x509.NewCertPool()
	trusted.AddCert(pair.Certificate())
	start(t, exchange(t, server, func(c *Config) { c.TLS = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12} })).awaitType(cti.SourceUp)
	x := exchange(t, server, func(c *Config) { c.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12} })
	if why := firstDown(t, x); !strings.Contains(why, "certificate is not trusted") {
		t.Errorf("down because %q", why)
	}
}

// piped lets an exchange connect in virtual time: dial is asked for each connection.
func piped(t *testing.T, dial func() (net.Conn, error)) *Exchange {
	t.Helper()
	x, err := New(Config{Address: "127.0.0.1:8021", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	x.dial = func(context.Context) (net.Conn, error) { return dial() }
	return x
}

// answering gives the near end of a connection whose far end says something first, and after every command.
func answering(first string, replies ...string) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			in := bufio.NewReader(ours)
			for _, text := range append([]string{first}, replies...) {
				if _, err := ours.Write([]byte(text)); err != nil {
					return
				}
				for line := "x"; line != "\n"; {
					var err error
					if line, err = in.ReadString('\n'); err != nil {
						return
					}
				}
			}
		}()
		return theirs, nil
	}
}

func TestReconnectingIsNeverATightLoop(t *testing.T) {
	const hello, accepted = "Content-Type: auth/request\n\n", "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
	for name, test := range map[string]struct {
		dial        func() (net.Conn, error)
		most, least int           // attempts in ten minutes
		second      time.Duration // no second attempt before
	}{
		"nobody there":             {func() (net.Conn, error) { return nil, errors.New("connection refused") }, 33, 15, backoff.First},
		"garbage":                  {answering("220 this is a mail server\r\n"), 33, 15, backoff.First},
		"a reply nobody asked for": {answering(accepted), 33, 24, backoff.First},
		"dies after the sign-in":   {answering(hello, accepted), 33, 15, backoff.First},
		"password refused":         {answering(hello, "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"), 28, 20, backoff.Most * 3 / 4},
		"says nothing":             {answering(""), 24, 10, shakeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []time.Time
				down := 0
				x := piped(t, func() (net.Conn, error) {
					attempts = append(attempts, time.Now())
					return test.dial()
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				if err := x.Run(ctx, func(_ string, e cti.Event) {
					if e.Type == cti.SourceDown {
						down++
					}
				}); err != nil {
					t.Error(err)
				}
				if n := len(attempts); n > test.most || n < test.least || down != 1 {
					t.Fatalf("%d attempts in ten minutes, %d × source.down; want %d to %d, and one", n, down, test.least, test.most)
				}
				if pause := attempts[1].Sub(attempts[0]); pause < test.second {
					t.Errorf("the second attempt came after %v, want %v at least", pause, test.second)
				}
			})
		})
	}
}

func TestNoLineEndsACommandAndBeginsAnother(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	l := newLink(theirs, nil)
	for _, line := range []string{"", "api status\nevent plain ALL", "api status\r", "api \x00"} {
		if _, err := l.ask(t.Context(), time.Second, line); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q: %v, want invalid", line, err)
		}
	}
}

// A connection that was good for a while is tried again at once when it breaks, however often that was before.
func TestAfterAGoodConnectionTheWaitBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ok = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
		var ups, downs []time.Time
		x := piped(t, func() (net.Conn, error) {
			conn, err := answering("Content-Type: auth/request\n\n", ok, ok, "Content-Type: api/response\nContent-Length: 15\n\n{\"row_count\":0}")()
			time.AfterFunc(backoff.Proven+time.Second, func() { _ = conn.Close() })
			return conn, err
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := x.Run(ctx, func(_ string, e cti.Event) {
			switch e.Type {
			case cti.SourceUp:
				ups = append(ups, time.Now())
			case cti.SourceDown:
				downs = append(downs, time.Now())
			default:
			}
			if len(ups) == 10 {
				cancel()
			}
		}); err != nil {
			t.Error(err)
		}
		if pause := ups[9].Sub(downs[8]); pause > 2*backoff.First {
			t.Errorf("the ninth pause was %v, want %v", pause, backoff.First)
		}
	})
}

// A cut that nobody tells of is found by FreeSWITCH's heart not beating.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const ok = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
		x := piped(t, answering("Content-Type: auth/request\n\n", ok, ok, "Content-Type: api/response\nContent-Length: 15\n\n{\"row_count\":0}"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var up bool
		if err := x.Run(ctx, func(_ string, e cti.Event) {
			up = up || e.Type == cti.SourceUp
			if e.Type == cti.SourceDown {
				if d := time.Since(began); d < silence || d > silence+time.Second || !up || !strings.Contains(e.Cause.Raw, "silent") {
					t.Errorf("down after %v because %q, up before: %v", d, e.Cause.Raw, up)
				}
				cancel()
			}
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestEventsThatAreNoneEndTheConnectionAfterAFewInARow(t *testing.T) {
	server := esltest.Start(t, nil)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	bad := esltest.Frame([]byte("no header\n\n"))
	for range 3 {
		for range maxBroken - 1 {
			server.Raw(t, bad)
		}
		server.Raw(t, esltest.Frame([]byte("Event-Name: HEARTBEAT\n\n")))
	}
	leg := server.Dial(server.Incoming(zhang, "Zhang San", "600", nil), "1001")[0]
	h.awaitType(cti.Delivered)
	if n := h.count(cti.SourceDown); n != 0 {
		t.Fatalf("%d × source.down though never %d came in a row", n, maxBroken)
	}
	for range maxBroken {
		server.Raw(t, bad)
	}
	h.awaitType(cti.SourceDown)
	server.Answer(leg)
	h.await("the call goes on in the list", func(e told) bool {
		return e.event.Type == cti.Snapshot && len(e.event.Legs) == 1 && e.event.Legs[0].Type == cti.Established
	})
}

func TestNeitherPasswordNorNumbersReachTheLog(t *testing.T) {
	server := esltest.Start(t, nil)
	server.Desk = true
	var log logged
	x := exchange(t, server, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	if err := x.Phone("1001").Dial(t.Context(), "13900139000"); err != nil {
		t.Fatal(err)
	}
	h.await("the call", func(e told) bool { return e.event.Type == cti.Delivered && e.event.Side == cti.SideRemote })
	server.Raw(t, esltest.Frame([]byte("Caller-Caller-ID-Number 13800138000\n\n")))
	server.Raw(t, esltest.Frame([]byte("Event-Name: RECORD_STOP\nContent-Length: 13800138000\n\n")))
	server.Raw(t, []byte("13800138000\n\n"))
	h.awaitType(cti.SourceDown)
	if !strings.Contains(log.String(), "skipped") {
		t.Error("nothing is logged of events that cannot be read")
	}
	for _, secret := range []string{esltest.Password, "13900139000", "13800138000"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s: %s", secret, log.String())
		}
	}
}

func TestACommandReachesOnlyTheExtensionsOwnCalls(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	customer := server.Incoming(zhang, "Zhang San", "600", nil)
	leg := server.Dial(customer, "1001")[0]
	call := cti.Call{Refs: h.awaitType(cti.Delivered).event.Call.Refs, State: cti.Alerting}
	stranger := cti.Call{Refs: map[string]string{refChannel: customer.ID}}
	for name, err := range map[string]error{
		"a colleague's":  x.Phone("1002").Hangup(t.Context(), call),
		"the customer's": x.Phone("1001").Hangup(t.Context(), stranger),
		"nobody's":       x.Phone("1001").Reject(t.Context(), cti.Call{}),
	} {
		if cti.KindOf(err) != cti.NotFound {
			t.Errorf("%s channel: %v, want notfound", name, err)
		}
	}
	if err := x.Phone("1001").DTMF(t.Context(), call, "5"); cti.KindOf(err) != cti.Conflict {
		t.Errorf("tones before the answer: %v, want conflict", err)
	}
	server.Answer(leg)
	h.awaitType(cti.Established)
	if err := x.Phone("1001").Reject(t.Context(), call); cti.KindOf(err) != cti.Conflict {
		t.Errorf("an answered call refused: %v, want conflict", err)
	}
	bySIP := cti.Call{Refs: map[string]string{cti.RefSIPCallID: leg.CallID}} // as a softphone names it
	if err := x.Phone("1001").Hangup(t.Context(), bySIP); err != nil {
		t.Error(err)
	}
	if e := h.awaitType(cti.Cleared); e.event.Cause.By != cti.ByLocal {
		t.Errorf("cause %+v, want by the agent", e.event.Cause)
	}
}

func TestOnlyNumbersAreDialled(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	server.Answer(server.Dial(server.Incoming(zhang, "Zhang San", "600", nil), "1001")[0])
	call := cti.Call{Refs: h.awaitType(cti.Established).event.Call.Refs, State: cti.Connected}
	for _, to := range []string{"", "+", "1 2", "1001 XML public", "100\nevent plain ALL", "${system(reboot)}", "sip:a@b", "&park", "1,2", strings.Repeat("1", 65), "s", "'1'"} {
		for name, err := range map[string]error{"dial": x.Phone("1001").Dial(t.Context(), to), "transfer": x.Phone("1001").Transfer(t.Context(), call, to),
			"tones": x.Phone("1001").DTMF(t.Context(), call, to+"x")} {
			if cti.KindOf(err) != cti.Invalid {
				t.Errorf("%s %q: %v, want invalid", name, to, err)
			}
		}
	}
	if slices.ContainsFunc(server.Asked(), func(a string) bool { return strings.HasPrefix(a, "bgapi") }) {
		t.Errorf("one of them reached the exchange: %v", server.Asked())
	}
	if p := exchange(t, server, func(c *Config) { c.Context = "" }).Phone("1001"); p.Dial != nil || p.Transfer != nil {
		t.Error("dialling and transfers are offered without a context to do them in")
	}
	if p := x.Phone("1001\nevent plain ALL"); p.Dial != nil || p.Presence != nil {
		t.Error("an extension that cannot be one can dial")
	}
}

func TestWhatTheExchangeRefusesIsSaidInItsKind(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	if err := x.Phone("1999").Dial(t.Context(), "13900139000"); cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "not registered") {
		t.Errorf("a phone that is off: %v", err)
	}
	leg := server.Dial(server.Incoming(zhang, "Zhang San", "600", nil), "1001")[0]
	call := cti.Call{Refs: h.awaitType(cti.Delivered).event.Call.Refs, State: cti.Alerting}
	server.Deny("uuid_kill")
	if err := x.Phone("1001").Reject(t.Context(), call); cti.KindOf(err) != cti.Denied || !strings.Contains(cti.MessageOf(err), "esl-allowed-api") {
		t.Errorf("a command the user may not give: %v", err)
	}
	server.Hangup(leg) // the agent refuses it by hand; ours that was denied must not make it ours
	if e := h.awaitType(cti.Cleared); e.event.Cause.Code != cti.CauseRejected {
		t.Errorf("cause %+v", e.event.Cause)
	}
	for text, want := range map[string]cti.Kind{"-ERR No such channel!": cti.NotFound, "-ERR Cannot locate session!": cti.NotFound, "-ERR permission denied": cti.Denied,
		"-ERR uuid_x command not found!": cti.Denied, "-ERR NO_ANSWER": cti.Conflict, "-ERR SUBSCRIBER_ABSENT": cti.Invalid, "-USAGE: <uuid>": cti.Invalid,
		"": cti.Invalid, "-ERR 13800138000": cti.Invalid} {
		if err := refusal(text); cti.KindOf(err) != want || strings.Contains(err.Error(), "138") || cti.MessageOf(err) == "" {
			t.Errorf("%q: %v, want kind %s, in words of ours", text, err, want)
		}
	}
}

// A command that the exchange refuses leaves a call that ends later as what it is.
func TestARefusedCommandIsNone(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	c := server.Incoming(zhang, "Zhang San", "600", nil)
	server.Answer(server.Dial(c, "1001")[0])
	call := cti.Call{Refs: h.awaitType(cti.Established).event.Call.Refs, State: cti.Connected}
	server.Deny("uuid_transfer")
	if err := x.Phone("1001").Transfer(t.Context(), call, "1002"); cti.KindOf(err) != cti.Denied {
		t.Errorf("%v, want denied", err)
	}
	server.Deny("uuid_kill")
	if err := x.Phone("1001").Hangup(t.Context(), call); cti.KindOf(err) != cti.Denied {
		t.Errorf("%v, want denied", err)
	}
	server.Hangup(c)
	if e := h.awaitType(cti.Cleared); e.event.Cause.By != cti.ByRemote || e.event.Cause.Code != cti.CauseNormal {
		t.Errorf("cause %+v, want a normal end by the far end", e.event.Cause)
	}
}

// A background job whose result is late is accepted; what becomes of it comes as events.
func TestALateResultIsAnAcceptedCommand(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	server.Dial(server.Incoming(zhang, "Zhang San", "600", nil), "1001")
	call := cti.Call{Refs: h.awaitType(cti.Delivered).event.Call.Refs, State: cti.Alerting}
	server.Silence()
	began := time.Now()
	if err := x.Phone("1001").Reject(t.Context(), call); err != nil || time.Since(began) < replyTimeout {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Phone("1001").Reject(ctx, call); cti.KindOf(err) != cti.Offline {
		t.Errorf("%v, want offline when nobody waits any more", err)
	}
}

func TestTheConnectionEndsBetweenACommandAndItsResult(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	server.Dial(server.Incoming(zhang, "Zhang San", "600", nil), "1001")
	call := cti.Call{Refs: h.awaitType(cti.Delivered).event.Call.Refs, State: cti.Alerting}
	server.Silence()
	done := make(chan error, 1)
	go func() { done <- x.Phone("1001").Reject(context.Background(), call) }()
	server.AwaitAsked(t, "bgapi uuid_kill")
	server.Break(t)
	if err := <-done; cti.KindOf(err) != cti.Uncertain && cti.KindOf(err) != cti.Offline {
		t.Errorf("%v, want uncertain, or offline if not even the receipt came", err)
	}
}

func TestWhatIsOfferedFitsTheCallsState(t *testing.T) {
	x := exchange(t, esltest.Start(t, nil), func(c *Config) { c.PhoneEvents = true })
	p := x.Phone("1001")
	for state, want := range map[cti.State][]cti.Command{cti.Null: {cti.CommandDial, cti.CommandPresence}, cti.Alerting: {cti.CommandAnswer, cti.CommandReject},
		cti.Initiated: {cti.CommandHangup}, cti.Connected: {cti.CommandHangup, cti.CommandHold, cti.CommandDTMF, cti.CommandTransfer},
		cti.OnHold: {cti.CommandHangup, cti.CommandResume, cti.CommandTransfer}, cti.StateClosed: {}} {
		if got := p.Can(cti.Call{State: state}); !slices.Equal(got, want) {
			t.Errorf("in state %q: %v, want %v", state, got, want)
		}
	}
}

func TestClickToDialIsOneOutgoingCallAndKnownAfterARestart(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, func(c *Config) { c.Domain = esltest.Domain })
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	if err := x.Phone("1001").Dial(t.Context(), "+8613900139000"); err != nil {
		t.Fatal(err)
	}
	first := h.awaitType(cti.Originated).event
	if first.Remote.Raw != "+8613900139000" || !first.Call.ClickToDial || first.Call.Direction != cti.Out {
		t.Errorf("told %+v", first)
	}
	if h.count(cti.Delivered) != 0 {
		t.Error("the agent's own ring was told as an incoming call")
	}
	fresh := start(t, exchange(t, server, nil)) // another relay, which did not dial
	again := fresh.await("the list", func(e told) bool { return e.event.Type == cti.Snapshot && e.extension == "1001" }).event
	if len(again.Legs) != 1 || !again.Legs[0].Call.ClickToDial || again.Legs[0].Remote.Raw != "+8613900139000" || again.Legs[0].Type != cti.Originated {
		t.Errorf("after a restart it is %+v", again.Legs)
	}
	if !slices.ContainsFunc(server.Asked(), func(a string) bool {
		return strings.HasPrefix(a, "bgapi originate {origination_uuid="+first.Call.Refs[refChannel]+",") && strings.HasSuffix(a, "}user/1001@pbx.example +8613900139000 XML default")
	}) {
		t.Errorf("asked %v", server.Asked())
	}
}

func TestTheAgentsStateIsSetAtTheQueue(t *testing.T) {
	server := esltest.Start(t, nil)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	for _, want := range []cti.Presence{cti.NotReady, cti.Ready, cti.LoggedOff} {
		if err := x.Phone("1001").Presence(t.Context(), cti.AgentStatus{State: want}); err != nil {
			t.Fatal(err)
		}
		h.await(fmt.Sprint("it is ", want), func(e told) bool {
			return e.extension == "1001" && e.event.Type == cti.AgentState && e.event.Agent.State == want
		})
	}
	if err := x.Phone("1001").Presence(t.Context(), cti.AgentStatus{State: "dreaming"}); cti.KindOf(err) != cti.Invalid {
		t.Errorf("%v, want invalid", err)
	}
}
