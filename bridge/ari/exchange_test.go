package ari

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
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

// awaitOf is awaitType for one extension: who calls in has a channel of the trunk's, of which is told, too.
func (h *heard) awaitOf(extension string, t cti.EventType) told {
	h.t.Helper()
	return h.await(extension+" "+string(t), func(e told) bool { return e.extension == extension && e.event.Type == t })
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

func exchange(t *testing.T, server *aritest.Server, change func(c *Config)) *Exchange {
	t.Helper()
	c := Config{URL: server.URL(), User: aritest.User, Password: aritest.Password, Context: "from-internal"}
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
	good := Config{URL: "https://pbx.example:8089/asterisk/", User: "u", Password: "p"}
	if _, err := New(good); err != nil {
		t.Errorf("%v: want it accepted", err)
	}
	for _, url := range []string{"http://127.0.0.1:8088", "http://[::1]:8088", "http://localhost:8088"} {
		c := good
		if c.URL = url; newError(c) != nil {
			t.Errorf("%s: refused", url)
		}
	}
	for name, change := range map[string]func(c *Config){
		"no URL":                    func(c *Config) { c.URL = "" },
		"host and port only":        func(c *Config) { c.URL = "pbx.example:8089" },
		"websocket":                 func(c *Config) { c.URL = "wss://pbx.example:8089" },
		"plain http":                func(c *Config) { c.URL = "http://pbx.example:8088" },
		"plain to a name like ours": func(c *Config) { c.URL = "http://localhost.example:8088" },
		"password in URL":           func(c *Config) { c.URL = "https://u:secret@pbx.example" },
		"api_key in URL":            func(c *Config) { c.URL = "https://pbx.example/?api_key=u:secret" },
		"control in URL":            func(c *Config) { c.URL = "https://pbx.example/\x7f:secret" },
		"no user":                   func(c *Config) { c.User = "" },
		"no password":               func(c *Config) { c.Password = "" },
		"colon in user":             func(c *Config) { c.User = "a:b" },
		"line in password":          func(c *Config) { c.Password = "secret\r\nX: y" },
		"app":                       func(c *Config) { c.App = "a,b" },
		"context":                   func(c *Config) { c.Context = "a b" },
		"device":                    func(c *Config) { c.Devices = map[string][]string{"1001": {"1001"}} },
		"no device":                 func(c *Config) { c.Devices = map[string][]string{"1001": {}} },
		"extension":                 func(c *Config) { c.Devices = map[string][]string{"10 01": {"PJSIP/1001"}} },
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

func TestAPasswordThatIsRefusedIsSaidOnceAndNotTriedSoonAgain(t *testing.T) {
	server := aritest.Start(t)
	var log logged
	x := exchange(t, server, func(c *Config) {
		c.Password = "wrong-s3cret"
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ctx, cancel := context.WithCancel(t.Context())
	var down []cti.Event
	if err := x.Run(ctx, func(_ string, e cti.Event) {
		down = append(down, e)
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	if len(down) != 1 || down[0].Type != cti.SourceDown || !strings.Contains(down[0].Cause.Raw, "user or the password") {
		t.Errorf("told %+v; want source.down with what to do", down)
	}
	if got := log.String(); strings.Contains(got, "wrong-s3cret") || strings.Contains(got, "Basic ") {
		t.Errorf("the log holds the password: %s", got)
	}
}

// piped lets an exchange connect in virtual time: dial is asked for each connection.
func piped(t *testing.T, dial func() (net.Conn, error)) *Exchange {
	t.Helper()
	x, err := New(Config{URL: "http://127.0.0.1:8088", User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	x.rest.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return dial() }
	return x
}

func TestReconnectingIsNeverATightLoop(t *testing.T) {
	refused := errors.New("connection refused")
	for name, test := range map[string]struct {
		dial        func() (net.Conn, error)
		most, least int           // attempts in ten minutes
		second      time.Duration // no second attempt before
	}{
		"nobody there": {func() (net.Conn, error) { return nil, refused }, 33, 15, backoff.First},
		"garbage": {func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = ours.Write([]byte("220 this is a mail server\r\n")); _ = ours.Close() }()
			return theirs, nil
		}, 33, 15, backoff.First},
		"password refused": {func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				_, _ = ours.Read(make([]byte, 4096))
				_, _ = ours.Write([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				_ = ours.Close()
			}()
			return theirs, nil
		}, 28, 20, backoff.Most * 3 / 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []time.Time
				down := 0
				var mu sync.Mutex
				x := piped(t, func() (net.Conn, error) {
					mu.Lock()
					attempts = append(attempts, time.Now())
					mu.Unlock()
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

// pipes is a listener for an HTTP server in virtual time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A connection that was good for a while is tried again at once when it breaks, however often that was before.
func TestAfterAGoodConnectionTheWaitBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener, over := make(pipes), make(chan struct{})
		server := &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/events"):
				conn, err := websocket.Accept(w, r, nil)
				if err == nil {
					select { // virtual: it lives that long
					case <-time.After(backoff.Proven + time.Second):
					case <-over:
					}
					_ = conn.CloseNow()
				}
			case r.Method == http.MethodGet:
				_, _ = w.Write([]byte("[]"))
			}
		})}
		var served sync.WaitGroup
		served.Go(func() { _ = server.Serve(listener) })
		x := piped(t, func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			listener <- ours
			return theirs, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ups, downs []time.Time
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
		close(listener)
		close(over)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		served.Wait()
	})
}

func TestNeitherPasswordNorNumbersReachURLsOrTheLog(t *testing.T) {
	server := aritest.Start(t)
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
	server.Raw(t, []byte(`{"type":"Dial","peer":{"id":"1","caller":{"number":13800138000}}}`)) // a number where a text should be
	server.Raw(t, []byte(`{"type":"ChannelCreated","channel":{"id":"13800138000`))
	server.Replaced()
	h.awaitType(cti.SourceDown)
	for _, asked := range server.Asked() {
		if strings.Contains(asked, aritest.Password) || strings.Contains(asked, "api_key") || strings.Contains(asked, "13900139000") {
			t.Errorf("%s: holds a secret or a number", asked)
		}
	}
	for _, secret := range []string{aritest.Password, "13900139000", "13800138000"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s: %s", secret, log.String())
		}
	}
}

// A redirection would carry the password to whoever is named in it.
func TestARedirectionIsNotFollowed(t *testing.T) {
	followed := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { followed <- r.URL.Path }))
	t.Cleanup(other.Close)
	first := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(first.Close)
	x, err := New(Config{URL: first.URL, User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	err = x.rest.do(t.Context(), http.MethodGet, []string{"channels"}, nil, nil, nil)
	x.rest.close()
	if cti.KindOf(err) != cti.Invalid || len(followed) > 0 {
		t.Errorf("%v, followed %d times; want it refused as no Asterisk", err, len(followed))
	}
}

func TestAnotherProgramAtTheApplicationIsNotFoughtWith(t *testing.T) {
	server := aritest.Start(t)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	server.Replaced()
	if e := h.awaitType(cti.SourceDown); !strings.Contains(e.event.Cause.Raw, "app name of its own") {
		t.Errorf("cause %+v; want what to do", e.event.Cause)
	}
}

func TestEventsThatAreNoneEndTheConnectionAfterAFew(t *testing.T) {
	server := aritest.Start(t)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	for range maxBroken {
		server.Raw(t, []byte("\x00\xff not JSON"))
	}
	h.awaitType(cti.SourceDown)
	h.await("it is back", func(e told) bool { return e.event.Type == cti.SourceUp && len(server.Asked()) > 5 })
}

func TestVariablesAreLeftOutUnlessTheyAreWanted(t *testing.T) {
	for _, variables := range [][]string{nil, {"order_id"}} {
		server := aritest.Start(t)
		start(t, exchange(t, server, func(c *Config) { c.Variables = variables })).awaitType(cti.SourceUp)
		if server.Leaves("ChannelVarset") != (variables == nil) || !server.Leaves("ChannelDialplan") {
			t.Errorf("wanted %v: variables left out: %v, dialplan left out: %v", variables, server.Leaves("ChannelVarset"), server.Leaves("ChannelDialplan"))
		}
	}
}

func TestAUserWhoMayOnlyReadGetsEventsAndNoCommand(t *testing.T) {
	server := aritest.Start(t)
	server.ReadOnly()
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	server.Dial(server.Incoming("13800138000", "Zhang San", "1001", nil), "PJSIP/1001")
	ring := h.awaitOf("1001", cti.Delivered)
	call := cti.Call{Refs: ring.event.Call.Refs}
	for name, err := range map[string]error{"hang up": x.Phone("1001").Hangup(t.Context(), call), "dial": x.Phone("1001").Dial(t.Context(), "13900139000")} {
		if cti.KindOf(err) != cti.Denied || !strings.Contains(cti.MessageOf(err), "read_only") {
			t.Errorf("%s: %v; want denied, and what to change", name, err)
		}
	}
}

func TestACommandReachesOnlyTheExtensionsOwnCalls(t *testing.T) {
	server := aritest.Start(t)
	x := exchange(t, server, nil)
	h := start(t, x)
	h.awaitType(cti.SourceUp)
	customer := server.Incoming("13800138000", "Zhang San", "1001", nil)
	leg := server.Dial(customer, "PJSIP/1001")[0]
	call := cti.Call{Refs: h.awaitOf("1001", cti.Delivered).event.Call.Refs, State: cti.Alerting}
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
	server.Answer(leg)
	h.awaitOf("1001", cti.Established)
	if err := x.Phone("1001").Reject(t.Context(), call); cti.KindOf(err) != cti.Conflict {
		t.Errorf("an answered call refused: %v, want conflict", err)
	}
	bySIP := cti.Call{Refs: map[string]string{cti.RefSIPCallID: leg.CallID}} // as a softphone names it
	if err := x.Phone("1001").Hangup(t.Context(), bySIP); err != nil {
		t.Error(err)
	}
	if e := h.awaitOf("1001", cti.Cleared); e.event.Cause.By != cti.ByLocal {
		t.Errorf("cause %+v, want by the agent", e.event.Cause)
	}
}

func TestOnlyNumbersAreDialled(t *testing.T) {
	server := aritest.Start(t)
	x := exchange(t, server, nil)
	start(t, x).awaitType(cti.SourceUp)
	for _, to := range []string{"", "+", "1 2", "100&PJSIP/trunk", "100\r\nX: y", "${EVAL(x)}", "sip:a@b", strings.Repeat("1", 65), "s", "_X."} {
		if err := x.Phone("1001").Dial(t.Context(), to); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q: %v, want invalid", to, err)
		}
	}
	if slices.ContainsFunc(server.Asked(), func(a string) bool { return strings.HasPrefix(a, http.MethodPost+" /ari/channels") }) {
		t.Error("one of them reached the exchange")
	}
	if p := exchange(t, server, func(c *Config) { c.Context = "" }).Phone("1001"); p.Dial != nil {
		t.Error("dialling is offered without a context to dial in")
	}
}

func TestWhatIsOfferedFitsTheCallsState(t *testing.T) {
	x := exchange(t, aritest.Start(t), nil)
	p := x.Phone("1001")
	for state, want := range map[cti.State][]cti.Command{cti.Null: {cti.CommandDial}, cti.Alerting: {cti.CommandReject},
		cti.Initiated: {cti.CommandHangup}, cti.Connected: {cti.CommandHangup}, cti.OnHold: {cti.CommandHangup}, cti.StateClosed: {}} {
		if got := p.Can(cti.Call{State: state}); !slices.Equal(got, want) {
			t.Errorf("in state %q: %v, want %v", state, got, want)
		}
	}
}
