package storetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// Figures are the middle and the 99th percentile of some durations.
type Figures struct{ P50, P99 time.Duration }

func figures(d []time.Duration) Figures {
	if len(d) == 0 {
		return Figures{}
	}
	slices.Sort(d)
	return Figures{d[len(d)/2], d[min(len(d)-1, len(d)*99/100)]}
}

// Enqueue is what an accepted call costs, beside the yardstick in the same run: raw is one append of 1 KiB and a flush to a file whose
// blocks were written before, in the same folder, turn about.
type Enqueue struct {
	Raw     Figures
	Ack     Figures // until Accept returned
	Settled Figures // until the index has it, too
}

func (e Enqueue) String() string {
	ratio := func(a, b time.Duration) float64 { return float64(a) / float64(max(1, b)) }
	return fmt.Sprintf("raw p50 %v p99 %v; acknowledged p50 %.2fx p99 %.2fx; with index p50 %.2fx p99 %.2fx", e.Raw.P50, e.Raw.P99,
		ratio(e.Ack.P50, e.Raw.P50), ratio(e.Ack.P99, e.Raw.P99), ratio(e.Settled.P50, e.Raw.P50), ratio(e.Settled.P99, e.Raw.P99))
}

// MeasureEnqueue accepts n calls one after the other, in a store that may hold others.
func MeasureEnqueue(s *store.Store, dir string, n int) (e Enqueue, err error) {
	raw, err := newYardstick(filepath.Join(dir, "yardstick"), n)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	begun := time.Now()
	var raws, acks, settled []time.Duration
	for i := range n {
		took, err := raw.append()
		if err != nil {
			return e, err
		}
		raws = append(raws, took)
		call, wrap, it := BigCall(int(begun.UnixMilli()%1e9)*1e4 + i)
		begin := time.Now()
		if _, err := s.Accept(call, wrap, []outbox.Item{it}); err != nil {
			return e, err
		}
		acks = append(acks, time.Since(begin))
		if err := s.Settle(); err != nil {
			return e, err
		}
		settled = append(settled, time.Since(begin))
	}
	return Enqueue{figures(raws), figures(acks), figures(settled)}, nil
}

// yardstick is a file with room for what is appended.
type yardstick struct {
	file  *os.File
	piece []byte
	end   int64
}

func newYardstick(path string, n int) (*yardstick, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	y := &yardstick{file: f, piece: make([]byte, 1024)}
	for i := range y.piece {
		y.piece[i] = byte(i)
	}
	if _, err := f.Write(make([]byte, (n+1)*len(y.piece))); err != nil {
		return nil, errors.Join(err, y.close())
	}
	return y, f.Sync()
}

func (y *yardstick) append() (time.Duration, error) {
	begin := time.Now()
	if _, err := y.file.WriteAt(y.piece, y.end); err != nil {
		return 0, err
	}
	y.end += int64(len(y.piece))
	err := datasync(y.file)
	return time.Since(begin), err
}

func (y *yardstick) close() error { return errors.Join(y.file.Close(), os.Remove(y.file.Name())) }

// Burst accepts n calls at the same time and gives how long that took until all were acknowledged.
func Burst(s *store.Store, n int) (time.Duration, error) {
	start, errs := make(chan struct{}), make(chan error, n)
	for i := range n {
		go func() {
			call, wrap, it := BigCall(2_000_000_000 + i)
			<-start
			_, err := s.Accept(call, wrap, []outbox.Item{it})
			errs <- err
		}()
	}
	begin := time.Now()
	close(start)
	var failed error
	for range n {
		failed = errors.Join(failed, <-errs)
	}
	return time.Since(begin), failed
}

// Grow accepts calls until there are n more, and settles. It is how a backlog is made.
func Grow(s *store.Store, from, n int) error { return fill(s, from, from+n) }

// Drain marks everything that waits as done, and gives how many that were.
func Drain(s *store.Store) (int, error) {
	var seqs []uint64
	if err := s.Standings(func(st outbox.Standing) error {
		seqs = append(seqs, st.Seq)
		return nil
	}); err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		it, err := s.Item(seq)
		if err != nil {
			return 0, err
		}
		it.State, it.DoneAt, it.Receipt.ID = outbox.Done, time.Now().UTC(), "receipt"
		if err := s.Save(outbox.Finished, it); err != nil {
			return 0, err
		}
	}
	return len(seqs), s.Settle()
}

// Start opens a store as an agent does after it was killed, and reads all standings. It gives the time until then, and how many there are. The
// caller closes the store.
func Start(o store.Options) (*store.Store, time.Duration, int, error) {
	begin, n := time.Now(), 0
	s, err := store.Open(o)
	if err != nil {
		return nil, 0, 0, err
	}
	if err := s.Standings(func(outbox.Standing) error {
		n++
		return nil
	}); err != nil {
		return nil, 0, 0, errors.Join(err, s.Close())
	}
	return s, time.Since(begin), n, nil
}
