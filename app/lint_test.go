package app_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// guard is one rule of depguard.
type guard struct {
	ListMode string   `yaml:"list-mode"`
	Files    []string `yaml:"files"`
	Allow    []string `yaml:"allow"`
	Deny     []struct {
		Pkg  string `yaml:"pkg"`
		Desc string `yaml:"desc"`
	} `yaml:"deny"`
}

// The linter shows a wrong import in the editor, before any test runs; it may not have a table of its own.
func TestLinterHoldsTheSameTable(t *testing.T) {
	guards := readGuards(t)
	want := map[string]guardLine{}
	for _, r := range ours {
		if strings.HasSuffix(r.pkg, "/...") {
			continue // anything
		}
		want[strings.Replace(r.pkg, ".", "main", 1)] = lineOf(r) // the linter takes a dot in a name for a path
	}
	for _, lib := range theirs {
		want[lib.prefix] = guardLine{Files: libraryFiles(lib.only), Deny: []string{lib.prefix}}
	}
	got := map[string]guardLine{}
	for name, g := range guards {
		line := guardLine{Files: g.Files, Allow: g.Allow}
		for _, d := range g.Deny {
			line.Deny = append(line.Deny, d.Pkg)
		}
		if _, ours := want[name]; !ours && len(line.Deny) == 1 {
			name = line.Deny[0] // a library's rule has a short name of its own
		}
		if g.ListMode != "lax" {
			t.Errorf("%s: list-mode is %q; only lax reads the lists as the table means them", name, g.ListMode)
		}
		got[name] = line.sorted()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".golangci.yml does not hold the lines of imports_test.go (-table +linter):\n%s", diff)
	}
}

// guardLine is a guard without its words.
type guardLine struct{ Files, Allow, Deny []string }

func (l guardLine) sorted() guardLine {
	slices.Sort(l.Files)
	slices.Sort(l.Allow)
	slices.Sort(l.Deny)
	return l
}

func lineOf(r rule) guardLine {
	files := "**/" + r.pkg + "/*.go"
	if r.pkg == "." {
		files = "${config-path}/*.go"
	}
	line := guardLine{Files: []string{files, "!$test"}}
	for _, pkg := range r.may {
		line.Allow = append(line.Allow, full(pkg)+"$")
	}
	for _, pkg := range r.not {
		line.Deny = append(line.Deny, full(pkg))
	}
	if r.not == nil {
		line.Deny = []string{module}
	}
	return line.sorted()
}

// libraryFiles is every file but those of the packages that may import the library, and tests.
func libraryFiles(only []string) []string {
	if only == nil {
		return []string{"$all"}
	}
	files := []string{"!$test"}
	for _, pkg := range only {
		if pkg == "." {
			files = append(files, "!${config-path}/main.go")
			continue
		}
		files = append(files, "!**/"+pkg+"/*.go")
	}
	slices.Sort(files)
	return files
}

func full(pkg string) string { return module + "/" + pkg }

func readGuards(t *testing.T) map[string]guard {
	t.Helper()
	data, err := os.ReadFile("../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]guard `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	if err := yaml.Load(data, &config); err != nil {
		t.Fatal(err)
	}
	return config.Linters.Settings.Depguard.Rules
}
