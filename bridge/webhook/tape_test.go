package webhook

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// inBodyFile is a vendor that sends its token in the body.
func inBodyFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/vendors/hmac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "vendor.yaml")
	text = []byte(strings.NewReplacer("hmac-sha256", "token", "at: header:X-Signature;v1", "at: body:auth.token", "  message: [header:X-Signature;t, header:X-Nonce, raw]\n  with: \".\"\n", "",
		"  timestamp: {at: header:X-Signature;t, format: unix, skew: 2m}\n", "", "  nonce: header:X-Nonce\n", "", "name: name", "name: header:X-Caller-Name").Replace(string(text)))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is recorded makes the same events when it is played again, and holds neither the secret nor the proof.
func TestARecordingMakesTheSameEventsWithoutTheSecret(t *testing.T) {
	const secret = `test/key"0123456789abcdef`
	escapedInBody := strings.NewReplacer("/", `\/`, `"`, `\"`).Replace(secret) // as PHP writes it
	for name, test := range map[string]struct {
		vendor string
		push   func() *http.Request
	}{
		"in the address": {"udesk", func() *http.Request {
			return httptest.NewRequest(http.MethodPost, "/udesk?token="+url.QueryEscape(secret)+"&x="+url.QueryEscape(secret), strings.NewReader(udeskRing))
		}},
		"a signature": {"testdata/vendors/hmac.yaml", func() *http.Request {
			return pushBy(secret, time.Now(), "n-1", strings.Replace(ringBody, `"2000"`, `"7"`, 1))
		}},
		"in the body": {inBodyFile(t), func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(`{"auth":{"token":"`+escapedInBody+`"},"data":{"events":{"type":"ring","way":"i","call":"c-1","agent":"7","from":"13800138000","at":1795411938000}}}`))
			r.Header.Set("X-Caller-Name", "Zhang San")
			r.Header.Set("Authorization", "Basic dXNlcjpwYXNz")
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, err := New(Options{Vendor: load(t, test.vendor), Listen: "127.0.0.1:0", Instance: "recording", Secret: fixed(secret)})
				if err != nil {
					t.Fatal(err)
				}
				var live recorder
				h := x.handler(t.Context(), live.emit)
				frames, stop := x.Tape().Listen()
				defer stop()
				forged := test.push()
				forged.URL.RawQuery, forged.Header, forged.Body = "", http.Header{}, http.NoBody
				for code, r := range map[int]*http.Request{http.StatusUnauthorized: forged, http.StatusOK: test.push()} {
					if w := do(h, r); w.Code != code {
						t.Fatalf("%d, want %d", w.Code, code)
					}
				}
				recorded := []tape.Frame{<-frames}
				if len(frames) > 0 {
					t.Errorf("a push without proof was recorded: %+v", <-frames)
				}
				text := recorded[0].Text
				for _, leak := range []string{secret, url.QueryEscape(secret), escapedInBody, "0123456789abcdef", "v1=", "token=", "dXNlcjpwYXNz", "X-Signature"} {
					if strings.Contains(text, leak) {
						t.Errorf("the recording holds %q:\n%s", leak, text)
					}
				}
				again, err := Replay(recorded, "7")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(live.events, again); diff != "" || len(again) != 1 {
					t.Errorf("live - played again +:\n%s", diff)
				}
				if others, err := Replay(recorded, "8"); err != nil || others != nil {
					t.Errorf("of another extension: %v, %v", others, err)
				}
			})
		})
	}
}

func TestWhatIsNoRecordingOfPushesIsRefusedByItsFrame(t *testing.T) {
	at := time.Unix(1795411938, 0)
	for what, text := range map[string]string{"no request": "Event: Hangup", "no vendor": "POST /udesk HTTP/1.1\r\nHost: relay\r\n\r\n", "another vendor": "POST /x HTTP/1.1\r\nHost: relay\r\nRingside-Vendor: nobody\r\n\r\n",
		"no body": "POST /udesk HTTP/1.1\r\nHost: relay\r\nRingside-Vendor: udesk\r\nContent-Length: 1\r\n\r\n{", "cut off": "POST /udesk HTTP/1.1\r\nHost: relay\r\nRingside-Vendor: udesk\r\nContent-Length: 9\r\n\r\n{}"} {
		events, err := Replay([]tape.Frame{tape.NewFrame(at, true, []byte("ours")), tape.NewFrame(at, false, []byte(text))}, "7")
		if events != nil || cti.KindOf(err) != cti.Invalid || what != "another vendor" && !strings.Contains(cti.MessageOf(err), "frame 2") {
			t.Errorf("%s: %v, %v", what, events, err)
		}
	}
}
