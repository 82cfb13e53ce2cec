// Package spool keeps recordings and other attachments until the CRM has them: each an encrypted file that never changes after Put
// returned. It owns their folder, their names and their keys. It must not know which item names which file, nor where they go.
//
// The files are plain age files. They are written to an identity of the spool's own, which lies beside them, sealed by the keys of the
// store; and to the organisation's recovery recipient, if there is one, so that they can be read without Ringside: age -d -i recovery.txt
package spool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// The ends of names: of files, and of what is still being written.
const (
	sealedEnd     = ".age"
	unfinishedEnd = ".tmp"
)

// File is what an item keeps to name a file in the spool.
type File struct {
	ID     string `json:"id"`     // a ULID
	SHA256 string `json:"sha256"` // of the content, in hexadecimal
	Size   int64  `json:"size"`   // of the content, in bytes
}

// Options says where a spool is and what seals it: Dir and Keys are required.
type Options struct {
	Dir      string
	Keys     secret.Ring
	Recovery string // the organisation's recovery recipient; empty: none
	Log      *slog.Logger
}

// Spool is safe for concurrent use.
type Spool struct {
	dir        string
	identities []age.Identity
	recipients []age.Recipient

	mu   sync.Mutex
	mine map[string]bool // ids given in this run: an item may be about to name them
}

// Open opens or makes a spool. It fails when the spool's identity cannot be opened with these keys (secret.ErrUnknownKey,
// secret.ErrDamaged), as what is in it could not be read.
func Open(o Options) (*Spool, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Spool{dir: o.Dir, mine: map[string]bool{}}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := journal.FlushNames(o.Dir); err != nil { // in each run: the one that made the folder may have been killed before it got here
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := s.unlock(o); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return s, nil
}

// Put encrypts what r gives into a new file. Only when it returned nil may an item name the file: then it, and its name, are on the disk.
// After an error nothing is left, but for what Sweep removes. A caller that comes to no item removes the file.
func (s *Spool) Put(ctx context.Context, r io.Reader) (File, error) {
	id := ulid.Make().String()
	s.mu.Lock()
	s.mine[id] = true
	s.mu.Unlock()
	file := File{ID: id}
	unfinished := filepath.Join(s.dir, id+unfinishedEnd)
	err := s.write(ctx, unfinished, r, &file)
	if err == nil {
		err = os.Rename(unfinished, s.path(id))
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		_ = os.Remove(unfinished)
		_ = os.Remove(s.path(id))
		return File{}, fmt.Errorf("put into spool: %w", err)
	}
	return file, nil
}

// write fills a new file and makes it durable and immutable.
func (s *Spool) write(ctx context.Context, name string, r io.Reader, file *File) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // a second time does nothing
	w, err := age.Encrypt(f, s.recipients...)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if file.Size, err = io.Copy(io.MultiWriter(w, sum), readerWith{ctx, r}); err != nil {
		return err
	}
	file.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := w.Close(); err != nil {
		return err
	}
	if err := f.Chmod(0o400); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// readerWith stops reading when its context ends.
type readerWith struct {
	ctx context.Context
	r   io.Reader
}

func (r readerWith) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Remove deletes a file; one that is not there is no error.
func (s *Spool) Remove(id string) error {
	if err := check(id); err != nil {
		return err
	}
	if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove from spool: %w", err)
	}
	return nil
}

// Sweep removes files that no item names, and unfinished ones: those that are older, and not of this run, since an item may be about to
// name them. Named must say true when it does not know. It gives how many it removed; what cannot be removed is in the error, and stays.
func (s *Spool) Sweep(named func(id string) bool, olderThan time.Duration) (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("sweep spool: %w", err)
	}
	removed := 0
	var failed []error
	for _, e := range entries {
		id, sealed := strings.CutSuffix(e.Name(), sealedEnd)
		if !sealed {
			id = strings.TrimSuffix(e.Name(), unfinishedEnd)
		}
		if id == e.Name() || check(id) != nil || s.isMine(id) || !olderFile(e, olderThan) || sealed && named(id) {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
			failed = append(failed, err)
			continue
		}
		removed++
	}
	if err := errors.Join(failed...); err != nil {
		return removed, fmt.Errorf("sweep spool: %w", err)
	}
	return removed, nil
}

func olderFile(e fs.DirEntry, than time.Duration) bool {
	info, err := e.Info()
	return err == nil && time.Since(info.ModTime()) >= than
}

func (s *Spool) isMine(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine[id]
}

func (s *Spool) path(id string) string { return filepath.Join(s.dir, id+sealedEnd) }

// check keeps ids that are none, and so might name any file, away from the disk.
func check(id string) error {
	if _, err := ulid.ParseStrict(id); err != nil {
		return cti.Errorf(cti.Invalid, "this is not the name of a recording", err)
	}
	return nil
}
