package store

import (
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/journal"
)

// group is what the writer appended at once.
type group struct {
	changes []change
	end     journal.Position
}

// pending is what was acknowledged and is not in the index yet. Store.mu guards it.
type pending struct {
	groups  []group // in order
	count   int     // changes in them
	newest  uint64  // number of the newest record that was acknowledged, settled or not
	indexed uint64  // up to this number the index has everything

	// What the groups say, the newest of each; the numbers are those of the records.
	items map[uint64]numbered[outbox.Item] // by Seq
	keys  map[legKey]numbered[uint64]      // Seq of the newest item
	calls map[string]numbered[LoggedCall]  // by leg
	live  map[string]numbered[*LoggedCall] // by leg; nil: it is over
}

// legKey is the key of a write-back of a leg.
type legKey struct{ leg, key string }

type numbered[T any] struct {
	value  T
	number uint64
}

func newPending(newest uint64) pending {
	return pending{newest: newest, indexed: newest, items: map[uint64]numbered[outbox.Item]{}, keys: map[legKey]numbered[uint64]{},
		calls: map[string]numbered[LoggedCall]{}, live: map[string]numbered[*LoggedCall]{}}
}

func (p *pending) add(g group) {
	p.groups = append(p.groups, g)
	p.count += len(g.changes)
	for _, c := range g.changes {
		p.newest = c.number
		if it := c.item; it != nil {
			p.items[it.Seq] = numbered[outbox.Item]{*it, c.number}
			key := legKey{it.WriteBack.Leg, it.WriteBack.Key}
			seq := max(it.Seq, p.keys[key].value)
			p.keys[key] = numbered[uint64]{seq, c.number}
		}
		if c.call != nil {
			p.calls[c.call.Call.Leg] = numbered[LoggedCall]{*c.call, c.number}
		}
		if c.live != nil {
			p.live[c.live.Call.Leg] = numbered[*LoggedCall]{c.live, c.number}
		}
		if c.ends != "" {
			p.live[c.ends] = numbered[*LoggedCall]{nil, c.number}
		}
	}
}

// head gives whole groups from the front: one at least, and no more than have about so many changes.
func (p *pending) head(changes int) []group {
	n, sum := 0, 0
	for n < len(p.groups) && (n == 0 || sum+len(p.groups[n].changes) <= changes) {
		sum += len(p.groups[n].changes)
		n++
	}
	return p.groups[:n:n]
}

// settled forgets what is in the index: all up to a number. That is where a group ends.
func (p *pending) settled(number uint64) {
	p.indexed = max(p.indexed, number)
	n := 0
	for ; n < len(p.groups); n++ {
		g := p.groups[n]
		if len(g.changes) > 0 && g.changes[len(g.changes)-1].number > number {
			break
		}
		p.count -= len(g.changes)
		for _, c := range g.changes {
			p.forget(c)
		}
	}
	p.groups = p.groups[n:]
	if len(p.groups) == 0 {
		p.groups = nil // lets the memory go
	}
}

func (p *pending) forget(c change) {
	if c.item != nil {
		drop(p.items, c.item.Seq, c.number)
		drop(p.keys, legKey{c.item.WriteBack.Leg, c.item.WriteBack.Key}, c.number)
	}
	if c.call != nil {
		drop(p.calls, c.call.Call.Leg, c.number)
	}
	if c.live != nil {
		drop(p.live, c.live.Call.Leg, c.number)
	}
	if c.ends != "" {
		drop(p.live, c.ends, c.number)
	}
}

func drop[K comparable, T any](m map[K]numbered[T], key K, number uint64) {
	if v, ok := m[key]; ok && v.number <= number {
		delete(m, key)
	}
}
