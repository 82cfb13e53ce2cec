package relayed

import (
	"context"
	"crypto/tls"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Trial is what Try found.
type Trial struct {
	Relay     string        `json:"relay"` // its name
	Extension string        `json:"extension"`
	Until     time.Time     `json:"certificate_until"`
	Up        bool          `json:"exchange_up"`
	Clock     time.Duration `json:"clock_ns"` // how far the relay's clock is ahead of this computer's
	Can       []cti.Command `json:"can"`
}

// Try goes the whole way to the relay once, without taking any event or the place of a running connection. The errors are those that Run would
// wait and try again after, in the same words; auth for a certificate that is none any more, denied for somebody else in the relay's place.
func Try(ctx context.Context, o Options) (Trial, error) {
	s, err := New(o)
	if err != nil {
		return Trial{}, err
	}
	id, err := load(o.Keep, o.Address)
	if err != nil {
		return Trial{}, err
	}
	config, err := id.config()
	if err != nil {
		return Trial{}, err
	}
	raw, err := o.dial(ctx)
	if err != nil {
		return Trial{}, cti.Errorf(cti.Offline, explain(err, o.Address), nil)
	}
	defer hangUp(raw)
	stop := context.AfterFunc(ctx, func() { hangUp(raw) })
	defer stop()
	began := time.Now()
	if err = raw.SetDeadline(began.Add(HelloWithin)); err != nil {
		return Trial{}, cti.Errorf(cti.Offline, explain(err, o.Address), nil)
	}
	conn := tls.Client(raw, config)
	if err = conn.HandshakeContext(ctx); err != nil {
		return Trial{}, cti.Errorf(kindOf(err), explain(err, o.Address), nil)
	}
	welcome, err := (&run{source: s}).greet(NewLink(conn, MaxDown), Hello{Version: Version, Probe: true})
	if err != nil {
		return Trial{}, cti.Errorf(kindOf(err), explain(err, o.Address), nil)
	}
	if err := s.mine(*welcome); err != nil {
		return Trial{}, err
	}
	pair, err := id.pair()
	if err != nil {
		return Trial{}, err
	}
	return Trial{Relay: cti.Clean(welcome.Name, cti.MaxText), Extension: s.Extension, Until: pair.Leaf.NotAfter, Up: welcome.Up, Clock: s.offset, Can: known(welcome.Can)}, nil
}
