package store_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// schema1 puts the index of schema 1 into a folder: four calls with an item each, in state queued, retry, review and done.
func schema1(t *testing.T, dir string) {
	t.Helper()
	packed, err := os.ReadFile("testdata/schema1.db.gz")
	must(t, err)
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	file, err := io.ReadAll(unpacked)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "outbox.db"), file, 0o600))
}

// isSchema1 tells what is wrong with a store made of schema1.
func isSchema1(t *testing.T, s *store.Store) {
	t.Helper()
	open := standings(t, s)
	var got []outbox.State
	for _, st := range open {
		got = append(got, st.State)
	}
	if !slices.Equal(got, []outbox.State{outbox.Queued, outbox.Retry, outbox.Review}) {
		t.Errorf("unfinished %v", got)
	}
	for i, leg := range []string{"leg-a", "leg-b", "leg-c", "leg-d"} {
		l, err := s.Call(leg)
		if err != nil || l.WrapUp.Note != "call back on Tuesday" || l.Call.Refs["sip"] != "x@"+leg {
			t.Errorf("call %s: %+v, %v", leg, l, err)
		}
		it, err := s.Latest(leg, cti.WriteKey("acme", leg, cti.LogCall, 0))
		if forgotten := i == 3 && it.Seq == 0; err != nil || !forgotten && it.Seq != uint64(i+1) { // after 30 days
			t.Errorf("item of %s: %+v, %v", leg, it, err)
		}
		if i == 1 && (it.Attempts != 2 || len(it.Tries) != 2 || it.WriteBack.CustomerID != "c1" || it.WriteBack.Record.WrapUp.Outcome != "Order placed") {
			t.Errorf("item of %s: %+v", leg, it)
		}
	}
}

// Fault 48: an older file.
func TestSchema1IsMigrated(t *testing.T) {
	dir := t.TempDir()
	schema1(t, dir)
	s := storetest.OpenDir(t, dir)
	isSchema1(t, s)
	if seq := accept(t, s, "new", item("new"))[0].Seq; seq <= 4 {
		t.Errorf("number %d was given out again", seq)
	}
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, "outbox.db"))) // the journal has it
	if n := len(standings(t, storetest.OpenDir(t, dir))); n != 4 {
		t.Errorf("from the journal: %d unfinished items, want 4", n)
	}
}

// envStep makes the test binary a child that opens a store and dies at a step.
const envStep = "RINGSIDE_TEST_STEP"

// dieAt runs a child that does something with a store and is killed between two steps; false: it came to its end before.
func dieAt(t *testing.T, dir, deed string, step int) bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", envStep, deed, step), "RINGSIDE_TEST_DIR="+dir)
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && !strings.Contains(string(out), "failed:"):
		return true
	}
	t.Fatalf("the child: %v\n%s", err, out)
	return false
}

// stepChild is the child. It kills itself, as nobody else could do so at the right moment.
func stepChild(order string) error {
	deed, number, _ := strings.Cut(order, " ")
	left := 0
	if _, err := fmt.Sscan(number, &left); err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	s, err := store.Open(options(os.Getenv("RINGSIDE_TEST_DIR")).AtStep(func(string) {
		if left--; left < 0 {
			_ = self.Kill()
			select {}
		}
	}))
	if err != nil {
		return err
	}
	switch deed {
	case "compact":
		err = s.Compact()
	case "prune":
		err = s.Prune(time.Now().Add(500 * 24 * time.Hour))
	case "break":
		s.BreakFile()
		call, it := storetest.Call("broken")
		_, err = s.Accept(call, cti.WrapUp{}, []outbox.Item{it})
	}
	return errors.Join(err, s.Close())
}

// Fault 48: killed in the middle of it.
func TestMigrationThatIsKilledAtAnyStepIsDoneAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	steps := 0
	for ; ; steps++ {
		schema1(t, dir) // over what the last step left
		if !dieAt(t, dir, "open", steps) {
			break
		}
		s := storetest.OpenDir(t, dir)
		isSchema1(t, s)
		must(t, s.Close())
	}
	if steps < 5 {
		t.Errorf("there were %d steps: the test does not reach what it is for", steps)
	}
	noTrace(t, dir, "+44 20 7946 0958", "call back on Tuesday")
}

// Fault 2: killed at each step.
func TestRebuildCompactionAndPruningThatAreKilledAtAnyStepLoseNothing(t *testing.T) {
	for deed, atLeast := range map[string]int{"open": 2, "compact": 2, "break": 2, "prune": 1} {
		t.Run(deed, func(t *testing.T) {
			steps := 0
			for ; ; steps++ {
				dir := t.TempDir()
				s := storetest.OpenDir(t, dir)
				must(t, errors.Join(mixed(s), s.Close()))
				if deed == "open" {
					must(t, os.Truncate(filepath.Join(dir, "outbox.db"), 5000))
				}
				more := dieAt(t, dir, deed, steps)
				s = storetest.OpenDir(t, dir)
				if got := standings(t, s); len(got) < 3 {
					t.Errorf("after %d steps: %d unfinished items, want 3", steps, len(got))
				}
				must(t, s.Close())
				if !more {
					break
				}
			}
			if steps < atLeast {
				t.Errorf("there were %d steps: the test does not reach what it is for", steps)
			}
		})
	}
}

// mixed makes three items that wait and one that is done.
func mixed(s *store.Store) error {
	for i := range 4 {
		call, it := storetest.Call(fmt.Sprint("mixed ", i))
		stored, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it})
		if err != nil {
			return err
		}
		if i == 3 {
			stored[0].State = outbox.Done
			return s.Save(outbox.Finished, stored[0])
		}
	}
	return nil
}

// Fault 48: a newer file.
func TestANewerSchemaIsRefusedAndExported(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	must(t, errors.Join(mixed(s), s.Close()))
	schema := func(value []byte) {
		must(t, store.Plant(dir, storetest.Keys(), func(p store.Planter) error { return p.Bucket("meta").Put([]byte("schema"), value) }))
	}
	schema(binary.BigEndian.AppendUint64(nil, 3))
	_, err := store.Open(options(dir))
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "newer Ringside") {
		t.Errorf("got %v, want that a newer Ringside wrote it", err)
	}
	calls, items, unreadable := export(t, dir)
	if calls != 4 || items != 3 || unreadable == 0 {
		t.Errorf("exported %d calls, %d items and %d places that cannot be read: a newer seal is one", calls, items, unreadable)
	}
	schema(binary.BigEndian.AppendUint64(nil, 2))
	storetest.Check(t, dir) // a refusal lets go of the file and changes nothing
}

// export counts the lines of an export.
func export(t *testing.T, dir string) (calls, items, unreadable int) {
	t.Helper()
	var out bytes.Buffer
	must(t, store.Export(dir, storetest.Keys(), &out))
	for lines := json.NewDecoder(&out); lines.More(); {
		var line struct {
			Call, Item any
			Unreadable string
		}
		must(t, lines.Decode(&line))
		switch {
		case line.Call != nil:
			calls++
		case line.Item != nil:
			items++
		case line.Unreadable != "":
			unreadable++
		}
	}
	return calls, items, unreadable
}

func TestExportReadsWhatThereIs(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"sound":           func(string) error { return nil },
		"without index":   func(dir string) error { return os.Remove(filepath.Join(dir, "outbox.db")) },
		"without journal": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "journal")) },
		"damaged index":   func(dir string) error { return os.Truncate(filepath.Join(dir, "outbox.db"), 9000) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := storetest.OpenDir(t, dir)
			must(t, errors.Join(mixed(s), s.Close(), harm(dir)))
			if calls, items, _ := export(t, dir); calls != 4 || items != 3 {
				t.Errorf("exported %d calls and %d items, want 4 and 3", calls, items)
			}
		})
	}
	dir := t.TempDir()
	schema1(t, dir)
	if calls, items, unreadable := export(t, dir); calls != 4 || items != 3 || unreadable != 0 {
		t.Errorf("of schema 1: %d calls, %d items, %d unreadable", calls, items, unreadable)
	}
	var out bytes.Buffer
	s := storetest.Open(t)
	must(t, errors.Join(mixed(s), s.Export(&out)))
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 7 {
		t.Errorf("of the open store %d lines, want 7:\n%s", n, out.String())
	}
}
