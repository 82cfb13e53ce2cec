package storetest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// A crash test runs a child that works on a store as fast as it can and says on its standard output what was acknowledged, line by line:
//
//	open                     the store is open
//	live   0   0       LEG   Track returned
//	accept SEQ 0       LEG   Accept returned; these are the item's number and version
//	edit   SEQ VERSION LEG   Save returned; each change raises the version by one
//	try    SEQ VERSION LEG
//	done   SEQ VERSION LEG   not flushed: a power cut, but not a kill, may take it back
//
// The version is the item's Attempts; the note of its write-back is the version of the last edit. Each worker has one change in flight at
// most. Any program can be the child by calling Child first; these variables are its orders.
const (
	EnvDir     = "RINGSIDE_CHILD_DIR"     // the store's folder; without it Child returns
	EnvRound   = "RINGSIDE_CHILD_ROUND"   // begins the legs: another one for each child on a folder
	EnvPromise = "RINGSIDE_CHILD_PROMISE" // a Promise; empty: Honest
	EnvWorkers = "RINGSIDE_CHILD_WORKERS" // how many change at the same time; empty: 1
	EnvCompact = "RINGSIDE_CHILD_COMPACT" // not empty: compacts all the time
	EnvCalls   = "RINGSIDE_CHILD_CALLS"   // ends after so many calls of each worker, and closes the store; empty: never ends
)

// Promise is when the child says that something is kept.
type Promise string

// The promises.
const (
	Honest       Promise = "after"     // when the store said so, as the agent does
	BeforeAccept Promise = "before"    // a negative control: a call that is not kept yet
	NeverDone    Promise = "neverdone" // a negative control: an item is said to be done and is not
)

// EndedItself is the child's exit code after an error. Windows reports 1 for a child that was killed.
const EndedItself = 3

// Child is for TestMain and main: in a child it never returns, elsewhere it does nothing.
func Child() {
	dir := os.Getenv(EnvDir)
	if dir == "" {
		return
	}
	if err := work(dir); err != nil {
		fmt.Fprintln(os.Stderr, "the child ended:", err)
		os.Exit(EndedItself)
	}
	os.Exit(0)
}

func work(dir string) error {
	s, err := store.Open(store.Options{Dir: dir, Keys: Keys()})
	if err != nil {
		return err
	}
	if err := say("open"); err != nil {
		return err
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(os.Getenv(name)) // empty: 0
		return n
	}
	if os.Getenv(EnvCompact) != "" {
		go func() {
			for s.Compact() == nil {
				time.Sleep(time.Millisecond)
			}
		}()
	}
	errs := make([]error, max(1, number(EnvWorkers)))
	var wg sync.WaitGroup
	for i := range errs {
		w := worker{store: s, name: fmt.Sprintf("%s-%d", os.Getenv(EnvRound), i), promise: Promise(os.Getenv(EnvPromise))}
		wg.Go(func() { errs[i] = w.run(number(EnvCalls)) })
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), s.Close())
}

// say is one write, so that lines of workers do not mix.
func say(format string, args ...any) error {
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	return err
}

type worker struct {
	store   *store.Store
	name    string
	promise Promise
}

func (w worker) run(calls int) error {
	for i := 0; calls == 0 || i < calls; i++ {
		if err := w.call(fmt.Sprintf("%s-%d", w.name, i), i%2 == 0); err != nil {
			return err
		}
	}
	return nil
}

// call takes one call through its life.
func (w worker) call(leg string, finish bool) error {
	call, it := Call(leg)
	it.WriteBack.Record.WrapUp.Note = "0"
	if err := w.store.Track(call, cti.WrapUp{}); err != nil {
		return err
	}
	if err := say("live 0 0 %s", leg); err != nil {
		return err
	}
	if w.promise == BeforeAccept {
		if err := say("accept 0 0 %s", leg); err != nil {
			return err
		}
	}
	stored, err := w.store.Accept(call, cti.WrapUp{Note: leg}, []outbox.Item{it})
	if err != nil {
		return err
	}
	it = stored[0]
	if w.promise != BeforeAccept {
		if err := say("accept %d 0 %s", it.Seq, leg); err != nil {
			return err
		}
	}
	return w.changes(it, finish)
}

func (w worker) changes(it outbox.Item, finish bool) error {
	for _, change := range []outbox.Change{outbox.Edited, outbox.Tried, outbox.Finished} {
		it.Attempts++
		switch change {
		case outbox.Edited:
			it.WriteBack.Record.WrapUp.Note = strconv.Itoa(it.Attempts)
		case outbox.Tried:
			it.State, it.Tries = outbox.Retry, []outbox.Try{{At: it.CreatedAt, Kind: cti.Offline, Message: "no route"}}
		default:
			if !finish {
				return nil
			}
			it.State, it.DoneAt = outbox.Done, it.CreatedAt
			if w.promise == NeverDone {
				return say("done %d %d %s", it.Seq, it.Attempts, it.WriteBack.Leg)
			}
		}
		if err := w.store.Save(change, it); err != nil {
			return err
		}
		if err := say("%s %d %d %s", change, it.Seq, it.Attempts, it.WriteBack.Leg); err != nil {
			return err
		}
	}
	return nil
}
