package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// results is what a run leaves for build/faultdoc, in build/bin/results.json: how each test ended, and what the fault runs counted.
type results struct {
	At    string            `json:"at"` // day
	Tests map[string]string `json:"tests"`
	Sums  map[string]int    `json:"sums"`

	earlier map[string]string
	counted map[string]int
}

var ended = results{At: time.Now().UTC().Format(time.DateOnly), Tests: map[string]string{}, Sums: map[string]int{}}

// worse orders how a test ended when several parts ran it.
var worse = map[string]int{"": 0, "skip": 1, "pass": 2, "fail": 3}

// load reads what an earlier run left, if there was one: how its tests ended, and its sums for a run that counts nothing itself.
func (r *results) load(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	earlier := results{}
	if err == nil {
		err = json.Unmarshal(text, &earlier)
	}
	r.earlier, r.counted = earlier.Tests, earlier.Sums
	return err
}

// note books how one test ended.
func (r *results) note(pkg, test, end string) {
	if test == "" || strings.Contains(test, "/") {
		return
	}
	name := strings.TrimPrefix(pkg, "ringside.dev/ringside/") + "/" + test
	if worse[end] > worse[r.Tests[name]] {
		r.Tests[name] = end
	}
}

// faultRun is the line by which a test says how much its claim rests on.
var faultRun = regexp.MustCompile(`fault run: ([0-9]+) items, ([0-9]+) lost, ([0-9]+) duplicates, ([0-9]+) reordered`)

// count adds up what a test said of its fault run.
func (r *results) count(output string) {
	found := faultRun.FindStringSubmatch(output)
	if found == nil {
		return
	}
	for i, name := range []string{"items", "lost", "duplicates", "reordered"} {
		n, err := strconv.Atoi(found[i+1])
		if err == nil {
			r.Sums[name] += n
		}
	}
}

// write leaves the results, and says the sums.
func (r *results) write(file string) error {
	fmt.Printf("fault runs: %d items, %d lost, %d duplicates, %d reordered\n", r.Sums["items"], r.Sums["lost"], r.Sums["duplicates"], r.Sums["reordered"])
	if len(r.Sums) == 0 && r.counted != nil {
		r.Sums = r.counted
	}
	for name, end := range r.earlier {
		if worse[r.Tests[name]] < worse["pass"] { // it was not run this time
			r.Tests[name] = end
		}
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
