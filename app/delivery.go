package app

import (
	"context"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// delivery is the outbox's Sender: it settles whom a record is for when nobody could be asked during the call, then writes.
type delivery struct {
	connector crm.Connector
	customers *customers
}

// Send implements outbox.Sender. Several customers on one number are kind conflict: a person must pick.
func (d *delivery) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if w.Identity == cti.IdentityPending {
		id, err := d.whose(ctx, w.Record.Number)
		if err != nil {
			return cti.Receipt{}, err
		}
		w.CustomerID, w.Identity = id, cti.IdentityKnown
	}
	return d.connector.Write(ctx, w)
}

// whose asks now; "" means the record is nobody's and names only the number.
func (d *delivery) whose(ctx context.Context, n cti.Number) (string, error) {
	if !n.Tells() {
		return "", nil
	}
	matches, err := d.customers.Find(ctx, n)
	switch {
	case err != nil:
		return "", err
	case len(matches) == 0:
		return "", nil
	case len(matches) == 1 && matches[0].Grade != cti.Perhaps:
		return matches[0].Customer.ID, nil
	}
	return "", cti.Errorf(cti.Conflict, "several customers may have this number: a person must pick one", nil)
}

// Repeat implements outbox.Sender.
func (d *delivery) Repeat(w cti.WriteBack) cti.Repeat { return d.connector.Repeat(w) }

// Find implements outbox.Sender.
func (d *delivery) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	return d.connector.Find(ctx, w)
}
