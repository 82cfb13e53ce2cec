package app

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"ringside.dev/ringside/app/cti"
)

// WriteWhole makes a file that holds all that fill wrote, or leaves what was there: a list that broke off must not look whole. Only this
// user may read it: it may hold customers' numbers.
func WriteWhole(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".ringside-*")
	if err != nil {
		return cti.Errorf(cti.Invalid, "the file cannot be written there", err)
	}
	if err = fill(f); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err = errors.Join(f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(cti.Errorf(cti.Invalid, "the file cannot be written", err), os.Remove(f.Name()))
	}
	return nil
}
