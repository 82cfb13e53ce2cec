package app

import (
	"context"
	"fmt"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/identify"
)

// shown is how many lines of history and tickets a card has room for.
const shown = 5

// customers is the flow's Finder: who it is comes from identify, what else there is from the connector's features.
type customers struct {
	*identify.Finder
	features crm.Features
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
