package relay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
)

// maxStateFile bounds what is read of a file of our own.
const maxStateFile = 16 << 20

func readFile(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxStateFile))
}

// writeFile replaces a file as a whole; when it returns nil it is on the disk. It is this user's alone.
func writeFile(path string, data []byte) error {
	to, err := os.CreateTemp(filepath.Dir(path), unfinished+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = to.Write(data)
	if err = errors.Join(err, to.Sync(), to.Close()); err == nil {
		err = os.Rename(to.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to.Name()))
	}
	return nil
}

// ownFiles are what lies in a state folder; names of files that were not finished begin with unfinished.
var ownFiles = []string{authorityFile, devicesFile, keyFile, lockFile, eventsFolder, controlSocket}

const (
	lockFile      = "LOCK"
	eventsFolder  = "events"
	controlSocket = "control.sock"
	unfinished    = ".new-"
)

// openState makes the folder, and sees to it that nobody else may look into it: it must hold nothing but the relay's own.
func openState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the relay's state folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return cti.Errorf(cti.Denied, "the relay's state folder "+dir+" cannot be read: give it to this user", err)
	}
	for _, e := range entries {
		if !slices.Contains(ownFiles, e.Name()) && !strings.HasPrefix(e.Name(), unfinished) {
			return cti.Errorf(cti.Invalid, "state: "+dir+" holds other things ("+cti.Clean(e.Name(), cti.MaxText)+"), and will be closed to everybody else: name a folder for the relay alone", nil)
		}
	}
	if err := private(dir); err != nil {
		return cti.Errorf(cti.Denied, "the relay's state folder "+dir+" belongs to somebody else: give it to this user", err)
	}
	return nil
}

// keyFile holds the key that seals the state where the relay file names no better place.
const keyFile = "key"

// sealKeys gives the keys that seal the state. Those of a file in the state folder, or of the keychain, are made at the first start; those
// named in any other way must be there.
func sealKeys(ref, dir string, s Secrets) (secret.Ring, error) {
	if ref != "" {
		text, err := s.Get(ref)
		if errors.Is(err, secret.ErrNotFound) && s.Make != nil && strings.HasPrefix(ref, keychainPrefix) {
			return newKeys(func(text string) error { return s.Make(ref, text) })
		}
		if err != nil {
			return secret.Ring{}, cti.Errorf(cti.Auth, "key: "+ref+" (make one with: ringctl store key)", err)
		}
		return parseKeys(text)
	}
	path := filepath.Join(dir, keyFile)
	text, err := secretFile(path)
	if errors.Is(err, secret.ErrNotFound) {
		if _, err := os.Stat(filepath.Join(dir, authorityFile)); err == nil {
			return secret.Ring{}, cti.Errorf(cti.Auth, "the key "+path+" is gone, and with it what it sealed: bring it back from a copy; "+
				"if it is lost, move the folder away, start anew and enrol all workstations again", nil)
		}
		return newKeys(func(text string) error { return writeFile(path, []byte(text)) })
	}
	if err != nil {
		return secret.Ring{}, cti.Errorf(cti.Denied, "the key of the relay's state", err)
	}
	return parseKeys(text)
}

func newKeys(keep func(text string) error) (secret.Ring, error) {
	ring, err := secret.NewRing()
	if err == nil {
		err = keep(ring.Text())
	}
	if err != nil {
		return secret.Ring{}, fmt.Errorf("make the key of the relay's state: %w", err)
	}
	return ring, nil
}

func parseKeys(text string) (secret.Ring, error) {
	ring, err := secret.ParseRing(text)
	if err != nil || ring.Empty() {
		return secret.Ring{}, cti.Errorf(cti.Invalid, "the key of the relay's state is none: make one with ringctl store key", err)
	}
	return ring, nil
}

// secretFile reads the key beside the state. On Windows files have no mode, and the folder's access list keeps others out.
func secretFile(path string) (string, error) {
	text, err := secret.FromFile(path)
	if errors.Is(err, secret.ErrExposed) && !modes {
		plain, readErr := readFile(path)
		return string(plain), readErr
	}
	return text, err
}
