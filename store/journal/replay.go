package journal

import (
	"errors"
	"io"
	"os"

	"ringside.dev/ringside/app/secret"
)

// Damage counts what Replay could not read and should. A power cut makes none: it may leave gaps, but only behind what was flushed.
type Damage struct {
	Records    int // whose checksum or seal is wrong
	UnknownKey int // sealed with a key that is not here
}

// Replay gives all records from a position on to each, in order, with the position behind each. The zero Position is the beginning, one
// behind the end of a segment is the beginning of the next. What is damaged or sealed with an unknown key is skipped and counted in
// Damage. A gap counts only where the segment was flushed, as records behind it and the next segment's header say, or where the disk cannot be
// read: else what was there was never acknowledged, or not as flushed. It stops at each's first error.
func (j *Journal) Replay(from Position, each func(Record, Position) error) (Damage, error) {
	var d, told Damage
	numbers, err := segments(j.dir)
	if err != nil {
		return d, err
	}
	hand := func(r Record, behind Position) error {
		r.AfterDamage, told = d != told, d
		return each(r, behind)
	}
	tails := j.tails(numbers)
	for _, n := range numbers {
		if n < from.Segment {
			continue
		}
		r := replay{keys: j.keys, segment: n, each: hand, damage: &d}
		r.tail, r.cut = tails[n]
		start := int64(headerSize)
		if n == from.Segment {
			start = max(start, from.Offset)
		}
		if err := r.run(path(j.dir, n), start); err != nil {
			return d, err
		}
	}
	if j.seg != nil {
		return d, nil
	}
	return d, j.eachLoose(hand)
}

// tails tells where segments end, by the headers of those that follow them, and what is known of this run.
func (j *Journal) tails(numbers []uint64) map[uint64]tail {
	tails := map[uint64]tail{}
	for _, t := range j.read {
		tails[t.segment] = t
	}
	for _, n := range numbers {
		f, err := os.Open(path(j.dir, n))
		if err != nil {
			continue // whoever reads it will say so
		}
		if h, good := readHeader(f, n); good && h.prev.segment > 0 {
			tails[h.prev.segment] = h.prev
		}
		_ = f.Close()
	}
	if j.prev.segment > 0 {
		tails[j.prev.segment] = j.prev
	}
	if j.seg != nil {
		tails[j.seg.number] = tail{j.seg.number, j.seg.end, j.last, j.seg.flushed}
	}
	return tails
}

// replay reads one segment.
type replay struct {
	keys    secret.Ring
	segment uint64
	tail    tail
	cut     bool   // tail is known
	seen    uint64 // number of the newest record that was read; 0: none, and unknown
	gaps    []gap  // that are no damage so far
	about   []byte
	each    func(Record, Position) error
	damage  *Damage
}

// gap is a bad stretch.
type gap struct {
	at      int64
	records int
}

func (p *replay) run(name string, start int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := length(f)
	if err != nil {
		return err
	}
	if h, good := readHeader(f, p.segment); good && start == headerSize {
		p.seen = h.next - 1
	}
	return p.read(f, start, size)
}

func (p *replay) read(src io.ReaderAt, start, size int64) error {
	limit := size
	if p.cut {
		limit = min(p.tail.end, size)
	}
	r := newReader(src, start, limit)
	for {
		behind := r.at
		rec, begin, ok := r.next()
		if r.failed {
			p.tail.flushed = size
		}
		if !ok {
			if behind < p.tail.end { // never, when it is not known
				p.lost(behind, p.tail.last, p.tail.end-behind)
			}
			p.count()
			return nil
		}
		if begin > behind {
			p.lost(behind, rec.number-1, begin-behind)
		}
		p.tail.flushed = max(p.tail.flushed, min(rec.flushed, begin))
		p.count()
		if err := p.take(rec, r.at); err != nil {
			return err
		}
	}
}

// take opens one record and hands it on. Within a segment numbers rise: one that does not was put there twice.
func (p *replay) take(rec raw, end int64) error {
	if p.seen > 0 && rec.number <= p.seen {
		p.damage.Records++
		return nil
	}
	p.about = about(p.about[:0], p.segment, rec.number, rec.kind)
	switch data, err := p.keys.Open(rec.sealed, p.about); {
	case err == nil:
		p.seen = rec.number
		return p.each(Record{Number: rec.number, Kind: string(rec.kind), Data: data}, Position{p.segment, end})
	case errors.Is(err, secret.ErrUnknownKey):
		p.seen = rec.number
		p.damage.UnknownKey++
	default: // nor is its number to be believed
		p.damage.Records++
	}
	return nil
}

// lost notes a bad stretch, the last record in which has a number: at least one is lost, and no more than have room there.
func (p *replay) lost(at int64, last uint64, stretch int64) {
	n := uint64(1)
	if p.seen > 0 && last > p.seen {
		n = min(last-p.seen, uint64(max(1, stretch/recordMin)))
	}
	p.gaps = append(p.gaps, gap{at, int(n)})
}

// count finds the damage among the gaps, as far as is known by now what was flushed.
func (p *replay) count() {
	for len(p.gaps) > 0 && p.gaps[0].at < p.tail.flushed {
		p.damage.Records += p.gaps[0].records
		p.gaps = p.gaps[1:]
	}
}

// survey finds out, when the journal is opened, where the newest segment ends and which numbers were used. Segments whose header was
// never written, or is damaged, say nothing of those before them, so it goes back to one whose header is good.
func (j *Journal) survey() error {
	numbers, err := segments(j.dir)
	if err != nil {
		return err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		t, h, good, err := j.look(numbers[i])
		if err != nil {
			return err
		}
		if i == len(numbers)-1 {
			j.prev, j.newest = t, max(j.newest, t.segment)
		}
		j.read = append(j.read, t)
		j.high = max(j.high, t.last, h.high)
		if good {
			break
		}
	}
	return nil
}

// look reads one segment of an earlier run to its end. It flushes it first: when the process, but not the computer, died, the last
// group may be in the system's memory only, and from now on it is acted upon.
func (j *Journal) look(number uint64) (tail, header, bool, error) {
	f, err := os.OpenFile(path(j.dir, number), os.O_RDWR, 0)
	if err != nil {
		f, err = os.Open(path(j.dir, number))
	}
	if err != nil {
		return tail{}, header{}, false, err
	}
	defer f.Close()
	size, err := length(f)
	if err != nil {
		return tail{}, header{}, false, err
	}
	unflushed := j.disk.sync(f)
	if unflushed != nil {
		j.log.Warn("journal segment cannot be flushed", "segment", number, "error", unflushed)
	}
	t := tail{segment: number, end: headerSize, flushed: headerSize}
	h, good := readHeader(f, number)
	if good {
		t.last = h.next - 1
	} else {
		h = header{}
	}
	r := newReader(f, headerSize, size)
	for rec, begin, ok := r.next(); ok; rec, begin, ok = r.next() {
		t.last, t.end, t.flushed = max(t.last, rec.number), r.at, max(t.flushed, min(rec.flushed, begin))
	}
	if unflushed == nil {
		t.flushed = unbroken(f, t.flushed, t.end)
	}
	if r.failed {
		t.end = size // nothing may be voided by what could not be read
	}
	return t, h, good, nil
}

// unbroken tells how far records follow each other from a place on.
func unbroken(src io.ReaderAt, from, end int64) int64 {
	r := newReader(src, from, end)
	for {
		behind := r.at
		if _, begin, ok := r.next(); !ok || begin > behind {
			return behind
		}
	}
}

func length(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
