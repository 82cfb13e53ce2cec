// Command faultdoc writes docs/faults.md and docs/faults.zh-CN.md: each fault of the matrix, the tests that guard it, and how they ended in
// the last run. A test guards a fault by a comment above its name: // Fault 12: why. It must not know what a test does.
//
//	go run ./build/faultdoc          write both files
//	go run ./build/faultdoc -check   fail when a fault has neither a test nor a reason, or a test names a fault there is not
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Results is what the last make test or make soak left in build/bin/results.json.
type Results struct {
	At    string            `json:"at"`    // day
	Tests map[string]string `json:"tests"` // package/name → pass, fail or skip
	Sums  map[string]int    `json:"sums"`  // items, lost, duplicates, reordered: over all fault runs
}

const resultsFile = "build/bin/results.json"

func main() {
	check := flag.Bool("check", false, "only look for gaps")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool) error {
	guards, err := findGuards(".")
	if err != nil {
		return err
	}
	if err := gaps(guards); err != nil || check {
		return err
	}
	results, err := lastResults()
	if err != nil {
		return err
	}
	for file, l := range map[string]language{"docs/faults.md": english, "docs/faults.zh-CN.md": chinese} {
		if err := os.WriteFile(file, []byte(page(guards, results, l)), 0o644); err != nil { //nolint:gosec // a page of the documentation
			return err
		}
	}
	return nil
}

// guard is a test that guards a fault.
type guard struct {
	pkg, name string
}

var faultLine = regexp.MustCompile(`(?m)^Faults? ([0-9]+(?:(?:,| and) [0-9]+)*):`)

// findGuards reads all test files below root.
func findGuards(root string) (map[int][]guard, error) {
	guards := map[int][]guard{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Doc == nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			for _, n := range faultsOf(f.Doc.Text()) {
				guards[n] = append(guards[n], guard{filepath.ToSlash(filepath.Dir(path)), f.Name.Name})
			}
		}
		return nil
	})
	return guards, err
}

func faultsOf(doc string) []int {
	var all []int
	for _, match := range faultLine.FindAllStringSubmatch(doc, -1) {
		for _, text := range strings.FieldsFunc(match[1], func(r rune) bool { return r < '0' || r > '9' }) {
			n, err := strconv.Atoi(text)
			if err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// gaps tells which faults nobody guards, and which tests guard what is not in the matrix.
func gaps(guards map[int][]guard) error {
	var wrong []string
	for n, r := range matrix {
		if n > 0 && len(guards[n]) == 0 && r.without == "" {
			wrong = append(wrong, fmt.Sprintf("fault %d (%s) has neither a test nor a reason", n, r.fault))
		}
	}
	for n, tests := range guards {
		if n < 1 || n >= len(matrix) {
			wrong = append(wrong, fmt.Sprintf("%s names fault %d, which is not in the matrix", tests[0].name, n))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%s", strings.Join(wrong, "\n"))
}

func lastResults() (Results, error) {
	var r Results
	text, err := os.ReadFile(resultsFile)
	if err != nil {
		return r, fmt.Errorf("%w: run make test first, it writes down how each test ended", err)
	}
	return r, json.Unmarshal(text, &r)
}
