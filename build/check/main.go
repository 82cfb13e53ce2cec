// Command check is what make test runs once everything is installed: each part in turn, with its seconds; what failed is printed whole;
// the last line counts the tests. It must not know what a test tests.
package main

import (
	"fmt"
	"os"
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

func main() {
	parts := []part{
		{"lint", func() tally { return script("build/lint.sh") }},
		{"build", func() tally { return script("build/build.sh") }},
		{"typescript", vitest},
		{"go", func() tally { return goTest(required("phones,keychain"), "-race", "-count=1", "./...") }},
		{"go plain", plain},
		{"window", window},
		{"faults", faults},
		{"wine", wine},
		{"demo", demos},
	}
	var total tally
	var times []string
	for _, p := range parts {
		fmt.Printf("== %s\n", p.name)
		began := time.Now()
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
	if err := ended.write("build/bin/results.json"); err != nil {
		fmt.Println("FAILED: the results were not written:", err)
		total.failed++
	}
	fmt.Printf("%d passed, %d failed\n", total.passed, total.failed)
	if total.failed > 0 || total.passed == 0 {
		os.Exit(1)
	}
}
