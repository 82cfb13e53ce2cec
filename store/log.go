package store

import (
	"encoding/json"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
)

// logged is a value of the bucket log: the call that was first accepted with the journal record of this number, and the write-back of the
// item that came with it, both as they are now. One tree for both, whose keys only grow, makes a call cheap: each tree that is touched
// costs a page for each of its levels.
type logged struct {
	number uint64 // of the journal record that the call comes from
	call   *LoggedCall
	write  *cti.WriteBack
}

// storedLog is logged on the disk.
type storedLog struct {
	Number uint64       `json:"n,omitempty"`
	Call   *cti.Call    `json:"call,omitempty"`
	WrapUp *cti.WrapUp  `json:"wrapup,omitempty"`
	Write  *storedWrite `json:"write,omitempty"`
}

// storedWrite is a write-back whose record is told as what the call beside it does not say, if that gives the same record.
type storedWrite struct {
	cti.WriteBack             // but for the record
	Record        *cti.Record `json:"record,omitempty"`
	Unsaid        *unsaid     `json:"unsaid,omitempty"`
}

// unsaid is the part of a record that is not in its call in the same words.
type unsaid struct {
	Queue   string     `json:"queue,omitempty"`
	RingMS  int64      `json:"ring_ms,omitempty"`
	QueueMS int64      `json:"queue_ms,omitempty"`
	TalkMS  int64      `json:"talk_ms,omitempty"`
	HoldMS  int64      `json:"hold_ms,omitempty"`
	WrapMS  int64      `json:"wrap_ms,omitempty"`
	Ending  cti.Ending `json:"ending,omitempty"`
	Cause   string     `json:"cause,omitempty"`
}

// record puts a record together. What is on disks was told apart by it: it is part of the schema and stays as it is, whatever becomes of
// cti.NewRecord.
func (u unsaid) record(key string, l LoggedCall) cti.Record {
	c := l.Call
	return cti.Record{
		Key: key, Case: c.Case, Leg: c.Leg, Direction: c.Direction, Number: c.Remote.Number, RemoteName: c.Remote.Name, Extension: c.Local.Extension,
		StartedAt: inMillis(c.StartedAt), AnsweredAt: inMillis(c.EstablishedAt), EndedAt: inMillis(c.ClearedAt), WrapUp: l.WrapUp,
		Queue: u.Queue, RingMS: u.RingMS, QueueMS: u.QueueMS, TalkMS: u.TalkMS, HoldMS: u.HoldMS, WrapMS: u.WrapMS, Ending: u.Ending, Cause: u.Cause,
	}
}

func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func (l logged) encode() ([]byte, error) {
	var s storedLog
	if l.call != nil {
		s.Number, s.Call, s.WrapUp = l.number, &l.call.Call, &l.call.WrapUp
	}
	if w := l.write; w != nil {
		s.Write = &storedWrite{WriteBack: *w, Record: &w.Record}
		r := w.Record
		u := unsaid{r.Queue, r.RingMS, r.QueueMS, r.TalkMS, r.HoldMS, r.WrapMS, r.Ending, r.Cause}
		if l.call != nil && u.record(w.Key, *l.call).Equal(r) {
			s.Write.Record, s.Write.Unsaid = nil, &u
		}
	}
	return json.Marshal(s)
}

func decodeLog(b []byte) (logged, error) {
	var s storedLog
	if err := json.Unmarshal(b, &s); err != nil {
		return logged{}, fmt.Errorf("%w: log: %w", errDamaged, err)
	}
	l := logged{number: s.Number}
	if s.Call != nil {
		l.call = &LoggedCall{Call: *s.Call}
		if s.WrapUp != nil {
			l.call.WrapUp = *s.WrapUp
		}
	}
	if w := s.Write; w != nil {
		l.write = &w.WriteBack
		switch {
		case w.Record != nil:
			l.write.Record = *w.Record
		case w.Unsaid != nil && l.call != nil:
			l.write.Record = w.Unsaid.record(w.Key, *l.call)
		default:
			return logged{}, fmt.Errorf("%w: a write-back in the log has no record", errDamaged)
		}
	}
	return l, nil
}

// logged gives a value of the log; the zero value: there is none.
func (x *index) logged(key uint64) (logged, error) {
	plain, err := x.get(bucketLog, bytes8(key))
	if err != nil || plain == nil {
		return logged{}, err
	}
	return decodeLog(plain)
}

// eachLogged gives the log in its order.
func (x *index) eachLogged(f func(key uint64, l logged) error) error {
	return x.each(bucketLog, func(k []byte) error {
		l, err := x.logged(be(k))
		if err != nil {
			return err
		}
		return f(be(k), l)
	})
}
