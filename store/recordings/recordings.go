// Package recordings keeps what is known of the files of recordings while they are on their way: for each a note, which is replaced as a whole, and the
// parts that were fetched so far. It owns their folder, their names and their sealing. It must not know what the notes say, where files come from or where
// they go; a whole file is the spool's.
package recordings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// The ends of names: of notes, of parts and of what is still being written.
const (
	noteEnd       = ".note"
	partEnd       = ".part"
	unfinishedEnd = ".tmp"
)

// Store is safe for concurrent use as long as each id is used by one goroutine at a time.
type Store struct {
	dir  string
	keys secret.Ring
	log  *slog.Logger
}

// Open opens or makes the folder, and removes what a kill left half written.
func Open(dir string, keys secret.Ring, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of recordings: %w", err)
	}
	if err := journal.FlushNames(dir); err != nil {
		return nil, fmt.Errorf("open the folder of recordings: %w", err)
	}
	s := &Store{dir: dir, keys: keys, log: log}
	left, err := s.names("", unfinishedEnd)
	for _, name := range left {
		err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
	}
	if err != nil {
		return nil, fmt.Errorf("open the folder of recordings: %w", err)
	}
	return s, nil
}

// Put replaces a note. When it returned nil the note is on the disk.
func (s *Store) Put(id string, note []byte) error {
	if err := s.write(id, id+noteEnd, note); err != nil {
		return fmt.Errorf("write the note of a recording: %w", err)
	}
	return nil
}

// Get gives a note; fs.ErrNotExist where there is none, secret's errors where it cannot be opened.
func (s *Store) Get(id string) ([]byte, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	return s.read(id + noteEnd)
}

// Each gives the ids of all notes.
func (s *Store) Each(each func(id string) error) error {
	names, err := s.names("", noteEnd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := each(strings.TrimSuffix(name, noteEnd)); err != nil {
			return err
		}
	}
	return nil
}

// names lists the files whose names begin and end so, sorted.
func (s *Store) names(begin, end string) ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, begin) && strings.HasSuffix(name, end) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Remove deletes a note with all its parts; one that is not there is no error.
func (s *Store) Remove(id string) error {
	if err := s.Clear(id); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.dir, id+noteEnd)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a recording: %w", err)
	}
	return nil
}

// Append adds a part that begins at an offset. When it returned nil the part is on the disk.
func (s *Store) Append(id string, offset int64, part []byte) error {
	if err := s.write(id, partName(id, offset), part); err != nil {
		return fmt.Errorf("write a part of a recording: %w", err)
	}
	return nil
}

// Size tells how much there is from the beginning without a gap, bytes. What is behind a gap or a part that cannot be opened is removed.
func (s *Store) Size(id string) (int64, error) {
	size := int64(0)
	err := s.walk(id, func(part []byte) error { size += int64(len(part)); return nil })
	return size, err
}

// WriteTo writes all parts, in order.
func (s *Store) WriteTo(w io.Writer, id string) error {
	return s.walk(id, func(part []byte) error {
		_, err := w.Write(part)
		return err
	})
}

// Clear deletes all parts, the last ones first, so that a kill leaves no gap.
func (s *Store) Clear(id string) error {
	names, err := s.parts(id)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the parts of a recording: %w", err)
		}
	}
	return nil
}

// walk opens the parts one after the other.
func (s *Store) walk(id string, each func(part []byte) error) error {
	names, err := s.parts(id)
	if err != nil {
		return err
	}
	size := int64(0)
	for i, name := range names {
		if name != partName(id, size) {
			return s.forget(names[i:])
		}
		part, err := s.read(name)
		if errors.Is(err, secret.ErrDamaged) || errors.Is(err, secret.ErrUnknownKey) {
			s.log.Warn("a part of a recording cannot be opened and is fetched again", "recording", id, "err", err)
			return s.forget(names[i:])
		}
		if err != nil {
			return err
		}
		if err := each(part); err != nil {
			return err
		}
		size += int64(len(part))
	}
	return nil
}

func (s *Store) forget(names []string) error {
	for _, name := range slices.Backward(names) {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("remove a part of a recording: %w", err)
		}
	}
	return nil
}

// parts gives the names of the parts, in order.
func (s *Store) parts(id string) ([]string, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	return s.names(id+"-", partEnd)
}

// partName has the offset so that sorting by name is sorting by place.
func partName(id string, offset int64) string {
	return fmt.Sprintf("%s-%016s%s", id, strconv.FormatInt(offset, 16), partEnd)
}

// write seals something into a file of its own: the file has it whole or is not there. The seal is bound to the name, so that no part can stand for another.
func (s *Store) write(id, name string, plain []byte) error {
	if err := check(id); err != nil {
		return err
	}
	if s.keys.Empty() {
		return errors.New("there is no key to seal with")
	}
	unfinished := filepath.Join(s.dir, name+unfinishedEnd)
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(s.keys.Seal(plain, about(name)))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(unfinished, filepath.Join(s.dir, name))
	}
	if err != nil {
		_ = os.Remove(unfinished) // what stays is removed at the next start
		return err
	}
	return syncDir(s.dir)
}

func (s *Store) read(name string) ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	return s.keys.Open(sealed, about(name))
}

func about(name string) []byte { return []byte("recording 1 " + name) }

// check keeps ids that are none, and so might name any file, away from the disk.
func check(id string) error {
	if id == "" || strings.Trim(id, "0123456789abcdef-") != "" || len(id) > 64 {
		return errors.New("this is not the id of a recording's file")
	}
	return nil
}
