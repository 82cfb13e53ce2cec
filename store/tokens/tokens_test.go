package tokens_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/tokens"
)

func TestWhatIsStoredIsSealedAndThere(t *testing.T) {
	dir, keys := filepath.Join(t.TempDir(), "state"), ring(t)
	f := tokens.Open(dir, "../hub spot", keys)
	if text, err := f.Load(); text != nil || err != nil {
		t.Fatalf("before anything was stored: %q, %v", text, err)
	}
	for _, text := range []string{"first refresh token", "second refresh token"} {
		if err := f.Store([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := tokens.Open(dir, "../hub spot", keys).Load(); string(got) != text || err != nil {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("the folder holds %v, %v", files, err)
	}
	sealed, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil || bytes.Contains(sealed, []byte("refresh")) {
		t.Errorf("the file is in clear text, %v", err)
	}
	if _, err := tokens.Open(dir, "../hub spot", ring(t)).Load(); err == nil {
		t.Error("another key opens it")
	}
	if err := errors.Join(f.Store(nil), f.Store(nil)); err != nil {
		t.Error(err)
	}
	if text, err := f.Load(); text != nil || err != nil {
		t.Errorf("after it was forgotten: %q, %v", text, err)
	}
}

func TestWithoutAKeyNothingIsWritten(t *testing.T) {
	dir := t.TempDir()
	if err := tokens.Open(dir, "a", secret.Ring{}).Store([]byte("refresh")); err == nil {
		t.Error("it was stored")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

func TestOneAtATime(t *testing.T) {
	dir, keys := t.TempDir(), ring(t)
	unlock, err := tokens.Open(dir, "a", keys).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.Open(dir, "a", keys).Lock(ctx); err == nil {
		t.Error("two have the lock")
	}
	other, err := tokens.Open(dir, "b", keys).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other()
	unlock()
	again, err := tokens.Open(dir, "a", keys).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func ring(t *testing.T) secret.Ring {
	t.Helper()
	r, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
