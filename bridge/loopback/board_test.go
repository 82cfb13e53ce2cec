package loopback_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// copyOf is what a reader has: the snapshot with the deltas applied as wire says.
type copyOf struct{ wire.Snapshot }

func (c *copyOf) take(t *testing.T, d wire.Delta) {
	if d.Seq != c.Seq+1 || d.V != wire.Version {
		t.Errorf("delta %d (version %d) follows %d", d.Seq, d.V, c.Seq)
	}
	c.Seq = d.Seq
	if d.Outbox != nil {
		c.Outbox = *d.Outbox
	}
	if d.Storage != nil {
		c.Storage = *d.Storage
	}
	if d.Phone != nil {
		c.Phone = *d.Phone
	}
	if d.CRM != nil {
		c.CRM = *d.CRM
	}
	if d.Drop != "" {
		c.Cards = slices.DeleteFunc(c.Cards, func(card wire.Card) bool { return card.Leg == d.Drop })
	}
	if d.Card == nil {
		return
	}
	if i := slices.IndexFunc(c.Cards, func(card wire.Card) bool { return card.Leg == d.Card.Leg }); i >= 0 {
		c.Cards[i] = *d.Card
	} else {
		c.Cards = slices.Insert(c.Cards, 0, *d.Card)
	}
}

// follow reads until the board's last delta, beginning anew whenever it was let go.
func follow(t *testing.T, b *loopback.Board, last uint64) copyOf {
	for {
		first, deltas, cancel := b.Subscribe()
		c := copyOf{first}
		for c.Seq < last {
			d, ok := <-deltas
			if !ok {
				break
			}
			c.take(t, d)
		}
		cancel()
		if c.Seq >= last {
			return c
		}
	}
}

func TestSnapshotAndDeltasHaveNoGapUnderConcurrentPublishers(t *testing.T) {
	const publishers, each, readers = 8, 300, 6
	b := loopback.NewBoard(wire.Snapshot{Language: "en"})
	copies := make([]copyOf, readers)
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() { copies[i] = follow(t, b, publishers*each) })
	}
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				leg := fmt.Sprintf("leg-%d-%d", p, i%5)
				switch i % 3 {
				case 0:
					b.Publish(wire.Delta{Card: &wire.Card{Leg: leg, RingMS: int64(i)}})
				case 1:
					b.Publish(wire.Delta{Drop: leg, Outbox: &wire.Outbox{Waiting: p*each + i}})
				case 2:
					b.Publish(wire.Delta{CRM: &wire.Link{Name: leg, State: wire.LinkUp}, Phone: &wire.Link{Name: leg}})
				}
			}
		})
	}
	all.Wait()
	want := b.Snapshot()
	if want.Seq != publishers*each || want.V != wire.Version || want.Language != "en" {
		t.Fatalf("the board ends with %+v", want)
	}
	for i, c := range copies {
		if diff := cmp.Diff(want, c.Snapshot); diff != "" {
			t.Errorf("reader %d has something else (-board +reader):\n%s", i, diff)
		}
	}
}

func TestASlowReaderIsLetGoAndCanBeginAnew(t *testing.T) {
	b := loopback.NewBoard(wire.Snapshot{})
	_, slow, cancelSlow := b.Subscribe()
	_, quick, cancelQuick := b.Subscribe()
	defer cancelQuick()
	const published = 1000
	for range published {
		b.Publish(wire.Delta{Outbox: &wire.Outbox{}})
		<-quick
	}
	got := uint64(0)
	for d := range slow { // ends: the channel was closed
		got++
		if d.Seq != got {
			t.Fatalf("delta %d came where %d was due", d.Seq, got)
		}
	}
	if got == 0 || got >= published {
		t.Errorf("the slow reader got %d of %d deltas before it was let go", got, published)
	}
	cancelSlow() // after the board let go already
	anew, deltas, cancel := b.Subscribe()
	defer cancel()
	if anew.Seq != published {
		t.Errorf("anew it begins at %d, not at %d", anew.Seq, published)
	}
	b.Publish(wire.Delta{})
	if d := <-deltas; d.Seq != published+1 {
		t.Errorf("and goes on with %d", d.Seq)
	}
}

func TestCancellingTwiceIsHarmless(t *testing.T) {
	b := loopback.NewBoard(wire.Snapshot{})
	_, deltas, cancel := b.Subscribe()
	cancel()
	cancel()
	if _, ok := <-deltas; ok {
		t.Error("a delta came after cancel")
	}
	if seq := b.Publish(wire.Delta{}); seq != 1 {
		t.Errorf("the first delta has number %d", seq)
	}
}

func TestASnapshotDoesNotChangeAfterwards(t *testing.T) {
	b := loopback.NewBoard(wire.Snapshot{})
	if s := b.Snapshot(); s.Cards == nil {
		t.Error("an empty board has no list of cards, which is null in JSON")
	}
	b.Publish(wire.Delta{Card: &wire.Card{Leg: "one", RingMS: 1}})
	before, _, cancel := b.Subscribe()
	defer cancel()
	b.Publish(wire.Delta{Card: &wire.Card{Leg: "one", RingMS: 2}})
	b.Publish(wire.Delta{Card: &wire.Card{Leg: "two"}})
	if len(before.Cards) != 1 || before.Cards[0].RingMS != 1 {
		t.Errorf("the snapshot became %+v", before.Cards)
	}
	if now := b.Snapshot(); len(now.Cards) != 2 || now.Cards[0].Leg != "two" {
		t.Errorf("newest is not first: %+v", now.Cards)
	}
}

func TestTheStorageIsWellUntilSomethingElseIsSaid(t *testing.T) {
	b := loopback.NewBoard(wire.Snapshot{})
	if got := b.Snapshot().Storage; got.State != wire.StorageOK {
		t.Errorf("it begins as %+v", got)
	}
	full := wire.Storage{State: wire.StorageDiskFull, Detail: "/var"}
	b.Publish(wire.Delta{Storage: &full})
	b.Publish(wire.Delta{Drop: "leg"}) // says nothing about it
	if got := b.Snapshot().Storage; got != full {
		t.Errorf("the snapshot has %+v", got)
	}
}
