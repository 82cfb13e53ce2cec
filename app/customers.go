package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/outbox"
	customerstore "ringside.dev/ringside/store/customers"
)

// shown is how many lines of history and tickets a card has room for.
const shown = 5

// customers is the flow's Finder: who it is comes from identify, what else there is from the connector's features.
type customers struct {
	*identify.Finder
	features crm.Features
	index    *customerstore.Index
	sync     *identify.Sync // nil: this CRM does not tell what changed
	latest   func(leg, key string) (outbox.Item, error)
	log      *slog.Logger
}

// openCustomers opens what is kept of customers on this computer.
func openCustomers(cfg Config, connector watched, plan *number.Plan, latest func(leg, key string) (outbox.Item, error)) (*customers, error) {
	index, err := customerstore.Open(customerstore.Options{Path: filepath.Join(cfg.StateDir, customerstore.FileName), Keys: cfg.Keys, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	picks, err := customerstore.OpenPicks(filepath.Join(cfg.StateDir, customerstore.PicksFileName), cfg.Keys, cfg.Log)
	if err != nil {
		return nil, errors.Join(err, index.Close())
	}
	c := &customers{features: connector.Features(), index: index, log: cfg.Log, latest: latest, Finder: identify.New(identify.Config{Directory: connector, Index: index,
		Picks: picks, Plan: plan, Agent: cfg.Profile.Agent, Types: cfg.Profile.Customers.Types, Log: cfg.Log})}
	if c.features.Changes != nil {
		every := cmp.Or(time.Duration(cfg.Profile.Customers.SyncMinutes)*time.Minute, identify.SyncEvery)
		c.sync = identify.NewSync(identify.SyncConfig{Index: index, Plan: plan, Every: every, Log: cfg.Log,
			Changes: func(ctx context.Context, cursor string) (page cti.CustomerPage, err error) {
				err = guarded(func() (err error) { page, err = c.features.Changes(ctx, cursor); return err })
				return page, err
			}})
	}
	return c, nil
}

// run checks the index if that is needed, then keeps it like the CRM.
func (c *customers) run(ctx context.Context) error {
	if err := c.index.Vet(); err != nil {
		c.log.Warn("the customer index was damaged and begins anew", "err", err)
	}
	if c.sync == nil {
		return nil
	}
	return c.sync.Run(ctx)
}

// Cached implements flow.Finder.
func (c *customers) Cached(n cti.Number) []cti.Match { return c.settled(c.Finder.Cached(n)) }

// Find implements flow.Finder.
func (c *customers) Find(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	found, err := c.Finder.Find(ctx, n)
	return c.settled(found), err
}

// settled puts right what the index says of customers who were to be created: of those whom the CRM has by now it may have missed that, as
// when Ringside was killed in that moment, and of those who were discarded.
func (c *customers) settled(matches []cti.Match) []cti.Match {
	out := matches[:0:0]
	for _, m := range matches {
		leg, key, ours := cti.CreatedBy(m.Customer.ID)
		if !ours {
			out = append(out, m)
			continue
		}
		it, err := c.latest(leg, key)
		switch {
		case err != nil || !it.State.Final() && it.Seq != 0:
			out = append(out, m)
		case it.Receipt.ID == "":
			c.Replaced(m.Customer.ID)
		default:
			c.Replaced(m.Customer.ID)
			m.Customer.ID = it.Receipt.ID
			if !slices.ContainsFunc(matches, func(other cti.Match) bool { return other.Customer.ID == it.Receipt.ID }) {
				c.Added(m.Customer)
				out = append(out, m)
			}
		}
	}
	return out
}

// Details fetches history and open tickets side by side; what the CRM cannot tell is left empty.
func (c *customers) Details(ctx context.Context, customerID string) (flow.Details, error) {
	var d flow.Details
	var historyErr, ticketsErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.features.Tickets != nil {
			ticketsErr = guarded(func() (err error) { d.Tickets, err = c.features.Tickets(ctx, customerID, shown); return err })
		}
	}()
	if c.features.History != nil {
		historyErr = guarded(func() (err error) { d.History, err = c.features.History(ctx, customerID, shown); return err })
	}
	<-done
	if historyErr != nil {
		return d, historyErr
	}
	return d, ticketsErr
}

// guarded makes a panic in a connector a failed request, not the end of the agent.
func guarded(request func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = cti.Errorf(cti.Internal, "the connector failed", fmt.Errorf("panic: %v", p))
		}
	}()
	return request()
}

// watched is a connector that tells how each of its requests went, so that the window can show how the CRM is.
type watched struct {
	crm.Connector
	told func(error)
}

func watch(c crm.Connector, told func(error)) watched { return watched{c, told} }

func (w watched) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	found, err := w.Connector.Lookup(ctx, n)
	w.told(err)
	return found, err
}

func (w watched) Write(ctx context.Context, wb cti.WriteBack) (cti.Receipt, error) {
	receipt, err := w.Connector.Write(ctx, wb)
	w.told(err)
	return receipt, err
}
