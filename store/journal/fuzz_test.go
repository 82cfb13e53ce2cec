package journal

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"
)

// Any bytes may lie where a segment should: they are no reason to fail, and no record comes out that was not written.
func FuzzReplay(f *testing.F) {
	ring := keys(f, testKey)
	j := &Journal{keys: ring, seg: &segment{number: 1}}
	head := header{segment: 1, next: 1}.encode()
	records := []Record{{Number: 1, Kind: "enqueue", Data: []byte("one")}, {Number: 2, Kind: "done"}, {Number: 3, Data: []byte("three")},
		{Number: 5, Kind: "edit", Data: make([]byte, 300)}}
	known := map[uint64]Record{}
	for _, r := range records {
		known[r.Number] = r
		f.Add(slices.Concat(head, j.encode([]Record{r})), uint8(0), false)
	}
	all := slices.Concat(head, j.encode(records))
	f.Add(all, uint8(3), false)
	f.Add(all, uint8(200), true)
	f.Add(slices.Concat(all, zeros[:1000]), uint8(0), true)
	long := slices.Clone(all)
	binary.BigEndian.PutUint32(long[headerSize+4:], 1<<31)
	f.Add(long, uint8(0), false)
	f.Fuzz(func(t *testing.T, content []byte, from uint8, repair bool) {
		if repair { // else hardly anything gets past the checksums
			content = repaired(content)
		}
		dir := t.TempDir()
		if err := os.WriteFile(path(dir, 1), content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := open(Options{Dir: dir, Keys: ring}, hasty())
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		var last uint64
		each := func(r Record, _ Position) error {
			if k, ok := known[r.Number]; !ok || k.Kind != r.Kind || !bytes.Equal(k.Data, r.Data) {
				t.Errorf("invented %d %q %q", r.Number, r.Kind, r.Data)
			}
			if r.Number <= last {
				t.Errorf("%d after %d", r.Number, last)
			}
			last = r.Number
			return nil
		}
		if _, err := j.Replay(Position{1, int64(from)}, each); err != nil {
			t.Fatal(err)
		}
		if next := j.Last() + 1; next <= last {
			t.Errorf("next number %d, but %d was read", next, last)
		}
		if _, err := j.Append([]Record{{Kind: "done"}}, false); err != nil {
			t.Fatal(err)
		}
	})
}

// repaired puts right checksums on the header and on everything that looks like a record.
func repaired(content []byte) []byte {
	b := slices.Clone(content)
	if len(b) >= headerSize {
		binary.BigEndian.PutUint32(b[12:], headerSum(b))
	}
	for p := headerSize; p+recordHead <= len(b); p += align {
		if n := body(b[p:]); n >= 0 && p+recordHead+n <= len(b) {
			binary.BigEndian.PutUint32(b[p+8:], recordSum(b[p:p+recordHead+n]))
		}
	}
	return b
}
