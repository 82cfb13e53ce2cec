package journal

import (
	"bytes"
	"os"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is done to a journal, in whatever order: it gives what Append acknowledged, and nothing else.
func TestJournalIsLikeAList(t *testing.T) {
	keys := keys(t, testKey)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{dir: dir, faults: &faulty{fail: func(string) error { return nil }}}
		m.open = func() {
			if m.j, err = open(Options{Dir: dir, Keys: keys}, m.faults.disk()); err != nil {
				t.Fatal(err)
			}
			m.j.full = 20_000
		}
		m.open()
		t.Repeat(map[string]func(*rapid.T){
			"":       m.check,
			"append": m.append,
			"fail":   m.fail,
			"kill":   func(*rapid.T) { m.kill(); m.open() },
			"reopen": func(t *rapid.T) {
				if err := m.j.Close(); err != nil {
					t.Fatal(err)
				}
				m.open()
			},
			"drop": m.drop,
		})
		_ = m.j.Close()
	})
}

type entry struct {
	Record
	end Position
}

type model struct {
	dir     string
	j       *Journal
	faults  *faulty
	open    func()
	entries []entry // what must be there
	dropped int     // how many of them may be gone: those before the position Drop was given
	last    uint64
	failed  bool // some positions lead to the beginning of a later segment by now, which has what was not flushed before
}

// kill lets go of the file as the system does with that of a process that is gone: Windows deletes none that is held.
func (m *model) kill() {
	if m.j.seg != nil {
		_ = m.j.seg.file.Close() // whatever was not flushed stays so
	}
}

func (m *model) group(t *rapid.T) []Record {
	var records []Record
	for range rapid.IntRange(1, 5).Draw(t, "records") {
		size := rapid.SampledFrom([]int{0, 1, 7, 8, 100, 500, 1000, 4096, 30_000, 1 << 20}).Draw(t, "size")
		records = append(records, Record{
			Kind: rapid.SampledFrom([]string{"", "done", "enqueue", "0123456789abcdef"}).Draw(t, "kind"),
			Data: bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, size),
		})
	}
	return records
}

func (m *model) append(t *rapid.T) {
	records := m.group(t)
	expected := m.j.Last() + 1
	end, err := m.j.Append(records, rapid.Bool().Draw(t, "flush"))
	if err != nil {
		t.Fatal(err)
	}
	if records[0].Number != expected || expected <= m.last {
		t.Fatalf("number %d, want %d, above %d", records[0].Number, expected, m.last)
	}
	for i, r := range records {
		if r.Number != expected+uint64(i) {
			t.Fatalf("numbers have a gap at %d", r.Number)
		}
		m.entries = append(m.entries, entry{r, end})
		m.last = r.Number
	}
}

// fail lets an append fail, with or without the cut that follows it.
func (m *model) fail(t *rapid.T) {
	op := rapid.SampledFrom([]string{"write", "sync", "zeros", "create"}).Draw(t, "op")
	failed, cut := false, rapid.Bool().Draw(t, "cut")
	m.faults.fail = func(o string) error {
		if o == op || o == "truncate" && !cut {
			failed = failed || o == op
			return syscall.EIO
		}
		return nil
	}
	records := m.group(t)
	end, err := m.j.Append(records, true)
	m.faults.fail = func(string) error { return nil }
	if failed != (err != nil) {
		t.Fatalf("failed: %v, but %v", failed, err)
	}
	if err == nil {
		for _, r := range records {
			m.entries = append(m.entries, entry{r, end})
			m.last = r.Number
		}
		return
	}
	m.failed = true
	// A process that dies now may bring the group back; this one may not.
	m.append(t)
}

func (m *model) drop(t *rapid.T) {
	if len(m.entries) == 0 {
		return
	}
	n := rapid.IntRange(0, len(m.entries)-1).Draw(t, "before")
	if err := m.j.Drop(m.entries[n].end); err != nil {
		t.Fatal(err)
	}
	for m.dropped < len(m.entries) && !behind(m.entries[m.dropped].end, m.entries[n].end) {
		m.dropped++
	}
}

func behind(a, b Position) bool {
	return a.Segment > b.Segment || a.Segment == b.Segment && a.Offset > b.Offset
}

func (m *model) check(t *rapid.T) {
	from, skip := Position{}, 0
	if len(m.entries) > 0 && rapid.Bool().Draw(t, "from the middle") {
		from = m.entries[rapid.IntRange(0, len(m.entries)-1).Draw(t, "from")].end
		skip = slices.IndexFunc(m.entries, func(e entry) bool { return behind(e.end, from) })
		if skip < 0 {
			skip = len(m.entries)
		}
	}
	var known uint64 // up to this number nothing need come
	if skip > 0 && m.failed {
		known = m.entries[skip-1].Number
	}
	rest := m.entries[skip:]
	gone := max(0, m.dropped-skip) // at most so many are missing at the beginning
	d, err := m.j.Replay(from, func(r Record, _ Position) error {
		if r.Number <= known {
			return nil
		}
		for gone > 0 && len(rest) > 0 && rest[0].Number != r.Number {
			rest, gone = rest[1:], gone-1
		}
		if len(rest) == 0 || rest[0].Number != r.Number || rest[0].Kind != r.Kind || !bytes.Equal(rest[0].Data, r.Data) {
			t.Fatalf("record %d %q of %d bytes is not what comes next", r.Number, r.Kind, len(r.Data))
		}
		rest, gone = rest[1:], max(0, gone-1)
		return nil
	})
	if err != nil || d != (Damage{}) || len(rest) > gone {
		t.Fatalf("%d records are missing, %+v, %v", len(rest), d, err)
	}
}
