// Package bridge is how calls come in and commands go out: it owns what a call source is, and the list of those there are.
// It must not know what a call means to the agent, how a CRM is spoken to, or any one source's protocol.
package bridge

import (
	"context"
	"log/slog"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

// Source is a phone, or whatever else tells about the agent's calls. Sources are structurally typed: none imports this package.
// bridge/sourcetest is the contract in full; a source is done when it passes.
type Source interface {
	// Run feeds canonical events to emit until ctx ends, and reconnects by itself; it returns after everything it started has
	// stopped, and emit is not called after that. emit is called by one goroutine at a time; it may block, and must let go when
	// ctx ends. Run may be called again after it returned, but not twice at a time: that fails with kind conflict. The strings in
	// events are the caller's: use Event.Clean before keeping them.
	Run(ctx context.Context, emit func(cti.Event)) error
	// Phone tells what the phone can do; a nil field means it cannot. Valid for the whole life of the source, also between Runs:
	// the commands then fail with kind offline.
	Phone() cti.Phone
}

// Open makes one of the sources a profile names; enrolled gives what keeps this workstation's certificate for a relay; log may be nil. It does
// not connect yet. Errors are of kind invalid: a source there is not, or one whose settings cannot work.
func Open(p cti.Profile, of cti.PhoneSource, enrolled func(address string) relayed.Keeper, log *slog.Logger) (Source, error) {
	switch of.Source {
	case "sim":
		return sim.New(p.Phone.Extension), nil
	case "baresip":
		s, err := baresip.New(of.Address, p.Phone.Extension, log)
		if err != nil {
			return nil, err // not s: a nil *baresip.Source would be no nil Source
		}
		return s, nil
	case "relayed":
		s, err := relayed.New(relayed.Options{Address: of.Address, Extension: p.Phone.Extension, Keep: enrolled(of.Address), Log: log})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, cti.Errorf(cti.Invalid, "phone.source must be sim, baresip or relayed", nil)
}
