// Package presence keeps the journal of the agent's states: who was ready, not ready and why, and for how long. It owns the files, one for each
// month beside the store, and their sealing. It must not know what follows from a state.
package presence

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
)

// The names of the files: presence-2026-11.sealed. Each line is one change, sealed.
const (
	pattern = "presence-*.sealed"
	month   = "presence-2006-01.sealed"
)

// maxLine is far above any change, in bytes.
const maxLine = 16 << 10

// Journal is safe for concurrent use.
type Journal struct {
	dir  string
	keys secret.Ring
	log  *slog.Logger

	mu sync.Mutex
}

// Open names the folder, and removes the months that ended longer than keep ago.
func Open(dir string, keys secret.Ring, keep time.Duration, log *slog.Logger) (*Journal, error) {
	j := &Journal{dir: dir, keys: keys, log: log}
	names, err := j.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		began, err := time.Parse(month, name)
		if err != nil || time.Since(began.AddDate(0, 1, 0)) < keep {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("remove an old month of the presence journal: %w", err)
		}
	}
	return j, nil
}

func (j *Journal) names() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(j.dir, pattern))
	if err != nil {
		return nil, fmt.Errorf("look for the presence journal: %w", err)
	}
	names := make([]string, 0, len(paths))
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	slices.Sort(names)
	return names, nil
}

// Append writes a change. When it returns nil the change is on the disk.
func (j *Journal) Append(c cti.PresenceChange) error {
	if j.keys.Empty() {
		return errors.New("the keychain gave no key to seal the presence journal with: unlock it and start Ringside again")
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the presence journal: %w", err)
	}
	name := c.At.UTC().Format(month)
	line := base64.StdEncoding.EncodeToString(j.keys.Seal(plain, []byte(name))) + "\n"
	j.mu.Lock()
	defer j.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(j.dir, name), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write the presence journal: %w", err)
	}
	if torn(f) {
		line = "\n" + line // a power cut in the middle of the line before
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the presence journal: %w", err)
	}
	return nil
}

func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Since gives the changes from a time on, the oldest first. Lines that cannot be read are left out and said to the log.
func (j *Journal) Since(from time.Time) ([]cti.PresenceChange, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	names, err := j.names()
	if err != nil {
		return nil, err
	}
	var all []cti.PresenceChange
	for _, name := range names {
		if name < from.UTC().Format(month) {
			continue
		}
		changes, err := j.read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return slices.DeleteFunc(all, func(c cti.PresenceChange) bool { return c.At.Before(from) }), nil
}

func (j *Journal) read(name string) (all []cti.PresenceChange, err error) {
	f, err := os.Open(filepath.Join(j.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the presence journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	bad := 0
	for lines.Scan() {
		c, ok := j.line(name, lines.Bytes())
		if !ok {
			bad++
			continue
		}
		all = append(all, c)
	}
	if bad > 0 {
		j.log.Warn("lines of the presence journal cannot be read", "file", name, "lines", bad)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the presence journal: %w", err)
	}
	return all, nil
}

func (j *Journal) line(name string, text []byte) (c cti.PresenceChange, ok bool) {
	sealed := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(sealed, text)
	if err != nil {
		return c, false
	}
	plain, err := j.keys.Open(sealed[:n], []byte(name))
	if err != nil {
		return c, false
	}
	return c, json.Unmarshal(plain, &c) == nil
}
