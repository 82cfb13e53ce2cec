package number

import (
	"regexp"
	"strings"
	"unicode"

	"ringside.dev/ringside/app/cti"
)

// Mode says which digits of a customer's number a surface may show.
type Mode string

// The modes. Middle is the habit in China: 138****8000.
const (
	ShowAll    Mode = "none"
	MaskMiddle Mode = "middle4" // the four before the last four
	MaskLast4  Mode = "last4"
	MaskLast8  Mode = "last8"
	MaskAll    Mode = "all"
)

// Modes are all there are, the most open first.
func Modes() []Mode { return []Mode{ShowAll, MaskMiddle, MaskLast4, MaskLast8, MaskAll} }

// allMasked does not even tell how long the number is.
const allMasked = "********"

// hidden tells whether a mode hides a digit, counted from the last one, of a number with so many digits. Of a number with four digits or
// fewer nothing would be hidden by some modes, so all of it is.
func (m Mode) hidden(fromEnd, digits int) bool {
	const four, eight = 4, 8
	switch {
	case m == ShowAll:
		return false
	case digits <= four:
		return true
	case m == MaskMiddle:
		return fromEnd > four && fromEnd <= eight
	case m == MaskLast4:
		return fromEnd <= four
	case m == MaskLast8:
		return fromEnd <= eight
	}
	return true // all, and a mode that is not known: better too much than too little
}

// Mask hides digits of one number as it is written, and leaves the signs between them. The letters of a SIP user count as digits. Text that may hold
// more than a number is for Field or Text.
func (m Mode) Mask(text string) string {
	digits := 0
	for _, r := range text {
		if masked(r) {
			digits++
		}
	}
	if m == MaskAll && digits > 0 || m == "" {
		return allMasked
	}
	left := digits
	return strings.Map(func(r rune) rune {
		if !masked(r) {
			return r
		}
		left--
		if m.hidden(left+1, digits) {
			return '*'
		}
		return r
	}, text)
}

func masked(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Field masks what a field for numbers holds, as the plan reads it: each number by itself. What cannot be read shows nothing.
func (m Mode) Field(p *Plan, written string) string {
	if m == ShowAll || written == "" {
		return written
	}
	var shown []string
	for _, n := range p.WrittenAll(written) {
		shown = append(shown, m.Number(n).Raw)
	}
	return strings.Join(shown, " / ")
}

// Number masks all forms of a number. What is no customer's (extensions, services, the company's own) is shown.
func (m Mode) Number(n cti.Number) cti.Number {
	switch n.Class {
	case cti.ClassService, cti.ClassOwn, cti.ClassInternal, cti.ClassWithheld:
		return n
	case cti.ClassPerson, cti.ClassPrivacy, cti.ClassInvalid, "":
	}
	if m == ShowAll || n.Withheld {
		return n
	}
	digits := n.E164
	if digits == "" {
		digits = n.Key
	}
	if n.Raw = allMasked; digits != "" { // of a number that could not be read, the digits alone: what stands around them may be a host, or another number
		n.Raw = m.Mask(digits)
	}
	n.E164, n.Key = "", ""
	return n
}

// written is what may be a number within other text.
var written = regexp.MustCompile(`\+?[\d\x{ff10}-\x{ff19}](?:[\d\x{ff10}-\x{ff19} ()./\x{2010}-\x{2015}-]*[\d\x{ff10}-\x{ff19}])?`)

// sameTail is how many last digits tell that a text repeats a number.
const sameTail = 7

// Text masks numbers where other text (a name, a note, a subject) repeats them. Other numbers stay: they may be those of orders.
func (m Mode) Text(text string, numbers ...cti.Number) string {
	if m == ShowAll || text == "" {
		return text
	}
	return written.ReplaceAllStringFunc(text, func(found string) string {
		for _, n := range numbers {
			found = m.within(found, Digits(n.Best()))
		}
		return found
	})
}

// Numbers masks whatever in a text reads as a number of an outside line, whoever's it is; where all is hidden, also what may be one.
func (m Mode) Numbers(p *Plan, text string) string {
	if m == ShowAll || text == "" {
		return text
	}
	return written.ReplaceAllStringFunc(text, func(found string) string {
		n := p.Callee(found, "")
		switch {
		case n.E164 != "" && (n.Class == cti.ClassPerson || n.Class == cti.ClassPrivacy):
			return m.within(found, Digits(n.E164))
		case m == MaskAll && len(Digits(ascii(found))) >= sameTail:
			return allMasked
		}
		return found
	})
}

// within masks the digits of a group that are those of a number; before and behind them others may stand.
func (m Mode) within(group, number string) string {
	if len(number) < sameTail {
		return group
	}
	tail := number[len(number)-sameTail:]
	runes := []rune(group)
	var digits []byte
	var at []int // of each digit in the group
	for i, r := range runes {
		if d := Digits(ascii(string(r))); d != "" {
			digits, at = append(digits, d[0]), append(at, i)
		}
	}
	for from := 0; ; {
		found := strings.Index(string(digits[from:]), tail)
		if found < 0 {
			return string(runes)
		}
		begin, end := from+found, from+found+sameTail
		for before := len(number) - sameTail - 1; begin > 0 && before >= 0 && digits[begin-1] == number[before]; before-- {
			begin--
		}
		for i := begin; i < end; i++ {
			if m.hidden(end-i, end-begin) {
				runes[at[i]] = '*'
			}
		}
		from = end
	}
}
