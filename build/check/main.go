// Command check is what make test runs once everything is installed, and make soak with -soak: each part in turn, or those that are named, with its
// seconds; what failed is printed whole; the last line counts the tests. It must not know what a test tests.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// part is one kind of check; run gives the names of what passed and what failed.
type part struct {
	name string
	run  func() tally
}

// tally counts tests.
type tally struct {
	passed, failed, skipped int
}

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
}

// failures are what failing was told, in order, each with the part it failed in.
var (
	failures []string
	running  string
)

// failing prints that something failed, and gives its tally.
func failing(format string, args ...any) tally {
	what := fmt.Sprintf(format, args...)
	failures = append(failures, running+": "+what)
	fmt.Println("FAILED:", what)
	return tally{failed: 1}
}

const resultsFile = "build/bin/results.json"

func main() {
	soak := flag.Bool("soak", false, "what takes longer")
	flag.Parse()
	parts := testParts()
	if *soak {
		parts = soakParts()
	}
	named := flag.Args()
	if *soak || len(named) > 0 { // not everything is run: the rest keeps its results
		if err := ended.load(resultsFile); err != nil {
			failing("the last results were not read: %v", err)
			os.Exit(1)
		}
	}
	if len(named) > 0 {
		parts = slices.DeleteFunc(parts, func(p part) bool { return !slices.Contains(named, p.name) })
	}
	total := run(parts)
	if err := ended.write(resultsFile); err != nil {
		total.add(failing("the results were not written: %v", err))
	}
	for _, what := range failures { // once more, for who sees only the end of a long log
		fmt.Println("FAILED:", what)
	}
	fmt.Printf("%d passed, %d failed\n", total.passed, total.failed)
	if total.failed > 0 || total.passed == 0 {
		os.Exit(1)
	}
}

func testParts() []part {
	return []part{
		{"lint", func() tally { return script("build/lint.sh") }},
		{"build", func() tally { return script("build/build.sh") }},
		{"typescript", vitest},
		{"go", func() tally { return goTest(required("phones,asterisk,keychain,crms"), "-race", "-count=1", "./...") }},
		{"go plain", plain},
		{"window", window},
		{"pocketbase", pocketbase},
		{"faults", faults},
		{"wine", wine},
		{"demo", demos},
	}
}

func soakParts() []part {
	return []part{
		{"kill", func() tally {
			return goTest(longer(""), "-count=1", "-timeout", "60m", "-run", "Kill|Whatever", "./store/...")
		}},
		{"stack", func() tally { return faultTests("-timeout", "180m", "-run", "Stack|Kernel", ".") }},
		{"long faults", func() tally { return faultTests("-timeout", "180m", "-skip", "Stack|Kernel", "./...") }},
		{"phones", func() tally { return goTest(longer("phones,asterisk"), "-count=10", "-timeout", "60m", "./bridge/...") }},
	}
}

func run(parts []part) (total tally) {
	var times []string
	for _, p := range parts {
		fmt.Printf("== %s\n", p.name)
		began := time.Now()
		running = p.name
		t := p.run()
		total.add(t)
		line := fmt.Sprintf("%-12s %6.1f s  %d passed, %d failed, %d skipped", p.name, time.Since(began).Seconds(), t.passed, t.failed, t.skipped)
		times = append(times, line)
		fmt.Println(line)
	}
	fmt.Println("\nseconds of each part:")
	for _, line := range times {
		fmt.Println(" ", line)
	}
	return total
}
