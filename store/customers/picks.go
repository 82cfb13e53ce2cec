package customers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/secret"
)

// PicksFileName is the file of picks beside the store. They are the agent's own knowledge and no cache: a damaged file is put aside.
const PicksFileName = "picks.sealed"

// maxPicks is how many numbers are remembered; the oldest pick goes first.
const maxPicks = 5000

// Picks remembers whom the agent chose for a number. It is safe for concurrent use.
type Picks struct {
	path string
	keys secret.Ring
	most int

	mu  sync.Mutex
	all map[string]pick
}

var _ identify.Picks = (*Picks)(nil)

type pick struct {
	Customer string    `json:"customer"`
	At       time.Time `json:"at"`
}

// OpenPicks reads the file, if there is one. One that cannot be read is renamed, and the agent chooses anew.
func OpenPicks(path string, keys secret.Ring, log *slog.Logger) (*Picks, error) {
	p := &Picks{path: path, keys: keys, most: maxPicks, all: map[string]pick{}}
	sealed, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, nil
	case err != nil:
		return nil, fmt.Errorf("read the picks: %w", err)
	}
	plain, err := keys.Open(sealed, []byte(PicksFileName))
	if err == nil {
		err = json.Unmarshal(plain, &p.all)
	}
	if err == nil {
		return p, nil
	}
	aside := path + ".damaged"
	log.Error("the picks cannot be read and are put aside", "file", aside, "err", err)
	p.all = map[string]pick{}
	return p, os.Rename(path, aside)
}

// Pick implements identify.Picks.
func (p *Picks) Pick(number string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[number].Customer
}

// Remember implements identify.Picks. When it returns nil the pick is on the disk.
func (p *Picks) Remember(number, customerID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[number].Customer == customerID {
		return nil
	}
	p.all[number] = pick{customerID, time.Now().UTC()}
	for len(p.all) > p.most {
		p.dropOldest()
	}
	return p.save()
}

// Forget implements identify.Picks.
func (p *Picks) Forget(number string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.all[number]; !ok {
		return nil
	}
	delete(p.all, number)
	return p.save()
}

func (p *Picks) dropOldest() {
	oldest, at := "", time.Time{}
	for number, one := range p.all {
		if oldest == "" || one.At.Before(at) {
			oldest, at = number, one.At
		}
	}
	delete(p.all, oldest)
}

// save replaces the file: it is whole before and after.
func (p *Picks) save() error {
	plain, err := json.Marshal(p.all)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), ".picks-*")
	if err != nil {
		return fmt.Errorf("write the picks: %w", err)
	}
	_, err = f.Write(p.keys.Seal(plain, []byte(PicksFileName)))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the picks: %w", err), os.Remove(f.Name()))
	}
	return nil
}
