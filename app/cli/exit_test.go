package cli_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cli"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
)

func none(string) string { return "" }

func chinese(name string) string { return map[string]string{"LANG": "zh_CN.UTF-8"}[name] }

func TestEveryKindHasItsExitCodeAndItsWords(t *testing.T) {
	want := map[cti.Kind]int{cti.Internal: cli.ExitInternal, cti.Invalid: cli.ExitInvalid, cti.NotFound: cli.ExitNotFound, cti.Conflict: cli.ExitConflict,
		cti.Auth: cli.ExitAuth, cti.Denied: cli.ExitDenied, cti.Limited: cli.ExitLimited, cti.Offline: cli.ExitOffline, cti.Uncertain: cli.ExitUncertain}
	said := map[string]cti.Kind{}
	for _, kind := range kinds(t) {
		err := fmt.Errorf("doing it: %w", cti.Errorf(kind, "the reason", nil))
		if got := cli.ExitCode(err); got != want[kind] || got == cli.ExitOK {
			t.Errorf("%s exits %d, want %d", kind, got, want[kind])
		}
		en, zh := cli.Explain(err, none), cli.Explain(err, chinese)
		if en == zh || !strings.HasSuffix(en, ": doing it: the reason") || !strings.HasSuffix(zh, ": doing it: the reason") {
			t.Errorf("%s says %q and %q", kind, en, zh)
		}
		if other, twice := said[en]; twice {
			t.Errorf("%s says the same as %s", kind, other)
		}
		said[en] = kind
	}
}

func TestNoErrorExitsLikeSuccess(t *testing.T) {
	if got := cli.ExitCode(nil); got != cli.ExitOK {
		t.Errorf("success exits %d", got)
	}
	for _, err := range []error{errors.New("plain"), cti.Errorf("of a newer Ringside", "later", nil), &cti.Error{}, context.Canceled} {
		if got := cli.ExitCode(err); got != cli.ExitInternal {
			t.Errorf("%#v exits %d", err, got)
		}
		if text := cli.Explain(err, none); !strings.HasPrefix(text, "ringside: something went wrong") {
			t.Errorf("%#v is explained %q", err, text)
		}
	}
}

func TestTheKeychainsErrorsHaveTheirExitCodes(t *testing.T) {
	for sentinel, want := range map[error]int{secret.ErrNotFound: cli.ExitNotFound, secret.ErrNoKeychain: cli.ExitOffline, secret.ErrLocked: cli.ExitOffline,
		secret.ErrTimeout: cli.ExitOffline, secret.ErrReadOnly: cli.ExitDenied, secret.ErrInvalid: cli.ExitInvalid} {
		if got := cli.ExitCode(fmt.Errorf("get secret x: %w", sentinel)); got != want {
			t.Errorf("%v exits %d, want %d", sentinel, got, want)
		}
	}
}

// kinds reads the domain's source, so that a kind added there cannot be forgotten here.
func kinds(t *testing.T) []cti.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../cti/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []cti.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) == 0 {
			return true
		}
		kind, isNamed := spec.Type.(*ast.Ident)
		text, isLiteral := spec.Values[0].(*ast.BasicLit)
		if isNamed && isLiteral && kind.Name == "Kind" {
			value, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, cti.Kind(value))
		}
		return true
	})
	if len(found) < 9 {
		t.Fatalf("only %v were found", found)
	}
	return found
}
