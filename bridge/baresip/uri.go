package baresip

import (
	"net/url"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// user gives the user part of a SIP URI, or the number of a tel URI: without scheme, password, parameters and %-escapes.
func user(uri string) string {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found {
		return ""
	}
	if !strings.EqualFold(scheme, "tel") {
		if rest, _, found = strings.Cut(rest, "@"); !found {
			return "" // a URI without a user names a machine, no subscriber
		}
	}
	if at := strings.IndexAny(rest, ";:"); at >= 0 {
		rest = rest[:at]
	}
	if plain, err := url.PathUnescape(rest); err == nil {
		return plain
	}
	return rest
}

// The lengths at which a dial target is refused, in bytes.
const (
	maxDigits = 64
	maxTarget = 256
)

var (
	digits = regexp.MustCompile(`^[0-9+*#]*[0-9*#][0-9+*#]*$`)
	// sipURI allows a user and a host with parameters, but no headers ("?"): those would let a link on a web page write SIP headers.
	sipURI = regexp.MustCompile(`^(?i:sips?):[A-Za-z0-9_.!~*'()&=+$,;/%#-]+@[A-Za-z0-9.\[\]:-]+(;[A-Za-z0-9_.=~%-]+)*$`)
)

// target checks what is to be dialled: digits with + * and #, or a sip: URI. Control characters and the spaces around are
// dropped. Anything else is refused, so that nothing but one target can ever reach the phone's command line.
func target(s string) (string, error) {
	s = cti.Clean(s, maxTarget+1)
	isURI := len(s) >= 4 && strings.EqualFold(s[:3], "sip")
	switch {
	case s == "":
		return "", cti.Errorf(cti.Invalid, "there is no number to dial", nil)
	case isURI && len(s) <= maxTarget && sipURI.MatchString(s):
		return s, nil
	case !isURI && len(s) <= maxDigits && digits.MatchString(s):
		return s, nil
	}
	return "", cti.Errorf(cti.Invalid, "this cannot be dialled: digits, +, * and # only, or a sip: address", nil)
}

// complete makes a SIP URI of what target allowed: digits belong to the domain of the account.
func complete(to, account string) (string, error) {
	if strings.ContainsRune(to, ':') {
		return to, nil
	}
	_, domain, found := strings.Cut(account, "@")
	if at := strings.IndexAny(domain, ";?>"); at >= 0 {
		domain = domain[:at]
	}
	uri := "sip:" + strings.ReplaceAll(to, "#", "%23") + "@" + domain
	if !found || !sipURI.MatchString(uri) {
		return "", cti.Errorf(cti.Invalid, "the phone's account has no domain to complete the number with: use a sip: address", nil)
	}
	return uri, nil
}
