//go:build linux

package simfs

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or a folder. go-fuse keeps the names, which is why looking up and listing are not here.
type node struct {
	fs.Inode
	sim  *FS
	id   uint64
	data content
	low  int64 // the first byte written since the last flush
	wet  bool  // something was
	gone bool  // it has no name any more
}

var (
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeAllocater = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
)

// do puts an operation into the log, or fails it. The FS is locked.
func (f *FS) do(op Op) syscall.Errno {
	op.Err = f.fault(op)
	f.append(op)
	return op.Err
}

// append puts it into the log and tells who waits.
func (f *FS) append(ops ...Op) {
	f.log = append(f.log, ops...)
	close(f.grown)
	f.grown = make(chan struct{})
}

// path is a node's, or a child's, below the mount.
func (n *node) path(child string) string {
	p := n.Path(nil)
	switch {
	case child == "":
		return p
	case p == "":
		return child
	}
	return p + "/" + child
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	return fuse.ReadResultData(dest[:n.data.readAt(dest, off)]), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	if n == n.sim.notes {
		n.sim.append(Op{Kind: Note, Text: strings.TrimSuffix(string(data), "\n")})
		return uint32(len(data)), 0 //nolint:gosec // at most MaxWrite
	}
	room := n.room(off, len(data))
	if room == 0 && len(data) > 0 {
		return 0, syscall.ENOSPC
	}
	data = bytes.Clone(data[:room])
	if errno := n.sim.do(Op{Kind: Write, Path: n.path(""), Node: n.id, Off: off, Data: data}); errno != 0 {
		return 0, errno
	}
	n.data.writeAt(data, off)
	n.touch(off)
	return uint32(len(data)), 0 //nolint:gosec // at most MaxWrite
}

// touch notes that something from an offset on is not flushed.
func (n *node) touch(off int64) {
	if !n.wet || off < n.low {
		n.low = off
	}
	n.wet = true
}

// room tells how much of a write fits.
func (n *node) room(off int64, length int) int {
	if n.sim.limit == 0 {
		return length
	}
	free, fits, full := n.sim.limit-n.sim.used(), 0, false
	each(off, length, func(page int64, _, _, to int) {
		if n.data.pages[page] == nil {
			free--
			full = full || free < 0
		}
		if !full {
			fits = to
		}
	})
	return fits
}

func (n *node) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	const keepSize = 1
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	if mode&^keepSize != 0 {
		return syscall.ENOTSUP
	}
	if n.room(int64(off), int(size)) < int(size) { //nolint:gosec // a test's files are small
		return syscall.ENOSPC
	}
	if end := int64(off + size); mode == 0 && end > n.data.size { //nolint:gosec // as above
		if errno := n.resize(end); errno != 0 {
			return errno
		}
	}
	n.data.reserve(int64(off), int(size)) //nolint:gosec // as above
	return 0
}

// resize gives the file another length.
func (n *node) resize(size int64) syscall.Errno {
	if errno := n.sim.do(Op{Kind: Truncate, Path: n.path(""), Node: n.id, Size: size}); errno != 0 {
		return errno
	}
	n.touch(min(size, n.data.size))
	n.data.truncate(size)
	return 0
}

// Fsync flushes a file or a folder. What is written while it takes its time is not part of it.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f := n.sim
	f.mu.Lock()
	defer f.mu.Unlock()
	op := Op{Kind: Sync, Path: n.path(""), Node: n.id, Off: -1, Began: len(f.log)}
	if n.IsDir() {
		op.Kind = SyncDir
	} else if n.wet {
		op.Off = n.low
	}
	n.wet = false // also when it fails: the pages count as clean
	if f.delay > 0 {
		f.mu.Unlock()
		time.Sleep(f.delay)
		f.mu.Lock()
	}
	return f.do(op)
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	n.attr(&out.Attr)
	return 0
}

func (n *node) attr(out *fuse.Attr) {
	out.Size = uint64(n.data.size) //nolint:gosec // never negative
	out.Blocks = uint64(len(n.data.pages)) * pageSize / sectorSize
	out.Mode = 0o600
	if n.IsDir() {
		out.Mode = 0o700
	}
}

func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		if errno := n.resize(int64(size)); errno != 0 { //nolint:gosec // a test's files are small
			return errno
		}
	}
	n.attr(&out.Attr)
	return 0
}

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if n == n.sim.notes {
		return nil, fuse.FOPEN_DIRECT_IO, 0
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	total := n.sim.limit
	if total == 0 {
		total = 1 << 30
	}
	free := uint64(max(0, total-n.sim.used()))
	*out = fuse.StatfsOut{Bsize: pageSize, Frsize: pageSize, NameLen: 255, Blocks: uint64(total), Bfree: free, Bavail: free, Files: 1 << 20, Ffree: 1 << 20}
	return 0
}
