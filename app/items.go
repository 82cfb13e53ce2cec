package app

import (
	"fmt"
	"io"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/bridge/wire"
)

// What a person may ask about the records that have not reached the CRM, through the window or through the local API.

// OutboxItems lists what has not reached the CRM.
func (a *App) OutboxItems(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
	names := a.namesOnCards()
	list := []wire.OutboxItem{}
	for _, it := range a.outbox.Unfinished() { // by Seq
		if shown := outboxItem(it, names); it.Seq > q.After && q.Holds(shown) && len(list) < q.Limit {
			list = append(list, shown)
		}
	}
	return list, nil
}

// OutboxItem gives one item of the outbox.
func (a *App) OutboxItem(seq uint64) (wire.OutboxItem, error) {
	for _, it := range a.outbox.Unfinished() {
		if it.Seq == seq {
			return outboxItem(it, a.namesOnCards()), nil
		}
	}
	return wire.OutboxItem{}, cti.Errorf(cti.NotFound, fmt.Sprintf("there is no unfinished item %d in the outbox: see ringctl outbox list", seq), nil)
}

// Retry makes an item due now.
func (a *App) Retry(seq uint64) error { return a.outbox.Retry(seq) }

// RetryAll makes all items due that can be sent without a person, and tells how many.
func (a *App) RetryAll() (int, error) { return 0, errNotThere }

// EditItem replaces outcome and note of an item.
func (a *App) EditItem(uint64, wire.EditRequest) error { return errNotThere }

// Attach says whom an item is for.
func (a *App) Attach(_ uint64, customerID string) error {
	if strings.TrimSpace(customerID) == "" {
		return cti.Errorf(cti.Invalid, "name the customer by the id the CRM gave it", nil)
	}
	return errNotThere
}

// Discard takes an item out of the outbox for good: the CRM will not have it. The reason is kept with it.
func (a *App) Discard(_ uint64, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return cti.Errorf(cti.Invalid, "say why: the reason is kept with the record", nil)
	}
	return errNotThere
}

// ExportOutbox writes all that has not reached the CRM.
func (a *App) ExportOutbox(w io.Writer, f wire.Format) error {
	return wire.ExportOutbox(w, f, a.OutboxItems)
}

// errNotThere stands until the outbox has these.
var errNotThere = cti.Errorf(cti.Invalid, "this is not there yet", nil)

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
	for _, t := range it.Tries {
		shown.Tries = append(shown.Tries, wire.OutboxTry{At: t.At, TookMS: t.Took.Milliseconds(), Kind: t.Kind, Message: t.Message})
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
