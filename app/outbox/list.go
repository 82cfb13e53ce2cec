package outbox

import (
	"cmp"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// Filter says which items are listed. The zero value gives the first maxList.
type Filter struct {
	States []State // none: all that are not final; final ones are the store's to list
	Limit  int     // 0, and more than maxList: maxList
	After  uint64  // only those with a greater Seq; with Newest, and not 0: with a smaller one
	Newest bool    // from the newest on, not from the oldest
}

// maxList is how many items List gives at once: ask for the next with After.
const maxList = 1000

// List gives items that are not final. One whose content cannot be read has only what is known of it.
func (o *Outbox) List(f Filter) ([]Item, error) {
	seqs := o.choose(f, func(*entry) bool { return true })
	limit := min(maxList, len(seqs))
	if f.Limit > 0 {
		limit = min(limit, f.Limit)
	}
	items := make([]Item, 0, limit)
	for _, seq := range seqs {
		if len(items) == limit {
			break
		}
		it, err := o.Get(seq)
		switch {
		case cti.KindOf(err) == cti.NotFound || err == nil && it.State.Final(): // delivered meanwhile
		case err != nil:
			if stub, ok := o.stubOf(seq); ok {
				items = append(items, stub)
			}
		default:
			items = append(items, it)
		}
	}
	return items, nil
}

func (o *Outbox) stubOf(seq uint64) (Item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.schedule.entries[seq]
	if e == nil {
		return Item{}, false
	}
	return o.stub(e), true
}

// choose gives the Seqs of those in the memory that fit, in the filter's order and without its limit.
func (o *Outbox) choose(f Filter, fits func(*entry) bool) []uint64 {
	o.mu.Lock()
	var seqs []uint64
	for seq, e := range o.schedule.entries {
		beyond := seq > f.After
		if f.Newest && f.After > 0 {
			beyond = seq < f.After
		}
		if beyond && (len(f.States) == 0 || slices.Contains(f.States, e.stand())) && fits(e) {
			seqs = append(seqs, seq)
		}
	}
	o.mu.Unlock()
	slices.SortFunc(seqs, func(a, b uint64) int {
		if f.Newest {
			a, b = b, a
		}
		return cmp.Compare(a, b)
	})
	return seqs
}

// Get gives one item whole, final or not; kind notfound.
func (o *Outbox) Get(seq uint64) (Item, error) { return o.load(seq) }
