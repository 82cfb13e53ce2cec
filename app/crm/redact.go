package crm

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// shortestSecret: masking a text of one letter would mask every message.
const shortestSecret = 4

// maxMessage cuts a CRM's own words in an error.
const maxMessage = 300

// numberLike finds what may be a telephone number: six digits or more, however they are grouped.
var numberLike = regexp.MustCompile(`\+?\p{Nd}(?:[\s().\-/]*\p{Nd}){5,}`)

// redactor takes secrets and telephone numbers out of text that was not written here.
type redactor struct{ replace *strings.Replacer }

func newRedactor(secrets []string) redactor {
	var pairs []string
	for _, s := range secrets {
		if len(s) < shortestSecret {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s))} {
			pairs = append(pairs, form, "***")
		}
	}
	return redactor{strings.NewReplacer(pairs...)}
}

// text is for the words of a CRM: one line, short, masked.
func (r redactor) text(s string) string {
	return cti.Clean(numberLike.ReplaceAllString(r.secrets(s), "***"), maxMessage)
}

// secrets keeps digits, so that the address in a network error stays readable.
func (r redactor) secrets(s string) string { return r.replace.Replace(s) }
