//go:build linux

package faults

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// folder makes a disk on which the store's folder is already, and empty.
func folder(t *testing.T) *simfs.FS {
	t.Helper()
	base := t.TempDir()
	if err := os.MkdirAll(storeDir(base), 0o700); err != nil {
		t.Fatal(err)
	}
	return newDisk(t, base)
}

// storeWork runs the store on a disk until it has said so much, and gives what happened.
func storeWork(t *testing.T, f *simfs.FS, mode string, notes int) simfs.Log {
	t.Helper()
	from := len(f.Log())
	p := start(t, f, "store", mode)
	p.said(t, f, from, notes)
	p.kill()
	return f.Log()
}

// storeCuts cuts the power and wants nothing lost.
func storeCuts(t *testing.T, c campaign) tally {
	t.Helper()
	c.judge, c.images = "store", c.images*soak()
	if len(c.losses) == 0 {
		c.losses = allLosses
	}
	sum := c.run(t, false)
	want(t, sum)
	return sum
}

// want wants no bad image.
func want(t *testing.T, sum tally) {
	t.Helper()
	t.Logf("seed %#x: %s", seed, sum)
	if sum.Bad > 0 {
		t.Errorf("%d of %d images are bad", sum.Bad, sum.Images)
	}
	if sum.Said == 0 {
		t.Error("nothing was checked")
	}
}

// Fault 3: power cuts and kills while the store is made for the first time leave a store that starts and has what it promised.
// Fault 7: also in the strict model, in which every name needs its folder flushed.
func TestPower_firstCreation(t *testing.T) {
	f := newDisk(t, "")
	l := storeWork(t, f, wordOne, 90)
	undamaged(t, storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 150}))
	undamaged(t, storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 50, cut: simfs.Cut{NamesWithFiles: true}}))
}

// Fault 4: a power cut that loses nothing but what comes after it.
// Fault 5: a power cut that keeps a random choice of what was not flushed.
// Fault 6: a power cut that tears writes at their sectors.
func TestPower_steadyWork(t *testing.T) {
	l := storeWork(t, folder(t), "", 1200)
	undamaged(t, storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 450}))
}

// undamaged wants that no index had to be made anew. The journal makes up for an index that was not flushed, so that only this shows it.
func undamaged(t *testing.T, sum tally) {
	t.Helper()
	if n := sum.Counts["put aside"] + sum.Counts["alarm rebuilt"]; n > 0 {
		t.Errorf("%d times the index was damaged or gone: a power cut alone does not do that", n)
	}
}

// Fault 2: a kill, or a power cut, in the middle of a compaction leaves the old index or the new one.
// Fault 8: also between the rename and the flush of the folder.
func TestPower_compaction(t *testing.T) {
	l := storeWork(t, folder(t), wordCompact, 600)
	swap := func(op simfs.Op) bool { return strings.HasSuffix(op.Path, ".compact") && op.Kind != simfs.Write }
	points := after(l, 0, len(l), 6, swap)
	if len(points) < 50 {
		t.Fatalf("only %d points in compactions", len(points))
	}
	undamaged(t, storeCuts(t, campaign{log: l, points: points, images: 200}))
}

// The journal goes from segment to segment, at each start and when one is long.
func TestPower_newSegments(t *testing.T) {
	l := storeWork(t, folder(t), wordReopen, 500)
	storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 150})
	l = storeWork(t, folder(t), wordLong+" "+wordOne, 1000)
	segments := func(op simfs.Op) bool { return op.Kind == simfs.Create && strings.HasSuffix(op.Path, ".rjl") }
	points := after(l, 0, len(l), 60, segments)
	if n := count(l, segments); n < 2 {
		t.Fatalf("%d segments, want two at least", n)
	}
	storeCuts(t, campaign{log: l, points: points, images: 40})
}

func count(l simfs.Log, match func(simfs.Op) bool) (n int) {
	for _, op := range l {
		if match(op) {
			n++
		}
	}
	return n
}

// Fault 24: whatever a power cut leaves at the journal's end, the journal alone gives back what was promised.
func TestPower_journalAlone(t *testing.T) {
	l := storeWork(t, folder(t), "", 900)
	storeCuts(t, campaign{log: l, points: between(0, len(l)), images: 150, losses: []simfs.Loss{simfs.Subset, simfs.Torn}, mangle: onlyJournal})
}

// A second power cut, while the store recovers from the first: the work is cut, the store starts on what that left, and is cut again.
func TestPower_whileRecovering(t *testing.T) {
	l := storeWork(t, folder(t), "", 600)
	sum := tally{Counts: map[string]int{}}
	for i := range 4 * soak() {
		c := campaign{log: l, points: between(len(l)/2, len(l)), judge: "store"}
		cut := simfs.Cut{At: c.points[len(c.points)*i/(4*soak())], Loss: simfs.Torn, Seed: seed + uint64(i)}
		base := filepath.Join(t.TempDir(), "base")
		if err := l.Image(base, cut); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			if err := onlyJournal(base); err != nil {
				t.Fatal(err)
			}
		}
		f := newDisk(t, base)
		from := len(f.Log())
		again := storeWork(t, f, "later", 30)
		said := c.request(cut, "").Said
		sum.join(campaign{log: again, points: between(from, len(again)), images: 50, losses: allLosses, judge: "store", before: said}.run(t, false))
	}
	want(t, sum)
	if sum.Counts["put aside"] > 0 {
		t.Errorf("%d half-made indexes were taken for good ones", sum.Counts["put aside"])
	}
}

// Fault 11: a disk that says it flushed and did not takes what it takes. The store starts on what is left, says what is damaged, and goes on.
func TestPower_diskThatIgnoresFlushes(t *testing.T) {
	f := folder(t)
	settled := len(f.Log())
	l := storeWork(t, f, "", 600)
	sum := storeCuts(t, campaign{log: l, points: between(len(l)/2, len(l)), images: 80, cut: simfs.Cut{FlushIgnored: true, Settled: settled}})
	if sum.Counts["lost"] == 0 {
		t.Error("nothing was lost: the harness does not see a disk that lies")
	}
}

// An image that was kept is judged once more: RINGSIDE_FAULTS_IMAGE is its folder.
func TestImage_again(t *testing.T) {
	kept := os.Getenv("RINGSIDE_FAULTS_IMAGE")
	if kept == "" {
		t.Skip("RINGSIDE_FAULTS_IMAGE names no image")
	}
	text, err := os.ReadFile(filepath.Join(kept, "why.json"))
	if err != nil {
		t.Fatal(err)
	}
	var why struct {
		Request request `json:"request"`
	}
	if err := json.Unmarshal(text, &why); err != nil {
		t.Fatal(err)
	}
	why.Request.Dir = filepath.Join(t.TempDir(), "disk")
	if err := os.CopyFS(why.Request.Dir, os.DirFS(filepath.Join(kept, "disk"))); err != nil {
		t.Fatal(err)
	}
	var j judge
	defer j.end()
	f, err := j.ask(why.Request)
	if err != nil || len(f.Problems) > 0 {
		t.Errorf("%v %v", err, strings.Join(f.Problems, "\n"))
	}
}
