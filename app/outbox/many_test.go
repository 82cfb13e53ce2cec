package outbox_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Each of ten thousand waits for the disk; they wait together.
func TestABurstOfAcceptsSharesTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, lagging)
		r.store.flush = 5 * time.Millisecond
		before := time.Now()
		var group sync.WaitGroup
		for i := range 10_000 {
			group.Go(func() {
				w := write(fmt.Sprint("key ", i), fmt.Sprint("lane ", i%100), "")
				if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if took := time.Since(before); took != 5*time.Millisecond {
			t.Errorf("took %v, want one flush", took)
		}
		if c := r.counts(); c != (outbox.Counts{Waiting: 10_000}) || len(r.store.items) != 10_000 {
			t.Errorf("counts %+v, %d stored", c, len(r.store.items))
		}
	})
}

// Of one key one at a time is accepted, before it is sent, while it is and after: one record, with one of the contents, in the end the
// store's newest.
func TestConcurrentAcceptsOfOneKeyAreOneRecord(t *testing.T) {
	every(t, allKinds, func(t *testing.T, r *rig) {
		r.store.flush = 5 * time.Millisecond
		r.run()
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				w := write("a", "1", fmt.Sprint("note ", i))
				if err := r.box.Accept(cti.Call{Leg: w.Leg}, cti.WrapUp{}, []cti.WriteBack{w}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		pass(time.Minute)
		newest, err := r.store.Latest(write("a", "1", "").Leg, "a")
		if err != nil || r.counts() != (outbox.Counts{}) {
			t.Fatalf("%v, counts %+v", err, r.counts())
		}
		r.crm.onceEach(t, map[string]string{"a": newest.WriteBack.Record.WrapUp.Note})
	})
}

func TestSeveralWritesOfOneKeyInOneCall_theLastCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newCRMRig(t, blind)
		r.run()
		if err := r.box.Accept(cti.Call{Leg: "l"}, cti.WrapUp{}, []cti.WriteBack{write("a", "1", "x"), write("b", "1", "x"), write("a", "1", "y")}); err != nil {
			t.Fatal(err)
		}
		r.settled()
		r.crm.onceEach(t, map[string]string{"a": "y", "b": "x"})
	})
}

// A hundred thousand items, each in a lane of its own: they start, fail once, come back and drain; no step may look at all of them.
// What the steps cost is counted in TestTheScheduleLooksAtFewOfMany.
func TestAHundredThousandStartAndDrain(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand items")
	}
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		r := newCRMRig(t, upserting)
		items := make([]outbox.Item, 0, n)
		for i := range n {
			items = append(items, outbox.Item{Lane: fmt.Sprint("lane ", i), State: outbox.Queued, CreatedAt: time.Now().UTC(),
				WriteBack: write(fmt.Sprint("key ", i), fmt.Sprint("lane ", i), "")})
		}
		if _, err := r.store.Accept(cti.Call{}, cti.WrapUp{}, items); err != nil {
			t.Fatal(err)
		}
		before := heap()
		r.open()
		each := (heap() - before) / n
		t.Log(each, "bytes for each item")
		if each > 200 {
			t.Errorf("%d bytes for each item, want at most 200", each)
		}
		r.crm.fails(fault{kind: cti.Offline}, fault{kind: cti.Offline})
		r.run()
		r.settled()
		if r.crm.total() != n || r.crm.fault != "" {
			t.Errorf("%d delivered, %s", r.crm.total(), r.crm.fault)
		}
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
