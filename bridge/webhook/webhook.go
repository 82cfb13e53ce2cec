// Package webhook is the exchange for cloud call centres that push their events as signed HTTP requests. It owns the listener and its
// gate, the proof that a push is the vendor's, and the reading of pushes into canonical events; what a vendor's pushes look like is in one
// YAML file each (presets/, or a site's own).
// It must not know what becomes of the events, where secrets are kept, other exchanges, or any CRM.
//
// A push is answered with 200 only after its events were handed on; what a vendor then pushes again changes nothing. A vendor's cloud
// cannot be asked for its live calls, so there is no snapshot: a call whose end was never pushed ends after cti.GhostAfter.
package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// The limits of the listener. A vendor's cloud pushes within a second, or has a fault that a retry heals.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	handTimeout   = 8 * time.Second  // for the events to be handed on; vendors wait some ten seconds
	writeTimeout  = 20 * time.Second // reading and handing on are within it
	idleTimeout   = time.Minute
	closeTimeout  = time.Second // for requests to hear that they must come again
	maxHeader     = 16 << 10    // bytes
	maxConns      = 256
)

// backoff when the address cannot be listened on.
var backoff = running.Backoff{First: time.Second, Most: 30 * time.Second, Proven: time.Second}

// minSecret is how short a secret may be that is itself the proof: shorter ones can be guessed.
const minSecret = 16

// Options say what to listen for. Vendor, Listen and, unless the vendor's file says "none", Secret are required.
type Options struct {
	Vendor *Vendor
	// Instance tells several accounts of one vendor apart, and must not change in use: calls are named by it. Empty: the vendor's ID.
	Instance string
	// Listen is host:port.
	Listen string
	// TLS holds the certificate; it may be nil on loopback only, behind a proxy on the same machine.
	TLS *tls.Config
	// Secret gives a secret by its name. It is asked once, in New.
	Secret func(name string) (string, error)
	// Log gets ids and classes of faults, never numbers, names or secrets; nil: nothing is logged.
	Log *slog.Logger
}

// Exchange is one account at one vendor. Make it with New.
type Exchange struct {
	vendor *Vendor
	source cti.Source
	listen string
	tls    *tls.Config
	secret string
	log    *slog.Logger
	tape   tape.Deck
	opened func(net.Addr) // nil, or told where it listens

	turn chan struct{} // holds one token: one push at a time is interpreted and handed on

	once running.Once

	mu      sync.Mutex
	refused int // pushes without proof since it was logged last
	logged  time.Time

	// owned by whoever has the turn
	calls  *legs
	clock  vendorClock
	ids    *window
	nonces *window
	states map[string]cti.AgentStatus // by extension
}

// New makes the exchange; it does not listen yet. Errors are of kind invalid: what cannot work, or would not be safe.
func New(o Options) (*Exchange, error) {
	if o.Vendor == nil {
		return nil, cti.Errorf(cti.Invalid, "a webhook needs its vendor: name a preset or a file", nil)
	}
	local, err := isLoopback(o.Listen)
	if err != nil {
		return nil, err
	}
	if o.TLS == nil && !local {
		return nil, cti.Errorf(cti.Invalid, "a webhook outside this machine needs TLS: give it a certificate and its key, or listen on "+
			"127.0.0.1 behind a proxy that has them", nil)
	}
	if o.Vendor.sign.recipe == unsigned && !local {
		return nil, cti.Errorf(cti.Invalid, "the vendor's file asks for no proof (signature.recipe: none), so anybody could make up calls: "+
			"choose token or a signature, or listen on 127.0.0.1", nil)
	}
	secret, err := secretOf(o)
	if err != nil {
		return nil, err
	}
	x := newExchange(o.Vendor, cmp.Or(o.Instance, o.Vendor.ID))
	x.listen, x.secret = o.Listen, secret
	if o.Log != nil {
		x.log = o.Log
	}
	x.log = x.log.With("exchange", x.source.Adapter, "instance", x.source.Instance)
	if o.TLS != nil {
		x.tls = o.TLS.Clone()
		x.tls.MinVersion = max(x.tls.MinVersion, tls.VersionTLS12)
	}
	return x, nil
}

func newExchange(v *Vendor, instance string) *Exchange {
	return &Exchange{vendor: v, log: slog.New(slog.DiscardHandler), turn: make(chan struct{}, 1), calls: newLegs(),
		ids: newWindow(keepEnded), nonces: newWindow(2 * v.sign.skew), states: map[string]cti.AgentStatus{},
		source: cti.Source{Adapter: "webhook-" + v.ID, Instance: instance, Confidence: cti.Signalled}}
}

func secretOf(o Options) (string, error) {
	s := o.Vendor.sign
	if s.recipe == unsigned {
		return "", nil
	}
	if o.Secret == nil {
		return "", cti.Errorf(cti.Invalid, "the webhook's secret "+s.secret+" is missing: store it", nil)
	}
	secret, err := o.Secret(s.secret)
	switch {
	case err != nil:
		return "", cti.Errorf(cti.Invalid, "the webhook's secret "+s.secret+" cannot be read: store it", err)
	case secret == "":
		return "", cti.Errorf(cti.Invalid, "the webhook's secret "+s.secret+" is empty: store it", nil)
	case s.recipe == token && len(secret) < minSecret:
		return "", cti.Errorf(cti.Invalid, "the webhook's secret "+s.secret+" is shorter than "+strconv.Itoa(minSecret)+
			" characters and could be guessed: make a longer one, for instance with openssl rand -hex 32", nil)
	}
	return secret, nil
}

func isLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if _, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil {
		return false, cti.Errorf(cti.Invalid, "a webhook's address must be host:port, for instance 0.0.0.0:8443", err)
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback(), nil
}

// Phone is the zero Phone: no vendor's push can be told to do anything.
func (x *Exchange) Phone(string) cti.Phone { return cti.Phone{} }

// Run listens and hands events on until ctx ends; then it returns nil after every request is finished, and emit is not called any more.
// emit is called by one goroutine at a time. It runs once at a time: a second Run beside the first fails with kind conflict.
func (x *Exchange) Run(ctx context.Context, emit func(extension string, e cti.Event)) error {
	end, err := x.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	down := false
	backoff.Again(ctx, func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		served, err := x.serve(ctx, emit)
		if !served {
			return 0, err
		}
		down = false
		return time.Since(began), err
	}, nil, func(err error, _, pause time.Duration) {
		if !down {
			down = true
			x.tell(ctx, emit, cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: err.Error()})
		}
		x.log.Warn("webhook not listening", "error", err, "retry_in", pause)
	})
	return nil
}

// serve listens once, until ctx or the listener ends, and returns when every request is finished; served tells whether it could be listened
// at all.
func (x *Exchange) serve(ctx context.Context, emit func(string, cti.Event)) (served bool, err error) {
	l, err := net.Listen("tcp", x.listen)
	if err != nil {
		return false, err
	}
	if x.opened != nil {
		x.opened(l.Addr())
	}
	l = limited(l, maxConns)
	if x.tls != nil {
		l = tls.NewListener(l, x.tls)
	}
	x.tell(ctx, emit, cti.SourceUp, nil) // before the first push is read
	var conns sync.WaitGroup
	server := &http.Server{Handler: x.handler(ctx, emit), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(x.log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			case http.StateActive, http.StateIdle, http.StateHijacked:
			}
		}}
	ended := make(chan struct{})
	go func() { err = server.Serve(l); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	x.stop(server)
	<-ended
	conns.Wait()
	return true, err
}

// stop lets requests finish, but not for long: who waits for its turn, waits in vain.
func (x *Exchange) stop(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		ignoreClosed(server)
	}
}

// ignoreClosed closes what nothing more is wanted of: what Close says about it changes nothing.
func ignoreClosed(c io.Closer) { _ = c.Close() }

func (x *Exchange) tell(ctx context.Context, emit func(string, cti.Event), t cti.EventType, cause *cti.Cause) {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return
	}
	emit("", cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: x.source, Cause: cause})
}

// limited makes a listener that has so many connections at most; further ones wait in the system's queue.
func limited(l net.Listener, n int) net.Listener {
	return &limit{Listener: l, free: make(chan struct{}, n), closed: make(chan struct{})}
}

type limit struct {
	net.Listener
	free   chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limit) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: conn, done: func() { <-l.free }}, nil
}

func (l *limit) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once sync.Once
	done func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.done)
	return err
}
