package app

import (
	"cmp"
	"context"
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
	index    identify.Index
	sync     *identify.Sync // nil: this CRM does not tell what changed
	told     func(cti.CustomerPage)
	every    time.Duration // how often the CRM is asked what changed
	latest   func(leg, key string) (outbox.Item, error)
	log      *slog.Logger
}

// openCustomers opens what is kept of customers on this computer.
func openCustomers(cfg Config, connector watched, plan *number.Plan, latest func(leg, key string) (outbox.Item, error)) *customers {
	index, picks := keptHere(cfg)
	c := &customers{features: connector.Features(), index: index, log: cfg.Log, latest: latest, Finder: identify.New(identify.Config{Directory: connector, Index: index,
		Picks: picks, Plan: plan, Agent: cfg.Profile.Agent, Types: cfg.Profile.Customers.Types, Log: cfg.Log})}
	c.every = cmp.Or(time.Duration(cfg.Profile.Customers.SyncMinutes)*time.Minute, identify.SyncEvery)
	if c.features.Changes != nil {
		c.sync = identify.NewSync(identify.SyncConfig{Index: index, Plan: plan, Every: c.every, Log: cfg.Log,
			Told: func(page cti.CustomerPage) { c.told(page) },
			Changes: func(ctx context.Context, cursor string) (page cti.CustomerPage, err error) {
				err = guarded(func() (err error) { page, err = c.features.Changes(ctx, cursor); return err })
				return page, err
			}})
	}
	return c
}

// keptHere opens what is kept of customers on this computer. What the disk refuses is done without: it must not keep anybody from taking calls.
func keptHere(cfg Config) (identify.Index, identify.Picks) {
	var index identify.Index = identify.Nothing{}
	if x, err := customerstore.Open(customerstore.Options{Path: filepath.Join(cfg.StateDir, customerstore.FileName), Keys: cfg.Keys, Log: cfg.Log}); err != nil {
		cfg.Log.Error("no customers are kept on this computer", "err", err)
	} else {
		index = x
	}
	picks, err := customerstore.OpenPicks(filepath.Join(cfg.StateDir, customerstore.PicksFileName), cfg.Keys, cfg.Log)
	if err != nil {
		cfg.Log.Error("whom the agent chooses is not remembered", "err", err)
		return index, identify.Nothing{}
	}
	return index, picks
}

// run checks the index if that is needed, then keeps it like the CRM.
func (c *customers) run(ctx context.Context) error {
	if err := c.index.Vet(); err != nil {
		c.log.Warn("the customer index was damaged and begins anew", "err", err)
	}
	if c.sync != nil {
		return c.sync.Run(ctx)
	}
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		if _, err := c.index.RemoveBefore(time.Now().Add(-keepSeen), identify.OnTheirWay); err != nil {
			c.log.Warn("customers seen long ago not forgotten", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tidy.C:
		}
	}
}

// Where the CRM does not tell what changed, who called is kept for so long.
const (
	keepSeen  = 90 * 24 * time.Hour
	tidyEvery = 24 * time.Hour
)

// Cached implements flow.Finder. It is called in the loop, so that what is wrong in the index is put right by Find.
func (c *customers) Cached(n cti.Number) []cti.Match {
	found, _ := c.settled(c.Finder.Cached(n))
	return found
}

// Find implements flow.Finder.
func (c *customers) Find(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	found, err := c.Finder.Find(ctx, n)
	found, mend := c.settled(found)
	mend()
	return found, err
}

// settled puts right what the index says of customers who were to be created: of those whom the CRM has by now it may have missed that, as
// when Ringside was killed in that moment, and of those who were discarded. Mend brings that into the index.
func (c *customers) settled(matches []cti.Match) (out []cti.Match, mend func()) {
	var gone []string
	var there []cti.Customer
	for _, m := range matches {
		leg, key, ours := cti.CreatedBy(m.Customer.ID)
		if !ours {
			out = append(out, m)
			continue
		}
		it, err := c.latest(leg, key)
		if err != nil || !it.State.Final() && it.Seq != 0 {
			out = append(out, m)
			continue
		}
		gone = append(gone, m.Customer.ID)
		known := func(other cti.Match) bool { return other.Customer.ID == it.Receipt.ID }
		if m.Customer.ID = it.Receipt.ID; m.Customer.ID != "" && !slices.ContainsFunc(matches, known) {
			out, there = append(out, m), append(there, m.Customer)
		}
	}
	return out, func() {
		for _, id := range gone {
			c.Replaced(id)
		}
		for _, customer := range there {
			c.Added(customer)
		}
	}
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
