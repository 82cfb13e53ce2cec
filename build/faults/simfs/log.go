//go:build linux

package simfs

import (
	"fmt"
	"syscall"
)

// Kind is what an operation does.
type Kind string

// The kinds. Rmdir counts as Unlink, fdatasync as Sync.
const (
	Write    Kind = "write"
	Truncate Kind = "truncate" // and fallocate
	Create   Kind = "create"
	Mkdir    Kind = "mkdir"
	Rename   Kind = "rename"
	Unlink   Kind = "unlink"
	Sync     Kind = "sync"    // of a file
	SyncDir  Kind = "syncdir" // of a folder
	Note     Kind = "note"    // the test's own remark
)

// Op is one entry of the log.
type Op struct {
	Kind   Kind
	Path   string // at that time, below the mount
	Node   uint64 // the file or folder that is written, flushed or named
	Dir    uint64 // the folder of Name
	Name   string
	ToDir  uint64 // of Rename
	ToName string
	Off    int64  // of Write; of Sync: the first byte that is not flushed yet, -1 when all is
	Data   []byte // of Write
	Size   int64  // of Truncate
	Began  int    // of Sync and SyncDir: how long the log was when it was asked for
	Text   string // of Note

	// Err is the error the program got. Of a Write and a Sync it means that nobody knows what reached the disk.
	Err syscall.Errno
}

// Log is all that happened, in order.
type Log []Op

func (op Op) String() string {
	s := fmt.Sprintf("%s %s", op.Kind, op.Path)
	switch op.Kind {
	case Write:
		s += fmt.Sprintf(" %d+%d", op.Off, len(op.Data))
	case Truncate:
		s += fmt.Sprintf(" to %d", op.Size)
	case Rename:
		s += " to " + op.ToName
	case Note:
		s += op.Text
	default:
	}
	if op.Err != 0 {
		s += " failed: " + op.Err.Error()
	}
	return s
}
