package outbox

import (
	"hash/maphash"
	"maps"
	"math"
	"time"

	"ringside.dev/ringside/app/cti"
)

// schedule knows which item is sent next. It is not safe for concurrent use. Whatever it does takes O(log n) of what waits.
type schedule struct {
	entries map[uint64]*entry
	lanes   map[uint64]*lane  // by the hash of the name: should two names have one hash, they are one lane
	updates map[uint64]*entry // held ones, by the Seq of what they wait for
	seed    maphash.Seed

	timed   heap[*lane] // whose head waits for its time
	away    heap[*lane] // whose head waits for the CRM's coming back, or its time
	waiting heap[waiter]
	review  int
	busy    int // on their way

	epoch uint32        // how often the CRM came back
	back  time.Duration // since when, by the outbox's clock
	guess bool          // nothing but a wake-up says so
	turn  bool          // whose turn it is when both heaps have one
}

func newSchedule() schedule {
	return schedule{entries: map[uint64]*entry{}, lanes: map[uint64]*lane{}, updates: map[uint64]*entry{}, seed: maphash.MakeSeed()}
}

// add takes in an item that is not final. One whose predecessor is not final either is held until that is.
func (s *schedule) add(st Standing, due time.Duration) *entry {
	e := &entry{seq: st.Seq, turn: st.Seq, created: st.CreatedAt.UnixMilli(), lane: s.lane(st.Lane), laneAt: -1, waitAt: -1, epoch: s.epoch, state: stateCode(Review)}
	e.lane.members++
	s.entries[e.seq] = e
	s.review++
	if st.After != 0 {
		e.turn = st.After
	}
	if earlier := s.entries[st.After]; earlier != nil {
		e.turn = earlier.turn
		s.updates[earlier.seq] = e
		e.set(held, true)
	}
	e.set(unclear, st.Unclear)
	e.set(network, st.State == Retry && (st.Kind == cti.Offline || st.Kind == cti.Uncertain))
	s.put(e, st.State, due, st.Kind)
	return e
}

func (s *schedule) lane(name string) *lane {
	hash := maphash.String(s.seed, name)
	l := s.lanes[hash]
	if l == nil {
		l = &lane{name: hash, at: -1}
		s.lanes[hash] = l
	}
	return l
}

// put gives an entry its state and brings it to its place. Its flags have to be right before.
func (s *schedule) put(e *entry, to State, due time.Duration, kind cti.Kind) {
	was := e.stand()
	e.state, e.due, e.kind = stateCode(to), due, kindCode(kind)
	switch {
	case was == Review && to != Review:
		s.review--
		s.waiting.push(waiter{e})
	case was != Review && to == Review:
		s.review++
		s.waiting.remove(waiter{e})
	}
	s.enqueue(e)
}

// enqueue brings an entry into its lane's queue, or out of it.
func (s *schedule) enqueue(e *entry) {
	able := e.stand() != Review && !e.is(held)
	switch {
	case able && e.laneAt < 0:
		e.lane.queue.push(queued{e})
	case !able:
		e.lane.queue.remove(queued{e})
	}
	s.arrange(e.lane)
}

// arrange brings a lane to its place in the heap it belongs to.
func (s *schedule) arrange(l *lane) {
	s.timedOrAway(l).remove(l)
	if l.claims > 0 {
		return
	}
	if len(l.queue) == 0 {
		if l.members == 0 {
			delete(s.lanes, l.name)
		}
		return
	}
	l.waiting = l.head().is(network)
	s.timedOrAway(l).push(l)
}

func (s *schedule) timedOrAway(l *lane) *heap[*lane] {
	if l.waiting {
		return &s.away
	}
	return &s.timed
}

// claim keeps the lane of an entry from being sent; release ends that.
func (s *schedule) claim(e *entry) {
	e.lane.claims++
	s.arrange(e.lane)
}

func (s *schedule) release(e *entry) {
	e.lane.claims--
	s.arrange(e.lane)
}

// remove takes out what is final, and lets go of the update behind it.
func (s *schedule) remove(e *entry) {
	if e.stand() == Review {
		s.review--
	}
	s.waiting.remove(waiter{e})
	e.lane.queue.remove(queued{e})
	e.lane.members--
	delete(s.entries, e.seq)
	if e.is(held) { // discarded before its turn
		maps.DeleteFunc(s.updates, func(_ uint64, update *entry) bool { return update == e })
	}
	if update := s.updates[e.seq]; update != nil {
		delete(s.updates, e.seq)
		update.set(held, false)
		s.enqueue(update)
	}
	s.arrange(e.lane)
}

// take gives what is to be sent now and marks it as sending; nil when nothing is due. The lanes that waited for the CRM and the others
// take turns, so that a new call does not wait behind all of an outage.
func (s *schedule) take(now time.Duration) *entry {
	first, second := s.ready(&s.timed, now), s.ready(&s.away, now)
	s.turn = !s.turn
	e := first
	if e == nil || second != nil && s.turn {
		e = second
	}
	if e == nil {
		return nil
	}
	e.set(rescued, e.is(network) && e.due > now && !s.guess)
	e.set(sending, true)
	s.busy++
	s.claim(e)
	return e
}

func (s *schedule) ready(h *heap[*lane], now time.Duration) *entry {
	if s.dueOf(h) > now {
		return nil
	}
	return (*h)[0].head()
}

// rest ends what take began.
func (s *schedule) rest(e *entry) {
	e.set(sending, false)
	s.busy--
	s.release(e)
}

// dueOf tells when the first lane of a heap is due.
func (s *schedule) dueOf(h *heap[*lane]) time.Duration {
	if len(*h) == 0 {
		return math.MaxInt64
	}
	l := (*h)[0]
	if head := l.head(); !l.waiting || head.epoch == s.epoch {
		return head.due
	}
	return min(l.head().due, s.back)
}

// next tells when something is due.
func (s *schedule) next() time.Duration { return min(s.dueOf(&s.timed), s.dueOf(&s.away)) }

// cameBack makes due at a time whatever waits for nothing but the CRM.
func (s *schedule) cameBack(at time.Duration, guess bool) {
	s.epoch++
	s.back, s.guess = at, guess
}
