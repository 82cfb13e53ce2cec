package loopback

import (
	"slices"
	"sync"

	"ringside.dev/ringside/bridge/wire"
)

// readerBuffer is how many deltas a reader may be behind before it is let go and must begin anew with a snapshot.
const readerBuffer = 256

// Board holds what all readers see and tells them what changes. It is safe for concurrent use and never waits for a reader.
type Board struct {
	mu      sync.Mutex
	now     wire.Snapshot
	readers map[chan wire.Delta]struct{}
}

// NewBoard makes a board that begins with a snapshot.
func NewBoard(first wire.Snapshot) *Board {
	first.V = wire.Version
	if first.Cards == nil {
		first.Cards = []wire.Card{}
	}
	if first.Storage.State == "" {
		first.Storage.State = wire.StorageOK
	}
	if first.Presence.Reasons == nil {
		first.Presence.Reasons = []string{}
	}
	return &Board{now: first, readers: map[chan wire.Delta]struct{}{}}
}

// Snapshot gives all there is now.
func (b *Board) Snapshot() wire.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.now
	s.Cards = slices.Clone(s.Cards)
	return s
}

// Subscribe gives the snapshot and everything after it. The channel is closed when the reader falls too far behind, or by cancel,
// which may be called more than once.
func (b *Board) Subscribe() (wire.Snapshot, <-chan wire.Delta, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reader := make(chan wire.Delta, readerBuffer)
	b.readers[reader] = struct{}{}
	s := b.now
	s.Cards = slices.Clone(s.Cards)
	return s, reader, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.letGo(reader)
	}
}

// Publish applies a delta and passes it on; it gives the delta's number.
func (b *Board) Publish(d wire.Delta) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Seq++
	d.V, d.Seq = wire.Version, b.now.Seq
	b.apply(d)
	for reader := range b.readers {
		select {
		case reader <- d:
		default:
			b.letGo(reader)
		}
	}
	return d.Seq
}

func (b *Board) apply(d wire.Delta) {
	if d.Phone != nil {
		b.now.Phone = *d.Phone
	}
	if d.CRM != nil {
		b.now.CRM = *d.CRM
	}
	if d.Outbox != nil {
		b.now.Outbox = *d.Outbox
	}
	if d.Storage != nil {
		b.now.Storage = *d.Storage
	}
	if d.Presence != nil {
		b.now.Presence = *d.Presence
	}
	if d.Drop != "" {
		b.now.Cards = slices.DeleteFunc(slices.Clone(b.now.Cards), func(c wire.Card) bool { return c.Leg == d.Drop })
	}
	if d.Card == nil {
		return
	}
	cards := slices.Clone(b.now.Cards)
	if i := slices.IndexFunc(cards, func(c wire.Card) bool { return c.Leg == d.Card.Leg }); i >= 0 {
		cards[i] = *d.Card
	} else {
		cards = slices.Insert(cards, 0, *d.Card)
	}
	b.now.Cards = cards
}

func (b *Board) letGo(reader chan wire.Delta) {
	if _, there := b.readers[reader]; there {
		delete(b.readers, reader)
		close(reader)
	}
}
