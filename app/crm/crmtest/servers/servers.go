// Package servers starts real CRMs on this computer for tests: Request Tracker 5 and Tryton 6, as Debian packs them, each with a database
// of its own that is thrown away. It owns how they are prepared, started, filled and looked into, and a door that makes one exchange go
// wrong. It must not know Ringside. Where the packages are missing its tests are skipped, unless RINGSIDE_REQUIRE names crms.
package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	startTime  = time.Minute           // bounds the start of a server, on a machine that does much else
	stopTime   = 10 * time.Second      // bounds its end, before it is killed
	askAgain   = 50 * time.Millisecond // between two questions whether it answers
	attempts   = 3                     // to start it: a port that was free may be taken meanwhile
	shownBytes = 4 << 10               // of a server's log, where a test failed
	cacheName  = "ringside-test-crms"  // in the user's cache folder: databases that were prepared once
	prepareFor = 3 * time.Minute       // bounds the making of a database
)

// errEnded tells that a server ended before it answered.
var errEnded = errors.New("the server ended")

// versions gives the installed versions of Debian packages. Where one is missing the test is skipped, or fails if it must not be.
func versions(t testing.TB, packages ...string) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "dpkg-query", append([]string{"-W", "-f=${Package} ${Version} ${Status}\n"}, packages...)...).Output() //nolint:gosec // names of ours
	if err == nil && strings.Count(string(text), " install ok installed\n") == len(packages) {
		return string(text)
	}
	message := fmt.Sprintf("not installed here: %s (build/install.sh crms)", strings.Join(packages, ", "))
	if strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "crms") {
		t.Fatal("RINGSIDE_REQUIRE names crms: " + message)
	}
	t.Skip(message)
	return ""
}

// prepared gives the folder that fill made once for this key, and makes it where it is missing: whole or not at all, also when several
// tests do that at once or one is killed. Nobody changes what is in it: see copied.
func prepared(t testing.TB, name, key string, fill func(ctx context.Context, folder string) error) string {
	t.Helper()
	parent, err := os.UserCacheDir()
	if err != nil {
		parent = t.TempDir()
	}
	sum := sha256.Sum256([]byte(key))
	parent = filepath.Join(parent, cacheName)
	final := filepath.Join(parent, name+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(final); err == nil {
		return final
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	making, err := os.MkdirTemp(parent, ".making-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(making) }() // it is not there any more where all went well
	ctx, cancel := context.WithTimeout(t.Context(), prepareFor)
	defer cancel()
	if err := fill(ctx, making); err != nil {
		t.Fatalf("prepare %s: %v", name, err)
	}
	if err := os.Rename(making, final); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return final
}

// copied gives a new folder with a copy of what is in another.
func copied(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// command runs a program to its end; the error holds what it said.
func command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // programs of Debian's packages
	cmd.Env = append(os.Environ(), env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, said)
	}
	return string(said), nil
}

// program is a server to start: args and env may depend on the port, and ready is the address that answers once it works.
type program struct {
	name  string
	args  func(port string) []string
	env   func(port string) []string
	log   string // file
	ready func(base string) string
}

// start starts a server on a free port of this computer and gives its address once it answers. It ends with the test, and with this
// process, however that ends (Linux).
func start(t testing.TB, p program) (base string) {
	t.Helper()
	var err error
	for range attempts {
		port := freePort(t)
		if base, err = p.try(t, port); err == nil {
			return base
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	t.Fatalf("start %s: %v\n%s", p.name, err, tailOf(p.log))
	return ""
}

func (p program) try(t testing.TB, port string) (string, error) {
	log, err := os.Create(p.log)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(p.name, p.args(port)...) //nolint:gosec,noctx // a program of Debian's; it is ended below, politely first
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), p.env(port)...), log, log
	together(cmd)
	if err := cmd.Start(); err != nil {
		return "", errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended, its log says
		_ = log.Close()
		close(ended)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", p.name, tailOf(p.log))
		}
		end(cmd, ended)
	})
	base := "http://127.0.0.1:" + port
	return base, await(t.Context(), p.ready(base), ended)
}

// await asks until the address answers anything at all.
func await(ctx context.Context, address string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			return res.Body.Close()
		}
		select {
		case <-again.C:
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end asks a server to end, and kills it where it does not.
func end(cmd *exec.Cmd, ended <-chan struct{}) {
	ask(cmd)
	select {
	case <-ended:
	case <-time.After(stopTime):
		kill(cmd)
		<-ended
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return port
}

func tailOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-shownBytes):])
}
