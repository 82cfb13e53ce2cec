package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"ringside.dev/ringside/app/secret"
)

// probe vets the index: in a child process, because bbolt can die of a damaged file in a goroutine of its own.
func (o *Options) probe() error {
	if len(o.Probe) == 0 {
		return RunProbe(o.Dir, strings.NewReader(o.Keys.Text()))
	}
	info, err := os.Stat(filepath.Join(o.Dir, indexName))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit(info.Size()))
	defer cancel()
	args := slices.Concat(o.Probe[1:], []string{o.Dir})
	cmd := exec.CommandContext(ctx, o.Probe[0], args...) //nolint:gosec // the program's own command line
	cmd.Stdin = strings.NewReader(o.Keys.Text())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		o.Log.Warn("index is vetted without a child process", "error", err)
		return RunProbe(o.Dir, strings.NewReader(o.Keys.Text()))
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: the probe said: %w: %.500s", errDamaged, err, said.String())
	}
	return nil
}

// probeLimit is how long vetting an index may take: it reads all of it.
func probeLimit(size int64) time.Duration {
	return 30*time.Second + time.Duration(size>>30)*10*time.Second
}

// RunProbe vets the index in a folder: bbolt's structure, and that every value opens with the ring that keys gives. It is what
// Options.Probe runs. The process may die of it, which says the same as an error. It changes nothing and needs no lock.
func RunProbe(dir string, keys io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(keys, 1<<20))
	if err != nil {
		return fmt.Errorf("read the key ring: %w", err)
	}
	ring, err := secret.ParseRing(string(text))
	if err != nil {
		return fmt.Errorf("read the key ring: %w", err)
	}
	path := filepath.Join(dir, indexName)
	if err := readAhead(path); err != nil {
		return err
	}
	db, _, err := openFile(path, bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return err
	}
	err = vet(db, ring)
	return errors.Join(err, guarded(db.Close))
}

// readAhead brings a file into the system's memory: bbolt reads pages in no order, which a cold disk does not like.
func readAhead(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}

// vet looks at the structure and at the values at the same time.
func vet(db *bbolt.DB, ring secret.Ring) error {
	jobs := []func(tx *bbolt.Tx) error{structure}
	for _, name := range buckets {
		jobs = append(jobs, func(tx *bbolt.Tx) error { return openValues(tx, ring, name) })
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, job := range jobs {
		wg.Go(func() { errs[i] = guarded(func() error { return db.View(job) }) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func structure(tx *bbolt.Tx) error {
	var errs []error
	for err := range tx.Check() {
		if len(errs) < 10 {
			errs = append(errs, fmt.Errorf("%w: %w", errDamaged, err))
		}
	}
	return errors.Join(errs...)
}

// inClear tells which values are not sealed, as they say nothing.
func inClear(bucket string, key []byte) bool {
	return bucket == bucketByTime || bucket == bucketDone || bucket == bucketMeta && bytes.Equal(key, keySchema)
}

func openValues(tx *bbolt.Tx, ring secret.Ring, name string) error {
	x := &index{tx: tx, keys: ring}
	b, err := x.bucket(name)
	if err != nil {
		return err
	}
	return b.ForEach(func(k, v []byte) error {
		if inClear(name, k) {
			return nil
		}
		_, err := x.open(name, k, v)
		return err
	})
}
