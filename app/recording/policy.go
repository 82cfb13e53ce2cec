package recording

import (
	"cmp"
	"mime"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Policy decides what of a recording's reference may leave. It is asked in one place, before anything is written down, shown or sent.
type Policy struct {
	Links string // cti.LinksPlain, the usual, LinksID or LinksAll
	Open  string // the page that opens a recording in the phone system, with {id}; empty: there is none
}

// Admit gives what may be known of a recording from here on: in the store, the log, the window, an export and the CRM. An address that may not
// pass gives way to the page that opens the recording, or, where there is no such page, to what is left of it without all that may be a credential;
// its expiry goes with it.
func (p Policy) Admit(r cti.Recording) cti.Recording {
	r.ID, r.Name, r.Type = stableID(r.ID), plainName(r.Name), mediaType(r.Type)
	if p.passes(r.URL) {
		if r.ExpiresAt.IsZero() {
			r.ExpiresAt = ExpiryOf(r.URL)
		}
		return r
	}
	r.URL, r.ExpiresAt = cmp.Or(p.opens(r.ID), p.stripped(r.URL)), time.Time{}
	return r
}

func (p Policy) passes(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !secure(u) {
		return false
	}
	switch p.Links {
	case cti.LinksAll:
		return true
	case cti.LinksID:
		return false
	}
	return !BearsCredential(address)
}

// stripped is an address without user, parameters and fragment; none where it bears a credential even so, or the site wants no address to pass.
func (p Policy) stripped(address string) string {
	u, err := url.Parse(address)
	if p.Links == cti.LinksID || err != nil || !secure(u) {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	if bare := u.String(); !BearsCredential(bare) {
		return bare
	}
	return ""
}

func (p Policy) opens(id string) string {
	if id == "" || p.Open == "" {
		return ""
	}
	return withID(p.Open, id)
}

// withID puts a recording's id into an address, escaped so that it can be nothing but one part of it.
func withID(template, id string) string {
	if at := strings.IndexAny(template, "?#"); at >= 0 {
		return strings.ReplaceAll(template[:at], idMark, url.PathEscape(id)) + strings.ReplaceAll(template[at:], idMark, url.QueryEscape(id))
	}
	return strings.ReplaceAll(template, idMark, url.PathEscape(id))
}

const idMark = "{id}"

// Data gives the value of call data that may leave: none where it holds an address with a credential. An exchange may send a recording's address
// in a header as well as in its own place.
func (p Policy) Data(value string) (string, bool) {
	if p.Links == cti.LinksAll || !holdsCredential(value) {
		return value, true
	}
	return "", false
}

func holdsCredential(text string) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t<>\"'|", r) }) {
		if strings.Contains(word, "?") && BearsCredential("//"+word) || strings.Contains(word, "://") && BearsCredential(word) { // the scheme may be left out
			return true
		}
	}
	return false
}

// secure tells whether what goes to an address cannot be read on the way: https, or http on this machine.
func secure(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// BearsCredential tells whether whoever has an address has more than its name: a password, a token, a signature, or a key that expires. What
// cannot be read bears one.
func BearsCredential(address string) bool { return bears(address, maxNested) }

// maxNested is how deep addresses within addresses are read.
const maxNested = 3

func bears(address string, deep int) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || deep == 0 || u.Opaque != "" {
		return true
	}
	parts := []string{u.RawQuery, u.Fragment} // fragments (#access_token=…), matrix parameters (;jsessionid=…) and parts of a path (/token=…/) carry them too
	for segment := range strings.FieldsFuncSeq(u.EscapedPath(), func(r rune) bool { return r == '/' || r == ';' }) {
		if isJWT(segment) {
			return true
		}
		if strings.Contains(segment, "=") {
			parts = append(parts, segment)
		}
	}
	for _, part := range parts {
		values, err := url.ParseQuery(strings.TrimPrefix(part, "?"))
		if err != nil {
			return true
		}
		for name, all := range values {
			for _, v := range all {
				if v != "" && secretName(name) || secretValue(v) || v == "" && secretValue(name) || strings.Contains(v, "://") && bears(v, deep-1) {
					return true
				}
			}
		}
	}
	return false
}

// secretNames are names of query parameters whose values are credentials, or belong to one: those of AWS (v2, v4), Azure's shared access signatures,
// Google Cloud Storage, Aliyun OSS, Tencent COS, Qiniu, CloudFront, and what telephone systems use.
var secretNames = words(`token tok t_k auth authorization authtoken access access_key accesskey accesskeyid accesstoken apikey api_key api-key appkey app_key key k keyid
	key-pair-id policy sig sign signed signature signatures hash hmac mac digest checksum md5 nonce secret password passwd passphrase pass pwd pw credential
	credentials cred session sessionid session_id sid phpsessid jsessionid jwt bearer ticket code otp pin cookie csrf
	expires expire expiry expiration exp valid_until validuntil deadline ttl timestamp
	sv se sp sr st spr sip ss srt ske sks skt skv skoid sktid saoid suoid scid sdd
	awsaccesskeyid googleaccessid ossaccesskeyid security-token stime etime auth_key authkey user username login uname`)

// secretParts make a name secret wherever they stand in it.
var secretParts = []string{"token", "secret", "signature", "password", "passwd", "credential", "session", "apikey", "api_key", "accesskey", "access_key", "auth_"}

var secretPrefixes = []string{"x-amz-", "x-goog-", "x-oss-", "x-cos-", "x-ms-", "q-", "aws", "goog"}

func words(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		out[w] = true
	}
	return out
}

func secretName(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	if secretNames[name] {
		return true
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	for _, prefix := range secretPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// longestName is how long a value may be that only names something; a UUID has 36.
const longestName = 40

// secretValue finds what is one whatever it is called: a JSON web token, or a long word without a meaning.
func secretValue(v string) bool {
	if isJWT(v) {
		return true
	}
	for word := range strings.FieldsFuncSeq(v, func(r rune) bool { return !strings.ContainsRune(base64Letters, r) }) { // a path or a name has dots, spaces and the like
		if len(word) >= longestName {
			return true
		}
	}
	return false
}

const base64Letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=_-"

// isJWT: a JSON web token begins with {" in base64.
func isJWT(v string) bool { return strings.HasPrefix(v, "eyJ") && strings.Count(v, ".") >= 2 }

// ExpiryOf gives when a signed address stops working, as far as it says so itself; zero: it does not.
func ExpiryOf(address string) time.Time {
	u, err := url.Parse(address)
	if err != nil {
		return time.Time{}
	}
	q := map[string]string{}
	for name, values := range u.Query() {
		q[strings.ToLower(name)] = values[0]
	}
	for _, vendor := range []string{"x-amz-", "x-goog-", "x-oss-"} { // from this time on for so many seconds
		begin, err := time.Parse("20060102T150405Z", q[vendor+"date"])
		if seconds, bad := strconv.Atoi(q[vendor+"expires"]); err == nil && bad == nil && seconds >= 0 {
			return begin.Add(time.Duration(seconds) * time.Second)
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02"} { // Azure
		if at, err := time.Parse(layout, q["se"]); err == nil {
			return at.UTC()
		}
	}
	for _, name := range []string{"expires", "expire", "exp", "e"} { // seconds since 1970
		if seconds, err := strconv.ParseInt(q[name], 10, 64); err == nil && seconds > earliestExpiry && seconds < latestExpiry {
			return time.Unix(seconds, 0).UTC()
		}
	}
	return time.Time{}
}

// What is no time between 2001 and 2128 is another number.
const (
	earliestExpiry = 1_000_000_000
	latestExpiry   = 5_000_000_000
)

// stableID is an id that only names the recording; what is an address or a token is none.
func stableID(id string) string {
	if strings.Contains(id, "://") || strings.ContainsAny(id, "?#&=") || isJWT(id) {
		return ""
	}
	return id
}

// longestFileName is what every file system and CRM takes, in bytes.
const longestFileName = 120

// plainName is the name of a file without the way to it: whatever comes from a header or an event may name any place. Characters that mean something to
// a file system, and Windows' names of devices, are not kept.
func plainName(name string) string {
	if at := strings.IndexAny(name, "?#"); at >= 0 {
		name = name[:at]
	}
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>:"/\|*?`, r) || r < ' ' {
			return '_'
		}
		return r
	}, cti.Clean(name, longestFileName))
	name = strings.Trim(name, ". ")
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	if name == "" || deviceNames[strings.TrimSpace(stem)] {
		return ""
	}
	return name
}

var deviceNames = words("con prn aux nul com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 conin$ conout$")

// mediaType is a type without parameters; "" where it is none.
func mediaType(text string) string {
	kind, _, err := mime.ParseMediaType(text)
	if err != nil || !strings.Contains(kind, "/") {
		return ""
	}
	return kind
}
