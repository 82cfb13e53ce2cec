package network_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/build/faults/hostile/rig"
)

// Fault 33: a backlog drains at 95 % at least of what the CRM allows, and next to nothing is refused. So few a second that the machine is
// not what holds it up.
func TestABacklogDrainsAtTheRateTheCRMAllows(t *testing.T) {
	t.Parallel()
	// Declared for a minute, the connector may send burst at once: so a pause of the machine is made up for. What came at once does not count.
	const perSecond, backlog = 50, 2000
	const burst = 60 * perSecond / 50
	w := newWorld(t, 0)
	w.load = &rig.Load{Lanes: 40, Waiting: 1 << 20, Internal: true, More: func(accepted int) bool { return accepted < backlog }, Edits: func() bool { return false }}
	w.load.Customers(t, w.crm)
	if err := w.crm.SetTraits(sandbox.Traits{PlainPosts: true, PerSecond: perSecond, Burst: 2 * burst}); err != nil {
		t.Fatal(err)
	}
	w.start(t, "per: 1s", "per: 60s")
	w.agent.Stop()
	w.agent.Params = map[string]string{"base_url": "http://" + nobody(t), "token": sandbox.DefaultToken, "per_second": fmt.Sprint(60 * perSecond)}
	w.agent.Launch()
	ctx, cancel := context.WithTimeout(t.Context(), 2*rig.Patience)
	defer cancel()
	w.load.Run(ctx)
	w.agent.Stop()
	w.agent.Params["base_url"] = w.crm.URL()
	w.agent.Launch()
	w.arrived(ctx, t)
	entries := w.crm.Ledger().Entries
	took := entries[len(entries)-1].At.Sub(entries[0].At.Time)
	share := float64(len(entries)-1-burst) / took.Seconds() / perSecond
	t.Logf("drain: %d items in %s, %.1f %% of the %d requests a second that the CRM allows, %d refused", len(entries), took.Round(10*time.Millisecond), 100*share, perSecond, w.crm.Stats().Limited)
	if share < .95 {
		t.Error("that is less than 95 %")
	}
	if refused := w.crm.Stats().Limited; refused > backlog/100 {
		t.Errorf("%d requests were refused", refused)
	}
}
