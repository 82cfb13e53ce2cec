package webhook

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// scope tells where a place lies.
type scope string

// The scopes. What has no scope in a file lies in the event; the last five are only for what is signed.
const (
	inEvent  scope = "event"
	inBody   scope = "body"
	inHeader scope = "header"
	inQuery  scope = "query"
	asText   scope = "text"
	asRaw    scope = "raw"    // the body's bytes as they came
	asSecret scope = "secret" // the shared secret
	asMethod scope = "method"
	asPath   scope = "path"
	asSorted scope = "sorted" // the body's own fields as name=value, sorted by name and joined by &
)

// place is where one text stands in a request.
type place struct {
	scope scope
	name  string   // of a header or a query parameter; the text itself for asText
	part  string   // of a header made of key=value pairs: which one
	path  []string // in the event or the body: keys of objects, numbers for lists
}

// parsePlace reads a place: workNo, content.callid, items.0.id, body:workNo, header:X-Id, header:X-Sign;t, query:token, text:cec.
func parsePlace(s string) (place, bool) {
	head, rest, scoped := strings.Cut(s, ":")
	switch known := scope(head); {
	case !scoped:
		return pathPlace(inEvent, s)
	case known == inEvent || known == inBody:
		return pathPlace(known, rest)
	case known == inQuery && rest != "":
		return place{scope: inQuery, name: rest}, true
	case known == asText:
		return place{scope: asText, name: rest}, true
	case known == inHeader && rest != "":
		name, part, _ := strings.Cut(rest, ";")
		return place{scope: inHeader, name: http.CanonicalHeaderKey(name), part: part}, name != ""
	}
	return place{}, false
}

func pathPlace(s scope, path string) (place, bool) {
	keys := strings.Split(path, ".")
	return place{scope: s, path: keys}, !slices.Contains(keys, "")
}

// parsePart reads a part of what is signed: raw, sorted, secret, method, path, or a place outside the event.
func parsePart(s string) (place, bool) {
	if slices.Contains([]scope{asRaw, asSorted, asSecret, asMethod, asPath}, scope(s)) {
		return place{scope: scope(s)}, true
	}
	p, ok := parsePlace(s)
	return p, ok && p.scope != inEvent
}

// message is what one request says, parsed.
type message struct {
	method, path string
	header       http.Header
	query        url.Values
	raw          []byte
	body         any
}

// text gives what stands at a place, or "" for what is not there or is no single value. Everything in it is the sender's.
func (m *message) text(p place, event any) string {
	switch p.scope {
	case inEvent:
		return scalar(at(event, p.path))
	case inBody:
		return scalar(at(m.body, p.path))
	case inHeader:
		return headerPart(m.header.Get(p.name), p.part)
	case inQuery:
		return m.query.Get(p.name)
	case asText:
		return p.name
	case asRaw:
		return string(m.raw)
	case asMethod:
		return m.method
	case asPath:
		return m.path
	case asSecret, asSorted: // known to the signature alone
	}
	return ""
}

// headerPart reads KEY out of `Word key=value, key="value"`, as Stripe-like signatures and X-AKSK are written; all of it for "".
func headerPart(header, key string) string {
	if key == "" {
		return header
	}
	for pair := range strings.SplitSeq(header, ",") {
		name, text, found := strings.Cut(strings.TrimSpace(pair), "=")
		if at := strings.LastIndexByte(name, ' '); at >= 0 { // after a scheme's word
			name = name[at+1:]
		}
		if found && strings.EqualFold(name, key) {
			return strings.Trim(text, `"`)
		}
	}
	return ""
}

// at walks into a tree; nil for what is not there.
func at(tree any, path []string) any {
	for _, key := range path {
		switch node := tree.(type) {
		case map[string]any:
			tree = node[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(node) {
				return nil
			}
			tree = node[n]
		default:
			return nil
		}
	}
	return tree
}

// value is where a field's text stands: its parts joined, of each part the first place that holds something. It may depend on the call's
// direction.
type value struct {
	in, out [][]place
	with    string // between the parts
}

func (v value) known() bool { return len(v.in) > 0 || len(v.out) > 0 }

// of gives the text; "" unless every part is there.
func (v value) of(m *message, event any, outgoing bool) string {
	parts := v.in
	if outgoing {
		parts = v.out
	}
	texts := make([]string, len(parts))
	for i, places := range parts {
		for _, p := range places {
			if texts[i] = m.text(p, event); texts[i] != "" {
				break
			}
		}
		if texts[i] == "" {
			return ""
		}
	}
	return strings.Join(texts, v.with)
}
