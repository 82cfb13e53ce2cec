//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// campaign cuts the power many times somewhere in a log and has each image judged.
type campaign struct {
	log    simfs.Log
	points []int // where the power may be cut
	images int
	losses []simfs.Loss // each in its turn
	judge  string
	cut    simfs.Cut          // its other fields
	mangle func(string) error // what else happens to the disk; nil for nothing
	before []string           // what was said before the log began
	mount  mounter            // gets at what is in the image; nil: it is in the folder itself
}

// mounter gives the folder of what is in an image, or what is wrong with the image.
type mounter func(image string) (inside string, unmount func() error, f finding, err error)

// between gives all points of a part of a log.
func between(from, to int) (points []int) {
	for at := from; at <= to; at++ {
		points = append(points, at)
	}
	return points
}

// after gives the points of a part of a log that follow, within so many operations, one that matches.
func after(l simfs.Log, from, to, within int, match func(simfs.Op) bool) (points []int) {
	last := -within - 1
	for at := from; at < to; at++ {
		if match(l[at]) {
			last = at
		}
		if at-last <= within {
			points = append(points, at+1)
		}
	}
	return points
}

// allLosses is what a power cut can do.
var allLosses = []simfs.Loss{simfs.Ordered, simfs.Subset, simfs.Torn}

// tally is what came of a campaign.
type tally struct {
	Images, Bad int
	Said        int // things said before the cuts, in all images
	Counts      map[string]int
	First       string // the first problems, for the reader
}

func (s tally) String() string {
	text := fmt.Sprintf("%d images, %d bad, %d promises checked", s.Images, s.Bad, s.Said)
	for what, n := range s.Counts {
		text += fmt.Sprintf(", %d %s", n, what)
	}
	return text + s.First
}

// keptImages is how many bad images of a campaign stay on the disk.
const keptImages = 3

// run judges the images. Bad ones are kept when the test wants none.
func (c campaign) run(t *testing.T, wantBad bool) tally {
	t.Helper()
	sum := tally{Counts: map[string]int{}}
	var mu sync.Mutex
	cuts := make(chan simfs.Cut)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	if c.mount != nil {
		workers = 1 // images of one file system must not be mounted at once
	}
	for range workers {
		wg.Go(func() {
			var j judge
			defer j.end()
			for cut := range cuts {
				f, said, err := c.one(t, &j, cut)
				mu.Lock()
				if err != nil {
					t.Errorf("%s: %v", cut, err)
				}
				sum.add(f, said)
				if len(f.Problems) > 0 && sum.Bad <= keptImages {
					sum.First += fmt.Sprintf("\n  %s: %.300q", cut, f.Problems)
					if !wantBad {
						sum.First += "\n    kept in " + c.keep(t, cut, f)
					}
				}
				mu.Unlock()
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, uint64(len(c.log))))
	for i := range c.images {
		cut := c.cut
		cut.At, cut.Loss, cut.Seed = c.points[rng.IntN(len(c.points))], c.losses[i%len(c.losses)], rng.Uint64()
		cuts <- cut
	}
	close(cuts)
	wg.Wait()
	return sum
}

// join adds another campaign's.
func (s *tally) join(o tally) {
	s.Images, s.Bad, s.Said, s.First = s.Images+o.Images, s.Bad+o.Bad, s.Said+o.Said, s.First+o.First
	for what, n := range o.Counts {
		s.Counts[what] += n
	}
}

func (s *tally) add(f finding, said int) {
	s.Images++
	s.Said += said
	if len(f.Problems) > 0 {
		s.Bad++
	}
	for what, n := range f.Counts {
		s.Counts[what] += n
	}
}

// one builds an image, has it judged and removes it.
func (c campaign) one(t *testing.T, j *judge, cut simfs.Cut) (finding, int, error) {
	dir, err := os.MkdirTemp(t.TempDir(), "image")
	if err != nil {
		return finding{}, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := c.request(cut, filepath.Join(dir, "disk"))
	if err := c.image(r.Dir, cut); err != nil {
		return finding{}, 0, err
	}
	if c.mount == nil {
		f, err := j.ask(r)
		return f, len(r.Said), err
	}
	inside, unmount, f, err := c.mount(r.Dir)
	if err != nil || len(f.Problems) > 0 {
		return f, len(r.Said), err
	}
	r.Dir = inside
	f, err = j.ask(r)
	return f, len(r.Said), errors.Join(err, unmount())
}

func (c campaign) image(dir string, cut simfs.Cut) error {
	if err := c.log.Image(dir, cut); err != nil || c.mangle == nil {
		return err
	}
	return c.mangle(dir)
}

func (c campaign) request(cut simfs.Cut, dir string) request {
	r := request{Judge: c.judge, Dir: dir, Lenient: cut.FlushIgnored, Said: slices.Clone(c.before)}
	for _, op := range c.log[:cut.At] {
		if op.Kind == simfs.Note {
			r.Said = append(r.Said, op.Text)
		}
	}
	return r
}

// keep leaves a bad image, as it was before anybody opened it, with what was said, found, and done last.
func (c campaign) keep(t *testing.T, cut simfs.Cut, f finding) string {
	dir, err := os.MkdirTemp("", "ringside-image-")
	if err != nil {
		t.Error(err)
		return ""
	}
	var last []string
	for i, op := range c.log[max(0, cut.At-200):cut.At] {
		last = append(last, fmt.Sprint(max(0, cut.At-200)+i, " ", op))
	}
	text, err := json.MarshalIndent(map[string]any{"cut": cut, "request": c.request(cut, filepath.Join(dir, "disk")), "finding": f, "last": last}, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "why.json"), text, 0o600)
	}
	if err == nil {
		err = c.image(filepath.Join(dir, "disk"), cut)
	}
	if err != nil {
		t.Error(err)
	}
	return dir
}
