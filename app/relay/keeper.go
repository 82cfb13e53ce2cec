package relay

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// The keeper's rhythm. An event is with the system before it is sent, so that it outlives this process; a power cut may take what came in the
// last flushEvery, and then only what no workstation was connected for: what one acknowledged is its own.
const (
	flushEvery = time.Second
	tidyEvery  = time.Hour
	// leap is added to the numbers at each start: more than can have been given between two flushes.
	leap = 1 << 20
	// maxJournal is far above what a day of 200 agents takes.
	maxJournal = 1 << 30
)

// The kinds of records.
const (
	keptStream = "stream" // which events the numbers count: the first record there is, and again after each tidying
	keptEvent  = "event"
	keptLine   = "line" // numbers and marks of an extension, and the stories of its live calls
	keptAck    = "ack"
)

// record is what a record of the journal holds.
type record struct {
	Stream  string                 `json:"stream,omitempty"`
	Line    string                 `json:"line,omitempty"`
	From    string                 `json:"from,omitempty"` // the exchange
	Seq     uint64                 `json:"seq,omitempty"`
	Event   *cti.Event             `json:"event,omitempty"`
	Device  string                 `json:"device,omitempty"`
	Mark    mark                   `json:"mark,omitzero"`
	Acks    map[string]mark        `json:"acks,omitempty"`
	Last    uint64                 `json:"last,omitempty"`
	Base    uint64                 `json:"base,omitempty"`
	Stories map[string][]cti.Event `json:"stories,omitempty"` // by exchange

	size int // of the record
}

// keeper writes down what must outlive the process. Where the disk fails it says so in the log and goes on: what is in memory is sent all the
// same. It is safe for concurrent use, also while a line is locked.
type keeper struct {
	log    *slog.Logger
	stream string

	mu      sync.Mutex
	journal *journal.Journal
	dirty   bool
	failing bool
	hours   []hour
}

// hour is where in the journal an hour began.
type hour struct {
	at       time.Time
	position journal.Position
}

func openKeeper(dir string, keys secret.Ring, log *slog.Logger) (*keeper, error) {
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, eventsFolder), Keys: keys, Log: log})
	if err != nil {
		return nil, err
	}
	return &keeper{log: log, journal: j}, nil
}

// restore reads everything back; each gets the records of lines in order.
func (k *keeper) restore(each func(kind string, r record)) error {
	damage, err := k.journal.Replay(journal.Position{}, func(raw journal.Record, behind journal.Position) error {
		r, ok := recordOf(raw.Data)
		if !ok {
			k.log.Warn("a kept event cannot be read", "number", raw.Number)
			return nil
		}
		if raw.Kind == keptStream {
			k.stream = r.Stream
			return nil
		}
		if r.Event != nil {
			k.passed(r.Event.At, behind)
		}
		each(raw.Kind, r)
		return nil
	})
	if err != nil {
		return err
	}
	if damage != (journal.Damage{}) {
		k.log.Error("events that were kept for workstations are damaged: they are told to look into the history", "records", damage.Records, "unknown_key", damage.UnknownKey)
		k.stream = "" // the numbers cannot be trusted
	}
	if k.stream == "" {
		k.stream = rand.Text()
	}
	k.put(keptStream, record{Stream: k.stream})
	return nil
}

func recordOf(data []byte) (r record, ok bool) {
	err := json.Unmarshal(data, &r)
	r.size = len(data)
	return r, err == nil
}

// passed notes where hours begin.
func (k *keeper) passed(at time.Time, behind journal.Position) {
	if n := len(k.hours); n == 0 || at.Sub(k.hours[n-1].at) >= tidyEvery {
		k.hours = append(k.hours, hour{at, behind})
	}
}

func (k *keeper) put(kind string, r record) (size int) {
	data, err := json.Marshal(r)
	if err != nil {
		k.log.Error("an event cannot be kept", "err", err)
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	position, err := k.journal.Append([]journal.Record{{Kind: kind, Data: data}}, false)
	if err != nil {
		k.failed(err)
		return len(data)
	}
	k.dirty = true
	if r.Event != nil {
		k.passed(r.Event.At, position)
	}
	return len(data)
}

func (k *keeper) failed(err error) {
	if !k.failing {
		k.log.Error("events cannot be written to the disk: if the relay ends now, workstations that are not connected lose them", "err", err)
	}
	k.failing = true
}

// event writes an event down before it is sent, and gives its size.
func (k *keeper) event(line, from string, seq uint64, e cti.Event) int {
	return k.put(keptEvent, record{Line: line, From: from, Seq: seq, Event: &e})
}

func (k *keeper) ack(line, device string, m mark) {
	k.put(keptAck, record{Line: line, Device: device, Mark: m})
}

// line writes a line's numbers down, and its live calls; the line is locked.
func (k *keeper) line(l *line) {
	r := record{Line: l.extension, Acks: l.acks, Last: l.last, Base: l.base, Stories: map[string][]cti.Event{}}
	for _, t := range l.tracks {
		for _, c := range t.sorted() {
			r.Stories[t.name] = append(r.Stories[t.name], t.stories[c.Leg]...)
		}
	}
	k.put(keptLine, r)
}

// flush brings to the disk what is on its way.
func (k *keeper) flush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.dirty {
		return
	}
	if _, err := k.journal.Append(nil, true); err != nil {
		k.failed(err)
		return
	}
	if k.failing {
		k.log.Info("events can be written to the disk again")
	}
	k.dirty, k.failing = false, false
}

// tidy drops what is older than the history reaches, once all lines are written down again.
func (k *keeper) tidy(now time.Time, longest time.Duration, lines []*line) {
	k.mu.Lock()
	drop := k.old(now, longest)
	k.mu.Unlock()
	if drop == nil {
		return
	}
	k.put(keptStream, record{Stream: k.stream})
	for _, l := range lines {
		l.mu.Lock()
		k.line(l)
		l.mu.Unlock()
	}
	k.flush()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.journal.Drop(*drop); err != nil {
		k.log.Warn("old events stay on the disk", "err", err)
	}
}

// old gives the position before which everything may go, if there is one.
func (k *keeper) old(now time.Time, longest time.Duration) *journal.Position {
	var drop *journal.Position
	for len(k.hours) > 1 && (now.Sub(k.hours[1].at) > longest || drop == nil && k.journal.Size() > maxJournal) {
		drop = &k.hours[1].position
		k.hours = k.hours[1:]
	}
	return drop
}

func (k *keeper) close() error {
	k.flush()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.journal.Close()
}
