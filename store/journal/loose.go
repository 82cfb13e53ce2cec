package journal

import "slices"

// loose is a group that was written and not flushed. After an error nobody knows whether the system still has it, so it is written again.
type loose struct {
	records []Record
	end     int64 // in the current segment
}

// maxLoose is how many bytes may be written without a flush: they are held in memory, too.
const maxLoose = 256 << 10

// keep remembers what was written last, and forgets what has been flushed by now.
func (j *Journal) keep(records []Record) {
	s := j.seg
	if s.flushed == s.end {
		j.loose = nil
		return
	}
	if len(j.loose) > 0 && j.loose[0].end <= s.flushed {
		j.loose = slices.DeleteFunc(j.loose, func(l loose) bool { return l.end <= s.flushed })
	}
	if len(records) > 0 {
		j.loose = append(j.loose, loose{slices.Clone(records), s.end})
	}
}

// restore writes into a new segment, under the same numbers, what the one before may have lost. The header of the new one voids it there.
func (j *Journal) restore() error {
	var group []byte
	for _, l := range j.loose {
		group = append(group, j.encode(l.records)...)
	}
	if err := j.seg.write(group, true); err != nil {
		held := j.loose
		j.abandon() // nothing in it counts
		j.loose = held
		return err
	}
	j.keep(nil)
	return nil
}

// eachLoose gives what no segment may have.
func (j *Journal) eachLoose(each func(Record, Position) error) error {
	for _, l := range j.loose {
		for _, r := range l.records {
			if err := each(r, j.End()); err != nil {
				return err
			}
		}
	}
	return nil
}
