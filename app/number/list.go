package number

import (
	"fmt"
	"regexp"
	"strings"
)

// List holds numbers and ranges of them, as a profile names them.
type List struct{ entries []listed }

// listed is one entry: from and to are digits of one length; a prefix is a range of any length.
type listed struct {
	from, to string
	prefix   bool
}

// entryForm is how an entry is written: 1001, 10xx, 1000-1999, +86170*, +8617012340000-+8617012349999.
var entryForm = regexp.MustCompile(`^(\+?[\d ().]+?)(x*|\*)$`)

// NewList reads the entries of a list; national numbers are read as those of region. An error names the entry.
func NewList(entries []string, region string) (List, error) {
	var l List
	for _, text := range entries {
		e, err := newListed(text, region)
		if err != nil {
			return List{}, err
		}
		l.entries = append(l.entries, e)
	}
	return l, nil
}

func newListed(text, region string) (listed, error) {
	plain := ascii(text)
	if from, to, ok := rangeOf(plain); ok {
		e := listed{from: compared(from, region), to: compared(to, region)}
		if len(e.from) != len(e.to) || e.from > e.to {
			return listed{}, fmt.Errorf("%q: the second number of a range is at least the first, and as long", text)
		}
		return e, nil
	}
	found := entryForm.FindStringSubmatch(strings.ReplaceAll(plain, "-", ""))
	if len(found) == 0 || Digits(found[1]) == "" {
		return listed{}, fmt.Errorf("%q is neither a number (1001), nor one with open digits (10xx), nor a range (1000-1999), nor a beginning (+86170*)", text)
	}
	if found[2] == "*" {
		return listed{from: Digits(found[1]), prefix: true}, nil
	}
	if open := len(found[2]); open > 0 {
		digits := Digits(found[1])
		return listed{from: digits + strings.Repeat("0", open), to: digits + strings.Repeat("9", open)}, nil
	}
	digits := compared(plain, region)
	return listed{from: digits, to: digits}, nil
}

// rangeOf splits what is a range, and not a number with a dash in it: both halves are whole numbers of one length.
func rangeOf(text string) (from, to string, ok bool) {
	for _, sign := range []string{" - ", "-", "…", ".."} {
		if from, to, ok = strings.Cut(text, sign); ok && Digits(from) != "" && len(Digits(from)) == len(Digits(to)) && !strings.Contains(to, "-") && from[:1] != "0" {
			return strings.TrimSpace(from), strings.TrimSpace(to), true
		}
	}
	return "", "", false
}

// compared gives the digits that an entry is compared by: those of E.164, else as written.
func compared(text, region string) string {
	n := Parse(text, region)
	if n.E164 != "" {
		return strings.TrimPrefix(n.E164, "+")
	}
	return Digits(text)
}

// has looks digits up.
func (l List) has(digits string) bool {
	for _, e := range l.entries {
		if e.prefix && strings.HasPrefix(digits, e.from) || !e.prefix && len(digits) == len(e.from) && digits >= e.from && digits <= e.to {
			return true
		}
	}
	return false
}
