package cti

import "log/slog"

// Number is a telephone number in the three forms that are kept apart: Raw as received (never overwritten), E164 where it
// could be parsed, and Key, the national significant number that is compared. Withheld means there is none to look up.
type Number struct {
	Raw      string      `json:"number"`
	E164     string      `json:"e164,omitempty"`
	Key      string      `json:"key,omitempty"`
	Ext      string      `json:"ext,omitempty"` // what is dialled once the main number has answered
	Class    NumberClass `json:"class,omitempty"`
	Withheld bool        `json:"withheld,omitempty"` // the class says so, too
}

// NumberClass tells what stands behind a number.
type NumberClass string

// The classes of numbers.
const (
	ClassPerson   NumberClass = "person"   // an outside line: somebody, or a company
	ClassService  NumberClass = "service"  // 400, 800, 95xxx, emergency: an organisation, never a person
	ClassWithheld NumberClass = "withheld" // there is none
	ClassOwn      NumberClass = "own"      // one of the company's own, or a queue's
	ClassInternal NumberClass = "internal" // an extension
	ClassPrivacy  NumberClass = "privacy"  // one that a platform lends to callers for a while (AXB): it tells nobody
	ClassInvalid  NumberClass = "invalid"  // no telephone number: the name of a SIP user, a typing error
)

// Tells says whether a number can tell who it is, so that looking it up makes sense. A number of before there were classes does.
func (n Number) Tells() bool {
	switch n.Class {
	case ClassWithheld, ClassOwn, ClassInternal, ClassPrivacy:
		return false
	case ClassInvalid:
		return n.Key != "" // digits, if of no country: a CRM may hold the same ones
	case ClassPerson, ClassService, "":
	}
	return !n.Withheld && n.Best() != ""
}

// Best is the form to show and to compare with when only one can be used: E.164, else raw.
func (n Number) Best() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.Raw
}

// LogValue keeps numbers out of the logs, whichever digits the site hides elsewhere: a call's leg tells calls apart.
func (n Number) LogValue() slog.Value {
	if n.Withheld || n.Best() == "" {
		return slog.StringValue("withheld")
	}
	return slog.StringValue("***")
}
