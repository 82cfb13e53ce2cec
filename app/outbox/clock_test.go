package outbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

const day = 24 * time.Hour

// Fault 46: the clock jumps a day either way while items wait, are looked up, or are held back: none is lost, sent twice, out of order
// or late by more than the cap.
func TestClockJumpsWhileRunning(t *testing.T) {
	for _, by := range []time.Duration{day, -day, time.Hour, -time.Hour} {
		for _, f := range []fault{{kind: cti.Offline}, {kind: cti.Uncertain, after: true}, {kind: cti.Auth}, {kind: cti.Limited, retry: 10 * time.Minute}} {
			every(t, []kind{upserting, lagging, searching}, func(t *testing.T, r *rig) {
				r.crm.fails(f, f, f)
				r.acceptWrite(write("a", "1", "note"))
				r.acceptWrite(write("b", "1", "note"))
				r.run()
				r.shift.Add(int64(by))
				pass(time.Minute)
				r.acceptWrite(write("c", "1", "note"))
				pass(31 * time.Minute)
				r.crm.onceEach(t, map[string]string{"a": "note", "b": "note", "c": "note"})
				if got := fmt.Sprint(r.crm.records[0].key, r.crm.records[1].key, r.crm.records[2].key); got != "abc" {
					t.Errorf("in the order %s", got)
				}
			})
		}
	}
}

// Fault 46: over a restart nothing but the wall's clock is left, and that is not believed where it cannot be true.
func TestClockJumpsOverARestart(t *testing.T) {
	for _, by := range []time.Duration{day, -day, 25 * time.Hour, -25 * time.Hour} {
		every(t, []kind{upserting, lagging, searching, windowed}, func(t *testing.T, r *rig) {
			r.crm.fails(fault{kind: cti.Uncertain, after: true}, fault{kind: cti.Offline}, fault{kind: cti.Offline})
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			r.crash()
			r.shift.Add(int64(by))
			r.open()
			r.run()
			pass(40 * time.Minute)
			if r.crm.kind == windowed && r.counts().Review == 1 { // it cannot be told how old the key is
				return
			}
			r.crm.onceEach(t, map[string]string{"a": "note"})
			if r.counts() != (outbox.Counts{}) {
				t.Errorf("left: %+v", r.unfinished())
			}
		})
	}
}

// Fault 39, 46: the key's window is measured by a clock that nobody sets back.
func TestAClockSetBackDoesNotMakeAKeyYounger(t *testing.T) {
	for _, restart := range []bool{false, true} {
		every(t, []kind{windowed, searching}, func(t *testing.T, r *rig) {
			plan := []fault{{kind: cti.Uncertain, after: true}}
			for range 2000 {
				plan = append(plan, fault{kind: cti.Offline})
			}
			r.crm.fails(plan...)
			r.acceptWrite(write("a", "1", "note"))
			r.run()
			pass(20 * time.Hour)
			r.shift.Add(-int64(12 * time.Hour))
			if restart {
				r.restart()
			}
			pass(7 * time.Hour)
			r.crm.fails()
			pass(time.Hour)
			if got := len(r.crm.of("a")); got != 1 {
				t.Errorf("%d records, want one", got)
			}
		})
	}
}

// Fault 46: a clock that goes forward alone cannot be told from a computer that slept: what waits for the network is due.
func TestAfterASleepWhatWaitsForTheNetworkIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.waiting("a", "1", cti.Offline, 14*time.Minute)
		r.run()
		r.shift.Add(int64(8 * time.Hour))
		pass(time.Minute + 5*time.Second)
		if r.sent() != 1 {
			t.Errorf("sent %d times a minute after the sleep", r.sent())
		}
	})
}
