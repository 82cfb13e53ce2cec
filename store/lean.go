package store

import "ringside.dev/ringside/store/journal"

// waiting is what a lean index holds: the items that are not final, and their calls. It is made when there is no room for all, and is made whole
// at the next start at which there is. Until then what is final is not known by its key: the CRM gets it once more with the same key.
type waiting struct {
	legs map[uint64]string // Seq of an unfinished item → leg
	need map[string]bool   // these legs
	over map[string]bool   // legs of finished calls
}

// unfinished reads the journal for what waits.
func unfinished(j *journal.Journal) (waiting, error) {
	w := waiting{legs: map[uint64]string{}, need: map[string]bool{}, over: map[string]bool{}}
	_, err := readChanges(j, journal.Position{}, func(c change, _ journal.Position) error {
		if c.call != nil {
			w.over[c.call.Call.Leg] = true
		}
		switch {
		case c.item == nil:
		case c.item.State.Final():
			delete(w.legs, c.item.Seq)
		default:
			w.legs[c.item.Seq] = c.item.WriteBack.Leg
		}
		return nil
	}, func(error) {}) // whoever brings the records in counts what cannot be read
	if err != nil {
		return w, err
	}
	for _, leg := range w.legs {
		w.need[leg] = true
	}
	return w, nil
}

// has tells whether a change is about what waits: also a call that is not over.
func (w waiting) has(c change) bool {
	if c.item != nil {
		if _, ok := w.legs[c.item.Seq]; ok {
			return true
		}
	}
	return c.live != nil && !w.over[c.live.Call.Leg] || c.call != nil && w.need[c.call.Call.Leg]
}
