package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// The sizes of segments. Zeros are written ahead step by step, so that a flush has no length and no block list to write, and a full disk
// shows before a record is promised.
const (
	headerSize = 72
	step       = 1 << 20
	full       = 8 << 20 // a segment that is longer gets a successor
)

const (
	headerMagic   = "RINGJRNL"
	headerVersion = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// zeros are never written to, so they cost no memory.
var zeros [step]byte

// tail is where a segment ends, and the number of the newest record before that. What was flushed is there; only if it is not that is damage.
type tail struct {
	segment uint64
	end     int64
	last    uint64
	flushed int64 // so far, at least; at most end
}

// header is the first thing in a segment.
type header struct {
	segment uint64
	prev    tail   // the segment before counts up to there, whatever lies behind; segment 0: there was none
	next    uint64 // the number of the first record
	high    uint64 // the highest number written so far, also one that does not count
}

func (h header) encode() []byte {
	b := append(make([]byte, 0, headerSize), headerMagic...)
	b = binary.BigEndian.AppendUint32(b, headerVersion)
	b = binary.BigEndian.AppendUint32(b, 0)
	for _, v := range []uint64{h.segment, h.prev.segment, uint64(h.prev.end), h.prev.last, h.next, h.high, uint64(h.prev.flushed)} { //nolint:gosec // not negative
		b = binary.BigEndian.AppendUint64(b, v)
	}
	binary.BigEndian.PutUint32(b[12:], headerSum(b))
	return b
}

// headerSum is over everything but itself.
func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[16:headerSize])
}

// readHeader gives the header of a segment, and whether it is good. It belongs to a number: a copy under another one is not good.
func readHeader(r io.ReaderAt, number uint64) (header, bool) {
	b := make([]byte, headerSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return header{}, false
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[16+8*i:]) }
	h := header{segment: at(0), prev: tail{at(1), int64(at(2)), at(3), int64(at(6))}, next: at(4), high: at(5)} //nolint:gosec // looked at below
	good := string(b[:8]) == headerMagic && binary.BigEndian.Uint32(b[8:]) == headerVersion && binary.BigEndian.Uint32(b[12:]) == headerSum(b) &&
		h.segment == number && h.prev.flushed >= 0 && h.prev.end >= h.prev.flushed && h.next >= 1 && h.next <= maxNumber && h.high <= maxNumber
	return h, good
}

// segment is the one that is written to.
type segment struct {
	number uint64
	first  uint64 // the number of its first record
	file   file
	end    int64 // behind the last good record
	room   int64 // zeros were written and flushed up to here
	// The records up to here were flushed: it is end, or less when some are not.
	flushed int64
}

// create makes a segment with its header and its first zeros, and makes its name durable.
func create(d disk, dir string, h header) (*segment, error) {
	name := path(dir, h.segment)
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	if _, err = f.WriteAt(zeros[:], 0); err == nil {
		_, err = f.WriteAt(h.encode(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = d.syncDir(dir)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(name) // where it stays it is an empty segment
		return nil, err
	}
	return &segment{number: h.segment, first: h.next, file: f, end: headerSize, room: step, flushed: headerSize}, nil
}

// write appends a group. After an error the segment must not be written to any more.
func (s *segment) write(group []byte, flush bool) error {
	if err := s.reserve(s.end + int64(len(group))); err != nil {
		return err
	}
	if len(group) > 0 {
		if _, err := s.file.WriteAt(group, s.end); err != nil {
			return err
		}
	}
	if flush {
		return s.flush(s.end + int64(len(group)))
	}
	s.end += int64(len(group))
	return nil
}

// reserve writes zeros ahead.
func (s *segment) reserve(upTo int64) error {
	if s.room >= upTo {
		return nil
	}
	room := s.room
	for ; room < upTo; room += step {
		if _, err := s.file.WriteAt(zeros[:], room); err != nil {
			return err
		}
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.room, s.flushed = room, s.end
	return nil
}

// flush makes durable what was written, and then it counts.
func (s *segment) flush(end int64) error {
	if s.flushed < end {
		if err := s.file.Sync(); err != nil {
			return err
		}
	}
	s.end, s.flushed = end, end
	return nil
}

func path(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d.rjl", number))
}

// segments lists the numbers of those in a folder, in order.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		var n uint64
		if _, err := fmt.Sscanf(e.Name(), "%d.rjl", &n); err == nil && n > 0 && filepath.Base(path(dir, n)) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
