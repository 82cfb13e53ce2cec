package journal

import (
	"log/slog"
	"os"
)

// Snapshot gives a journal that only reads, for another goroutine, while this one is appended to. Last and End are those of now; its
// Replay may also give records that came later.
func (j *Journal) Snapshot() *Journal {
	end := j.prev
	if j.seg != nil {
		end = tail{j.seg.number, j.seg.end, j.last, j.seg.flushed}
	}
	return &Journal{dir: j.dir, keys: j.keys, log: j.log, disk: j.disk, prev: end, last: j.last, closed: true}
}

// Read opens the journal in a folder for Replay alone: it changes nothing there, and another process may be appending.
func Read(o Options) *Journal {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Journal{dir: o.Dir, keys: o.Keys, log: o.Log, last: maxNumber, closed: true}
}

// Holds tells whether the journal reaches to a position: whether what an index saw before it is still here. Records that were not flushed
// may be gone after a power cut.
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
		return t.end >= p.Offset
	}
	return info.Size() >= p.Offset
}
