package journal

import (
	"errors"
	"os"

	"ringside.dev/ringside/app/secret"
)

// Damage counts what Replay could not read.
type Damage struct {
	Records    int // whose checksum or seal is wrong
	UnknownKey int // sealed with a key that is not here
}

// Replay gives all records from a position on to each, in order, with the position behind each. The zero Position is the beginning, one
// behind the end of a segment is the beginning of the next. What is damaged or sealed with an unknown key is skipped and counted in
// Damage; the torn end of a segment is no damage, unless the next segment knows that there was more. It stops at each's first error.
func (j *Journal) Replay(from Position, each func(Record, Position) error) (Damage, error) {
	var d Damage
	numbers, err := segments(j.dir)
	if err != nil {
		return d, err
	}
	tails := j.tails(numbers)
	for _, n := range numbers {
		if n < from.Segment {
			continue
		}
		r := replay{keys: j.keys, segment: n, each: each, damage: &d}
		r.tail, r.cut = tails[n]
		start := int64(headerSize)
		if n == from.Segment {
			start = max(start, from.Offset)
		}
		if err := r.run(path(j.dir, n), start); err != nil {
			return d, err
		}
	}
	return d, nil
}

// tails tells where segments end, by the headers of those that follow them, and what is known of this run.
func (j *Journal) tails(numbers []uint64) map[uint64]tail {
	tails := map[uint64]tail{}
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
		tails[j.seg.number] = tail{j.seg.number, j.seg.end, j.last}
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
	about   []byte
	each    func(Record, Position) error
	damage  *Damage
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
	limit := size
	if p.cut {
		limit = min(p.tail.end, size)
	}
	if h, good := readHeader(f, p.segment); good && start == headerSize {
		p.seen = h.next - 1
	}
	r := newReader(f, start, limit)
	for {
		behind := r.at
		rec, begin, ok := r.next()
		if !ok {
			if behind < p.tail.end { // never, when it is not known
				p.lost(p.tail.last, p.tail.end-behind)
			}
			return nil
		}
		if begin > behind {
			p.lost(rec.number-1, begin-behind)
		}
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
		return p.each(Record{rec.number, string(rec.kind), data}, Position{p.segment, end})
	case errors.Is(err, secret.ErrUnknownKey):
		p.seen = rec.number
		p.damage.UnknownKey++
	default: // nor is its number to be believed
		p.damage.Records++
	}
	return nil
}

// lost counts the records in a bad stretch, the last of which has a number: at least one, and no more than have room there.
func (p *replay) lost(last uint64, stretch int64) {
	n := uint64(1)
	if p.seen > 0 && last > p.seen {
		n = min(last-p.seen, uint64(max(1, stretch/recordMin)))
	}
	p.damage.Records += int(n)
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
	if err := j.disk.sync(f); err != nil {
		j.log.Warn("journal segment cannot be flushed", "segment", number, "error", err)
	}
	t := tail{segment: number, end: headerSize}
	h, good := readHeader(f, number)
	if good {
		t.last = h.next - 1
	} else {
		h = header{}
	}
	r := newReader(f, headerSize, size)
	for rec, _, ok := r.next(); ok; rec, _, ok = r.next() {
		t.last, t.end = max(t.last, rec.number), r.at
	}
	if r.failed {
		t.end = size // nothing may be voided by what could not be read
	}
	return t, h, good, nil
}

func length(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
