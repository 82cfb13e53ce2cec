package app

import (
	"context"
	"io"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store"
)

// What a person may ask about the records that have not reached the CRM, through the window or through the local API.

// statesOf is which of the outbox's states a list of the readers' shows; none: all that have not reached the CRM.
var statesOf = map[wire.WriteState][]outbox.State{
	wire.WriteWaiting:     {outbox.Queued, outbox.Retry, outbox.Reconcile},
	wire.WriteQueued:      {outbox.Queued},
	wire.WriteRetrying:    {outbox.Retry},
	wire.WriteReconciling: {outbox.Reconcile},
	wire.WriteReview:      {outbox.Review},
	wire.WriteDelivered:   {outbox.Done},
	wire.WriteDiscarded:   {outbox.Discarded},
}

// OutboxItems lists items, by Seq.
func (a *App) OutboxItems(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
	states := statesOf[q.State]
	list, items := []wire.OutboxItem{}, []outbox.Item(nil)
	var err error
	if len(states) == 1 && states[0].Final() {
		items, err = a.store.Items(store.Filter{States: states, Limit: q.Limit, After: q.After})
	} else {
		items, err = a.outbox.List(outbox.Filter{States: states, Limit: q.Limit, After: q.After})
	}
	names, held := a.namesOnCards(), a.outbox.Counts()
	for _, it := range items {
		list = append(list, a.mask.item(heldBack(outboxItem(it, names), held)))
	}
	return list, err
}

// OutboxItem gives one item of the outbox.
func (a *App) OutboxItem(seq uint64) (wire.OutboxItem, error) {
	it, err := a.outbox.Get(seq)
	if err != nil {
		return wire.OutboxItem{}, err
	}
	return a.mask.item(heldBack(outboxItem(it, a.namesOnCards()), a.outbox.Counts())), nil
}

// Retry makes an item due now.
func (a *App) Retry(seq uint64) error { return a.outbox.Retry(seq) }

// RetryAll makes all items due that can be sent without a person, and tells how many.
func (a *App) RetryAll() (int, error) {
	total := 0
	for _, s := range []outbox.State{outbox.Retry, outbox.Reconcile} { // what is for a person is judged one by one
		n, err := a.outbox.RetryAll(s)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// EditItem replaces outcome and note of an item: through its card where it has one, so that the two never differ.
func (a *App) EditItem(ctx context.Context, seq uint64, e wire.EditRequest) error {
	return a.throughCard(seq, func(leg string) error {
		return a.flow.SaveWrapUp(ctx, leg, cti.WrapUp{Outcome: e.Outcome, Note: e.Note}, false)
	}, func() error {
		w, err := flow.CheckWrapUp(cti.WrapUp{Outcome: e.Outcome, Note: e.Note, SavedAt: time.Now().UTC().Truncate(time.Millisecond)}, a.cfg.Profile.WrapUp.Outcomes)
		if err != nil {
			return err
		}
		return a.editWithoutCard(seq, w)
	})
}

// editWithoutCard brings a person's words into the call list, then to the CRM.
func (a *App) editWithoutCard(seq uint64, w cti.WrapUp) error {
	it, err := a.outbox.Get(seq)
	if err != nil {
		return err
	}
	logged, err := a.store.Call(it.WriteBack.Leg)
	switch {
	case cti.KindOf(err) == cti.NotFound: // the call log does not go back so far
	case err != nil:
		return err
	default:
		if _, err := a.store.Accept(logged.Call, w, nil); err != nil {
			return err
		}
	}
	return a.outbox.Edit(seq, w)
}

// Attach says whom an item is for.
func (a *App) Attach(ctx context.Context, seq uint64, customerID string) error {
	customerID = cti.Clean(customerID, cti.MaxText)
	if customerID == "" {
		return cti.Errorf(cti.Invalid, "name the customer by the id the CRM gave it", nil)
	}
	return a.throughCard(seq, func(leg string) error { return a.flow.Attach(ctx, leg, customerID) },
		func() error { return a.attachWithoutCard(seq, customerID) })
}

// attachWithoutCard: what creates a customer is not given to another one; the call's record is.
func (a *App) attachWithoutCard(seq uint64, customerID string) error {
	it, err := a.outbox.Get(seq)
	if err != nil {
		return err
	}
	if it.WriteBack.Op == cti.CreateCustomer {
		return cti.Errorf(cti.Conflict, "this makes a new customer: discard it, and say on the call's record whom it was with", nil)
	}
	return a.outbox.Attach(seq, customerID)
}

// throughCard changes an item by way of its call's card; straight when there is none.
func (a *App) throughCard(seq uint64, card func(leg string) error, straight func() error) error {
	it, err := a.outbox.Get(seq)
	if err != nil {
		return err
	}
	if err = card(it.WriteBack.Leg); cti.KindOf(err) == cti.NotFound {
		err = straight()
	}
	if err == nil {
		a.board.Publish(wire.Delta{Outbox: counts(a.outbox)})
	}
	return err
}

// Discard takes an item out of the outbox for good: the CRM will not have it. The reason is kept with it.
func (a *App) Discard(seq uint64, reason string) error {
	return a.outbox.Discard(seq, cti.Clean(reason, cti.MaxText))
}

// ExportOutbox writes all that has not reached the CRM.
func (a *App) ExportOutbox(w io.Writer, f wire.Format) error {
	return wire.ExportOutbox(w, f, a.OutboxItems)
}

// namesOnCards are the customers' names by leg, as far as the cards know them: a write-back carries no name but the phone's.
func (a *App) namesOnCards() map[string]string {
	names := map[string]string{}
	for _, c := range a.board.Snapshot().Cards {
		for _, m := range c.Matches {
			if c.Picked != "" && m.Customer.ID == c.Picked {
				names[c.Leg] = m.Customer.Name
			}
		}
	}
	return names
}

func outboxItem(it outbox.Item, names map[string]string) wire.OutboxItem {
	w, r, last := it.WriteBack, it.WriteBack.Record, it.LastTry()
	shown := wire.OutboxItem{Seq: it.Seq, State: itemState(it), Op: w.Op, Key: w.Key, Leg: w.Leg, Direction: r.Direction, Number: r.Number,
		Name: names[w.Leg], CustomerID: w.CustomerID, StartedAt: r.StartedAt, Ending: r.Ending, TalkMS: r.TalkMS, Outcome: r.WrapUp.Outcome,
		Note: r.WrapUp.Note, CreatedAt: it.CreatedAt, Due: it.Due, Attempts: it.Attempts, Kind: last.Kind, Message: last.Message,
		Begun: it.Begun, Reason: it.Reason, Tries: []wire.OutboxTry{}}
	if shown.Name == "" {
		shown.Name = r.RemoteName
	}
	// A look-up before sending that found several is refused as a conflict; what the card knew already is unclear from the start.
	if shown.Unclear = it.State == outbox.Review && (w.Identity == cti.IdentityUnclear || w.Identity == cti.IdentityPending && last.Kind == cti.Conflict); shown.Unclear {
		shown.Kind = cti.Conflict
	}
	if w.Op.Changes() {
		c := changeOf(it, false)
		shown.Value, shown.Theirs = c.Value, c.Theirs
	}
	for _, t := range it.Tries {
		shown.Tries = append(shown.Tries, wire.OutboxTry{At: t.At, TookMS: t.Took.Milliseconds(), Kind: t.Kind, Message: t.Message})
	}
	return shown
}

// heldBack: while nothing is sent at all, what waits does so for that reason, whatever its own last failure was.
func heldBack(shown wire.OutboxItem, c outbox.Counts) wire.OutboxItem {
	if c.Paused.After(shown.Due) && (shown.State == wire.WriteQueued || shown.State == wire.WriteRetrying) {
		if shown.Kind != c.Reason {
			shown.Kind, shown.Message = c.Reason, ""
		}
		shown.Due = c.Paused
	}
	return shown
}

// itemState is the one table from an item's state to the readers'.
func itemState(it outbox.Item) wire.WriteState {
	switch it.State {
	case outbox.Queued:
		return wire.WriteQueued
	case outbox.Retry:
		return wire.WriteRetrying
	case outbox.Reconcile:
		return wire.WriteReconciling
	case outbox.Review:
		return wire.WriteReview
	case outbox.Done:
		return wire.WriteDelivered
	case outbox.Discarded:
		return wire.WriteDiscarded
	}
	return wire.WriteReview
}
