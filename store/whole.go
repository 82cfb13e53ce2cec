package store

import (
	"errors"
	"fmt"

	"ringside.dev/ringside/store/journal"
)

// errEnough ends a replay.
var errEnough = errors.New("that is all")

// readChanges gives what the journal has from a position to its Last, with the position behind each change. What cannot be read goes to unreadable,
// and into the Damage.
func readChanges(j *journal.Journal, from journal.Position, each func(c change, behind journal.Position) error, unreadable func(error)) (journal.Damage, error) {
	w, unread := whole{each: each}, 0
	damage, err := j.Replay(from, func(r journal.Record, behind journal.Position) error {
		if r.Number > j.Last() {
			return errEnough
		}
		c, err := readChange(r)
		if err != nil {
			unread++
			unreadable(err)
			return nil
		}
		return w.add(c, behind)
	})
	damage.Records += unread
	if err != nil && !errors.Is(err, errEnough) {
		return damage, fmt.Errorf("replay the journal: %w", err)
	}
	return damage, nil
}

// whole hands on what one Accept wrote when all of it is there. What is not there to its last record was never acknowledged: of that nothing counts,
// so that the call is still live and is accepted once more. It holds one Accept at most.
type whole struct {
	each func(c change, behind journal.Position) error
	held []heldBack
}

type heldBack struct {
	change
	behind journal.Position
}

func (w *whole) add(c change, behind journal.Position) error {
	if n := len(w.held); n > 0 && (c.number != w.held[n-1].number+1 || c.of != w.held[0].of) {
		w.held = w.held[:0]
	}
	if c.nth != len(w.held)+1 {
		w.held = w.held[:0]
		if c.nth != 1 {
			return nil
		}
	}
	w.held = append(w.held, heldBack{c, behind})
	if c.nth < c.of {
		return nil
	}
	held := w.held
	w.held = nil
	for _, h := range held {
		if err := w.each(h.change, h.behind); err != nil {
			return err
		}
	}
	return nil
}
