// Package journal is the append-only log on which "no call is ever lost" rests: what Append acknowledged is on the disk, and Open gives
// it back after any end. It owns segments, records, checksums and sealing. It must not know what a record means.
//
// A journal is a folder of segments. Each begins with a header, which also says how far the segment before it counts; then records
// follow, one behind the other, and zeros that were written ahead. A segment is written by one run only and never again after an error.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"ringside.dev/ringside/app/secret"
)

// Record is one entry. Number is given by Append and rises by at least one.
type Record struct {
	Number uint64
	Kind   string // at most 16 bytes, in clear: says nothing about a customer
	Data   []byte // sealed on the disk; at most MaxData bytes
	// AfterDamage is set by Replay: between the record before and this one it added to its Damage.
	AfterDamage bool
}

// Position is a place in the journal: everything before it was read.
type Position struct {
	Segment uint64
	Offset  int64
}

// Options says where a journal is and what seals it: Dir and Keys are required.
type Options struct {
	Dir  string
	Keys secret.Ring
	Log  *slog.Logger
	// Known and Above are what an index of the journal remembers: the newest position and number it saw. The journal goes on behind
	// them even if its own files are gone, so that the index meets no position or number twice.
	Known Position
	Above uint64
}

// Journal is for one goroutine at a time.
type Journal struct {
	dir    string
	keys   secret.Ring
	log    *slog.Logger
	disk   disk
	seg    *segment // what is written to; nil: the next Append begins one
	prev   tail     // of the newest segment that is not written to any more
	read   []tail   // of the segments that were read when the journal was opened
	newest uint64   // segment number, used or tried
	last   uint64   // number of the newest record
	high   uint64   // the highest number ever written, also by an Append that failed
	full   int64    // a segment that is longer gets a successor
	loose  []loose  // what was written and not flushed
	named  bool     // the folder's own name is durable
	closed bool
}

// Open opens or makes the journal in a folder. It writes to a new segment, so that nothing of an earlier run is touched any more. Where
// nothing can be written Open succeeds all the same, so that what is there can be read, and Append says what is wrong.
func Open(o Options) (*Journal, error) { return open(o, system()) }

func open(o Options, d disk) (*Journal, error) {
	if o.Keys.Empty() {
		return nil, errors.New("open journal: there is no key to seal with")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	j := &Journal{dir: o.Dir, keys: o.Keys, log: o.Log, disk: d, newest: o.Known.Segment, high: o.Above, full: full}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := j.survey(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.last = j.high
	if err := j.begin(j.last + 1); err != nil {
		j.log.Warn("journal cannot be written to", "error", err)
	}
	return j, nil
}

// Append writes records as one group and sets their numbers: Last()+1 and so on, without a gap. With flush they are on the disk when it
// returns nil; without, they are there once a later flush, or the system, has brought them there, and their Data must not be changed any more.
// No records and flush only flushes.
// After an error nothing of the group counts as written: Replay will not give it, its numbers go to the next group, and the next Append
// begins a new segment, with what was not flushed of the one before: a Replay from a Position behind that gives it once more. Only when the
// process dies before that can a group that failed come back. Position is where the group ends.
func (j *Journal) Append(records []Record, flush bool) (Position, error) {
	if err := j.check(records); err != nil {
		return Position{}, fmt.Errorf("append to journal: %w", err)
	}
	if err := j.ready(); err != nil {
		return Position{}, fmt.Errorf("append to journal: %w", err)
	}
	for i := range records {
		records[i].Number = j.last + 1 + uint64(i)
	}
	if err := j.seg.write(j.encode(records), flush || j.seg.end-j.seg.flushed > maxLoose); err != nil {
		j.high = max(j.high, j.last+uint64(len(records)))
		j.abandon()
		return Position{}, fmt.Errorf("append to journal: %w", err)
	}
	j.last += uint64(len(records))
	j.high = max(j.high, j.last)
	j.keep(records)
	return Position{j.seg.number, j.seg.end}, nil
}

func (j *Journal) check(records []Record) error {
	if j.closed {
		return fs.ErrClosed
	}
	for _, r := range records {
		if len(r.Kind) > maxKind || len(r.Data) > MaxData {
			return fmt.Errorf("a record of kind %.20q with %d bytes is too long", r.Kind, len(r.Data))
		}
	}
	return nil
}

// ready sees to it that there is a segment to write to.
func (j *Journal) ready() error {
	if j.seg != nil && j.seg.end > j.full {
		if err := j.finish(); err != nil {
			return err
		}
	}
	if j.seg != nil {
		return nil
	}
	if len(j.loose) == 0 {
		return j.begin(j.last + 1)
	}
	if err := j.begin(j.loose[0].records[0].Number); err != nil {
		return err
	}
	return j.restore()
}

// finish flushes the current segment, cuts it to its length and leaves it.
func (j *Journal) finish() error {
	if err := j.seg.flush(j.seg.end); err != nil {
		j.abandon()
		return err
	}
	j.leave()
	return nil
}

// abandon leaves a segment after an error: the system may have thrown away what it could not write and would report success the next
// time. The next segment's header voids what lies behind the last good record.
func (j *Journal) abandon() {
	j.log.Warn("journal segment abandoned", "segment", j.seg.number, "end", j.seg.end)
	j.leave()
}

// leave cuts off zeros and half records. Where this fails they stay, which does no harm.
func (j *Journal) leave() {
	j.keep(nil)
	s := j.seg
	j.seg, j.prev = nil, tail{s.number, s.end, j.last, s.flushed}
	if len(j.loose) > 0 {
		j.prev.end, j.prev.last = s.flushed, j.loose[0].records[0].Number-1
	}
	if err := errors.Join(s.file.Truncate(s.end), s.file.Close()); err != nil {
		j.log.Warn("journal segment not cut to its length", "segment", s.number, "error", err)
	}
}

// begin makes a new segment the current one; its first record has the number next.
func (j *Journal) begin(next uint64) error {
	if !j.named { // in each run: the one that made the folder may have been killed before it got here
		if err := flushNames(j.dir, j.disk.syncDir); err != nil {
			return err
		}
		j.named = true
	}
	j.newest++
	s, err := create(j.disk, j.dir, header{
		segment: j.newest, prev: j.prev, next: next, high: j.high,
	})
	if err != nil {
		return err
	}
	j.seg = s
	return nil
}

// Last is the number of the newest record, in this run or before: the next one gets Last()+1.
func (j *Journal) Last() uint64 { return j.last }

// End is the position behind the newest record.
func (j *Journal) End() Position {
	if j.seg != nil {
		return Position{j.seg.number, j.seg.end}
	}
	return Position{j.prev.segment, j.prev.end}
}

// Size is what the segments take on the disk, in bytes.
func (j *Journal) Size() int64 {
	var sum int64
	numbers, _ := segments(j.dir) // a size for people: 0 when it cannot be told
	for _, n := range numbers {
		if info, err := os.Stat(path(j.dir, n)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// Drop deletes segments that end before a position, but the newest: that one knows the numbers. Those that cannot be deleted stay and
// are named in the error.
func (j *Journal) Drop(before Position) error {
	numbers, err := segments(j.dir)
	if err != nil {
		return fmt.Errorf("drop from journal: %w", err)
	}
	tails := j.tails(numbers)
	var failed []error
	gone, newest := 0, j.End().Segment
	for _, n := range numbers {
		t, known := tails[n]
		ends := n < before.Segment || n == before.Segment && known && t.end <= before.Offset
		if !ends || n >= newest {
			continue
		}
		if err := os.Remove(path(j.dir, n)); err != nil {
			failed = append(failed, err)
			continue
		}
		gone++
	}
	if gone > 0 {
		failed = append(failed, j.disk.syncDir(j.dir))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("drop from journal: %w", err)
	}
	return nil
}

// Close flushes and cuts the current segment to its length. Closing twice does nothing.
func (j *Journal) Close() error {
	if j.closed {
		return nil
	}
	j.closed = true
	if j.seg == nil && len(j.loose) == 0 {
		return nil
	}
	err := j.ready()
	if err == nil {
		err = j.finish()
	}
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
