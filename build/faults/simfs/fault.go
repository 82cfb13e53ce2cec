//go:build linux

package simfs

import (
	"path"
	"sync/atomic"
	"syscall"
)

// Fault makes operations fail. Kind and Err are required.
type Fault struct {
	Kind  Kind
	Path  string        // pattern (path.Match) of the path below the mount; "" for any
	Match func(Op) bool // a further condition; nil for none. Must not call the FS
	Skip  int           // so many go well before
	Times int           // so many fail; 0: all from then on
	Err   syscall.Errno

	hits atomic.Int64
	off  atomic.Bool
}

// Hits tells how many operations failed by it.
func (f *Fault) Hits() int { return int(f.hits.Load()) }

// Stop ends it.
func (f *Fault) Stop() { f.off.Store(true) }

// Inject makes operations fail from now on and gives the fault back.
func (f *FS) Inject(fault *Fault) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
	return fault
}

// fault gives the error that an operation shall have.
func (f *FS) fault(op Op) syscall.Errno {
	if f.readOnly && op.Kind != SyncDir && (op.Kind != Sync || op.Off >= 0) {
		return syscall.EROFS
	}
	for _, fault := range f.faults {
		if fault.off.Load() || fault.Kind != op.Kind || fault.Times > 0 && fault.Hits() >= fault.Times {
			continue
		}
		if ok, err := path.Match(fault.Path, op.Path); fault.Path != "" && (!ok || err != nil) {
			continue
		}
		if fault.Match != nil && !fault.Match(op) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		fault.hits.Add(1)
		return fault.Err
	}
	return 0
}
