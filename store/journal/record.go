package journal

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A record on the disk, padded with zeros to a multiple of 8 bytes, big-endian:
//
//	 0  magic
//	 4  length of kind and sealed data
//	 8  CRC32C of the rest: length, and all from 12 on
//	12  length of the kind, 3 zeros
//	16  number
//	24  how far the segment was flushed when the record was written
//	32  kind, then the sealed data
const (
	recordMagic = 0xC1524A4C
	recordHead  = 32
	recordMin   = recordHead + 32 // sealing adds 32 bytes
	align       = 8
	maxKind     = 16
	// MaxData is the longest record in bytes: a damaged length must not make Replay read without end.
	MaxData = 16 << 20
	// maxNumber is far beyond what is ever reached, and what JSON can still say exactly: a higher one is damage.
	maxNumber = 1 << 53
)

// raw is a record as it lies on the disk: its checksum is right, its seal was not looked at. It is part of a buffer.
type raw struct {
	number  uint64
	flushed int64
	kind    []byte
	sealed  []byte
}

// encode seals records and puts them behind each other.
func (j *Journal) encode(records []Record) []byte {
	size := 0
	for _, r := range records {
		size += padded(recordMin + len(r.Kind) + len(r.Data))
	}
	group := make([]byte, 0, size)
	for _, r := range records {
		sealed := j.keys.Seal(r.Data, about(nil, j.seg.number, r.Number, r.Kind))
		group = appendRecord(group, r, j.seg.flushed, sealed)
	}
	return group
}

func appendRecord(b []byte, r Record, flushed int64, sealed []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, recordMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Kind)+len(sealed))) //nolint:gosec // checked: at most MaxData and a little
	b = append(b, 0, 0, 0, 0, byte(len(r.Kind)), 0, 0, 0)                 //nolint:gosec // checked: at most maxKind
	b = binary.BigEndian.AppendUint64(b, r.Number)
	b = binary.BigEndian.AppendUint64(b, uint64(flushed)) //nolint:gosec // not negative
	b = append(b, r.Kind...)
	b = append(b, sealed...)
	binary.BigEndian.PutUint32(b[start+8:], recordSum(b[start:]))
	return append(b, zeros[:padded(len(b))-len(b)]...) // the first one is aligned, so all are
}

// recordSum is over everything but the magic and itself.
func recordSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[4:8], castagnoli), castagnoli, b[12:])
}

// about is what a seal is bound to: a record under another segment, number or kind does not open.
func about[K string | []byte](b []byte, segment, number uint64, kind K) []byte {
	b = append(slices.Grow(b, 48), "journal 1"...)
	b = binary.BigEndian.AppendUint64(b, segment)
	b = binary.BigEndian.AppendUint64(b, number)
	return append(b, kind...)
}

// body reads the length out of a record's head: of what follows the head. Negative: this is no record.
func body(head []byte) int {
	length, kind := binary.BigEndian.Uint32(head[4:]), head[12]
	if binary.BigEndian.Uint32(head) != recordMagic || kind > maxKind || length < uint32(kind)+32 || length > MaxData+maxKind+32 {
		return -1
	}
	return int(length)
}

// parse takes a whole record without its padding apart; false: its checksum is wrong.
func parse(b []byte) (raw, bool) {
	if binary.BigEndian.Uint32(b[8:]) != recordSum(b) {
		return raw{}, false
	}
	kind := recordHead + int(b[12])
	flushed := int64(binary.BigEndian.Uint64(b[24:])) //nolint:gosec // whoever uses it bounds it
	r := raw{number: binary.BigEndian.Uint64(b[16:]), flushed: flushed, kind: b[recordHead:kind], sealed: b[kind:]}
	return r, r.number >= 1 && r.number < maxNumber
}

func padded(n int) int { return (n + align - 1) / align * align }
