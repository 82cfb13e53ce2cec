package spool_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/spool"
)

// spooling names the folder of a child process that puts one file and never comes to its end.
const spooling = "RINGSIDE_TEST_SPOOL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(spooling); dir != "" {
		putForever(dir)
	}
	os.Exit(m.Run())
}

const childKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func putForever(dir string) {
	keys, err := secret.ParseRing(childKey)
	if err != nil {
		panic(err)
	}
	s, err := spool.Open(spool.Options{Dir: dir, Keys: keys})
	if err != nil {
		panic(err)
	}
	put := 0
	_, err = s.Put(context.Background(), readerFunc(func(p []byte) (int, error) {
		if put += len(p); put > 1<<20 {
			_, _ = os.Stdout.WriteString("in the middle\n")
			select {}
		}
		return len(p), nil
	}))
	panic(err)
}

// What a process that was killed in the middle leaves is never seen as a file, and the next run sweeps it.
func TestKillInTheMiddleLeavesNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), spooling+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "in the middle\n" {
		t.Fatal(line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = child.Wait() // killed
	left := names(t, dir)
	if len(left) != 1 || !strings.HasSuffix(left[0], ".tmp") {
		t.Fatalf("left: %q", left)
	}
	keys, err := secret.ParseRing(childKey)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, spool.Options{Dir: dir, Keys: keys})
	if err := conflict(s, spool.File{ID: strings.TrimSuffix(left[0], ".tmp")}); err != nil {
		t.Errorf("it is seen: %v", err)
	}
	f := put(t, s, "of this run")
	if n, err := s.Sweep(func(string) bool { return true }, 0); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if want := []string{f.ID + ".age"}; !slices.Equal(names(t, dir), want) {
		t.Errorf("the folder holds %q, want %q", names(t, dir), want)
	}
}
