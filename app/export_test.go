package app

// Synchronised starts a synchronisation with the CRM and gives how it ended.
func (a *App) Synchronised(full bool) <-chan error { return a.customers.sync.Start(full) }
