package app_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
)

// desk keeps every card and link as the local API told them, so that no state is missed however short it was.
type desk struct {
	log *recorder

	mu    sync.Mutex
	seen  []wire.Card
	now   wire.Snapshot // without cards
	news  chan struct{} // closed and made anew at each change
	asked map[string]int
}

func newDesk(log *recorder) *desk {
	return &desk{log: log, news: make(chan struct{}), asked: map[string]int{}}
}

// watch begins anew when it fell behind, as a window would.
func (d *desk) watch(ctx context.Context, c *client.Client) {
	for ctx.Err() == nil {
		_ = c.Watch(ctx, func(s wire.Snapshot) error {
			d.change(func() {
				d.seen = append(d.seen, s.Cards...)
				d.now = s
			})
			return nil
		}, func(delta wire.Delta) error {
			d.change(func() { d.take(delta) })
			return nil
		}) // whatever ended it: begin anew or stop
	}
}

func (d *desk) take(delta wire.Delta) {
	if delta.Card != nil {
		d.seen = append(d.seen, *delta.Card)
	}
	if delta.CRM != nil {
		d.now.CRM = *delta.CRM
	}
	if delta.Outbox != nil {
		d.now.Outbox = *delta.Outbox
	}
}

func (d *desk) change(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
	close(d.news)
	d.news = make(chan struct{})
}

// last is the newest card, if any came.
func (d *desk) last() []wire.Card {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen[max(0, len(d.seen)-1):])
}

// until waits until ok, called with the lock held, says so.
func (d *desk) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		d.mu.Lock()
		done, news := ok(), d.news
		d.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-late.C:
			t.Fatalf("%s did not come; the last card is %+v\n%s", what, d.last(), d.log)
		}
	}
}

// card waits for the next card of a call that is as wanted, beginning with the one the last such wait found.
func (d *desk) card(t *testing.T, what, leg string, wanted func(wire.Card) bool) wire.Card {
	t.Helper()
	var found wire.Card
	d.until(t, what, func() bool {
		for i := d.asked[leg]; i < len(d.seen); i++ {
			if d.seen[i].Leg == leg && wanted(d.seen[i]) {
				found, d.asked[leg] = d.seen[i], i
				return true
			}
		}
		return false
	})
	return found
}

func (d *desk) delivered(t *testing.T, leg string) wire.Card {
	t.Helper()
	return d.card(t, "the delivery", leg, func(c wire.Card) bool { return c.Write.State == wire.WriteDelivered })
}

// saved waits until the CRM has the record with its wrap-up. The card may say delivered already while the update is still on its way,
// but the outbox is not empty then.
func (d *desk) saved(t *testing.T, leg string) {
	t.Helper()
	d.card(t, "the delivery with the wrap-up", leg, func(c wire.Card) bool {
		return c.Write.State == wire.WriteDelivered && !c.WrapUp.SavedAt.IsZero()
	})
	d.emptied(t)
}

// emptied waits until everything has reached the CRM.
func (d *desk) emptied(t *testing.T) {
	t.Helper()
	d.until(t, "an empty outbox", func() bool { return d.now.V > 0 && d.now.Outbox == wire.Outbox{} })
}
