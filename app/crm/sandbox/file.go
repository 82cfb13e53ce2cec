package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
)

const fileVersion = 1

// fileState is the state file. Its size is a few megabytes at most, so each change writes all of it.
type fileState struct {
	Version   int               `json:"version"`
	Seed      uint64            `json:"seed"`
	Users     []Agent           `json:"users"`
	Roles     map[string]string `json:"roles"`
	Companies []company         `json:"companies"`
	Contacts  []contact         `json:"contacts"`
	Orders    []order           `json:"orders"`
	Tickets   []ticket          `json:"tickets"`
	Tasks     []task            `json:"tasks"`
	Calls     []Call            `json:"calls"`
	Notes     []note            `json:"notes"`
	Custom    []customField     `json:"custom_fields"`
}

// openStore loads the file, or seeds and writes it, so that a place that cannot be written fails at the start.
func openStore(file string, seed uint64) (*store, error) {
	s := &store{file: file}
	if file != "" {
		b, err := os.ReadFile(file)
		if err == nil {
			s.book, err = parseState(b)
			if err != nil {
				return nil, fmt.Errorf("state file %s: %w", file, err)
			}
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read state: %w", err)
		}
	}
	var err error
	if s.book, err = sow(seed); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	return s, s.save()
}

func parseState(b []byte) (*book, error) {
	var st fileState
	if err := json.Unmarshal(b, &st); err != nil {
		return nil, err
	}
	if st.Version != fileVersion {
		return nil, fmt.Errorf("version %d is not the version %d this program writes", st.Version, fileVersion)
	}
	if len(st.Users) == 0 {
		return nil, errors.New("no users in it")
	}
	return st.book()
}

func (st fileState) book() (*book, error) {
	b := &book{seed: st.Seed, users: st.Users, roles: map[string]string{}}
	maps.Copy(b.roles, st.Roles)
	st.modernise()
	var errs [8]error
	b.companies, errs[0] = newTable(st.Companies)
	b.contacts, errs[1] = newTable(st.Contacts)
	b.orders, errs[2] = newTable(st.Orders)
	b.tickets, errs[3] = newTable(st.Tickets)
	b.tasks, errs[4] = newTable(st.Tasks)
	b.calls, errs[5] = newTable(st.Calls)
	b.notes, errs[6] = newTable(st.Notes)
	b.custom, errs[7] = newTable(st.Custom)
	b.numberContacts()
	return b, errors.Join(errors.Join(errs[:]...), uniqueKeys(st.Tickets), uniqueKeys(st.Tasks), uniqueKeys(st.Notes))
}

// modernise gives rows of the seed and of older files what they lack: their first version, and a task its subject.
func (st fileState) modernise() {
	for i := range st.Contacts {
		st.Contacts[i].Version = max(st.Contacts[i].Version, 1)
	}
	for i := range st.Tickets {
		st.Tickets[i].Version = max(st.Tickets[i].Version, 1)
	}
	for i := range st.Tasks {
		t := &st.Tasks[i]
		t.Version = max(t.Version, 1)
		if t.Subject == "" {
			t.Subject, t.Title = t.Title, ""
		}
	}
}

func (s *store) save() error {
	if s.file == "" {
		return nil
	}
	b := s.book
	text, err := json.Marshal(fileState{
		Version: fileVersion, Seed: b.seed, Users: b.users, Roles: b.roles,
		Companies: b.companies.rows, Contacts: b.contacts.rows, Orders: b.orders.rows,
		Tickets: b.tickets.rows, Tasks: b.tasks.rows, Calls: b.calls.rows, Notes: b.notes.rows, Custom: b.custom.rows,
	})
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	if err := replaceFile(s.file, text); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// replaceFile puts text at path so that a crash leaves either the old or the new content. The mode is 0600.
func replaceFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the rename itself durable. Windows has no such call for folders.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
