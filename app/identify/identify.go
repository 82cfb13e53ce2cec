// Package identify finds the customers behind a number: first among those kept on this computer, then in the CRM, and says how sure it is
// and why. It only reads: looking somebody up never creates anything. It must not know which CRM it asks.
//
//	             ┌─▶ Cached: index, at once ──┐
//	number ─────▶│                            ├─▶ grade ─▶ rank ─▶ matches, the best first
//	             └─▶ Find: CRM, by a deadline ┘     picks, the agent, types
//	                        │ keeps what it found
//	sync: the CRM's changes ─▶ index
package identify

import (
	"context"
	"log/slog"
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

// Picks remembers whom the agent chose for a number. It may be called concurrently.
type Picks interface {
	Pick(number string) (customerID string)
	Remember(number, customerID string) error
	Forget(number string) error
}

// Config says what a finder works with. All fields but Types and Viewing are required.
type Config struct {
	Directory Directory
	Index     Index
	Picks     Picks
	Plan      *number.Plan  // how numbers in the CRM are read
	Agent     cti.Agent     // who works here: customers of theirs come first
	Types     []string      // object types of the CRM, those that come first first
	Viewing   func() string // the customer whose page is open in the browser; nil: nobody knows
	Log       *slog.Logger
}

// The memory of numbers that nobody had.
const (
	nobodyFor = time.Minute // long enough for a caller who tries again at once, short enough for a colleague who adds them
	maxNobody = 1000
)

// Finder is safe for concurrent use.
type Finder struct {
	cfg Config

	mu     sync.Mutex
	nobody map[string]time.Time // by form: when the CRM said so
}

// New makes a finder.
func New(cfg Config) *Finder { return &Finder{cfg: cfg, nobody: map[string]time.Time{}} }

// form is what a number is remembered by: E.164, else the digits.
func form(n cti.Number) string {
	switch {
	case n.E164 != "":
		return n.E164
	case n.Key != "":
		return n.Key
	}
	return n.Raw
}

// tailDigits is how many last digits make two numbers "perhaps" the same.
const tailDigits = 8

func tailOf(n cti.Number) string {
	digits := number.Digits(n.Best())
	if len(digits) < tailDigits {
		return ""
	}
	return digits[len(digits)-tailDigits:]
}

// Cached gives what is known without asking anybody, with the time it is from. It never blocks on the network. What the CRM would have told
// if it had changed is as fresh as the last time it was asked for changes.
func (f *Finder) Cached(n cti.Number) []cti.Match {
	records := f.known(n)
	if len(records) == 0 {
		return []cti.Match{}
	}
	p, err := f.cfg.Index.Progress()
	if err != nil {
		f.cfg.Log.Warn("customer index not read", "err", err)
	}
	var found []candidate
	for _, r := range records {
		if p.FreshAt.After(r.At) {
			r.At = p.FreshAt
		}
		found = append(found, candidate{r.Customer, r.At})
	}
	return f.rank(n, found, cti.FromIndex)
}

func (f *Finder) known(n cti.Number) []Record {
	var keys, tails []string
	if n.Key != "" {
		keys = append(keys, n.Key)
	}
	if tail := tailOf(n); tail != "" && n.Class != cti.ClassService {
		tails = append(tails, tail)
	}
	records, err := f.cfg.Index.Known(keys, tails)
	if err != nil {
		f.cfg.Log.Warn("customer index not read", "err", err)
	}
	return records
}

// Find asks the CRM and keeps the answer. The context's deadline is the look-up's. That nobody has a number is believed for a minute.
func (f *Finder) Find(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	if f.nobodyHas(n) {
		return f.pending(n), nil
	}
	found, err := f.Fresh(ctx, n)
	if err != nil {
		return nil, err
	}
	for _, m := range f.pending(n) {
		if !slices.ContainsFunc(found, func(other cti.Match) bool { return other.Customer.ID == m.Customer.ID }) {
			found = append(found, m)
		}
	}
	return found, nil
}

// pending are the customers of whom a person here said that they have the number, and whom the CRM does not show with it yet.
func (f *Finder) pending(n cti.Number) []cti.Match {
	var found []candidate
	for _, r := range f.known(n) {
		if r.recent(time.Now()) {
			found = append(found, candidate{r.Customer, r.At})
		}
	}
	return f.rank(n, found, cti.FromIndex)
}

// oursFor is how long what a person here said is believed against the CRM: its own search may lag, and the write may still be on its way.
const oursFor = 24 * time.Hour

// recent tells whether a record is believed against the CRM: a customer who was not created yet, or one that a person here made or changed lately.
func (r Record) recent(now time.Time) bool {
	return OnTheirWay(r.Customer) || r.Ours && now.Sub(r.At) < oursFor
}

// Fresh is Find that asks the CRM whatever is remembered.
func (f *Finder) Fresh(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	customers, err := f.cfg.Directory.Lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	f.remember(n, customers, now)
	var found []candidate
	for _, c := range customers {
		found = append(found, candidate{c, now})
	}
	return f.rank(n, found, cti.FromCRM), nil
}

// remember keeps what the CRM said of a number: who has it, and who has it no more.
func (f *Finder) remember(n cti.Number, customers []cti.Customer, now time.Time) {
	there := map[string]bool{}
	var records []Record
	for _, c := range customers {
		there[c.ID] = true
		records = append(records, NewRecord(c, now, f.cfg.Plan))
	}
	var gone []string
	for _, r := range f.known(n) {
		if !r.recent(now) && !there[r.Customer.ID] && f.grade(n, r.Customer).Grade == cti.Sure {
			gone = append(gone, r.Customer.ID)
		}
	}
	if err := f.cfg.Index.Remove(gone); err != nil {
		f.cfg.Log.Warn("customers not removed from the index", "err", err)
	}
	if err := f.cfg.Index.Keep(records); err != nil {
		f.cfg.Log.Warn("customers not kept in the index", "err", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nobody, form(n))
	if len(customers) == 0 {
		if len(f.nobody) >= maxNobody {
			clear(f.nobody)
		}
		f.nobody[form(n)] = now
	}
}

func (f *Finder) nobodyHas(n cti.Number) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.nobody[form(n)]
	return ok && time.Since(at) < nobodyFor
}

// Added takes a customer who was just created or changed: the CRM's own search may not show them for minutes.
func (f *Finder) Added(c cti.Customer) {
	f.mu.Lock()
	clear(f.nobody)
	f.mu.Unlock()
	f.keep(c, true)
}

// Read takes a customer as the CRM has them now, or will have them.
func (f *Finder) Read(c cti.Customer) { f.keep(c, false) }

func (f *Finder) keep(c cti.Customer, ours bool) {
	r := NewRecord(c, time.Now().UTC(), f.cfg.Plan)
	r.Ours = ours
	if err := f.cfg.Index.Keep([]Record{r}); err != nil {
		f.cfg.Log.Warn("customer not kept in the index", "err", err)
	}
}

// Replaced takes a customer out whom the CRM has under another id now.
func (f *Finder) Replaced(id string) {
	if err := f.cfg.Index.Remove([]string{id}); err != nil {
		f.cfg.Log.Warn("customer not removed from the index", "err", err)
	}
}

// Picked remembers that the agent chose this customer for the number.
func (f *Finder) Picked(n cti.Number, customerID string) {
	if err := f.cfg.Picks.Remember(form(n), customerID); err != nil {
		f.cfg.Log.Warn("the agent's pick is not remembered", "err", err)
	}
}

// Wrong forgets whom the agent chose for the number.
func (f *Finder) Wrong(n cti.Number) {
	if err := f.cfg.Picks.Forget(form(n)); err != nil {
		f.cfg.Log.Warn("the agent's pick is not forgotten", "err", err)
	}
}
