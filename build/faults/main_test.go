//go:build linux

// Package faults cuts the power, fails flushes and fills disks under Ringside's store, and counts what is left. The programs under test are this test
// binary, run once more: they work on a simfs, and say there what they have. The disks that could be left after a power cut at some moment are
// built from simfs's log and judged one by one, each in a process that may die. Controls without the needed flushes must fail the same count.
package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringside.dev/ringside/build/faults/simfs"
)

// The orders of a child, in its environment.
const (
	envChild = "RINGSIDE_FAULTS_CHILD" // which program it is
	envDir   = "RINGSIDE_FAULTS_DIR"   // where it works
	envNotes = "RINGSIDE_FAULTS_NOTES" // the file in which it says what it has
	envMode  = "RINGSIDE_FAULTS_MODE"  // how it works
)

// children are the programs. Each works until it is killed; what it returns goes to its standard error.
var children = map[string]func(dir, mode string) error{
	"bolt":   boltChild,
	"log":    logChild,
	"rename": renameChild,
	"judge":  judgeChild,
	"store":  storeChild,
	"probe":  probeChild,
}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(envChild)]; child != nil {
		if err := child(os.Getenv(envDir), os.Getenv(envMode)); err != nil {
			fmt.Fprintln(os.Stderr, "the child ended:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// seed is printed by every test that uses chance.
var seed = rand.Uint64()

// soak is how many times as much "make soak" does.
func soak() int {
	if os.Getenv("RINGSIDE_SOAK") != "" {
		return 10
	}
	return 1
}

// newDisk mounts a disk for the time of a test.
func newDisk(t *testing.T, base string) *simfs.FS {
	t.Helper()
	if why := simfs.Missing(); why != "" {
		t.Skip(why)
	}
	f, err := simfs.Mount(t.TempDir(), base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// program is a child at work.
type program struct {
	cmd    *exec.Cmd
	stderr strings.Builder
	ended  chan struct{}
}

// start runs a child on a disk.
func start(t *testing.T, f *simfs.FS, name, mode string) *program {
	t.Helper()
	return startIn(t, f, f.Dir, name, mode)
}

// startIn runs a child in a folder; what it says goes to a disk's notes.
func startIn(t *testing.T, f *simfs.FS, dir, name, mode string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envChild+"="+name, envDir+"="+dir, envMode+"="+mode, envNotes+"="+f.Notes())
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// await waits until the log has something that matches, from a position on.
func (p *program) await(t *testing.T, f *simfs.FS, from int, match func(simfs.Op) bool) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	at, err := f.Await(ctx, from, match)
	if err != nil {
		p.kill()
		t.Fatalf("the child did not come so far (%v): %s", err, &p.stderr)
	}
	return at
}

// said waits for so many notes, from a position on.
func (p *program) said(t *testing.T, f *simfs.FS, from, notes int) int {
	t.Helper()
	return p.await(t, f, from, func(op simfs.Op) bool {
		if op.Kind == simfs.Note {
			notes--
		}
		return notes <= 0
	})
}

// say is how a child says that it has something. On a serial line it waits until that has left the machine.
func say(line string) error {
	if notes == nil {
		var err error
		if notes, err = os.OpenFile(os.Getenv(envNotes), os.O_WRONLY|os.O_APPEND, 0); err != nil {
			return err
		}
	}
	if _, err := notes.WriteString(line + "\n"); err != nil || notes.Name() != serialLine {
		return err
	}
	return unix.IoctlSetInt(int(notes.Fd()), unix.TCSBRK, 1) // tcdrain(3)
}

// serialLine is where a child says things that runs in a machine of its own.
const serialLine = "/dev/ttyS1"

// notes is the child's open file for what it says.
var notes *os.File
