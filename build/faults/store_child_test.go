//go:build linux

package faults

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store"
)

// The program under test: the store, with workers that accept calls and change their items as the agent does. Before each step a worker says what it
// is about to do, and after it that it is done, so that every image can be compared with what may be and what must be there:
//
//	track LEG, tracked LEG
//	accept LEG ITEMS, accepted LEG SEQ …
//	change SEQ VERSION STATE, changed SEQ VERSION (or passed SEQ VERSION, when a loss would do no harm)
//	refused KIND: TEXT

// storeDir is the store's folder below a disk. The store makes it, as on a new computer.
func storeDir(disk string) string { return filepath.Join(disk, "state", "outbox") }

// ring is the key ring of all stores here. It guards nothing.
func ring() secret.Ring {
	r, err := secret.ParseRing(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("ringside", 4))))
	if err != nil {
		panic(err)
	}
	return r
}

func openStore(disk string, alarm func(store.Alarm), log io.Writer) (*store.Store, error) {
	return store.Open(store.Options{Dir: storeDir(disk), Keys: ring(), Probe: []string{os.Args[0]}, Alarm: alarm, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// probeChild is what the store starts to vet its index.
func probeChild(string, string) error {
	return store.RunProbe(os.Args[len(os.Args)-1], os.Stdin)
}

// Words of a store child's mode.
const (
	wordOne     = "one"     // one worker instead of three
	wordCompact = "compact" // compacts again and again
	wordReopen  = "reopen"  // closes and opens again and again
	wordLong    = "long"    // notes as long as they may be, so that the journal needs segments
	wordSlow    = "slow"    // a pause after each step, for tests that wait for the store's own clock
)

// storeChild works until it is killed.
func storeChild(disk, mode string) error {
	if err := os.Setenv(envChild, "probe"); err != nil {
		return err
	}
	alarm := func(a store.Alarm) { _ = say(fmt.Sprint("alarm ", a.Kind, " ", a.Over)) }
	for run := 0; ; run++ {
		s, err := openStore(disk, alarm, os.Stderr)
		if err != nil {
			return err
		}
		if err := say("opened"); err != nil {
			return err
		}
		if err := crew(s, mode, run); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
}

// crew lets the workers work; with wordReopen only for a while.
func crew(s *store.Store, mode string, run int) error {
	workers := 3
	if strings.Contains(mode, wordOne) {
		workers = 1
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			w := &worker{Store: s, name: fmt.Sprint(os.Getpid(), ".", run, ".", n), long: strings.Contains(mode, wordLong), rng: rand.New(rand.NewPCG(uint64(run), uint64(n)))}
			errs[n] = w.work(mode)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// worker does one thing after the other.
type worker struct {
	*store.Store
	name  string
	long  bool
	rng   *rand.Rand
	calls int
	items []outbox.Item // that are not final
}

func (w *worker) work(mode string) error {
	for step := 1; ; step++ {
		var err error
		if len(w.items) == 0 || w.rng.IntN(2) == 0 {
			err = w.accept()
		} else {
			err = w.change()
		}
		if strings.Contains(mode, wordSlow) {
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // not a wait for anything
		}
		if err == nil && strings.Contains(mode, wordCompact) && step%15 == 0 {
			err = w.refused(w.Compact())
		}
		if err != nil || strings.Contains(mode, wordReopen) && step == 12 {
			return err
		}
	}
}

// accept hands over a call with one item or two, that it may have tracked before.
func (w *worker) accept() error {
	w.calls++
	leg := fmt.Sprintf("%s-%d", w.name, w.calls)
	call := cti.Call{Leg: leg, Case: leg, State: cti.Connected, StartedAt: time.Now().UTC()}
	if w.rng.IntN(3) == 0 {
		if err := w.steps("track "+leg, func() error { return w.Track(call, cti.WrapUp{}) }, func() string { return "tracked " + leg }); err != nil {
			return err
		}
	}
	call.State, call.ClearedAt = cti.StateClosed, time.Now().UTC()
	wrap := cti.WrapUp{Outcome: "v1", Note: leg}
	if w.long {
		wrap.Note += strings.Repeat("x", cti.MaxNote-len(leg))
	}
	var items []outbox.Item
	for n := range 1 + w.rng.IntN(2) {
		it := outbox.Item{Lane: fmt.Sprint("lane ", w.name, w.rng.IntN(3)), State: outbox.Queued, CreatedAt: call.ClearedAt, WriteBack: cti.WriteBack{Op: cti.LogCall,
			Key: fmt.Sprint("key ", leg, " ", n), Leg: leg, Identity: cti.IdentityKnown, Record: cti.Record{Leg: leg, WrapUp: wrap}}}
		items = append(items, it)
	}
	return w.steps(fmt.Sprint("accept ", leg, " ", len(items)), func() (err error) {
		items, err = w.Accept(call, wrap, items)
		return err
	}, func() string {
		w.items = append(w.items, items...)
		line := "accepted " + leg
		for _, it := range items {
			line += fmt.Sprint(" ", it.Seq)
		}
		return line
	})
}

// change changes one of its items.
func (w *worker) change() error {
	i := w.rng.IntN(len(w.items))
	it := w.items[i]
	change, done := outbox.Edited, "changed"
	switch w.rng.IntN(6) {
	case 0:
		it.State = outbox.Queued
	case 1:
		change, it.Begun = outbox.Started, time.Now().UTC()
	case 2:
		change, it.State, it.Attempts, it.Due = outbox.Tried, outbox.Retry, it.Attempts+1, time.Now().Add(time.Minute).UTC()
	case 3:
		change, it.State, it.Reason = outbox.Dropped, outbox.Discarded, "not wanted"
	default:
		change, it.State, it.Receipt, done = outbox.Finished, outbox.Done, cti.Receipt{ID: "there"}, "passed"
	}
	var version int
	if _, err := fmt.Sscanf(it.WriteBack.Record.WrapUp.Outcome, "v%d", &version); err != nil {
		return err
	}
	version++
	it.WriteBack.Record.WrapUp.Outcome = fmt.Sprint("v", version)
	w.items[i].WriteBack.Record.WrapUp.Outcome = it.WriteBack.Record.WrapUp.Outcome // also when it is refused: no version is used twice
	return w.steps(fmt.Sprint("change ", it.Seq, " ", version, " ", it.State), func() error { return w.Save(change, it) }, func() string {
		if w.items[i] = it; it.State.Final() {
			w.items = append(w.items[:i], w.items[i+1:]...)
		}
		return fmt.Sprint(done, " ", it.Seq, " ", version)
	})
}

// steps says something before and after; when it is refused, that.
func (w *worker) steps(before string, do func() error, after func() string) error {
	if err := say(before); err != nil {
		return err
	}
	if err := do(); err != nil {
		return w.refused(err)
	}
	return say(after())
}

func (w *worker) refused(err error) error {
	if err == nil {
		return nil
	}
	return say(fmt.Sprintf("refused %s: %.300v", cti.KindOf(err), err))
}
