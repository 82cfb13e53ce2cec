//go:build linux

package simfs

import (
	"io"
	"os"
	"slices"
)

// pageSize is the block in which room is counted; sectorSize is what a disk writes whole or not at all.
const (
	pageSize   = 4096
	sectorSize = 512
)

// content is what is in a file. Pages that were never written are not there and read as zeros.
type content struct {
	pages map[int64][]byte
	size  int64
}

func newContent() content { return content{pages: map[int64][]byte{}} }

// each gives the pieces of a range, page by page.
func each(off int64, length int, piece func(page int64, at, from, to int)) {
	for done := 0; done < length; {
		page, at := (off+int64(done))/pageSize, int((off+int64(done))%pageSize)
		n := min(length-done, pageSize-at)
		piece(page, at, done, done+n)
		done += n
	}
}

func (c *content) writeAt(data []byte, off int64) {
	each(off, len(data), func(page int64, at, from, to int) {
		if c.pages[page] == nil {
			c.pages[page] = make([]byte, pageSize)
		}
		copy(c.pages[page][at:], data[from:to])
	})
	c.size = max(c.size, off+int64(len(data)))
}

// readAt fills data from an offset and gives how much there was.
func (c *content) readAt(data []byte, off int64) int {
	n := int(max(0, min(int64(len(data)), c.size-off)))
	each(off, n, func(page int64, at, from, to int) {
		if p := c.pages[page]; p != nil {
			copy(data[from:to], p[at:])
		} else {
			clear(data[from:to])
		}
	})
	return n
}

func (c *content) truncate(size int64) {
	if size < c.size {
		for page := range c.pages {
			if page*pageSize >= size {
				delete(c.pages, page)
			}
		}
		if p := c.pages[size/pageSize]; p != nil {
			clear(p[size%pageSize:])
		}
	}
	c.size = size
}

// reserve makes blocks for a range, as fallocate does.
func (c *content) reserve(off int64, length int) {
	each(off, length, func(page int64, _, _, _ int) {
		if c.pages[page] == nil {
			c.pages[page] = make([]byte, pageSize)
		}
	})
}

// save writes it to a file on a real disk, with holes where nothing is.
func (c *content) save(path string) error {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	if err := w.Truncate(c.size); err != nil {
		return err
	}
	var numbers []int64
	for page := range c.pages {
		numbers = append(numbers, page)
	}
	slices.Sort(numbers)
	for _, page := range numbers {
		if _, err := w.Seek(page*pageSize, io.SeekStart); err != nil {
			return err
		}
		if _, err := w.Write(c.pages[page][:min(pageSize, c.size-page*pageSize)]); err != nil {
			return err
		}
	}
	return w.Close()
}
