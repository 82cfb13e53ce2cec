// Package relayed is the call source of a workstation whose exchange is spoken to by a relay (ringctl relay): it owns the wire between the
// two, the workstation's certificate, and what is sent again after a break. The relay uses the wire from here, too.
// It must not know which exchange there is, what becomes of the events, or who gives commands.
//
// Every event has a number. The workstation acknowledges it once emit returned; what was not acknowledged the relay sends again, so that
// neither a broken network nor a workstation that was off for a while loses anything.
package relayed

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

const dialTimeout = 5 * time.Second

// backoff between connections. Its random part keeps two hundred workstations from coming back to a relay all at once.
var backoff = running.Backoff{First: 500 * time.Millisecond, Most: 15 * time.Second, Proven: 10 * time.Second}

// Options say where the relay is and who this workstation is; Address, Extension and Keep are required.
type Options struct {
	Address   string // host:port
	Extension string // the agent's own, as the profile has it: the certificate must be for it
	Keep      Keeper
	Log       *slog.Logger
	Dial      func(ctx context.Context) (net.Conn, error) // nil: TCP to Address
}

func (o Options) dial(ctx context.Context) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx)
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(ctx, "tcp", o.Address)
}

// Source is one relay, for one extension. Make it with New.
type Source struct {
	Options

	log  *slog.Logger
	done atomic.Uint64 // number of the newest event that emit took

	once running.Once

	mu      sync.Mutex
	session *session // nil while not connected
	grant   Grant    // as it was told last, also in an earlier run
	stream  string   // which events done counts
	offset  time.Duration
	can     offers

	tape tape.Deck
}

// New makes the source. It does not connect yet. The error's kind is invalid when the address is no host:port.
func New(o Options) (*Source, error) {
	if host, port, err := net.SplitHostPort(o.Address); err != nil || host == "" || port == "" {
		return nil, cti.Errorf(cti.Invalid, "phone.address must be the relay's host:port, for instance relay.example.com:8470", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{Options: o, log: o.Log.With("source", "relayed", "address", o.Address)}
	if id, err := load(o.Keep, o.Address); err == nil {
		s.grant = id.Grant
	}
	return s, nil
}

// Run connects, feeds canonical events to emit and reconnects until ctx ends; then it returns nil after everything it started has stopped,
// and emit is not called any more. emit may block, and must let go when ctx ends. source.up tells that relay and exchange are both there; after
// it comes what was missed, in order, and a snapshot. Events have the adapter and instance of the exchange, At in this computer's time, and
// SourceAt as the relay's clock said. It runs once at a time: a second Run beside the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	end, err := s.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	r := &run{source: s, queue: make(chan item, 2*Window), acked: make(chan struct{}, 1), seen: s.done.Load(),
		self: cti.Source{Adapter: "relayed", Instance: s.Address, Confidence: cti.Signalled}}
	var emitter sync.WaitGroup
	emitter.Go(func() { r.deliver(ctx, emit) })
	defer emitter.Wait()
	backoff.Again(ctx, r.connect, nil, func(err error, lived, pause time.Duration) {
		words := explain(err, s.Address)
		r.down(ctx, words)
		s.log.Warn("relay not connected", "why", words, "lived", lived, "retry_in", pause)
	})
	return nil
}

// item is an event on its way to emit; seq is 0 for one that is not acknowledged.
type item struct {
	event cti.Event
	seq   uint64
}

// run is what one Run keeps across its connections.
type run struct {
	source *Source
	self   cti.Source
	queue  chan item     // the relay sends Window events ahead, so it does not fill up
	acked  chan struct{} // holds a token when there is something to acknowledge
	seen   uint64        // number of the newest event that was queued
	up     bool          // source.up was said
	words  string        // why source.down was said last
}

// deliver passes events on in order until ctx ends.
func (r *run) deliver(ctx context.Context, emit func(cti.Event)) {
	for {
		select {
		case <-ctx.Done():
			return
		case i := <-r.queue:
			if ctx.Err() != nil {
				return
			}
			if i.event.Type != "" { // else it is one that is only acknowledged
				emit(i.event)
			}
			if i.seq == 0 || ctx.Err() != nil {
				continue // what emit let go of because ctx ended is sent again
			}
			r.source.done.Store(i.seq)
			select {
			case r.acked <- struct{}{}:
			default:
			}
		}
	}
}

// down says source.down, and once more when there is another reason: "revoked" is not "the network".
func (r *run) down(ctx context.Context, words string) {
	if !r.up && words == r.words {
		return
	}
	r.up, r.words = false, words
	r.push(ctx, item{event: r.own(cti.SourceDown, &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: words})})
}

func (r *run) setUp(ctx context.Context) {
	if r.up {
		return
	}
	r.up, r.words = true, ""
	r.push(ctx, item{event: r.own(cti.SourceUp, nil)})
}

func (r *run) own(t cti.EventType, cause *cti.Cause) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: r.self, Cause: cause}
}

func (r *run) push(ctx context.Context, i item) {
	select {
	case r.queue <- i:
	case <-ctx.Done():
	}
}

// hostname is this computer's name, for the relay's list.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
