// Package esl is the exchange FreeSWITCH (1.10) over its event socket, mod_event_socket: it owns that wire, the connection, what
// FreeSWITCH's channels, bridges and call-centre events mean to one extension as canonical events, and commands to it.
// It must not know what becomes of the events, other sources and exchanges, who gives commands, or where its password is kept.
//
// The wire is described at https://developer.signalwire.com/freeswitch (Event Socket, Event List, mod_commands, mod_callcenter). A
// channel's direction there is the switch's: the leg to the agent's phone is outbound.
package esl

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// Adapter is the name of this exchange in events.
const Adapter = "freeswitch-esl"

// refChannel is the channel's Unique-ID.
const refChannel = cti.RefVendor + "freeswitch"

// backoff between connections; what waiting does not mend (see refused) waits for the most at once.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 30 * time.Second, Proven: 10 * time.Second}

// eventQueue is how many canonical events may wait for emit before FreeSWITCH is no longer read.
const eventQueue = 4096

// Config says where the exchange is and how its channels belong to extensions. Address and Password are required.
type Config struct {
	// Address is host:port of mod_event_socket; on another machine only with TLS.
	Address string
	// TLS is set when the socket is inside TLS (stunnel, a proxy); nil: plain, on this machine only.
	TLS *tls.Config
	// Password is the event socket's. With User, written user@domain, it is that user's esl-password: such a user can be allowed single
	// commands and events.
	User, Password string
	// Instance names this exchange in events; it must not change, or its calls get other ids. Empty: Address.
	Instance string
	// Devices lists what belongs to an extension: users (1001@pbx.example, 1001), or how its channels' names begin
	// (sofia/internal/1001@). An extension that is not here is the user of the same name.
	Devices map[string][]string
	// Domain completes users for click-to-dial: user/1001@Domain. Empty: FreeSWITCH's default.
	Domain string
	// Context is the dialplan's context that numbers are dialled in and calls are transferred to. Empty: neither is offered.
	Context string
	// AgentDomain completes agents of mod_callcenter: 1001@AgentDomain. Empty: the agent's state is shown and not set.
	AgentDomain string
	// PhoneEvents says that the phones obey NOTIFY with the events talk and hold (Polycom, Yealink, Snom, Grandstream do if they are
	// set up to): only then they can be answered and held from here.
	PhoneEvents bool
	// Variables names channel variables that are call data besides the SIP headers X-…; a * at the end stands for any rest.
	Variables []string
	Log       *slog.Logger // nil: no log
}

// Exchange is one FreeSWITCH. Make it with New. It is safe for concurrent use.
type Exchange struct {
	config Config
	log    *slog.Logger
	dial   func(ctx context.Context) (net.Conn, error)
	tape   tape.Deck

	once running.Once

	mu    sync.Mutex
	link  *link // nil while not connected
	in    *interpreter
	fresh []string // extensions that were asked for while connected: they are owed a snapshot
}

// New makes the exchange; it does not connect yet. Errors are of kind invalid: an address that is no host:port, or is another machine's
// without TLS; no password; names that cannot be FreeSWITCH's.
func New(c Config) (*Exchange, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	source := cti.Source{Adapter: Adapter, Instance: c.Instance, Confidence: cti.Signalled}
	return &Exchange{config: c, dial: dialer(c), log: log.With("exchange", Adapter, "instance", c.Instance),
		in: newInterpreter(source, newDevices(c.Devices), newWanted(c.Variables))}, nil
}

func dialer(c Config) func(ctx context.Context) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout}
	if c.TLS == nil {
		return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", c.Address) }
	}
	secured := &tls.Dialer{NetDialer: plain, Config: c.TLS}
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, shakeTimeout)
		defer cancel()
		return secured.DialContext(ctx, "tcp", c.Address)
	}
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has
// stopped, and emit is not called any more. emit may block, and must let go when ctx ends. On every connection come source.up and a
// source.snapshot for each extension that was asked for, has a call, or had one before the connection broke; when the connection is lost,
// source.down. A second Run beside the first fails with kind conflict.
func (x *Exchange) Run(ctx context.Context, emit func(extension string, e cti.Event)) error {
	end, err := x.once.Begin()
	if err != nil {
		return err
	}
	defer end()

	queue := make(chan told, eventQueue)
	var emitter sync.WaitGroup
	emitter.Go(func() { running.Deliver(ctx, queue, func(t told) { emit(t.extension, t.event) }) })
	defer emitter.Wait()
	s := &session{exchange: x, queue: queue}
	backoff.Again(ctx, s.connect, refused, func(err error, lived, pause time.Duration) {
		s.lost(ctx, err)
		x.log.Warn("exchange not connected", "error", err, "lived", lived, "retry_in", pause)
	})
	return nil
}

// told is an event for an extension, or for all.
type told struct {
	extension string
	event     cti.Event
}

// refused tells that trying again soon is of no use, and may lock the account.
func refused(err error) bool {
	kind := cti.KindOf(err)
	return kind == cti.Auth || kind == cti.Denied
}

// session is what one Run keeps across its connections.
type session struct {
	exchange *Exchange
	queue    chan<- told
	said     string // why the exchange is down, as it was told last; "" while it is up
}

// lost says that the exchange is down, once for each reason.
func (s *session) lost(ctx context.Context, err error) {
	why := cti.MessageOf(err)
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		why = "the exchange's certificate is not trusted here"
	case why == "":
		why = "the exchange is not connected"
	}
	if s.said == why {
		return
	}
	s.said = why
	s.push(ctx, "", s.about(cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: why}))
}

func (s *session) about(t cti.EventType, cause *cti.Cause) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: s.exchange.in.source, Cause: cause}
}

func (s *session) push(ctx context.Context, extension string, e cti.Event) {
	select {
	case s.queue <- told{extension, e}:
	case <-ctx.Done():
	}
}

func (s *session) pushAll(ctx context.Context, all []told) {
	for _, t := range all {
		s.push(ctx, t.extension, t.event)
	}
}
