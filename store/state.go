package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// The bucket state holds of each item all but its write-back. The standing comes first and in few bytes, as all of them are read at every
// start; the rest follows as JSON, and most items have none:
//
//	1 byte   version
//	uvarint  number of the journal record that it comes from
//	uvarint  after
//	times    due, created, begun: uvarint seconds since the year 1, uvarint nanoseconds; the zero time is 0 0
//	uvarint  attempts
//	1 byte   1: unclear
//	texts    state, kind, lane: uvarint length, bytes
//	JSON     rest, if there is any
const stateVersion = 1

// rest is the part of an item that neither its standing nor its write-back holds.
type rest struct {
	Tries   []outbox.Try `json:"tries,omitempty"`
	Receipt cti.Receipt  `json:"receipt,omitzero"`
	DoneAt  time.Time    `json:"done_at,omitzero"`
	Reason  string       `json:"reason,omitempty"`
}

// itemState is a value of the bucket state, taken apart but for the rest.
type itemState struct {
	outbox.Standing
	number uint64 // of the journal record that it comes from
	rest   []byte
}

func encodeState(number uint64, it outbox.Item) ([]byte, error) {
	st := it.Standing()
	b := make([]byte, 0, 96+len(st.Lane))
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, number)
	b = binary.AppendUvarint(b, st.After)
	for _, t := range []time.Time{st.Due, st.CreatedAt, st.Begun} {
		b = appendTime(b, t)
	}
	b = binary.AppendUvarint(b, uint64(max(0, st.Attempts)))
	unclear := byte(0)
	if st.Unclear {
		unclear = 1
	}
	b = append(b, unclear)
	for _, text := range []string{string(st.State), string(st.Kind), st.Lane} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if it.Tries == nil && it.Receipt == (cti.Receipt{}) && it.DoneAt.IsZero() && it.Reason == "" {
		return b, nil
	}
	more, err := json.Marshal(rest{it.Tries, it.Receipt, it.DoneAt, it.Reason})
	return append(b, more...), err
}

// sinceYear1 is how many seconds lie between the zero time and 1970.
const sinceYear1 = 62135596800

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0)
	}
	b = binary.AppendUvarint(b, uint64(t.Unix()+sinceYear1)) //nolint:gosec // not negative: the year is 1 or later
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))   //nolint:gosec // not negative
}

// decodeState reads encodeState. The result holds pieces of b.
func decodeState(seq uint64, b []byte) (itemState, error) {
	p := parser{b: b}
	version := p.byte()
	if version != stateVersion && !p.bad {
		return itemState{}, fmt.Errorf("%w: state of item %d has version %d", errDamaged, seq, version)
	}
	st := itemState{number: p.uvarint()}
	st.Seq, st.After = seq, p.uvarint()
	st.Due, st.CreatedAt, st.Begun = p.time(), p.time(), p.time()
	st.Attempts = int(p.uvarint()) //nolint:gosec // was an int
	st.Unclear = p.byte() == 1
	st.State, st.Kind, st.Lane = state(p.text()), kind(p.text()), string(p.text())
	if p.bad {
		return itemState{}, fmt.Errorf("%w: state of item %d is too short", errDamaged, seq)
	}
	st.rest = p.b
	return st, nil
}

// item puts an item together.
func (st itemState) item(w cti.WriteBack) (outbox.Item, error) {
	it := outbox.Item{Seq: st.Seq, Lane: st.Lane, State: st.State, WriteBack: w, CreatedAt: st.CreatedAt, Due: st.Due, Attempts: st.Attempts,
		After: st.After, Begun: st.Begun}
	if len(st.rest) == 0 {
		return it, nil
	}
	var r rest
	if err := json.Unmarshal(st.rest, &r); err != nil {
		return outbox.Item{}, fmt.Errorf("%w: history of item %d: %w", errDamaged, st.Seq, err)
	}
	it.Tries, it.Receipt, it.DoneAt, it.Reason = r.Tries, r.Receipt, r.DoneAt, r.Reason
	return it, nil
}

// parser reads what encodeState wrote; after the end it gives zeros and is bad.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) byte() byte {
	if len(p.b) == 0 {
		p.bad = true
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *parser) uvarint() uint64 {
	n, size := binary.Uvarint(p.b)
	if size <= 0 {
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[size:]
	return n
}

func (p *parser) time() time.Time {
	sec, nano := p.uvarint(), p.uvarint()
	if sec == 0 && nano == 0 {
		return time.Time{}
	}
	return time.Unix(int64(sec)-sinceYear1, int64(nano)).UTC() //nolint:gosec // were not negative
}

func (p *parser) text() []byte {
	n := p.uvarint()
	if n > uint64(len(p.b)) {
		p.b, p.bad = nil, true
		return nil
	}
	text := p.b[:n]
	p.b = p.b[n:]
	return text
}

// state gives a state without allocating, where it is one of ours.
func state(b []byte) outbox.State {
	switch string(b) {
	case string(outbox.Queued):
		return outbox.Queued
	case string(outbox.Retry):
		return outbox.Retry
	case string(outbox.Reconcile):
		return outbox.Reconcile
	case string(outbox.Review):
		return outbox.Review
	case string(outbox.Done):
		return outbox.Done
	case string(outbox.Discarded):
		return outbox.Discarded
	default:
		return outbox.State(b)
	}
}

// kind is state for kinds: those that come often.
func kind(b []byte) cti.Kind {
	switch string(b) {
	case "":
		return ""
	case string(cti.Offline):
		return cti.Offline
	case string(cti.Uncertain):
		return cti.Uncertain
	case string(cti.Invalid):
		return cti.Invalid
	case string(cti.Denied):
		return cti.Denied
	default:
		return cti.Kind(b)
	}
}
