package relay

import (
	"encoding/json"
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
	track.book(cti.Event{V: 1, Type: cti.Info, At: time.Now(), Call: cti.CallRef{Refs: map[string]string{"id": fmt.Sprint(maxPast + 11)}}, Recording: &cti.Recording{ID: "q-600-1.wav"}})
	if told := track.past[maxPast-1].told(); len(told) != 3 || told[2].Recording == nil {
		t.Errorf("a recording that was told late is not in the story: %+v", told)
	}
	for n := range maxLive + 10 {
		track.book(cti.Event{V: 1, Type: cti.Delivered, At: time.Now(), Call: cti.CallRef{Refs: map[string]string{"id": fmt.Sprint("live", n)}}})
	}
	if len(track.live) != maxLive || len(track.stories) != maxLive {
		t.Errorf("%d live calls are kept", len(track.live))
	}
	track.keep(false)
	if len(track.past) != 0 {
		t.Error("what is past outlives the last enrolment")
	}
}

// A time that cannot be written would lose what it stands in, or end every connection that it is sent over.
func TestTimesThatCannotBeWrittenAreNone(t *testing.T) {
	l := newLine("1001", nil, nil)
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*3600))
	for _, at := range []time.Time{far, time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), {}} {
		e := l.ready(cti.Event{At: at, SourceAt: at, Recording: &cti.Recording{ID: "1", ExpiresAt: at}, Legs: []cti.Event{{At: at, SourceAt: at}}})
		if _, err := json.Marshal(e); err != nil || time.Since(e.At) > time.Minute || time.Since(e.Legs[0].At) > time.Minute {
			t.Errorf("%v: %v, told at %v", at.Year(), err, e.At)
		}
	}
}
