//go:build linux

package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// expected is what a store must and may hold, from what the child said before the cut.
type expected struct {
	calls map[string]*wantCall
	items map[uint64]*wantItem
}

// wantCall is what is known of a call.
type wantCall struct {
	tracked  bool // acknowledged as a live one
	tracking bool // perhaps
	items    int  // that it may have; 0: it was not handed over yet
	accepted bool
}

// wantItem is what is known of an item: its version is at least low and at most high, and each version has its state.
type wantItem struct {
	leg       string
	low, high int
	states    map[int]outbox.State
}

func expect(said []string) (expected, error) {
	e := expected{map[string]*wantCall{}, map[uint64]*wantItem{}}
	for _, line := range said {
		if err := e.read(strings.Fields(line)); err != nil {
			return e, fmt.Errorf("%q: %w", line, err)
		}
	}
	return e, nil
}

func (e expected) read(words []string) error {
	switch words[0] {
	case "track":
		e.calls[words[1]] = &wantCall{tracking: true}
	case "tracked":
		e.calls[words[1]].tracked = true
	case "accept":
		if e.calls[words[1]] == nil {
			e.calls[words[1]] = &wantCall{}
		}
		n, err := strconv.Atoi(words[2])
		e.calls[words[1]].items = n
		return err
	case "accepted":
		e.calls[words[1]].accepted = true
		for _, word := range words[2:] {
			seq, err := strconv.ParseUint(word, 10, 64)
			if err != nil {
				return err
			}
			e.items[seq] = &wantItem{leg: words[1], low: 1, high: 1, states: map[int]outbox.State{1: outbox.Queued}}
		}
	case "change", "changed", "passed":
		seq, err := strconv.ParseUint(words[1], 10, 64)
		version, wrong := strconv.Atoi(words[2])
		if err := errors.Join(err, wrong); err != nil {
			return err
		}
		switch it := e.items[seq]; words[0] {
		case "change":
			it.high = version
			it.states[version] = outbox.State(words[3])
		case "changed":
			it.low = version
		}
	}
	return nil
}

// judgeStore opens the store twice. Each time it must be whole and take a new call.
func judgeStore(r request) finding {
	e, err := expect(r.Said)
	if err != nil {
		return finding{Problems: []string{err.Error()}}
	}
	if err := os.Setenv(envChild, "probe"); err != nil {
		return finding{Problems: []string{err.Error()}}
	}
	j := storeJudge{disk: r.Dir, want: e, lenient: r.Lenient, finding: finding{Counts: map[string]int{}}}
	for _, round := range []string{"first", "second"} {
		j.open(round)
	}
	j.Counts["put aside"] += quarantined(r.Dir)
	return j.finding
}

func quarantined(disk string) int {
	entries, _ := os.ReadDir(filepath.Join(storeDir(disk), "quarantine")) // mostly there is none
	return len(entries)
}

type storeJudge struct {
	finding
	disk    string
	want    expected
	lenient bool // what is lost is counted, not blamed: the disk broke its word
	opens   []string
	mu      sync.Mutex // alarms come from the store's goroutines
}

func (j *storeJudge) problem(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.Problems) < 5 {
		j.Problems = append(j.Problems, fmt.Sprintf(format, args...))
	}
}

func (j *storeJudge) lost(format string, args ...any) {
	j.mu.Lock()
	j.Counts["lost"]++
	j.mu.Unlock()
	if !j.lenient {
		j.problem(format, args...)
	}
}

func (j *storeJudge) alarm(a store.Alarm) {
	j.mu.Lock()
	j.Counts["alarm "+string(a.Kind)]++
	j.mu.Unlock()
	if a.Kind == store.AlarmDamage && !j.lenient || a.Kind == store.AlarmKeys {
		j.problem("alarm %s: %s", a.Kind, a.Msg)
	}
}

func (j *storeJudge) open(round string) {
	var log strings.Builder
	s, err := openStore(j.disk, j.alarm, &log)
	if err != nil {
		j.problem("open the %s time: %v: %s", round, err, log.String())
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			j.problem("close the %s time: %v", round, err)
		}
	}()
	if err := s.Check(); err != nil && !j.lenient {
		j.problem("check the %s time: %v", round, err)
	} else if err != nil {
		j.Counts["reported"]++
	}
	before := len(j.Problems)
	newest := j.compare(s)
	if len(j.Problems) > before {
		j.problem("that was the %s time; the log: %s", round, log.String())
	}
	j.acceptNew(s, "new-"+round, newest)
}

// compare looks for everything and gives the newest number.
func (j *storeJudge) compare(s *store.Store) (newest uint64) {
	found := map[uint64]outbox.Item{}
	perLeg := map[string]int{}
	for {
		items, err := s.Items(store.Filter{After: newest})
		if err != nil {
			j.problem("list the items: %v", err)
			return newest
		}
		for _, it := range items {
			newest = it.Seq
			found[it.Seq] = it
			perLeg[it.WriteBack.Leg]++
			j.known(it)
		}
		if len(items) == 0 {
			break
		}
	}
	for seq, want := range j.want.items {
		newest = max(newest, seq) // also a number that is lost must not come again
		j.item(seq, want, found)
	}
	j.order(found)
	j.callsOf(s, perLeg)
	return newest
}

// known blames what nobody handed over.
func (j *storeJudge) known(it outbox.Item) {
	leg := it.WriteBack.Leg
	if slices.Contains(j.opens, leg) {
		return
	}
	call := j.want.calls[leg]
	if call == nil || call.items == 0 {
		j.problem("item %d is of a call %q that nobody handed over", it.Seq, leg)
	} else if call.accepted && j.want.items[it.Seq] == nil {
		j.problem("item %d of call %s is there once more", it.Seq, leg)
	}
}

func (j *storeJudge) item(seq uint64, want *wantItem, found map[uint64]outbox.Item) {
	it, ok := found[seq]
	if !ok {
		j.lost("item %d of call %s is lost", seq, want.leg)
		return
	}
	version, err := strconv.Atoi(strings.TrimPrefix(it.WriteBack.Record.WrapUp.Outcome, "v"))
	switch state := want.states[version]; {
	case err != nil || it.WriteBack.Leg != want.leg:
		j.problem("item %d is not what it was: %q of call %s", seq, it.WriteBack.Record.WrapUp.Outcome, it.WriteBack.Leg)
	case version < want.low:
		j.lost("item %d has version %d, it was changed to %d", seq, version, want.low)
	case version > want.high:
		j.problem("item %d has version %d, it was never changed to more than %d", seq, version, want.high)
	case it.State == outbox.Reconcile && !it.Begun.IsZero() && !state.Final(): // the index was made anew while it may have been on its way
		j.Counts["reconcile"]++
	case it.State != state:
		j.problem("item %d of version %d is %s, want %s", seq, version, it.State, state)
	}
}

// order: the calls of a worker came one after the other, so their items must have their numbers in the same order.
func (j *storeJudge) order(found map[uint64]outbox.Item) {
	last := map[string]int{}
	for _, seq := range slices.Sorted(maps.Keys(found)) {
		worker, number, ok := strings.Cut(found[seq].WriteBack.Leg, "-")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue // one of ours
		}
		if n < last[worker] {
			j.problem("call %s-%d comes after call %d in the queue", worker, n, last[worker])
		}
		last[worker] = n
	}
}

func (j *storeJudge) callsOf(s *store.Store, perLeg map[string]int) {
	live := map[string]bool{}
	calls, err := s.Live()
	if err != nil {
		j.problem("list the live calls: %v", err)
	}
	for _, c := range calls {
		live[c.Call.Leg] = true
		if want := j.want.calls[c.Call.Leg]; want == nil || !want.tracking {
			j.problem("call %s is live, and nobody tracked it", c.Call.Leg)
		} else if want.accepted {
			j.lost("call %s is live although it was handed over", c.Call.Leg)
		}
	}
	for leg, want := range j.want.calls {
		logged, err := s.Call(leg)
		there := err == nil && strings.HasPrefix(logged.WrapUp.Note, leg)
		switch {
		case err != nil && cti.KindOf(err) != cti.NotFound:
			j.problem("read call %s: %v", leg, err)
		case want.accepted && !there:
			j.lost("call %s is lost", leg)
		case want.tracked && want.items == 0 && !live[leg]:
			j.lost("live call %s is lost", leg)
		case want.tracked && !live[leg] && perLeg[leg] < want.items:
			j.lost("call %s is neither live nor handed over whole: %d items of %d", leg, perLeg[leg], want.items)
		case perLeg[leg] > want.items:
			j.problem("call %s has %d items, want %d", leg, perLeg[leg], want.items)
		}
	}
}

// acceptNew hands over one more call.
func (j *storeJudge) acceptNew(s *store.Store, leg string, newest uint64) {
	j.opens = append(j.opens, leg)
	now := time.Now().UTC()
	items, err := s.Accept(cti.Call{Leg: leg, Case: leg, State: cti.StateClosed, StartedAt: now, ClearedAt: now}, cti.WrapUp{Note: leg}, []outbox.Item{{Lane: leg, State: outbox.Queued,
		CreatedAt: now, WriteBack: cti.WriteBack{Op: cti.LogCall, Key: leg, Leg: leg, Record: cti.Record{Leg: leg, WrapUp: cti.WrapUp{Outcome: "v1"}}}}})
	if err != nil {
		j.problem("a new call is refused: %v", err)
		return
	}
	if items[0].Seq <= newest && !j.lenient {
		j.problem("a new item has number %d, which is not above %d", items[0].Seq, newest)
	}
	j.want.calls[leg] = &wantCall{items: 1, accepted: true}
	j.want.items[items[0].Seq] = &wantItem{leg: leg, low: 1, high: 1, states: map[int]outbox.State{1: outbox.Queued}}
}

// onlyJournal takes the index out of an image: the journal alone must give everything back.
func onlyJournal(disk string) error {
	err := os.Remove(filepath.Join(storeDir(disk), "outbox.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
