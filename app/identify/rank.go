package identify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// candidate is a customer who may be the caller, and from when that is known.
type candidate struct {
	customer cti.Customer
	at       time.Time
}

// NewRecord makes a customer's record for the index.
func NewRecord(c cti.Customer, at time.Time, plan *number.Plan) Record {
	r := Record{Customer: c, At: at}
	for _, n := range numbers(c, plan) {
		if n.Key != "" && !slices.Contains(r.Keys, n.Key) {
			r.Keys = append(r.Keys, n.Key)
		}
		if t := tailOf(n); t != "" && !slices.Contains(r.Tails, t) {
			r.Tails = append(r.Tails, t)
		}
	}
	return r
}

// numbers are those of a customer. Some CRMs hold several in one field.
func numbers(c cti.Customer, plan *number.Plan) []cti.Number {
	var all []cti.Number
	for _, written := range c.Numbers {
		all = append(all, plan.WrittenAll(written)...)
	}
	return all
}

// rank grades the candidates and puts the best first: whom the agent chose before, whose page is open, grade, the site's order of types,
// the agent's own customers, open tickets, the most recent activity. Out are those none of whose numbers fits, merged ones, inactive ones if
// anybody else is there, and mere tails if anybody has the whole number.
func (f *Finder) rank(n cti.Number, candidates []candidate, from string) []cti.Match {
	matches := []cti.Match{}
	for _, c := range candidates {
		if m := f.grade(n, c.customer); m.Grade != "" && !strings.EqualFold(c.customer.Status, "merged") {
			m.From, m.At = from, c.at
			matches = append(matches, m)
		}
	}
	matches = f.dropInactive(matches)
	if slices.ContainsFunc(matches, func(m cti.Match) bool { return m.Grade == cti.Sure }) {
		matches = slices.DeleteFunc(matches, func(m cti.Match) bool { return m.Rule == ruleTail })
	}
	f.explain(n, matches)
	slices.SortStableFunc(matches, f.before)
	return matches
}

func (f *Finder) before(a, b cti.Match) int {
	has := func(m cti.Match, why string) int {
		if slices.Contains(m.Why, why) {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(has(b, cti.WhyPicked), has(a, cti.WhyPicked)),
		cmp.Compare(has(b, cti.WhyViewing), has(a, cti.WhyViewing)),
		cmp.Compare(worth[b.Grade], worth[a.Grade]),
		cmp.Compare(f.place(a.Customer.Type), f.place(b.Customer.Type)),
		cmp.Compare(has(b, cti.WhyOwner), has(a, cti.WhyOwner)),
		cmp.Compare(has(b, cti.WhyTicket), has(a, cti.WhyTicket)),
		b.Customer.LastActivityAt.Compare(a.Customer.LastActivityAt))
}

// place is where a type stands in the site's order; those it does not name come last.
func (f *Finder) place(kind string) int {
	if i := slices.Index(f.cfg.Types, kind); i >= 0 {
		return i
	}
	return len(f.cfg.Types)
}

var worth = map[cti.Grade]int{cti.Sure: 3, cti.Likely: 2, cti.Perhaps: 1}

func inactive(m cti.Match) bool { return strings.EqualFold(m.Customer.Status, "inactive") }

// dropInactive leaves inactive customers only where there is nobody else, and then as no more than a perhaps.
func (f *Finder) dropInactive(matches []cti.Match) []cti.Match {
	if slices.ContainsFunc(matches, func(m cti.Match) bool { return !inactive(m) }) {
		return slices.DeleteFunc(matches, inactive)
	}
	for i := range matches {
		matches[i].Grade, matches[i].Why = cti.Perhaps, append(matches[i].Why, cti.WhyInactive)
	}
	return matches
}

// explain adds what makes a candidate come first.
func (f *Finder) explain(n cti.Number, matches []cti.Match) {
	picked, viewing := f.cfg.Picks.Pick(form(n)), ""
	if f.cfg.Viewing != nil {
		viewing = f.cfg.Viewing()
	}
	for i := range matches {
		m := &matches[i]
		for _, r := range []struct {
			code string
			is   bool
		}{
			{cti.WhyPicked, picked != "" && m.Customer.ID == picked}, {cti.WhyViewing, viewing != "" && m.Customer.ID == viewing},
			{cti.WhyOwner, f.owns(m.Customer.Owner)}, {cti.WhyTicket, m.Customer.OpenTickets > 0},
		} {
			if r.is {
				m.Why = append(m.Why, r.code)
			}
		}
	}
}

func (f *Finder) owns(owner string) bool {
	a := f.cfg.Agent
	return owner != "" && slices.ContainsFunc([]string{a.ID, a.Name, a.Email}, func(name string) bool { return strings.EqualFold(owner, name) })
}

// The rules by which a number fits.
const (
	ruleE164     = "e164"
	ruleMainLine = "main_line" // the whole number, whose extension is not known or another one
	ruleNational = "national"
	ruleTail     = "tail"
)

// grade gives the best reason among a customer's numbers.
func (f *Finder) grade(n cti.Number, c cti.Customer) cti.Match {
	best := cti.Match{Customer: c}
	for _, have := range numbers(c, f.cfg.Plan) {
		m := compare(n, have)
		if n.Class == cti.ClassService && m.Grade != "" && isPerson(c.Type) {
			m.Grade = cti.Perhaps // whoever calls from there, it is not this person's own line
		}
		if worth[m.Grade] > worth[best.Grade] {
			m.Customer = c
			best = m
		}
	}
	return best
}

func isPerson(kind string) bool { return kind == "contact" || kind == "lead" || kind == "person" }

// compare tells how two numbers fit; no grade: not at all.
func compare(n, have cti.Number) (m cti.Match) {
	switch {
	case n.E164 != "" && n.E164 == have.E164:
		m.Grade, m.Rule, m.Digits = cti.Sure, ruleE164, len(number.Digits(n.E164))
		switch {
		case n.Ext != "" && have.Ext != "" && n.Ext != have.Ext:
			m.Grade, m.Rule = cti.Perhaps, ruleMainLine
		case n.Ext != have.Ext:
			m.Grade, m.Rule = cti.Likely, ruleMainLine
		}
	case n.Key != "" && n.Key == have.Key && (n.E164 == "" || have.E164 == ""):
		m.Grade, m.Rule, m.Digits = cti.Likely, ruleNational, len(n.Key)
	case n.Key != "" && n.Key == have.Key: // the same digits in two countries
		m.Grade, m.Rule, m.Digits = cti.Perhaps, ruleNational, len(n.Key)
	case n.Class != cti.ClassService && number.SameTail(n.Best(), have.Best(), tailDigits):
		m.Grade, m.Rule, m.Digits = cti.Perhaps, ruleTail, tailDigits
	}
	return m
}
