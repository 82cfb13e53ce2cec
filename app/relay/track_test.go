package relay

import (
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/sim"
)

// An exchange with thousands of extensions that nobody is enrolled for costs no memory for what is past.
func TestPastCallsAreKeptForWhoMayAskAlone(t *testing.T) {
	track := newTrack("sim", &sim.Exchange{})
	call := func(n int) {
		refs := cti.CallRef{Refs: map[string]string{"id": fmt.Sprint(n)}}
		now := time.Now()
		track.book(cti.Event{V: 1, Type: cti.Delivered, At: now, Side: cti.SideLocal, Call: refs})
		track.book(cti.Event{V: 1, Type: cti.Cleared, At: now, Call: refs})
	}
	call(1)
	if len(track.past) != 0 || len(track.live) != 0 || len(track.stories) != 0 {
		t.Errorf("for nobody are kept %d past and %d live calls", len(track.past), len(track.live))
	}
	track.keep(true)
	for n := range maxPast + 10 {
		call(n + 2)
	}
	if len(track.past) != maxPast || len(track.since(time.Time{})) != 2*maxPast {
		t.Errorf("%d past calls are kept, want %d", len(track.past), maxPast)
	}
	track.keep(false)
	if len(track.past) != 0 {
		t.Error("what is past outlives the last enrolment")
	}
}
