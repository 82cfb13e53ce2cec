package number

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"ringside.dev/ringside/app/cti"
)

// Dial gives what the phone is told to dial for a number as a person or a CRM wrote it: extensions and services as they are, national
// numbers as within the country, others with the international access code, all but extensions with the prefix of the outside line.
// What cannot be dialled is kind invalid.
func (p *Plan) Dial(raw string) (string, error) { return p.Dialled(p.Written(raw)) }

// Dialled is Dial for a number that was read.
func (p *Plan) Dialled(n cti.Number) (string, error) {
	switch {
	case n.Class == cti.ClassInternal:
		return internalDigits(n.Raw), nil
	case n.E164 != "":
		return p.DialPrefix + p.fromHere(n.E164), nil
	case n.Class == cti.ClassService || n.Class == cti.ClassOwn || n.Class == cti.ClassPrivacy:
		return p.DialPrefix + n.Key, nil
	}
	return "", cti.Errorf(cti.Invalid, "this cannot be dialled: it is no telephone number", nil)
}

// written is the plan for numbers as people write them: without the prefix that phones add.
func (p *Plan) written() *Plan {
	w := *p
	w.OutsidePrefix = ""
	return &w
}

// Written reads a number as people write it, in a CRM or by hand.
func (p *Plan) Written(raw string) cti.Number { return p.written().Parse(raw) }

// separators stand between two numbers in one field.
var separators = regexp.MustCompile(`[;,、，；/|\n]| or | und | oder |或`)

// WrittenAll reads a field that may hold several numbers.
func (p *Plan) WrittenAll(raw string) []cti.Number {
	whole := p.Written(raw)
	parts := separators.Split(raw, -1)
	if whole.E164 != "" || len(parts) == 1 {
		return []cti.Number{whole}
	}
	var all []cti.Number
	for _, part := range parts {
		if n := p.Written(part); n.E164 != "" {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return []cti.Number{whole}
	}
	return all
}

func internalDigits(raw string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789*#", r) {
			return r
		}
		return -1
	}, ascii(raw))
}

// fromHere is a number in E.164 as it is dialled in the plan's region.
func (p *Plan) fromHere(e164 string) string {
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil || p.Region == "" {
		return e164
	}
	if dialled := Digits(phonenumbers.FormatOutOfCountryCallingNumber(parsed, p.Region)); regionOf(e164) != p.Region {
		return dialled
	}
	return Digits(phonenumbers.Format(parsed, phonenumbers.NATIONAL))
}

// Written is the number as people write it for abroad, +49 30 901820; "" where the country is not known.
func Written(n cti.Number) string {
	if n.E164 == "" {
		return ""
	}
	parsed, err := phonenumbers.Parse(n.E164, "ZZ")
	if err != nil {
		return ""
	}
	return phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)
}
