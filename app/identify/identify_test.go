package identify_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/store/customers"
	"ringside.dev/ringside/store/storetest"
)

// rig is a finder with a real index, and a CRM that answers what the test says.
type rig struct {
	t       *testing.T
	answer  func(n cti.Number) ([]cti.Customer, error)
	asked   int
	viewing string
	index   *customers.Index
	picks   *customers.Picks
	finder  *identify.Finder
}

func (r *rig) Lookup(_ context.Context, n cti.Number) ([]cti.Customer, error) {
	r.asked++
	return r.answer(n)
}

var shanghai = &number.Plan{Region: "CN", AreaCode: "21"}

func newRig(t *testing.T, known ...cti.Customer) *rig {
	t.Helper()
	r := &rig{t: t, answer: func(cti.Number) ([]cti.Customer, error) { return known, nil }}
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	var err error
	if r.index, err = customers.Open(customers.Options{Path: filepath.Join(dir, customers.FileName), Keys: storetest.Keys(), Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, r.index.Close()) })
	if r.picks, err = customers.OpenPicks(filepath.Join(dir, customers.PicksFileName), storetest.Keys(), log); err != nil {
		t.Fatal(err)
	}
	r.finder = identify.New(identify.Config{Directory: r, Index: r.index, Picks: r.picks, Plan: shanghai, Types: []string{"account", "contact"},
		Agent: cti.Agent{ID: "u_1", Name: "Lin Yue", Email: "lin.yue@ringside.example"}, Viewing: func() string { return r.viewing }, Log: log})
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) find(raw string) []cti.Match {
	r.t.Helper()
	found, err := r.finder.Find(r.t.Context(), shanghai.Parse(raw))
	must(r.t, err)
	return found
}

func ids(matches []cti.Match) []string {
	var all []string
	for _, m := range matches {
		all = append(all, m.Customer.ID)
	}
	return all
}

func person(id string, numbers ...string) cti.Customer {
	return cti.Customer{ID: id, Type: "contact", Name: "Customer " + id, Numbers: numbers}
}

func TestNumbersAreGradedByHowTheyFit(t *testing.T) {
	for _, c := range []struct {
		name, calls, stored string
		kind                string
		grade               cti.Grade
		rule                string
		digits              int
	}{
		{"the same, spelled differently", "013800138000", "+86 138-0013-8000", "contact", cti.Sure, "e164", 13},
		{"one of several in a field", "13800138000", "021-65550134 / 138 0013 8000", "contact", cti.Sure, "e164", 13},
		{"a local number without area code", "65550134", "(021) 6555-0134", "contact", cti.Sure, "e164", 12},
		{"the main line of one with an extension", "021-65550134", "021-65550134转8012", "contact", cti.Likely, "main_line", 12},
		{"the same extension", "021-65550134转8012", "021-65550134-8012", "contact", cti.Sure, "e164", 12},
		{"another extension", "021-65550134转8012", "021-65550134-8013", "contact", cti.Perhaps, "main_line", 12},
		{"the same digits, unreadable on both sides", "138001380001", "138001380001", "contact", cti.Likely, "national", 12},
		{"the tail alone", "13800138000", "+44 161 0013 8000", "contact", cti.Perhaps, "tail", 8},
		{"a service number of a company", "400-812-3123", "4008123123", "account", cti.Sure, "e164", 12},
		{"a service number of a person", "400-812-3123", "4008123123", "contact", cti.Perhaps, "e164", 12},
		{"the tail of a service number", "4008123123", "+44 20 0812 3123", "account", "", "", 0},
		{"another number", "13800138000", "13900139000", "contact", "", "", 0},
		{"no number at all", "13800138000", "ask Mary", "contact", "", "", 0},
	} {
		found := newRig(t, cti.Customer{ID: "c1", Type: c.kind, Numbers: []string{c.stored}}).find(c.calls)
		if c.grade == "" {
			if len(found) != 0 {
				t.Errorf("%s: %+v, want nobody", c.name, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Grade != c.grade || found[0].Rule != c.rule || found[0].Digits != c.digits || found[0].From != cti.FromCRM || found[0].At.IsZero() {
			t.Errorf("%s: %+v, want %s by %s on %d digits", c.name, found, c.grade, c.rule, c.digits)
		}
	}
}

func TestTheSameDigitsInTwoCountriesAreOnlyPerhaps(t *testing.T) {
	r := newRig(t, person("maine", "+1 207 946 0999"))
	found, err := r.finder.Find(t.Context(), number.Parse("02079460999", "GB"))
	if err != nil || len(found) != 1 || found[0].Grade != cti.Perhaps {
		t.Errorf("a number of another country is %+v, %v; want perhaps: a person must pick", found, err)
	}
}

// Each rule beats all that come after it.
func TestCandidatesAreRanked(t *testing.T) {
	const n = "13800138000"
	old, fresh := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	with := func(id string, change func(*cti.Customer)) cti.Customer {
		c := person(id, n)
		c.LastActivityAt = old
		change(&c)
		return c
	}
	r := newRig(t,
		with("recent", func(c *cti.Customer) { c.LastActivityAt = fresh }),
		with("old", func(*cti.Customer) {}),
		with("ticket", func(c *cti.Customer) { c.OpenTickets = 1 }),
		with("owned", func(c *cti.Customer) { c.Owner = "LIN.YUE@ringside.example" }),
		with("account", func(c *cti.Customer) { c.Type = "account" }),
		with("lead", func(c *cti.Customer) { c.Type, c.LastActivityAt = "lead", fresh }),
		with("viewed", func(c *cti.Customer) { c.Type = "lead" }),
		with("picked", func(c *cti.Customer) { c.Type = "lead" }),
		with("inactive", func(c *cti.Customer) { c.Status, c.Type, c.LastActivityAt = "inactive", "account", fresh }),
		with("merged", func(c *cti.Customer) { c.Status = "merged" }),
		with("tail", func(c *cti.Customer) { c.Numbers = []string{"+44 161 0013 8000"} }))
	must(t, r.picks.Remember("+8613800138000", "picked"))
	r.viewing = "viewed"
	want := []string{"picked", "viewed", "account", "owned", "ticket", "recent", "old", "lead"}
	if got := ids(r.find(n)); !slices.Equal(got, want) {
		t.Errorf("ranked %v\nwant   %v", got, want)
	}
}

func TestInactiveCustomersAreShownOnlyWhereThereIsNobodyElse(t *testing.T) {
	gone := person("gone", "13800138000")
	gone.Status = "inactive"
	found := newRig(t, gone).find("13800138000")
	if len(found) != 1 || found[0].Grade != cti.Perhaps || !slices.Contains(found[0].Why, cti.WhyInactive) {
		t.Errorf("%+v, want a perhaps that says why", found)
	}
}

func TestAPickIsRememberedForItsNumberAndCanBeTakenBack(t *testing.T) {
	r := newRig(t, person("c1", "021-65550134"), person("c2", "021-65550134", "13800138000"))
	n := shanghai.Parse("6555 0134")
	if r.find("02165550134")[0].Picked() {
		t.Error("nobody picked and somebody is first for that")
	}
	r.finder.Picked(n, "c2")
	found := r.find("+862165550134")
	if !slices.Equal(ids(found), []string{"c2", "c1"}) || !found[0].Picked() || found[1].Picked() {
		t.Errorf("after the pick: %+v", found)
	}
	if r.find("13800138000")[0].Picked() {
		t.Error("the pick counts for another number, too")
	}
	r.finder.Wrong(n)
	if r.find("02165550134")[0].Picked() {
		t.Error("the pick was taken back and still counts")
	}
}

func TestWhoCalledOnceIsKnownWithoutTheCRM(t *testing.T) {
	r := newRig(t, person("c1", "+44 20 7946 0123", "13800138000"))
	if got := r.finder.Cached(shanghai.Parse("0044 20 7946 0123")); len(got) != 0 {
		t.Fatalf("an empty index answers %+v", got)
	}
	r.find("+442079460123")
	r.answer = func(cti.Number) ([]cti.Customer, error) { return nil, cti.Errorf(cti.Offline, "down", nil) }
	if _, err := r.finder.Find(t.Context(), shanghai.Parse("13800138000")); cti.KindOf(err) != cti.Offline {
		t.Errorf("the CRM is down and Find says %v", err)
	}
	got := r.finder.Cached(shanghai.Parse("013800138000"))
	if len(got) != 1 || got[0].Customer.ID != "c1" || got[0].From != cti.FromIndex || time.Since(got[0].At) > time.Minute {
		t.Errorf("by the other number the index gives %+v", got)
	}
}

func TestWhoTheCRMHasNoMoreIsForgotten(t *testing.T) {
	r := newRig(t, person("c1", "13800138000"))
	r.find("13800138000")
	r.answer = func(cti.Number) ([]cti.Customer, error) { return nil, nil }
	r.find("13800138000")
	if got := r.finder.Cached(shanghai.Parse("13800138000")); len(got) != 0 {
		t.Errorf("a customer the CRM has no more is still known: %+v", got)
	}
}

func TestThatNobodyHasANumberIsBelievedForAWhile(t *testing.T) {
	r := newRig(t)
	r.find("13800138000")
	r.find("+86 138 0013 8000")
	if r.asked != 1 {
		t.Errorf("the CRM was asked %d times, want once", r.asked)
	}
	r.find("13900139000")
	if r.asked != 2 {
		t.Errorf("of another number the CRM was not asked")
	}
	// A customer who was just created is found at once, whatever the CRM's search knows.
	r.finder.Added(person("new", "13800138000"))
	if got := r.finder.Cached(shanghai.Parse("13800138000")); !slices.Equal(ids(got), []string{"new"}) {
		t.Errorf("known are %v", ids(got))
	}
	if r.find("13800138000"); r.asked != 3 {
		t.Error("after that the CRM is not asked again")
	}
}

func TestAFailedLookUpIsNotRemembered(t *testing.T) {
	r := newRig(t, person("c1", "13800138000"))
	good := r.answer
	r.answer = func(cti.Number) ([]cti.Customer, error) { return nil, errors.New("no") }
	if _, err := r.finder.Find(t.Context(), shanghai.Parse("13800138000")); err == nil {
		t.Fatal("no error")
	}
	r.answer = good
	if got := ids(r.find("13800138000")); !slices.Equal(got, []string{"c1"}) {
		t.Errorf("found %v", got)
	}
}

// Nothing the CRM has told since makes a customer out of date: they are as fresh as the last time it was asked.
func TestWhoDidNotChangeIsAsFreshAsTheLastSynchronisation(t *testing.T) {
	r := newRig(t)
	old, fresh := time.Now().Add(-48*time.Hour).UTC(), time.Now().Add(-time.Minute).UTC()
	must(t, r.index.Keep([]identify.Record{identify.NewRecord(person("c1", "13800138000"), old, shanghai)}))
	if at := r.finder.Cached(shanghai.Parse("13800138000"))[0].At; !at.Equal(old) {
		t.Errorf("without a synchronisation it is from %v", at)
	}
	must(t, r.index.SetProgress(identify.Progress{FreshAt: fresh}))
	if at := r.finder.Cached(shanghai.Parse("13800138000"))[0].At; !at.Equal(fresh) {
		t.Errorf("after one it is from %v, want %v", at, fresh)
	}
}
