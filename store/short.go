package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// The parts of a bbolt file that tell how long it has to be (bbolt, internal/common: Page and Meta; format version 2).
const (
	metaPages  = 2
	metaAt     = 16 // behind the head of its page
	metaLength = 64
	metaMagic  = 0xED0CDAED
)

// checkLength finds a file that was cut before bbolt maps it: a page behind its end is a fault in bbolt, and on Windows what was mapped then cannot be
// removed as long as the process lives. What cannot be read here bbolt shall judge.
func checkLength(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // a missing one is made
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil // bbolt will say so
	}
	var newest, pages, size uint64
	for page := range int64(metaPages) {
		at := page * int64(max(size, uint64(os.Getpagesize()))) //nolint:gosec // a page
		var b [metaLength]byte
		if _, err := io.ReadFull(io.NewSectionReader(f, at+metaAt, metaLength), b[:]); err != nil || binary.NativeEndian.Uint32(b[0:]) != metaMagic {
			continue
		}
		if tx := binary.NativeEndian.Uint64(b[48:]); pages == 0 || tx > newest {
			newest, pages, size = tx, binary.NativeEndian.Uint64(b[40:]), uint64(binary.NativeEndian.Uint32(b[8:]))
		}
	}
	if has := uint64(max(info.Size(), 0)); size > 0 && pages > has/size {
		return fmt.Errorf("%w: it was cut: %d bytes of %d pages", errDamaged, has, pages)
	}
	return nil
}
