package app_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// topLevel is everything that may lie at the root, with the reason why it lies there and not deeper. Dot files are tools' own.
var topLevel = map[string]string{
	"app":             "the agent, all but the ways in, the disk and the window's pages",
	"bridge":          "how calls come in and commands go out",
	"store":           "the disk",
	"frontend":        "all TypeScript",
	"build":           "icons, installers, pinned tools and the scripts that make calls",
	"docs":            "guides for agents, administrators and IT",
	"main.go":         "package main: Wails demands it beside wails.json",
	"wails.json":      "Wails looks for it here",
	"go.mod":          "Go looks for it here",
	"go.sum":          "lies beside go.mod",
	"Makefile":        "make looks for it here",
	"README.md":       "the first page, for people and the forge",
	"README.zh-CN.md": "the first page in Chinese, linked from the other",
	"LICENSE":         "lawyers and scanners look for it here",
}

func TestTopLevelHoldsNothingElse(t *testing.T) {
	for _, name := range unlisted(rootEntries(t)) {
		t.Errorf("%s does not belong at the top level: put it deeper, or add it to topLevel with its reason", name)
	}
}

func TestTopLevelCheckerFindsStrangers(t *testing.T) {
	got := unlisted([]string{".gitignore", "app", "main.go", "util", "notes.txt"})
	if !slices.Equal(got, []string{"util", "notes.txt"}) {
		t.Errorf("found %q", got)
	}
}

func unlisted(entries []string) []string {
	return slices.DeleteFunc(slices.Clone(entries), func(name string) bool {
		return strings.HasPrefix(name, ".") || topLevel[name] != ""
	})
}

// rootEntries asks git, which leaves out what is ignored and counts what is not added yet; outside a checkout, the directory.
func rootEntries(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Logf("not a git checkout (%v): looking at the directory", err)
		return directory(t)
	}
	var names []string
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		name, _, _ := strings.Cut(path, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func directory(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
