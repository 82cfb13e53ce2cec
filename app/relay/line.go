package relay

import (
	"slices"
	"sort"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/relayed"
)

// The limits of what is kept for one extension until its workstations have it. What is beyond them is told from the history.
const (
	maxKept      = 4096
	maxKeptBytes = 1 << 20
	// sure is how many acknowledged events are kept all the same: a workstation that crashed right after may not have them on its disk.
	sure    = 32
	sureFor = 5 * time.Second
)

// line is one extension: its numbered events, and what each exchange told of it.
//
// An event gets its number when the exchange tells it, is written down, and stays until every enrolled workstation of the extension has
// acknowledged it. A workstation that comes back says what it has, and goes on behind that. After a crash of the relay the events are read
// back; the numbers leap, so that ones that were lost with the power are never given twice.
type line struct {
	extension string
	rights    rights
	keep      *keeper

	mu      sync.Mutex
	kept    bool // a workstation is enrolled: events are numbered and written down
	tracks  []*track
	up      bool // what the newest source.up or source.down said
	entries []entry
	bytes   int
	last    uint64          // number of the newest event
	base    uint64          // number of the newest event that is not kept any more
	acks    map[string]mark // by workstation
	moved   map[string]bool // marks that are not written down yet
	changed chan struct{}   // closed at every change
}

// entry is one numbered event.
type entry struct {
	seq   uint64
	event cti.Event
	size  int
}

// mark is how far a workstation has the events, and since when.
type mark struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
}

func newLine(extension string, may rights, keep *keeper) *line {
	return &line{extension: extension, rights: may, keep: keep, acks: map[string]mark{}, moved: map[string]bool{}, changed: make(chan struct{})}
}

// take books an event of an exchange and numbers it.
func (l *line) take(t *track, e cti.Event) {
	e = l.ready(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.source == (cti.Source{}) {
		t.source = e.Source
	}
	switch e.Type {
	case cti.SourceUp, cti.SourceDown:
		t.up = e.Type == cti.SourceUp
		if now := l.allUp(); now != l.up {
			l.up = now
			l.add(t.name, e)
		}
		return
	default:
		t.book(e)
	}
	if l.rights.hear() {
		l.add(t.name, e)
	}
}

// ready is what every event passes: cleaned of what a caller put in, with all that a reader relies on.
func (l *line) ready(e cti.Event) cti.Event {
	e = e.Clean()
	e.V = cti.EnvelopeVersion
	e.At, e.SourceAt = writable(e.At), e.SourceAt.UTC()
	if unwritable(e.SourceAt) {
		e.SourceAt = time.Time{}
	}
	if e.Recording != nil && unwritable(e.Recording.ExpiresAt.UTC()) {
		e.Recording.ExpiresAt = time.Time{} // Clean made a copy
	}
	if e.Local.Extension == "" && e.Type != cti.SourceUp && e.Type != cti.SourceDown {
		e.Local.Extension = l.extension
	}
	for i := range e.Legs {
		e.Legs[i] = l.ready(e.Legs[i])
	}
	return e
}

// unwritable tells of a time in UTC that RFC 3339 cannot write: whoever chose it, what it stands in would be lost as a whole.
func unwritable(at time.Time) bool { return at.Year() < 0 || at.Year() > 9999 }

// writable gives now for a time that is none, or that cannot be written.
func writable(at time.Time) time.Time {
	if at = at.UTC(); at.IsZero() || unwritable(at) {
		return time.Now().UTC()
	}
	return at
}

// allUp: while one of its exchanges is away an extension is not told everything, and that is what "down" says.
func (l *line) allUp() bool {
	return len(l.tracks) > 0 && !slices.ContainsFunc(l.tracks, func(t *track) bool { return !t.up })
}

func (l *line) add(from string, e cti.Event) {
	defer l.wake()
	if !l.kept {
		return
	}
	l.last++
	if size := l.keep.event(l.extension, from, l.last, e); size > 0 { // else it cannot be sent either
		l.hold(entry{l.last, e, size})
	}
}

func (l *line) hold(e entry) {
	l.entries = append(l.entries, e)
	l.bytes += e.size
	for len(l.entries) > maxKept || l.bytes > maxKeptBytes && len(l.entries) > 1 {
		l.drop(1)
	}
}

func (l *line) drop(n int) {
	for _, e := range l.entries[:n] {
		l.bytes -= e.size
		l.base = e.seq
	}
	l.entries = slices.Clone(l.entries[n:])
}

func (l *line) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// after gives the index of the first kept event behind a number.
func (l *line) after(seq uint64) int {
	return sort.Search(len(l.entries), func(i int) bool { return l.entries[i].seq > seq })
}

// ack notes what a workstation has, and forgets what all have. A number that was never given is none.
func (l *line) ack(device string, seq uint64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.acks[device]
	if !known || seq > l.last || seq <= before.Seq {
		return
	}
	l.acks[device], l.moved[device] = mark{seq, now.UTC()}, true
	l.trim()
	l.wake()
}

func (l *line) trim() {
	least := l.last
	for _, m := range l.acks {
		least = min(least, m.Seq)
	}
	if n := l.after(least) - sure; n >= sure { // some at a time: the rest is copied
		l.drop(n)
	}
}

func (l *line) setKept(kept bool) {
	l.kept = kept
	for _, t := range l.tracks {
		t.keep(kept)
	}
}

// enrol begins to keep events for a workstation.
func (l *line) enrol(device string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setKept(true)
	if _, known := l.acks[device]; !known {
		l.acks[device] = mark{l.last, now.UTC()}
		l.keep.line(l)
	}
}

// discharge ends that; without any workstation nothing is kept.
func (l *line) discharge(device string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.acks, device)
	if len(l.acks) == 0 {
		l.drop(len(l.entries))
		l.setKept(false)
	} else {
		l.trim()
	}
	l.keep.line(l)
}

// place is where a workstation that connects goes on.
type place struct {
	cursor uint64
	gap    bool      // events between are not kept any more: the history tells of them
	since  time.Time // of the gap
	head   uint64
	up     bool
}

// resume finds the place. What the workstation says counts when it means the same numbers; one that was started anew knows nothing, and gets
// once more what it acknowledged just before.
func (l *line) resume(device, stream string, hello relayed.Hello, longest time.Duration, now time.Time) place {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, known := l.acks[device]
	if !known {
		l.acks[device] = mark{0, now.Add(-longest)}
		m = l.acks[device]
		l.setKept(true)
	}
	p := place{cursor: m.Seq, since: m.At, head: l.last, up: l.up}
	if hello.Stream == stream && hello.After > 0 && hello.After <= l.last {
		p.cursor = max(m.Seq, hello.After)
	} else {
		p.cursor = l.unsure(m)
	}
	if p.cursor < l.base || !known {
		p.cursor, p.gap = max(p.cursor, l.base), true
	}
	return p
}

// unsure is the place before the events that were acknowledged within sureFor of the last of them.
func (l *line) unsure(m mark) uint64 {
	cursor := m.Seq
	for i := l.after(m.Seq) - 1; i >= 0 && l.entries[i].event.At.After(m.At.Add(-sureFor)); i-- {
		cursor = l.base
		if i > 0 {
			cursor = l.entries[i-1].seq
		}
	}
	return cursor
}

// batch is what can be sent now.
type batch struct {
	entries   []entry
	snapshots []cti.Event     // of all exchanges that are up, when everything before was sent and they were asked for
	changed   <-chan struct{} // closed when there may be more
	lost      bool            // the connection was so slow that what it needs next is not kept any more
	done      bool            // the snapshots are taken
}

func (l *line) next(device string, cursor uint64, snapshot bool) batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := batch{changed: l.changed, lost: cursor < l.base}
	from := l.after(cursor)
	room := relayed.Window - (from - l.after(l.acks[device].Seq))
	if room > 0 {
		b.entries = slices.Clone(l.entries[from:min(from+room, len(l.entries))])
		l.markPast(b.entries, time.Now().UTC())
	}
	if snapshot && len(b.entries) == 0 && from == len(l.entries) {
		b.done = true
		for _, t := range l.tracks {
			if t.up && l.rights.hear() {
				b.snapshots = append(b.snapshots, t.snapshot(time.Now().UTC()))
			}
		}
	}
	return b
}

// staleAfter is the age at which what was told of a call that is over by now is of the past: a window that came up for it would go at once.
const staleAfter = 10 * time.Second

// markPast marks what a workstation that comes back is told of calls which are over. Their ends are not: they are news.
func (l *line) markPast(entries []entry, now time.Time) {
	for i := range entries {
		e := &entries[i].event
		if len(e.Call.Refs) == 0 || e.Type == cti.Cleared || now.Sub(e.At) < staleAfter {
			continue
		}
		live := slices.ContainsFunc(l.tracks, func(t *track) bool { _, live := t.find(e.Call.Refs); return live })
		e.Past = e.Past || !live
	}
}

// past tells of the calls that ended since a time, for exchanges without a history of their own; of tells which to ask.
func (l *line) past(from time.Time, of func(*track) bool) []cti.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []cti.Event
	for _, t := range l.tracks {
		if of(t) {
			events = append(events, t.since(from)...)
		}
	}
	return events
}

// call gives the live call that has one of these references, and who has it.
func (l *line) call(refs map[string]string) (*track, cti.Call, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tracks {
		if c, live := t.find(refs); live {
			return t, c, true
		}
	}
	return nil, cti.Call{}, false
}

func (l *line) sweep(now time.Time, longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tracks {
		t.sweep(now, now.Add(-longest))
	}
}

func (l *line) track(name string) *track {
	for _, t := range l.tracks { // made with the line and never changed
		if t.name == name {
			return t
		}
	}
	return nil
}

// keepAcks writes down the marks that moved.
func (l *line) keepAcks() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for device := range l.moved {
		if m, enrolled := l.acks[device]; enrolled {
			l.keep.ack(l.extension, device, m)
		}
	}
	clear(l.moved)
}

// restoreEvent takes back an event of an earlier run.
func (l *line) restoreEvent(r record) {
	if r.Event == nil {
		return
	}
	if r.Event.Type != cti.SourceUp && r.Event.Type != cti.SourceDown {
		if t := l.track(r.From); t != nil {
			t.source = r.Event.Source
			t.book(*r.Event)
		}
	}
	if r.Seq > l.last {
		l.last = r.Seq
		l.hold(entry{r.Seq, *r.Event, r.size})
	}
}

func (l *line) restoreAck(r record) {
	if m := l.acks[r.Device]; r.Mark.Seq >= m.Seq {
		l.acks[r.Device] = r.Mark
		l.trim()
	}
}

// restoreLine takes the numbers back, and the beginnings of calls whose own events are not there any more.
func (l *line) restoreLine(r record) {
	l.acks = map[string]mark{}
	for device, m := range r.Acks {
		l.acks[device] = m
	}
	l.last = max(l.last, r.Last)
	l.base = max(l.base, r.Base)
	l.drop(l.after(l.base))
	for from, events := range r.Stories {
		if t := l.track(from); t != nil {
			for _, e := range events {
				t.source = e.Source
				t.book(e)
			}
		}
	}
}
