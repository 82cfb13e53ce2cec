package local

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

const (
	maxNumbers = 20 // of one customer
	maxTags    = 20
)

// fieldOf gives where a column's text goes.
func fieldOf(c *cti.Customer, to column) *string {
	switch to {
	case colID:
		return &c.ID
	case colCompany:
		return &c.Company
	case colEmail:
		return &c.Email
	case colStatus:
		return &c.Status
	case colOwner:
		return &c.Owner
	default:
		return &c.Name
	}
}

// first sets what is not set yet.
func first(to *string, text string) {
	if *to == "" {
		*to = text
	}
}

// fullName joins the parts of a name as they are written: the family name first and without a blank where names are Chinese.
func fullName(given, family string) string {
	if strings.ContainsFunc(family, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return family + given
	}
	return strings.TrimSpace(given + " " + family)
}

var tagSigns = regexp.MustCompile(`\s*(?:[,;|，；、\n]|:::)\s*`)

// tagsOf splits a field of tags. Google writes " ::: " between them.
func tagsOf(text string) (tags []string) {
	for _, tag := range tagSigns.Split(text, -1) {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// scientific is what a spreadsheet makes of a long number: the digits behind the first few are lost.
var scientific = regexp.MustCompile(`^\d(?:[.,]\d+)?[eE]\+?\d+$`)

// take adds a customer, or says why not. An error means that there are too many.
func (r *reader) take(line int, c cti.Customer) error {
	written := c.Numbers
	c.Numbers = nil
	var tails []uint32
	for _, raw := range written {
		raw = unescaped(raw)
		if scientific.MatchString(raw) {
			r.spoil(line, "a number was shortened by a spreadsheet: set the column's format to text and type it again")
			continue
		}
		numbers, ends := numbersOf(r.plan, raw)
		if len(ends) == 0 {
			r.spoil(line, "what stands for a number is none")
		}
		c.Numbers, tails = append(c.Numbers, numbers...), append(tails, ends...)
	}
	c.Numbers = c.Numbers[:min(len(c.Numbers), maxNumbers)]
	for _, text := range []*string{&c.ID, &c.Name, &c.Company, &c.Email, &c.Status, &c.Owner} {
		*text = cti.Clean(unescaped(*text), cti.MaxText)
	}
	for i, tag := range c.Tags {
		c.Tags[i] = cti.Clean(tag, cti.MaxText)
	}
	c.Tags = c.Tags[:min(len(c.Tags), maxTags)]
	if c.Name == "" && c.Company == "" && len(tails) == 0 {
		r.leave(line, "it has no name and no number")
		return nil
	}
	first(&c.Name, c.Company)
	return r.add(line, c, tails)
}

// add puts a customer on the list. Rows of one id and name are one customer: some lists have a row for each number.
func (r *reader) add(line int, c cti.Customer, tails []uint32) error {
	if _, _, pending := cti.CreatedBy(c.ID); pending {
		r.leave(line, "an id must not begin like that of a customer who is on their way")
		return nil
	}
	if c.ID == "" {
		c.ID = derived(c.Name, tails)
	}
	if strings.ContainsRune(strings.Join(append(c.Tags, c.Name, c.Company), ""), unicode.ReplacementChar) {
		r.spoil(line, "some characters cannot be read")
	}
	at, known := r.byID[c.ID]
	switch {
	case known && r.people[at].Name != c.Name:
		r.leave(line, "its id is that of another customer above")
		return nil
	case known:
		p := &r.people[at]
		p.Numbers = append(p.Numbers, c.Numbers...)
		p.Numbers = p.Numbers[:min(len(p.Numbers), maxNumbers)]
	case len(r.people) == maxPeople:
		return cti.Errorf(cti.Invalid, "the contacts file has more than 1,000,000 rows: leave out those that no caller needs", nil)
	default:
		at = len(r.people)
		r.byID[c.ID] = at
		r.people = append(r.people, packed(c))
	}
	for _, digits := range tails {
		r.tails = append(r.tails, tail{digits, int32(at)}) //nolint:gosec // at most maxPeople
	}
	return nil
}

func (r *reader) leave(line int, why string) {
	r.count++
	if len(r.leftOut) < maxNamed {
		r.leftOut = append(r.leftOut, LeftOut{line, why})
	}
}

func (r *reader) spoil(line int, why string) {
	if len(r.spoiled) < maxNamed {
		r.spoiled = append(r.spoiled, LeftOut{line, why})
	}
}

// derived is the id of a customer whose row has none: the same as long as the name and the end of the first number are.
func derived(name string, tails []uint32) string {
	var end [4]byte
	if len(tails) > 0 {
		binary.BigEndian.PutUint32(end[:], tails[0])
	}
	sum := sha256.Sum256(append(end[:], name...))
	return "f-" + hex.EncodeToString(sum[:8])
}

// packed keeps a customer's texts in one piece of memory, without the rest of the row.
func packed(c cti.Customer) cti.Customer {
	c.Type = "contact"
	parts := []*string{&c.ID, &c.Name, &c.Company, &c.Email, &c.Status, &c.Owner}
	c.Numbers, c.Tags = append([]string(nil), c.Numbers...), append([]string(nil), c.Tags...)
	for i := range c.Numbers {
		parts = append(parts, &c.Numbers[i])
	}
	for i := range c.Tags {
		parts = append(parts, &c.Tags[i])
	}
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(*p)
	}
	rest := all.String()
	for _, p := range parts {
		*p, rest = rest[:len(*p)], rest[len(*p):]
	}
	return c
}

// numbersOf splits a field of numbers, and gives what each is found by.
func numbersOf(plan *number.Plan, raw string) (numbers []string, tails []uint32) {
	if digits, plain := plainNumber(raw); plain {
		return []string{raw}, []uint32{tailOf(digits)}
	}
	for _, n := range plan.WrittenAll(strings.ReplaceAll(raw, ":::", ";")) { // Google writes " ::: " between them
		if kept := cti.Clean(n.Raw, cti.MaxText); kept != n.Raw {
			n = plan.Written(kept) // what is kept is what will be compared
		}
		if n.Withheld || len(n.Key) < fewestDigits {
			continue
		}
		numbers = append(numbers, n.Raw)
		tails = append(tails, tailOf(n.Key))
	}
	return numbers, tails
}

// plainNumber tells a number of which no more than its beginning is open to doubt: nothing but digits and blanks, and so many that the last
// ones are those of its key; behind 00, a country and a trunk zero there may be too few. Reading it in full takes a hundred times as long, which a list of a million would feel.
func plainNumber(raw string) (digits string, ok bool) {
	const fewest, most = 11, 15
	for i, c := range raw {
		if c != ' ' && (c < '0' || c > '9') && (c != '+' || i > 0) {
			return "", false
		}
	}
	digits = number.Digits(raw)
	return digits, len(digits) >= fewest && len(digits) <= most && !strings.HasPrefix(digits, "00")
}
