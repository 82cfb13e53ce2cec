package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"ringside.dev/ringside/app/cti"
)

// entry is one line of the journal: a change as it was asked for, and the customer it is for. An entry with the key of an earlier one
// takes its place. The names are those of files that are there: new ones may come, none may change.
type entry struct {
	Op         cti.Op           `json:"op"`
	Key        string           `json:"key"`
	At         time.Time        `json:"at"` // when it was written here
	CustomerID string           `json:"customer_id,omitempty"`
	Name       string           `json:"name,omitempty"` // the customer's
	Leg        string           `json:"leg,omitempty"`
	Call       *cti.Record      `json:"call,omitempty"`
	Number     string           `json:"number,omitempty"` // of CreateCustomer and AddNumber
	New        *cti.NewCustomer `json:"new,omitempty"`    // of CreateCustomer and UpdateCustomer
	Tags       []string         `json:"tags,omitempty"`   // of AddTags and RemoveTags
	Note       *cti.Note        `json:"note,omitempty"`
	Ticket     *cti.TicketDraft `json:"ticket,omitempty"`
	Task       *cti.TaskDraft   `json:"task,omitempty"`
	Recording  *cti.Recording   `json:"recording,omitempty"`
	RecordID   string           `json:"record_id,omitempty"` // of AttachRecording: the call's
}

// equal tells whether two say the same, whenever they were written.
func (e entry) equal(other entry) bool {
	e.At, other.At = time.Time{}, time.Time{}
	a, errA := json.Marshal(e)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// place is where an entry stands in the journal.
type place struct {
	offset int64
	length int
}

// journal is the file of entries, one JSON text a line, only ever appended to. What append acknowledged is on the disk. A line that a crash
// tore is the last one, was not acknowledged, and is cut off. It is not to be called concurrently, but for read.
type journal struct {
	f    *os.File
	size int64
	sync func(*os.File) error // (*os.File).Sync, but for tests
}

const maxEntry = 1 << 20 // bytes: a note, a body and some names

// openJournal opens the file, or makes it, and gives each entry to visit; damaged lines are counted and left where they are.
func openJournal(path string, visit func(entry, place)) (j *journal, damaged int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	j = &journal{f: f, sync: (*os.File).Sync}
	if damaged, err = j.replay(visit); err == nil {
		err = j.cutTail()
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return j, damaged, nil
}

// replay reads all whole lines and leaves size behind the last of them.
func (j *journal) replay(visit func(entry, place)) (damaged int, err error) {
	in := bufio.NewReaderSize(j.f, maxLine)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return damaged, nil
		}
		if err != nil {
			return damaged, err
		}
		var e entry
		if json.Unmarshal(text, &e) != nil || e.Key == "" || !e.whole() {
			damaged++
		} else {
			visit(e, place{j.size, len(text)})
		}
		j.size += int64(len(text))
	}
}

// reopen gives the same journal through a new file, without what was not acknowledged.
func (j *journal) reopen(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	again := &journal{f: f, size: j.size, sync: j.sync}
	if err := again.cutTail(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return again, nil
}

// cutTail takes away what stands behind the last line that was acknowledged.
func (j *journal) cutTail() error {
	info, err := j.f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() == j.size:
		return nil
	case info.Size() < j.size:
		return errors.New("the file is shorter than it was: somebody changed it")
	}
	if err := j.f.Truncate(j.size); err != nil {
		return err
	}
	return j.f.Sync()
}

// append writes an entry. Kind offline: nothing was written; uncertain: it may be there, until cutTail has taken it away.
func (j *journal) append(e entry) (place, error) {
	text, err := json.Marshal(e)
	if err != nil || len(text) >= maxEntry {
		return place{}, cti.Errorf(cti.Invalid, "this is too large to be written", err)
	}
	text = append(text, '\n')
	if _, err := j.f.WriteAt(text, j.size); err != nil {
		if undone := j.f.Truncate(j.size); undone != nil {
			return place{}, cti.Errorf(cti.Uncertain, "the folder of the records could not be written", errors.Join(err, undone))
		}
		return place{}, cti.Errorf(cti.Offline, "the folder of the records cannot be written: is the disk full?", err)
	}
	if err := j.sync(j.f); err != nil {
		return place{}, cti.Errorf(cti.Uncertain, "the folder of the records could not be written", err)
	}
	at := place{j.size, len(text)}
	j.size += int64(len(text))
	return at, nil
}

// read gives an entry. It may be called concurrently.
func (j *journal) read(at place) (entry, error) {
	var e entry
	text := make([]byte, at.length)
	_, err := j.f.ReadAt(text, at.offset)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return entry{}, cti.Errorf(cti.Offline, "the records in the folder cannot be read", err)
	}
	return e, nil
}

func (j *journal) close() error { return j.f.Close() }

// writeWhole puts a file in the place of another, so that a crash leaves one or the other. Only this user may read it, and nobody else may
// be writing it.
func writeWhole(path string, fill func(*bufio.Writer) error) error {
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(tmp, maxLine)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), os.Remove(tmp.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name durable. Windows has no such call for folders.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
