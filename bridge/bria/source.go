// Package bria is the call source for the softphone Bria over its Desktop API: it owns that wire (messages that resemble HTTP in WebSocket
// frames), the connection, and what Bria's lists of calls mean in canonical events. Bria only says that something changed; what it was is
// found by asking for the list and comparing it with the one before.
// It must not know what becomes of the events, other sources, or who gives commands.
//
// Written from the facts of the wire, with no code of CounterPath's. Their terms ask for Notice to be shown.
//
// The API's public name resolves to this machine, and its certificate lies in every Bria, so that it proves little. The source therefore
// asks no name server and connects to this machine only.
package bria

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// Notice is what CounterPath's terms of use (2b) ask a program to show that uses the API.
const Notice = "This product uses the CounterPath API but is not endorsed or certified by CounterPath."

// Where the API is.
const (
	DefaultAddress = "127.0.0.1:9002"
	apiName        = "cpclientapi.softphone.com"
	apiURL         = "wss://" + apiName + ":9002/counterpath/socketapi/v1/"
)

const dialTimeout = 5 * time.Second

// backoff between connections.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 15 * time.Second, Proven: 10 * time.Second}

// lookEvery is how often the calls are asked for without a notice: a notice may be lost, and a phone that hangs is found out.
const lookEvery = 5 * time.Second

// shutOutFor is how long Bria is left alone after it did not let us in: its user may be asked each time.
const shutOutFor = 15 * time.Second

// eventQueue is how many events may wait for emit before the phone is no longer read: replies to commands must get through while emit blocks.
const eventQueue = 1024

// Source is one Bria. Make it with New.
type Source struct {
	address  string
	log      *slog.Logger
	roots    *x509.CertPool // nil: the system's
	dial     func(ctx context.Context) (net.Conn, error)
	commands chan struct{} // holds one token: one command at a time
	tape     tape.Deck

	once running.Once

	mu      sync.Mutex
	link    *link // nil while not connected
	in      *interpreter
	version version
	fills   bool // dialling only fills in the number
}

// New makes the source for the Bria on this machine; address is DefaultAddress if empty. extension is the agent's own; log may be nil. It
// does not connect yet. The error's kind is invalid when the address is no host:port or not this machine's.
func New(address, extension string, log *slog.Logger) (*Source, error) {
	if address == "" {
		address = DefaultAddress
	}
	host, port, err := net.SplitHostPort(address)
	n, numErr := strconv.ParseUint(port, 10, 16)
	ip, ipErr := netip.ParseAddr(host)
	if err != nil || numErr != nil || n == 0 || host != "localhost" && (ipErr != nil || !ip.IsLoopback()) {
		return nil, cti.Errorf(cti.Invalid, "Bria's address must be on this machine, such as "+DefaultAddress+"; leave it out for that one", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	source := cti.Source{Adapter: "bria", Instance: address, Confidence: cti.Polled}
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Source{address: address, dial: func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) },
		log: log.With("source", "bria", "address", address), commands: make(chan struct{}, 1),
		in: newInterpreter(source, extension)}, nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has
// stopped, and emit is not called any more. emit may block, and must let go when ctx ends. On every connection comes source.up and
// source.snapshot, as soon as Bria lets us in and its account is registered; when either ends, source.down. It runs once at a time: a second
// Run beside the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	end, err := s.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	s.log.Info("licence notice", "text", Notice)

	queue := make(chan cti.Event, eventQueue)
	var emitter sync.WaitGroup
	emitter.Go(func() { running.Deliver(ctx, queue, emit) })
	defer emitter.Wait()
	c := &session{source: s, queue: queue}
	backoff.Again(ctx, c.connect, nil, func(err error, lived, pause time.Duration) {
		c.down(ctx, why(err))
		s.log.Warn("phone not connected", "error", err, "lived", lived, "retry_in", pause)
	})
	return nil
}

// open connects to this machine under the API's public name.
func (s *Source) open(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
		TLSClientConfig: &tls.Config{ServerName: apiName, RootCAs: s.roots, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return errStrange }}
	conn, _, err := websocket.Dial(ctx, apiURL, &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"User-Agent": {agent}}}) //nolint:bodyclose // the library does
	return conn, unreached(err)
}

// unreached says what to do about a connection that could not be made.
func unreached(err error) error {
	var untrusted *tls.CertificateVerificationError
	var failed *net.OpError
	switch {
	case errors.As(err, &untrusted):
		return cti.Errorf(cti.Offline, "Bria's certificate is not trusted: update Bria, and let this computer reach the internet once for the certificate's chain", untrusted.Err)
	case errors.As(err, &failed) && failed.Op == "dial":
		return cti.Errorf(cti.Offline, "Bria does not answer: is it running, and does its licence include the Desktop API", err)
	}
	return err
}
