package cli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ringside.dev/ringside/bridge/bria/briatest"
)

// TestBriaScripts runs testdata/bria: as TestScripts, with a Bria of ours ($BRIA) whose certificate ringctl trusts.
func TestBriaScripts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("ringctl trusts the test's certificate through SSL_CERT_FILE")
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "bria"),
		Setup: func(e *testscript.Env) error {
			if err := surround(e); err != nil {
				return err
			}
			s, err := briatest.Start()
			if err != nil {
				return err
			}
			e.Defer(s.Close)
			e.Values[briaKey{}] = s
			e.Setenv("BRIA", s.Address())
			e.Setenv("SSL_CERT_FILE", filepath.Join(e.WorkDir, "bria.pem"))
			return os.WriteFile(e.Getenv("SSL_CERT_FILE"), s.Certificate, 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": ready, "card": card, "field": field, "place": place, "live": live, "caller": caller,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type briaKey struct{}

// caller rings NUMBER NAME | hangs-up NUMBER: what happens at the other end of Bria's line.
func caller(ts *testscript.TestScript, _ bool, args []string) {
	s, is := ts.Value(briaKey{}).(*briatest.Server)
	if !is {
		ts.Fatalf("there is no Bria")
	}
	switch args[0] {
	case "rings":
		s.Ring(args[1], args[2])
	case "hangs-up":
		id, err := s.Find(args[1])
		ts.Check(err)
		ts.Check(s.FarHangsUp(id))
	default:
		ts.Fatalf("a caller does not do this: %s", args[0])
	}
}
