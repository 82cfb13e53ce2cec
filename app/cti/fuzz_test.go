package cti_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

// FuzzCall turns bytes into a history as a bad line, a bad clock and a restarted exchange may tell it: duplicates, late and missing
// events, clock jumps, snapshots, sweeps. Whatever the history, the invariants in witness hold.
func FuzzCall(f *testing.F) {
	for _, seed := range []string{
		"\x01\x00\x05\x02\x00\x20\x09\x00\x40",             // ring, answer, clear
		"\x02\x00\x05\x01\x00\x00\x09\x00\x10\x09\x00\x10", // answer, late ring, cleared twice
		"\x01\x00\x05\x03\x10\x20\x03\x20\x20\x04\x10\x20\x04\x20\x20\x09\x00\x10",
		"\x01\x00\x05\x01\x01\x05\x0c\x01\x05\x0d\x00\xff\x01\x00\x05", // two calls, snapshot, sweep, again
		"\x00\x00\x05\x05\x02\x90\x0e\x00\xff\x06\x00\x05\x0f\x00\x07",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := history{now: start}
		w := witness{t: t, ledger: cti.NewLedger("site"), calls: map[string]cti.Call{}, ended: map[string]time.Time{}, now: &h.now}
		for len(data) >= 3 && len(h.told) < 100 {
			e := h.next(data[0], data[1], data[2])
			data = data[3:]
			if e.Type == "" {
				w.changed(w.ledger.Sweep(h.now), e)
				continue
			}
			w.pure(e)
			w.changed(w.ledger.Apply(e), e)
		}
	})
}

// history makes events of three bytes each: what, of which call by whom, and how much later.
type history struct {
	now  time.Time
	told []cti.Event
}

var told = []cti.EventType{cti.Originated, cti.Delivered, cti.Established, cti.Held, cti.Retrieved, cti.Transferred, cti.Conferenced,
	cti.Diverted, cti.Failed, cti.Cleared, cti.Info, cti.Queued}

func (h *history) next(what, who, when byte) cti.Event {
	h.now = h.now.Add(time.Duration(when) * time.Duration(when) * time.Second / 16)
	switch what %= 18; {
	case what == 12:
		return h.keep(h.snapshot(who))
	case what == 13: // time passes, at the most nineteen days, and is swept
		h.now = h.now.Add(time.Duration(when) * time.Duration(when) * 25 * time.Second)
		return cti.Event{}
	case what == 14: // the clock jumps, up to two days back or forth
		h.now = h.now.Add(time.Duration(int8(when)) * 22 * time.Minute)
		return cti.Event{}
	case what == 15 && len(h.told) > 0: // a repetition of an earlier event, as it was
		return h.told[len(h.told)-1-int(when)%len(h.told)]
	case what == 16 && len(h.told) > 0: // a repetition that is learnt now
		e := h.told[len(h.told)-1-int(when)%len(h.told)]
		e.At = h.now
		return e
	case what == 17: // legs without a time take the snapshot's
		e := h.snapshot(who)
		for i := range e.Legs {
			e.Legs[i].At = time.Time{}
		}
		return h.keep(e)
	default:
		return h.keep(h.event(what%12, who))
	}
}

func (h *history) keep(e cti.Event) cti.Event {
	h.told = append(h.told, e)
	return e
}

func (h *history) event(what, who byte) cti.Event {
	refs := [][2]string{{cti.RefSIPCallID, "a"}, {cti.RefSIPCallID, "b"}, {"vendor", "7"}, {"vendor", "8"}}
	own := refs[who%4]
	e := cti.Event{Type: told[what], At: h.now, Source: phone, Call: cti.CallRef{Refs: map[string]string{own[0]: own[1]}}}
	if who&4 != 0 { // late or early by up to 150 ms
		e.At = e.At.Add(-150 * time.Millisecond)
	}
	if who&8 != 0 {
		other := refs[(who>>1)%4]
		e.Call.Refs[other[0]] = other[1]
	}
	e.By = []cti.Party{"", cti.ByLocal, cti.ByRemote, cti.ByUnknown}[who>>4&3]
	e.Side = []cti.Side{cti.SideLocal, cti.SideRemote}[who>>6&1]
	if who&128 != 0 {
		e.Queue = &cti.Queue{Name: "support", WaitMS: int64(who)}
		e.Transfer = &cti.Transfer{Kind: cti.Blind, Role: cti.Target}
		e.Remote.Number = cti.Number{Raw: "600", Withheld: who&64 != 0}
	}
	return e
}

func (h *history) snapshot(who byte) cti.Event {
	e := cti.Event{Type: cti.Snapshot, At: h.now, Source: phone}
	for leg := range byte(4) {
		if who>>leg&1 != 0 {
			e.Legs = append(e.Legs, h.event([]byte{1, 2, 3, 0}[who>>4&3], leg))
		}
	}
	return e
}

// witness watches a ledger and holds the invariants.
type witness struct {
	t      *testing.T
	ledger *cti.Ledger
	calls  map[string]cti.Call // as they were last seen
	ended  map[string]time.Time
	now    *time.Time
}

// pure: Apply gives the same twice and leaves its input alone; what changed something once does not do so again.
func (w *witness) pure(e cti.Event) {
	for leg, call := range w.calls {
		copied := deep(call)
		first, changed := call.Apply(e)
		second, _ := call.Apply(e)
		if !reflect.DeepEqual(first, second) {
			w.t.Fatalf("%s gave two results:\n%s", e.Type, cmp.Diff(first, second))
		}
		if !reflect.DeepEqual(copied, call) {
			w.t.Fatalf("%s changed its input %s:\n%s", e.Type, leg, cmp.Diff(copied, call))
		}
		if again, more := first.Apply(e); changed && more {
			w.t.Fatalf("%s said something new the second time:\n%s", e.Type, cmp.Diff(first, again))
		}
	}
}

func (w *witness) changed(changes []cti.Change, e cti.Event) {
	for _, c := range changes {
		w.one(c, e)
	}
	for leg, closed := range w.ended { // a tombstone is kept as long as it must be, then may be forgotten
		if call, live := w.ledger.Call(leg); live {
			w.t.Fatalf("%s was cleared at %v and is %q after %s", leg, closed, call.State, e.Type)
		} else if !w.ledger.Cleared(leg) {
			if w.now.Sub(closed) < 60*time.Second {
				w.t.Fatalf("the tombstone of %s was forgotten %v after the end", leg, w.now.Sub(closed))
			}
			delete(w.ended, leg)
			delete(w.calls, leg)
		}
	}
}

func (w *witness) one(c cti.Change, e cti.Event) {
	leg := c.After.Leg
	if leg == "" || c.Before.Leg != "" && c.Before.Leg != leg {
		w.t.Fatalf("%s changed %q to %q", e.Type, c.Before.Leg, leg)
	}
	if end, over := w.ended[leg]; over && (c.Before.State != cti.StateClosed || c.After.State != cti.StateClosed || !c.After.ClearedAt.Equal(end) ||
		e.At.Sub(end).Abs() > cti.SettleFor) { // for so long it may become known better what it was, and nothing more
		w.t.Fatalf("%s changed %s after its end: %+v", e.Type, leg, c.After)
	}
	if before, known := w.calls[leg]; known && !reflect.DeepEqual(before, c.Before) {
		w.t.Fatalf("an earlier copy of %s changed:\n%s", leg, cmp.Diff(before, c.Before))
	}
	if c.Ended() {
		w.ended[leg] = c.After.ClearedAt
	}
	if (c.After.State == cti.StateClosed) != (c.After.Cause != nil && c.After.Ending() != "") {
		w.t.Fatalf("state %q with cause %+v and ending %q", c.After.State, c.After.Cause, c.After.Ending())
	}
	if (c.After.State == cti.OnHold) != (len(c.After.HeldBy) > 0) || !slices.IsSorted(c.After.HeldBy) {
		w.t.Fatalf("state %q, held by %v", c.After.State, c.After.HeldBy)
	}
	w.calls[leg] = deep(c.After)
	for _, now := range []time.Time{*w.now, start.Add(-time.Hour), start.Add(1000 * time.Hour)} {
		w.durations(c.After, now)
	}
}

func (w *witness) durations(c cti.Call, now time.Time) {
	for _, done := range []cti.Call{c, c.EndWrap(now)} {
		d := done.Durations(now)
		if min(d.Ring, d.Queue, d.Talk, d.Hold, d.Wrap) < 0 {
			w.t.Fatalf("a negative duration: %+v of %+v", d, c)
		}
		if c.State == cti.StateClosed && d.Talk+d.Hold > max(c.ClearedAt.Sub(c.EstablishedAt), 0) {
			w.t.Fatalf("talk and hold are longer than the call: %+v of %+v", d, c)
		}
	}
}

// deep copies a call with all it refers to.
func deep(c cti.Call) cti.Call {
	refs := make(map[string]string, len(c.Refs))
	for k, v := range c.Refs {
		refs[k] = v
	}
	c.Refs, c.HeldBy, c.Parties = refs, slices.Clone(c.HeldBy), slices.Clone(c.Parties)
	if c.Queue != nil {
		q := *c.Queue
		c.Queue = &q
	}
	if c.Cause != nil {
		cause := *c.Cause
		c.Cause = &cause
	}
	if c.Transfer != nil {
		tr := *c.Transfer
		c.Transfer = &tr
	}
	return c
}
