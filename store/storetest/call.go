package storetest

import (
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Call makes a finished call and the item that takes it to the CRM.
func Call(leg string) (cti.Call, outbox.Item) {
	call := cti.Call{Leg: leg, Case: leg, State: cti.StateClosed, StartedAt: time.Now().UTC()}
	return call, outbox.Item{Lane: leg, State: outbox.Queued, CreatedAt: call.StartedAt,
		WriteBack: cti.WriteBack{Op: cti.LogCall, Key: "key " + leg, Leg: leg, Identity: cti.IdentityKnown}}
}
