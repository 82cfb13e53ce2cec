//go:build linux

package faults

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// The paths of the store's files on a disk.
const (
	indexPath   = "state/outbox/outbox.db"
	freshPath   = "state/outbox/outbox.db.new"
	compactPath = "state/outbox/outbox.db.compact"
	journalPath = "state/outbox/journal/*.rjl"
	ballastPath = "state/outbox/BALLAST"
)

// noteOf matches a note that begins with one of some words.
func noteOf(words ...string) func(simfs.Op) bool {
	return func(op simfs.Op) bool {
		for _, w := range words {
			if op.Kind == simfs.Note && strings.HasPrefix(op.Text, w) {
				return true
			}
		}
		return false
	}
}

// failed matches what a fault hit.
func failed(op simfs.Op) bool { return op.Err != 0 }

// every makes a condition true for each nth operation that meets another.
func every(nth int, match func(simfs.Op) bool) func(simfs.Op) bool {
	n := 0
	return func(op simfs.Op) bool {
		if !match(op) {
			return false
		}
		n++
		return n%nth == 0
	}
}

// failNowAndThen makes operations of a working store fail, goes on for a while, and cuts the power around the failures.
func failNowAndThen(t *testing.T, fault *simfs.Fault, images int) simfs.Log {
	t.Helper()
	f := folder(t)
	p := start(t, f, "store", "")
	at := p.said(t, f, 0, 100)
	f.Inject(fault)
	for range 4 {
		at = p.await(t, f, at, failed)
	}
	at = p.said(t, f, at, 100)
	fault.Stop()
	p.await(t, f, at, noteOf("accepted")) // it has not given up
	p.kill()
	l := f.Log()
	t.Logf("%d operations failed, %d answers were refusals", fault.Hits(), count(l, noteOf("refused")))
	storeCuts(t, campaign{log: l, points: after(l, 0, len(l), 60, failed), images: images})
	return l
}

// unharmed wants that nobody outside of the store noticed anything.
func unharmed(t *testing.T, l simfs.Log) {
	t.Helper()
	if n := count(l, noteOf("refused")); n > 0 {
		t.Errorf("%d steps were refused, though the journal had them", n)
	}
}

// Fault 12: a flush of the index's data that fails: the index is not used any more and made anew, and nobody is refused anything.
func TestFault_flushOfIndexData(t *testing.T) {
	unharmed(t, failNowAndThen(t, &simfs.Fault{Kind: simfs.Sync, Path: indexPath, Err: syscall.EIO, Match: every(4, func(op simfs.Op) bool { return !isMeta(op) })}, 60))
}

// Fault 13: a flush, or a write, of the index's meta page that fails: as for its data. Going on with the file would ruin it (see the control).
func TestFault_flushOfIndexMeta(t *testing.T) {
	unharmed(t, failNowAndThen(t, &simfs.Fault{Kind: simfs.Sync, Path: indexPath, Err: syscall.EIO, Match: every(4, isMeta)}, 100))
	unharmed(t, failNowAndThen(t, &simfs.Fault{Kind: simfs.Write, Path: indexPath, Err: syscall.EIO, Match: every(4, isMeta)}, 60))
}

// Fault 12: a flush, or a write, of the journal that fails: what was asked for is refused, and what comes after is written elsewhere.
func TestFault_flushOfJournal(t *testing.T) {
	each := func(simfs.Op) bool { return true }
	for _, kind := range []simfs.Kind{simfs.Sync, simfs.Write} {
		l := failNowAndThen(t, &simfs.Fault{Kind: kind, Path: journalPath, Err: syscall.EIO, Match: every(25, each)}, 60)
		if count(l, noteOf("refused")) == 0 {
			t.Error("nothing was refused, though the journal had it not")
		}
	}
}

// fill runs a store until its ballast is there, and fills the disk.
func fill(t *testing.T) (f *simfs.FS, p *program, at int) {
	t.Helper()
	f = folder(t)
	p = start(t, f, "store", wordSlow)
	p.await(t, f, 0, func(op simfs.Op) bool { return op.Kind == simfs.Sync && op.Path == ballastPath })
	f.Full(0)
	return f, p, len(f.Log())
}

// Fault 14: a full disk: new calls are refused in words, never acknowledged and lost; what waits can still be marked as delivered, on the room of the
// ballast; and when there is room again, calls are taken.
// Fault 15: marking items as begun, tried, done and discarded works on the full disk.
func TestFault_fullDisk(t *testing.T) {
	f, p, full := fill(t)
	at := p.await(t, f, full, noteOf("alarm full false"))
	at = p.await(t, f, at, noteOf("refused"))
	refusing := at
	for range 20 {
		at = p.await(t, f, at, noteOf("changed", "passed"))
	}
	if n := count(f.Log()[refusing:at], noteOf("accepted")); n > 5 { // those that were on their way
		t.Errorf("%d calls were accepted on a full disk", n)
	}
	f.Limit(0)
	at = p.await(t, f, at, noteOf("alarm full true"))
	p.await(t, f, at, noteOf("accepted"))
	p.kill()
	l := lean(f.Log())
	storeCuts(t, campaign{log: l, points: between(full-100, full+600), images: 40})
}

// lean takes the ballast's content out of a log.
func lean(l simfs.Log) simfs.Log {
	l = append(simfs.Log{}, l...)
	for i, op := range l {
		if op.Path == ballastPath && op.Kind == simfs.Write {
			l[i] = simfs.Op{Kind: simfs.Truncate, Path: op.Path, Node: op.Node, Size: op.Off + int64(len(op.Data)), Err: op.Err}
		}
	}
	return l
}

// Fault 16: a disk that is full only for a compaction, or for an index that is made anew: the half-made file goes, and nothing changes.
func TestFault_fullDiskForANewFile(t *testing.T) {
	f := folder(t)
	p := start(t, f, "store", wordCompact+" "+wordSlow)
	at := p.said(t, f, 0, 100)
	fault := f.Inject(&simfs.Fault{Kind: simfs.Write, Path: compactPath, Skip: 3, Err: syscall.ENOSPC})
	at = p.await(t, f, at, noteOf("refused")) // the compaction
	at = p.await(t, f, at, noteOf("accepted"))
	fault.Stop()
	poison := f.Inject(&simfs.Fault{Kind: simfs.Sync, Path: indexPath, Times: 1, Err: syscall.EIO})
	fault = f.Inject(&simfs.Fault{Kind: simfs.Write, Path: freshPath, Skip: 3, Times: 6, Err: syscall.ENOSPC})
	at = p.await(t, f, at, noteOf("alarm index false"))
	at = p.await(t, f, at, noteOf("alarm index true"))
	p.await(t, f, at, noteOf("accepted"))
	p.kill()
	if poison.Hits() != 1 || fault.Hits() == 0 {
		t.Errorf("%d flushes and %d writes failed", poison.Hits(), fault.Hits())
	}
	l := lean(f.Log())
	storeCuts(t, campaign{log: l, points: after(l, 0, len(l), 60, failed), images: 40})
}

// Fault 18: a disk that becomes read-only (here by simfs, in the whole-stack test by ext4 itself): nothing is acknowledged, everything is refused in words, and when the
// disk takes writes again the store goes on by itself.
func TestFault_readOnlyDisk(t *testing.T) {
	f := folder(t)
	p := start(t, f, "store", wordSlow)
	p.said(t, f, 0, 100)
	f.ReadOnly(true)
	at := len(f.Log())
	at = p.said(t, f, at, 10) // what was on its way
	for range 20 {
		at = p.await(t, f, at, noteOf("refused"))
	}
	if n := count(f.Log()[at-40:at], noteOf("accepted", "changed")); n > 0 {
		t.Errorf("%d steps were acknowledged on a read-only disk", n)
	}
	f.ReadOnly(false)
	at = p.await(t, f, at, noteOf("accepted"))
	p.said(t, f, at, 50)
	p.kill()
	l := lean(f.Log())
	storeCuts(t, campaign{log: l, points: between(len(l)/4, len(l)), images: 60})
}

// Fault 3: a kill while the store is made, a new start, and then a power cut: names that the first run left unflushed are not trusted by the second.
func TestFault_killThenPowerCut(t *testing.T) {
	creation := count(storeWork(t, newDisk(t, ""), wordOne, 1), func(simfs.Op) bool { return true })
	rng := rand.New(rand.NewPCG(seed, 0))
	sum := tally{Counts: map[string]int{}}
	for range 20 * soak() {
		f := newDisk(t, "")
		var left, pid atomic.Int64
		left.Store(1 + int64(rng.IntN(creation))) // from 0 it would never come down to 0, and the child live for ever
		shot := func(simfs.Op) bool {
			if child := int(pid.Load()); child != 0 && left.Add(-1) == 0 {
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
			return false
		}
		for _, kind := range []simfs.Kind{simfs.Write, simfs.Truncate, simfs.Create, simfs.Mkdir, simfs.Rename, simfs.Unlink, simfs.Sync, simfs.SyncDir} {
			f.Inject(&simfs.Fault{Kind: kind, Match: shot, Err: syscall.EIO})
		}
		p := start(t, f, "store", wordOne)
		pid.Store(int64(p.cmd.Process.Pid))
		<-p.ended
		l := storeWork(t, f, wordOne, 12)
		sum.join(campaign{log: l, points: between(len(l)*3/4, len(l)), images: 6, losses: allLosses, judge: "store"}.run(t, false))
	}
	want(t, sum)
}
