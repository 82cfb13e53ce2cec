package local

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

const (
	fewestDigits  = 5  // a shorter number is an extension, not a customer
	maxCandidates = 50 // more people do not share a number
	tailDigits    = 8  // compared where one side cannot be read as a whole number
	foundBy       = 7  // digits; shorter numbers by all they have
)

// tail is the end of a customer's number: what narrows a million customers down to a few, which are then compared.
type tail struct {
	digits uint32
	at     int32 // in people
}

// tailOf gives the end of a number; those of different lengths are never equal.
func tailOf(digits string) uint32 {
	const beyond = 10_000_000 // what foundBy digits cannot be
	digits = digits[max(0, len(digits)-foundBy):]
	value, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0 // digits alone come here
	}
	return uint32(value) + uint32(foundBy-len(digits))*beyond //nolint:gosec // both are small
}

// list is customers who do not change; it may be read concurrently.
type list struct {
	people []cti.Customer
	byID   map[string]int32
	tails  []tail // sorted
}

func newList(people []cti.Customer, tails []tail) *list {
	l := &list{people: people, tails: tails, byID: make(map[string]int32, len(people))}
	for i, c := range people {
		l.byID[c.ID] = int32(i)
	}
	slices.SortFunc(l.tails, func(a, b tail) int { return cmp.Or(cmp.Compare(a.digits, b.digits), cmp.Compare(a.at, b.at)) })
	l.tails = slices.Compact(l.tails)
	return l
}

func (l *list) get(id string) (cti.Customer, bool) {
	at, ok := l.byID[id]
	if !ok {
		return cti.Customer{}, false
	}
	return l.people[at], true
}

// with gives the customers who have the number, in the order of the list.
func (l *list) with(ctx context.Context, plan *number.Plan, asked cti.Number) (found []cti.Customer) {
	digits := tailOf(asked.Key)
	from, _ := slices.BinarySearchFunc(l.tails, digits, func(t tail, digits uint32) int { return cmp.Compare(t.digits, digits) })
	for _, t := range l.tails[from:] {
		if t.digits != digits || len(found) == maxCandidates || ctx.Err() != nil {
			break
		}
		if c := l.people[t.at]; slices.ContainsFunc(c.Numbers, func(raw string) bool { return fits(plan, asked, raw) }) {
			found = append(found, c)
		}
	}
	return found
}

// fits compares a number of the list with one that calls, as the connectors of CRMs do.
func fits(plan *number.Plan, asked cti.Number, raw string) bool {
	have := plan.Written(raw)
	switch {
	case have.Withheld:
		return false
	case have.E164 != "" && asked.E164 != "":
		bothAbroad := international(raw) && international(asked.Raw) // both say their country
		return have.E164 == asked.E164 || have.Key == asked.Key && !bothAbroad
	}
	return have.Key == asked.Key || number.SameTail(have.Key, asked.Key, tailDigits)
}

func international(raw string) bool {
	raw = strings.TrimSpace(raw)
	return strings.HasPrefix(raw, "+") || strings.HasPrefix(raw, "＋") || strings.HasPrefix(raw, "00")
}

// query is what a person searches for.
type query struct {
	words  []string // lower case; each must be in one of the texts
	digits string   // or this in one of the numbers
}

func queryOf(plan *number.Plan, text string) query {
	q := query{words: strings.Fields(strings.ToLower(text))}
	if n := plan.Written(text); len(n.Key) > 2 { // fewer digits are in most numbers
		q.digits = n.Key
	}
	return q
}

func (q query) finds(c cti.Customer) bool {
	if q.digits != "" && slices.ContainsFunc(c.Numbers, func(raw string) bool { return strings.Contains(number.Digits(raw), q.digits) }) {
		return true
	}
	if len(q.words) == 0 {
		return false
	}
	text := strings.ToLower(c.Name + "\n" + c.Company + "\n" + c.Email)
	for _, word := range q.words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// search gives customers until yield has enough.
func (l *list) search(ctx context.Context, q query, yield func(cti.Customer) bool) {
	const often = 1000
	for i, c := range l.people {
		if i%often == 0 && ctx.Err() != nil || q.finds(c) && !yield(c) {
			return
		}
	}
}
