package app

import (
	"testing"

	"ringside.dev/ringside/app/cti"
)

// Every event of every call passes here on its way to the pop.
func TestNotingAnEventCopiesNotAllThatAreKept(t *testing.T) {
	var l eventLog
	seq := uint64(0)
	note := func() { seq++; l.note(cti.Event{Seq: seq}) }
	for range 2 * keptEvents {
		note()
	}
	if allocs := testing.AllocsPerRun(keptEvents, note); allocs >= 1 {
		t.Errorf("%v allocations for each", allocs)
	}
	newest, _, stop := l.follow()
	defer stop()
	if len(newest) != keptEvents || newest[0].Seq != seq-keptEvents+1 || newest[keptEvents-1].Seq != seq {
		t.Errorf("%d events from %d to %d, want the newest %d", len(newest), newest[0].Seq, newest[len(newest)-1].Seq, keptEvents)
	}
}
