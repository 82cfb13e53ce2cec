package crmtest

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/*.yaml
var files embed.FS

// File gives the path of a connector for the sandbox that differs from the preset in its strategy: "sandbox-header", "sandbox-probe",
// "sandbox-uncertain" or "sandbox-post". The text is changed by pairs of old and new; an old text that is not in it fails the test.
// All of them expect Traits.PlainPosts and take the parameters base_url, token and per_second.
func File(t testing.TB, name string, oldNew ...string) string {
	t.Helper()
	b, err := files.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i+1 < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("%s has no %q", name, oldNew[i])
		}
		text = strings.ReplaceAll(text, oldNew[i], oldNew[i+1])
	}
	path := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
