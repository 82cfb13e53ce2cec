package identify_test

import (
	"context"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/number"
)

type directory func(ctx context.Context, n cti.Number) ([]cti.Customer, error)

func (d directory) Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error) {
	return d(ctx, n)
}

func always(customers ...cti.Customer) directory {
	return func(context.Context, cti.Number) ([]cti.Customer, error) { return customers, nil }
}

func TestMatchesAreGradedAndRanked(t *testing.T) {
	old, fresh := time.Unix(1000, 0), time.Unix(2000, 0)
	f := identify.New(always(
		cti.Customer{ID: "tail", Numbers: []string{"+44 161 0013 8000"}},
		cti.Customer{ID: "stranger", Numbers: []string{"+86 10 6552 9988"}},
		cti.Customer{ID: "inactive", Numbers: []string{"13800138000"}, Status: "inactive", LastActivityAt: fresh},
		cti.Customer{ID: "old", Numbers: []string{"021-6555 0134", "138 0013 8000"}, LastActivityAt: old},
		cti.Customer{ID: "fresh", Numbers: []string{"+86 138-0013-8000"}, LastActivityAt: fresh},
	), &number.Plan{Region: "CN"})
	got, err := f.Find(context.Background(), number.Parse("013800138000", "CN"))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		id    string
		grade cti.Grade
	}{{"fresh", cti.Sure}, {"old", cti.Sure}, {"inactive", cti.Sure}, {"tail", cti.Perhaps}}
	if len(got) != len(want) {
		t.Fatalf("got %d matches, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if got[i].Customer.ID != w.id || got[i].Grade != w.grade || got[i].From != "crm" || got[i].Digits == 0 {
			t.Errorf("match %d is %+v, want %s %s from crm", i, got[i], w.id, w.grade)
		}
	}
}

func TestACachedCustomerIsThereWithoutTheCRM(t *testing.T) {
	answers := []cti.Customer{{ID: "c1", Numbers: []string{"+44 20 7946 0123"}}}
	down := false
	f := identify.New(directory(func(context.Context, cti.Number) ([]cti.Customer, error) {
		if down {
			return nil, cti.Errorf(cti.Offline, "down", nil)
		}
		return answers, nil
	}), &number.Plan{Region: "GB"})
	n := number.Parse("020 7946 0123", "GB")
	if got := f.Cached(n); len(got) != 0 {
		t.Fatalf("an empty cache answers %+v", got)
	}
	if _, err := f.Find(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	down = true
	if _, err := f.Find(context.Background(), n); cti.KindOf(err) != cti.Offline {
		t.Errorf("the CRM is down and Find says %v", err)
	}
	got := f.Cached(number.Parse("+442079460123", "GB"))
	if len(got) != 1 || got[0].Customer.ID != "c1" || got[0].From != "cache" || got[0].At.IsZero() {
		t.Errorf("the cache gives %+v", got)
	}
	answers, down = nil, false // deleted in the CRM
	if _, err := f.Find(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	if got := f.Cached(n); len(got) != 0 {
		t.Errorf("a customer the CRM no longer has is still cached: %+v", got)
	}
}

func TestTheSameDigitsInTwoCountriesAreOnlyPerhaps(t *testing.T) {
	f := identify.New(always(cti.Customer{ID: "maine", Numbers: []string{"+1 207 946 0999"}}), &number.Plan{Region: "GB"})
	got, err := f.Find(context.Background(), number.Parse("02079460999", "GB"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Grade != cti.Perhaps {
		t.Errorf("a number of another country is %+v, want perhaps: a person must pick", got)
	}
}
