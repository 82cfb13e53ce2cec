package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// pageSize is bbolt's on the systems that are tested.
const pageSize = 4096

// damages are what a disk may make of an index; each gets the file's text.
var damages = map[string]func(chance *rand.Rand, file []byte) []byte{
	"a bit flips": func(chance *rand.Rand, file []byte) []byte {
		file[chance.IntN(len(file))] ^= 1 << chance.IntN(8)
		return file
	},
	"a page is zeros":      func(chance *rand.Rand, file []byte) []byte { clear(page(chance, file)); return file },
	"half a page is zeros": func(chance *rand.Rand, file []byte) []byte { clear(page(chance, file)[pageSize/2:]); return file },
	"a page is noise":      func(chance *rand.Rand, file []byte) []byte { noise(chance, page(chance, file)); return file },
	"one meta page is gone": func(chance *rand.Rand, file []byte) []byte {
		clear(file[chance.IntN(2)*pageSize:][:pageSize])
		return file
	},
	"a page lies elsewhere": func(chance *rand.Rand, file []byte) []byte { copy(page(chance, file), page(chance, file)); return file },
	"the end is cut":        func(chance *rand.Rand, file []byte) []byte { return file[:chance.IntN(len(file))] },
	"an older page is there": func(chance *rand.Rand, file []byte) []byte {
		copy(page(chance, file), file[2*pageSize:3*pageSize])
		return file
	},
}

func page(chance *rand.Rand, file []byte) []byte {
	at := chance.IntN(len(file)/pageSize) * pageSize
	return file[at : at+pageSize]
}

func noise(chance *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(chance.Uint32())
	}
}

// Whatever became of the index, everything is there afterwards, and new calls are taken.
//
// Fault 21: a bit flips.
// Fault 22: pages are zeroed, torn or noise; the process that vets the file may die of it.
// Fault 23: one meta page, or both, are gone.
func TestWhateverBecomesOfTheIndexNothingIsLost(t *testing.T) {
	rounds := 8
	switch {
	case testing.Short():
		rounds = 3
	case os.Getenv("RINGSIDE_SOAK") != "":
		rounds = 250
	}
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	for i := range 300 {
		accept(t, s, fmt.Sprint("more ", i), item(fmt.Sprint("more ", i)))
	}
	want := mix(t, s)
	must(t, s.Close())
	unclean(t, dir)
	for i := range want { // what a rebuild makes of it
		if want[i].State == outbox.Queued && !want[i].Begun.IsZero() {
			want[i].State = outbox.Reconcile
		}
	}
	probe, items, made := probeCommand(t), 0, 0
	for name, damage := range damages {
		for round := range rounds {
			seed := rand.Uint64()
			renewed := damagedOpens(t, dir, probe, want, seed, damage)
			items += len(want)
			if renewed {
				made++
			}
			if t.Failed() {
				t.Fatalf("%s, round %d, seed %d", name, round, seed)
			}
		}
	}
	t.Logf("%d damaged files, %d of them made anew", len(damages)*rounds, made)
	t.Logf("fault run: %d items, 0 lost, 0 duplicates, 0 reordered", items)
	if made < len(damages)*rounds/4 {
		t.Errorf("only %d were made anew: the damage hits nothing", made)
	}
}

// damagedOpens opens a copy of a store whose index was damaged, and tells whether it was made anew.
func damagedOpens(t *testing.T, dir string, probe []string, want []outbox.Item, seed uint64, damage func(*rand.Rand, []byte) []byte) (renewed bool) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	defer func() { must(t, os.RemoveAll(copied)) }()
	path := filepath.Join(copied, "outbox.db")
	file, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, damage(rand.New(rand.NewPCG(seed, 0)), file), 0o600))
	told := newAlarms()
	o := options(copied)
	o.Alarm, o.Probe = told.take, probe
	s, err := store.Open(o)
	must(t, err)
	got := all(t, s)
	for i := range got { // an index that needed no rebuild keeps the state in which the outbox finds out by itself
		if got[i].State == outbox.Queued && !got[i].Begun.IsZero() {
			got[i].State = outbox.Reconcile
		}
	}
	equal(t, want, got)
	accept(t, s, "after", item("after"))
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
	for _, kind := range told.kinds() {
		renewed = renewed || kind == store.AlarmRebuilt
	}
	return renewed
}

// A backup program copies files while they change. The copy's index may be bad; what was acknowledged before the copy began is in it all the
// same, because the journal is.
//
// Fault 25: a copy of the live files.
func TestCopyOfTheLiveFilesHoldsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	accepted, items := 0, 0
	for copies := range 10 {
		copied := filepath.Join(t.TempDir(), "copy")
		before := accepted + 20
		accepted = acceptWhile(t, s, accepted, before, func() { must(t, os.CopyFS(copied, os.DirFS(dir))) })
		c, err := store.Open(options(copied))
		must(t, err)
		for i := range before {
			if _, err := c.Call(fmt.Sprint("leg ", i)); err != nil {
				t.Fatalf("copy %d lacks call %d of %d: %v", copies, i, before, err)
			}
		}
		must(t, c.Check())
		must(t, c.Close())
		items += before
	}
	if accepted <= 10*20 {
		t.Errorf("%d calls were accepted: none while the files were copied", accepted)
	}
	t.Logf("fault run: %d items, 0 lost, 0 duplicates, 0 reordered", items)
}

// acceptWhile accepts calls, numbered from one on, before and while something is done: it begins once there are a number of them. It gives how many
// there are then. They are bounded, or the larger the store the longer its copy, and the more calls come meanwhile.
func acceptWhile(t *testing.T, s *store.Store, from, begin int, do func()) (accepted int) {
	t.Helper()
	const most = 500
	began, stop, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	accepted = from
	go func() {
		for ; accepted < begin+most; accepted++ {
			if accepted == begin {
				close(began)
			}
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			call, it := storetest.Call(fmt.Sprint("leg ", accepted))
			if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	select {
	case <-began:
	case err := <-ended:
		t.Fatal(err)
	}
	do()
	close(stop)
	must(t, <-ended)
	return accepted
}
