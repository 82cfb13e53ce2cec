package app

import (
	"context"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// What a person may ask about the customers kept on this computer.

// IndexStats tells how much is in the index and how fresh it is.
func (a *App) IndexStats() (wire.Index, error) {
	size, err := a.customers.index.Size()
	if err != nil {
		return wire.Index{}, err
	}
	p, err := a.customers.index.Progress()
	if err != nil {
		return wire.Index{}, err
	}
	stats := wire.Index{Customers: size.Customers, Bytes: size.Bytes, FullAt: p.FullAt, FreshAt: p.FreshAt}
	if sync := a.customers.sync; sync != nil {
		s := sync.State()
		stats.Syncs, stats.Running, stats.Full, stats.Done, stats.Error = true, s.Running, s.Full, s.Done, cti.KindOf(s.Err)
	}
	return stats, nil
}

// SyncIndex asks the CRM at once what changed, or for everybody. IndexStats tell how far that is.
func (a *App) SyncIndex(full bool) error {
	if a.customers.sync == nil {
		return cti.Errorf(cti.Invalid, "this CRM's connector does not tell what changed: only customers who called are kept", nil)
	}
	a.customers.sync.Start(full)
	return nil
}

// ClearIndex forgets all customers on this computer; the next synchronisation brings them back.
func (a *App) ClearIndex() error { return a.customers.index.Clear() }

// Identify finds the customers behind a number as for a call, and tells how long each place took. An error of the CRM is told beside what the
// index has.
func (a *App) Identify(ctx context.Context, raw string) (wire.Identified, error) {
	n := a.plan.Parse(raw)
	begun := time.Now()
	out := wire.Identified{Number: n, Index: filled(a.customers.Cached(n))}
	out.IndexMS = milliseconds(time.Since(begun))
	out.CRM = []cti.Match{}
	if !n.Tells() {
		return a.mask.identified(out), nil
	}
	begun = time.Now()
	found, err := a.customers.Find(ctx, n)
	out.CRM, out.CRMMS, out.Error = filled(found), milliseconds(time.Since(begun)), cti.KindOf(err)
	return a.mask.identified(out), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
