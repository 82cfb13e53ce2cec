package bridge

import (
	"context"

	"ringside.dev/ringside/app/cti"
)

// Exchange is one connection to a PBX, or one cloud call centre, that tells of many extensions. It runs in the relay, never on a workstation:
// it holds credentials that see every call. Exchanges are structurally typed, as sources are.
type Exchange interface {
	// Run is Source.Run, but that every event names the extension it is for; source.up, source.down and agent.state for all have "".
	// A source.snapshot lists the live legs of one extension: on every connection each extension that was asked for gets one.
	Run(ctx context.Context, emit func(extension string, e cti.Event)) error
	// Phone is what the exchange can do for one extension.
	Phone(extension string) cti.Phone
}

// Extension is one extension of an exchange as a source: what the relay passes to a workstation, and what sourcetest tests.
func Extension(x Exchange, extension string) Source { return oneExtension{x, extension} }

type oneExtension struct {
	exchange  Exchange
	extension string
}

func (o oneExtension) Run(ctx context.Context, emit func(cti.Event)) error {
	return o.exchange.Run(ctx, func(extension string, e cti.Event) {
		if extension == "" || extension == o.extension {
			emit(e)
		}
	})
}

func (o oneExtension) Phone() cti.Phone { return o.exchange.Phone(o.extension) }
