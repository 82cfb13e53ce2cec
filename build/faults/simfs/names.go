//go:build linux

package simfs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// adopt names a new node; used while loading, when nobody looks yet.
func (f *FS) adopt(parent, child *node, name string, kind Kind) {
	f.append(Op{Kind: kind, Path: parent.path(name), Node: child.id, Dir: parent.id, Name: name})
	mode := uint32(syscall.S_IFREG)
	if kind == Mkdir {
		mode = syscall.S_IFDIR
	}
	parent.AddChild(name, parent.NewPersistentInode(context.Background(), child, fs.StableAttr{Mode: mode}), true)
}

// make makes a file or a folder.
func (n *node) make(ctx context.Context, name string, kind Kind, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child := n.sim.newNode()
	if errno := n.sim.do(Op{Kind: kind, Path: n.path(name), Node: child.id, Dir: n.id, Name: name}); errno != 0 {
		child.gone = true
		return nil, errno
	}
	mode := uint32(syscall.S_IFREG)
	if kind == Mkdir {
		mode = syscall.S_IFDIR
	}
	inode := n.NewPersistentInode(ctx, child, fs.StableAttr{Mode: mode})
	child.attr(&out.Attr)
	return inode, 0
}

func (n *node) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	inode, errno := n.make(ctx, name, Create, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return inode, nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	return n.make(ctx, name, Mkdir, out)
}

// child gives a node by its name in the folder; nil when there is none.
func (n *node) child(name string) *node {
	inode := n.GetChild(name)
	if inode == nil {
		return nil
	}
	child, _ := inode.Operations().(*node)
	return child
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	child := n.child(name)
	if child == nil {
		return syscall.ENOENT
	}
	if errno := n.sim.do(Op{Kind: Unlink, Path: n.path(name), Node: child.id, Dir: n.id, Name: name}); errno != 0 {
		return errno
	}
	child.gone = true
	return 0
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if child := n.child(name); child != nil && len(child.Children()) > 0 {
		return syscall.ENOTEMPTY
	}
	return n.Unlink(ctx, name)
}

func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, toName string, flags uint32) syscall.Errno {
	n.sim.mu.Lock()
	defer n.sim.mu.Unlock()
	const noReplace = 1
	parent, ok := to.EmbeddedInode().Operations().(*node)
	child := n.child(name)
	switch {
	case !ok || flags&^noReplace != 0:
		return syscall.ENOTSUP
	case child == nil:
		return syscall.ENOENT
	}
	over := parent.child(toName)
	if over != nil && flags&noReplace != 0 {
		return syscall.EEXIST
	}
	op := Op{Kind: Rename, Path: n.path(name), Node: child.id, Dir: n.id, Name: name, ToDir: parent.id, ToName: toName}
	if errno := n.sim.do(op); errno != 0 {
		return errno
	}
	if over != nil && over != child {
		over.gone = true
	}
	return 0
}
