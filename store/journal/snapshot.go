package journal

import (
	"log/slog"
	"os"
	"slices"
)

// Snapshot gives a journal that only reads, for another goroutine, while this one is appended to. Last and End are those of now; its
// Replay may also give records that came later.
func (j *Journal) Snapshot() *Journal {
	read := &Journal{dir: j.dir, keys: j.keys, log: j.log, disk: j.disk, prev: j.prev, read: j.read, last: j.last, closed: true}
	if j.seg != nil {
		read.prev = tail{j.seg.number, j.seg.end, j.last, j.seg.flushed}
	} else {
		read.loose = slices.Clone(j.loose)
	}
	return read
}

// Read opens the journal in a folder for Replay alone: it changes nothing there, and another process may be appending.
func Read(o Options) *Journal {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Journal{dir: o.Dir, keys: o.Keys, log: o.Log, last: maxNumber, closed: true}
}

// Holds tells whether the journal has everything up to a position: what an index saw before it. Records that were not flushed may be gone
// after a power cut, also some in front of others that are not.
func (j *Journal) Holds(p Position) bool {
	if p == (Position{}) {
		return true
	}
	info, err := os.Stat(path(j.dir, p.Segment))
	if err != nil {
		return false
	}
	numbers, err := segments(j.dir)
	if err != nil {
		return false
	}
	if t, known := j.tails(numbers)[p.Segment]; known {
		return t.flushed >= p.Offset
	}
	return info.Size() >= p.Offset
}
