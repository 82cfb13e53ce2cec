package presence_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/presence"
)

func ring(t *testing.T) secret.Ring {
	t.Helper()
	keys, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func open(t *testing.T, dir string, keys secret.Ring, log *slog.Logger) *presence.Journal {
	t.Helper()
	j, err := presence.Open(dir, keys, 400*24*time.Hour, log)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func change(at time.Time, state cti.Presence, reason string) cti.PresenceChange {
	return cti.PresenceChange{At: at, State: state, Reason: reason, By: cti.ByPerson, Before: cti.Ready, LastedMS: 5000}
}

func TestWhatWasAppendedIsThereAfterARestartAndSealed(t *testing.T) {
	dir, keys, now := t.TempDir(), ring(t), time.Now().UTC().Truncate(time.Millisecond)
	want := []cti.PresenceChange{change(now.AddDate(0, -2, 0), cti.NotReady, "Mittagspause"), change(now, cti.Ready, "")}
	j := open(t, dir, keys, slog.New(slog.DiscardHandler))
	for _, c := range want {
		if err := j.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open(t, dir, keys, slog.New(slog.DiscardHandler)).Since(time.Time{})
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if got, err := j.Since(now); err != nil || len(got) != 1 {
		t.Errorf("since now: %d, %v; want one", len(got), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v; want a file for each month", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || bytes.Contains(text, []byte("Mittagspause")) {
			t.Errorf("%s holds the reason in clear text (%v)", f, err)
		}
	}
}

func TestATornLineCostsItselfAlone(t *testing.T) {
	dir, keys, now := t.TempDir(), ring(t), time.Now().UTC()
	var said bytes.Buffer
	j := open(t, dir, keys, slog.New(slog.NewTextHandler(&said, nil)))
	for range 2 {
		if err := j.Append(change(now, cti.Ready, "")); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, now.Format("presence-2006-01.sealed"))
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, info.Size()-9); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(change(now, cti.NotReady, "Lunch")); err != nil {
		t.Fatal(err)
	}
	got, err := j.Since(time.Time{})
	if err != nil || len(got) != 2 || got[1].Reason != "Lunch" || !bytes.Contains(said.Bytes(), []byte("lines=1")) {
		t.Errorf("%v, %+v, said %q; want the first and the last, and a word about the one between", err, got, said.String())
	}
}

func TestOldMonthsAreRemoved(t *testing.T) {
	dir, keys, now := t.TempDir(), ring(t), time.Now().UTC()
	j := open(t, dir, keys, slog.New(slog.DiscardHandler))
	for _, at := range []time.Time{now.AddDate(-2, 0, 0), now} {
		if err := j.Append(change(at, cti.Ready, "")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := open(t, dir, keys, slog.New(slog.DiscardHandler)).Since(time.Time{}); err != nil || len(got) != 1 {
		t.Errorf("%d changes, %v; want the new one", len(got), err)
	}
}

func TestWithoutAKeyNothingIsWrittenInClear(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, secret.Ring{}, slog.New(slog.DiscardHandler)).Append(change(time.Now(), cti.Ready, "")); err == nil {
		t.Error("written without a key")
	}
}
