package app

import (
	"context"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// dialling stops calls to customers who must not be called.
type dialling struct {
	stop  cti.DiallingProfile
	known func(n cti.Number) []cti.Match
	find  func(ctx context.Context, n cti.Number) ([]cti.Match, error)
}

// stopLimit is how long a dial may wait for the CRM to say whom it reaches; the index mostly knows at once.
const stopLimit = 800 * time.Millisecond

// allow gives why a number must not be called: kind denied, with the reason as the site calls it. When nobody can say who it is, it may.
func (d dialling) allow(ctx context.Context, n cti.Number) error {
	if len(d.stop.StopTags)+len(d.stop.StopStatuses) == 0 || !n.Tells() {
		return nil
	}
	matches := d.known(n)
	if len(matches) == 0 {
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		var err error
		if matches, err = d.find(ctx, n); err != nil {
			return nil // an unreachable CRM is no reason: who may not be called is mostly known here
		}
	}
	for _, m := range matches {
		if m.Grade == cti.Perhaps {
			continue // only a tail of digits is alike: perhaps somebody else
		}
		for _, tag := range m.Customer.Tags {
			if slices.Contains(d.stop.StopTags, tag) {
				return cti.Errorf(cti.Denied, "this customer must not be called: "+tag, nil)
			}
		}
		if slices.Contains(d.stop.StopStatuses, m.Customer.Status) {
			return cti.Errorf(cti.Denied, "this customer must not be called: "+m.Customer.Status, nil)
		}
	}
	return nil
}
