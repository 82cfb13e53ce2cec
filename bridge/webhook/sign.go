package webhook

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // vendors' recipes; what it is worth is said where recipes are listed
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"time"
)

// recipe is how a vendor proves that a push is its own.
type recipe string

// The recipes, from best to worst. A concatenation is hashed with the secret among its parts, as many vendors document it.
const (
	hmacSHA256   recipe = "hmac-sha256"
	hmacSHA1     recipe = "hmac-sha1"
	concatSHA256 recipe = "sha256"
	concatSHA1   recipe = "sha1"
	concatMD5    recipe = "md5"
	token        recipe = "token" // the secret itself, in a header or in the address the vendor is given: for vendors that do not sign
	unsigned     recipe = "none"  // on this machine only
)

var hashes = map[recipe]func() hash.Hash{hmacSHA256: sha256.New, hmacSHA1: sha1.New, concatSHA256: sha256.New, concatSHA1: sha1.New, concatMD5: md5.New}

func (r recipe) keyed() bool { return r == hmacSHA256 || r == hmacSHA1 }

// signature is what proves a request, and how old it may be.
type signature struct {
	recipe  recipe
	secret  string // the name it is kept under
	at      place  // where the proof stands
	prefix  string // before the proof
	base64  bool   // else hexadecimal
	message []place
	with    string // between the parts of the message

	time  place // zero: none is sent
	form  timeFormat
	skew  time.Duration
	nonce place // zero: none is sent
}

func (p place) known() bool { return p.scope != "" }

// readsBody tells whether something of the proof stands in the body, so that it must be parsed to see whether it is the vendor's.
func (s signature) readsBody() bool {
	return slices.ContainsFunc(append([]place{s.at, s.time, s.nonce}, s.message...), func(p place) bool {
		return p.scope == inBody || p.scope == asSorted
	})
}

// proves tells whether a request carries the right proof.
func (s signature) proves(m *message, secret string) bool {
	if s.recipe == unsigned {
		return true
	}
	if s.recipe == token {
		given, want := sha256.Sum256([]byte(m.text(s.at, nil))), sha256.Sum256([]byte(s.prefix+secret))
		return subtle.ConstantTimeCompare(given[:], want[:]) == 1
	}
	text, found := strings.CutPrefix(m.text(s.at, nil), s.prefix)
	proof, err := s.decode(text)
	if !found || err != nil {
		return false
	}
	sum := s.hash(secret)
	sum.Write([]byte(s.text(m, secret)))
	return hmac.Equal(proof, sum.Sum(nil))
}

func (s signature) hash(secret string) hash.Hash {
	if s.recipe.keyed() {
		return hmac.New(hashes[s.recipe], []byte(secret))
	}
	return hashes[s.recipe]()
}

func (s signature) decode(text string) ([]byte, error) {
	if s.base64 {
		return base64.StdEncoding.DecodeString(text)
	}
	return hex.DecodeString(text)
}

// text is what was signed.
func (s signature) text(m *message, secret string) string {
	parts := make([]string, len(s.message))
	for i, p := range s.message {
		switch p.scope {
		case asSecret:
			parts[i] = secret
		case asSorted:
			parts[i] = sortedFields(m.body, s.ownField())
		default:
			parts[i] = m.text(p, nil)
		}
	}
	return strings.Join(parts, s.with)
}

// ownField is the body's field that holds the proof and is therefore not signed.
func (s signature) ownField() string {
	if s.at.scope == inBody && len(s.at.path) == 1 {
		return s.at.path[0]
	}
	return ""
}

// fresh tells whether a request is neither older nor newer than the skew allows.
func (s signature) fresh(m *message, now time.Time) bool {
	if !s.time.known() {
		return true
	}
	sent, ok := s.form.parse(m.text(s.time, nil))
	d := now.Sub(sent)
	return ok && d <= s.skew && d >= -s.skew
}

// covers tells whether a place is among what is signed.
func (s signature) covers(p place) bool {
	for _, part := range s.message {
		switch {
		case part.scope == asRaw && p.scope == inBody, part.scope == asSorted && p.scope == inBody && len(p.path) == 1:
			return true
		case part.scope == p.scope && part.name == p.name && part.part == p.part && strings.Join(part.path, ".") == strings.Join(p.path, "."):
			return true
		}
	}
	return false
}
