package customers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/identify"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/customers"
	"ringside.dev/ringside/store/storetest"
)

var seen = time.Date(2026, 11, 23, 5, 32, 18, 0, time.UTC)

func open(t *testing.T, path string, change ...func(*customers.Options)) *customers.Index {
	t.Helper()
	o := customers.Options{Path: path, Keys: storetest.Keys(), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	x, err := customers.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Vet(); err != nil {
		t.Logf("vetted: %v", err)
	}
	t.Cleanup(func() { _ = x.Close() }) // a test that closed it itself has judged that
	return x
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), customers.FileName) }

func record(id string, at time.Time, keys ...string) identify.Record {
	r := identify.Record{Customer: cti.Customer{ID: id, Name: "Customer " + id, Numbers: keys}, Keys: keys, At: at}
	for _, k := range keys {
		r.Tails = append(r.Tails, k[max(0, len(k)-8):])
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ids gives who is found by keys and tails.
func ids(t *testing.T, x *customers.Index, keys, tails []string) []string {
	t.Helper()
	found, err := x.Known(keys, tails)
	must(t, err)
	var all []string
	for _, r := range found {
		all = append(all, r.Customer.ID)
	}
	slices.Sort(all)
	return all
}

func size(t *testing.T, x *customers.Index) int {
	t.Helper()
	s, err := x.Size()
	must(t, err)
	return s.Customers
}

func TestCustomersAreFoundByAnyOfTheirNumbers(t *testing.T) {
	x := open(t, file(t))
	one := record("c1", seen, "13800138000", "2165550134")
	must(t, x.Keep([]identify.Record{one, record("c2", seen, "2165550134")}))
	for _, c := range []struct {
		keys, tails []string
		want        []string
	}{
		{[]string{"13800138000"}, nil, []string{"c1"}},
		{[]string{"2165550134"}, nil, []string{"c1", "c2"}},
		{nil, []string{"00138000"}, []string{"c1"}},
		{[]string{"2165550134"}, []string{"65550134"}, []string{"c1", "c2"}},
		{[]string{"00138000"}, []string{"13800138000"}, nil},
	} {
		if got := ids(t, x, c.keys, c.tails); !slices.Equal(got, c.want) {
			t.Errorf("keys %v and tails %v find %v, want %v", c.keys, c.tails, got, c.want)
		}
	}
	found, err := x.Known([]string{"13800138000"}, nil)
	must(t, err)
	if diff := cmp.Diff([]identify.Record{one}, found); diff != "" {
		t.Error(diff)
	}
}

func TestAChangedCustomerIsFoundByItsNewNumbersOnly(t *testing.T) {
	x := open(t, file(t))
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000"), record("c2", seen, "13800138000")}))
	must(t, x.Keep([]identify.Record{record("c1", seen.Add(time.Hour), "13900139000")}))
	if got := ids(t, x, []string{"13800138000"}, []string{"00138000"}); !slices.Equal(got, []string{"c2"}) {
		t.Errorf("the old number finds %v", got)
	}
	if got := ids(t, x, []string{"13900139000"}, nil); !slices.Equal(got, []string{"c1"}) {
		t.Errorf("the new number finds %v", got)
	}
	must(t, x.Remove([]string{"c2", "never there"}))
	if got := ids(t, x, []string{"13800138000"}, []string{"00138000"}); len(got) != 0 || size(t, x) != 1 {
		t.Errorf("of the removed one the number still finds %v, %d are left", got, size(t, x))
	}
}

func TestWhatIsKeptIsThereAfterAStart(t *testing.T) {
	path := file(t)
	x := open(t, path)
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000")}))
	p := identify.Progress{Cursor: "page 7", Full: seen, Done: 1400, FullAt: seen.Add(-time.Hour), FreshAt: seen}
	must(t, x.SetProgress(p))
	must(t, x.Close())
	x = open(t, path)
	if got := ids(t, x, []string{"13800138000"}, nil); len(got) != 1 {
		t.Errorf("found %v", got)
	}
	if got, err := x.Progress(); err != nil || got != p {
		t.Errorf("progress %+v, %v", got, err)
	}
}

func TestTheFileTellsNobody(t *testing.T) {
	path := file(t)
	x := open(t, path)
	var all []identify.Record
	for i := range 300 {
		all = append(all, record(fmt.Sprintf("customer-%d", i), seen, fmt.Sprintf("1380013%04d", i)))
	}
	must(t, x.Keep(all))
	must(t, x.SetProgress(identify.Progress{Cursor: "modified-after-13800130007"}))
	must(t, x.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	for _, secret := range []string{"13800130007", "00130007", "customer-7", "Customer customer", "modified-after"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the file holds %q in clear text", secret)
		}
	}
}

func TestTheOldestGoFirst(t *testing.T) {
	x := open(t, file(t), func(o *customers.Options) { o.Most = 10 })
	for i := range 25 {
		must(t, x.Keep([]identify.Record{record(fmt.Sprintf("c%02d", i), seen.Add(time.Duration(i)*time.Minute), fmt.Sprintf("138001380%02d", i))}))
	}
	if n := size(t, x); n != 10 {
		t.Errorf("%d customers are kept, want 10", n)
	}
	if got := ids(t, x, []string{"13800138014", "13800138015", "13800138024"}, nil); !slices.Equal(got, []string{"c15", "c24"}) {
		t.Errorf("found %v, want the newest ten only", got)
	}
	n, err := x.RemoveBefore(seen.Add(20*time.Minute), func(c cti.Customer) bool { return c.ID == "c17" })
	if err != nil || n != 4 || size(t, x) != 6 {
		t.Errorf("removed %d of before, %v; %d are left, want 4 and 6", n, err, size(t, x))
	}
	if got := ids(t, x, []string{"13800138016", "13800138017", "13800138018"}, nil); !slices.Equal(got, []string{"c17"}) {
		t.Errorf("left are %v, want who stays", got)
	}
}

func TestAnotherKeyBeginsAnew(t *testing.T) {
	path := file(t)
	x := open(t, path)
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000")}))
	must(t, x.Close())
	other, err := secret.NewRing()
	must(t, err)
	x = open(t, path, func(o *customers.Options) { o.Keys = other })
	if n := size(t, x); n != 0 {
		t.Errorf("%d customers of another key are there", n)
	}
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000")}))
	if got := ids(t, x, []string{"13800138000"}, nil); len(got) != 1 {
		t.Errorf("found %v", got)
	}
}

// Whatever happens to the file, the index opens, never gives a wrong customer, and works again.
func TestADamagedFileIsMadeAnew(t *testing.T) {
	whole := func(t *testing.T) (string, []byte) {
		t.Helper()
		path := file(t)
		x := open(t, path)
		var all []identify.Record
		for i := range 500 {
			all = append(all, record(fmt.Sprintf("c%d", i), seen, fmt.Sprintf("1380013%04d", i)))
		}
		must(t, x.Keep(all))
		must(t, x.Close())
		text, err := os.ReadFile(path)
		must(t, err)
		return path, text
	}
	harms := map[string]func([]byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"garbage":    func(b []byte) []byte { return bytes.Repeat([]byte("garbage "), len(b)/8) },
		"short":      func(b []byte) []byte { return b[:len(b)/2] },
		"both metas": func(b []byte) []byte { clear(b[:8192]); return b },
	}
	for at := range 8 { // every eighth page of a part of the file is lost
		harms[fmt.Sprintf("pages %d", at)] = func(b []byte) []byte {
			for p := 2 + at; (p+1)*4096 <= len(b); p += 8 {
				clear(b[p*4096 : (p+1)*4096])
			}
			return b
		}
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			path, text := whole(t)
			must(t, os.WriteFile(path, harm(text), 0o600))
			x := open(t, path)
			for i := range 500 {
				key := fmt.Sprintf("1380013%04d", i)
				found, _ := x.Known([]string{key}, nil) // an error is a cache that has nothing
				for _, r := range found {
					if r.Customer.Numbers[0] != key {
						t.Fatalf("%s finds %+v", key, r)
					}
				}
			}
			again := record("new", seen, "13900139000")
			if err := x.Keep([]identify.Record{again}); err != nil {
				must(t, x.Keep([]identify.Record{again})) // the first one found the damage
			}
			if got := ids(t, x, []string{"13900139000"}, nil); !slices.Equal(got, []string{"new"}) {
				t.Errorf("after it, %v is found", got)
			}
		})
	}
}

// One that was not closed is checked before anybody is found in it.
func TestAfterAKillNothingIsFoundUntilItIsVetted(t *testing.T) {
	path, copied := file(t), file(t)
	x := open(t, path)
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000")}))
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(copied, text, 0o600))
	killed, err := customers.Open(customers.Options{Path: copied, Keys: storetest.Keys(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer func() { must(t, killed.Close()) }()
	if got := ids(t, killed, []string{"13800138000"}, nil); len(got) != 0 {
		t.Errorf("before it was vetted it found %v", got)
	}
	must(t, killed.Vet())
	if got := ids(t, killed, []string{"13800138000"}, nil); !slices.Equal(got, []string{"c1"}) {
		t.Errorf("vetted, it finds %v", got)
	}
}

func TestAClearedIndexIsEmpty(t *testing.T) {
	x := open(t, file(t))
	must(t, x.Keep([]identify.Record{record("c1", seen, "13800138000")}))
	must(t, x.SetProgress(identify.Progress{Cursor: "page 7"}))
	must(t, x.Clear())
	p, err := x.Progress()
	if got := ids(t, x, []string{"13800138000"}, nil); len(got) != 0 || err != nil || p != (identify.Progress{}) {
		t.Errorf("found %v, progress %+v, %v", got, p, err)
	}
}

func TestLookingUpWhileKeeping(t *testing.T) {
	x := open(t, file(t))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				found, err := x.Known([]string{"13800130001"}, nil)
				if err != nil || len(found) == 1 && found[0].Customer.ID != "c1" {
					t.Errorf("found %+v, %v", found, err)
					return
				}
			}
		})
	}
	for round := range 20 {
		var all []identify.Record
		for i := range 50 {
			all = append(all, record(fmt.Sprintf("c%d", i), seen.Add(time.Duration(round)*time.Second), fmt.Sprintf("1380013%04d", i)))
		}
		must(t, x.Keep(all))
	}
	close(stop)
	wg.Wait()
}
