package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The yardstick: one record of 1 KiB behind the other into a file that was filled with zeros, flushed each time.
func BenchmarkRaw(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for i := range int64(64) {
		if _, err := f.WriteAt(zeros[:], i*step); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 1024)
	var at int64
	for b.Loop() {
		if _, err := f.WriteAt(record, at); err != nil {
			b.Fatal(err)
		}
		if err := datasync(f); err != nil {
			b.Fatal(err)
		}
		at = (at + 1024) % (64 * step)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("%d records", records), func(b *testing.B) {
			j := openWith(b, b.TempDir(), system())
			group := make([]Record, records)
			for i := range group {
				group[i] = Record{Kind: "enqueue", Data: make([]byte, 1024)}
			}
			for b.Loop() {
				if _, err := j.Append(group, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	const records = 100_000
	dir := b.TempDir()
	j := openWith(b, dir, hasty())
	group := make([]Record, 1000)
	for range records / len(group) {
		for i := range group {
			group[i] = Record{Kind: "enqueue", Data: make([]byte, 1536)}
		}
		if _, err := j.Append(group, false); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		if _, err := j.Replay(Position{}, func(Record, Position) error { n++; return nil }); err != nil || n != records {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
