package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringside.dev/ringside/store"
)

// Killing says how Kill works on its children. Seed and Harm may be nil.
type Killing struct {
	Rounds  int
	Promise Promise
	Seed    func(dir string) error // makes what the first child of a folder finds
	Harm    func(dir string) error // does something to the folder between two children
}

// Count is what was found after a number of kills.
type Count struct {
	Rounds, Acknowledged, Items int
	Lost, Resurrected, Wrong    int
}

func (c Count) String() string {
	return fmt.Sprintf("%d kills, %d changes acknowledged, %d items there: %d lost, %d resurrected, %d wrong",
		c.Rounds, c.Acknowledged, c.Items, c.Lost, c.Resurrected, c.Wrong)
}

// perFolder is how many children have the same folder, one after the other.
const perFolder = 5

// workers is how many changes a child has in flight.
const workers = 4

// Kill kills children, each in its turn at a random moment, and compares the store with what they said after every one. Of a folder's children
// the first is killed early, so that the making of a store is hit, the second and third while they compact, the fourth after Harm while it
// puts that right.
func Kill(t testing.TB, k Killing) Count {
	t.Helper()
	var total Count
	var l *Ledger
	dir := ""
	for round := range k.Rounds {
		turn := round % perFolder
		if turn == 0 {
			dir, l = filepath.Join(t.TempDir(), "store"), NewLedger()
			run(t, dir, k.Seed)
		}
		if turn == 3 {
			run(t, dir, k.Harm)
		}
		before := l.Acknowledged()
		early := turn == 3 || turn == 0 && round%(2*perFolder) == 0
		l.kill(t, dir, round, k.Promise, turn == 1 || turn == 2, early)
		total.Rounds++
		total.Acknowledged += l.Acknowledged() - before
		f := l.after(t, dir)
		total.Items += f.Items
		total.Lost += len(f.Lost)
		total.Resurrected += len(f.Resurrected)
		total.Wrong += len(f.Wrong)
		if k.Promise == Honest && len(f.Lost)+len(f.Resurrected)+len(f.Wrong) > 0 {
			t.Errorf("round %d: %+v", round, f)
		}
		if len(f.Lost)+len(f.Resurrected)+len(f.Wrong) > 0 {
			l = NewLedger() // counted once
		}
	}
	return total
}

func run(t testing.TB, dir string, f func(string) error) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return
	}
	if err := f(dir); err != nil {
		t.Fatal(err)
	}
}

// start begins a child. Wine fails to make one process in some hundred, with Windows' ERROR_INTERNAL_ERROR: then nothing has run, and it is made again.
func start(t testing.TB, child func() *exec.Cmd) (*exec.Cmd, io.Reader) {
	t.Helper()
	const internalError = 1359
	for again := 0; ; again++ {
		c := child()
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		err = c.Start()
		if err == nil {
			return c, out
		}
		var number syscall.Errno
		if runtime.GOOS != "windows" || !errors.As(err, &number) || number != internalError || again == 3 {
			t.Fatal(err)
		}
		t.Logf("made again: %v", err)
	}
}

// kill runs a child and kills it a random moment after it said so many lines, and notes what it said until then.
func (l *Ledger) kill(t testing.TB, dir string, round int, promise Promise, compact, early bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child, out := start(t, func() *exec.Cmd {
		child := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // the test's own binary
		child.Env = append(os.Environ(), EnvDir+"="+dir, fmt.Sprint(EnvRound, "=", round), EnvPromise+"="+string(promise), fmt.Sprint(EnvWorkers, "=", workers))
		if compact {
			child.Env = append(child.Env, EnvCompact+"=yes")
		}
		child.Stderr = os.Stderr
		return child
	})
	after := 1 + rand.IntN(300) //nolint:gosec // not a secret
	shoot := func(within time.Duration) {
		time.AfterFunc(time.Duration(rand.Int64N(int64(within))), func() { _ = child.Process.Kill() }) //nolint:gosec // not a secret
	}
	if early {
		after = 0
		shoot(40 * time.Millisecond) // a process takes some time to start
	}
	said := 0
	for lines := bufio.NewReader(out); ; said++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the pipe ends with the child; a line without its end was never said
		}
		if err := l.Take(strings.TrimSuffix(line, "\n")); err != nil {
			t.Fatal(err)
		}
		if said+1 == after {
			shoot(2 * time.Millisecond)
		}
	}
	if err := child.Wait(); err == nil || ctx.Err() != nil || child.ProcessState.ExitCode() == EndedItself {
		t.Fatalf("the child was not killed: %v", err)
	}
}

// after opens the store, checks it and compares.
func (l *Ledger) after(t testing.TB, dir string) Findings {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir, Keys: Keys()})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	f, err := l.Compare(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("the store is not consistent: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
	return f
}
