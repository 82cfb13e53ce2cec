package crm

import (
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// How far the CRM's own match is checked here. It is never trusted by itself: servers match tails, words, or drop a filter they do
// not know and send everybody.
const (
	verifyStrict  = "strict"   // a number of the candidate must fit
	verifyBlankOK = "blank_ok" // or it shows none at all: some CRMs hide numbers from ordinary users
	verifyOff     = "off"      // the CRM matched by an exact key of ours
)

const (
	fewestDigits = 5 // a shorter number is an extension, not a customer
	tailDigits   = 8 // compared where one side cannot be read as a whole number
)

// candidateForms are the spellings of a number that a CRM may be asked for, each made of the number's parts.
var candidateForms = map[string]func(n cti.Number, national string) string{
	"tail8":    func(_ cti.Number, national string) string { return national[max(0, len(national)-tailDigits):] },
	"e164":     func(n cti.Number, _ string) string { return n.E164 },
	"digits":   func(n cti.Number, _ string) string { return number.Digits(n.E164) },
	"national": func(_ cti.Number, national string) string { return national },
	"trunk":    func(_ cti.Number, national string) string { return "0" + national },
	"raw":      func(n cti.Number, _ string) string { return n.Raw },
	"spaced":   func(n cti.Number, _ string) string { return number.Written(n) },
}

// spellings are those of a number that look-ups try, one after the other; without candidates once, whatever the steps make of it.
func (e *Engine) spellings(n cti.Number, phone vars) []string {
	if len(e.candidates) == 0 {
		return []string{n.Best()}
	}
	var out []string
	for _, form := range e.candidates {
		if text := candidateForms[form](n, number.Digits(textOf(phone["national"]))); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// verified tells whether a candidate really has the number.
func (e *Engine) verified(asked cti.Number, c cti.Customer) bool {
	if e.verify == verifyOff || e.verify == verifyBlankOK && len(c.Numbers) == 0 {
		return true
	}
	for _, raw := range c.Numbers {
		if e.fits(asked, raw) {
			return true
		}
	}
	return false
}

func (e *Engine) fits(asked cti.Number, raw string) bool {
	have := number.Parse(raw, e.region)
	switch {
	case have.Withheld:
		return false
	case have.E164 != "" && have.E164 == asked.E164:
		return true
	case international(raw) && international(asked.Raw):
		return false // both say their country, and differ
	case have.E164 != "" && asked.E164 != "":
		return have.Key == asked.Key // the country of one of them was assumed
	}
	return have.Key != "" && have.Key == asked.Key || number.SameTail(have.Key, asked.Key, tailDigits)
}

func international(raw string) bool {
	raw = strings.TrimSpace(raw)
	return strings.HasPrefix(raw, "+") || strings.HasPrefix(raw, "＋") || strings.HasPrefix(raw, "00")
}
