package app

import (
	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Synchronised starts a synchronisation with the CRM and gives how it ended.
func (a *App) Synchronised(full bool) <-chan error { return a.customers.sync.Start(full) }

// Forgets leaves the index as a kill does just after the CRM took a new customer: without them, and with whom they were here.
func (a *App) Forgets(id string, was cti.Customer) {
	a.customers.Replaced(id)
	a.customers.Added(was)
}

// Deliver is the outbox's Sender in front of a connector.
func Deliver(c crm.Connector, latest func(leg, key string) (outbox.Item, error)) outbox.Sender {
	return &delivery{connector: c, customers: &customers{features: c.Features()}, latest: latest}
}
