package crm

import (
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
