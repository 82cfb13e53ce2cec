package customers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"ringside.dev/ringside/store/customers"
	"ringside.dev/ringside/store/storetest"
)

func openPicks(t *testing.T, path string) *customers.Picks {
	t.Helper()
	p, err := customers.OpenPicks(path, storetest.Keys(), slog.New(slog.DiscardHandler))
	must(t, err)
	return p
}

func TestPicksSurviveAStartAndTellNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), customers.PicksFileName)
	p := openPicks(t, path)
	must(t, p.Remember("+8613800138000", "c1"))
	must(t, p.Remember("+8613800138000", "c2"))
	must(t, p.Remember("+8613900139000", "c3"))
	must(t, p.Forget("+8613900139000"))
	must(t, p.Forget("never there"))
	p = openPicks(t, path)
	if p.Pick("+8613800138000") != "c2" || p.Pick("+8613900139000") != "" {
		t.Errorf("picked are %q and %q", p.Pick("+8613800138000"), p.Pick("+8613900139000"))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if bytes.Contains(text, []byte("13800138000")) || bytes.Contains(text, []byte("c2")) {
		t.Error("the file holds a number or a customer in clear text")
	}
}

func TestDamagedPicksArePutAsideAndBeginAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), customers.PicksFileName)
	must(t, openPicks(t, path).Remember("+8613800138000", "c1"))
	text, err := os.ReadFile(path)
	must(t, err)
	text[len(text)/2] ^= 1
	must(t, os.WriteFile(path, text, 0o600))
	p := openPicks(t, path)
	if p.Pick("+8613800138000") != "" {
		t.Error("a pick came from a damaged file")
	}
	aside, err := os.ReadFile(path + ".damaged")
	if err != nil || !bytes.Equal(aside, text) {
		t.Errorf("the damaged file is not kept: %v", err)
	}
	must(t, p.Remember("+8613800138000", "c2"))
	if openPicks(t, path).Pick("+8613800138000") != "c2" {
		t.Error("after it nothing is remembered")
	}
}

func TestTheOldestPickGoesFirst(t *testing.T) {
	p := openPicks(t, filepath.Join(t.TempDir(), customers.PicksFileName))
	p.AtMost(10)
	for i := range 12 {
		must(t, p.Remember(fmt.Sprint("n", i), "c"))
	}
	if p.Pick("n0") != "" || p.Pick("n1") != "" || p.Pick("n2") != "c" || p.Pick("n11") != "c" {
		t.Error("not the oldest two are gone")
	}
}
