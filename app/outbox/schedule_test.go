package outbox

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"ringside.dev/ringside/app/cti"
)

func TestAnEntryIsSmall(t *testing.T) {
	if e, l := unsafe.Sizeof(entry{}), unsafe.Sizeof(lane{}); e > 64 || l > 48 {
		t.Errorf("an entry has %d bytes and a lane %d, want at most 64 and 48", e, l)
	}
}

// counted is a member that counts how often it is looked at.
type counted struct {
	key, at int
	looks   *int
}

func (c *counted) before(other *counted) bool { *c.looks++; return c.key < other.key }
func (c *counted) place() int                 { return c.at }
func (c *counted) moved(to int)               { c.at = to }

func TestAHeapLooksAtFewOfItsMembers(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 100_000} {
		var h heap[*counted]
		looks, most := 0, 2*bits.Len(uint(n))+2
		step := func(what string, do func()) {
			looks = 0
			if do(); looks > most {
				t.Fatalf("%s among %d: %d comparisons, want at most %d", what, n, looks, most)
			}
		}
		all := make([]*counted, n)
		for i := range all {
			all[i] = &counted{key: rand.IntN(n), at: -1, looks: &looks}
			step("push", func() { h.push(all[i]) })
		}
		for _, i := range rand.Perm(n)[:n/2] {
			step("remove", func() { h.remove(all[i]) })
			h.remove(all[i]) // not in it any more
		}
		for last := -1; len(h) > 0; {
			first := h[0]
			if first.key < last {
				t.Fatalf("%d came after %d", first.key, last)
			}
			last = first.key
			step("first", func() { h.remove(first) })
		}
	}
}

// The steps of the dispatcher on the schedule make no more heap steps, whatever waits: nothing else in them loops.
func TestTheScheduleLooksAtFewOfMany(t *testing.T) {
	moves := map[int]int{}
	for _, n := range []int{100, 100_000} {
		s := newSchedule()
		for i := range n {
			kind, state := cti.Offline, Retry
			if i%2 == 0 {
				kind, state = "", Queued
			}
			s.add(Standing{Seq: uint64(i + 1), Lane: fmt.Sprint(i), State: state, Kind: kind}, time.Duration(i))
		}
		s.cameBack(0, false)
		for range 50 {
			before := places(&s)
			e := s.take(time.Hour)
			s.put(e, Retry, time.Duration(rand.IntN(n)), cti.Offline)
			s.rest(e)
			u := s.take(time.Hour)
			s.remove(u)
			s.rest(u)
			moves[n] = max(moves[n], moved(&s, before))
		}
	}
	if most := 6 * 2 * bits.Len(100_000); moves[100_000] > most {
		t.Errorf("%d lanes moved for one sent and one delivered of 100,000 (of 100: %d), want at most %d", moves[100_000], moves[100], most)
	}
}

// places notes where each lane is.
func places(s *schedule) map[*lane]int32 {
	at := make(map[*lane]int32, len(s.lanes))
	for _, l := range s.lanes {
		at[l] = l.at
	}
	return at
}

func moved(s *schedule, before map[*lane]int32) (n int) {
	for _, l := range s.lanes {
		if before[l] != l.at {
			n++
		}
	}
	return n
}
