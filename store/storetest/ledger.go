package storetest

import (
	"fmt"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// Ledger is what a child said, over its rounds on one folder, and what is wrong when the store is compared with it.
type Ledger struct {
	live  map[string]bool  // legs that were tracked
	items map[string]entry // by leg
	count int
}

type entry struct {
	seq     uint64 // 0: it was promised before it had one
	version int
	done    bool
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{live: map[string]bool{}, items: map[string]entry{}} }

// Take notes one line.
func (l *Ledger) Take(line string) error {
	var verb, leg string
	var e entry
	if line == "open" {
		return nil
	}
	if _, err := fmt.Sscan(line, &verb, &e.seq, &e.version, &leg); err != nil {
		return fmt.Errorf("the child said %q: %w", line, err)
	}
	l.count++
	if verb == "live" {
		l.live[leg] = true
		return nil
	}
	e.done = verb == string(outbox.Finished)
	l.items[leg] = e
	return nil
}

// Acknowledged is how many changes were.
func (l *Ledger) Acknowledged() int { return l.count }

// Findings is what is wrong.
type Findings struct {
	Lost        []string // what was acknowledged is not there, or an older version
	Resurrected []string // what was done waits again
	Wrong       []string // what nobody wrote: another content, a version too far ahead, another order
	Items       int      // that are there
	Undone      int      // done items that wait again: only a power cut may do that. They are among Resurrected
}

// Compare looks for everything that was acknowledged. ahead is how many versions an item may be ahead of what was said: what was in flight.
func (l *Ledger) Compare(s *store.Store, ahead int) (f Findings, err error) {
	there := map[string]outbox.Item{}
	last := uint64(0)
	for {
		items, err := s.Items(store.Filter{After: last})
		if err != nil {
			return f, err
		}
		if len(items) == 0 {
			break
		}
		for _, it := range items {
			if it.Seq <= last {
				f.Wrong = append(f.Wrong, fmt.Sprintf("item %d comes after item %d", it.Seq, last))
			}
			last = it.Seq
			there[it.WriteBack.Leg] = it
		}
	}
	f.Items = len(there)
	for leg, e := range l.items {
		it, ok := there[leg]
		f.item(s, leg, e, it, ok, ahead)
	}
	f.order(there)
	return f, l.compareLive(s, there, &f)
}

func (f *Findings) item(s *store.Store, leg string, e entry, it outbox.Item, ok bool, ahead int) {
	call, err := s.Call(leg)
	switch {
	case !ok || err != nil || call.WrapUp.Note != leg:
		f.Lost = append(f.Lost, fmt.Sprintf("%s: item %d is there: %v, its call: %v", leg, e.seq, ok, err))
	case e.seq != 0 && it.Seq != e.seq:
		f.Wrong = append(f.Wrong, fmt.Sprintf("%s is item %d, and was told to be %d", leg, it.Seq, e.seq))
	case e.done && !it.State.Final():
		f.Resurrected = append(f.Resurrected, fmt.Sprintf("%s: item %d was done and is %s", leg, it.Seq, it.State))
		f.Undone++
	case it.Attempts < e.version:
		f.Lost = append(f.Lost, fmt.Sprintf("%s: item %d has version %d, %d was acknowledged", leg, it.Seq, it.Attempts, e.version))
	case it.Attempts > e.version+ahead:
		f.Wrong = append(f.Wrong, fmt.Sprintf("%s: item %d has version %d, %d was the last one that was said", leg, it.Seq, it.Attempts, e.version))
	case it.WriteBack.Record.WrapUp.Note != strconv.Itoa(min(1, it.Attempts)):
		f.Wrong = append(f.Wrong, fmt.Sprintf("%s: version %d of item %d says %q", leg, it.Attempts, it.Seq, it.WriteBack.Record.WrapUp.Note))
	}
}

// order: a worker's calls follow each other.
func (f *Findings) order(there map[string]outbox.Item) {
	for leg, it := range there {
		worker, number, _ := cutLast(leg)
		n, err := strconv.Atoi(number)
		if err != nil {
			continue // not a child's
		}
		if before, ok := there[worker+"-"+strconv.Itoa(n-1)]; ok && before.Seq >= it.Seq {
			f.Wrong = append(f.Wrong, fmt.Sprintf("%s is item %d, and the call before it is item %d", leg, it.Seq, before.Seq))
		}
	}
}

func cutLast(leg string) (before, after string, found bool) {
	i := strings.LastIndexByte(leg, '-')
	if i < 0 {
		return leg, "", false
	}
	return leg[:i], leg[i+1:], true
}

// compareLive: a call that was tracked is live, or finished.
func (l *Ledger) compareLive(s *store.Store, there map[string]outbox.Item, f *Findings) error {
	live, err := s.Live()
	if err != nil {
		return err
	}
	legs := map[string]bool{}
	for _, c := range live {
		legs[c.Call.Leg] = true
		if _, finished := there[c.Call.Leg]; finished {
			f.Wrong = append(f.Wrong, fmt.Sprintf("%s is live and finished", c.Call.Leg))
		}
	}
	for leg := range l.live {
		if _, finished := there[leg]; !finished && !legs[leg] {
			f.Lost = append(f.Lost, leg+": the call was tracked and is neither live nor finished")
		}
	}
	return nil
}
