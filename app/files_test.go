package app_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
)

// only gives the files of a folder with their texts.
func only(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.csv")
	write := func(text string, failing error) error {
		return app.WriteWhole(path, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, failing)
		})
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the list broke off")
	if err := write("half", broken); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if got := only(t, dir); len(got) != 1 || got["outbox.csv"] != "first" {
		t.Errorf("the folder holds %q", got)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	if err := write("second", nil); err != nil || only(t, dir)["outbox.csv"] != "second" {
		t.Errorf("it was not replaced: %v %q", err, only(t, dir))
	}
}

func TestAFileThatCannotBeWrittenIsTheCallersMistake(t *testing.T) {
	err := app.WriteWhole(filepath.Join(t.TempDir(), "nowhere", "x.csv"), func(io.Writer) error { return nil })
	if cti.KindOf(err) != cti.Invalid || cti.MessageOf(err) != "the file cannot be written there" {
		t.Errorf("the error is %v", err)
	}
}
