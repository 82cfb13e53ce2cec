package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/bridge/wire"
)

// What an administrator asks about the site's mapping while the agent runs.

// Preview shows the requests that an item would make under the mapping file as it is now.
func (a *App) Preview(ctx context.Context, seq uint64) ([]wire.ShownRequest, error) {
	it, err := a.outbox.Get(seq)
	if err != nil {
		return nil, err
	}
	w := it.WriteBack
	w.RecordID = it.Receipt.ID
	return a.preview(ctx, w)
}

// PreviewCall shows those of a finished call's record.
func (a *App) PreviewCall(ctx context.Context, leg string) ([]wire.ShownRequest, error) {
	logged, err := a.store.Call(leg)
	if err != nil {
		return nil, err
	}
	record := cti.NewRecord(a.cfg.Profile.Tenant, logged.Call, logged.WrapUp)
	w := cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: leg, Identity: cti.IdentityKnown, Record: record}
	if it, err := a.store.Latest(leg, record.Key); err != nil {
		return nil, err
	} else if it.Seq != 0 {
		w = it.WriteBack
		w.RecordID = it.Receipt.ID
	}
	return a.preview(ctx, w)
}

func (a *App) preview(ctx context.Context, w cti.WriteBack) ([]wire.ShownRequest, error) {
	p, ok := a.connector.Connector.(crm.Previewer)
	if !ok {
		return nil, cti.Errorf(cti.Invalid, a.connector.Name()+" sends no requests: there is nothing to show", nil)
	}
	shown, err := p.Preview(ctx, w)
	if err != nil {
		return nil, err
	}
	out := []wire.ShownRequest{}
	for _, one := range shown {
		out = append(out, wire.ShownRequest(one))
	}
	return a.mask.requests(out, w.Record.Number), nil
}

// making are the write-backs that make a record which a mapping fills.
var making = []cti.Op{cti.LogCall, cti.CreateCustomer, cti.CreateTicket, cti.CreateTask}

// Rebuild sends an item anew under the mapping file as it is now. One that was delivered becomes an update of its record; one that waits, or is for
// a person, is sent as it will be then. Conflict: it is a change that was delivered, and somebody may have changed it back since.
func (a *App) Rebuild(ctx context.Context, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var marks []string
	for _, s := range a.connector.Systems {
		if s.Engine == nil {
			continue
		}
		mark, err := s.Engine.ReadMapping()
		if err != nil {
			return err
		}
		marks = append(marks, mark)
	}
	mark := strings.Trim(strings.Join(marks, " "), " ")
	if mark == "" {
		return cti.Errorf(cti.Invalid, "there is no mapping: name its file under crm.mapping in the profile", nil)
	}
	it, err := a.outbox.Get(seq)
	if err != nil {
		return err
	}
	if it.State == outbox.Done && !slices.Contains(making, it.WriteBack.Op) {
		return cti.Errorf(cti.Conflict, fmt.Sprintf("item %d is a change that was delivered: sent anew it could undo what somebody did since; change it in the CRM", seq), nil)
	}
	newest, err := a.store.Latest(it.WriteBack.Leg, it.WriteBack.Key)
	if err != nil {
		return err
	}
	if newest.State == outbox.Discarded || it.State == outbox.Discarded {
		return cti.Errorf(cti.Conflict, fmt.Sprintf("item %d was discarded: a person decided that the CRM shall not have it", seq), nil)
	}
	w := newest.WriteBack
	w.Mapping = mark
	if err := a.outbox.Accept(cti.Call{}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
		return err
	}
	a.board.Publish(wire.Delta{Outbox: counts(a.outbox)})
	return nil
}
