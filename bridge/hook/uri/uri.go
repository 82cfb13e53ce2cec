// Package uri reads what a person clicks on to call somebody: tel:, sip: and callto: links. A link comes from any web page or e-mail, so all
// that is taken from it is whom to call. It must not know how a call is made.
package uri

import (
	"net/url"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// maxLink is longer than any number or address with its parameters.
const maxLink = 512

// The forms of a target. A global or local number of RFC 3966 with its visual separators, and the characters of a SIP user that cannot be
// taken for an option, a header or a second address.
var (
	number = regexp.MustCompile(`^\+?[0-9*#().\- /]*[0-9*#][0-9*#().\- /]*$`)
	user   = regexp.MustCompile(`^[A-Za-z0-9_+*#][A-Za-z0-9_.+*#-]*$`)
	host   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
	ext    = regexp.MustCompile(`^[0-9*#]{1,20}$`)
)

// Target gives what App.Dial takes: a telephone number, with its extension as "x12", or a sip: address. A plain number is taken too. Headers,
// passwords and parameters other than ;ext= never come through. The error's kind is invalid; it does not repeat the link.
func Target(link string) (string, error) {
	link = strings.TrimSpace(link)
	if len(link) > maxLink || strings.ContainsFunc(link, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return "", cti.Errorf(cti.Invalid, "this link cannot be dialled", nil)
	}
	scheme, rest, found := strings.Cut(link, ":")
	if !found {
		scheme, rest = "tel", link
	}
	rest = strings.TrimPrefix(rest, "//") // as in callto with two slashes, and what some programs make of tel
	switch strings.ToLower(scheme) {
	case "tel":
		return telephone(rest)
	case "callto":
		if strings.Contains(rest, "@") {
			return address("sip", rest)
		}
		return telephone(strings.TrimSuffix(rest, "/"))
	case "sip", "sips":
		return address(strings.ToLower(scheme), rest)
	}
	return "", cti.Errorf(cti.Invalid, "only tel:, sip: and callto: links can be dialled", nil)
}

// telephone reads a tel: URI (RFC 3966): separators go, ;ext= stays, other parameters and what a ? brings do not matter.
func telephone(rest string) (string, error) {
	rest, _, _ = strings.Cut(rest, "?")
	digits, params, _ := strings.Cut(rest, ";")
	digits, err := url.PathUnescape(digits)
	if err != nil || !number.MatchString(digits) {
		return "", cti.Errorf(cti.Invalid, "there is no telephone number in this link", nil)
	}
	digits = strings.Map(func(r rune) rune {
		if strings.ContainsRune("().- /", r) {
			return -1
		}
		return r
	}, digits)
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(name, "ext") && ext.MatchString(value) {
			return digits + "x" + value, nil
		}
	}
	return digits, nil
}

// address reads a sip: URI (RFC 3261, 19.1). A user that is a telephone number is given as that, so that it is dialled as the site dials.
func address(scheme, rest string) (string, error) {
	rest, _, _ = strings.Cut(rest, "?") // headers
	rest, _, _ = strings.Cut(rest, ";") // parameters; those of a user are no part of whom to call
	who, where, found := strings.Cut(rest, "@")
	if !found {
		return telephone(rest) // sip:201, as some pages write it
	}
	who, _, _ = strings.Cut(who, ":") // a password
	name, err := url.PathUnescape(who)
	if err != nil || !user.MatchString(name) || !host.MatchString(where) {
		return "", cti.Errorf(cti.Invalid, "there is no address in this link that can be dialled", nil)
	}
	return scheme + ":" + name + "@" + where, nil
}
