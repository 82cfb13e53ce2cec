package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ringside.dev/ringside/app/secret"
)

func TestASecretInAFileIsReadOnlyWhereNobodyElseCanReadIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has the keychain")
	}
	path := filepath.Join(t.TempDir(), "pbx")
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := secret.FromFile(path); got != "hunter2" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o644, 0o610} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		got, err := secret.FromFile(path)
		if got != "" || !errors.Is(err, secret.ErrExposed) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), path) {
			t.Errorf("mode %o: %q, %v", mode, got, err)
		}
	}
}

func TestASecretOfAnotherUserIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "pbx")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if got, err := secret.FromFile(path); got != "" || !errors.Is(err, secret.ErrExposed) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNoSecretFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	long := filepath.Join(dir, "long")
	if err := errors.Join(os.WriteFile(empty, []byte("\n"), 0o600), os.WriteFile(long, make([]byte, secret.MaxValue+5), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, empty, long} {
		if got, err := secret.FromFile(path); got != "" || runtime.GOOS != "windows" && !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := secret.FromFile(filepath.Join(dir, "none")); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
}

func TestACredentialComesFromTheUnitsFolder(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) string { return map[string]string{"CREDENTIALS_DIRECTORY": dir}[name] }
	if err := os.WriteFile(filepath.Join(dir, "pbx"), []byte("hunter2"), 0o440); err != nil {
		t.Fatal(err)
	}
	if got, err := secret.FromCredential("pbx", env); runtime.GOOS != "windows" && (got != "hunter2" || err != nil) { // which has no units, nor files that are private so
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := secret.FromCredential("../pbx", env); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("a path out of the folder: %v", err)
	}
	if _, err := secret.FromCredential("pbx", func(string) string { return "" }); !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "LoadCredential=pbx") {
		t.Errorf("without a unit: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(filepath.Join(dir, "pbx"), 0o444); err != nil {
		t.Fatal(err)
	}
	if got, err := secret.FromCredential("pbx", env); got != "" || !errors.Is(err, secret.ErrExposed) {
		t.Errorf("readable by all: %q, %v", got, err)
	}
}
