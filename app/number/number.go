// Package number turns what phones and CRMs write as a telephone number into forms that can be compared: raw, E.164 and a compare
// key. Parsing rests on libphonenumber's rules. It must not know about calls, CRMs or people.
package number

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"ringside.dev/ringside/app/cti"
)

// withheld are the spellings of "no number" that phones and exchanges send as the caller's user name.
var withheld = map[string]bool{
	"anonymous": true, "restricted": true, "private": true, "unavailable": true, "unknown": true, "withheld": true,
	"匿名": true, "未知": true, "私人号码": true, "隐藏号码": true,
}

// Parse fills E164 and Key of a number as received. Region is the ISO 3166-1 alpha-2 code in which national numbers are read.
// What cannot be read as a telephone number (an extension, an alphabetic SIP user) keeps its Raw, and its Key is its digits.
// An empty or withheld number is marked Withheld. Raw is never changed. Parse never fails.
func Parse(raw, region string) cti.Number {
	n := cti.Number{Raw: raw}
	text := plain(raw)
	if text == "" || withheld[strings.ToLower(text)] {
		n.Withheld = true
		return n
	}
	parsed, err := phonenumbers.ParseAndKeepRawInput(text, region)
	if err != nil || !plausible(parsed) {
		n.Key = Digits(text)
		return n
	}
	n.E164 = phonenumbers.Format(parsed, phonenumbers.E164)
	n.Key = phonenumbers.GetNationalSignificantNumber(parsed)
	return n
}

// plausible: a number that names its country need only have a possible length, since new and reserved ranges are missing from
// libphonenumber's tables for a while; one whose country is assumed must be in them.
func plausible(p *phonenumbers.PhoneNumber) bool {
	switch p.GetCountryCodeSource() {
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITH_PLUS_SIGN, phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD:
		return phonenumbers.IsPossibleNumber(p)
	default:
		return phonenumbers.IsValidNumber(p)
	}
}

// plain takes the user part of a SIP or tel URI, with full-width digits and signs made plain.
func plain(raw string) string {
	text := strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			return r - '！' + '!'
		}
		return r
	}, strings.TrimSpace(raw))
	for _, scheme := range []string{"sips:", "sip:", "tel:"} {
		if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
			text = text[len(scheme):]
			text, _, _ = strings.Cut(text, "@")
			text, _, _ = strings.Cut(text, ";")
			break
		}
	}
	return strings.TrimSpace(text)
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
