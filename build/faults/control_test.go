//go:build linux

package faults

import (
	"syscall"
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// The controls: a harness that does not see what is missing here would be blind.

// work runs a child until it has said so much and gives the log.
func work(t *testing.T, name, mode string, notes int) simfs.Log {
	t.Helper()
	f := newDisk(t, "")
	p := start(t, f, name, mode)
	p.said(t, f, 0, notes)
	p.kill()
	return f.Log()
}

// firstNote is where the first promise stands.
func firstNote(l simfs.Log) int {
	for i, op := range l {
		if op.Kind == simfs.Note {
			return i + 1
		}
	}
	return len(l)
}

// control runs a program with and without its flushes and gives the bad images of both.
func control(t *testing.T, name, good, bad string, images int) (with, without tally) {
	t.Helper()
	for mode, sum := range map[string]*tally{good: &with, bad: &without} {
		l := work(t, name, mode, 200)
		*sum = campaign{log: l, points: between(firstNote(l), len(l)), images: images, losses: []simfs.Loss{simfs.Subset, simfs.Torn}, judge: name}.run(t, mode == bad)
		t.Logf("%s %s: %s", name, mode, *sum)
	}
	return with, without
}

func TestControl_bboltNeedsItsFlushes(t *testing.T) {
	with, without := control(t, "bolt", "synced", "nosync", 120)
	if with.Bad > 0 {
		t.Error("bbolt lost something although it flushed: the harness is wrong")
	}
	if without.Bad < without.Images/2 {
		t.Errorf("of %d images without a flush only %d are bad: the harness does not see it", without.Images, without.Bad)
	}
}

func TestControl_aLogNeedsItsFlushes(t *testing.T) {
	with, without := control(t, "log", "synced", "nosync", 120)
	if with.Bad > 0 || without.Bad < without.Images/2 {
		t.Errorf("with flushes %d bad, without %d: want none, and most", with.Bad, without.Bad)
	}
}

func TestControl_aRenameNeedsAFlushOfTheFolder(t *testing.T) {
	with, without := control(t, "rename", "synced", "nodirsync", 120)
	if with.Bad > 0 || without.Bad < without.Images/4 {
		t.Errorf("with flushes %d bad, without %d: want none, and many", with.Bad, without.Bad)
	}
}

// isMeta tells a flush, or a write, of bbolt's two meta pages.
func isMeta(op simfs.Op) bool { return op.Off >= 0 && op.Off < 2*4096 }

// poison fails every tenth flush of bbolt's meta page, and gives the bad images of what follows.
func poison(t *testing.T, mode string) tally {
	t.Helper()
	f := newDisk(t, "")
	p := start(t, f, "bolt", mode)
	at := p.said(t, f, 0, 10)
	flushes := 0
	fault := f.Inject(&simfs.Fault{Kind: simfs.Sync, Path: "db", Err: syscall.EIO, Match: func(op simfs.Op) bool {
		if isMeta(op) {
			flushes++
		}
		return isMeta(op) && flushes%10 == 0
	}})
	notes, failed := 200, 5 // a busy machine puts many writes into one flush
	end := p.await(t, f, at, func(op simfs.Op) bool {
		switch {
		case op.Kind == simfs.Note:
			notes--
		case op.Kind == simfs.Sync && op.Err != 0:
			failed--
		}
		return notes <= 0 && failed <= 0
	})
	p.kill()
	l := f.Log()
	points := after(l, at, end, 30, func(op simfs.Op) bool { return op.Kind == simfs.Sync && op.Err != 0 })
	sum := campaign{log: l, points: points, images: 400, losses: allLosses, judge: "bolt"}.run(t, mode == "goon")
	t.Logf("bolt %s after %d failed flushes: %s", mode, fault.Hits(), sum)
	return sum
}

// A meta page that could not be flushed ruins bbolt files when one goes on with them, and does not when they are rebuilt: why the store does that.
func TestControl_afterAFailedFlushOnlyARebuildHelps(t *testing.T) {
	if goon, rebuild := poison(t, "goon"), poison(t, "rebuild"); goon.Bad < goon.Images/100 || rebuild.Bad > 0 {
		t.Errorf("going on leaves %d of %d bad, rebuilding %d: want some, and none", goon.Bad, goon.Images, rebuild.Bad)
	}
}
