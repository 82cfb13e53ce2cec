package crm

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"ringside.dev/ringside/app/cti"
)

// shortestSecret: masking a text of one letter would mask every message.
const shortestSecret = 4

// maxMessage cuts a CRM's own words in an error.
const maxMessage = 300

// numberLike finds what may be a telephone number: six digits or more, however they are grouped.
var numberLike = regexp.MustCompile(`\+?\p{Nd}(?:[\s().\-/]*\p{Nd}){5,}`)

// redactor takes secrets and telephone numbers out of text that was not written here. Safe for concurrent use.
type redactor struct {
	mu      sync.Mutex
	known   []string
	replace *strings.Replacer
}

// mostSecrets is how many are remembered: the parameters, and the newest tokens.
const mostSecrets = 50

func newRedactor(secrets []string) *redactor {
	r := &redactor{}
	for _, s := range secrets {
		r.learn(s)
	}
	return r
}

// learn adds a secret, such as a token that the CRM gave.
func (r *redactor) learn(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(secret) < shortestSecret || slices.Contains(r.known, secret) {
		return
	}
	if r.known = append(r.known, secret); len(r.known) > mostSecrets {
		r.known = r.known[len(r.known)-mostSecrets:]
	}
	var pairs []string
	for _, s := range r.known {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s))} {
			pairs = append(pairs, form, "***")
		}
	}
	r.replace = strings.NewReplacer(pairs...)
}

// mostHidden is how many texts are looked for in one message, shortestHidden how long they are at least: shorter ones are part of any word.
const (
	mostHidden     = 5000
	shortestHidden = 3
)

// hide takes the texts that stand in some values out of a message, the longest first.
func hide(message string, values ...any) string {
	var all []string
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) >= shortestHidden && len(all) < mostHidden && strings.Contains(message, v) {
				all = append(all, v)
			}
		case map[string]any:
			for _, one := range v {
				collect(one)
			}
		case map[string]string:
			for _, one := range v {
				collect(one)
			}
		case []any:
			for _, one := range v {
				collect(one)
			}
		}
	}
	for _, v := range values {
		collect(v)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, text := range all {
		message = strings.ReplaceAll(message, text, "***")
	}
	return message
}

// text is for the words of a CRM: one line, short, masked.
func (r *redactor) text(s string) string {
	return cti.Clean(numberLike.ReplaceAllString(r.secrets(s), "***"), maxMessage)
}

// secrets keeps digits, so that the address in a network error stays readable.
func (r *redactor) secrets(s string) string {
	r.mu.Lock()
	replace := r.replace
	r.mu.Unlock()
	if replace == nil {
		return s
	}
	return replace.Replace(s)
}
