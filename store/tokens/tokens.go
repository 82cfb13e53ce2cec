// Package tokens keeps what signing in to a CRM with OAuth 2 gave, sealed, one file for each connector beside the store. It owns the file, its
// lock, and the order of writing; it must not know what a token says.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofrs/flock"

	"ringside.dev/ringside/app/secret"
)

// tryEvery is how often a lock that another process holds is tried again.
const tryEvery = 50 * time.Millisecond

// plain is what the name of a connector may have in the name of a file.
var plain = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

var errNoKey = errors.New("the keychain gave no key to seal the sign-in with: unlock it and try again")

// File is the tokens of one connector. It is safe for concurrent use by several processes that hold Lock while they read and write.
type File struct {
	path, name string
	keys       secret.Ring
}

// Open names the file; it need not be there.
func Open(dir, connector string, keys secret.Ring) *File {
	name := "tokens-" + plain.ReplaceAllString(connector, "_") + ".sealed"
	return &File{filepath.Join(dir, name), name, keys}
}

// Load gives what was stored last; nil when nothing was. A file that cannot be opened with this computer's key is an error: somebody has to sign
// in anew, which replaces it.
func (f *File) Load() ([]byte, error) {
	sealed, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the sign-in: %w", err)
	}
	text, err := f.keys.Open(sealed, []byte(f.name))
	if err != nil {
		return nil, fmt.Errorf("read the sign-in: %w", err)
	}
	return text, nil
}

// Store replaces what is there; when it returns nil it is on the disk. Nil forgets it.
func (f *File) Store(text []byte) error {
	if text == nil {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the sign-in: %w", err)
		}
		return nil
	}
	if f.keys.Empty() {
		return errNoKey
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("write the sign-in: %w", err)
	}
	to, err := os.CreateTemp(filepath.Dir(f.path), ".tokens-*")
	if err != nil {
		return fmt.Errorf("write the sign-in: %w", err)
	}
	_, err = to.Write(f.keys.Seal(text, []byte(f.name)))
	if err = errors.Join(err, to.Sync(), to.Close()); err == nil {
		err = os.Rename(to.Name(), f.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the sign-in: %w", err), os.Remove(to.Name()))
	}
	return nil
}

// Lock keeps other processes of this user out until unlock, or until this process ends.
func (f *File) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the sign-in: %w", err)
	}
	lock := flock.New(f.path + ".lock")
	if _, err := lock.TryLockContext(ctx, tryEvery); err != nil {
		return nil, fmt.Errorf("lock the sign-in: %w", err)
	}
	return func() { _ = lock.Close() }, nil // the lock ends with the descriptor, whatever closing says
}
