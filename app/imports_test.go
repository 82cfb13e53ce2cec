package app_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own packages; the module's root is the package main.
const module = "ringside.dev/ringside"

// rule is what one package of ours may import of ours, in files that are not external tests (package x_test), which are free.
type rule struct {
	pkg string
	may []string // these and no others
	not []string // instead of may: anything but these and what lies in them
}

// ours is the import table of the architecture: every package we have, with what it may know. .golangci.yml holds the same lines.
// A new package goes in here, and its reason into docs and the package comment.
var ours = []rule{
	{pkg: "app/cti"},
	{pkg: "app/flow", may: []string{"app/cti"}},
	{pkg: "app/number", may: []string{"app/cti"}},
	{pkg: "app/identify", may: []string{"app/cti", "app/number"}},
	{pkg: "app/crm", may: []string{"app/cti", "app/number", "app/crm/presets"}},
	{pkg: "app/crm/presets"},
	{pkg: "app/crm/local", may: []string{"app/cti", "app/number", "app/crm"}},
	{pkg: "app/crm/sandbox"},
	{pkg: "app/crm/crmtest", may: []string{"app/cti", "app/number", "app/crm"}},
	{pkg: "app/crm/crmtest/servers"},
	{pkg: "app/outbox", may: []string{"app/cti"}},
	{pkg: "app/settings", may: []string{"app/cti", "app/number"}},
	{pkg: "app/recording", may: []string{"app/cti", "store/recordings", "store/spool"}},
	{pkg: "app/secret"},
	{pkg: "app/relay", may: []string{"app/cti", "app/secret", "app/settings", "bridge", "bridge/loopback", "bridge/relayed", "bridge/sim", "bridge/tape", "store/journal"}},
	{pkg: "app/window", may: []string{"app", "app/cti", "bridge/wire"}},
	{pkg: "app/cli/ringctl", may: []string{"app/cli"}},
	{pkg: "app/cli/ringhook", may: []string{"bridge/hook/leave"}},
	{pkg: "app/cli", not: []string{"app/window", "frontend"}},
	{pkg: "app", not: []string{"app/cli", "app/window", "frontend"}},
	{pkg: "bridge", may: []string{"app/cti", "bridge/tape", "bridge/sim", "bridge/baresip", "bridge/hook", "bridge/bria", "bridge/relayed", "bridge/ami", "bridge/ari", "bridge/esl", "bridge/webhook"}},
	{pkg: "bridge/tape"},
	{pkg: "bridge/running", may: []string{"app/cti"}},
	{pkg: "bridge/sim", may: []string{"app/cti"}},
	{pkg: "bridge/baresip", may: []string{"app/cti", "bridge/tape", "bridge/sourcetest", "bridge/running"}},
	{pkg: "bridge/baresip/phonetest", may: []string{"app/cti"}},
	{pkg: "bridge/bria", may: []string{"app/cti", "bridge/tape", "bridge/running"}},
	{pkg: "bridge/bria/briatest"},
	{pkg: "bridge/ari", may: []string{"app/cti", "bridge/tape", "bridge/ari/aritest", "bridge/running"}},
	{pkg: "bridge/ari/aritest"},
	{pkg: "bridge/esl", may: []string{"app/cti", "bridge/tape", "bridge/esl/esltest", "bridge/running"}},
	{pkg: "bridge/esl/esltest"},
	{pkg: "bridge/ami", may: []string{"app/cti", "bridge/tape", "bridge/running"}},
	{pkg: "bridge/ami/amitest"},
	{pkg: "bridge/asterisktest", may: []string{"app/cti", "bridge/baresip/phonetest", "bridge/sourcetest"}},
	{pkg: "bridge/webhook", may: []string{"app/cti", "bridge/tape", "bridge/running"}},
	{pkg: "bridge/relayed", may: []string{"app/cti", "bridge/tape", "bridge/running"}},
	{pkg: "bridge/hook", may: []string{"app/cti", "bridge/hook/handlers", "bridge/hook/mailbox", "bridge/running", "bridge/tape"}},
	{pkg: "bridge/hook/handlers", may: []string{"app/cti"}},
	{pkg: "bridge/hook/leave", may: []string{"bridge/hook/mailbox", "bridge/loopback/door"}},
	{pkg: "bridge/hook/mailbox"},
	{pkg: "bridge/hook/setup", may: []string{"app/cti"}},
	{pkg: "bridge/hook/uri", may: []string{"app/cti"}},
	{pkg: "bridge/sourcetest", may: []string{"app/cti", "bridge"}},
	{pkg: "bridge/wire", may: []string{"app/cti"}},
	{pkg: "bridge/loopback", may: []string{"app/cti", "bridge/tape", "bridge/wire", "bridge/loopback/door"}},
	{pkg: "bridge/loopback/door"},
	{pkg: "bridge/client", may: []string{"app/cti", "bridge/tape", "bridge/wire", "bridge/loopback"}},
	{pkg: "store", may: []string{"app/cti", "app/outbox", "app/secret", "store/journal"}},
	{pkg: "store/customers", may: []string{"app/cti", "app/identify", "app/number", "app/secret"}},
	{pkg: "store/journal", may: []string{"app/secret"}},
	{pkg: "store/spool", may: []string{"app/cti", "app/secret", "store/journal"}},
	{pkg: "store/recordings", may: []string{"app/secret", "store/journal"}},
	{pkg: "store/presence", may: []string{"app/cti", "app/secret"}},
	{pkg: "store/tokens", may: []string{"app/secret"}},
	{pkg: "store/storetest", may: []string{"app/cti", "app/outbox", "app/secret", "store"}},
	{pkg: "frontend"},
	{pkg: ".", may: []string{"app", "app/cli", "app/cti", "app/secret", "app/settings", "app/window", "bridge/wire", "frontend"}},
	{pkg: "build/...", not: []string{}},
}

// theirs are the libraries that only some packages may import, so that each can be replaced in one place.
var theirs = []struct {
	prefix string
	only   []string
	reason string
}{
	{"github.com/wailsapp/wails", []string{".", "app/window", "build/bench/floor"}, "the agent runs and is tested without a window"},
	{"github.com/emersion/go-vcard", []string{"app/crm/local"}, "one place reads files of contacts"},
	{"go.etcd.io/bbolt", []string{"store", "store/customers", "store/storetest"}, "one place knows each file on disk"},
	{"github.com/zalando/go-keyring", []string{"app/secret"}, "one place touches secrets"},
	{"golang.org/x/oauth2", []string{"app/crm"}, "connectors sign in in one place"},
	{"filippo.io/age", []string{"app/secret", "store/spool"}, "keys and files are sealed in one place each"},
	{"github.com/oklog/ulid", []string{"store/spool"}, "items are in the order of their numbers, never of a clock"},
	{"github.com/nyaruka/phonenumbers", []string{"app/number"}, "one place reads numbers, so that all compare alike"},
	{"github.com/expr-lang/expr", []string{"app/crm"}, "only field mapping has expressions"},
	{"github.com/sony/gobreaker", []string{"app/crm"}, "one gate for each endpoint, where look-ups and writes meet"},
	{"golang.org/x/time", []string{"app/crm"}, "one gate for each endpoint, where look-ups and writes meet"},
	{"go.yaml.in/yaml", []string{"app/settings", "app/crm", "app/cli", "bridge/webhook"}, "the domain knows no file format"},
	{"gopkg.in/yaml", nil, "use go.yaml.in/yaml/v4"},
	{"github.com/coder/websocket", []string{"bridge/ari", "bridge/ari/aritest", "bridge/bria", "bridge/bria/briatest"}, "sources alone speak to phones and exchanges"},
	{"github.com/Microsoft/go-winio", []string{"bridge/loopback"}, "one place knows the local link"},
}

// goPackage is what is used of go list's answer.
type goPackage struct {
	ImportPath, Name, Doc         string
	GoFiles, Imports, TestImports []string
	Error                         *struct{ Err string }
}

func TestImportsFollowTheTable(t *testing.T) {
	if testing.Short() {
		t.Skip("runs go list three times")
	}
	for _, goos := range []string{"linux", "windows", "darwin"} {
		t.Run(goos, func(t *testing.T) {
			pkgs := list(t, goos)
			if len(pkgs) == 0 {
				t.Fatal("go list found no package")
			}
			for _, p := range pkgs {
				for _, v := range violations(p) {
					t.Error(v)
				}
			}
		})
	}
}

// The checker must find what it is there for; a table that forbids nothing passes every tree.
func TestImportsCheckerFindsEachViolation(t *testing.T) {
	const doc, our = "Package x is documented.", module + "/"
	for _, test := range []struct {
		name string
		p    goPackage
		want string // "" for a package without fault
	}{
		{"domain imports ours", goPackage{ImportPath: our + "app/cti", Doc: doc, Imports: []string{our + "app/number"}}, "app/cti imports app/number"},
		{"adapter imports adapter", goPackage{ImportPath: our + "bridge/sim", Doc: doc, Imports: []string{our + "bridge/baresip"}}, "bridge/sim imports bridge/baresip"},
		{"allowed", goPackage{ImportPath: our + "app/flow", Doc: doc, Imports: []string{"context", our + "app/cti"}}, ""},
		{"child of an allowed one", goPackage{ImportPath: our + "app/window", Doc: doc, Imports: []string{our + "bridge/wire/v2"}}, "app/window imports bridge/wire/v2"},
		{"internal test", goPackage{ImportPath: our + "app/flow", Doc: doc, TestImports: []string{our + "store"}}, "app/flow imports store"},
		{"root of the module", goPackage{ImportPath: our + "app/flow", Doc: doc, Imports: []string{module}}, "app/flow imports ."},
		{"main imports the store", goPackage{ImportPath: module, Doc: doc, Imports: []string{our + "store"}}, ". imports store"},
		{"composition root imports cli", goPackage{ImportPath: our + "app", Doc: doc, Imports: []string{our + "app/cli/ringctl"}}, "app imports app/cli/ringctl"},
		{"composition root imports the rest", goPackage{ImportPath: our + "app", Doc: doc, Imports: []string{our + "store", our + "bridge"}}, ""},
		{"restricted library", goPackage{ImportPath: our + "app/outbox", Doc: doc, Imports: []string{"go.etcd.io/bbolt"}}, "app/outbox imports go.etcd.io/bbolt"},
		{"restricted library, deep", goPackage{ImportPath: our + "app/cli", Doc: doc, Imports: []string{"github.com/wailsapp/wails/v2/pkg/runtime"}}, "app/cli imports github.com/wailsapp/wails"},
		{"permitted library", goPackage{ImportPath: our + "store", Doc: doc, Imports: []string{"go.etcd.io/bbolt/errors"}}, ""},
		{"library with a like name", goPackage{ImportPath: our + "app/flow", Doc: doc, Imports: []string{"go.etcd.io/bboltx"}}, ""},
		{"build may import anything of ours", goPackage{ImportPath: our + "build/bench/floor", Doc: doc, Imports: []string{our + "store", "github.com/wailsapp/wails/v2"}}, ""},
		{"unlisted", goPackage{ImportPath: our + "app/util", Doc: doc}, "add it with its reason"},
		{"no comment", goPackage{ImportPath: our + "app/cti", GoFiles: []string{"a.go"}}, "has no package comment"},
		{"only tests", goPackage{ImportPath: our + "app"}, ""},
		{"broken", goPackage{ImportPath: our + "app/cti", Doc: doc, Error: &struct{ Err string }{"expected ;"}}, "expected ;"},
	} {
		found := violations(test.p)
		switch {
		case test.want == "" && len(found) > 0:
			t.Errorf("%s: found %q", test.name, found)
		case test.want != "" && (len(found) != 1 || !strings.Contains(found[0], test.want)):
			t.Errorf("%s: found %q, want one with %q", test.name, found, test.want)
		}
	}
}

// violations says what is wrong with one package: package, import and rule in each line.
func violations(p goPackage) []string {
	name := short(p.ImportPath)
	var found []string
	if p.Error != nil {
		found = append(found, fmt.Sprintf("%s cannot be read: %s", name, p.Error.Err))
	}
	if len(p.GoFiles) > 0 && strings.TrimSpace(p.Doc) == "" {
		found = append(found, name+" has no package comment: say what it owns and what it must not know")
	}
	i := slices.IndexFunc(ours, func(r rule) bool {
		root, tree := strings.CutSuffix(r.pkg, "/...")
		return r.pkg == name || tree && strings.HasPrefix(name, root+"/")
	})
	if i < 0 {
		return append(found, name+" is not in the table of app/imports_test.go: add it with its reason")
	}
	imports := slices.Concat(p.Imports, p.TestImports)
	slices.Sort(imports)
	for _, path := range slices.Compact(imports) {
		if why := forbidden(ours[i], name, path); why != "" {
			found = append(found, fmt.Sprintf("%s imports %s: %s", name, short(path), why))
		}
	}
	return found
}

// forbidden gives the rule that an import breaks, or "".
func forbidden(r rule, name, path string) string {
	if !within(path, module) {
		for _, lib := range theirs {
			if within(path, lib.prefix) && !slices.Contains(lib.only, name) {
				return fmt.Sprintf("only %s may (%s)", cmp.Or(strings.Join(lib.only, ", "), "nobody"), lib.reason)
			}
		}
		return ""
	}
	if r.not == nil {
		if slices.Contains(r.may, short(path)) {
			return ""
		}
		return fmt.Sprintf("of ours it may import %s", cmp.Or(strings.Join(r.may, ", "), "nothing"))
	}
	if slices.ContainsFunc(r.not, func(not string) bool { return within(short(path), not) }) {
		return fmt.Sprintf("of ours it may import anything but %s", strings.Join(r.not, ", "))
	}
	return ""
}

// within tells whether a path is root or lies in it; a version like .v3 or /v2 belongs to the root.
func within(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/' || rest[0] == '.')
}

func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// list asks go list for every package as one system sees it, without cgo, as the plain build does.
func list(t *testing.T, goos string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,GoFiles,Imports,TestImports,Error", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}
