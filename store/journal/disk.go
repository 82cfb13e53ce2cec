package journal

import (
	"io"
	"os"
)

// file is what a segment is written through.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	// Sync brings the content to the disk, with the length if that changed.
	Sync() error
}

// disk makes files; tests put failing ones in its place.
type disk struct {
	create  func(name string) (file, error)
	sync    func(f *os.File) error // of what was written in an earlier run
	syncDir func(dir string) error
}

func system() disk {
	return disk{
		create: func(name string) (file, error) {
			f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return nil, err
			}
			return osFile{f}, nil
		},
		sync:    datasync,
		syncDir: syncDir,
	}
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }
