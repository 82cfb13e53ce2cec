package mailbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The bounds of a mailbox nobody empties. An agent that was away for longer has no use for the oldest events.
const (
	MaxEvents = 5000
	MaxAge    = 7 * 24 * time.Hour
)

// Mailbox is a folder of events. The zero value is none: use At.
type Mailbox struct{ dir string }

// Default is the folder of this user: beside the agent's store, local to this computer. RINGSIDE_HOOKS names another.
func Default() (string, error) {
	if dir := os.Getenv("RINGSIDE_HOOKS"); dir != "" {
		return dir, nil
	}
	base, tail := os.Getenv("XDG_STATE_HOME"), filepath.Join("ringside", "hooks")
	switch runtime.GOOS {
	case "windows":
		base, tail = os.Getenv("LOCALAPPDATA"), filepath.Join("Ringside", "hooks")
	case "darwin":
		base, tail = os.Getenv("HOME"), filepath.Join("Library", "Application Support", "Ringside", "hooks")
	default:
		if base == "" {
			base, tail = os.Getenv("HOME"), filepath.Join(".local", "state", "ringside", "hooks")
		}
	}
	if base == "" {
		return "", errors.New("this user has no home folder: name a folder in RINGSIDE_HOOKS")
	}
	return filepath.Join(base, tail), nil
}

// At is the mailbox in a folder, which is made when something is put into it.
func At(dir string) Mailbox { return Mailbox{dir} }

// Dir is the folder.
func (m Mailbox) Dir() string { return m.dir }

// The ends of the names of files: an event, and one that is being written.
const (
	suffix    = ".json"
	temporary = ".tmp"
)

// Put writes an event and gives its name. It appears whole or not at all, and outlives the program; Keep makes it outlive the power.
func (m Mailbox) Put(e Event) (string, error) {
	e = e.cut()
	e.V, e.ID = Version, newID(e.At)
	text, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("an event of %d bytes", len(text))
	}
	name, temp := e.ID+suffix, filepath.Join(m.dir, e.ID+temporary)
	err = create(temp, text)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(m.dir, 0o700); err == nil {
			err = create(temp, text)
		}
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(m.dir, name))
	}
	if err != nil {
		_ = os.Remove(temp) // it may not be there; Tidy takes what stays
		return "", err
	}
	return name, nil
}

func create(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// newID sorts by time; the rest keeps apart what two programs write in the same nanosecond.
func newID(at time.Time) string {
	ns := strconv.FormatInt(at.UnixNano(), 10)
	return strings.Repeat("0", max(0, digits-len(ns))) + ns + "-" + strconv.FormatInt(int64(os.Getpid()), 36) + "-" + strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // unique, not secret
}

// Keep makes an event that nobody has taken yet survive a loss of power, and takes the oldest away when there are more than MaxEvents. It
// tells how many it took.
func (m Mailbox) Keep(name string) (dropped int, err error) {
	f, err := os.OpenFile(filepath.Join(m.dir, name), os.O_RDWR, 0) // to be written to: Windows flushes no other
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it was taken meanwhile
	}
	if err != nil {
		return 0, err
	}
	if err := errors.Join(f.Sync(), f.Close(), syncDir(m.dir)); err != nil {
		return 0, err
	}
	names, err := m.List()
	if err != nil {
		return 0, err
	}
	for ; len(names)-dropped > MaxEvents; dropped++ {
		if err := m.Remove(names[dropped]); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// List gives the names of the events, the oldest first. A folder that is not there holds none.
func (m Mailbox) List() ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if isOurs(entry, suffix) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// digits is how long the time in a name is.
const digits = 19

// isOurs tells whether a program of ours wrote a file. What else lies there, such as a pipe that nobody writes into, is never opened.
func isOurs(entry fs.DirEntry, ending string) bool {
	name := entry.Name()
	return len(name) > digits && name[digits] == '-' && strings.Trim(name[:digits], "0123456789") == "" && strings.HasSuffix(name, ending) && entry.Type().IsRegular()
}

// tempFor is far longer than a program writes.
const tempFor = time.Minute

// Tidy removes what programs left that were killed while they wrote.
func (m Mailbox) Tidy(now time.Time) error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !isOurs(entry, temporary) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it became an event meanwhile
		}
		if err == nil && now.Sub(info.ModTime()) > tempFor {
			err = m.Remove(entry.Name())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read gives an event. Errors: fs.ErrNotExist, ErrLater, any other for a file that will never be read.
func (m Mailbox) Read(name string) (Event, error) {
	f, err := os.Open(filepath.Join(m.dir, name))
	if err != nil {
		return Event{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return Event{}, err
	}
	if len(text) > maxFile {
		return Event{}, errors.New("larger than an event can be")
	}
	e, err := Decode(text)
	e.ID = strings.TrimSuffix(name, suffix) // what the file says of itself may be anything
	return e, err
}

// Remove takes an event out; that it is not there is no error.
func (m Mailbox) Remove(name string) error {
	if err := os.Remove(filepath.Join(m.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
