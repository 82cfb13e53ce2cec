package storetest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

// The kill test runs the test binary once more as a child that accepts calls as fast as it can and says on its standard output which
// ones it has. The parent kills it at a random moment and counts. What the child said must be there.

// Promise is when the child says that it has a call.
type Promise string

// The promises.
const (
	AfterAccept  Promise = "after"  // as the agent does
	BeforeAccept Promise = "before" // the negative control: a lie that the count must bring to light
)

// The child's orders, in its environment.
const (
	envDir     = "RINGSIDE_KILL_DIR"
	envRound   = "RINGSIDE_KILL_ROUND"
	envPromise = "RINGSIDE_KILL_PROMISE"
)

// endedItself is the child's exit code when nobody killed it. Windows reports 1 for a killed one.
const endedItself = 3

// Count is what was found after a number of kills.
type Count struct {
	Rounds, Acknowledged, Stored, Lost int
}

func (c Count) String() string {
	return fmt.Sprintf("%d kills, %d calls acknowledged, %d stored, %d lost", c.Rounds, c.Acknowledged, c.Stored, c.Lost)
}

// Child is for TestMain: in the child it never returns, elsewhere it does nothing.
func Child() {
	if dir := os.Getenv(envDir); dir != "" {
		err := acceptForEver(dir, os.Getenv(envRound), Promise(os.Getenv(envPromise)))
		fmt.Fprintln(os.Stderr, "the child ended:", err)
		os.Exit(endedItself)
	}
}

func acceptForEver(dir, round string, promise Promise) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		leg := fmt.Sprintf("%s-%d", round, i)
		if promise == BeforeAccept {
			if _, err := os.Stdout.WriteString(leg + "\n"); err != nil {
				return err
			}
		}
		call, item := Call(leg)
		if _, err := s.Accept(call, cti.WrapUp{Note: leg}, []outbox.Item{item}); err != nil {
			return err
		}
		if promise == AfterAccept {
			if _, err := os.Stdout.WriteString(leg + "\n"); err != nil {
				return err
			}
		}
	}
}

// Call makes a finished call and the item that takes it to the CRM.
func Call(leg string) (cti.Call, outbox.Item) {
	call := cti.Call{Leg: leg, Case: leg, State: cti.StateClosed, StartedAt: time.Now().UTC()}
	return call, outbox.Item{Lane: leg, State: outbox.Queued, CreatedAt: call.StartedAt,
		WriteBack: cti.WriteBack{Op: cti.LogCall, Key: "key " + leg, Leg: leg, Identity: cti.IdentityKnown}}
}

// Kill kills children, each in its turn, and counts after every one. Every fourth starts with a new store; of those, every other is
// killed at once, so that the making of a store is hit as well.
func Kill(t testing.TB, rounds int, promise Promise) Count {
	t.Helper()
	var total Count
	dir := ""
	said := map[string]bool{} // in this store
	for round := range rounds {
		if round%4 == 0 {
			dir = filepath.Join(t.TempDir(), fmt.Sprint(round))
			clear(said)
		}
		after := 1 + rand.IntN(150) //nolint:gosec // not a secret
		if round%8 == 4 {
			after = 0
		}
		legs := killed(t, dir, round, after, promise)
		for _, leg := range legs {
			said[leg] = true
		}
		total.Rounds++
		total.Acknowledged += len(legs)
		stored, lost := count(t, dir, round, said)
		total.Stored += stored
		total.Lost += len(lost)
		for _, leg := range lost {
			delete(said, leg) // counted once
		}
	}
	return total
}

// killed runs a child, kills it at a random moment after it said so many legs, and gives what it said until then.
func killed(t testing.TB, dir string, round, after int, promise Promise) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // the test's own binary
	child.Env = append(os.Environ(), envDir+"="+dir, fmt.Sprint(envRound, "=", round), envPromise+"="+string(promise))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	shoot := func() {
		within := time.Duration(rand.IntN(2000)) * time.Microsecond //nolint:gosec // not a secret
		if after == 0 {
			within *= 20 // a process takes some time to start
		}
		time.AfterFunc(within, func() { _ = child.Process.Kill() })
	}
	if after == 0 {
		shoot()
	}
	var said []string
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the pipe ends with the child; a line without its end was never said
		}
		said = append(said, strings.TrimSuffix(line, "\n"))
		if len(said) == after {
			shoot()
		}
	}
	if err := child.Wait(); err == nil || ctx.Err() != nil || child.ProcessState.ExitCode() == endedItself {
		t.Fatalf("the child was not killed: %v", err)
	}
	return said
}

// count opens the store, checks it and compares: how many calls of the round are stored, and which of those said are not, whole.
func count(t testing.TB, dir string, round int, said map[string]bool) (stored int, lost []string) {
	t.Helper()
	Check(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatalf("round %d: open the store: %v", round, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	}()
	items, err := s.Items()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, it := range items {
		there[it.WriteBack.Leg] = true
		if strings.HasPrefix(it.WriteBack.Leg, fmt.Sprint(round, "-")) {
			stored++
		}
	}
	for leg := range said {
		call, err := s.Call(leg)
		if err != nil || call.WrapUp.Note != leg || !there[leg] {
			lost = append(lost, leg)
		}
	}
	return stored, lost
}
