package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// required makes tests that need something of the machine fail where it is missing, instead of skipping: make test has installed it.
func required(what string) []string { return append(os.Environ(), "RINGSIDE_REQUIRE="+what) }

// script counts as one test; what it prints is shown.
func script(name string, args ...string) tally { return command(os.Environ(), name, args...) }

func command(env []string, name string, args ...string) tally {
	cmd := exec.Command(name, args...) //nolint:gosec // what this program says below
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return failing("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return tally{passed: 1}
}

// plain is what somebody does who has Go and nothing else: no C compiler, no GTK, no Node, no network. What takes long ran before.
func plain() tally {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return failing("%v", err)
	}
	folder, err := os.MkdirTemp("", "ringside-path-")
	if err != nil {
		return failing("%v", err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	if err := os.Symlink(goTool, filepath.Join(folder, "go")); err != nil {
		return failing("%v", err)
	}
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "PATH" && name != "DISPLAY" && name != "RINGSIDE_REQUIRE" {
			env = append(env, v)
		}
	}
	env = append(env, "PATH="+folder, "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=-mod=readonly")
	t := command(env, goTool, "vet", "./...")
	t.add(goTest(env, "-short", "./..."))
	return t
}

// window drives the built program on a display of its own.
func window() tally {
	env := append(required("window"), "RINGSIDE_WINDOW="+abs("build/bin/ringside"))
	return goTestWith(env, ".", []string{"build/display.sh", "--own"}, "-count=1", "./app/window")
}

// pocketbase runs the connector engine against a PocketBase; it is a module of its own for the libraries that brings.
func pocketbase() tally {
	return goTestWith(os.Environ(), "build/pocketbase", nil, "-count=1", "./...")
}

// faults cuts the power, breaks the network and has the CRM go wrong; it is a module of its own for the libraries it needs.
func faults() tally {
	return goTestWith(required("fuse"), "build/faults", nil, "-count=1", "-p", "1", "./...")
}

// longer makes the tests do what is too long for make test.
func longer(required string) []string {
	return append(os.Environ(), "RINGSIDE_SOAK=1", "RINGSIDE_REQUIRE="+required)
}

// faultTests are those of faults, longer.
func faultTests(args ...string) tally {
	return goTestWith(longer("fuse"), "build/faults", nil, append([]string{"-count=1", "-p", "1"}, args...)...)
}

// wine kills the Windows build of the store.
func wine() tally {
	cmd := exec.Command("build/wine.sh", "kill")
	said, err := cmd.CombinedOutput()
	fmt.Print(string(said))
	ended.count(string(said))
	if err != nil {
		return failing("build/wine.sh kill: %v", err)
	}
	return tally{passed: 1}
}

func abs(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return full
}

// demos run the whole main job: without a window, with it, and with real phones.
func demos() tally {
	t := script("build/bin/ringctl", "demo", "--headless")
	t.add(script("build/display.sh", "--own", "build/bin/ringctl", "demo", "--screenshot", "build/bin/demo.png"))
	t.add(script("build/display.sh", "--own", "build/bin/ringctl", "demo", "--phone", "baresip"))
	return t
}

// vitest runs the page's tests and counts them from its report.
func vitest() tally {
	report := abs("build/bin/vitest.json")
	cmd := exec.Command("npx", "--no-install", "vitest", "run", "--reporter=default", "--reporter=json", "--outputFile.json="+report) //nolint:gosec // a path of ours
	cmd.Dir, cmd.Stdout, cmd.Stderr = "frontend", os.Stdout, os.Stderr
	err := cmd.Run()
	text, readErr := os.ReadFile(report)
	var r struct{ NumPassedTests, NumFailedTests, NumPendingTests int }
	if readErr != nil || json.Unmarshal(text, &r) != nil || r.NumPassedTests == 0 {
		return failing("vitest left no report: %v, %v", err, readErr)
	}
	if err != nil && r.NumFailedTests == 0 {
		r.NumFailedTests = 1
	}
	if r.NumFailedTests > 0 {
		failing("vitest: %d tests", r.NumFailedTests)
	}
	return tally{passed: r.NumPassedTests, failed: r.NumFailedTests, skipped: r.NumPendingTests}
}
