package app

import (
	"context"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/bridge/wire"
)

// Changes go both ways: what the agent changes of a customer reaches the CRM, what the CRM changes reaches the card. When both changed the same,
// the CRM's stands, both are shown, and the person decides.

// ChangeTags adds and removes tags of a call's customer.
func (a *App) ChangeTags(ctx context.Context, leg string, r wire.TagsRequest) error {
	f := a.customers.features.Writes
	if len(r.Add) > 0 && !f[cti.AddTags] || len(r.Remove) > 0 && !f[cti.RemoveTags] {
		return cti.Errorf(cti.Invalid, "this CRM's connector cannot change tags: do it in the CRM", nil)
	}
	return a.flow.ChangeTags(ctx, leg, r.Add, r.Remove)
}

// SetStatus sets the follow-up status of a call's customer.
func (a *App) SetStatus(ctx context.Context, leg string, r wire.StatusRequest) error {
	if f := a.customers.features; !f.Writes[cti.UpdateCustomer] || !f.Status {
		return cti.Errorf(cti.Invalid, "this CRM's connector cannot change a customer's status: do it in the CRM", nil)
	}
	return a.flow.SetStatus(ctx, leg, r.Status)
}

// SetTicketStatus sets the status of a ticket on a card.
func (a *App) SetTicketStatus(ctx context.Context, leg string, r wire.TicketStatusRequest) error {
	if !a.customers.features.Writes[cti.SetStatus] {
		return cti.Errorf(cti.Invalid, "this CRM's connector cannot change tickets: do it in the CRM", nil)
	}
	return a.flow.SetTicketStatus(ctx, leg, r.Ticket, r.Status)
}

// mostOptions is how many choices of a kind are shown.
const mostOptions = 200

// Options gives the choices of a kind as the CRM has them: status (of tickets), customer_status or tag.
func (a *App) Options(ctx context.Context, kind string) (list []cti.Option, err error) {
	ask := a.customers.features.Options
	if ask == nil {
		return []cti.Option{}, nil // then any word may be written
	}
	err = guarded(func() (err error) { list, err = ask(ctx, kind, mostOptions); return err })
	return filled(list), err
}

// changeOf puts an item that changes a customer into the card's words.
func changeOf(it outbox.Item, sending bool) flow.Change {
	c := flow.ChangeOf(it.WriteBack)
	c.Item, c.Write = it.Seq, writeOf(it, sending)
	if last := it.LastTry(); it.State == outbox.Review && last.Kind == cti.Conflict && last.Current != nil {
		c.Theirs = *last.Current
	}
	return c
}

// changeProgressed takes the outbox's news of a change to its card. When it is over, the card and the index get what the CRM has now.
func (a *App) changeProgressed(p outbox.Progress) {
	a.flow.ChangeProgress(p.Item.WriteBack.Leg, changeOf(p.Item, p.Sending))
	if p.Item.State.Final() || p.Item.State == outbox.Review {
		a.refresh(p.Item.WriteBack.CustomerID)
	}
}

const (
	// refreshLimit is how long asking for one customer may take.
	refreshLimit = 10 * time.Second
	// mostStale is how many customers wait to be read again; the next synchronisation brings those beyond.
	mostStale = 100
)

// refresh has a customer read again: they go into the index and onto the cards. It does not wait.
func (a *App) refresh(customerID string) {
	if _, _, ours := cti.CreatedBy(customerID); a.customers.features.Get == nil || customerID == "" || ours {
		return
	}
	select {
	case a.stale <- customerID:
	default:
	}
}

// readAgain reads one stale customer after the other, until ctx ends.
func (a *App) readAgain(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-a.stale:
			a.read(ctx, id)
		}
	}
}

func (a *App) read(ctx context.Context, customerID string) {
	asked, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	var c cti.Customer
	err := guarded(func() (err error) { c, err = a.customers.features.Get(asked, customerID); return err })
	switch {
	case ctx.Err() != nil:
	case cti.KindOf(err) == cti.NotFound:
		a.customers.Replaced(customerID)
		a.flow.Refreshed(nil, []string{customerID})
	case err != nil:
		a.cfg.Log.Warn("a customer was not read again", "customer", customerID, "kind", cti.KindOf(err), "err", err)
	default:
		a.customers.Read(c)
		a.flow.Refreshed([]cti.Customer{c}, nil)
	}
}

// freshen keeps open cards like the CRM where its connector does not tell what changed: it asks for each customer on a card.
func (a *App) freshen(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, c := range a.board.Snapshot().Cards {
				if c.State != cti.StateClosed {
					a.refresh(c.Picked)
				}
			}
		}
	}
}

// What a person is told when somebody else changed the same. What it is now goes beside it: a message may be logged.
const (
	bothChanged  = "somebody else changed the same in the CRM meanwhile: discard this to leave it so, retry to have yours"
	noLongerOpen = "this ticket is not among the open ones of the CRM any more: discard this to leave it so, retry to have yours"
)

// change writes what a person changed, unless somebody else changed the same meanwhile. Where the CRM knows versions it refuses the moment
// between reading and writing itself; then it is compared once more.
func (d *delivery) change(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	wants, kept := w.New.Status, w.Version
	if w.Op == cti.SetStatus {
		wants = w.Ticket.Status
	}
	for again := false; ; again = true {
		is, version, known, err := d.current(ctx, w)
		switch {
		case err != nil:
			return cti.Receipt{}, err
		case !known:
			return d.connector.Write(ctx, w) // its own version is all there is to go by
		case is == wants:
			return cti.Receipt{ID: w.CustomerID}, nil
		case is != *w.Was:
			conflict := cti.Errorf(cti.Conflict, bothChanged, nil)
			if conflict.Current = &is; is == "" && w.Op == cti.SetStatus {
				conflict.Msg = noLongerOpen
			}
			return cti.Receipt{}, conflict
		}
		if w.Version = version; kept == "" {
			w.Version = ""
		}
		receipt, err := d.connector.Write(ctx, w)
		if cti.KindOf(err) != cti.Conflict || again {
			return receipt, err
		}
	}
}

// current is the value that a change is about as the CRM has it now; known is false where its connector cannot say.
func (d *delivery) current(ctx context.Context, w cti.WriteBack) (value, version string, known bool, err error) {
	f := d.customers.features
	switch {
	case w.Op == cti.UpdateCustomer && f.Get != nil:
		c, err := f.Get(ctx, w.CustomerID)
		return c.Status, c.Version, err == nil, err
	case w.Op == cti.SetStatus && f.Tickets != nil:
		list, err := f.Tickets(ctx, w.CustomerID, mostTickets)
		if err != nil {
			return "", "", false, err
		}
		i := slices.IndexFunc(list, func(t cti.Ticket) bool { return t.ID == w.Ticket.ID })
		if i < 0 {
			return "", "", true, nil // it is not among the open ones: whoever saw it there has to hear that
		}
		return list[i].Status, list[i].Version, true, nil
	}
	return "", "", false, nil
}

// mostTickets is among how many of a customer's tickets the one that is changed is looked for.
const mostTickets = 100
