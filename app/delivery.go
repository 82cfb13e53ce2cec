package app

import (
	"context"
	"slices"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// delivery is the outbox's Sender: it settles whom a record is for when that was not known during the call, then writes.
type delivery struct {
	connector crm.Connector
	customers *customers
	latest    func(leg, key string) (outbox.Item, error) // the newest write-back with a key
	files     *files                                     // hands recordings on, which takes longer than an attempt may
}

// Send implements outbox.Sender. Several customers on one number are kind conflict: a person must pick.
func (d *delivery) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	if w.Op == cti.CreateCustomer {
		return d.create(ctx, w)
	}
	if w.Identity == cti.IdentityPending {
		id, err := d.whose(ctx, w.Record.Number)
		if err != nil {
			return cti.Receipt{}, err
		}
		w.CustomerID, w.Identity = id, cti.IdentityKnown
	}
	id, err := d.created(w.CustomerID)
	if err == nil && id == "" && w.CustomerID != "" && w.Op != cti.LogCall {
		err = cti.Errorf(cti.NotFound, "the new customer of this call was given up: there is nobody this could be for", nil)
	}
	if err == nil && (w.Op == cti.AttachRecording || w.Op == cti.UploadRecording) && w.RecordID == "" {
		w.RecordID, err = d.recordOf(w)
	}
	if err != nil {
		return cti.Receipt{}, err
	}
	w.CustomerID = id
	if w.Op == cti.UploadRecording {
		return d.files.send(w)
	}
	if w.Was != nil {
		return d.change(ctx, w)
	}
	return d.connector.Write(ctx, w)
}

// recordOf gives the CRM's id of the call that a recording belongs to: its Record is the call's.
func (d *delivery) recordOf(w cti.WriteBack) (string, error) {
	it, err := d.latest(w.Leg, w.Record.Key)
	switch {
	case err != nil:
		return "", err
	case it.Receipt.ID != "":
		return it.Receipt.ID, nil
	case it.State == outbox.Discarded || it.Seq == 0:
		return "", cti.Errorf(cti.NotFound, "the record of this call was given up: the CRM has nothing to attach the recording to", nil)
	case it.State == outbox.Review:
		return "", cti.Errorf(cti.Conflict, "the record of this call is not in the CRM yet: see to that first", nil)
	}
	return "", cti.Errorf(cti.Offline, "the record of this call comes first", nil)
}

// create makes a customer, unless somebody has the number by now: then that one is meant.
func (d *delivery) create(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	n := w.Record.Number
	if n.Tells() && w.RecordID == "" {
		matches, err := d.customers.Fresh(ctx, n)
		if err != nil {
			return cti.Receipt{}, err
		}
		matches = slices.DeleteFunc(matches, func(m cti.Match) bool { return !w.New.Is(m.Customer.ID) })
		switch whole := len(matches) > 0 && matches[0].Grade != cti.Perhaps; {
		case whole && len(matches) == 1:
			return cti.Receipt{ID: matches[0].Customer.ID}, nil
		case whole:
			return cti.Receipt{}, cti.Errorf(cti.Conflict, "meanwhile several customers have this number: a person must pick one", nil)
		}
	}
	return d.connector.Write(ctx, w)
}

// created gives the CRM's id of a customer who was to be created. While they are on their way the record waits, and is sent as soon as anything
// gets through; when they need a person, so does the record.
func (d *delivery) created(customerID string) (string, error) {
	leg, key, ok := cti.CreatedBy(customerID)
	if !ok {
		return customerID, nil
	}
	it, err := d.latest(leg, key)
	switch {
	case err != nil:
		return "", err
	case it.State == outbox.Done:
		return it.Receipt.ID, nil
	case it.State == outbox.Discarded || it.Seq == 0:
		return "", nil // then it is nobody's
	case it.State != outbox.Review:
		return "", cti.Errorf(cti.Offline, "the new customer of this call comes first", nil)
	}
	return "", cti.Errorf(cti.Conflict, "the new customer of this call is not in the CRM yet: see to that first, or pick another", nil)
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
func (d *delivery) Repeat(w cti.WriteBack) cti.Repeat {
	if w.Op == cti.UploadRecording {
		return cti.Repeat{Safe: true} // how far it came is known
	}
	return d.connector.Repeat(w)
}

// Find implements outbox.Sender.
func (d *delivery) Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	id, err := d.created(w.CustomerID)
	if err != nil {
		return cti.Receipt{}, err
	}
	w.CustomerID = id
	return d.connector.Find(ctx, w)
}
