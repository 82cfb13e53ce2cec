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
	w, unread, damaged := whole{each: each}, 0, false
	damage, err := j.Replay(from, func(r journal.Record, behind journal.Position) error {
		if r.Number > j.Last() {
			return errEnough
		}
		damaged = damaged || r.AfterDamage
		c, err := readChange(r)
		if err != nil {
			unread++
			damaged = true
			unreadable(err)
			return nil
		}
		after := damaged
		damaged = false
		return w.add(c, behind, after)
	})
	damage.Records += unread
	if err == nil && damage != (journal.Damage{}) { // perhaps of its end
		err = w.release()
	}
	if err != nil && !errors.Is(err, errEnough) {
		return damage, fmt.Errorf("replay the journal: %w", err)
	}
	return damage, nil
}

// whole hands on what one Accept wrote when all of it is there. What is not there to its last record was never acknowledged: of that nothing counts,
// so that the call is still live and is accepted once more. But where a part was there and was damaged the rest counts. It holds one Accept at most.
type whole struct {
	each    func(c change, behind journal.Position) error
	held    []heldBack // they follow each other
	damaged bool       // the first ones are not there, because they were damaged
}

type heldBack struct {
	change
	behind journal.Position
}

func (w *whole) add(c change, behind journal.Position, damaged bool) error {
	if n := len(w.held); n > 0 {
		if last := w.held[n-1]; c.number != last.number+1 || c.nth != last.nth+1 || c.of != last.of {
			if err := w.drop(damaged); err != nil {
				return err
			}
		}
	}
	if len(w.held) == 0 {
		w.damaged = damaged && c.nth > 1
	}
	w.held = append(w.held, heldBack{c, behind})
	switch {
	case c.nth < c.of:
		return nil
	case w.held[0].nth == 1:
		return w.release()
	default:
		return w.drop(w.damaged)
	}
}

// drop gets rid of what is not whole.
func (w *whole) drop(damaged bool) error {
	if damaged || w.damaged {
		return w.release()
	}
	w.held = nil
	return nil
}

func (w *whole) release() error {
	held := w.held
	w.held = nil
	for _, h := range held {
		if err := w.each(h.change, h.behind); err != nil {
			return err
		}
	}
	return nil
}
