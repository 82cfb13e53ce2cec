package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// fillers is how many accept at the same time: the writer's group.
const fillers = 1000

// BigCall is a call with the item of a real one: about 1 KiB.
func BigCall(n int) (cti.Call, cti.WrapUp, outbox.Item) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	call := cti.Call{Leg: fmt.Sprintf("leg-%08d-0a1b2c3d4e5f", n), Case: fmt.Sprintf("case-%08d", n), State: cti.StateClosed, Direction: cti.In,
		Remote:    cti.Remote{Name: "Customer of the tests", Number: cti.Number{Raw: "+442079460958", E164: "+442079460958", Key: "2079460958"}},
		StartedAt: at.Add(-time.Minute), EstablishedAt: at.Add(-50 * time.Second), ClearedAt: at}
	wrap := cti.WrapUp{Outcome: "Order placed", Note: "wants the chairs in blue, call back on Tuesday before noon", SavedAt: at}
	key := cti.WriteKey("tests", call.Leg, cti.LogCall, 0)
	return call, wrap, outbox.Item{Lane: fmt.Sprintf("customer-%d", n%5000), State: outbox.Queued, CreatedAt: at, Due: at,
		WriteBack: cti.WriteBack{Op: cti.LogCall, Key: key, Leg: call.Leg, Identity: cti.IdentityKnown, CustomerID: fmt.Sprintf("customer-%d", n%5000),
			Record: cti.NewRecord("tests", call, wrap)}}
}

// Fill accepts calls, as many at the same time as make the largest groups, and waits until the index has them.
func Fill(t testing.TB, s *store.Store, items int) {
	t.Helper()
	if err := fill(s, 0, items); err != nil {
		t.Fatal(err)
	}
}

func fill(s *store.Store, from, to int) error {
	var wg sync.WaitGroup
	errs := make(chan error, fillers)
	numbers := make(chan int)
	for range min(fillers, to-from) {
		wg.Go(func() {
			for n := range numbers {
				call, wrap, it := BigCall(n)
				if _, err := s.Accept(call, wrap, []outbox.Item{it}); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for n := from; n < to; n++ {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return s.Settle()
	}
}
