//go:build linux

package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The programs of the controls: as small as they can be, each with a mode in which it leaves out what must not be left out.

// value is what belongs to a number: 1 KiB that cannot be mistaken for another's.
func value(n uint64) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	return bytes.Repeat(sum[:], 32)
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

var bucket = []byte("items")

// boltChild puts items into a bbolt file, and takes every third out again later. Modes: synced, nosync, and what it does after an error: goon, rebuild.
func boltChild(dir, mode string) error {
	b := &boltProgram{path: filepath.Join(dir, "db"), nosync: mode == "nosync", there: map[uint64]bool{}}
	if err := b.open(); err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		done, line := func(tx *bbolt.Bucket) error { return tx.Put(key(n), value(n)) }, fmt.Sprint("put ", n)
		if n%3 == 0 {
			done, line = func(tx *bbolt.Bucket) error { return tx.Delete(key(n / 3)) }, fmt.Sprint("del ", n/3)
		}
		err := b.db.Update(func(tx *bbolt.Tx) error { return done(tx.Bucket(bucket)) })
		switch {
		case err == nil:
			b.there[n] = n%3 != 0
			delete(b.there, n/3*(1-min(1, n%3)))
			if err := errors.Join(b.readsBack(n), say(line)); err != nil {
				return err
			}
		case mode == "goon": // an error does not mean that it was not stored
			if err := say("maybe " + strings.Fields(line)[1]); err != nil {
				return err
			}
		case mode == "rebuild":
			if err := errors.Join(b.rebuild(), say("skip 0")); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

type boltProgram struct {
	path   string
	nosync bool
	db     *bbolt.DB
	there  map[uint64]bool
}

func (b *boltProgram) open() (err error) {
	if b.db, err = bbolt.Open(b.path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: b.nosync, FreelistType: bbolt.FreelistMapType}); err != nil {
		return err
	}
	return errors.Join(b.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	}), syncDir(filepath.Dir(b.path)))
}

// readsBack looks at the value through the map that bbolt reads by: it must show what was written by another way.
func (b *boltProgram) readsBack(n uint64) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		if got := tx.Bucket(bucket).Get(key(n)); b.there[n] && !bytes.Equal(got, value(n)) {
			return fmt.Errorf("the map shows %d bytes of %d that are not what was written", len(got), n)
		}
		return nil
	})
}

// rebuild makes a new file of what was said and puts it in the place of the old one.
func (b *boltProgram) rebuild() error {
	old, path := b.db, b.path
	b.path += ".new"
	if err := errors.Join(old.Close(), b.open()); err != nil {
		return err
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		for n, there := range b.there {
			if err := tx.Bucket(bucket).Put(key(n), value(n)); there && err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, b.db.Close(), os.Rename(b.path, path), syncDir(filepath.Dir(path))); err != nil {
		return err
	}
	b.path = path
	return b.open()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// judgeBolt opens the file twice.
func judgeBolt(r request) finding {
	for range 2 {
		if err := boltHolds(filepath.Join(r.Dir, "db"), r.Said); err != nil {
			return finding{Problems: []string{err.Error()}}
		}
	}
	return finding{}
}

func boltHolds(path string, said []string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if _, err := os.Stat(path); len(said) == 0 && (errors.Is(err, fs.ErrNotExist)) {
		return nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.Update(func(tx *bbolt.Tx) error {
		if err := errors.Join(collect(tx.Check())...); err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return compareBolt(b, said)
	})
}

// collect gives the first of the errors: a damaged tree can have endlessly many.
func collect(errs <-chan error) (all []error) {
	for err := range errs {
		if all = append(all, err); len(all) == 3 {
			break
		}
	}
	return all
}

// compareBolt looks for everything that was said. The next operation was under way and may be there.
func compareBolt(b *bbolt.Bucket, said []string) error {
	want, next := map[uint64]bool{}, uint64(1) // 0 is nobody's
	for _, line := range said {
		what, number, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return err
		}
		next++
		if want[n] = what == "put"; what == "maybe" {
			delete(want, n)
		}
	}
	for n, there := range want {
		got := b.Get(key(n))
		switch {
		case there && got == nil && n*3 != next:
			return fmt.Errorf("%d is lost", n)
		case there && got != nil && !bytes.Equal(got, value(n)):
			return fmt.Errorf("%d is damaged", n)
		case !there && got != nil:
			return fmt.Errorf("%d came back", n)
		}
	}
	return nil
}

// logChild appends records to a file. Modes: synced, nosync.
func logChild(dir, mode string) error {
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		data := value(n)
		if _, err := f.Write(binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data))); err != nil {
			return err
		}
		if mode == "synced" {
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				return err
			}
		}
		if err := say(fmt.Sprint("rec ", n)); err != nil {
			return err
		}
	}
}

func judgeLog(r request) finding {
	data, err := os.ReadFile(filepath.Join(r.Dir, "log"))
	if err != nil && len(r.Said) > 0 {
		return finding{Problems: []string{err.Error()}}
	}
	n := 0
	for size := len(value(0)) + 4; len(data) >= size && bytes.Equal(data[:size-4], value(uint64(n+1))); data = data[size:] {
		n++
	}
	if n < len(r.Said) {
		return finding{Problems: []string{fmt.Sprintf("%d records of %d", n, len(r.Said))}}
	}
	return finding{}
}

// renameChild replaces a file by a new one, again and again. Modes: synced; nodirsync leaves the folder unflushed.
func renameChild(dir, mode string) error {
	path := filepath.Join(dir, "state")
	for n := 1; ; n++ {
		f, err := os.Create(path + ".new")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, n)
		if err := errors.Join(err, f.Sync(), f.Close(), os.Rename(path+".new", path)); err != nil {
			return err
		}
		if mode == "synced" {
			if err := syncDir(dir); err != nil {
				return err
			}
		}
		if err := say(fmt.Sprint("state ", n)); err != nil {
			return err
		}
	}
}

func judgeRename(r request) finding {
	data, err := os.ReadFile(filepath.Join(r.Dir, "state"))
	if len(r.Said) == 0 {
		return finding{}
	}
	if n, _ := strconv.Atoi(strings.TrimSpace(string(data))); n < len(r.Said) {
		return finding{Problems: []string{fmt.Sprintf("state %d after %d (%v)", n, len(r.Said), err)}}
	}
	return finding{}
}
