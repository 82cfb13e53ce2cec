//go:build linux

package simfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Loss is what a power cut does to what was not flushed.
type Loss string

// The losses.
const (
	Ordered Loss = "ordered" // nothing: all that was done before the cut is there
	Subset  Loss = "subset"  // a random choice of whole operations is there
	Torn    Loss = "torn"    // as Subset, and writes are there in part, sector by sector
)

// Cut is a power cut. The same cut of the same log always gives the same image.
type Cut struct {
	At   int // so many operations of the log happened before
	Loss Loss
	Seed uint64

	Settled        int  // so many operations of the log are durable, flushed or not: what was there before
	NamesWithFiles bool // the flush of a new file makes its name durable
	FlushIgnored   bool // the disk says that it flushed, and did not
}

func (c Cut) String() string {
	s := fmt.Sprintf("%s cut at %d, seed %#x", c.Loss, c.At, c.Seed)
	if c.NamesWithFiles {
		s += ", names with files"
	}
	if c.FlushIgnored {
		s += ", flushes ignored"
	}
	return s
}

// Image writes what the disk holds after the cut into a folder, which is made.
func (l Log) Image(dir string, cut Cut) error {
	rng := rand.New(rand.NewPCG(cut.Seed, uint64(cut.At))) //nolint:gosec // a test wants the same again, and At is not negative
	keep := rng.Float64()
	if rng.IntN(8) == 0 {
		keep = 0 // nothing but what was flushed
	}
	d := newDisk(l[:cut.At])
	for i, fate := range l.fates(cut) {
		op := l[i]
		switch {
		case op.Err != 0 && op.Kind != Write:
		case fate == durable && op.Err == 0:
			d.apply(op)
		case fate == dropped || op.Err != 0:
			if rng.IntN(2) == 0 {
				d.apply(op)
			}
		case cut.Loss == Ordered:
			d.apply(op)
		case cut.Loss == Torn && op.Kind == Write:
			d.tear(op, keep, rng)
		case rng.Float64() < keep:
			d.apply(op)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return d.save(dir, rootNode)
}

// fate is what the flushes made of an operation.
type fate byte

const (
	waiting fate = iota // not flushed: the loss decides
	half                // a rename between two folders, one of which was flushed: as waiting
	durable
	dropped // its flush failed: it may be on the disk, and no later flush changes that
)

// fates goes through the flushes before the cut.
func (l Log) fates(cut Cut) []fate {
	fates := make([]fate, cut.At)
	queue := map[uint64][]int{} // what waits for a flush, by file and by folder
	made := map[uint64]int{}    // which operation made a file
	for i, op := range l[:cut.At] {
		if i < cut.Settled {
			fates[i] = durable
			continue
		}
		switch op.Kind {
		case Write, Truncate:
			queue[op.Node] = append(queue[op.Node], i)
		case Create:
			made[op.Node] = i
			queue[op.Dir] = append(queue[op.Dir], i)
		case Mkdir, Unlink:
			queue[op.Dir] = append(queue[op.Dir], i)
		case Rename:
			queue[op.Dir] = append(queue[op.Dir], i)
			if op.ToDir != op.Dir {
				queue[op.ToDir] = append(queue[op.ToDir], i)
			}
		case Sync, SyncDir:
			if cut.FlushIgnored && op.Err == 0 {
				continue
			}
			queue[op.Node] = l.flush(fates, queue[op.Node], op)
			if c, ok := made[op.Node]; ok && cut.NamesWithFiles && op.Err == 0 {
				fates[c] = durable
			}
		default:
		}
	}
	return fates
}

// flush books a flush of what waited for it and gives what still waits.
func (l Log) flush(fates []fate, queue []int, sync Op) (rest []int) {
	for _, i := range queue {
		op := l[i]
		switch {
		case i >= sync.Began: // came when the flush was under way
			rest = append(rest, i)
		case sync.Err != 0 && sync.Kind == SyncDir: // names stay with the folder; it is flushed again
			rest = append(rest, i)
		case sync.Err != 0:
			fates[i] = dropped
		case op.Kind == Rename && op.Dir != op.ToDir && fates[i] == waiting:
			fates[i] = half
		default:
			fates[i] = durable
		}
	}
	return rest
}

// rootNode is the number of the mount's own folder.
const rootNode = 1

// disk is what a disk holds: content by file, and names by folder.
type disk struct {
	files map[uint64]*content
	names map[uint64]map[string]uint64
	isDir map[uint64]bool
}

func newDisk(l Log) *disk {
	d := &disk{files: map[uint64]*content{}, names: map[uint64]map[string]uint64{}, isDir: map[uint64]bool{}}
	for _, op := range l {
		if op.Kind == Mkdir {
			d.isDir[op.Node] = true
		}
	}
	return d
}

func (d *disk) file(node uint64) *content {
	if d.files[node] == nil {
		c := newContent()
		d.files[node] = &c
	}
	return d.files[node]
}

func (d *disk) apply(op Op) {
	switch op.Kind {
	case Write:
		d.file(op.Node).writeAt(op.Data, op.Off)
	case Truncate:
		d.file(op.Node).truncate(op.Size)
	case Create, Mkdir:
		d.name(op.Dir, op.Name, op.Node)
	case Rename:
		delete(d.names[op.Dir], op.Name)
		d.name(op.ToDir, op.ToName, op.Node)
	case Unlink:
		delete(d.names[op.Dir], op.Name)
	default:
	}
}

func (d *disk) name(dir uint64, name string, node uint64) {
	if d.names[dir] == nil {
		d.names[dir] = map[string]uint64{}
	}
	d.names[dir][name] = node
}

// tear applies some sectors of a write. The file may have its new length without them.
func (d *disk) tear(op Op, keep float64, rng *rand.Rand) {
	f := d.file(op.Node)
	if end := op.Off + int64(len(op.Data)); end > f.size && rng.Float64() < keep {
		f.truncate(end)
	}
	for from := 0; from < len(op.Data); {
		to := min(len(op.Data), from+sectorSize-int((op.Off+int64(from))%sectorSize))
		if rng.Float64() < keep {
			f.writeAt(op.Data[from:to], op.Off+int64(from))
		}
		from = to
	}
}

// save writes a folder.
func (d *disk) save(dir string, node uint64) error {
	for name, child := range d.names[node] {
		path := filepath.Join(dir, name)
		if !d.isDir[child] {
			if err := d.file(child).save(path); err != nil {
				return err
			}
			continue
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		if err := d.save(path, child); err != nil {
			return err
		}
	}
	return nil
}
