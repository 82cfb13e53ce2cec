package number

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"ringside.dev/ringside/app/cti"
)

// label is what stands before a number: the scheme of a URI (RFC 3261, RFC 3966), or what people write into a field ("Tel.: ", "手机：").
var label = regexp.MustCompile(`^(\p{L}[\p{L}. ]{0,14}):(?://)?[ ]*`)

var schemes = map[string]bool{"sip": true, "sips": true, "tel": true, "callto": true}

// phoneContext is the part of a tel URI that makes a local number global (RFC 3966, 5.1.4); extParam is its extension.
var (
	phoneContext = regexp.MustCompile(`(?i);phone-context=(\+[\d.() -]+)`)
	extParam     = regexp.MustCompile(`(?i);ext=([\d.() -]+)`)
)

// plain takes the number out of what surrounds it: a display name, a URI with its host and parameters, a label, invisible marks; and
// makes digits and signs of other scripts plain.
func (r *reader) plain(raw string) string {
	text := ascii(raw)
	if text != strings.TrimSpace(raw) && strings.ContainsFunc(raw, wide) {
		r.note(StepWide)
	}
	if from := strings.LastIndex(text, "<"); from >= 0 { // "Name" <sip:…>;tag=…
		inner, _, _ := strings.Cut(text[from+1:], ">")
		text = strings.TrimSpace(inner)
	}
	if found := label.FindStringSubmatch(text); found != nil {
		text = text[len(found[0]):]
		if schemes[strings.ToLower(found[1])] {
			r.note(StepURI)
			return user(text)
		}
	}
	text = strings.Trim(text, `"' `)
	if at := strings.Index(text, "@"); at >= 0 {
		r.note(StepURI)
		return user(text)
	}
	return text
}

// user is the user part of a URI: without host, password and parameters, but with the extension.
func user(uri string) string {
	user, host, found := strings.Cut(uri, "@")
	params := user
	if found && strings.HasPrefix(strings.ToLower(host), "anonymous.invalid") { // RFC 3323
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, "?")
	user, _, _ = strings.Cut(user, ":")
	if decoded, err := url.PathUnescape(user); err == nil {
		user = ascii(decoded)
	}
	if context := phoneContext.FindStringSubmatch(params); context != nil && !strings.HasPrefix(user, "+") {
		user = strings.TrimSpace(context[1]) + strings.TrimLeft(user, "0")
	}
	if ext := extParam.FindStringSubmatch(params); ext != nil {
		user += ";ext=" + Digits(ext[1])
	}
	return strings.TrimSpace(user)
}

// zeros are the noughts of the scripts whose digits are read: Arabic, Persian, Devanagari, full-width.
var zeros = []rune{'٠', '۰', '०', '０'}

func wide(r rune) bool { return r >= '！' && r <= '～' || r == '　' }

// ascii makes digits and signs plain ASCII, drops what cannot be seen, and leaves letters as they are.
func ascii(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		for _, zero := range zeros {
			if r >= zero && r <= zero+9 {
				return r - zero + '0'
			}
		}
		switch {
		case wide(r) && r != '　':
			return r - '！' + '!'
		case r >= '‐' && r <= '―', r == '−', r == 'ー', r == '〜', r == '·':
			return '-'
		case unicode.IsSpace(r):
			return ' '
		case r < ' ', unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text))
}

// isWithheld tells whether a text stands for "no number".
func isWithheld(text string) bool {
	word := strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune(` -_."'()[]*`, r) {
			return -1
		}
		return r
	}, text))
	return strings.Trim(word, "0") == "" || known.withheld[word]
}

// extension is an extension as people write it behind a number.
var extension = regexp.MustCompile(`(?i)^(.*[\d)])[ ,;(]*(?:extension|extn|ext|x|ramal|poste|durchwahl|app|int|转接|轉接|转|轉|分机号|分机|分機|内线|內線|内線|#|~)[ .:=#]*(\d{1,7})[)# ]*$`)

// cutExtension splits off an extension that is marked as one.
func (r *reader) cutExtension(text string) string {
	found := extension.FindStringSubmatch(text)
	if len(found) == 0 || len(Digits(found[1])) < fewestOutside-1 { // "12#34" is no number with an extension
		return text
	}
	r.Ext = found[2]
	r.note(StepExtension)
	return strings.TrimSpace(found[1])
}

// vanityNumber is a North American number with letters for digits (ITU-T E.161), "1-800-FLOWERS".
// In capitals, as they are advertised: other words are somebody's remark.
var vanityNumber = regexp.MustCompile(`^(?:\+?1[ .-]*)?\(?[2-9]\d\d[ ).-]*[A-Z\d .-]*[A-Z]{3}[A-Z\d .-]*$`)

// localLength is how many digits a North American number has without its area code: behind so many, letters are a remark.
const localLength = 7

const keypad = "22233344455566677778889999"

// vanity puts digits for the letters of a number that is a word.
func (r *reader) vanity(text string) string {
	if !r.habits.Vanity && !strings.HasPrefix(text, "+1") || !vanityNumber.MatchString(text) {
		return text
	}
	if before := Digits(text[:strings.IndexFunc(text, unicode.IsLetter)]); len(strings.TrimPrefix(before, "1")) >= localLength {
		return text
	}
	digits := Digits(strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			return rune(keypad[c-'A'])
		}
		return c
	}, text))
	digits = strings.TrimPrefix(digits, "1")
	const length = 10
	if len(digits) < length {
		return text
	}
	r.note(StepVanity)
	return "+1" + digits[:length] // what is dialled beyond is ignored by the exchange
}

// signs are what may stand between the digits of a number.
var signs = regexp.MustCompile(`^[\d ()\[\]./,;'+-]+$`)

// numeric tells whether a text is a number but for the signs between its digits; a + stands before all digits.
func numeric(text string) bool {
	if !signs.MatchString(text) {
		return false
	}
	plus := strings.LastIndex(text, "+")
	return plus < 0 || Digits(text[:plus]) == ""
}

// compact is a number without the signs.
func compact(text string) string {
	if strings.Contains(text, "+") {
		return "+" + Digits(text)
	}
	return Digits(text)
}

// trunkInside is a trunk prefix for those who dial within the country: +44 (0)20 ….
var trunkInside = regexp.MustCompile(`^([^(]*\d[ .-]*)\([ ]*0[ ]*\)`)

// dropTrunkInside takes it out of an international number. Italian numbers begin with a 0 that is dialled from everywhere.
func (r *reader) dropTrunkInside(text string) string {
	found := trunkInside.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	c := compact(found[1])
	country := strings.TrimLeft(c, "+0")
	if !strings.HasPrefix(c, "+") && !strings.HasPrefix(c, "00") || country == strconv.Itoa(italy) {
		return text
	}
	r.note(StepTrunkInside)
	return "+" + country + text[len(found[0]):]
}

// tail is a group of digits behind the last dash, comma or slash: an extension, where the whole is too long for a number.
var tail = regexp.MustCompile(`^(.*\d[)]?)[ ]*[-,;/][ ]*(\d{1,6})$`)

// feature codes of a telephone system: *43, #21#.
var featureCode = regexp.MustCompile(`^[*#][\d*#]{1,30}$`)

func classOfText(text string) cti.NumberClass {
	if featureCode.MatchString(text) {
		return cti.ClassInternal
	}
	return cti.ClassInvalid
}
