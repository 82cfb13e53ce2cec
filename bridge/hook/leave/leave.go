// Package leave is what a phone runs at each event of a call: it reads the command line, or Twinkle's environment, leaves an event in the
// mailbox and knocks at the agent's door. The phone may wait for it, so it imports little, starts nothing and waits for nobody.
// It must not know what an event means to the agent.
package leave

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringside.dev/ringside/bridge/hook/mailbox"
	"ringside.dev/ringside/bridge/loopback/door"
)

// The exit codes. A phone may show or act upon any but the first, so the second is for people who try a command line out.
const (
	exitOK    = 0
	exitUsage = 2
)

// Main reads args (without the program's name), leaves the event and gives the exit code: exitOK also when the event could not be left,
// which stderr and the mailbox's log then say. The phone may read stdout.
func Main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	e, err := parse(args, getenv)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "ringside hook:", err) // nobody is left to tell
		return exitUsage
	}
	if e.Event == "" {
		return exitOK // the phone tells of something that is no event of a call
	}
	e.At = time.Now().UTC()
	if err := leave(e, getenv, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "ringside hook:", err) // nobody is left to tell
	}
	return exitOK
}

func leave(e mailbox.Event, getenv func(string) string, stdout io.Writer) error {
	dir, err := mailbox.Default()
	if err != nil {
		return err
	}
	box := mailbox.At(dir)
	name, err := box.Put(e)
	if err != nil {
		return note(dir, e, fmt.Errorf("the event is lost: %w", err))
	}
	if getenv(twinkleTrigger) == "in_call" {
		_, _ = io.WriteString(stdout, "action=continue\nend\n") // from here Twinkle rings, and does not wait for the disk
	}
	if door.Knock("") {
		return nil
	}
	dropped, err := box.Keep(name)
	if dropped > 0 {
		err = errors.Join(fmt.Errorf("the oldest %d events are dropped: Ringside has not run for long", dropped), err)
	}
	return note(dir, e, err)
}

// maxLog is where the log begins anew.
const maxLog = 64 << 10

// note writes a problem into the mailbox's log, without what a caller chose, and gives it back.
func note(dir string, e mailbox.Event, problem error) error {
	if problem == nil {
		return nil
	}
	path := logOf(dir)
	how := os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		how = os.O_TRUNC
	}
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|how, 0o600)
	if err != nil {
		return problem // where the mailbox cannot be written, the log cannot
	}
	_, _ = fmt.Fprintf(log, "%s %s %s: %v\n", e.At.Format(time.RFC3339), e.Source, e.Event, problem) // it goes to stderr too
	_ = log.Close()
	return problem
}

// mostProblems is how many lines of the log are shown.
const mostProblems = 5

// Problems gives the newest lines of a mailbox's log; none if there is no log.
func Problems(dir string) ([]string, error) {
	text, err := os.ReadFile(logOf(dir))
	if errors.Is(err, fs.ErrNotExist) || len(text) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return lines[max(0, len(lines)-mostProblems):], nil
}

func logOf(dir string) string { return filepath.Join(dir, "hook.log") }
