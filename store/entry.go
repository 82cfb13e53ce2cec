package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/journal"
)

// The kinds of journal records beside outbox.Change, whose records hold the item, and the first of a call also the call.
const (
	kindCall  = "call"  // a call without items
	kindLive  = "live"  // a call that is not over
	kindCarry = "carry" // what an older record says, written anew because that one goes or is gone
)

// entry is the data of a journal record. An item that waits is always whole, so that its newest record alone says everything; one that is final is
// without its write-back, if that did not change, so that a full disk holds many of them. Its number is that of the record if it has none. The records
// of one Accept follow each other and say so, as a power cut may leave some of them: see whole.
type entry struct {
	At     time.Time    `json:"at"`
	Call   *cti.Call    `json:"call,omitempty"`
	WrapUp *cti.WrapUp  `json:"wrapup,omitempty"`
	Live   *LoggedCall  `json:"live,omitempty"`
	Item   *outbox.Item `json:"item,omitempty"`
	Bare   bool         `json:"bare,omitempty"`  // the item is without its write-back
	Ends   string       `json:"ends,omitempty"`  // a leg
	Place  uint64       `json:"place,omitempty"` // of the call in the log, if that is not the record's number
	Nth    int          `json:"nth,omitempty"`   // of the records of one Accept, from 1 on; 0: it is alone
	Of     int          `json:"of,omitempty"`    // so many
}

// change is what one journal record does to the index.
type change struct {
	number uint64
	at     time.Time
	call   *LoggedCall
	live   *LoggedCall
	item   *outbox.Item
	bare   bool // at the start: the item is without its write-back
	ends   string
	place  uint64 // of the call in the log; 0: the number
	nth    int    // of those that are applied together, from 1 on
	of     int
}

// change gives what a record with this content does. The item is a copy.
func (e entry) change() change {
	c := change{at: e.At, live: e.Live, bare: e.Bare, ends: e.Ends, place: e.Place, nth: max(1, e.Nth), of: max(1, e.Of)}
	if e.Call != nil {
		c.call = &LoggedCall{Call: *e.Call}
		if e.WrapUp != nil {
			c.call.WrapUp = *e.WrapUp
		}
	}
	if e.Item != nil {
		it := *e.Item
		if it.State.Final() && it.DoneAt.IsZero() {
			it.DoneAt = e.At // it is forgotten by this time
		}
		c.item = &it
	}
	return c
}

// numbered gives a change the number of its record.
func (c *change) numbered(number uint64) {
	c.number = number
	if c.item != nil && c.item.Seq == 0 {
		c.item.Seq = number
	}
}

// readChange reads a journal record.
func readChange(r journal.Record) (change, error) {
	var e entry
	if err := json.Unmarshal(r.Data, &e); err != nil {
		return change{}, fmt.Errorf("journal record %d cannot be read: %w", r.Number, err)
	}
	c := e.change()
	c.numbered(r.Number)
	return c, nil
}

// op is what the writer is asked for: records that are appended together, or something that must be alone with the journal.
type op struct {
	records []journal.Record
	changes []change // one for each record; the writer numbers them
	flush   bool
	must    bool // the ballast is for these
	alone   func() error
	done    chan error
}

func (o *op) add(kind string, e entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(data) > journal.MaxData {
		return cti.Errorf(cti.Invalid, fmt.Sprintf("a record of %d bytes is too long", len(data)), nil)
	}
	o.records = append(o.records, journal.Record{Kind: kind, Data: data})
	o.changes = append(o.changes, e.change())
	return nil
}

func newOp() *op { return &op{flush: true, done: make(chan error, 1)} }

func acceptOp(l LoggedCall, items []outbox.Item, now time.Time) (*op, error) {
	o := newOp()
	least := 1
	if l.Call.Leg == "" {
		least = 0
	}
	count := max(least, len(items))
	for i := range count {
		e, kind := entry{At: now.UTC()}, kindCall
		if count > 1 {
			e.Nth, e.Of = i+1, count
		}
		if i == 0 && l.Call.Leg != "" { // else items alone: a person's change of a call that is written down already
			e.Call, e.WrapUp = &l.Call, &l.WrapUp
		}
		if i < len(items) {
			it := items[i]
			if it.WriteBack.Key == "" {
				return nil, cti.Errorf(cti.Invalid, "an item without a key cannot be told from others: give it one", nil)
			}
			e.Item, kind = &it, string(outbox.Enqueued)
			if it.Seq != 0 {
				kind = string(outbox.Edited)
			}
		}
		if i == count-1 {
			e.Ends = l.Call.Leg
		}
		if err := o.add(kind, e); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// itemOp: known is the item as the store has it.
func itemOp(c outbox.Change, it, known outbox.Item, now time.Time) (*op, error) {
	o := newOp()
	o.flush = c != outbox.Finished
	o.must = c == outbox.Finished || c == outbox.Dropped || c == outbox.Tried || c == outbox.Started
	e := entry{At: now.UTC(), Item: &it}
	if !it.State.Final() || !known.WriteBack.Equal(it.WriteBack) {
		return o, o.add(string(cmp.Or(c, outbox.Edited)), e)
	}
	bare := it
	bare.WriteBack = cti.WriteBack{}
	e.Item, e.Bare = &bare, true
	if err := o.add(string(c), e); err != nil {
		return nil, err
	}
	o.changes[0].item.WriteBack, o.changes[0].bare = it.WriteBack, false
	return o, nil
}

func liveOp(l LoggedCall, now time.Time) (*op, error) {
	o := newOp()
	return o, o.add(kindLive, entry{At: now.UTC(), Live: &l})
}
