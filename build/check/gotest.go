package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string
	FailedBuild string
}

// goTest runs go test and counts tests and subtests; the output of what failed, and why tests were skipped, is printed.
func goTest(env []string, args ...string) tally { return goTestWith(env, ".", nil, args...) }

// goTestWith runs it in a folder, and by another program.
func goTestWith(env []string, dir string, wrapper []string, args ...string) tally {
	line := append(append(wrapper, "go", "test", "-json", "-timeout", "30m"), args...)
	cmd := exec.Command(line[0], line[1:]...) //nolint:gosec // what this program says above
	cmd.Env, cmd.Dir, cmd.Stderr = env, dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return failing("%v", err)
	}
	if err := cmd.Start(); err != nil {
		return failing("%v", err)
	}
	r := newReader()
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		r.read(scanner.Bytes())
	}
	if err := scanner.Err(); err != nil {
		r.add(failing("reading go test: %v", err))
	}
	if err := cmd.Wait(); err != nil && r.failed == 0 {
		r.add(failing("%s: %v", strings.Join(line, " "), err))
	}
	return r.tally
}

type reader struct {
	tally
	said map[string]*strings.Builder // by package and test
	bad  map[string]bool             // packages in which a test failed
}

func newReader() *reader { return &reader{said: map[string]*strings.Builder{}, bad: map[string]bool{}} }

func (r *reader) read(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Println(string(line)) // not of test2json: a build's own words
		return
	}
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		if r.said[key] == nil {
			r.said[key] = &strings.Builder{}
		}
		r.said[key].WriteString(e.Output)
		ended.count(e.Output)
		return
	case "build-output":
		fmt.Print(e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	ended.note(e.Package, e.Test, e.Action)
	r.end(e, key)
	delete(r.said, key)
}

func (r *reader) end(e event, key string) {
	text := ""
	if b := r.said[key]; b != nil {
		text = b.String()
	}
	switch {
	case e.Test == "" && e.Action == "fail" && !r.bad[e.Package]:
		// The package failed and no test of it did: it does not build, or died.
		r.add(failing("%s", e.Package))
		fmt.Print(text)
	case e.Test == "":
		if e.Elapsed > 5 {
			fmt.Printf("   %6.1f s  %s\n", e.Elapsed, e.Package)
		}
	case e.Action == "pass":
		r.passed++
	case e.Action == "skip":
		r.skipped++
		fmt.Printf("skipped: %s %s: %s", e.Package, e.Test, reason(text))
	default:
		r.bad[e.Package] = true
		r.add(failing("%s %s", e.Package, e.Test))
		fmt.Print(text)
	}
}

// reason takes the words out of a skipped test's output.
func reason(text string) string {
	for line := range strings.Lines(text) {
		if _, why, found := strings.Cut(line, ".go:"); found {
			return why
		}
	}
	return "no reason given\n"
}
