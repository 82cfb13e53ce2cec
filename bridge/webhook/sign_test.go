package webhook

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The proofs were made with openssl and coreutils, not with this package:
//
//	printf '%s' "$MESSAGE" | openssl dgst -sha256 -hmac "$KEY" [-binary | base64]
//	printf '%s' "$MESSAGE" | md5sum
const signKey = "test-key-0123456789abcdef"

const signBody = `{"agent":"2000","call":"c-1","sign":"x","to":""}`

func signed() *message {
	m := &message{method: "POST", path: "/events", raw: []byte(signBody), query: url.Values{"ts": {"1795411938"}}, header: http.Header{}}
	m.header.Set("X-Time", "1795411938")
	tree, err := jsonBody.parse(m.raw, nil)
	if err != nil {
		panic(err)
	}
	m.body = tree
	return m
}

func place1(t *testing.T, s string) place {
	t.Helper()
	p, ok := parsePart(s)
	if !ok {
		t.Fatalf("%s is no place", s)
	}
	return p
}

func TestEachRecipeTakesTheVendorsProofAndNoOther(t *testing.T) {
	for name, test := range map[string]struct {
		recipe  recipe
		base64  bool
		prefix  string
		message string // the parts, by blanks
		with    string
		proof   string
	}{
		"hmac-sha256 of the body":      {hmacSHA256, false, "sha256=", "raw", "", "sha256=d8af6681b7d7fb40b1f8b1c7505b7656b9be2f6ea265454e2380b50d17919d83"},
		"hmac-sha256 with time":        {hmacSHA256, false, "", "header:X-Time raw", ".", "8f5837f9ca88d821dfca438d7d424579eb2d815d43b61d6c6a15a460c331cb05"},
		"hmac-sha1 in base64":          {hmacSHA1, true, "", "method path query:ts raw", "\n", "GgjVJI7Az0aBmB2xRXjPKLYX4m8="},
		"md5 of sorted fields and key": {concatMD5, false, "", "sorted secret", "&key=", "a05477f3e3c3f9901ac8c0d47d1b574b"},
		"sha1 around the body":         {concatSHA1, false, "", "secret raw secret", "", "e8672992551975ef2fea65f384d96792c0416e88"},
		"sha256 with a text":           {concatSHA256, false, "", "text:v0 header:X-Time raw secret", ":", "3991b42a2149c5480b8cd7653b0441614eb37b2914bf52c79e52fdeb85c27b07"},
	} {
		t.Run(name, func(t *testing.T) {
			s := signature{recipe: test.recipe, base64: test.base64, prefix: test.prefix, with: test.with, at: place1(t, "header:X-Sign")}
			for part := range strings.FieldsSeq(test.message) {
				s.message = append(s.message, place1(t, part))
			}
			if s.message[0].scope == asSorted {
				s.at = place1(t, "body:sign") // which is then not signed itself
			}
			prove := func(m *message, proof string) bool {
				m.header.Set("X-Sign", proof)
				if tree, is := m.body.(map[string]any); is && s.at.scope == inBody {
					tree["sign"] = proof
				}
				return s.proves(m, signKey)
			}
			if !prove(signed(), test.proof) {
				t.Error("the vendor's own proof is refused")
			}
			if !test.base64 && test.prefix == "" && !prove(signed(), strings.ToUpper(test.proof)) {
				t.Error("capital letters are refused")
			}
			last := test.proof[:len(test.proof)-1]
			for what, proof := range map[string]string{"none": "", "cut": last, "another": flip(test.proof), "no hash": "zz", "prefix alone": test.prefix, "twice": test.proof + test.proof} {
				if prove(signed(), proof) {
					t.Errorf("%s is taken", what)
				}
			}
			other := signed()
			other.raw = []byte(strings.Replace(signBody, "2000", "2001", 1))
			if other.body, _ = jsonBody.parse(other.raw, nil); prove(other, test.proof) {
				t.Error("the proof of another body is taken")
			}
			if s.proves(signed(), signKey+"x") {
				t.Error("the proof of another key is taken")
			}
		})
	}
}

// flip changes the first hexadecimal or base64 digit after a prefix.
func flip(proof string) string {
	at := strings.Index(proof, "=")
	if at == len(proof)-1 || at < 0 {
		at = -1
	}
	digit := byte('a')
	if proof[at+1] == 'a' {
		digit = 'b'
	}
	return proof[:at+1] + string(digit) + proof[at+2:]
}

func TestATokenIsTakenWholeOnly(t *testing.T) {
	s := signature{recipe: token, at: place1(t, "query:token"), prefix: "Bearer "}
	for given, want := range map[string]bool{"Bearer " + signKey: true, signKey: false, "Bearer " + signKey + "x": false, "Bearer " + signKey[:10]: false, "Bearer": false, "": false} {
		m := signed()
		m.query.Set("token", given)
		if s.proves(m, signKey) != want {
			t.Errorf("%q: %v, want %v", given, !want, want)
		}
	}
}

func TestATimeIsTakenWithinTheSkewOnly(t *testing.T) {
	now := time.Unix(1795411938, 0)
	s := signature{time: place1(t, "header:X-Time"), form: timeFormat{unix: time.Second}, skew: time.Minute}
	for given, want := range map[string]bool{"1795411938": true, "1795411878": true, "1795411877": false, "1795411998": true, "1795411999": false,
		"": false, "0": false, "-1": false, "soon": false, "99999999999999999999": false, "9223372036854775807": false} {
		m := signed()
		m.header.Set("X-Time", given)
		if s.fresh(m, now) != want {
			t.Errorf("%q: %v, want %v", given, !want, want)
		}
	}
}

func TestHeadersOfPairsAreReadByKey(t *testing.T) {
	for header, want := range map[string]string{
		"t=1,v1=ab": "ab", "t=1, v1=ab": "ab", `UsernameToken V1="ab", t="1"`: "ab", "v1=a=b": "a=b", "t=1": "", "": "", "v1": "", "xv1=ab": "", "v11=ab": "",
	} {
		if got := headerPart(header, "v1"); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
