// Package number turns what phones and CRMs write as a telephone number into forms that can be compared: raw, E.164 and a compare
// key; it tells what stands behind a number, how it is dialled, and how it is masked. Parsing rests on libphonenumber's rules, on the
// habits of exchanges in plans.json, and on what the site's profile says. frontend/shared/number.ts follows the same rules: testdata
// holds both to them. It must not know about calls, CRMs or people.
package number

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"

	"ringside.dev/ringside/app/cti"
)

// Reading is a number with the steps that led to it, for a person who wonders why.
type Reading struct {
	cti.Number

	Why []Step
}

// Step names one thing that was done, or seen, while a number was read.
type Step string

// The steps.
const (
	StepURI         Step = "uri"           // the number stood in a SIP or tel URI
	StepWide        Step = "full_width"    // full-width digits or signs
	StepExtension   Step = "extension"     // an extension was cut off
	StepVanity      Step = "vanity"        // letters stood for digits
	StepTrunkInside Step = "trunk_inside"  // (0) within an international number
	StepOutside     Step = "outside_line"  // the prefix of the outside line was cut off
	StepCarrier     Step = "carrier"       // the prefix of a carrier, or of a cheaper line (IP dial), was cut off
	StepPlus        Step = "international" // it names its country
	StepNoPlus      Step = "plus_missing"  // it names its country, without + or 00
	StepNational    Step = "national"      // valid in this country
	StepPossible    Step = "possible"      // in no table of numbers given out, but of a length this country has
	StepArea        Step = "area_code"     // a local number: the site's own area code was added
	StepList        Step = "listed"        // the profile lists it
	StepShort       Step = "short"         // too short for an outside line
	StepService     Step = "service_range" // in a range of service numbers
	StepNothing     Step = "unreadable"    // nothing here is a telephone number
)

// fewestOutside is how many digits a number of an outside line has at least: shorter ones are extensions.
const fewestOutside = 6

// mostDigits is the longest E.164 number with room for a prefix and an international access code. What is longer is no number.
const mostDigits = 24

// Parse reads a number as people write it, in a CRM or in a profile; a country's numbers are read as those of region, an ISO 3166-1
// alpha-2 code. What cannot be read keeps its Raw, and its Key is its digits. Raw is never changed. Parse never fails.
func Parse(raw, region string) cti.Number { return (&Plan{Region: region}).Parse(raw) }

// Parse reads a number as the site's phones present it.
func (p *Plan) Parse(raw string) cti.Number { return p.Read(raw).Number }

// Caller reads the number of a caller from what the caller says (From) and what the network says, which is believed if it tells anything. What
// the network is asked to keep private (Remote-Party-ID with privacy) is withheld. Several asserted ones are separated by commas (RFC 3325, 9.1).
func (p *Plan) Caller(from, asserted string) cti.Number {
	for _, one := range strings.Split(asserted, ",") {
		n := p.Parse(strings.TrimSpace(one))
		switch {
		case privacyWanted.MatchString(one):
			return cti.Number{Raw: from, Class: cti.ClassWithheld, Withheld: true}
		case n.Class != cti.ClassWithheld && n.Class != cti.ClassInvalid:
			return n
		}
	}
	return p.Parse(from)
}

// Callee reads the number of whom an outgoing call reaches, as Caller does; before it may stand what is dialled for an outside line.
func (p *Plan) Callee(dialled, asserted string) cti.Number {
	out := *p
	if p.DialPrefix != "" {
		out.OutsidePrefix = p.DialPrefix
	}
	n := out.Caller(dialled, asserted)
	if as := p.Caller(dialled, asserted); n.Class == cti.ClassInvalid && as.E164 != "" {
		return as // shown as phones show callers
	}
	return n
}

// privacyWanted is a Remote-Party-ID whose number is not to be shown.
var privacyWanted = regexp.MustCompile(`(?i);[ ]*privacy="?(?:full|uri)`)

// Read is Parse with its reasons.
func (p *Plan) Read(raw string) Reading {
	r := &reader{plan: p, habits: known.Regions[p.Region], Reading: Reading{Number: cti.Number{Raw: raw}}}
	r.read()
	return r.Reading
}

// reader is one number on its way.
type reader struct {
	Reading

	plan   *Plan
	habits habits // those of the plan's region
}

func (r *reader) note(s Step) { r.Why = append(r.Why, s) }

func (r *reader) read() {
	text := r.plain(r.Raw)
	if isWithheld(text) {
		r.Class, r.Withheld = cti.ClassWithheld, true
		return
	}
	text = r.cutExtension(text)
	if text = r.vanity(text); !numeric(text) {
		r.Class = classOfText(text)
		r.note(StepNothing)
		return
	}
	digits := Digits(text)
	r.Key = digits
	switch plus := strings.Contains(text, "+"); {
	case len(digits) > mostDigits || digits == "":
		r.Key, r.Class = "", cti.ClassInvalid
		r.note(StepNothing)
	case !plus && r.plan.Internal.has(digits):
		r.Class = cti.ClassInternal
		r.note(StepList)
	case r.habits.isService(r.home(text)):
		r.service(r.home(text))
	case r.number(text):
		r.classify()
	case r.plan.Own.has(digits) || r.plan.Queues.has(digits):
		r.Class = cti.ClassOwn
		r.note(StepList)
	case len(digits) < fewestOutside && !plus:
		r.Class = cti.ClassInternal
		r.note(StepShort)
	case r.plan.Privacy.has(digits):
		r.Class = cti.ClassPrivacy
		r.note(StepList)
	default:
		r.Class = cti.ClassInvalid
		r.note(StepNothing)
	}
}

// service books a service number. Some are also full numbers (400, 800); the short ones have no E.164.
func (r *reader) service(digits string) {
	r.Class, r.Key = cti.ClassService, digits
	r.note(StepService)
	if n, ok := valid(digits, r.plan.Region); ok && len(n.national) >= fullLength {
		r.take(n)
	}
	if r.plan.Own.has(cmp.Or(strings.TrimPrefix(r.E164, "+"), digits)) {
		r.Class = cti.ClassOwn
		r.note(StepList)
	}
}

// home gives the digits as they are dialled within the country; none of another country's number.
func (r *reader) home(text string) string {
	abroad := r.international(compact(text))
	if len(abroad) == 0 {
		return Digits(text)
	}
	rest, ok := strings.CutPrefix(abroad[0], "+"+countryCode(r.plan.Region))
	if !ok {
		return ""
	}
	return rest
}

// fullLength is from how many digits on a service number has an E.164 form: 95588 is dialled within its country alone.
const fullLength = 8

// classify tells what stands behind a number that was read.
func (r *reader) classify() {
	e164 := strings.TrimPrefix(r.E164, "+")
	switch {
	case r.plan.Own.has(e164) || r.plan.Queues.has(e164):
		r.Class = cti.ClassOwn
		r.note(StepList)
	case r.plan.Privacy.has(e164):
		r.Class = cti.ClassPrivacy
		r.note(StepList)
	case r.servesNationally():
		if r.Class = cti.ClassService; len(r.Key) < fullLength {
			r.E164 = ""
		}
		r.note(StepService)
	default:
		r.Class = cti.ClassPerson
	}
}

// servesNationally looks a number up among the service numbers of its own country.
func (r *reader) servesNationally() bool {
	return known.Regions[regionOf(r.E164)].isService(r.Key)
}

// Digits keeps the ASCII digits of a text.
func Digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII && unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}

// SameTail tells whether the last n digits of two numbers are equal; numbers with fewer than n digits never are.
func SameTail(a, b string, n int) bool {
	a, b = Digits(a), Digits(b)
	return n > 0 && len(a) >= n && len(b) >= n && a[len(a)-n:] == b[len(b)-n:]
}
