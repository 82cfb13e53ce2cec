//go:build linux

// Package simfs is a FUSE file system for tests of durability: it keeps a log of every change and every flush, builds from it the
// folders that a disk could hold after a power cut at any moment, and fails operations on demand. It must not know whose files these are.
//
// # What survives a power cut
//
// The model promises a program no more than the standards do, so that what passes here rests on no single file system's kindness.
//
//   - A file's content and length are durable once fsync or fdatasync of that file has returned without an error, and only as they were when the
//     call began (POSIX.1-2017, fsync and fdatasync: https://pubs.opengroup.org/onlinepubs/9699919799/functions/fsync.html).
//   - A name (after create, rename, unlink, mkdir) is durable once the folder that holds it was flushed; for a rename between two folders, both
//     (fsync(2): "Calling fsync() does not necessarily ensure that the entry in the directory containing the file has also reached disk. For that an
//     explicit fsync() on a file descriptor for the directory is also needed."). Cut.NamesWithFiles is what ext4 and others give beyond that: a flush of a
//     new file takes its name along (https://docs.kernel.org/admin-guide/ext4.html and LWN, https://lwn.net/Articles/457667/).
//   - Everything else may be there or not, in any choice: a later write without an earlier one, a rename without the file's content, a longer file
//     that holds zeros (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014).
//   - A write is cut at sectors of 512 bytes, never within one.
//   - After a flush that failed, the pages count as clean: the program goes on reading what it wrote, a later flush succeeds without writing them, and
//     whether they reached the disk nobody knows (https://lwn.net/Articles/752063/, https://lwn.net/Articles/724307/; Rebello et al., Can
//     Applications Recover from fsync Failures?, USENIX ATC 2020).
//
// A rename is one step: all of it or nothing, as in every journalling file system. Files that are mapped are coherent with written ones, because the kernel's
// page cache serves both; a program that is tested must be another process than the test, or a page fault would wait for itself.
package simfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// FS is a mounted file system. Its methods are safe for concurrent use.
type FS struct {
	Dir string // where it is mounted

	server *fuse.Server
	root   *node

	mu       sync.Mutex
	log      Log
	nodes    map[uint64]*node
	grown    chan struct{} // closed when the log has grown
	notes    *node
	faults   []*Fault
	limit    int64 // in blocks; 0: none
	readOnly bool
	delay    time.Duration
}

// Missing says what a mount needs that is not here; "" when nothing is missing.
func Missing() string {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "/dev/fuse is missing: a Linux kernel with FUSE is needed"
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		return "fusermount3 is missing (package fuse3), and only root mounts without it"
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err == nil {
		_ = f.Close()
	} else if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) {
		return fmt.Sprintf("/dev/fuse cannot be opened: %v", err)
	}
	return ""
}

// Mount mounts a file system on an empty folder. What is in base ("" for nothing) is in it from the start, and durable.
func Mount(dir, base string) (*FS, error) {
	f := &FS{Dir: dir, nodes: map[uint64]*node{}, grown: make(chan struct{})}
	f.root = f.newNode()
	f.notes = f.newNode()
	ever := time.Hour                                                                                                                             // nobody but the kernel changes anything, so it may remember all
	server, err := fs.Mount(dir, f.root, &fs.Options{EntryTimeout: &ever, AttrTimeout: &ever, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), //nolint:gosec // ids are small
		MountOptions: fuse.MountOptions{DirectMount: true, MaxWrite: 1 << 20, FsName: "simfs", Name: "simfs", DisableXAttrs: true}})
	if err != nil {
		return nil, fmt.Errorf("mount the file system: %w", err)
	}
	f.server = server
	f.root.AddChild(notesName, f.root.NewPersistentInode(context.Background(), f.notes, fs.StableAttr{Mode: syscall.S_IFREG}), true)
	if base != "" {
		if err := f.load(f.root, base); err != nil {
			return nil, errors.Join(err, f.Unmount())
		}
	}
	return f, nil
}

// Unmount ends it. Programs that use it must have ended. The log stays.
func (f *FS) Unmount() error {
	err := f.server.Unmount()
	if err != nil { // somebody still holds a file: nobody shall wait for that
		return errors.Join(err, syscall.Unmount(f.Dir, syscall.MNT_DETACH))
	}
	return nil
}

// notesName is the file for remarks. It is in no image, and no fault touches it.
const notesName = ".notes"

// Notes is the path of a file that turns every write into a Note: a program says there what it promised, and the promise stands in the log exactly
// between what the program did before and after.
func (f *FS) Notes() string { return filepath.Join(f.Dir, notesName) }

// Await waits for an entry of the log, the first from a position on that matches, and gives the position after it.
func (f *FS) Await(ctx context.Context, from int, match func(Op) bool) (int, error) {
	for {
		f.mu.Lock()
		log, grown := f.log, f.grown
		f.mu.Unlock()
		for ; from < len(log); from++ {
			if match(log[from]) {
				return from + 1, nil
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return from, ctx.Err()
		}
	}
}

// Log gives the log up to now.
func (f *FS) Log() Log {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clip(f.log)
}

// Limit is the room for content in bytes, from now on; 0 for as much as there is memory. What is over it already stays.
func (f *FS) Limit(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = (bytes + pageSize - 1) / pageSize
}

// Full leaves no room at all from now on, but for so many bytes.
func (f *FS) Full(but int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = max(1, f.used()+but/pageSize)
}

// ReadOnly refuses every change with EROFS, as after "errors=remount-ro".
func (f *FS) ReadOnly(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readOnly = yes
}

// Delay is how long every flush takes longer.
func (f *FS) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// load copies a folder in.
func (f *FS) load(parent *node, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			child := f.newNode()
			f.adopt(parent, child, e.Name(), Mkdir)
			if err := f.load(child, path); err != nil {
				return err
			}
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		child := f.newNode()
		f.adopt(parent, child, e.Name(), Create)
		child.data.writeAt(data, 0)
		f.append(Op{Kind: Write, Node: child.id, Data: data}, Op{Kind: Sync, Node: child.id, Began: len(f.log) + 1})
	}
	f.append(Op{Kind: SyncDir, Node: parent.id, Began: len(f.log)})
	return nil
}

func (f *FS) newNode() *node {
	n := &node{sim: f, id: uint64(len(f.nodes) + 1), data: newContent()}
	f.nodes[n.id] = n
	return n
}

// used counts the blocks of the files that have a name. (The kernel tells of the last close later, so an open one without a name is not counted.)
func (f *FS) used() int64 {
	var sum int64
	for _, n := range f.nodes {
		if !n.gone {
			sum += int64(len(n.data.pages))
		}
	}
	return sum
}
