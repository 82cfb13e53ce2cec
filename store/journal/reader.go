package journal

import (
	"io"
)

// window is how much is read at a time.
const window = 256 << 10

// sector is the smallest piece that a disk fails to read.
const sector = 4096

// reader finds the good records of one segment, in order. It holds one window, or one record if that is longer.
type reader struct {
	src    io.ReaderAt
	at     int64 // behind the last good record
	limit  int64 // where to stop
	failed bool  // some of it could not be read: that is taken for zeros
	buf    []byte
	start  int64 // where in src buf begins
}

func newReader(src io.ReaderAt, at, limit int64) *reader {
	return &reader{src: src, at: (at + align - 1) / align * align, limit: limit}
}

// next gives the next record with a right checksum and where it begins: what lies between the last one and that is bad. It stays good
// until next is called again.
func (r *reader) next() (rec raw, begin int64, ok bool) {
	for p := r.at; p+recordMin <= r.limit; p += align {
		n := body(r.peek(p, recordHead))
		if n < 0 || p+int64(recordHead+n) > r.limit {
			continue
		}
		if rec, ok := parse(r.peek(p, recordHead+n)); ok {
			r.at = p + int64(padded(recordHead+n))
			return rec, p, true
		}
	}
	return raw{}, 0, false
}

// peek gives n bytes at a place before the limit.
func (r *reader) peek(p int64, n int) []byte {
	i := p - r.start
	if i < 0 || i+int64(n) > int64(len(r.buf)) {
		r.fill(p, n)
		i = 0
	}
	return r.buf[i : i+int64(n)]
}

// fill reads at least n bytes from p on.
func (r *reader) fill(p int64, n int) {
	size := int(min(max(int64(n), window), r.limit-p))
	if cap(r.buf) < size || cap(r.buf) > 2*window && size <= window {
		r.buf = make([]byte, size)
	}
	r.buf, r.start = r.buf[:size], p
	got, err := r.src.ReadAt(r.buf, p)
	if got == size {
		return
	}
	clear(r.buf[got:])
	if err == io.EOF { // ReadAt promises the bare one: the file is shorter than it was
		return
	}
	r.salvage(got)
}

// salvage reads what it can of the buffer, sector by sector.
func (r *reader) salvage(from int) {
	r.failed = true
	for i := from; i < len(r.buf); {
		next := min(len(r.buf), i+int(sector-(r.start+int64(i))%sector))
		if n, err := r.src.ReadAt(r.buf[i:next], r.start+int64(i)); err != nil {
			clear(r.buf[i+n : next])
		}
		i = next
	}
}
