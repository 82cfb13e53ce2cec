package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"

	"ringside.dev/ringside/app/cti"
)

// The words for what no retry helps against: a person must look at the item.
const (
	wordsGone    = "the recording is no longer in Ringside's folder: attach it again, or discard this"
	wordsChanged = "the recording in Ringside's folder is damaged or was changed: attach it again, or discard this"
)

// Content is an open file: Read, Seek and ReadAt give what was put in. Its errors are of kind conflict where the file is not what it was;
// others pass. ReadAt may be called concurrently.
type Content struct {
	*io.SectionReader
	file *os.File
}

// Close ends the reading.
func (c *Content) Close() error { return c.file.Close() }

// Open opens a file for reading; kind conflict when it is gone or not of the size it had. Each part that is read is authenticated, but
// only Verify tells that the whole is what was put in.
func (s *Spool) Open(file File) (*Content, error) {
	if err := check(file.ID); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(file.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cti.Errorf(cti.Conflict, wordsGone, err)
	}
	if err != nil {
		return nil, err
	}
	c, err := s.content(f, file)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return c, nil
}

func (s *Spool) content(f *os.File, file File) (*Content, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	plain, size, err := age.DecryptReaderAt(f, info.Size(), s.identities...)
	if err != nil {
		return nil, changed(err)
	}
	if size != file.Size {
		return nil, cti.Errorf(cti.Conflict, wordsChanged, nil)
	}
	return &Content{io.NewSectionReader(honest{plain}, 0, size), f}, nil
}

// Verify reads a whole file; kind conflict when it is gone or not what was put in.
func (s *Spool) Verify(file File) error {
	c, err := s.Open(file)
	if err != nil {
		return err
	}
	defer c.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, c); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		return cti.Errorf(cti.Conflict, wordsChanged, nil)
	}
	return nil
}

// honest gives errors their kind.
type honest struct{ io.ReaderAt }

func (h honest) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(p, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, changed(err)
}

// changed makes a conflict of what the decryption found wrong; what the system says stays as it is.
func changed(err error) error {
	var system *fs.PathError
	if errors.As(err, &system) {
		return err
	}
	return cti.Errorf(cti.Conflict, wordsChanged, err)
}
