package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Check looks whether the current segment still lies where it was made: if somebody deleted it, or the folder, or put another file in its
// place, writing to it would succeed and the next start would find nothing. Then what was written is brought, from the open file and under
// the same numbers, into a new segment, and Check tells so: positions of before lead to the beginning of that one. On an error all stays
// as it is, and Check should be called again.
func (j *Journal) Check() (rescued bool, err error) {
	if j.seg == nil {
		return false, nil
	}
	have, err := j.seg.file.Stat()
	if err != nil {
		return false, fmt.Errorf("check journal: %w", err)
	}
	there, err := os.Stat(path(j.dir, j.seg.number))
	if err == nil && os.SameFile(have, there) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("check journal: %w", err)
	}
	j.log.Warn("journal segment was deleted or replaced", "segment", j.seg.number)
	if err := j.rescue(); err != nil {
		return false, fmt.Errorf("rescue journal: %w", err)
	}
	return true, nil
}

// rescue writes the current segment once more, as another one.
func (j *Journal) rescue() error {
	old := j.seg
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	j.named = false
	if err := j.begin(old.first); err != nil {
		return err
	}
	if err := j.copyFrom(old); err != nil {
		_ = j.seg.file.Close()
		_ = os.Remove(path(j.dir, j.seg.number))
		j.seg = old
		return err
	}
	j.keep(nil)
	_ = old.file.Close() // it has no name any more
	return nil
}

// copyFrom seals the records of a segment anew, as a seal is bound to the segment's number.
func (j *Journal) copyFrom(old *segment) error {
	r := newReader(old.file, headerSize, old.end)
	for rec, _, ok := r.next(); ok; rec, _, ok = r.next() {
		data, err := j.keys.Open(rec.sealed, about(nil, old.number, rec.number, rec.kind))
		if err != nil {
			return err
		}
		if err := j.seg.write(j.encode([]Record{{Number: rec.number, Kind: string(rec.kind), Data: data}}), false); err != nil {
			return err
		}
	}
	if r.failed || r.at < old.end {
		return errors.New("the open segment cannot be read to its end")
	}
	return j.seg.flush(j.seg.end)
}
