// Package identify finds the customers behind a number: first among those seen lately, then in the CRM, and says how sure it is and
// why. It only reads: looking somebody up never creates anything. It must not know which CRM it asks.
package identify

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Directory is where customers are looked up: candidates for a number, nobody is an empty list and not an error.
// It is called concurrently.
type Directory interface {
	Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error)
}

// The limits of the cache of customers seen lately.
const (
	cacheSize = 5000
	cacheFor  = 24 * time.Hour
)

// tailDigits is how many last digits make two numbers "perhaps" the same.
const tailDigits = 8

// Finder is safe for concurrent use.
type Finder struct {
	directory Directory
	plan      *number.Plan

	mu    sync.Mutex
	cache map[string]entry // by compare form
}

type entry struct {
	customers []cti.Customer
	at        time.Time
}

// New makes a finder. The plan is how numbers in the CRM are read.
func New(d Directory, plan *number.Plan) *Finder {
	return &Finder{directory: d, plan: plan, cache: map[string]entry{}}
}

// form is what numbers are filed under: E.164, else the digits.
func form(n cti.Number) string { return cmp.Or(n.E164, n.Key, n.Raw) }

// Cached gives what is known without asking anybody, with the time it is from. It never blocks on the network.
func (f *Finder) Cached(n cti.Number) []cti.Match {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.cache[form(n)]
	if !ok || time.Since(e.at) > cacheFor {
		return nil
	}
	return f.rank(n, e.customers, "cache", e.at)
}

// Find asks the CRM and remembers the answer. The context's deadline is the look-up's.
func (f *Finder) Find(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	customers, err := f.directory.Lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	f.remember(n, customers, now)
	return f.rank(n, customers, "crm", now), nil
}

func (f *Finder) remember(n cti.Number, customers []cti.Customer, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(customers) == 0 {
		delete(f.cache, form(n))
		return
	}
	if len(f.cache) >= cacheSize {
		f.dropOldest()
	}
	f.cache[form(n)] = entry{customers: customers, at: at}
}

func (f *Finder) dropOldest() {
	oldest, at := "", time.Now()
	for key, e := range f.cache {
		if !e.at.After(at) {
			oldest, at = key, e.at
		}
	}
	delete(f.cache, oldest)
}

// rank grades the candidates and puts the best first: grade, then active before inactive, then most recent activity.
// A candidate none of whose numbers fits is left out.
func (f *Finder) rank(n cti.Number, customers []cti.Customer, from string, at time.Time) []cti.Match {
	matches := make([]cti.Match, 0, len(customers))
	for _, c := range customers {
		if m := f.grade(n, c); m.Grade != "" {
			m.From, m.At = from, at
			matches = append(matches, m)
		}
	}
	slices.SortStableFunc(matches, func(a, b cti.Match) int {
		return cmp.Or(
			cmp.Compare(worth[b.Grade], worth[a.Grade]),
			cmp.Compare(activity(b.Customer), activity(a.Customer)),
			b.Customer.LastActivityAt.Compare(a.Customer.LastActivityAt))
	})
	return matches
}

var worth = map[cti.Grade]int{cti.Sure: 3, cti.Likely: 2, cti.Perhaps: 1}

func activity(c cti.Customer) int {
	if c.Status == "inactive" {
		return 0
	}
	return 1
}

// grade gives the best reason among a customer's numbers.
func (f *Finder) grade(n cti.Number, c cti.Customer) cti.Match {
	best := cti.Match{Customer: c}
	for _, raw := range c.Numbers {
		have := f.plan.Written(raw)
		m := cti.Match{Customer: c}
		switch {
		case n.E164 != "" && n.E164 == have.E164:
			m.Grade, m.Rule, m.Digits = cti.Sure, "e164", len(number.Digits(n.E164))
		case n.Key != "" && n.Key == have.Key && (n.E164 == "" || have.E164 == ""):
			m.Grade, m.Rule, m.Digits = cti.Likely, "national", len(n.Key)
		case n.Key != "" && n.Key == have.Key: // the same digits in two countries
			m.Grade, m.Rule, m.Digits = cti.Perhaps, "national", len(n.Key)
		case number.SameTail(n.Best(), have.Best(), tailDigits):
			m.Grade, m.Rule, m.Digits = cti.Perhaps, "tail", tailDigits
		}
		if worth[m.Grade] > worth[best.Grade] {
			best = m
		}
	}
	return best
}
