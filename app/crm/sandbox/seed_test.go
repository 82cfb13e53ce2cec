package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func sown(t *testing.T, seed uint64) *book {
	t.Helper()
	b, err := sow(seed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func spelled(t *testing.T, b *book) string {
	t.Helper()
	text, err := json.Marshal([]any{b.companies.rows, b.contacts.rows, b.calls.rows, b.tickets.rows, b.orders.rows, b.tasks.rows})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSeedIsFiveHundredCustomersTheSameEachTime(t *testing.T) {
	b := sown(t, 0)
	if n := len(b.contacts.rows); n != 500 {
		t.Fatalf("%d customers", n)
	}
	if spelled(t, b) != spelled(t, sown(t, defaultSeed)) {
		t.Fatal("the same seed gave two books")
	}
	if spelled(t, b) == spelled(t, sown(t, 7)) {
		t.Fatal("two seeds gave one book")
	}
	chinese := len(b.contacts.where(func(c contact) bool { return c.Name[0] >= 0x80 }))
	inactive := len(b.contacts.where(func(c contact) bool { return c.Status == "inactive" }))
	if chinese < 280 || chinese > 320 || inactive < 15 || len(b.companies.rows) != 120 {
		t.Fatalf("chinese %d, inactive %d, companies %d", chinese, inactive, len(b.companies.rows))
	}
}

func TestSeedHasTheCustomersThatTheDemoRings(t *testing.T) {
	for _, seed := range []uint64{0, 1, 99} {
		b := sown(t, seed)
		for i, want := range []string{"陈丽华", "Eleanor Whitfield", "Margaret Ashdown", "Daniel Ashdown"} {
			if b.contacts.rows[i].Name != want {
				t.Errorf("customer %d is %s", i, b.contacts.rows[i].Name)
			}
		}
		calls := len(b.calls.where(func(c Call) bool { return isOf(c.ContactID, "c_000001") }))
		open := len(b.tickets.where(func(t ticket) bool { return isOf(t.ContactID, "c_000001") && t.Status == "open" }))
		orders := len(b.orders.where(func(o order) bool { return o.ContactID == "c_000001" }))
		if calls != 3 || open != 2 || orders != 2 {
			t.Errorf("seed %d: calls %d, open tickets %d, orders %d", seed, calls, open, orders)
		}
	}
}

func TestSeededNumbersAreSharedOnPurposeOnly(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 3} {
		b := sown(t, seed)
		who := map[string][]string{} // last digits: spellings
		for _, c := range b.contacts.rows {
			for _, p := range c.Phones {
				d := digits(p.Number)
				end := d[len(d)-suffixDigits:]
				who[end] = append(who[end], p.Label+p.Number)
			}
		}
		shared := 0
		for end, spellings := range who {
			if len(spellings) == 1 {
				continue
			}
			shared++
			// On purpose means copied: the very same spelling. Mobiles are never shared.
			if len(slices.Compact(spellings)) != 1 || strings.HasPrefix(spellings[0], "mobile") {
				t.Errorf("seed %d: numbers ending in %s collide: %v", seed, end, spellings)
			}
		}
		if shared < 3 || shared > 25 {
			t.Errorf("seed %d: %d shared numbers", seed, shared)
		}
	}
}

func TestSeedLiesBeforeItsDay(t *testing.T) {
	b := sown(t, 0)
	for _, c := range b.contacts.rows {
		if c.LastActivityAt.Year() > 2026 || c.LastActivityAt.Month() == 11 && c.LastActivityAt.Year() == 2026 {
			t.Fatalf("%s was active at %s", c.ID, c.LastActivityAt)
		}
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crm.json")
	s := begin(t, Options{File: file, Seed: 5})
	c := dial(t, s)
	c.do(201, "PUT", "/api/calls/by-key/kept", callBody)
	c.do(201, "POST", "/api/contacts", `{"name":"Kept Person"}`)
	before := spelled(t, s.store.book)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := begin(t, Options{File: file})
	if spelled(t, again.store.book) != before || len(withKey(again, "kept")) != 1 {
		t.Fatal("the restarted server knows something else")
	}
	dial(t, again).do(200, "PUT", "/api/calls/by-key/kept", `{"note":"still the same record"}`)
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("state file: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Fatalf("temporary files left: %v", left)
	}
}

func TestAChangeThatCannotBePersistedIsTakenBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := begin(t, Options{File: filepath.Join(dir, "crm.json")})
	before := spelled(t, s.store.book)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	wantRefusal(t, c.do(500, "PUT", "/api/calls/by-key/unkept", callBody), "internal", "")
	if spelled(t, s.store.book) != before || len(withKey(s, "unkept")) != 0 {
		t.Fatal("memory holds what the disk does not")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.do(201, "PUT", "/api/calls/by-key/unkept", callBody)
}

func TestABrokenStateFileIsRefusedAndLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crm.json")
	for _, text := range []string{`{"version":1`, `{"version":9}`, `{"version":1}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(t.Context(), Options{File: file}); err == nil {
			t.Fatalf("started with %s", text)
		}
		if left, err := os.ReadFile(file); err != nil || string(left) != text {
			t.Fatalf("the file is now %s, %v", left, err)
		}
	}
}
