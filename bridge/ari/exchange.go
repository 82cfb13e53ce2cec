// Package ari is the exchange Asterisk (16 to 22) over its REST interface and the WebSocket of its events: it owns that wire, the
// connection, what Asterisk's channels and bridges mean to one extension as canonical events, and the few commands ARI grants for calls
// that the dialplan controls.
// It must not know what becomes of the events, other sources and exchanges, who gives commands, or where its password is kept.
//
// What is told, and how, is learnt from https://docs.asterisk.org (Asterisk REST Interface), from real ones (testdata/recorded) and from the traps the design names:
// a channel that is up is not a call that is answered; the caller's channel is never the agent's.
package ari

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// Adapter is the name of this exchange in events.
const Adapter = "asterisk-ari"

// refChannel is the channel's id, spelled as Asterisk's other interfaces spell it.
const refChannel = cti.RefVendor + "asterisk"

// backoff between connections; what waiting does not mend (see refused) waits for the most at once.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 30 * time.Second, Proven: 10 * time.Second}

// eventQueue is how many events may wait for emit before Asterisk is no longer read.
const eventQueue = 4096

// Config says where the exchange is and how its channels belong to extensions. URL, User and Password are required.
type Config struct {
	// URL is where Asterisk's HTTP server is: https://pbx.example:8089, with its prefix if it has one. Plain http only on this machine.
	URL string
	// User and Password are those of a user in ari.conf. With read_only = yes events come and no command works.
	User, Password string
	// App is the name of the Stasis application events are subscribed under; two relays must not share one. Empty: ringside.
	App string
	// Instance names this exchange in events; it must not change, or its calls get other ids. Empty: the URL's host.
	Instance string
	// Devices lists the devices of an extension, as the beginning of a channel's name says: PJSIP/1001. An extension that is not here
	// has PJSIP/ and SIP/ with its own name. The first one is rung for click-to-dial.
	Devices map[string][]string
	// Context is the dialplan's context that numbers are dialled in. Empty: no click-to-dial.
	Context string
	// Variables names the channel variables that are call data, by their own name or as call data (X-Order-Id or order_id); a * at the end stands for any rest.
	// Empty: Asterisk is asked not to send variables, which are most of its events.
	Variables []string
	// TLS is used for https; nil: the system's authorities.
	TLS *tls.Config
	Log *slog.Logger // nil: no log
}

// Exchange is one Asterisk. Make it with New. It is safe for concurrent use.
type Exchange struct {
	config Config
	rest   *rest
	tape   tape.Deck
	log    *slog.Logger
	hosts  string // for the log: the address without what may be secret in a URL

	ringFor int // seconds

	once running.Once

	mu        sync.Mutex
	connected bool
	in        *interpreter
	fresh     []string // extensions that were asked for while connected: they are owed a snapshot
}

// New makes the exchange; it does not connect yet. Errors are of kind invalid: an address that is no http or https URL, or is plain http
// to another machine; no user; names that cannot be Asterisk's.
func New(c Config) (*Exchange, error) {
	c, address, err := c.checked()
	if err != nil {
		return nil, err
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	source := cti.Source{Adapter: Adapter, Instance: c.Instance, Confidence: cti.Signalled}
	x := &Exchange{config: c, log: log.With("exchange", Adapter, "instance", c.Instance), hosts: address.Host, ringFor: ringFor,
		in: newInterpreter(source, newDevices(c.Devices), newWanted(c.Variables))}
	x.rest = newRest(address, c, &x.tape)
	return x, nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has
// stopped, and emit is not called any more. emit may block, and must let go when ctx ends. On every connection come source.up and a
// source.snapshot for each extension that was asked for or has a call; when the connection is lost, source.down. A second Run beside the
// first fails with kind conflict.
func (x *Exchange) Run(ctx context.Context, emit func(extension string, e cti.Event)) error {
	end, err := x.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	defer x.rest.close()

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
	return kind == cti.Auth || kind == cti.Denied || kind == cti.Conflict
}

// session is what one Run keeps across its connections.
type session struct {
	exchange *Exchange
	queue    chan<- told
	said     string // why the exchange is down, as it was told last; "" while it is up
	mute     bool   // it was logged that the exchange does not say who is withheld
}

// lost says that the exchange is down, once for each reason.
func (s *session) lost(ctx context.Context, err error) {
	why := cti.MessageOf(err)
	if why == "" {
		why = "the connection to the exchange ended"
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
